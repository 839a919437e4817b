"""How far a release lies from what earlier releases of the same number say is usual."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import hypot
from statistics import median
from typing import Final

from jobs.publish.indicators.definitions import CHANGE, ROBUST_Z
from jobs.publish.indicators.figure import Figure, Number, Told
from jobs.publish.indicators.series import Series
from jobs.publish.situation.estimate import Estimate, median_of

LEAST: Final = 6
"""Earlier releases that a baseline needs: with fewer, a median absolute deviation is mostly chance."""

TO_SD: Final = 1.4826
"""Standard deviations of a normal variable in one median absolute deviation."""


def change_figures(series: Series) -> Iterator[Figure]:
    """Yield change and robust z of each period of a series, against all periods before it."""
    totals = list(series.totals.items())
    for n, (period, now) in enumerate(totals):
        blank = Figure(
            definition=CHANGE, product=series.product, period=str(period), zone=series.zone, level=series.level
        )
        earlier = [estimate for _, estimate in totals[:n]]
        if len(earlier) < LEAST:
            reason = f"{len(earlier)} earlier releases of the series were given; a baseline needs {LEAST}"
            yield from (replace(blank, definition=one).told(reason) for one in (CHANGE, ROBUST_Z))
            continue
        change = now - median_of(earlier)
        yield replace(blank, unit=series.unit).told(Told.normal(change.value, change.sd))
        yield replace(blank, definition=ROBUST_Z).told(robust_z(now, earlier))


def robust_z(now: Estimate, earlier: Sequence[Estimate]) -> Number:
    """Return the robust z of a number; nothing is ever divided by zero."""
    scale = hypot(TO_SD * spread_of(earlier), now.sd)
    if not scale:
        return "earlier releases do not differ and have no noise"
    change = now - median_of(earlier)
    return Told.normal(change.value / scale, change.sd / scale)


def spread_of(estimates: Sequence[Estimate]) -> float:
    """Return the median absolute deviation from the median."""
    middle = median(one.value for one in estimates)
    return median(abs(one.value - middle) for one in estimates)
