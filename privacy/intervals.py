"""How sure a released value is: its 95 % interval and its grade, from its value and the noise in it."""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Z_95: Final = 1.959964
"""Half width of a 95 % interval of a normal variable, in standard deviations."""

_GRADES: Final = ((0.05, "A"), (0.15, "B"))
"""Noise below this share of the value, and the grade."""

_WORST: Final = "C"


def uncertain(value: float, sd: float) -> dict[str, object]:
    """Return the columns of a row that say what its value is and how sure."""
    relative = sd / value if value > 0 else math.inf
    return {
        "value": value,
        "noise_sd": sd,
        "ci_low": value - Z_95 * sd,
        "ci_high": value + Z_95 * sd,
        "quality": next((grade for limit, grade in _GRADES if relative < limit), _WORST),
    }


def graded(values: Floats, sd: float) -> npt.NDArray[np.str_]:
    """Return the grade of each of many values with equal noise."""
    return np.select([sd < limit * values for limit, _ in _GRADES], [grade for _, grade in _GRADES], _WORST)
