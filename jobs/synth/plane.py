"""The map: kilometres on a plane that touches the globe where the country lies."""

from dataclasses import dataclass
from typing import Final

import h3
import numpy as np

from jobs.synth.randomness import Bools, Floats, Ints
from schemas.errors import ConfigError

KM_PER_DEGREE: Final = 111.195
"""Length of a degree of latitude on the sphere that H3 uses."""

BASE_RESOLUTION: Final = 6
"""H3 resolution of the planted truth."""

_CHUNK: Final = 2_048
"""Points compared with all corners at a time: keeps the pairwise tables below 20 MB."""


@dataclass(frozen=True)
class Plane:
    """An equirectangular plane; x runs east and y north, both in km.

    Args:
        latitude: Latitude of the origin, degrees.
        longitude: Longitude of the origin, degrees.
    """

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if abs(self.latitude) > 60 or abs(self.longitude) > 170:
            raise ConfigError(
                f"A plane at {self.latitude}, {self.longitude}.",
                "an origin within 60 degrees of the equator and 10 of no date line",
                "move the country",
            )

    def degrees(self, xy: Floats) -> Floats:
        """Return (latitude, longitude) of points (x, y) in km, rounded to about 1 m."""
        latitude = self.latitude + xy[:, 1] / KM_PER_DEGREE
        width = KM_PER_DEGREE * np.cos(np.deg2rad(self.latitude))
        return np.round(np.column_stack([latitude, self.longitude + xy[:, 0] / width]), 5)

    def xy(self, degrees: Floats) -> Floats:
        """Return points (x, y) in km of (latitude, longitude)."""
        width = KM_PER_DEGREE * np.cos(np.deg2rad(self.latitude))
        x, y = (degrees[:, 1] - self.longitude) * width, (degrees[:, 0] - self.latitude) * KM_PER_DEGREE
        return np.column_stack([x, y])

    def zones(self, xy: Floats) -> list[str]:
        """Return the H3 cell of the base resolution, as its hexadecimal name, in which each point lies."""
        return [h3.latlng_to_cell(lat, lng, BASE_RESOLUTION) for lat, lng in self.degrees(xy).tolist()]


def area_km2(polygon: Floats) -> float:
    """Return the area of a simple polygon given by its corners."""
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def is_inside(polygon: Floats, xy: Floats) -> Bools:
    """Tell which points lie in a simple polygon, by counting the edges crossed on the way east."""
    found = [_crossings(polygon, xy[i : i + _CHUNK]) % 2 == 1 for i in range(0, len(xy), _CHUNK)]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.bool_)


def _crossings(polygon: Floats, xy: Floats) -> Floats:
    (x0, y0), (x1, y1) = polygon.T, np.roll(polygon, -1, axis=0).T
    x, y = xy[:, :1], xy[:, 1:]
    spans = (y0 > y) != (y1 > y)
    rise = np.where(y1 == y0, 1.0, y1 - y0)
    east_of = x < x0 + (y - y0) * (x1 - x0) / rise
    return np.asarray((spans & east_of).sum(axis=1), dtype=np.float64)


def nearest(to: Floats, xy: Floats, count: int) -> tuple[Ints, Floats]:
    """Return, for each point, the indices of its `count` nearest in `to`, nearest first, and km to them."""
    parts = [_nearest(to, xy[i : i + _CHUNK], count) for i in range(0, len(xy), _CHUNK)]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _nearest(to: Floats, xy: Floats, count: int) -> tuple[Ints, Floats]:
    distance = np.hypot(xy[:, :1] - to[:, 0], xy[:, 1:] - to[:, 1])
    rows = np.arange(len(xy))
    index, km = np.zeros((len(xy), count), dtype=np.int64), np.zeros((len(xy), count))
    for rank in range(count):
        index[:, rank] = distance.argmin(axis=1)
        km[:, rank] = distance[rows, index[:, rank]]
        distance[rows, index[:, rank]] = np.inf
    return index, km


def distance_km(a: Floats, b: Floats) -> Floats:
    """Return the distance between points of equal index."""
    return np.asarray(np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1]))
