"""From phones to people: how many people of a zone stand behind each subscriber who lives there.

The weight of a zone is its population over its released residents. It is post-processing of released values with public
numbers, and it holds as far as subscribers move like those who are none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, sqrt
from typing import Final

from jobs.publish.scaling.census import People, Population
from jobs.publish.situation.estimate import Estimate
from privacy.intervals import Z_95

CLEAR: Final = 5.0
"""Standard deviations that the released residents of a zone lie above zero where they have a weight."""

NO_PEOPLE: Final = "no population is given for the zone"
UNCLEAR: Final = f"released residents of the zone are not {CLEAR:g} standard deviations above zero"
NO_RESIDENTS: Final = "no residents were released for the zone"


@dataclass(frozen=True)
class Weight:
    """People per subscriber of a zone.

    Args:
        value: People over released residents.
        sd: Standard deviation of its error, from the noise of the residents and the error of the population.
    """

    value: float
    sd: float


@dataclass(frozen=True)
class Scaled:
    """A number of people, with each part of its error.

    Args:
        value: People.
        noise_sd: From the noise of the row.
        weight_sd: From the weight.
        sampling_sd: From who of the people happens to be a subscriber, were it chance.
    """

    value: float
    noise_sd: float
    weight_sd: float
    sampling_sd: float

    @property
    def sd(self) -> float:
        """Standard deviation of the error: the three parts are independent."""
        return hypot(self.noise_sd, self.weight_sd, self.sampling_sd)

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the 95 % interval."""
        return self.value - Z_95 * self.sd, self.value + Z_95 * self.sd


def weight_of(zone: str, population: Population, residents: Mapping[str, Estimate]) -> Weight | str:
    """Return the weight of a zone, or why it has none."""
    if zone not in population.people:
        return population.missing.get(zone, NO_PEOPLE)
    if zone not in residents:
        return NO_RESIDENTS
    return weight(population.people[zone], residents[zone])


def weight(people: People, residents: Estimate) -> Weight | str:
    """Return people over residents, with its error to the first order; or why it is not told."""
    if not residents.is_clear(CLEAR):
        return UNCLEAR
    found = people.count / residents.value
    return Weight(found, hypot(people.sd, found * residents.sd) / residents.value)


def scaled(subscribers: Estimate, by: Weight) -> Scaled:
    """Return the people that subscribers stand for.

    Sampling: each of N people is a subscriber with probability 1 / w, independently; then w times the subscribers among
    them has the variance N (w - 1). Families and firms share operators, so the truth is larger.
    """
    people = by.value * subscribers.value
    sampling = sqrt(max(0.0, people) * max(0.0, by.value - 1.0))
    return Scaled(people, by.value * subscribers.sd, abs(subscribers.value) * by.sd, sampling)
