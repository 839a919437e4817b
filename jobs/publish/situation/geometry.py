"""Zones on a sheet: kilometres on the ground turned into units of a drawing, the same for page and PDF."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from jobs.publish.od_map import KM_PER_DEGREE, Projection
from jobs.publish.paper.drawing import Place

Points = NDArray[np.float64]

Rings = tuple[Points, ...]
"""Rings of a zone in kilometres east and north of the middle: outer rings and holes alike."""


@dataclass(frozen=True)
class Ground:
    """The zones of a country on a plane.

    Args:
        rings: Rings of each zone, by its name.
        names: What a zone is called, where the bundle says so.
        land: The zones of the finest level: together they are the country.
        middle: Longitude and latitude of the plane's origin, in degrees.
    """

    rings: Mapping[str, Rings]
    names: Mapping[str, str]
    land: tuple[str, ...]
    middle: tuple[float, float]

    def centre(self, zone: str) -> Points:
        """Return the middle of a zone's largest ring, in kilometres; of a zone without rings, the plane's origin."""
        rings = self.rings.get(zone, ())
        if not rings:
            return np.zeros(2)
        largest = max(rings, key=_area)
        middle: Points = (largest.min(axis=0) + largest.max(axis=0)) / 2
        return middle

    def position(self, zone: str) -> tuple[float, float]:
        """Return longitude and latitude of a zone's middle, in degrees."""
        east, north = self.centre(zone) / KM_PER_DEGREE
        longitude = self.middle[0] + east / np.cos(np.radians(self.middle[1]))
        return float((longitude + 180) % 360 - 180), float(self.middle[1] + north)

    def border(self, zones: Iterable[str]) -> Rings:
        """Return the border of several zones as pieces of two corners each: the edges that only one of them has."""
        edges: dict[frozenset[tuple[float, float]], Points | None] = {}
        for ring in (ring for zone in zones for ring in self.rings.get(zone, ())):
            for edge in (ring[i : i + 2] for i in range(len(ring) - 1)):
                corners = frozenset((round(float(x), 2), round(float(y), 2)) for x, y in edge)
                edges[corners] = None if corners in edges else edge
        return tuple(edge for edge in edges.values() if edge is not None)

    def middle_of(self, zones: Iterable[str]) -> Points:
        """Return the mean of the middles of several zones, in kilometres."""
        middle: Points = np.mean([self.centre(zone) for zone in zones], axis=0)
        return middle

    def box(self, zones: Iterable[str]) -> tuple[Points, Points]:
        """Return the lower left and upper right corner of what the zones cover, in kilometres."""
        points = [ring for zone in zones for ring in self.rings.get(zone, ())]
        stacked = np.vstack(points) if points else np.array([[-1.0, -1.0], [1.0, 1.0]])
        return stacked.min(axis=0), stacked.max(axis=0)


@dataclass(frozen=True)
class Sheet:
    """Where kilometres lie on a drawing, whose second coordinate grows downwards.

    Args:
        west: Kilometres east of the origin at the left edge.
        north: Kilometres north of it at the upper edge.
        scale: Units of the drawing a kilometre.
        width: Units.
        height: Units.
    """

    west: float
    north: float
    scale: float
    width: float
    height: float

    def place(self, point: Points) -> Place:
        """Return a point's place, to a tenth of a unit."""
        east, north = float(point[0]), float(point[1])
        return round((east - self.west) * self.scale, 1), round((self.north - north) * self.scale, 1)

    def rings(self, rings: Rings) -> tuple[tuple[Place, ...], ...]:
        """Return rings as places; a ring that lies outside the sheet is left out."""
        placed = (tuple(self.place(point) for point in ring) for ring in rings)
        return tuple(ring for ring in placed if self._touches(ring))

    def _touches(self, ring: tuple[Place, ...]) -> bool:
        across, down = [x for x, _ in ring], [y for _, y in ring]
        return max(across) >= 0 and min(across) <= self.width and max(down) >= 0 and min(down) <= self.height


def ground_of(collection: Mapping[str, Any]) -> Ground:
    """Return the zones of a verified `zones.geojson` on a plane around their middle."""
    features = {str(feature["properties"]["zone"]): feature for feature in collection["features"]}
    finest = max((_level(feature) for feature in features.values()), default=0)
    land = tuple(sorted(zone for zone, feature in features.items() if _level(feature) == finest))
    middle = _middle(position for zone in land for ring in _rings(features[zone]) for position in ring)
    project = Projection(*middle)
    rings = {zone: tuple(project(ring) for ring in _rings(feature)) for zone, feature in sorted(features.items())}
    names = {zone: str(name) for zone, f in sorted(features.items()) if (name := f["properties"].get("name"))}
    return Ground(rings, names, land, middle)


def sheet_around(box: tuple[Points, Points], *, width: float, height: float, margin: float) -> Sheet:
    """Return the sheet of a given size that shows a box whole, in its middle.

    Args:
        box: Lower left and upper right corner, in kilometres.
        width: Units of the drawing.
        height: Units.
        margin: Units kept free on each side.
    """
    low, high = box
    extent = np.maximum(high - low, 1.0)
    scale = float(min((width - 2 * margin) / extent[0], (height - 2 * margin) / extent[1]))
    east, north = (float(middle) for middle in (low + high) / 2)
    return Sheet(east - width / scale / 2, north + height / scale / 2, scale, width, height)


def _middle(positions: Iterable[tuple[float, float]]) -> tuple[float, float]:
    points = np.radians(list(positions)).reshape(-1, 2)
    if not len(points):
        return 0.0, 0.0
    # The mean of directions, so that a country across 180 degrees has its middle in itself.
    longitude = np.arctan2(np.sin(points[:, 0]).mean(), np.cos(points[:, 0]).mean())
    latitudes = points[:, 1]
    return float(np.degrees(longitude)), float(np.degrees(latitudes.min() + latitudes.max()) / 2)


def _level(feature: Mapping[str, Any]) -> int:
    """The resolution of an H3 cell, or the level of an administrative unit: the larger, the finer."""
    told = feature["properties"]
    return int(told["resolution"] if "resolution" in told else told["level"])


def _rings(feature: Mapping[str, Any]) -> list[list[tuple[float, float]]]:
    polygons = feature["geometry"]["coordinates"]
    return [[(float(x), float(y)) for x, y, *_ in ring] for polygon in polygons for ring in polygon]


def _area(ring: Points) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
