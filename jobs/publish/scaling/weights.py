"""From phones to people: how many people of a zone stand behind each subscriber who lives there.

The weight of a zone is its population over its released residents. It is post-processing of released values with public
numbers, and it holds as far as subscribers move like those who are none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, sqrt
from typing import Final

from jobs.publish.indicators.intensity import CLEAR, ratio
from jobs.publish.scaling.census import People, Population
from jobs.publish.situation.estimate import Estimate

NO_PEOPLE: Final = "no population is given for the zone"
UNCLEAR: Final = f"released residents of the zone are not {CLEAR:g} standard deviations above zero"
NO_RESIDENTS: Final = "no residents were released for the zone"


@dataclass(frozen=True)
class Weight:
    """People per subscriber of a zone.

    Args:
        people: By public statistics.
        residents: Released; clear of noise.
    """

    people: People
    residents: Estimate

    @property
    def value(self) -> float:
        """People over released residents."""
        return self.people.count / self.residents.value

    @property
    def sd(self) -> float:
        """Standard deviation of its error, to the first order: of the residents' noise and of the population's."""
        return hypot(self.people.sd, self.value * self.residents.sd) / self.residents.value


@dataclass(frozen=True)
class Scaled:
    """A number of people, with each part of its error.

    Args:
        value: People.
        noise_sd: From the noise of the row.
        weight_sd: From the weight.
        sampling_sd: From who of the people happens to be a subscriber, were it chance.
        ci_low: Lower end of the 95 % interval, of all three, which are independent.
        ci_high: Upper end.
    """

    value: float
    noise_sd: float
    weight_sd: float
    sampling_sd: float
    ci_low: float
    ci_high: float

    @property
    def sd(self) -> float:
        """Standard deviation of the error, to the first order."""
        return hypot(self.noise_sd, self.weight_sd, self.sampling_sd)


def weight_of(zone: str, population: Population, residents: Mapping[str, Estimate]) -> Weight | str:
    """Return the weight of a zone, or why it has none."""
    if zone not in population.people:
        return population.missing.get(zone, NO_PEOPLE)
    if zone not in residents:
        return NO_RESIDENTS
    return weight(population.people[zone], residents[zone])


def weight(people: People, residents: Estimate) -> Weight | str:
    """Return people over residents; or why that is not told."""
    return Weight(people, residents) if residents.is_clear(CLEAR) else UNCLEAR


def scaled(subscribers: Estimate, by: Weight) -> Scaled:
    """Return the people that subscribers stand for.

    Sampling: each of N people is a subscriber with probability 1 / w, independently; then w times the subscribers among
    them has the variance N (w - 1). Families and firms share operators, so the truth is larger.
    """
    people = by.value * subscribers.value
    noise, weighed = by.value * subscribers.sd, abs(subscribers.value) * by.sd
    sampling = sqrt(max(0.0, people) * max(0.0, by.value - 1.0))
    above = Estimate(
        by.people.count * subscribers.value,
        by.residents.value * hypot(noise, sampling, abs(subscribers.value) * by.people.sd / by.residents.value),
    )
    found = ratio(above, by.residents, 1.0)
    low, high = (people, people) if isinstance(found, str) else (found.ci_low, found.ci_high)
    return Scaled(people, noise, weighed, sampling, low, high)
