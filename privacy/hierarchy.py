"""Public key domains: trees of zones, from coarse to fine.

A domain is public: it depends on the operator's network, and on boundaries where zones are administrative units, never
on who called.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import h3
import numpy as np
import numpy.typing as npt

from privacy.canonical import JsonValue
from privacy.places import NO_GUARD, Guard
from privacy.zoning import AdminUnits, Zoning, layer_sha256, zones_of_cells
from schemas.errors import ConfigError

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ZoneLevel:
    """One level of a tree.

    Args:
        resolution: H3 resolution, or admin level.
        zones: H3 names or p-codes, sorted; the position is the zone's index at this level.
        members: Number of base cells in each zone.
        kind: What the zones are.
    """

    resolution: int
    zones: tuple[str, ...]
    members: tuple[int, ...]
    kind: Zoning = Zoning.H3


@dataclass(frozen=True)
class ZoneTree:
    """The H3 cells of a country and the zones that they lie in at the levels of a product.

    Args:
        base_cells: H3 names of the base resolution, sorted.
        resolutions: Resolutions of the levels, coarse to fine, the finest being the base resolution or coarser; or
            admin levels, where there are units.
        guard: Zones that are never looked into, and base cells that are in no key: decided before anything is counted,
            and of no use afterwards.
        units: The administrative units, where they are the zones; none: the zones are H3 cells.
    """

    base_cells: tuple[str, ...]
    resolutions: tuple[int, ...]
    guard: Guard = NO_GUARD
    units: AdminUnits | None = None

    def __post_init__(self) -> None:
        if not self.base_cells:
            raise ConfigError(
                "The country has no zone.", "at least one cell in the cell table", "ingest a delivery first"
            )
        if list(self.base_cells) != sorted(set(self.base_cells)):
            raise ConfigError("The zones are not sorted, or one stands twice.", "sorted names")
        if self.units and any(len(codes) != len(self.base_cells) for codes in self.units.of_cells):
            raise ConfigError("The units are those of other base cells.", "a unit for each base cell at each level")
        finest = max(self.units.levels) if self.units else self.base_resolution
        if list(self.resolutions) != sorted(set(self.resolutions)) or self.resolutions[-1] > finest:
            raise ConfigError(
                f"The levels {self.resolutions} do not fit zones of {self.zoning.place(finest)}.",
                "resolutions from coarse to fine, none finer than the zones",
                "correct the product's levels in the policy, or base_resolution in whimbrel.toml",
            )

    @property
    def zoning(self) -> Zoning:
        """What the zones are."""
        return Zoning.ADMIN if self.units else Zoning.H3

    @property
    def base_resolution(self) -> int:
        """H3 resolution of the base cells."""
        return int(h3.get_resolution(self.base_cells[0]))

    @cached_property
    def levels(self) -> tuple[ZoneLevel, ...]:
        """The levels, coarse to fine."""
        return tuple(self._level(resolution) for resolution in self.resolutions)

    def _level(self, resolution: int) -> ZoneLevel:
        zones, members = np.unique(self._zones_of_cells(resolution), return_counts=True)
        return ZoneLevel(resolution, tuple(map(str, zones)), tuple(map(int, members)), self.zoning)

    def _zones_of_cells(self, resolution: int) -> list[str]:
        return zones_of_cells(self.base_cells, resolution, self.units)

    @cached_property
    def base_to_level(self) -> tuple[Indices, ...]:
        """For each level, the index of the zone in which each base cell lies."""
        return tuple(_positions(level.zones, self._zones_of_cells(level.resolution)) for level in self.levels)

    @cached_property
    def closed(self) -> tuple[npt.NDArray[np.bool_], ...]:
        """For each level, which zones are never looked into."""
        return tuple(np.isin(level.zones, self.guard.closed) for level in self.levels)

    @cached_property
    def hidden(self) -> tuple[npt.NDArray[np.bool_], ...]:
        """For each level, which zones are in no key, because all their base cells are withheld."""
        seen = ~np.isin(self.base_cells, self.guard.withheld)
        of_level = zip(self.levels, self.base_to_level, strict=True)
        return tuple(np.bincount(zone[seen], minlength=len(level.zones)) == 0 for level, zone in of_level)

    def parents(self, level: int) -> Indices:
        """For each zone of a level, the index of its parent one level up."""
        parents = np.zeros(len(self.levels[level].zones), dtype=np.int64)
        parents[self.base_to_level[level]] = self.base_to_level[level - 1]  # zones nest: each cell says the same
        return parents

    @property
    def facts(self) -> dict[str, JsonValue]:
        """The tree for machines, without its guard: what a sealed artefact says of it."""
        units: dict[str, JsonValue] = {"units": self.units.facts} if self.units else {}
        return {"base_cells": self.base_cells, "resolutions": self.resolutions, **units}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "ZoneTree":
        """Read what `facts` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
            ConfigError: It contradicts itself.
        """
        units = AdminUnits.of(facts["units"]) if "units" in facts else None
        return cls(tuple(facts["base_cells"]), tuple(facts["resolutions"]), units=units)

    @property
    def terms(self) -> dict[str, JsonValue]:
        """What a reservation fixes besides the base cells: which unit each of them belongs to, and its outline."""
        return {"units_sha256": self.units.sha256} if self.units else {}

    @property
    def note(self) -> dict[str, JsonValue]:
        """What a card says of the domain."""
        note: dict[str, JsonValue] = {
            "base_resolution": self.base_resolution,
            "resolutions": self.resolutions,
            "zones": len(self.base_cells),
        }
        return {**note, **self._units_note(self.units)} if self.units else note

    def _units_note(self, units: AdminUnits) -> dict[str, JsonValue]:
        drawn = tuple(units.drawn(self.resolutions))
        return {"zoning": str(self.zoning), "units": len(drawn), "units_sha256": layer_sha256(drawn)}


def _positions(zones: Sequence[str], wanted: Sequence[str]) -> Indices:
    return np.searchsorted(np.array(zones), np.array(wanted)).astype(np.int64)


@dataclass(frozen=True)
class PairTree:
    """Origin-destination pairs over a zone tree: pair `o * n + d` of a level with n zones.

    A pair of equal zones counts trips inside the zone. It is left out where the zone holds a single base cell:
    no trip can be made there, which is public knowledge. A pair with a closed end has no children, and one with a
    hidden end is left out.

    Args:
        zones: The zone tree.
    """

    zones: ZoneTree

    def size(self, level: int) -> int:
        """Number of zones n of a level."""
        return len(self.zones.levels[level].zones)

    def roots(self) -> Indices:
        """Return all pairs of the coarsest level that can hold a trip."""
        return self._possible(0, np.arange(self.size(0) ** 2, dtype=np.int64))

    def parents(self, level: int, pairs: Indices) -> Indices:
        """Return the pair one level up that each pair belongs to."""
        parent, n, coarser = self.zones.parents(level), self.size(level), self.size(level - 1)
        return parent[pairs // n] * coarser + parent[pairs % n]

    def children(self, level: int, pairs: Indices) -> Indices:
        """Return all pairs of `level` that lie in given pairs of the level above and can hold a trip, sorted."""
        pairs = self._open(level - 1, pairs)
        if not len(pairs):
            return pairs
        parent, n, coarser = self.zones.parents(level), self.size(level), self.size(level - 1)
        order = np.argsort(parent, kind="stable")
        starts = np.searchsorted(parent[order], np.arange(coarser + 1))
        blocks = [
            np.add.outer(order[starts[o] : starts[o + 1]] * n, order[starts[d] : starts[d + 1]]).ravel()
            for o, d in zip(pairs // coarser, pairs % coarser, strict=True)
        ]
        return self._possible(level, np.sort(np.concatenate(blocks)))

    def _possible(self, level: int, pairs: Indices) -> Indices:
        n, members = self.size(level), np.array(self.zones.levels[level].members)
        origin, destination = pairs // n, pairs % n
        hidden = self.zones.hidden[level]
        seen = ~(hidden[origin] | hidden[destination])
        possible: Indices = pairs[seen & ((origin != destination) | (members[origin] > 1))]
        return possible

    def _open(self, level: int, pairs: Indices) -> Indices:
        closed, n = self.zones.closed[level], self.size(level)
        kept: Indices = pairs[~(closed[pairs // n] | closed[pairs % n])]
        return kept
