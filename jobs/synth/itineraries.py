"""The planted truth: where each subscriber is at every second of a day, as a sequence of stays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from jobs.synth.country import Country
from jobs.synth.people import People
from jobs.synth.plane import distance_km
from jobs.synth.randomness import Bools, Floats, Ints, as_ints, stream

DAY_S: Final = 86_400

_HOUR_S: Final = 3_600
_LAST_OUTING_S: Final = 22 * _HOUR_S
_SHORTEST_STAY_S: Final = 20 * 60

_JOURNEYS_A_DAY: Final = 0.016
"""Chance of an ordinary subscriber to set out on a journey with nights away, on a Monday to Thursday."""


@dataclass(frozen=True)
class Stays:
    """Where people stay on one day: one row per stay, sorted by subscriber and arrival.

    The first stay of a subscriber begins at second 0; the last lasts until the day ends, and the next day
    begins there.

    Args:
        subscriber: Index of the subscriber.
        place: Where they stay.
        arrival_s: Second of the local day at which the stay begins.
        departure_s: Second at which they leave for their next stay; DAY_S where there is none.
    """

    subscriber: Ints
    place: Ints
    arrival_s: Ints
    departure_s: Ints

    def at(self, subscriber: Ints, second: Ints) -> Ints:
        """Return the row of the stay that each subscriber last arrived at, as of a second of the day."""
        key = self.subscriber * DAY_S + self.arrival_s
        return np.searchsorted(key, subscriber * DAY_S + second, side="right") - 1


@dataclass(frozen=True)
class Intention:
    """A stay that some intend to make next.

    Args:
        who: Who intends it.
        place: Where; one entry a subscriber.
        earliest_s: Second before which they do not arrive.
        is_return: True: it is made however late; otherwise given up when it would begin after 22:00.
    """

    who: Bools
    place: Ints
    earliest_s: Floats
    is_return: bool = False


@dataclass(frozen=True)
class Journeys:
    """Nights spent on journeys: few, so one entry a traveller and night.

    Args:
        start: First entry of each night; the last number is that of all entries.
        who: Index of the traveller.
        place: Where they sleep.
    """

    start: Ints
    who: Ints
    place: Ints

    def of(self, night: int) -> tuple[Ints, Ints]:
        """Return who is on a journey in a night, and where they sleep."""
        entries = slice(int(self.start[night]), int(self.start[night + 1]))
        return self.who[entries], self.place[entries]

    def laid_over(self, dwelling: Ints, night: int) -> Ints:
        """Return where each sleeps in a night: on a journey, or else at their dwelling."""
        place = dwelling.copy()
        who, there = self.of(night)
        place[who] = there
        return place


def journeys_of(country: Country, people: People, first_day: date, days: int) -> Journeys:
    """Return the journeys of a period: night d is the one before day d, and nobody travels in night 0.

    Journeys lead to a town by gravity or to relatives, last one night or more, and begin more often on
    Fridays and Saturdays.
    """
    left, goal = np.zeros(people.count, dtype=np.int64), people.home
    who, place = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for day in range(days):
        rng = stream(country.seed, "journeys", day)
        leaves = (left == 0) & (rng.random(people.count) < _leaving_chance(people, _weekday(first_day, day)))
        left = np.where(leaves, rng.geometric(0.45, people.count), np.maximum(left - 1, 0))
        goal = np.where(leaves, _journey_goals(rng, country, people), goal)
        who.append(np.flatnonzero(left > 0))
        place.append(goal[who[-1]])
    start = np.cumsum([0, *map(len, who)])
    return Journeys(start, np.concatenate(who), np.concatenate(place))


def _leaving_chance(people: People, weekday: int) -> Floats:
    eagerness = 2.5 if weekday in (4, 5) else 1.0
    return np.where(people.outgoing > 0, _JOURNEYS_A_DAY * eagerness * people.wanderlust, 0.0)


def _journey_goals(rng: np.random.Generator, country: Country, people: People) -> Ints:
    """Return where a journey of each would lead: three fifths around a town, others to relatives."""
    towns = country.geography.towns
    shares = country.geography.shares[: len(towns)]
    pull = shares**0.8 / (distance_km(towns[:, None], towns[None]) + 15.0)
    pull = np.cumsum(pull, axis=1) / pull.sum(axis=1, keepdims=True)
    chance = rng.random(people.count)[:, None]
    town = np.minimum((chance > pull[country.places.town[people.home]]).sum(axis=1), len(towns) - 1)
    around = country.gravity.draw(rng, _zones_of_towns(country)[town])
    return np.where(rng.random(people.count) < 0.6, around, people.relatives)


def _zones_of_towns(country: Country) -> Ints:
    """Return the zone of the busiest place around each town."""
    n = country.places.n_neighbourhoods
    attraction, town = country.places.attraction[:n], country.places.town[:n]
    busiest = [np.argmax(np.where(town == t, attraction, -1)) for t in range(country.geography.n_towns)]
    return country.places.zone[np.array(busiest)]


def stays_of_day(country: Country, people: People, wakes: Ints, sleeps: Ints, first_day: date, day: int) -> Stays:
    """Return everybody's itinerary on one day.

    Args:
        country: The country.
        people: Its people, with their habits of the day.
        wakes: Where they slept in the night before the day.
        sleeps: Where they sleep in the night after it.
        first_day: First day of the period.
        day: Days since the first day.
    """
    rng = stream(country.seed, "itineraries", day)
    intentions = _intentions(rng, country, people, wakes, sleeps, _weekday(first_day, day))
    return _stays(country, wakes, intentions)


def _weekday(first_day: date, day: int) -> int:
    return (first_day + timedelta(days=day)).weekday()


def _intentions(
    rng: np.random.Generator, country: Country, people: People, wakes: Ints, sleeps: Ints, weekday: int
) -> list[Intention]:
    """Return a day's intentions in order: work, lunch, work, errands, back, an evening out, back."""
    n, weekend = people.count, weekday >= 5
    ordinary = (wakes == people.home) & (sleeps == people.home)
    attendance = (0.90, 0.90, 0.90, 0.90, 0.86, 0.28, 0.08)[weekday]
    at_work = ordinary & people.works & (people.outgoing > 0) & (rng.random(n) < attendance)
    lunch = at_work & (rng.random(n) < 0.12)
    errand = _goes_out(rng, people, 0.50 if weekend else 0.40)
    second_errand = errand & _goes_out(rng, people, 0.30)
    evening = _goes_out(rng, people, 0.15 if weekend else 0.08)
    errand_s = np.where(at_work, _hours(rng, n, 16.8, 1.0), _hours(rng, n, 11.5, 2.4))
    back_s = np.where(wakes == sleeps, np.where(at_work, _hours(rng, n, 17.2, 1.3), 0.0), _hours(rng, n, 13.5, 3.2))
    everybody = np.ones(n, dtype=np.bool_)
    return [
        Intention(at_work, people.work, _hours(rng, n, 7.9, 1.0)),
        Intention(lunch, _errand_places(rng, country, people, wakes), _hours(rng, n, 12.2, 0.5)),
        Intention(lunch, people.work, _hours(rng, n, 13.2, 0.4)),
        Intention(errand, _errand_places(rng, country, people, wakes), errand_s),
        Intention(second_errand, _errand_places(rng, country, people, wakes), errand_s + 0.7 * _HOUR_S),
        Intention(everybody, sleeps, back_s, is_return=True),
        Intention(evening, _errand_places(rng, country, people, sleeps), _hours(rng, n, 19.4, 0.8)),
        Intention(everybody, sleeps, _hours(rng, n, 21.3, 1.0), is_return=True),
    ]


