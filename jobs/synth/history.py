"""A history: everything that a scenario plants in a country, and where everybody sleeps for it, night by night."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from jobs.synth.country import Country
from jobs.synth.flood import Flood, build_flood
from jobs.synth.itineraries import Journeys
from jobs.synth.lives import MIGRANT, NEVER, SEASONAL, STUDENT, WEEKLY_COMMUTER, Lives, build_lives
from jobs.synth.outages import Outages, build_outages
from jobs.synth.people import People
from jobs.synth.randomness import Bools, Ints, stream
from jobs.synth.registrants import Registrants
from jobs.synth.scenario import Scenario, Timeline

REASONS: Final = (
    "home", "migrated", "season", "term", "weekly_commuter", "second_dwelling", "journey", "evacuated", "resettled",
)  # fmt: skip
"""Why somebody sleeps or lives where they do, by index.

`weekly_commuter` is a residence (four nights of seven there), `second_dwelling` one such night.
"""

_HOME, _WEEKLY, _JOURNEY, _EVACUATED, _RESETTLED = (
    REASONS.index(name) for name in ("home", "weekly_commuter", "journey", "evacuated", "resettled")
)
_REASON_THERE: Final = {
    life: REASONS.index(name)
    for life, name in {
        MIGRANT: "migrated", SEASONAL: "season", STUDENT: "term", WEEKLY_COMMUTER: "second_dwelling",
    }.items()
}  # fmt: skip
"""Reason of a night at the other dwelling, by life."""

_YEAR_DAYS: Final = 365

_SIM_FAILS_WITHIN: Final = 3
"""Days from the onset on in which SIMs are lost."""


@dataclass(frozen=True)
class Silence:
    """When SIMs make no event; one entry a subscriber. Their people live on.

    Args:
        begins: First day of use.
        ends: First day after use; NEVER for most.
        lost: First day on which a SIM lost in the flood is silent; NEVER for most.
        found: First day on which it is not.
    """

    begins: Ints
    ends: Ints
    lost: Ints
    found: Ints

    def in_use(self, day: int) -> Bools:
        """Tell which SIMs can make events on a day."""
        return (self.begins <= day) & (day < self.ends) & ~((self.lost <= day) & (day < self.found))


@dataclass(frozen=True)
class History:
    """What a scenario plants in one country.

    Args:
        scenario: Its parameters.
        timeline: When.
        lives: Who has a second dwelling.
        flood: Who leaves and returns.
        silence: Which SIMs are silent.
        outages: Which sites are down.
    """

    scenario: Scenario
    timeline: Timeline
    lives: Lives
    flood: Flood
    silence: Silence
    outages: Outages

    def people(self, day: int) -> People:
        """Return everybody with the habits of a day; who has a silent SIM makes no event."""
        people = self.lives.people(day)
        return replace(people, activity=people.activity * self.silence.in_use(day))

    def slept(self, journeys: Journeys, night: int) -> tuple[Ints, Ints]:
        """Return where everybody sleeps in a night, and the index of the reason: dwelling, journey, or flood."""
        place, reason = self.lives.dwelling(night), self._reason_of_dwelling(night)
        travellers, there = journeys.of(night)
        place[travellers], reason[travellers] = there, _JOURNEY
        return self._after_flood(place, reason, night)

    def lived(self, night: int) -> tuple[Ints, Ints]:
        """Return where everybody lives in a night, journeys apart, and the index of the reason."""
        reason = np.where(self.lives.life == WEEKLY_COMMUTER, _WEEKLY, self._reason_of_dwelling(night))
        return self._after_flood(self.lives.main_dwelling(night), reason, night)

    def _reason_of_dwelling(self, night: int) -> Ints:
        by_life = np.array([_REASON_THERE.get(life, _HOME) for life in range(len(self.lives.pattern))])
        return np.where(self.lives.is_there(night), by_life[self.lives.life], _HOME)

    def _after_flood(self, place: Ints, reason: Ints, night: int) -> tuple[Ints, Ints]:
        away, flood = self.flood.is_away(night), self.flood
        fled = np.where(flood.back == NEVER, _RESETTLED, _EVACUATED)
        return np.where(away, flood.host, place), np.where(away, fled, reason)


def build_history(
    country: Country, people: People, registrants: Registrants, scenario: Scenario, timeline: Timeline
) -> History:
    """Return what a scenario plants in a country; the same for the same arguments.

    Raises:
        ConfigError: The country is too small for the scenario.
    """
    lives = build_lives(country, people, registrants, scenario, timeline.first_day, timeline.days)
    flood = build_flood(country, people, lives.dwelling(timeline.onset), scenario, timeline)
    silence = _silence(stream(country.seed, "silence"), flood, scenario, timeline)
    outages = build_outages(country, flood, scenario, timeline)
    return History(scenario, timeline, lives, flood, silence, outages)


def _silence(rng: np.random.Generator, flood: Flood, scenario: Scenario, timeline: Timeline) -> Silence:
    n, years = len(flood.host), timeline.days / _YEAR_DAYS
    chance, day = rng.random(n), rng.integers(1, timeline.days, n)
    new, gone = scenario.sims_new_a_year * years, scenario.sims_gone_a_year * years
    is_lost = flood.is_resident & (rng.random(n) < scenario.sims_lost)
    lost = timeline.onset + rng.integers(0, _SIM_FAILS_WITHIN, n)
    low, high = scenario.sim_lost_days
    found = lost + np.round(rng.uniform(low, high, n)).astype(np.int64)
    return Silence(
        begins=np.where(chance < new, day, 0),
        ends=np.where((new <= chance) & (chance < new + gone), day, NEVER),
        lost=np.where(is_lost, lost, NEVER),
        found=np.where(is_lost, found, NEVER),
    )
