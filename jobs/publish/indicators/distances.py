"""How far movement goes: shares of classes of distance."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from jobs.publish.drawn_zones import DrawnZones
from jobs.publish.indicators.definitions import DISTANCE
from jobs.publish.indicators.figure import Figure
from jobs.publish.indicators.intensity import ratio
from jobs.publish.pair_errors import pair_errors
from jobs.publish.released import Released
from jobs.publish.situation.estimate import Estimate

Floats = npt.NDArray[np.float64]

EDGES_KM: Final = (0.0, 10.0, 25.0, 50.0, 100.0, 200.0, 500.0, 1000.0, float("inf"))
"""Edges of the classes, kilometres; a class holds its lower edge."""

SAME_ZONE: Final = "within one zone"
"""Class of rows whose two ends are one zone: how far those went, nobody can tell."""


def distance_figures(bundle: Released, zones: DrawnZones) -> Iterator[Figure]:
    """Yield the share of each class of distance, of all that the rows hold but the remainder."""
    values, errors = bundle.rows["value"].to_numpy(np.float64), pair_errors(bundle, zones)
    classes = _classes(bundle, zones)
    placed = np.array([name is not None for name in classes], dtype=np.float64)
    whole = Estimate(float(placed @ values), errors.sd_of(placed))
    left = float(values.sum() - whole.value) / float(values.sum()) if values.sum() > 0 else 1.0
    blank = Figure(
        definition=DISTANCE, product=bundle.product, period=bundle.card.period, unplaced=min(1.0, max(0.0, left))
    )
    for name in (SAME_ZONE, *CLASSES):
        weights = np.array([one == name for one in classes], dtype=np.float64)
        if not weights.any():
            yield replace(blank, part=name).told("no row of that distance: below the cut, which is not zero")
            continue
        both = errors.covariance(np.vstack([weights, placed]))
        part = Estimate(float(weights @ values), float(np.sqrt(both[0, 0])))
        yield replace(blank, part=name).told(ratio(part, whole, 100.0, float(both[0, 1])))


def class_of(distance_km: float) -> str:
    """Return the class that a distance lies in."""
    return CLASSES[int(np.searchsorted(EDGES_KM, distance_km, side="right")) - 1]


def _classes(bundle: Released, zones: DrawnZones) -> list[str | None]:
    ends = zip(bundle.rows["origin"], bundle.rows["destination"], strict=True)
    return [_class(origin, destination, zones) for origin, destination in ends]


def _class(origin: str | None, destination: str | None, zones: DrawnZones) -> str | None:
    if origin is None or destination is None:
        return None
    return SAME_ZONE if origin == destination else class_of(zones.distance_km(origin, destination))


def _named(low: float, high: float) -> str:
    return f"{low:g} to {high:g} km" if np.isfinite(high) else f"{low:g} km and more"


CLASSES: Final = tuple(_named(low, high) for low, high in pairwise(EDGES_KM))
"""Names of the classes."""
