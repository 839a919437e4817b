"""Events: calls and messages, sampled from where a subscriber is at the time; they miss some of the truth."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from jobs.synth.country import Country
from jobs.synth.itineraries import DAY_S, Stays
from jobs.synth.outages import Outages
from jobs.synth.people import People
from jobs.synth.randomness import Floats, Ints, as_ints, stream
from schemas.errors import ConfigError

_WORKDAY_HOURS: Final = (
    2.0, 1.1, 0.7, 0.5, 0.6, 1.3, 3.2, 5.4, 6.4, 6.6, 6.5, 6.4,
    6.6, 6.2, 6.0, 6.0, 6.3, 7.0, 7.8, 8.2, 7.8, 6.4, 4.6, 3.2,
)  # fmt: skip
_WEEKEND_HOURS: Final = (
    3.0, 1.9, 1.2, 0.7, 0.6, 0.8, 1.7, 3.2, 5.0, 6.2, 6.8, 6.8,
    6.6, 6.2, 6.0, 6.0, 6.2, 6.8, 7.6, 8.2, 8.0, 6.8, 5.2, 4.0,
)  # fmt: skip
"""Relative events in each hour of the local day: two peaks, sparse nights; later on weekends."""

_WEEKDAY_FACTOR: Final = (1.02, 1.01, 1.01, 1.03, 1.07, 0.98, 0.88)
"""Events of a weekday relative to the week's mean, Monday first."""

_BURSTINESS: Final = 1.6
"""Shape of the gamma factor that makes one person's days differ: 1 is wilder, 10 calmer."""

MACHINES_A_SUBSCRIBER: Final = 2.5e-5
_MACHINE_EVENTS: Final = (1_500.0, 5_000.0)
"""Least and most mean events of a machine on a day."""


@dataclass(frozen=True)
class Events:
    """Events of one day, in order of time.

    Args:
        subscriber: Index of the SIM: people first, machines after.
        second: Second of the local day.
        cell: Index of the cell that served.
    """

    subscriber: Ints
    second: Ints
    cell: Ints

    def __post_init__(self) -> None:
        if not len(self.subscriber) == len(self.second) == len(self.cell):
            raise ConfigError("Events whose columns have different lengths.")


def machine_count(subscribers: int) -> int:
    """Return how many SIMs of a country sit in machines: at least one."""
    return max(1, round(subscribers * MACHINES_A_SUBSCRIBER))


@dataclass(frozen=True)
class Observed:
    """What a day's events are sampled from.

    Args:
        country: The country.
        people: Its people, with their activity of the day.
        stays: Where they are that day.
        first_day: First day of the period.
        day: Days since the first day.
        outages: Sites that are down, if any ever are.
    """

    country: Country
    people: People
    stays: Stays
    first_day: date
    day: int
    outages: Outages | None = None

    def events(self, rng: np.random.Generator, subscriber: Ints, second: Ints, place: Ints) -> Events:
        """Return the events of calls from places: all of them, but for those that no site is left to serve."""
        network = self.country.network
        cell = network.serve(rng, place, self.day)
        if self.outages is None:
            return Events(subscriber, second, cell)
        served, cell = self.outages.served(network, place, cell, second, self.day)
        return Events(subscriber[served], second[served], cell[served])


def events_of_day(observed: Observed, *, late: float) -> Events:
    """Return one day's events that are delivered on time.

    Args:
        observed: The day.
        late: Share of people's events that come late, 0 to 1.
    """
    return _in_time_order(_of_people(observed, 1 - late, "events"), _of_machines(observed))


def late_events_of_day(observed: Observed, *, late: float) -> Events:
    """Return only those events of a day that are delivered the day after.

    They are an independent Poisson sample, so that they can be drawn without the day's other events.
    """
    return _in_time_order(_of_people(observed, late, "late events"))


NO_EVENTS: Final = Events(*(np.zeros(0, dtype=np.int64) for _ in range(3)))


def _in_time_order(*parts: Events) -> Events:
    subscriber = np.concatenate([part.subscriber for part in parts])
    second = np.concatenate([part.second for part in parts])
    cell = np.concatenate([part.cell for part in parts])
    # sorting second and position packed into one number is four times as fast as argsort
    packed = np.sort((second << 32) | np.arange(len(second), dtype=np.int64))
    order = packed & 0xFFFF_FFFF
    return Events(subscriber[order], packed >> 32, cell[order])


def _of_people(observed: Observed, share: float, purpose: str) -> Events:
    country, people = observed.country, observed.people
    rng = stream(country.seed, purpose, observed.day)
    weekday = (observed.first_day + timedelta(days=observed.day)).weekday()
    burst = rng.gamma(_BURSTINESS, 1 / _BURSTINESS, people.count)
    count = rng.poisson(people.activity * burst * (share * _WEEKDAY_FACTOR[weekday]))
    subscriber = np.repeat(np.arange(people.count), count)
    second = _seconds(rng, len(subscriber), _WEEKEND_HOURS if weekday >= 5 else _WORKDAY_HOURS)
    place = positions(country, observed.stays, subscriber, second)
    return observed.events(rng, subscriber, second, place)


def _seconds(rng: np.random.Generator, count: int, hours: tuple[float, ...]) -> Ints:
    """Return seconds of the day that follow an hourly profile."""
    cumulative = np.concatenate([[0.0], np.cumsum(hours) / np.sum(hours)])
    second: Floats = np.interp(rng.random(count), cumulative, np.arange(25) * 3_600.0)
    return as_ints(np.minimum(second, DAY_S - 1))


def positions(country: Country, stays: Stays, subscriber: Ints, second: Ints) -> Ints:
    """Return the place where each subscriber is at a second of the day, on the way between stays included."""
    row = stays.at(subscriber, second)
    place = stays.place[row]
    moving = np.flatnonzero(second >= stays.departure_s[row])
    row, second = row[moving], second[moving]
    left, reached = stays.departure_s[row], stays.arrival_s[row + 1]
    fraction = (second - left) / np.maximum(reached - left, 1)
    place[moving] = _on_the_way(country, stays.place[row], stays.place[row + 1], fraction)
    return place


def _on_the_way(country: Country, origin: Ints, destination: Ints, fraction: Floats) -> Ints:
    """Return a place on the way: on the road between towns, or the nearer end of a way around one town."""
    town = country.places.town
    on_road = country.routes.place(town[origin], town[destination], fraction)
    nearer_end = np.where(fraction < 0.5, origin, destination)
    return np.where(town[origin] == town[destination], nearer_end, on_road)


def _of_machines(observed: Observed) -> Events:
    """Return the events of machines: meters that stand still, every second one in a vehicle between towns."""
    country, day = observed.country, observed.day
    count = machine_count(country.subscribers)
    kind, rng = stream(country.seed, "machines"), stream(country.seed, "machine events", day)
    base = kind.integers(country.places.n_neighbourhoods, size=count)
    goal = kind.integers(country.geography.n_towns, size=count)
    events = rng.poisson(kind.uniform(*_MACHINE_EVENTS, size=count))
    machine = np.repeat(np.arange(count), events)
    second = rng.integers(DAY_S, size=len(machine))
    there_and_back = 1 - np.abs(4 * second / DAY_S % 2 - 1)
    driven = country.routes.place(country.places.town[base][machine], goal[machine], there_and_back)
    place = np.where(machine % 2 == 1, driven, base[machine])
    return observed.events(rng, country.subscribers + machine, second, place)
