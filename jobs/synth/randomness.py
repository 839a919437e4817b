"""Where every random number of the synthetic country comes from: one named stream a purpose and day."""

from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def stream(seed: int, purpose: str, day: int = 0) -> np.random.Generator:
    """Return the random stream of one purpose on one day.

    A stream depends on nothing but its three arguments: a day can be drawn in any process and order, and the
    first days of a longer period are the days of a shorter one.

    Args:
        seed: Seed of the country, 0 or more.
        purpose: What is drawn, such as "homes".
        day: Days since the first day, 0 or more.
    """
    return np.random.Generator(np.random.SFC64([seed, crc32(purpose.encode()), day]))


def as_ints(values: npt.NDArray[Any]) -> Ints:
    """Return values as whole numbers, cut towards zero."""
    return values.astype(np.int64, copy=False)


def as_floats(values: npt.NDArray[Any]) -> Floats:
    """Return values as floating-point numbers."""
    return values.astype(np.float64, copy=False)


def draw_by_weight(rng: np.random.Generator, weight: Floats, size: int) -> Ints:
    """Return `size` indices, each drawn with probability proportional to its weight."""
    cumulative = np.cumsum(weight)
    drawn = np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right")
    return as_ints(np.minimum(drawn, len(weight) - 1))
