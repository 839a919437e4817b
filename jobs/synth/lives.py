"""Lives: who has a second dwelling, and in which nights: migrants, seasonal workers, students, weekly commuters."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import numpy as np

from jobs.synth.country import Country
from jobs.synth.people import People, settled_at
from jobs.synth.places import Remoteness
from jobs.synth.randomness import Bools, Floats, Ints, as_floats, stream
from jobs.synth.registrants import STUDENT_AGE, Registrants
from jobs.synth.scenario import Scenario

LIVES: Final = ("settled", "migrant", "seasonal", "student", "weekly_commuter")
"""Names of the lives, by index."""

SETTLED, MIGRANT, SEASONAL, STUDENT, WEEKLY_COMMUTER = range(5)

NEVER: Final = 1_000_000
"""Night of what does not happen."""

TERMS: Final = (((1, 10), (6, 20)), ((8, 15), (12, 12)))
"""First and last night (month, day) of the two terms of a year."""

_WEEKDAY_NIGHTS: Final = (1, 2, 3, 4)
"""Weekdays on which a night at the weekday dwelling ends: it began on Monday to Thursday."""

_SEASON_START: Final = (4, 20)
_SEASON_SPREAD_DAYS: Final = 10.0
_SEASON_DAYS: Final = (60, 110)
"""A harvest: first night around this date, and shortest and longest stay."""

_YEAR_DAYS: Final = 365

_KM: Final = {MIGRANT: 10.0, SEASONAL: 15.0, STUDENT: 15.0, WEEKLY_COMMUTER: 20.0}
"""Least distance to the other dwelling: farther than a phone is handed on between towers."""

_UNIVERSITY_TOWNS: Final = 3
_OFFICE_TOWNS: Final = 6
_HARVEST_TOWNS: Final = 2


@dataclass(frozen=True)
class Lives:
    """One entry a subscriber in `life`, `since` and `until`.

    Args:
        life: Index into LIVES.
        here: Habits at the first dwelling.
        there: Habits at the other dwelling; those at home of who has none.
        since: First night for which the other dwelling may count.
        until: First night for which it no longer does.
        pattern: For each life, the nights of the period (and the one after) for which it may.
    """

    life: Ints
    here: People
    there: People
    since: Ints
    until: Ints
    pattern: Bools

    def is_there(self, night: int) -> Bools:
        """Tell who lives at the other dwelling in a night."""
        return np.asarray((self.since <= night) & (night < self.until) & self.pattern[self.life, night])

    def dwelling(self, night: int) -> Ints:
        """Return the place of each one's dwelling in a night."""
        return np.where(self.is_there(night), self.there.home, self.here.home)

    def main_dwelling(self, night: int) -> Ints:
        """Return the same, but weekly commuters' weekday dwelling always: they spend four nights of seven there."""
        return np.where(self.is_there(night) | (self.life == WEEKLY_COMMUTER), self.there.home, self.here.home)

    def people(self, night: int) -> People:
        """Return everybody with the habits that go with their dwelling of a night."""
        there = self.is_there(night)
        return replace(
            self.here,
            home=np.where(there, self.there.home, self.here.home),
            work=np.where(there, self.there.work, self.here.work),
            errands=np.where(there[:, None], self.there.errands, self.here.errands),
        )


def build_lives(
    country: Country, people: People, registrants: Registrants, scenario: Scenario, first_day: date, days: int
) -> Lives:
    """Return everybody's life over a period; the same for the same arguments."""
    life = _drawn_lives(stream(country.seed, "lives"), registrants, scenario, days)
    rng = stream(country.seed, "second dwellings")
    dwelling = _second_dwellings(rng, country, people, life)
    works = np.where(life == MIGRANT, people.works, life != SETTLED)
    since, until = _spans(stream(country.seed, "spans"), life, first_day, days)
    there = settled_at(rng, country, people, dwelling, works)
    return Lives(life, people, there, since, until, _pattern(first_day, days))


def _drawn_lives(rng: np.random.Generator, registrants: Registrants, scenario: Scenario, days: int) -> Ints:
    """Return each one's life: students of their age, then the others."""
    n = len(registrants.age_band)
    studies = (registrants.age_band == STUDENT_AGE) & (rng.random(n) < scenario.students)
    migrants = scenario.migrants_a_year * days / _YEAR_DAYS
    shares = np.cumsum([migrants, scenario.seasonal, scenario.weekly_commuters])
    others = np.array([MIGRANT, SEASONAL, WEEKLY_COMMUTER, SETTLED])
    return np.where(studies, STUDENT, others[np.searchsorted(shares, rng.random(n), side="right")])


def _second_dwellings(rng: np.random.Generator, country: Country, people: People, life: Ints) -> Ints:
    """Return each one's other dwelling; the home of who has none."""
    remoteness, dwelling = Remoteness.of(country.places), people.home.copy()
    for kind, weight in _pulls(rng, country).items():
        who = np.flatnonzero(life == kind)
        dwelling[who] = remoteness.draw(rng, weight, people.home[who], beyond_km=_KM[kind])
    return dwelling


def _pulls(rng: np.random.Generator, country: Country) -> dict[int, Floats]:
    """Return, for each life, the weight of every neighbourhood as its other dwelling."""
    n, places = country.places.n_neighbourhoods, country.places
    residents, attraction, town = places.residents[:n], places.attraction[:n], places.town[:n]
    harvest = rng.permutation(np.arange(1, country.geography.n_towns))[:_HARVEST_TOWNS]
    return {
        MIGRANT: as_floats(residents),
        SEASONAL: residents**0.3 * np.isin(town, harvest),
        STUDENT: attraction * (town < _UNIVERSITY_TOWNS),
        WEEKLY_COMMUTER: attraction * (town < _OFFICE_TOWNS),
    }


def _spans(rng: np.random.Generator, life: Ints, first_day: date, days: int) -> tuple[Ints, Ints]:
    """Return first night at the other dwelling, and first night no more: for good, for a season, or by pattern."""
    n = len(life)
    moves = rng.integers(1, max(days, 2), n)
    season = _season_start(first_day) + np.round(rng.normal(0, _SEASON_SPREAD_DAYS, n)).astype(np.int64)
    stay = rng.integers(_SEASON_DAYS[0], _SEASON_DAYS[1] + 1, n)
    since = np.select([life == MIGRANT, life == SEASONAL], [moves, season], default=0)
    until = np.where(life == SEASONAL, season + stay, NEVER)
    return since, until


def _season_start(first_day: date) -> int:
    """Return the night on which the season begins that is in progress on the first day, or else the next."""
    starts = [date(first_day.year + year, *_SEASON_START) for year in (-1, 0, 1)]
    last = [start + timedelta(days=_SEASON_DAYS[1]) for start in starts]
    return next((start - first_day).days for start, end in zip(starts, last, strict=True) if end >= first_day)


def _pattern(first_day: date, days: int) -> Bools:
    nights = [first_day + timedelta(days=night) for night in range(days + 1)]
    always = np.ones(len(nights), dtype=np.bool_)
    weekday = np.array([night.weekday() in _WEEKDAY_NIGHTS for night in nights])
    return np.stack([~always, always, always, _in_term(nights), weekday])


def _in_term(nights: Sequence[date]) -> Bools:
    return np.array([any(first <= (night.month, night.day) <= last for first, last in TERMS) for night in nights])
