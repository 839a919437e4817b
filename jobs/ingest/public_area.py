"""The base cells of a public area: what zones there are where an operator has no cell table (ADR 17)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import h3

from schemas.errors import InputError

AREA_SUFFIX: Final = ".geojson"
"""Ending of the file of an area, in place of a cell table."""


def base_cells_of_area(path: Path, resolution: int) -> list[str]:
    """Return the H3 cells that touch an area, in order.

    Args:
        path: GeoJSON with polygons, in WGS 84.
        resolution: Of the cells.

    Raises:
        InputError: It cannot be read, or holds no polygon.
    """
    try:
        shapes = [h3.geo_to_h3shape(geometry) for geometry in _polygons(json.loads(path.read_text(encoding="utf-8")))]
        cells = {cell for shape in shapes for cell in h3.h3shape_to_cells_experimental(shape, resolution, "overlap")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_area(path) from error
    if not cells:
        raise _no_area(path)
    return sorted(map(str, cells))


def _polygons(value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The polygons of a GeoJSON object, however deep."""
    if value["type"] in {"Polygon", "MultiPolygon"}:
        yield value
    elif value["type"] == "Feature":
        yield from _polygons(value["geometry"])
    else:
        for part in value.get("features") or value.get("geometries") or []:
            yield from _polygons(part)


def _no_area(path: Path) -> InputError:
    return InputError(
        f"The area {path} cannot be used.",
        "GeoJSON with the polygons of the country, in WGS 84",
        "correct [cells] path in whimbrel.toml",
    )
