"""A scenario: what happens to the synthetic country beside its ordinary days; its parameters, and when it happens."""

import tomllib
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from privacy.unit import PrivacyMonth
from schemas.errors import ConfigError

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

Share = Annotated[float, Field(ge=0, le=1)]
Km = Annotated[float, Field(gt=0)]
Days = Annotated[float, Field(gt=0)]


@dataclass(frozen=True, config=_STRICT)
class Scenario:
    """What is planted; every field has its default, so that a file names only what differs.

    Args:
        name: Name in the mark and in the identifier of the event.
        onset: Local day of the flood, early in the morning; by default a Wednesday that `Timeline.of` chooses.
        area_share: Share of the subscribers who live in the flooded area, at least; whole zones are added until then.
        evacuated: Share of the area's residents who leave.
        leaves_on_day: Shares of those who leave on the onset's day, the next, and so on.
        to_relatives: Share of them who go to relatives, where these live far enough.
        to_camp: Share who go to the one camp; all others go to towns.
        host_min_km: Hosts lie farther from home than this.
        half_life_days: Nights after which half of those who return have done so; after twice as many, three quarters.
        never_return: Share of the evacuated who stay where they are for good.
        sims_lost: Share of the area's residents whose SIM falls silent in the first three days, and reappears.
        sim_lost_days: Shortest and longest silence of such a SIM.
        sites_down: Share of the area's sites that fail within six hours of the onset.
        sites_down_days: Shortest and longest failure of such a site.
        drill_share: As `area_share`, for the zones of the outage-only day.
        drill_sites_down: Share of their sites that are down that day.
        reach_km: A site serves places up to here in place of one that is down; farther calls are lost.
        migrants_a_year: Share of the subscribers who move for good within a year.
        seasonal: Share who work elsewhere for a season each year.
        students: Share of registrants of 15 to 24 years who spend the terms in a university town.
        weekly_commuters: Share who sleep at a second dwelling in the nights after Monday to Thursday.
        sims_new_a_year: Share of the SIMs that make their first event within a year.
        sims_gone_a_year: Share of the SIMs that fall silent for good within a year.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")] = "flood"
    onset: date | None = None
    area_share: Annotated[float, Field(gt=0, le=0.3)] = 0.07
    evacuated: Share = 0.6
    leaves_on_day: tuple[Share, ...] = (0.5, 0.3, 0.2)
    to_relatives: Share = 0.45
    to_camp: Share = 0.20
    host_min_km: Km = 15.0
    half_life_days: Days = 25.0
    never_return: Share = 0.12
    sims_lost: Share = 0.08
    sim_lost_days: tuple[Days, Days] = (10.0, 40.0)
    sites_down: Share = 0.7
    sites_down_days: tuple[Days, Days] = (2.0, 14.0)
    drill_share: Annotated[float, Field(gt=0, le=0.3)] = 0.07
    drill_sites_down: Share = 0.9
    reach_km: Km = 10.0
    migrants_a_year: Share = 0.03
    seasonal: Share = 0.025
    students: Share = 0.14
    weekly_commuters: Share = 0.02
    sims_new_a_year: Share = 0.06
    sims_gone_a_year: Share = 0.06

    def __post_init__(self) -> None:
        if abs(sum(self.leaves_on_day) - 1) > 1e-9 or self.to_relatives + self.to_camp > 1:
            raise ValueError("shares of the evacuated that do not add up to one")
        if self.seasonal + self.weekly_commuters + self.migrants_a_year > 1:
            raise ValueError("more people with two dwellings than people")
        if not (self.sim_lost_days[0] <= self.sim_lost_days[1] and self.sites_down_days[0] <= self.sites_down_days[1]):
            raise ValueError("a shortest time that is longer than the longest")


FLOOD: Final = Scenario()
"""The scenario called `flood`."""

_PARAMETERS: Final = TypeAdapter(Scenario)


def parameters(scenario: Scenario) -> dict[str, object]:
    """Return a scenario's parameters as JSON holds them."""
    told: dict[str, object] = _PARAMETERS.dump_python(scenario, mode="json")
    return told


