"""Coordinates of a cell table that cannot be right: outside the country, or swapped."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Place = tuple[float, float]
"""Latitude and longitude, degrees."""

_FEWEST: Final = 5
"""Cells from which on the others tell where the country is."""

_REACH: Final = 3.0
"""How many times farther from the middle than three quarters of the cells a cell may stand."""

_LEAST_REACH_DEG: Final = 0.5
"""So far from the middle a cell may stand in any case: the cells of one city are all close."""


def outside(places: Sequence[Place], bbox: tuple[float, float, float, float]) -> list[int]:
    """Return the positions of places outside a box of west, south, east, north."""
    west, south, east, north = bbox
    return [n for n, (lat, lon) in enumerate(places) if not (south <= lat <= north and west <= lon <= east)]


def looks_swapped(places: Sequence[Place]) -> list[int]:
    """Return the positions of places that lie far from the others as written, and among them when swapped.

    What the others are is told by medians: up to a quarter of a table may be swapped. Where a country's latitudes are
    its longitudes too, nothing can be told, and nothing is.
    """
    if len(places) < _FEWEST:
        return []
    found = np.array(places)
    middle = np.median(found, axis=0)
    reach = np.maximum(_REACH * np.quantile(np.abs(found - middle), 0.75, axis=0), _LEAST_REACH_DEG)
    return [int(n) for n in np.flatnonzero(~_within(found, middle, reach) & _within(found[:, ::-1], middle, reach))]


def _within(
    places: npt.NDArray[np.float64], middle: npt.NDArray[np.float64], reach: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    return np.asarray(np.all(np.abs(places - middle) <= reach, axis=1), dtype=np.bool_)
