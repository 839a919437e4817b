"""`events.toml`: the declared events, reviewed data. An event's area says whose homes it strikes.

The area is public. Which homes are affected follows from it and from the network's cells alone: never from records.
"""

import tomllib
from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import h3
import numpy as np
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator, model_validator

from jobs.areas import Polygon, read_polygons
from jobs.config import Config
from privacy.canonical import JsonValue, canonical_json, sha256_hex
from privacy.displaced import DisplacementPlan
from privacy.ledger import Ledger, Opening, ReleaseKey
from privacy.policy import EventPolicy, Policy
from privacy.zoning import Zoning, is_cell
from schemas.errors import ConfigError, PrivacyError, SpecificationChangedError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class _Section(BaseModel):
    """A table of the file; a key it does not know is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Area(_Section):
    """Where an event struck: exactly one of the two.

    Args:
        zones: H3 cells of any resolution: a cell of the country is affected where it lies in one, or holds one.
        geojson: GeoJSON file of polygons: a cell is affected where its centre lies inside.
    """

    zones: tuple[str, ...] = ()
    geojson: Path | None = None

    @field_validator("zones")
    @classmethod
    def _as_h3_spells_them(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        """Names are compared as text below; H3 itself also reads upper case and leading zeros."""
        if odd := [zone for zone in zones if not is_cell(zone)]:
            raise ValueError(f"{odd[0]!r} is no H3 cell")
        return tuple(h3.int_to_str(h3.str_to_int(zone)) for zone in zones)

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if bool(self.zones) == bool(self.geojson):
            raise ValueError("give exactly one of zones and geojson")
        return self

    @cached_property
    def polygons(self) -> tuple[Polygon, ...]:
        """The polygons of the file; none where zones are named."""
        return read_polygons(self.geojson) if self.geojson else ()

    @property
    def sha256(self) -> str:
        """Digest of what is declared, however its file is written; it depends on no cell of the network."""
        shapes: list[JsonValue] = [polygon.rings for polygon in self.polygons]
        return sha256_hex(canonical_json({"zones": sorted(set(self.zones)), "polygons": shapes}))

    def base_cells(self, domain: Sequence[str]) -> tuple[str, ...]:
        """Return the cells of a domain, all of one resolution, that are affected, sorted."""
        return self._in_polygons(domain) if self.geojson else self._in_zones(domain)

    def _in_zones(self, domain: Sequence[str]) -> tuple[str, ...]:
        base = h3.get_resolution(domain[0]) if domain else 0
        fine = {h3.cell_to_parent(zone, base) for zone in self.zones if h3.get_resolution(zone) >= base}
        coarse = {zone: h3.get_resolution(zone) for zone in self.zones if h3.get_resolution(zone) < base}
        resolutions = sorted(set(coarse.values()))
        inside = (c for c in domain if c in fine or any(h3.cell_to_parent(c, r) in coarse for r in resolutions))
        return tuple(sorted(inside))

    def _in_polygons(self, domain: Sequence[str]) -> tuple[str, ...]:
        if not domain:
            return ()
        centres = np.array([h3.cell_to_latlng(cell) for cell in domain])
        inside = np.any([shape.holds(centres[:, 1], centres[:, 0]) for shape in self.polygons], axis=0)
        return tuple(sorted(cell for cell, holds in zip(domain, inside, strict=True) if holds))


class Event(_Section):
    """A declared event.

    Args:
        id: Name in the ledger and in commands.
        name: Name shown to readers.
        hazard: What happened, such as `flood`.
        onset: Local day of its beginning.
        source: Who declared it, and where the area comes from.
        area: Where it struck.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    name: Text
    hazard: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*$")]
    onset: date
    source: Text
    area: Area

    def homes(self, domain: Sequence[str]) -> tuple[str, ...]:
        """Return the affected base cells of the country, sorted.

        Raises:
            ConfigError: There is none: the area lies elsewhere.
        """
        if found := self.area.base_cells(domain):
            return found
        raise ConfigError(
            f"The area of the event {self.id} holds no cell of the country.",
            "an area in which the network has a tower",
            "correct the area in the list of events; in GeoJSON the longitude comes first",
        )

    def facts(self, homes: Sequence[str]) -> dict[str, str]:
        """What people who sign its opening have to know of it besides."""
        of = "GeoJSON" if self.area.geojson else "named zones"
        return {
            "name": self.name,
            "declared by": self.source,
            "area": f"{of}, holding {len(homes)} of the network's cells; SHA-256 {self.area.sha256}",
        }

    def require_told_alike(self, onset: date | None, hazard: str | None) -> None:
        """Refuse an onset or a hazard, where one is given, that is not the list's.

        Raises:
            ConfigError: It is so.
        """
        given, listed = (onset or self.onset, hazard or self.hazard), (self.onset, self.hazard)
        if given != listed:
            raise ConfigError(
                f"{given[1]}, onset {given[0]}, is not what the list of events says of {self.id}.",
                f"{self.hazard}, onset {self.onset}",
                "correct the list, or leave --onset and --hazard out",
            )

    def require_unchanged(self, opening: Opening) -> None:
        """Refuse an event that is not the one that two people opened.

        Raises:
            SpecificationChangedError: Its onset or its area is another.
        """
        changed = [
            name
            for name, differs in {
                "onset": opening.onset != self.onset,
                "area": opening.area_sha256 != self.area.sha256,
            }.items()
            if differs
        ]
        if changed:
            raise SpecificationChangedError(
                f"The {' and the '.join(changed)} of the event {self.id} changed after it was opened.",
                f"onset {opening.onset} and the area of then",
                "restore its entry in the list of events; what happened elsewhere or later is another event",
            )