def _goes_out(rng: np.random.Generator, people: People, chance: float) -> Bools:
    return rng.random(people.count) < chance * people.outgoing


def _hours(rng: np.random.Generator, count: int, mean: float, sd: float) -> Floats:
    """Return seconds of the day around an hour, between 05:00 and 23:00."""
    return np.clip(rng.normal(mean, sd, count), 5, 23) * _HOUR_S


def _errand_places(rng: np.random.Generator, country: Country, people: People, base: Ints) -> Ints:
    """Return where an errand would lead: at home mostly a favourite place, away or else one by gravity."""
    place = people.errands[np.arange(people.count), rng.integers(people.errands.shape[1], size=people.count)]
    new = (base != people.home) | (rng.random(people.count) < 0.15)
    place[new] = country.gravity.draw(rng, country.places.zone[base[new]])
    return place


def _stays(country: Country, wakes: Ints, intentions: Sequence[Intention]) -> Stays:
    """Return the stays that come of intentions: in order, with time for the way."""
    place, arrival = wakes, np.zeros(len(wakes), dtype=np.int64)
    columns = [(np.ones(len(wakes), dtype=np.bool_), place, arrival, arrival)]
    for intention in intentions:
        way_s = travel_s(country, place, intention.place)
        leaves = np.maximum(arrival + _SHORTEST_STAY_S, intention.earliest_s.astype(np.int64) - way_s)
        reached = np.minimum(leaves + way_s, DAY_S - 1)
        made = intention.who & (intention.place != place)
        if not intention.is_return:
            made &= reached <= _LAST_OUTING_S
        place, arrival = np.where(made, intention.place, place), np.where(made, reached, arrival)
        columns.append((made, place, arrival, np.minimum(leaves, reached)))
    return _stays_from_columns(columns)


def _stays_from_columns(columns: Sequence[tuple[Bools, Ints, Ints, Ints]]) -> Stays:
    """Return stays from columns (made, place, arrival, departure before), one a step of the day."""
    made, place, arrival, left_before = (np.column_stack(part) for part in zip(*columns, strict=True))
    subscriber = np.nonzero(made)[0].astype(np.int64)
    left = left_before[made]
    departure = np.full(len(left), DAY_S, dtype=np.int64)
    goes_on = np.flatnonzero(subscriber[1:] == subscriber[:-1])
    departure[goes_on] = left[goes_on + 1]
    return Stays(subscriber, place[made], arrival[made], departure)


def travel_s(country: Country, origin: Ints, destination: Ints) -> Ints:
    """Return the seconds a way takes: 5 min and the rest at 20 to 60 km/h, faster the farther."""
    km = 1.25 * distance_km(country.places.xy[origin], country.places.xy[destination])
    return as_ints(300 + _HOUR_S * km / (20 + np.minimum(km, 40)))
