"""The sensitivity class of a release: who should hold it, by a stated rule.

Differential privacy bounds what a release tells of one subscriber. What it tells of groups may still harm them: where
people fled to, while they flee. The class says so to whoever receives a bundle; it is advice with a reason, not a lock.

Source: OCHA Data Responsibility Guidelines (October 2021), which include an Information and Data Sensitivity
    Classification, and by which the same data may be sensitive in one context and not in another. Classes and rule are
    ours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as validated

from privacy.canonical import JsonValue
from privacy.zoning import MOST_ADMIN_LEVELS, Zoning


class SensitivityClass(StrEnum):
    """Who should hold a release; from the widest circle to the narrowest."""

    PUBLIC = "public"
    RESTRICTED = "restricted"
    INTERNAL = "internal"


MEANING: Final[Mapping[SensitivityClass, str]] = {
    SensitivityClass.PUBLIC: "may be handed to anybody",
    SensitivityClass.RESTRICTED: "for those who agreed with the operator on a purpose; not to be handed on",
    SensitivityClass.INTERNAL: "stays inside the operator",
}
"""What a class asks of its reader."""

_ORDER: Final = tuple(SensitivityClass)


@validated(frozen=True, config=ConfigDict(extra="forbid"))
class SensitivityPolicy:
    """The rule; a product's own class is the least, and each of these makes a release at least restricted.

    Args:
        restricted_from_resolution: Finest H3 resolution from which on a release is restricted.
        restricted_from_admin_level: The same for zones that are administrative units.
        fresh_days: Days after the period's last day until which it is restricted.
        emergency_days: Days from the onset of a declared event on in which a period that is touched is restricted.
    """

    restricted_from_resolution: Annotated[int, Field(ge=0, le=16, strict=True)] = 6
    fresh_days: Annotated[int, Field(ge=0, strict=True)] = 30
    emergency_days: Annotated[int, Field(ge=0, strict=True)] = 182
    restricted_from_admin_level: Annotated[int, Field(ge=1, le=MOST_ADMIN_LEVELS + 1, strict=True)] = 3

    def is_fine(self, resolution: int, zoning: Zoning) -> bool:
        """Tell whether zones of a resolution, or admin level, are so fine that a release of them is restricted."""
        limits = {Zoning.H3: self.restricted_from_resolution, Zoning.ADMIN: self.restricted_from_admin_level}
        return resolution >= limits[zoning]


@dataclass(frozen=True)
class Sensitivity:
    """The class of one release.

    Args:
        now: The class while the data are fresh.
        later: The class from `until` on.
        until: First day of `later`; none where time changes nothing.
        reasons: What made it so, one clause each.
    """

    now: SensitivityClass
    later: SensitivityClass
    until: date | None
    reasons: tuple[str, ...]

    @property
    def note(self) -> dict[str, JsonValue]:
        """The class for machines."""
        return {
            "class": str(self.now),
            "until": self.until.isoformat() if self.until else None,
            "then": str(self.later) if self.until else None,
            "reasons": self.reasons,
        }


UNCLASSIFIED: Final = Sensitivity(
    SensitivityClass.RESTRICTED, SensitivityClass.RESTRICTED, None, ("nobody has classified it",)
)
"""A release for which no rule was asked."""


def classified(
    least: SensitivityClass,
    rule: SensitivityPolicy,
    *,
    finest_resolution: int | None,
    days: tuple[date, date],
    onsets: Iterable[date],
    has_list: bool,
    zoning: Zoning = Zoning.H3,
) -> Sensitivity:
    """Say the class of a release.

    Args:
        least: Class of the product.
        rule: The policy's rule.
        finest_resolution: Finest resolution of its zones; none where it has no zones.
        days: First and last day of its period.
        onsets: Onsets of all declared events.
        has_list: Whether a list of sensitive places was applied; whether it touches the release is not told.
        zoning: What its zones are.
    """
    first, last = days
    resolution = -1 if finest_resolution is None else finest_resolution
    struck = any(onset <= last and first < onset + timedelta(rule.emergency_days) for onset in onsets)
    lasting = {
        f"its zones are as fine as {zoning.place(resolution)}": rule.is_fine(resolution, zoning),
        "its period lies in a declared emergency": struck,
        "places of it may be sensitive": has_list and finest_resolution is not None,
    }
    reasons = [reason for reason, holds in lasting.items() if holds]
    later = _at_least(least, SensitivityClass.RESTRICTED) if reasons else least
    now = _at_least(later, SensitivityClass.RESTRICTED) if rule.fresh_days else later
    until = last + timedelta(1 + rule.fresh_days) if now is not later else None
    fresh = ["its data are fresh"] if until else []
    return Sensitivity(now, later, until, (f"the product is {least} at least", *reasons, *fresh))


def _at_least(one: SensitivityClass, other: SensitivityClass) -> SensitivityClass:
    return max(one, other, key=_ORDER.index)
