"""The zones of an explorer on one plane: a number, a level and an outline each, as few characters as a screen needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from jobs.publish.od_map import Projection

Points = NDArray[np.float64]

SIDE: Final = 4_000
"""Units of the longer side of the map: a quarter of a pixel on a wide screen, and a tenth once zoomed in."""

MOST_CORNERS: Final = 60
"""Corners of a ring from which on it is simplified: a cell has six, a boundary may have thousands."""

TOLERANCE: Final = 3.0
"""Units by which a simplified boundary may be off."""

MARGIN: Final = 0.03
"""Share of the longer side that is kept free around the zones."""


@dataclass(frozen=True)
class Place:
    """One zone.

    Args:
        code: Its H3 index or p-code.
        name: Its name; empty where it has none.
        level: Name of its level: `h6` is H3 resolution 6, `a2` is admin level 2.
        rings: Its rings in kilometres east and north of the middle.
    """

    code: str
    name: str
    level: str
    rings: tuple[Points, ...]


@dataclass(frozen=True)
class Plane:
    """Where kilometres lie on the map, whose second coordinate grows downwards.

    Args:
        project: From longitude and latitude to kilometres.
        low: Lower left corner of what is drawn, in kilometres.
        high: Upper right corner.
    """

    project: Projection
    low: Points
    high: Points

    @cached_property
    def scale(self) -> float:
        """Units of the map a kilometre."""
        return SIDE / float((self.high - self.low).max())

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in units."""
        width, height = np.ceil((self.high - self.low) * self.scale)
        return int(width), int(height)

    def units(self, points: Points) -> Points:
        """Return kilometres as units of the map."""
        placed: Points = np.column_stack([points[:, 0] - self.low[0], self.high[1] - points[:, 1]]) * self.scale
        return placed


@dataclass(frozen=True)
class Places:
    """All zones, numbered in the order of their levels and codes.

    Args:
        places: The zones.
        plane: Where they lie.
    """

    places: tuple[Place, ...]
    plane: Plane

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """The number of each zone, by code."""
        return {place.code: number for number, place in enumerate(self.places)}

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """The names of all levels, coarse to fine."""
        return tuple(dict.fromkeys(place.level for place in self.places))

    def block(self) -> dict[str, Any]:
        """Return what the page needs of the zones."""
        width, height = self.plane.size
        names = {number: place.name for number, place in enumerate(self.places) if place.name}
        centres = [self._centre(place) for place in self.places]
        return {
            "width": width,
            "height": height,
            "km": round(self.plane.scale, 4),
            "codes": [place.code for place in self.places],
            "names": {str(number): name for number, name in names.items()},
            "levels": list(self.levels),
            "level": [self.levels.index(place.level) for place in self.places],
            "land": sorted(self._land()),
            "paths": [path_of(self.plane.units(ring) for ring in place.rings) for place in self.places],
            "x": [x for x, _ in centres],
            "y": [y for _, y in centres],
        }

    def _land(self) -> Iterable[int]:
        """Levels that cover the country: the finest of each system."""
        last = {level[0]: number for number, level in enumerate(self.levels)}
        return last.values()

    def _centre(self, place: Place) -> tuple[int, int]:
        if not place.rings:
            return 0, 0
        largest = self.plane.units(max(place.rings, key=_area))
        x, y = (largest.min(axis=0) + largest.max(axis=0)) / 2
        return round(float(x)), round(float(y))


def places_of(features: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> Places:
    """Return the zones of verified `zones.geojson` files; of a zone in several, the first.

    Args:
        features: Features of all files.
        names: Further names by code; the bundle's own stand before them.
    """
    known: dict[str, Mapping[str, Any]] = {}
    for feature in features:
        known.setdefault(str(feature["properties"]["zone"]), feature)
    project = Projection(*_middle(known.values()))
    placed = sorted((_place(code, feature, project, names) for code, feature in known.items()), key=_order)
    return Places(tuple(placed), _plane(placed, project))


def path_of(rings: Iterable[Points]) -> str:
    """Return rings as the text of an SVG path: whole units, each corner told from the one before."""
    return "".join(_ring_path(np.rint(_simpler(ring)).astype(int)) for ring in rings)


def _ring_path(corners: NDArray[np.int_]) -> str:
    steps = np.diff(corners, axis=0)
    steps = steps[np.any(steps != 0, axis=1)][:-1]
    if len(steps) < 2:
        return ""
    x, y = corners[0]
    told = "".join(f"{_signed(int(dx))}{_signed(int(dy))}" for dx, dy in steps)
    return f"M{x} {y}l{told.lstrip()}z"


def _signed(number: int) -> str:
    return str(number) if number < 0 else f" {number}"


def _simpler(ring: Points) -> Points:
    if len(ring) <= MOST_CORNERS:
        return ring
    simplified: Points = shapely.get_coordinates(shapely.simplify(shapely.LinearRing(ring), TOLERANCE))
    return simplified


def _place(code: str, feature: Mapping[str, Any], project: Projection, names: Mapping[str, str]) -> Place:
    told = feature["properties"]
    level = f"h{int(told['resolution'])}" if "resolution" in told else f"a{int(told['level'])}"
    name = str(told.get("name") or names.get(code, ""))
    return Place(code, name, level, tuple(project(ring) for ring in _rings(feature)))


def _order(place: Place) -> tuple[str, int, str]:
    return place.level[0], int(place.level[1:]), place.code


def _rings(feature: Mapping[str, Any]) -> list[list[tuple[float, float]]]:
    polygons = feature["geometry"]["coordinates"]
    return [[(float(x), float(y)) for x, y, *_ in ring] for polygon in polygons for ring in polygon]


def _middle(features: Iterable[Mapping[str, Any]]) -> tuple[float, float]:
    """Longitude and latitude in the middle of all corners, also of a country across 180 degrees."""
    points = np.radians([corner for feature in features for ring in _rings(feature) for corner in ring]).reshape(-1, 2)
    if not len(points):
        return 0.0, 0.0
    longitude = np.arctan2(np.sin(points[:, 0]).mean(), np.cos(points[:, 0]).mean())
    latitude = (points[:, 1].min() + points[:, 1].max()) / 2
    return float(np.degrees(longitude)), float(np.degrees(latitude))


def _plane(places: Sequence[Place], project: Projection) -> Plane:
    rings = [ring for place in places for ring in place.rings]
    corners = np.vstack(rings) if rings else np.array([[-1.0, -1.0], [1.0, 1.0]])
    low, high = corners.min(axis=0), corners.max(axis=0)
    margin = MARGIN * max(1.0, float((high - low).max()))
    return Plane(project, low - margin, high + margin)


def _area(ring: Points) -> float:
    x, y = ring[:, 0], ring[:, 1]
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2
