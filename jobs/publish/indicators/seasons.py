"""What is usual of a month and of a weekday: needs two years of releases."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from jobs.publish.indicators.definitions import MONTH_INDEX, WEEKDAY_INDEX
from jobs.publish.indicators.figure import Figure, Number, Told
from jobs.publish.indicators.intensity import CLEAR
from jobs.publish.indicators.series import COUNTRY, Series
from jobs.publish.situation.estimate import Estimate, total
from privacy.unit import PeriodKind, PrivacyMonth

Floats = npt.NDArray[np.float64]

LEAST_MONTHS: Final = 24
"""Months without a gap that an index needs: one year tells a season from nothing."""

MONTHS: Final = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
                 "November", "December")  # fmt: skip
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def season_figures(series: Series) -> Iterator[Figure]:
    """Yield the month index of a national series of months, or the weekday index of one of days.

    A week has no place of its own in a calendar year, so a series of weeks has neither.
    """
    if series.zone != COUNTRY or not series.totals:
        return
    first, *_, last = (*series.totals, *series.totals)
    if first.kind is PeriodKind.WEEK:
        return
    is_monthly = first.kind is PeriodKind.MONTH
    definition, parts = (MONTH_INDEX, MONTHS) if is_monthly else (WEEKDAY_INDEX, WEEKDAYS)
    blank = Figure(definition=definition, product=series.product, period=f"{first}/{last}")
    found = _month_index(series) if is_monthly else _weekday_index(series)
    if isinstance(found, str):
        yield blank.told(found)
    else:
        yield from (replace(blank, part=part).told(one) for part, one in zip(parts, found, strict=True))


def _month_index(series: Series) -> Sequence[Number] | str:
    run = _last_run(series)
    if len(run) < LEAST_MONTHS:
        return f"not enough: {len(run)} months without a gap, of {LEAST_MONTHS} that an index needs"
    estimates = [series.totals[month.period] for month in run]
    first = run[0].month - 1
    return _propagated(lambda totals: month_index(totals, first), estimates)


def month_index(totals: Floats, first: int) -> Floats:
    """Return the index of each calendar month, from January on, by the ratio to the centred twelve-month mean.

    Args:
        totals: At least 24 months without a gap.
        first: Calendar month of the first, 0 for January.
    """
    trend = np.convolve(totals, np.array([0.5, *[1.0] * 11, 0.5]) / 12, mode="valid")
    ratios = totals[6:-6] / trend
    months = (first + 6 + np.arange(len(ratios))) % 12
    means = np.bincount(months, weights=ratios, minlength=12) / np.bincount(months, minlength=12)
    return np.asarray(100 * means / means.mean(), dtype=np.float64)


def weekday_index(means: Floats) -> Floats:
    """Return the index of each weekday from the seven means."""
    return np.asarray(100 * means / means.mean(), dtype=np.float64)


def _weekday_index(series: Series) -> Sequence[Number] | str:
    months = {PrivacyMonth.of(day.first_day) for day in series.totals}
    by_weekday = [[e for day, e in series.totals.items() if day.first_day.weekday() == n] for n in range(len(WEEKDAYS))]
    if len(months) < LEAST_MONTHS or not all(by_weekday):
        return f"not enough: days of {len(months)} months, of {LEAST_MONTHS} that an index needs"
    means = [_mean(estimates) for estimates in by_weekday]
    return _propagated(weekday_index, means)


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    added = total(estimates)
    return Estimate(added.value / len(estimates), added.sd / len(estimates))


def _last_run(series: Series) -> list[PrivacyMonth]:
    """The latest months of a series that follow each other without a gap."""
    months = [period.privacy_month for period in series.totals]
    run = months[-1:]
    for month in reversed(months[:-1]):
        if month.next() != run[0]:
            break
        run.insert(0, month)
    return run


def _propagated(index: Callable[[Floats], Floats], totals: Sequence[Estimate]) -> Sequence[Number] | str:
    """Return an index with its error to the first order, by differences; releases have noise of their own."""
    if not all(one.is_clear(CLEAR) for one in totals):
        return f"a total is not {CLEAR:g} standard deviations above zero"
    values, sds = np.array([one.value for one in totals]), np.array([one.sd for one in totals])
    steps = np.diag(values * 1e-5)
    slopes = np.array([(index(values + step) - index(values - step)) / (2 * step.sum()) for step in steps])
    errors = np.sqrt(np.sum((slopes * sds[:, None]) ** 2, axis=0))
    return [Told.normal(float(value), float(sd)) for value, sd in zip(index(values), errors, strict=True)]
