"""What a day of that weekday is usually like, told by earlier days' own records."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from jobs.quality.figures import Floats
from jobs.quality.record import Measures
from jobs.quality.thresholds import QualityConfig

_MAD_TO_SD: Final = 1.4826  # of a normal distribution


@dataclass(frozen=True)
class Usual:
    """A number on earlier days.

    Args:
        middle: Median.
        sd: 1.4826 times the median distance from it: a standard deviation that one bad day does not move.
    """

    middle: float
    sd: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Usual":
        """Return what is usual among some values."""
        middle = float(np.median(values))
        return cls(middle, _MAD_TO_SD * float(np.median(np.abs(np.array(values) - middle))))


@dataclass(frozen=True)
class Baseline:
    """Earlier days of the same weekday.

    Args:
        days: Their measures, oldest first.
    """

    days: tuple[Measures, ...] = ()

    @property
    def rows(self) -> Usual:
        """Rows of a day."""
        return Usual.of([day.events for day in self.days])

    @property
    def hours(self) -> Floats:
        """Rows by day and hour."""
        return np.array([day.hours for day in self.days], dtype=np.float64)


def baseline_days(day: date, limits: QualityConfig) -> tuple[date, ...]:
    """Return the days that a day may be compared with, oldest first."""
    return tuple(day - timedelta(weeks=n) for n in range(limits.baseline_weeks, 0, -1))
