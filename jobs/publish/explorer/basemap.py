"""Land and borders around a country, from a public domain map that comes with the package.

It shows where the zones lie, and takes no side in any dispute: the page says so. A synthetic country gets none: nobody
may take invented movements for those of the people who live where it was put.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import shapely

from jobs.publish.explorer.basemap_source import line_of
from jobs.publish.explorer.places import Plane, path_of
from jobs.publish.od_map import KM_PER_DEGREE

NAME: Final = "basemap.json"

BEYOND: Final = 0.5
"""Share of the map's sides up to which land is held on each side of it: what a wide screen shows beside the zones."""

TURNS: Final = (-360, 0, 360)
"""Degrees by which a country is moved to be found from a map across 180 degrees."""


def basemap_block(plane: Plane) -> list[str]:
    """Return the land of each country that the map shows, as paths in its units."""
    window = _window(plane)
    shapes = (shapely.clip_by_rect(one, *window) for one in _near(window))
    return [path for shape in shapes if not shape.is_empty and (path := _path(shape, plane))]


def _window(plane: Plane) -> tuple[float, float, float, float]:
    """West, south, east and north of the map, in degrees; beyond 180 where it is."""
    shrink = max(0.05, float(np.cos(np.radians(plane.project.latitude))))
    beyond = BEYOND * (plane.high - plane.low)
    corners = plane.low - beyond, plane.high + beyond
    (west, south), (east, north) = (corner / KM_PER_DEGREE / (shrink, 1.0) for corner in corners)
    longitude, latitude = plane.project.longitude, plane.project.latitude
    return longitude + float(west), latitude + float(south), longitude + float(east), latitude + float(north)


def _near(window: tuple[float, float, float, float]) -> Iterator[shapely.Geometry]:
    west, south, east, north = window
    frame = shapely.box(*window)
    for country in _countries():
        for turn in TURNS:
            low, bottom, high, top = country.bounds
            if low + turn < east and high + turn > west and bottom < north and top > south:
                moved = shapely.transform(country, lambda points, turn=turn: np.add(points, (turn, 0)))
                if moved.intersects(frame):
                    yield moved


def _path(shape: shapely.Geometry, plane: Plane) -> str:
    rings = [
        ring
        for part in shapely.get_parts(shape)
        if part.geom_type == "Polygon"
        for ring in (part.exterior, *part.interiors)
    ]
    return path_of(plane.units(_kilometres(shapely.get_coordinates(ring), plane)) for ring in rings)


def _kilometres(points: Any, plane: Plane) -> Any:  # noqa: ANN401 - arrays of numpy in and out
    """Degrees on the plane, without the turn of a whole circle that `Projection` makes at 180 degrees."""
    middle = np.array([plane.project.longitude, plane.project.latitude])
    shrink = np.array([np.cos(np.radians(plane.project.latitude)), 1.0])
    return (points - middle) * shrink * KM_PER_DEGREE


@cache
def _countries() -> tuple[shapely.Geometry, ...]:
    packaged = json.loads(files(__package__).joinpath(NAME).read_text(encoding="utf-8"))
    lines = [line_of(steps, packaged["step"]) for steps in packaged["lines"]]
    return tuple(
        shapely.make_valid(
            shapely.MultiPolygon([_polygon(polygon, lines) for polygon in country if _is_drawn(polygon, lines)])
        )
        for country in packaged["countries"]
    )


def _is_drawn(polygon: Sequence[Sequence[int]], lines: Sequence[Any]) -> bool:
    return len(_ring(polygon[0], lines)) >= 4


def _polygon(polygon: Sequence[Sequence[int]], lines: Sequence[Any]) -> shapely.Polygon:
    outer, *holes = (_ring(ring, lines) for ring in polygon)
    return shapely.Polygon(outer, [hole for hole in holes if len(hole) >= 4])


def _ring(numbers: Sequence[int], lines: Sequence[Any]) -> Any:  # noqa: ANN401 - an array of numpy
    return np.vstack([lines[number] if number >= 0 else lines[~number][::-1] for number in numbers])