class EventRegistry(_Section):
    """The whole list, validated.

    Args:
        events: The events.
    """

    events: Annotated[tuple[Event, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_each_once(self) -> Self:
        if twice := [name for name, n in Counter(event.id for event in self.events).items() if n > 1]:
            raise ValueError(f"the event {twice[0]} stands twice")
        return self

    @classmethod
    def load(cls, path: Path) -> "EventRegistry":
        """Read and validate a list; relative paths in it start from its own folder.

        Raises:
            ConfigError: The file is missing, is not TOML, or contradicts itself.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            found = cls.model_validate(table)
        except OSError as error:
            raise ConfigError(
                f"The list of events {path} cannot be read: {error.strerror}.", "a TOML file", _REMEDY
            ) from None
        except ValidationError as error:
            raise ConfigError(f"The list of events {path} is refused: {_first(error)}.", _SHAPE, _REMEDY) from None
        except ValueError as error:
            raise ConfigError(
                f"The list of events {path} is not TOML: {error}.", "UTF-8 text in TOML", _REMEDY
            ) from None
        return found.anchored(path.resolve().parent)

    def anchored(self, folder: Path) -> "EventRegistry":
        """Return the list with the files of its areas made absolute under a folder."""
        return EventRegistry(events=tuple(_anchored(event, folder) for event in self.events))

    def event(self, name: str) -> Event:
        """Return the event of a name.

        Raises:
            ConfigError: There is none.
        """
        for event in self.events:
            if event.id == name:
                return event
        raise ConfigError(
            f"The list of events has no {name!r}.", ", ".join(sorted(e.id for e in self.events)), "choose one of these"
        )


def registry(config: Config) -> EventRegistry:
    """The installation's list of events.

    Raises:
        ConfigError: There is none.
    """
    if config.events is None:
        raise ConfigError(
            "The configuration names no list of events.",
            'events = "events.toml" at its top',
            "write one: docs/methods/displacement.md shows how",
        )
    return EventRegistry.load(config.events)


def home_resolutions(policy: Policy, product: EventPolicy) -> tuple[int, ...]:
    """Return the levels at which homes are decided: those of `residents`, so that a subscriber has one home in both."""
    months = (entry for entry in policy.products if entry.product == "residents" and entry.zoning is Zoning.H3)
    return next((entry.resolutions for entry in months), product.resolutions)


def event_cells(zones: pa.Table, names: Sequence[str], plan: DisplacementPlan) -> pa.Table:
    """Return rows of zones with what an event's release makes of them: public.

    Args:
        zones: One row a cell index, in order.
        names: H3 name of each.
        plan: The release.

    Returns:
        The columns of `zones`; `base`, the position among the plan's base cells; `home`, that among the affected ones,
        missing elsewhere.
    """
    position = {cell: number for number, cell in enumerate(plan.homes)}
    base = np.searchsorted(np.array(plan.zones.base_cells), np.array(names))
    homes = pa.array([position.get(name) for name in names], pa.int64())
    return zones.append_column("base", pa.array(base, pa.int64())).append_column("home", homes)


def opening_for(ledger: Ledger, key: ReleaseKey) -> Opening:
    """The opening that has paid for a release.

    Raises:
        PrivacyError: No open event releases this period.
    """
    for opening in ledger.openings():
        if opening.product == key.product and key.period in opening.periods:
            return opening
    raise PrivacyError(
        f"No open event releases {key.product} for {key.period}.",
        "a period of an open event's schedule",
        "run `whimbrel emergency open`, signed by two people; `whimbrel displacement EVENT` releases its schedule",
    )


def opening_in(ledger: Ledger, name: str) -> Opening:
    """The opening of an event.

    Raises:
        PrivacyError: It is not open.
    """
    for opening in ledger.openings():
        if opening.event == name:
            return opening
    raise PrivacyError(
        f"The event {name!r} is not open.",
        "an event that two people opened",
        f"run `whimbrel emergency open {name}`, signed by two people, one of them a DPO",
    )


_REMEDY = "see docs/methods/displacement.md, declaring an event"
_SHAPE = "[[events]] with id, name, hazard, onset, source and area"


def _anchored(event: Event, folder: Path) -> Event:
    if event.area.geojson is None:
        return event
    area = event.area.model_copy(update={"geojson": folder / event.area.geojson})
    return event.model_copy(update={"area": area})


def _first(error: ValidationError) -> str:
    mistake = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in mistake["loc"]) or "file"
    return f"[{place}] {mistake['msg'].removeprefix('Value error, ')}"
