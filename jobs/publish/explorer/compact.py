"""Numbers as few characters: rounded far below their own noise, whole numbers without a point."""

from collections.abc import Iterable
from math import floor, isfinite, log10
from typing import Final

MOST_DECIMALS: Final = 3
"""Decimals of a published number: none is added."""

DIGITS_OF_NOISE: Final = 2
"""Digits kept below the leading digit of the noise: rounding then changes a value by 0.5 % of a standard deviation."""

SHARE_DECIMALS: Final = 6
"""Decimals of a share, which is read in whole per cent."""

Number = int | float


def compact(value: float | None, sd: float) -> Number | None:
    """Return a value rounded to a hundredth of the leading digit of its noise; what is no number is nothing."""
    if value is None or not isfinite(value):
        return None
    decimals = MOST_DECIMALS if sd <= 0 or not isfinite(sd) else DIGITS_OF_NOISE - floor(log10(sd))
    return _short(round(float(value), max(-1, min(MOST_DECIMALS, decimals))))


def compact_sd(sd: float) -> Number | None:
    """Return a standard deviation with four digits."""
    return _short(float(f"{sd:.4g}")) if isfinite(sd) else None


def compact_share(share: float) -> Number | None:
    """Return a share, or its error, so precisely that its per cent are rounded once, on the screen."""
    return _short(round(share, SHARE_DECIMALS)) if isfinite(share) else None


def compacted(values: Iterable[float | None], sds: Iterable[float]) -> list[Number | None]:
    """Return values rounded by their noise."""
    return [compact(value, sd) for value, sd in zip(values, sds, strict=True)]


def _short(number: float) -> Number:
    whole = int(number)
    return whole if whole == number else number
