"""A gravity model of a week's movement: 500,000 subscribers over 817 cells of resolution 6.

It makes pairs, not records: it is for comparing release designs, not for the pipeline. Counts are distinct pairs of a
subscriber and day.
"""

from dataclasses import dataclass

import h3
import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SUBSCRIBERS = 500_000
_CENTRE = (-1.95, 30.06)
_RINGS = 16
_TOWNS = 14
_STEPS = 26


@dataclass(frozen=True)
class Week:
    """What everybody did.

    Args:
        cells: H3 names, sorted.
        subscriber: Of each contribution.
        pair: Origin * cells + destination of each contribution; one a subscriber, day and pair.
        days: Number of days.
    """

    cells: tuple[str, ...]
    subscriber: Integers
    pair: Integers
    days: int


def simulate(days: int = 7, seed: int = 7) -> Week:
    """Simulate the days from a Monday on."""
    rng = np.random.default_rng(seed)
    cells = tuple(sorted(h3.grid_disk(h3.latlng_to_cell(*_CENTRE, 6), _RINGS)))
    distance = distances_km(cells)
    people = _population(rng, distance)
    country = _Gravity(rng, people, distance)
    home = rng.choice(len(cells), SUBSCRIBERS, p=people)
    habits = _Habits.of(country, home, rng)
    made = [_day(country, habits, home, is_weekday=day % 7 < 5, rng=rng) for day in range(days)]
    subscriber, pair = (np.concatenate(column) for column in zip(*made, strict=True))
    return Week(cells, subscriber, pair, days)


def distances_km(cells: tuple[str, ...]) -> Floats:
    """Distances between the centres of cells."""
    places = np.array([h3.cell_to_latlng(cell) for cell in cells])
    east, north = places[:, 1] * 111 * np.cos(np.deg2rad(_CENTRE[0])), places[:, 0] * 111
    return np.hypot(np.subtract.outer(east, east), np.subtract.outer(north, north))


def _population(rng: np.random.Generator, distance: Floats) -> Floats:
    """Share of the people in each cell: a lognormal countryside, and towns by Zipf's law that thin out over 6 km."""
    countryside = rng.lognormal(0, 0.8, len(distance))
    people = 0.55 * countryside / countryside.sum()
    sizes = 1 / np.arange(1, _TOWNS + 1) ** 1.1
    for town, size in zip(rng.choice(len(distance), _TOWNS, replace=False), 0.45 * sizes / sizes.sum(), strict=True):
        reach = np.exp(-distance[town] / 6)
        people += size * reach / reach.sum()
    return people / people.sum()


class _Gravity:
    """Draws destinations in proportion to people^0.95 / (distance + 2 km)^1.9."""

    def __init__(self, rng: np.random.Generator, people: Floats, distance: Floats) -> None:
        pull = people[None] ** 0.95 * (distance + 2) ** -1.9
        np.fill_diagonal(pull, 0)
        cumulated = np.cumsum(pull / pull.sum(1, keepdims=True), axis=1)
        self.cells = len(people)
        self._rows = (cumulated / cumulated[:, -1:] + np.arange(self.cells)[:, None]).ravel()
        self._rng = rng

    def destination(self, origin: Integers) -> Integers:
        drawn = np.searchsorted(self._rows, origin + self._rng.random(len(origin)) * 0.9999999, side="right")
        return np.minimum(drawn - origin * self.cells, self.cells - 1)


@dataclass(frozen=True)
class _Habits:
    """Where each subscriber goes again and again, and how much it moves."""

    work: Integers
    first_errand: Integers
    second_errand: Integers
    drives: npt.NDArray[np.bool_]
    mobility: Floats

    @classmethod
    def of(cls, country: _Gravity, home: Integers, rng: np.random.Generator) -> "_Habits":
        work = np.where(rng.random(len(home)) < 0.4, home, country.destination(home))
        errands = country.destination(home), country.destination(work)
        return cls(work, *errands, rng.random(len(home)) < 0.02, rng.lognormal(0, 0.5, len(home)))


def _day(
    country: _Gravity, habits: _Habits, home: Integers, *, is_weekday: bool, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Distinct pairs of each subscriber on one day."""
    share = (0.62 if is_weekday else 0.5) * habits.mobility**0.5
    who = np.flatnonzero(rng.random(len(home)) < np.clip(share, 0, 0.97))
    drives = habits.drives[who]
    stops = np.where(drives, rng.poisson(9, len(who)) + 1, rng.geometric(0.62, len(who)))
    here, keys = home[who].copy(), []
    for step in range(min(int(stops.max()) + 1, _STEPS)):
        next_stop = _next_stop(country, habits, who, here, is_weekday=is_weekday, rng=rng)
        goes_home = (step == stops) & (rng.random(len(who)) < 0.85)
        there = np.where(stops > step, next_stop, np.where(goes_home, home[who], here))
        moved = there != here
        keys.append(who[moved] * country.cells**2 + here[moved] * country.cells + there[moved])
        here = there
    key = np.unique(np.concatenate(keys))
    return key // country.cells**2, key % country.cells**2


def _next_stop(
    country: _Gravity, habits: _Habits, who: Integers, here: Integers, *, is_weekday: bool, rng: np.random.Generator
) -> Integers:
    chance, elsewhere = rng.random(len(who)), country.destination(here)
    habit = np.select(
        [chance < (0.55 if is_weekday else 0.25), chance < 0.7, chance < 0.8],
        [habits.work[who], habits.first_errand[who], habits.second_errand[who]],
        elsewhere,
    )
    return np.where(habits.drives[who], elsewhere, habit)
