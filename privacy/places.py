"""Places that a release may harm: camps, shelters, enclaves. A reviewed list says what is done before any noise.

Differential privacy protects each subscriber, not a place: that a thousand people are in a shelter is a statistic. The
list is public key-domain engineering: it decides which keys exist, from the list and the network alone. Nothing here
reads a record.

A place is never left out of a total that is published beside the totals of all its neighbours: that would be a
subtraction away from publishing it (proofs/places.md).
"""

import tomllib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import h3
from pydantic import ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass as validated

from privacy.canonical import sha256_hex
from privacy.zoning import AdminUnits, is_cell, zones_of_cells
from schemas.errors import ConfigError

LEAST_OTHERS: Final = 2
"""Other base cells that a zone must hold to hide a place: with fewer, the zone is the place under another name."""

_STRICT = ConfigDict(extra="forbid")
_REMEDY: Final = "see docs/operator-guide.md, sensitive places"

Coordinate = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class PlaceKind(StrEnum):
    """What stands there."""

    CAMP = "camp"
    SHELTER = "shelter"
    ENCLAVE = "enclave"
    OTHER = "other"


class PlaceRule(StrEnum):
    """What is done: shown only in a larger zone, released late, or in no number at all."""

    COARSEN = "coarsen"
    DELAY = "delay"
    WITHHOLD = "withhold"


@validated(frozen=True, config=_STRICT)
class SensitivePlace:
    """One place of the list.

    Args:
        id: Its name in the list; never published.
        kind: What it is.
        rule: What is done.
        reason: Why, for whoever reviews the list.
        review_by: Day by which somebody looks at it again; the rule holds until the list is changed.
        cells: H3 cells, of any resolution; or
        bbox: west, south, east, north in degrees; or
        polygon: outer ring as longitudes and latitudes, as in GeoJSON. Exactly one of the three.
        resolution: With `coarsen`: the finest H3 resolution at which a zone that holds the place may be shown.
        days: With `delay`: days after the period's last day before which nothing of the release leaves.
    """

    id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
    kind: PlaceKind
    rule: PlaceRule
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    review_by: date
    cells: tuple[str, ...] = ()
    bbox: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    polygon: tuple[tuple[Coordinate, Coordinate], ...] = ()
    resolution: Annotated[int, Field(ge=0, le=14, strict=True)] | None = None
    days: Annotated[int, Field(ge=1, le=3660, strict=True)] | None = None

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if sum(map(bool, (self.cells, self.bbox, self.polygon))) != 1:
            raise ValueError("give exactly one of cells, bbox and polygon")
        if odd := [cell for cell in self.cells if not is_cell(cell)]:
            raise ValueError(f"{odd[0]!r} is no H3 cell")
        if self.bbox and not (self.bbox[0] < self.bbox[2] and -90 <= self.bbox[1] < self.bbox[3] <= 90):
            raise ValueError("bbox is not west, south, east, north")
        if self.polygon and len(self.polygon) < 3:
            raise ValueError("a polygon has three corners or more")
        return self

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if (self.resolution is not None) != (self.rule is PlaceRule.COARSEN):
            raise ValueError("resolution goes with the rule coarsen, and with no other")
        if (self.days is not None) != (self.rule is PlaceRule.DELAY):
            raise ValueError("days goes with the rule delay, and with no other")
        return self

    def base_cells(self, domain: Sequence[str]) -> frozenset[str]:
        """Return the base cells of a domain that the place touches, by however little."""
        base = int(h3.get_resolution(domain[0]))
        if self.cells:
            return frozenset(domain) & {b for cell in self.cells for b in _at(cell, base)}
        touched = h3.h3shape_to_cells_experimental(h3.LatLngPoly(self._ring), base, contain="overlap")
        return frozenset(domain) & frozenset(touched)

    @property
    def _ring(self) -> list[tuple[float, float]]:
        if self.bbox:
            west, south, east, north = self.bbox
            return [(south, west), (south, east), (north, east), (north, west)]
        return [(latitude, longitude) for longitude, latitude in self.polygon]


def _at(cell: str, resolution: int) -> Collection[str]:
    """The cells of a resolution that lie in a cell, or the one that it lies in."""
    if h3.get_resolution(cell) >= resolution:
        return [h3.cell_to_parent(cell, resolution)]
    children: Collection[str] = h3.cell_to_children(cell, resolution)
    return children


@dataclass(frozen=True)
class Guard:
    """What the list does to one domain of zones.

    Args:
        closed: Zones, sorted, that are never looked into: no key lies inside one of them.
        withheld: Base cells, sorted, at which trips count nowhere.
        delay_days: Days after the period's last day before which nothing leaves.
    """

    closed: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    delay_days: int = 0


NO_GUARD: Final = Guard()
"""Nothing is done to a domain."""


