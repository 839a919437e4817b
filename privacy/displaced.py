"""Where the residents of a stricken area are: the plan of a release of `displacement`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt

from privacy.canonical import JsonValue, sha256_hex
from privacy.flat import Axis, Label
from privacy.hierarchy import Indices
from privacy.marginals import NOWHERE, OneKeyPlan, shown_dimension, shown_zones
from privacy.places import NO_GUARD, Guard
from privacy.policy import EventPolicy, TablePolicy
from privacy.unit import Charge, PrivacyMonth
from schemas.displacement import AWAY, HOME, SIGHTS, SIGHTS_A_NIGHT, STATUSES, TRANSITIONS
from schemas.errors import ConfigError
from schemas.published import ALL

N_TRANSITIONS = len(TRANSITIONS)


@dataclass(frozen=True, kw_only=True)
class DisplacementPlan(OneKeyPlan):
    """A release of the residents of an event's area: at home, away or silent, from where and where to; means a day.

    Keys are `((home * (n + 1) + location) * 9 + 3 * previous status + status) * 6 + sight`: home counts the area's base
    cells, location the n base cells of the domain, then silence. Tables by location are of those away.

    Args:
        event: Identifier of the declared event.
        name: Its name, for readers.
        hazard: What struck.
        onset: Day on which it struck.
        area_sha256: Digest of the area as it was declared; none where it was declared as zones of the domain.
        homes: The area's base cells, sorted.
        home_guard: What the list of sensitive places does to the area as a domain of its own.
        delivered_until: Last day delivered when the release was planned; known from outside, so no term of it.
    """

    product: EventPolicy
    event: str
    hazard: str
    onset: date
    homes: tuple[str, ...]
    name: str = ""
    area_sha256: str | None = None
    home_guard: Guard = NO_GUARD
    delivered_until: date | None = None

    def __post_init__(self) -> None:
        if not self.homes or list(self.homes) != sorted(set(self.homes)) or not self._is_area.any():
            raise ConfigError("The area of the event has no base cell, or they are not sorted.", "base cells, sorted")
        if int(self._is_area.sum()) != len(self.homes):
            raise ConfigError(
                "A base cell of the area is none of the country's.",
                "cells of the country",
                "correct the event's area",
            )

    @property
    def days(self) -> int:
        """The days of the period."""
        return self.period.n_days

    @property
    def subject(self) -> str:
        """What is counted."""
        return f"{self.name or self.event}: where residents of the area are"

    @property
    def baseline(self) -> PrivacyMonth:
        """The privacy month whose residents are followed."""
        return PrivacyMonth.of(self.onset).next(-1)

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What the release costs, by month: what the event's schedule says of its period."""
        return self.product.scheduled(self.onset, self.period).charges

    @property
    def paid_by(self) -> str:
        """The event whose opening has paid for the release."""
        return self.event

    @property
    def finest_key(self) -> str:
        """Name of the one key."""
        return "key"

    @cached_property
    def _is_area(self) -> npt.NDArray[np.bool_]:
        """Of each base cell, whether it is of the area."""
        return np.isin(self.zones.base_cells, self.homes)

    @cached_property
    def _guard(self) -> Guard:
        """What is done to homes: a zone that is closed in the country is closed in its part in the area too."""
        both = (self.zones.guard, self.home_guard)
        closed = {zone for guard in both for zone in guard.closed}
        return Guard(tuple(sorted(closed)), tuple(sorted({cell for guard in both for cell in guard.withheld})))

    def dimension(self, name: str, level: int, keys: Indices) -> tuple[Axis, Indices]:
        """Return homes or locations at a level, transitions or sights; who lives at a withheld home stands nowhere."""
        told, sight = np.divmod(keys, len(SIGHTS))
        where, transition = np.divmod(told, N_TRANSITIONS)
        match name:
            case "home":
                return self._homes(level, where)
            case "location":
                return self._locations(level, where, transition % len(STATUSES) == AWAY)
            case "sight":
                return _SIGHT_AXIS, np.where(self._is_counted(where), sight, NOWHERE)
        return _TRANSITION_AXIS, np.where(self._is_counted(where), transition, NOWHERE)

    def _homes(self, level: int, where: Indices) -> tuple[Axis, Indices]:
        shown = shown_zones(self.zones, level, self._guard, self._is_area)
        zone = self.zones.base_to_level[level][np.flatnonzero(self._is_area)][self._home(where)]
        return shown_dimension("home", self.zones, level, shown, np.where(self._is_counted(where), zone, NOWHERE))

    def _locations(self, level: int, where: Indices, is_away: npt.NDArray[np.bool_]) -> tuple[Axis, Indices]:
        shown = shown_zones(self.zones, level, self.zones.guard)
        zone = np.append(self.zones.base_to_level[level], NOWHERE)[where % (len(self.zones.base_cells) + 1)]
        held = is_away & self._is_counted(where)
        return shown_dimension("location", self.zones, level, shown, np.where(held, zone, NOWHERE))

    def _home(self, where: Indices) -> Indices:
        return where // (len(self.zones.base_cells) + 1)

    def _is_counted(self, where: Indices) -> npt.NDArray[np.bool_]:
        """Of each home and location, whether the home is not withheld."""
        counted: npt.NDArray[np.bool_] = ~np.isin(self.homes, self._guard.withheld)[self._home(where)]
        return counted

    def constants(self, table: TablePolicy) -> Mapping[str, Label]:
        """Return resolutions of what a table is by, and what one says that is not by transition, or not by sight."""
        told: dict[str, Label] = {"event": self.event}
        if "sight" not in table.by:
            told["sight"] = ALL
        if table.resolution is not None:
            told |= {f"{name}_resolution": table.resolution for name in ("home", "location") if name in table.by}
        if "transition" in table.by:
            return told
        told |= {"status_before": ALL, "transition": ALL}
        if "sight" in table.by:
            return told
        return told | {"status": STATUSES[AWAY] if "location" in table.by else ALL}

    @property
    def _parameters(self) -> Mapping[str, JsonValue]:
        homes = sha256_hex("\n".join(self.homes).encode())
        # Without its name and its hazard: words may be corrected while the event lasts.
        event = {name: fact for name, fact in self._event.items() if name not in {"name", "hazard"}}
        return {**super()._parameters, "event": event, "homes": len(self.homes), "homes_sha256": homes}

    @property
    def _event(self) -> dict[str, JsonValue]:
        return {
            "id": self.event,
            "name": self.name or self.event,
            "hazard": self.hazard,
            "onset": self.onset.isoformat(),
            "baseline": str(self.baseline),
            "area_sha256": self.area_sha256,
        }

    @property
    def _subject(self) -> Mapping[str, JsonValue]:
        until = self.delivered_until.isoformat() if self.delivered_until else None
        return {**super()._subject, "event": self._event, "homes": self.homes, "delivered_until": until}


_TRANSITION_AXIS = Axis(
    {
        "status_before": tuple(before for before in STATUSES for _ in STATUSES),
        "status": STATUSES * len(STATUSES),
        "transition": TRANSITIONS,
    }
)

_SIGHT_AXIS = Axis(
    {
        "status": (STATUSES[AWAY], STATUSES[HOME], ALL) * (len(SIGHTS) // SIGHTS_A_NIGHT),
        "sight": SIGHTS,
    }
)
