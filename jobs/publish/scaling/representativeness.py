"""How many of the people of each zone are subscribers: what scaling rests on, zone by zone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from jobs.publish.drawn_zones import DrawnZones
from jobs.publish.marks import MARKS
from jobs.publish.plain_csv import Cell
from jobs.publish.released import Released
from jobs.publish.scaling.census import Population
from jobs.publish.scaling.run import stock_of
from jobs.publish.scaling.weights import NO_PEOPLE
from jobs.publish.situation.estimate import Estimate
from privacy.intervals import Z_95

DEFINITION_ID: Final = "subscribers_per_person/1"

COLUMNS: Final = (
    "zone", "name", "level", "period", "subscribers", "noise_sd", "people", "people_sd", "subscribers_per_person", "sd",
    "ci_low", "ci_high", "relative_to_country", "definition_id", "not_available_because", *MARKS,
)  # fmt: skip


@dataclass(frozen=True)
class Reached:
    """Subscribers and people of one zone.

    Args:
        zone: Its code.
        name: What it is called; the code where nothing else is known.
        level: Its level.
        subscribers: Released.
        people: By public statistics; nothing where they have none.
        people_sd: Standard deviation of their error.
        relative: Subscribers per person over the same of all zones of the level that have people.
        reason: Why there is no share.
    """

    zone: str
    name: str
    level: int
    subscribers: Estimate
    people: float | None = None
    people_sd: float = 0.0
    relative: float | None = None
    reason: str = ""

    @property
    def share(self) -> Estimate | None:
        """Subscribers per person, above one where people have several SIM cards; error to the first order."""
        if not self.people:
            return None
        found = self.subscribers.value / self.people
        sd = ((self.subscribers.sd / self.people) ** 2 + (found * self.people_sd / self.people) ** 2) ** 0.5
        return Estimate(found, sd)

    def cells(self, period: str) -> dict[str, Cell]:
        """Return the zone as a row of the table."""
        share = self.share
        told: dict[str, Cell] = {
            "zone": self.zone, "name": self.name, "level": self.level, "period": period,
            "subscribers": self.subscribers.value, "noise_sd": self.subscribers.sd, "people": self.people,
            "people_sd": self.people_sd if self.people is not None else None, "relative_to_country": self.relative,
            "definition_id": DEFINITION_ID, "not_available_because": self.reason or None,
        }  # fmt: skip
        if share is None:
            return told
        low, high = share.value - Z_95 * share.sd, share.value + Z_95 * share.sd
        return told | {"subscribers_per_person": share.value, "sd": share.sd, "ci_low": low, "ci_high": high}


def reached(stock: Released, population: Population, zones: DrawnZones) -> Iterator[Reached]:
    """Yield the zones of each level that was measured, coarse to fine."""
    for level, subscribers in stock_of(stock).items():
        both = [zone for zone in subscribers if zone in population.people]
        people = sum(population.people[zone].count for zone in both)
        country = sum(subscribers[zone].value for zone in both) / people if people else 0.0
        for zone, found in sorted(subscribers.items()):
            yield _zone(Reached(zone, zones.names.get(zone, zone), level, found), population, country)


def _zone(one: Reached, population: Population, country: float) -> Reached:
    if one.zone not in population.people:
        reason = population.missing.get(one.zone, NO_PEOPLE)
        return Reached(one.zone, one.name, one.level, one.subscribers, reason=reason)
    people = population.people[one.zone]
    if not people.count:
        return Reached(one.zone, one.name, one.level, one.subscribers, 0.0, people.sd, reason="nobody lives there")
    share = one.subscribers.value / people.count
    relative = share / country if country > 0 else None
    return Reached(one.zone, one.name, one.level, one.subscribers, people.count, people.sd, relative)