@validated(frozen=True, config=_STRICT)
class SensitivePlaces:
    """The whole list, validated.

    Args:
        version: Version of the file's layout.
        places: The places.
        sha256: Digest of the file's bytes; recorded in the ledger, never in a card, where it would let a guess at a
            place be tried.
    """

    version: Literal[1]
    places: tuple[SensitivePlace, ...] = ()
    sha256: str = ""

    @classmethod
    def load(cls, path: Path) -> "SensitivePlaces":
        """Read and validate a list.

        Raises:
            ConfigError: The file is missing, is not TOML, or contradicts itself.
        """
        try:
            content = path.read_bytes()
            table = tomllib.loads(content.decode("utf-8"))
        except OSError as error:
            raise ConfigError(f"The list {path} cannot be read: {error.strerror}.", "a TOML file", _REMEDY) from None
        except ValueError as error:
            raise ConfigError(f"The list {path} is not TOML: {error}.", "UTF-8 text in TOML", _REMEDY) from None
        try:
            return TypeAdapter(cls).validate_python({**table, "sha256": sha256_hex(content)})
        except ValidationError as error:
            raise ConfigError(
                f"The list {path} is refused: {_first(error)}.", "places as documented", _REMEDY
            ) from None

    def overdue(self, today: date) -> tuple[str, ...]:
        """Return the ids of the places that somebody should have looked at again."""
        return tuple(place.id for place in self.places if place.review_by < today)

    def guard(self, base_cells: Sequence[str], resolutions: Sequence[int], units: AdminUnits | None = None) -> Guard:
        """Say what the list does to a domain.

        A place that is to be coarsened is shown in the finest zone, at its resolution or coarser, that holds enough
        other base cells; where no level has such a zone, it is withheld. An administrative unit is such a zone where
        the whole of an H3 cell lies in it that would be one: so a unit never tells more than H3 cells may.

        Args:
            base_cells: The domain at the base resolution.
            resolutions: Levels of the product, coarse to fine.
            units: The administrative units, where they are the zones.
        """
        found = [(place, place.base_cells(base_cells)) for place in self.places]
        coarsened = {p: cells for p, cells in found if p.rule is PlaceRule.COARSEN}
        withheld = {cell for place, cells in found if place.rule is PlaceRule.WITHHOLD for cell in cells}
        domain = _Domain(tuple(base_cells), tuple(resolutions), units, withheld.union(*coarsened.values()))
        closed: set[str] = set()
        for place, cells in coarsened.items():
            for cell in cells:
                hiding = domain.hiding(cell, place.resolution or 0)
                (closed if hiding else withheld).add(hiding or cell)
        delays = [place.days or 0 for place, cells in found if place.rule is PlaceRule.DELAY and cells]
        return Guard(tuple(sorted(closed)), tuple(sorted(withheld)), max(delays, default=0))


NO_PLACES: Final = SensitivePlaces(1)
"""An empty list."""


@dataclass(frozen=True)
class _Domain:
    """A domain, and the base cells of it that a rule touches.

    Args:
        base_cells: The domain at the base resolution.
        resolutions: Levels of the product, coarse to fine.
        units: The administrative units, where they are the zones.
        listed: Base cells that a rule touches.
    """

    base_cells: tuple[str, ...]
    resolutions: tuple[int, ...]
    units: AdminUnits | None
    listed: Collection[str]

    def hiding(self, cell: str, resolution: int) -> str | None:
        """Return the finest zone that hides a base cell; none where there is none."""
        return self._unit(cell, resolution) if self.units else self._ancestor(cell, resolution, self.resolutions)

    def _ancestor(self, cell: str, finest: int, resolutions: Sequence[int]) -> str | None:
        """The finest H3 cell, of those resolutions and not finer than allowed, that holds enough other cells."""
        above = [str(h3.cell_to_parent(cell, r)) for r in reversed(resolutions) if r <= finest]
        return next((zone for zone in above if self._others[zone] >= LEAST_OTHERS), None)

    def _unit(self, cell: str, finest: int) -> str | None:
        """The finest unit that holds every base cell of the H3 cell that hides this one at whatever resolution."""
        hiding = self._ancestor(cell, finest, range(self._base + 1))
        if hiding is None:
            return None
        resolution = int(h3.get_resolution(hiding))
        inside = [n for n, one in enumerate(self.base_cells) if h3.cell_to_parent(one, resolution) == hiding]
        for level in reversed(self.resolutions):
            zones = zones_of_cells(self.base_cells, level, self.units)
            if len(held := {zones[n] for n in inside}) == 1:
                return held.pop()
        return None

    @property
    def _base(self) -> int:
        return int(h3.get_resolution(self.base_cells[0]))

    @cached_property
    def _others(self) -> Counter[str]:
        """Number of base cells of each H3 cell that no rule touches."""
        free = [cell for cell in self.base_cells if cell not in self.listed]
        return Counter(h3.cell_to_parent(cell, r) for r in range(self._base + 1) for cell in free)


def _first(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'list'}: {fault['msg'].removeprefix('Value error, ')}"
