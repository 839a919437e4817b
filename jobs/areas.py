"""Areas drawn as GeoJSON: polygons in WGS 84, refused where they cannot be what their author meant."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from schemas.errors import ConfigError

Ring = tuple[tuple[float, float], ...]
"""Longitudes and latitudes; the last corner is the first again."""

Points = npt.NDArray[np.float64]
"""Positions, or what is worked out of them; the last axis of a position is longitude and latitude."""

_EXPECTED: Final = "polygons in longitude and latitude, WGS 84, as RFC 7946 has them"
_WGS_84: Final = ("crs84", "epsg:4326", "epsg::4326", "wgs84", "wgs 84")
"""How the old `crs` member names it; RFC 7946 knows no other projection, and no such member."""

_STRETCH: Final = 32
"""Edges in a row of a ring that are compared with others together."""

_POINTS_AT_ONCE: Final = 64
"""Points that are compared with all edges at a time: a table of a million numbers for a long coast."""

_LEAST_CORNERS: Final = 4
"""Of a closed ring: a triangle and its first corner again."""

_NO_AREA: Final = 1e-12
"""Square degrees: less than a square decimetre."""


@dataclass(frozen=True)
class Polygon:
    """One polygon: what lies inside the outer ring and in no hole.

    Args:
        rings: The outer ring, then the holes.
    """

    rings: tuple[Ring, ...]

    def holds(self, longitude: Points, latitude: Points) -> npt.NDArray[np.bool_]:
        """Tell which points lie inside: those from which a ray to the east crosses the rings an odd number of times."""
        inside = np.zeros(len(longitude), dtype=np.bool_)
        for start in range(0, len(longitude), _POINTS_AT_ONCE):
            points = slice(start, start + _POINTS_AT_ONCE)
            inside[points] = self._crossings(longitude[points], latitude[points]) % 2 == 1
        return inside

    def _crossings(self, longitude: Points, latitude: Points) -> npt.NDArray[np.int64]:
        """How many edges a ray to the east crosses from each point."""
        edges = np.concatenate([np.column_stack([ring[:-1], ring[1:]]) for ring in self.rings])
        x_1, y_1, x_2, y_2 = edges[edges[:, 1] != edges[:, 3]].T[:, :, None]
        crossing = x_1 + (latitude - y_1) * (x_2 - x_1) / (y_2 - y_1)
        crossed = ((y_1 > latitude) != (y_2 > latitude)) & (longitude < crossing)
        number: npt.NDArray[np.int64] = np.sum(crossed, axis=0, dtype=np.int64)
        return number


def read_polygons(path: Path) -> tuple[Polygon, ...]:
    """Read the polygons of a GeoJSON file: a geometry, a feature or a collection of features.

    Raises:
        ConfigError: The file is missing or no GeoJSON, is in another projection, holds something else than polygons,
            or a ring is not closed, crosses itself, or encloses nothing.
    """
    try:
        found = polygons_in(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read: {error.strerror}.", "a GeoJSON file", "correct its path") from (
            None
        )
    except (BrokenAreaError, ValueError) as error:
        fault = str(error) if isinstance(error, BrokenAreaError) else "it is no JSON in UTF-8"
        raise ConfigError(f"The area {path.name} is refused: {fault}.", _EXPECTED, "export the area again") from None
    if not found:
        raise ConfigError(f"The area {path.name} holds no polygon.", _EXPECTED, "export the area again")
    return found


class BrokenAreaError(Exception):
    """What is wrong with an area, in one clause."""


def polygons_in(content: object) -> tuple[Polygon, ...]:
    """Return the polygons of a GeoJSON object: a geometry, a feature or a collection of features.

    Raises:
        BrokenAreaError: It is in another projection, holds something else than polygons, or a ring is not closed,
            crosses itself, or encloses nothing.
    """
    _refuse_another_projection(content)
    return tuple(_polygon(rings) for rings in _polygons_of(content))


def _refuse_another_projection(content: object) -> None:
    crs = content.get("crs") if isinstance(content, Mapping) else None
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = str(properties.get("name", "")) if isinstance(properties, Mapping) else ""
    if not name.lower().endswith(_WGS_84):
        raise BrokenAreaError(f"it is in the projection {name or 'of its crs member'!r}")


def _polygons_of(content: object) -> Iterator[object]:
    """The coordinates of every polygon in a GeoJSON object."""
    match content:
        case {"type": "FeatureCollection", "features": [*features]}:
            for feature in features:
                yield from _polygons_of(feature)
        case {"type": "Feature", "geometry": dict() as geometry}:
            yield from _polygons_of(geometry)
        case {"type": "GeometryCollection", "geometries": [*geometries]}:
            for geometry in geometries:
                yield from _polygons_of(geometry)
        case {"type": "Polygon", "coordinates": [*rings]}:
            yield rings
        case {"type": "MultiPolygon", "coordinates": [*polygons]}:
            yield from polygons
        case {"type": str() as kind}:
            raise BrokenAreaError(f"a {kind} of it is no polygon, or has no coordinates")
        case _:
            raise BrokenAreaError("it is no GeoJSON object")


def _polygon(rings: object) -> Polygon:
    if not isinstance(rings, list) or not rings:
        raise BrokenAreaError("a polygon has no ring")
    return Polygon(tuple(_ring(positions) for positions in rings))


def _ring(positions: object) -> Ring:
    corners = [_corner(position) for position in positions] if isinstance(positions, list) else []
    if len(corners) < _LEAST_CORNERS:
        raise BrokenAreaError(f"a ring has {len(corners)} positions, and {_LEAST_CORNERS} are the least")
    if corners[0] != corners[-1]:
        raise BrokenAreaError("a ring is not closed: its last position is not its first")
    ring = tuple(corner for n, corner in enumerate(corners) if not n or corner != corners[n - 1])
    if _crosses_itself(ring):
        raise BrokenAreaError("a ring crosses itself")
    if len(ring) < _LEAST_CORNERS or _encloses_nothing(ring):
        raise BrokenAreaError("a ring encloses nothing")
    return ring


def _corner(position: object) -> tuple[float, float]:
    numbers = position[:2] if isinstance(position, list) else []
    if len(numbers) < 2 or any(type(n) not in {int, float} or not math.isfinite(n) for n in numbers):
        raise BrokenAreaError("a position is not two numbers")
    longitude, latitude = map(float, numbers)
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise BrokenAreaError("its coordinates are no degrees: it is in another projection, or broken")
    return longitude, latitude


def _encloses_nothing(ring: Ring) -> bool:
    """Whether twice the area, by the shoelace formula, vanishes."""
    corners = np.array(ring) - ring[0]
    return bool(abs(float(np.sum(_side(np.zeros(2), corners[:-1], corners[1:])))) < _NO_AREA)


def _crosses_itself(ring: Ring) -> bool:
    """Whether two edges properly cross; only stretches of edges whose boxes meet are compared edge by edge."""
    corners = np.array(ring)
    edges = np.stack([corners[:-1], corners[1:]], axis=1)
    padding = np.repeat(edges[-1:], -len(edges) % _STRETCH, axis=0)
    stretches = np.concatenate([edges, padding]).reshape(-1, _STRETCH, 2, 2)
    low, high = stretches.min(axis=(1, 2)), stretches.max(axis=(1, 2))
    for number, stretch in enumerate(stretches):
        near = number + np.flatnonzero(np.all((low[number:] <= high[number]) & (high[number:] >= low[number]), axis=1))
        others = stretches[near].reshape(-1, 1, 2, 2)
        if np.any(_crossed(stretch[:, 0], stretch[:, 1], others[:, :, 0], others[:, :, 1])):
            return True
    return False


def _crossed(start: Points, end: Points, other_start: Points, other_end: Points) -> npt.NDArray[np.bool_]:
    """Which edges cross: each has its ends on both sides of the other. Neighbours meet, which is no crossing."""
    sides = _side(start, end, other_start) * _side(start, end, other_end)
    others = _side(other_start, other_end, start) * _side(other_start, other_end, end)
    crossed: npt.NDArray[np.bool_] = (sides < 0) & (others < 0)
    return crossed


def _side(start: Points, end: Points, point: Points) -> Points:
    """Above zero where a point lies left of a line, below zero where it lies right of it."""
    along, beside = end - start, point - start
    turned: Points = along[..., 0] * beside[..., 1] - along[..., 1] * beside[..., 0]
    return turned
