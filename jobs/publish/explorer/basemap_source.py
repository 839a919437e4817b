"""Makes `basemap.json` of Natural Earth's countries: few corners, told as steps, so that a page needs no network.

    python -m jobs.publish.explorer.basemap_source countries-50m.json jobs/publish/explorer/basemap.json

`countries-50m.json` is in the npm package world-atlas 2.0.2 (`npm pack world-atlas@2.0.2`): Natural Earth 1:50m, public
domain, as TopoJSON. Borders stay shared: each line between two countries is simplified once.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from schemas.errors import ConfigError

Line = NDArray[np.float64]

STEP: Final = 0.01
"""Degrees of one unit, about a kilometre: what a map of a country on a screen can show."""

TOLERANCE: Final = 0.02
"""Degrees by which a simplified line may be off."""

SOURCE: Final = "Natural Earth 1:50m countries, public domain (naturalearthdata.com), by way of world-atlas 2.0.2"


def basemap_of(topology: Mapping[str, Any]) -> dict[str, Any]:
    """Return lines as steps of whole units, and each country's rings as numbers of lines, as in TopoJSON."""
    lines = [_steps(_simplified(line)) for line in _lines(topology)]
    countries = [_rings(geometry) for geometry in topology["objects"]["countries"]["geometries"]]
    return {"source": SOURCE, "step": STEP, "lines": lines, "countries": countries}


def _lines(topology: Mapping[str, Any]) -> Iterator[Line]:
    """The lines in degrees; each corner is told as a step from the one before."""
    scale, shift = (np.array(topology["transform"][part]) for part in ("scale", "translate"))
    for line in topology["arcs"]:
        yield np.cumsum(np.array(line), axis=0) * scale + shift


def _simplified(line: Line) -> Line:
    kept: Line = shapely.get_coordinates(shapely.simplify(shapely.LineString(line), TOLERANCE))
    return kept


def _steps(line: Line) -> list[int]:
    corners = np.rint(line / STEP).astype(int)
    steps = np.diff(corners, axis=0)
    steps = steps[np.any(steps != 0, axis=1)]
    return [int(number) for number in (*corners[0], *steps.ravel())]


def _rings(geometry: Mapping[str, Any]) -> list[list[list[int]]]:
    """Polygons of rings of lines; a negative number is the line ~number, from its end."""
    polygons = geometry["arcs"] if geometry["type"] == "MultiPolygon" else [geometry["arcs"]]
    return [[list(ring) for ring in polygon] for polygon in polygons]


def line_of(steps: Sequence[int], step: float) -> Line:
    """Return a line in degrees from its first corner and its steps."""
    east, north = (list(accumulate(steps[start::2])) for start in (0, 1))
    line: Line = np.column_stack([east, north]) * step
    return line


def main(arguments: Sequence[str]) -> None:
    """Read the TopoJSON named first and write the file named second.

    Raises:
        ConfigError: Another number of paths was given.
    """
    if len(arguments) != 2:
        raise ConfigError(
            f"{len(arguments)} paths were given.", "the TopoJSON and the file to write", "name both: IN OUT"
        )
    topology = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    text = json.dumps(basemap_of(topology), separators=(",", ":"), sort_keys=True)
    Path(arguments[1]).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
