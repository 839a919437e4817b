"""The people: where each lives, works and runs errands, how often they call and how far they roam."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from jobs.synth.country import Country
from jobs.synth.places import draw_homes
from jobs.synth.randomness import Bools, Floats, Ints, as_floats, stream
from schemas.errors import ConfigError

EVENTS_A_DAY: Final = 12.0
"""Mean events of a subscriber on a day; machines, repeated and late rows bring it to about 12.1."""

_WORKING_SHARE: Final = 0.66
_HOMEBOUND_SHARE: Final = 0.07
"""Share of subscribers who never leave their neighbourhood."""

_ERRANDS: Final = 3
_MOST_EVENTS_A_DAY: Final = 250.0

_NUMBER_PREFIX: Final = 2307 * 10**7
_NUMBERS: Final = 10**7
_NUMBER_STEP: Final = 7_368_787
"""Coprime to the number of numbers: consecutive subscribers get scattered numbers, none twice."""


@dataclass(frozen=True)
class People:
    """One entry a subscriber in every column.

    Args:
        home: Place where they live.
        work: Place where they work or learn; home where they do neither.
        errands: Favourite places, three columns.
        relatives: Place of relatives, often far, that longer journeys lead to.
        activity: Mean events a day; heavy-tailed.
        outgoing: Factor on the chance to go out; 0: never leaves the neighbourhood.
        wanderlust: Factor on the chance to travel overnight.
    """

    home: Ints
    work: Ints
    errands: Ints
    relatives: Ints
    activity: Floats
    outgoing: Floats
    wanderlust: Floats

    def __post_init__(self) -> None:
        columns = (self.home, self.work, self.errands, self.relatives, self.activity, self.outgoing)
        if {len(column) for column in columns} != {len(self.wanderlust)}:
            raise ConfigError("People whose columns have different lengths.")

    @property
    def count(self) -> int:
        """Number of people."""
        return len(self.home)

    @property
    def works(self) -> Bools:
        """Tell who works or learns somewhere else than at home."""
        return np.not_equal(self.work, self.home)


def build_people(country: Country) -> People:
    """Return the people of a country; the same for the same country."""
    n, places, seed = country.subscribers, country.places, country.seed
    home = draw_homes(stream(seed, "homes"), places, n)
    work = _workplaces(stream(seed, "work"), country, home)
    rng = stream(seed, "habits")
    return People(
        home=home,
        work=work,
        errands=_errands(stream(seed, "errands"), country, home, work),
        relatives=draw_homes(stream(seed, "relatives"), places, n),
        activity=_activity(stream(seed, "activity"), n),
        outgoing=np.where(rng.random(n) < _HOMEBOUND_SHARE, 0.0, rng.gamma(4.0, 1 / 4.0, n)),
        wanderlust=rng.lognormal(-0.6, 1.1, n),
    )


def settled_at(rng: np.random.Generator, country: Country, people: People, home: Ints, works: Bools) -> People:
    """Return people as they would live at another dwelling, with work and errands around it.

    Args:
        rng: Random stream.
        country: The country.
        people: The people.
        home: Where they would live.
        works: Who would work or learn there.
    """
    work = np.where(works, country.gravity.draw(rng, country.places.zone[home]), home)
    return replace(people, home=home, work=work, errands=_errands(rng, country, home, work))


def _workplaces(rng: np.random.Generator, country: Country, home: Ints) -> Ints:
    working = rng.random(len(home)) < _WORKING_SHARE
    return np.where(working, country.gravity.draw(rng, country.places.zone[home]), home)


def _errands(rng: np.random.Generator, country: Country, home: Ints, work: Ints) -> Ints:
    """Return favourite places: two around home, one around work."""
    zone = country.places.zone
    around = [home] * (_ERRANDS - 1) + [work]
    return np.column_stack([country.gravity.draw(rng, zone[centre]) for centre in around])


def _activity(rng: np.random.Generator, count: int) -> Floats:
    """Return mean events a day: lognormal, so that a tenth of the people make two fifths of the calls."""
    activity = np.minimum(rng.lognormal(0, 1.0, count), _MOST_EVENTS_A_DAY / EVENTS_A_DAY)
    return as_floats(activity * EVENTS_A_DAY / activity.mean())


def numbers(first: int, count: int) -> list[str]:
    """Return the numbers of `count` SIMs from the first: digits, none twice, none starting with 0."""
    index = np.arange(first, first + count, dtype=np.int64)
    return (_NUMBER_PREFIX + (index * _NUMBER_STEP + 1_234_567) % _NUMBERS).astype(str).tolist()
