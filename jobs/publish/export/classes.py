"""Classes of values for a legend: limits that a reader can say aloud."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, inf, log10
from typing import Final

import numpy as np
import pandas as pd

from jobs.publish.situation.estimate import clear_sds
from privacy.intervals import Z_95
from schemas.published import PUBLISHED

CLASSES: Final = 5
"""As many as a reader tells apart."""

_DIGITS: Final = 2
"""Of a limit."""

FILLS: Final = ("#ffffcc", "#a1dab4", "#41b6c4", "#2c7fb8", "#253494")
"""Of zones, small to large: ColorBrewer YlGnBu, which colour-blind readers can tell apart, and a grey print too."""
LINE: Final = "#253494"
WIDTHS_MM: Final = (0.25, 0.5, 0.9, 1.5, 2.4)
"""Of lines, small to large."""
UNSURE: Final = "#bdbdbd"
"""Of what cannot be told from zero, and of residual rows."""


@dataclass(frozen=True)
class ValueClass:
    """Values from `low`, inclusive, to `high`, exclusive.

    Args:
        low: Lower limit, in the unit of the value.
        high: Upper limit; infinite in the last class.
        number: Which class, 0 for the smallest.
    """

    low: float
    high: float
    number: int

    @property
    def text(self) -> str:
        """What a legend says."""
        if self.low == -inf:
            return f"below {self.high:,g}" if self.high < inf else "all"
        return f"{self.low:,g} and more" if self.high == inf else f"{self.low:,g} to {self.high:,g}"


def classes_of(rows: pd.DataFrame) -> list[ValueClass]:
    """Return up to five classes of about equally many of the rows that are clear of zero; one where there are none."""
    values = rows["value"][shows_value(rows)].to_numpy()
    shares = np.linspace(0, 1, CLASSES + 1)[1:-1]
    cuts = sorted({_spoken(limit) for limit in np.quantile(values, shares)}) if len(values) else []
    cuts = [cut for cut in cuts if (values < cut).any() and (values >= cut).any()]
    limits = [-inf, *cuts, inf]
    last = CLASSES - len(limits) + 1
    return [ValueClass(low, high, last + n) for n, (low, high) in enumerate(pairwise(limits))]


def clear_from_sds(rows: pd.DataFrame) -> float:
    """Return from how many standard deviations above zero rows are no work of chance.

    Rows of flows were chosen by a cut already. Of a flat table every key has a row, and of those that are really zero
    one in forty exceeds 1.96: the limit is such that with probability 95 % none does (Bonferroni).
    """
    return round(Z_95 if "is_residual" in rows else clear_sds(len(rows)), 3)


def shows_value(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Tell which rows show a value: those that are clear of zero, and no residual."""
    is_clear = rows["value"] > clear_from_sds(rows) * rows["noise_sd"]
    return is_clear & (rows["status"] == PUBLISHED) if "is_residual" in rows else is_clear


def class_numbers(rows: pd.DataFrame, classes: Sequence[ValueClass]) -> list[int]:
    """Return the number of each row's class; -1 where the row shows none."""
    limits = [value_class.low for value_class in classes[1:]]
    found = np.searchsorted(limits, rows["value"].to_numpy(), side="right") + classes[0].number
    return [int(n) for n in np.where(shows_value(rows), found, -1)]


def _spoken(limit: float) -> float:
    """The limit, rounded to two digits."""
    return float(round(limit, _DIGITS - 1 - floor(log10(abs(limit))))) if limit else 0.0
