"""Sums of absolute values of noisy numbers, which noise makes too large.

The mean of |x + noise| is that of a folded normal variable (Leone, Nelson and Nottingham 1961). Taking its excess at
the noisy value away halves the error where nothing can be told from noise, and leaves large values as they are.
"""

from dataclasses import dataclass
from math import erf, pi, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from jobs.publish.situation.estimate import Estimate

Floats = npt.NDArray[np.float64]

LEFT: Final = (2 - sqrt(2)) * sqrt(2 / pi)
"""What the correction leaves of the excess where the truth is zero, in standard deviations: 0.47."""

UNCLEAR: Final = 2.0
"""Standard deviations below which a number may be of that kind."""


@dataclass(frozen=True)
class AbsoluteSum:
    """A sum of absolute values.

    Args:
        estimate: The sum, corrected, and the standard deviation of its error.
        too_high: By how much noise may still make it too high.
    """

    estimate: Estimate
    too_high: float


def absolute_sum(values: Floats, covariance: Floats) -> AbsoluteSum:
    """Return the sum of the absolute values of noisy numbers.

    Args:
        values: The numbers.
        covariance: Of their errors.
    """
    sd, sign = np.sqrt(np.diag(covariance)), np.sign(values)
    corrected = 2 * np.abs(values) - folded_mean(values, sd)
    unclear = np.abs(values) < UNCLEAR * sd
    variance = float(sign @ covariance @ sign)
    return AbsoluteSum(Estimate(float(corrected.sum()), sqrt(max(0.0, variance))), LEFT * float(sd[unclear].sum()))


def folded_mean(values: Floats, sd: Floats) -> Floats:
    """Return the mean of |value + noise| for each value, the noise being normal."""
    z = np.divide(values, sd, out=np.zeros_like(values), where=sd > 0)
    bell = sd * np.sqrt(2 / np.pi) * np.exp(-(z**2) / 2)
    inside = np.array([erf(abs(one) / sqrt(2)) for one in z])
    return np.where(sd > 0, bell + np.abs(values) * inside, np.abs(values))
