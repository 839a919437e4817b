"""A released number with its error, and how well it is known, in one word."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import floor, hypot, inf, isfinite, log10, pi, sqrt
from statistics import NormalDist, median
from typing import Final

from privacy.intervals import Z_95
from schemas.errors import BundleError


class Trust(StrEnum):
    """How well a number is known, by the half width of its 95 % interval as a share of the number itself."""

    WELL = "well"
    ROUGHLY = "roughly"
    BARELY = "barely"
    NOT = "not"


TRUST_LIMITS: Final = ((0.1, Trust.WELL), (0.3, Trust.ROUGHLY), (1.0, Trust.BARELY))
"""Largest half width, as a share of the number, of each degree of trust; beyond the last, zero lies in the interval."""


@dataclass(frozen=True)
class Estimate:
    """An unbiased estimate with an error of known size.

    Args:
        value: The number; may be below zero, as noise has it.
        sd: Standard deviation of its error.
    """

    value: float
    sd: float

    def __post_init__(self) -> None:
        if not (isfinite(self.value) and isfinite(self.sd)) or self.sd < 0:
            raise BundleError(
                f"An estimate of {self.value:g} has a standard deviation of {self.sd:g}.",
                "finite numbers and an error of at least zero",
                "do not use the bundle; ask its publisher",
            )

    def __add__(self, other: "Estimate") -> "Estimate":
        """Return the sum of two estimates whose errors are independent: variances add."""
        return Estimate(self.value + other.value, hypot(self.sd, other.sd))

    def __sub__(self, other: "Estimate") -> "Estimate":
        """Return the difference of two estimates whose errors are independent: variances add."""
        return Estimate(self.value - other.value, hypot(self.sd, other.sd))

    @property
    def ci_low(self) -> float:
        """Lower end of the 95 % interval."""
        return self.value - Z_95 * self.sd

    @property
    def ci_high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.value + Z_95 * self.sd

    def is_clear(self, sds: float) -> bool:
        """Whether the number lies more than so many standard deviations above zero."""
        return self.value > sds * self.sd

    @property
    def trust(self) -> Trust:
        """How well the number is known; not at all where its interval holds zero or less."""
        half = Z_95 * self.sd
        return next((trust for limit, trust in TRUST_LIMITS if self.value > 0 and half < limit * self.value), Trust.NOT)


def clear_sds(count: int) -> float:
    """Return the standard deviations above zero from which on the largest of several numbers are no work of chance.

    With probability 95 %, none of `count` numbers that are really zero lies as high: where many zones are looked at,
    the 2.5 % of them that exceed 1.96 by chance would otherwise fill the list (Bonferroni).
    """
    return NormalDist().inv_cdf(1 - 0.05 / max(2, count))


def total(estimates: Iterable[Estimate]) -> Estimate:
    """Return the sum of estimates whose errors are independent; of none, nothing without an error."""
    return sum(estimates, Estimate(0.0, 0.0))


def median_of(estimates: Sequence[Estimate]) -> Estimate:
    """Return the median of noisy numbers, with the error of a median of equal normal variables, or of a mean of two."""
    spread = sqrt(sum(one.sd**2 for one in estimates) / len(estimates))
    factor = sqrt(pi / 2) if len(estimates) > 2 else 1.0
    return Estimate(median(one.value for one in estimates), factor * spread / sqrt(len(estimates)))


def step_of(estimate: Estimate) -> float:
    """Return the power of ten to which an estimate is rounded: what its interval allows, whole subscribers at least.

    Four digits are what a reader keeps in mind, however well a number is known.
    """
    half_width = estimate.ci_high - estimate.value
    return max(1.0, _power_of_ten(half_width), _power_of_ten(abs(estimate.value)) / 1000)


def _power_of_ten(number: float) -> float:
    """The largest power of ten that is not above a number; of zero, zero."""
    return 10.0 ** floor(log10(number)) if number > 0 else 0.0


@dataclass(frozen=True)
class Share:
    """A ratio of estimates, from 0 to 1 but for noise.

    Args:
        value: The ratio.
        sd: Standard deviation of its error.
    """

    value: float
    sd: float

    @property
    def ci_low(self) -> float:
        """Lower end of the 95 % interval; a share is not below zero."""
        return min(1.0, max(0.0, self.value - Z_95 * self.sd))

    @property
    def ci_high(self) -> float:
        """Upper end of the 95 % interval; a share is not above one."""
        return max(0.0, min(1.0, self.value + Z_95 * self.sd))

    @property
    def trust(self) -> Trust:
        """How well the share is known, by its half width in points: a small share may be well known to be small."""
        half = Z_95 * self.sd
        return next((trust for limit, trust in SHARE_LIMITS if half < limit), Trust.NOT)


SHARE_LIMITS: Final = ((0.05, Trust.WELL), (0.1, Trust.ROUGHLY), (0.25, Trust.BARELY))
"""Largest half width of a share, as a share of one, of each degree of trust."""


def share_of(part: Estimate, rest: Estimate) -> Share:
    """Return part / (part + rest) for independent estimates, with the error of the first order (delta method).

    Nothing is known of the share, and its error is infinite, where the whole cannot be told from zero.
    """
    whole = part + rest
    if whole.trust is Trust.NOT:
        return Share(0.0, inf)
    ratio = part.value / whole.value
    return Share(ratio, hypot((1 - ratio) * part.sd, ratio * rest.sd) / whole.value)
