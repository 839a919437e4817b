"""The zones of a bundle as a tree: which zone lies in which, what each is called, where its middle is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import asin, cos, radians, sin, sqrt
from typing import Any, Final

import h3
import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from jobs.publish.zoned import Zoned
from jobs.publish.zones import centre_of, union_of
from privacy.zoning import Zoning
from schemas.errors import ConfigError

EARTH_KM: Final = 6371.0088
"""Mean radius of the Earth (IUGG 1980)."""

_SHOWN: Final = 5
"""Codes that an error lists: enough to see what kind they are."""

Where = tuple[float, float]
"""Longitude and latitude in degrees."""


@dataclass(frozen=True)
class DrawnZones:
    """The zones of one country.

    Args:
        zoning: What they are.
        parents: Zone of the next coarser level that each lies in, by level and zone; of the coarsest level, none.
        names: What a zone is called, where the bundles say so.
        shapes: Outline of the zones that the bundles draw.
    """

    zoning: Zoning
    parents: Mapping[int, Mapping[str, str | None]]
    names: Mapping[str, str]
    shapes: Mapping[str, BaseGeometry]

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels, coarse to fine."""
        return tuple(sorted(self.parents))

    @cached_property
    def level_of(self) -> dict[str, int]:
        """The level of each zone."""
        return {zone: level for level, zones in self.parents.items() for zone in zones}

    def ancestor(self, zone: str, level: int) -> str | None:
        """Return the zone of a level that a zone lies in, or is; nothing where that level is finer than the zone's."""
        found: str | None = zone
        while found is not None and self.level_of[found] > level:
            found = self.parents[self.level_of[found]][found]
        return found if found is not None and self.level_of[found] == level else None

    @cached_property
    def leaves(self) -> dict[str, frozenset[str]]:
        """The zones of the finest level that each zone consists of."""
        members: dict[str, set[str]] = {zone: set() for zone in self.level_of}
        for leaf in self.parents[self.levels[-1]]:
            zone: str | None = leaf
            while zone is not None:
                members[zone].add(leaf)
                zone = self.parents[self.level_of[zone]][zone]
        return {zone: frozenset(found) for zone, found in members.items()}

    def shape(self, zone: str) -> BaseGeometry:
        """Return a zone's outline in longitude and latitude; of an H3 zone, the union of its base cells."""
        if zone in self.shapes or self.zoning is Zoning.ADMIN:
            return self.shapes[zone]
        return shapely.MultiPolygon([(rings[0], rings[1:]) for rings in union_of(self.leaves[zone])])

    @cached_property
    def middles(self) -> dict[str, Where]:
        """The middle of each zone: of its base cells; of a unit, the centroid of its outline on the globe."""
        if self.zoning is Zoning.H3:
            return {zone: centre_of(cells) for zone, cells in self.leaves.items() if cells}
        return {zone: _centroid(self.shapes[zone]) for zone in self.level_of}

    def distance_km(self, one: str, other: str) -> float:
        """Return the great-circle distance between the middles of two zones (haversine, spherical Earth)."""
        (east, north), (other_east, other_north) = self.middles[one], self.middles[other]
        dx, dy = radians(other_east - east), radians(other_north - north)
        half = sin(dy / 2) ** 2 + cos(radians(north)) * cos(radians(other_north)) * sin(dx / 2) ** 2
        return 2 * EARTH_KM * asin(min(1.0, sqrt(half)))

    def require(self, codes: Iterable[str], source: str) -> None:
        """Refuse codes that are no zones.

        Raises:
            ConfigError: Names some of them, and zones that exist.
        """
        if strange := sorted(set(codes) - self.level_of.keys()):
            raise ConfigError(
                f"{len(strange)} codes of {source} are no zones of the bundle: {some_of(strange)}.",
                f"codes like {some_of(sorted(self.level_of, key=lambda z: (self.level_of[z], z)))}",
                "use the codes of the bundle's zones.geojson; translate other codes first",
            )


def some_of(codes: Iterable[str]) -> str:
    """Return a few codes for a sentence: printable, and not longer than a line bears."""
    listed = [ascii(code)[1:-1][:40] for code in codes]
    more = f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def drawn_zones(bundles: Iterable[Zoned]) -> DrawnZones:
    """Return the zones of bundles over one layer: at all levels that any of them has, and of H3 those in between."""
    listed = list(bundles)
    features = {str(f["properties"]["zone"]): f for one in listed for f in one.zones["features"]}
    shapes = {zone: _shape(feature) for zone, feature in sorted(features.items())}
    if listed[0].card.zoning is Zoning.ADMIN:
        return _units(features, shapes)
    stated = [level for one in listed for level in (*one.card.zones.resolutions, one.card.zones.base_resolution)]
    levels = list(range(min(stated), max(stated) + 1))
    return DrawnZones(Zoning.H3, _parents_of_cells(listed[0].base_zones, levels), {}, shapes)


def _parents_of_cells(cells: Iterable[str], levels: list[int]) -> dict[int, dict[str, str | None]]:
    listed = sorted(cells)
    zones = {level: sorted({str(h3.cell_to_parent(cell, level)) for cell in listed}) for level in levels}
    coarser = dict(zip(levels[1:], levels, strict=False))
    return {
        level: {z: str(h3.cell_to_parent(z, coarser[level])) if level in coarser else None for z in zones[level]}
        for level in levels
    }


def _units(features: Mapping[str, Any], shapes: Mapping[str, BaseGeometry]) -> DrawnZones:
    level_of = {zone: int(feature["properties"]["level"]) for zone, feature in sorted(features.items())}
    levels = sorted(set(level_of.values()))
    at = {level: [zone for zone in level_of if level_of[zone] == level] for level in levels}
    coarser = dict(zip(levels[1:], levels, strict=False))
    parents = {
        level: {z: _holder(z, at[coarser[level]], shapes) if level in coarser else None for z in at[level]}
        for level in levels
    }
    names = {zone: str(feature["properties"].get("name") or zone) for zone, feature in sorted(features.items())}
    return DrawnZones(Zoning.ADMIN, parents, names, shapes)


def _holder(zone: str, among: list[str], shapes: Mapping[str, BaseGeometry]) -> str:
    """The coarser unit that a unit lies in: that which holds a point of it, or else the nearest to that point.

    Their codes need not tell; and outlines of two levels, drawn by two hands, need not nest to the metre.
    """
    point = shapes[zone].representative_point()
    return min(among, key=lambda one: (shapes[one].distance(point), one))


def _shape(feature: Mapping[str, Any]) -> BaseGeometry:
    return shapely.make_valid(shapely.geometry.shape(feature["geometry"]))


def _centroid(shape: BaseGeometry) -> Where:
    """The mean direction of the parts' centroids, by area: also across 180 degrees."""
    parts = [part for part in getattr(shape, "geoms", [shape]) if part.area > 0]
    places = np.radians([[part.centroid.x, part.centroid.y] for part in parts])
    weights = np.array([part.area for part in parts]) * np.cos(places[:, 1])
    east = np.cos(places[:, 1]) * np.cos(places[:, 0]), np.cos(places[:, 1]) * np.sin(places[:, 0])
    x, y, z = (float(weights @ one) for one in (*east, np.sin(places[:, 1])))
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))