def read_scenario(name_or_file: str) -> Scenario:
    """Return the scenario of a name, or that of a TOML file of parameters.

    Raises:
        ConfigError: It is neither, or a parameter is unknown or out of range.
    """
    if name_or_file == FLOOD.name:
        return FLOOD
    file = Path(name_or_file)
    if file.suffix != ".toml" or not file.is_file():
        raise ConfigError(f"No scenario {name_or_file}.", "flood, or a TOML file", "give another --scenario")
    try:
        return _PARAMETERS.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        known = ", ".join(field.name for field in fields(Scenario))
        raise ConfigError(f"{file} is no scenario: {error}", f"some of {known}", "correct the file") from error


ONSET_S: Final = 4 * 3_600 + 30 * 60
"""Second of the onset's day at which the flood comes: 04:30, so that everybody sleeps at home in that day's night."""

_DRILL_BEFORE: Final = 6
"""Days from the outage-only day to the onset: over before anybody is displaced, and by default in the same month."""

_BEFORE_ONSET: Final = 0.28
"""Share of a long period that lies before the onset; the rest sees the return."""

_AFTER_ONSET: Final = 14
"""Fewest days from the onset to the period's end."""


@dataclass(frozen=True)
class Timeline:
    """When things happen, in days since the period's first.

    Args:
        first_day: First local day of the period.
        days: Number of days.
        onset: Day of the flood.
    """

    first_day: date
    days: int
    onset: int

    @classmethod
    def of(cls, scenario: Scenario, first_day: date, days: int) -> "Timeline":
        """Return a scenario's timeline in a period.

        Without a day of its own the flood comes on the Wednesday of a privacy month's second week, after about a
        quarter of the period.

        Raises:
            ConfigError: The period does not hold the whole privacy month before the onset's, or ends within two weeks.
        """
        onset = scenario.onset or _onset(first_day, first_day + timedelta(days=round(_BEFORE_ONSET * days)))
        offset, baseline = (onset - first_day).days, PrivacyMonth.of(onset).next(-1)
        if baseline.first_day < first_day or offset + _AFTER_ONSET > days:
            raise ConfigError(
                f"A flood on {onset} in {days} days from {first_day}.",
                f"the whole privacy month {baseline} before it, and {_AFTER_ONSET} days after",
                "give more --days, or another onset",
            )
        return cls(first_day, days, offset)

    @property
    def drill(self) -> int:
        """The outage-only day: towers are down from 18:00 of the day before to 18:00."""
        return self.onset - _DRILL_BEFORE

    @property
    def baseline(self) -> PrivacyMonth:
        """The privacy month before the onset's, in which everybody's home is what it was."""
        return PrivacyMonth.of(self.day(self.onset)).next(-1)

    @property
    def months(self) -> tuple[PrivacyMonth, ...]:
        """The privacy months that lie in the period as a whole."""
        months, month = [], PrivacyMonth.of(self.first_day)
        while month.last_day <= self.day(self.days - 1):
            months.append(month)
            month = month.next()
        return tuple(month for month in months if month.first_day >= self.first_day)

    def day(self, offset: int) -> date:
        """Return a local day, counted from the first."""
        return self.first_day + timedelta(days=offset)

    def offset(self, day: date) -> int:
        """Return a local day's number, counted from the first."""
        return (day - self.first_day).days


def _onset(first_day: date, earliest: date) -> date:
    """Return the first Wednesday of a second week from a day on, whose privacy month follows a whole one."""
    month = PrivacyMonth.of(first_day)
    while month.first_day < first_day:
        month = month.next()
    month = month.next()
    while _wednesday(month) < earliest:
        month = month.next()
    return _wednesday(month)


def _wednesday(month: PrivacyMonth) -> date:
    return month.first_day + timedelta(days=9)
