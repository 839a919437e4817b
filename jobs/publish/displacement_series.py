"""What follows from an event's released figures, period by period: excess, returns, and whether the stock adds up.

Arithmetic on published rows alone. Errors of different releases are independent; those of one release are too, because
each of its rows has noise of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import sqrt
from typing import Final

from jobs.publish.situation.estimate import Estimate, Share
from jobs.publish.situation.figures import Moment
from privacy.unit import PeriodKind

ALARM_SDS: Final = 3.0
"""Standard deviations by which two releases of one number may differ: by chance, one day in 370 exceeds them."""

HALF: Final = 0.5


@dataclass(frozen=True)
class StockCheck:
    """One day's stock of people away, as the release of that day and as the release of the day after has it.

    Args:
        day: The later one: its stock less what came, plus what went, is the stock of the day before.
        difference: That, less the stock of the day before in its own release.
    """

    day: Moment
    difference: Estimate

    @property
    def holds(self) -> bool:
        """Whether noise alone explains the difference."""
        return abs(self.difference.value) <= ALARM_SDS * self.difference.sd


@dataclass(frozen=True)
class ReturnPoint:
    """How many of those displaced at the peak are so no longer, in one period.

    Args:
        period: What the release describes.
        days: From the middle of the peak's period to the middle of this one.
        returned: Their share: one less the excess over the peak's excess.
    """

    period: Moment
    days: float
    returned: Share


@dataclass(frozen=True)
class HalfLife:
    """Days from the peak until half of the displaced are so no longer.

    Args:
        days: By the estimates, straight lines drawn between releases; nothing: not yet.
        earliest: By the upper ends of the 95 % intervals.
        latest: By their lower ends.
    """

    days: float | None
    earliest: float | None
    latest: float | None


@dataclass(frozen=True)
class Returns:
    """The curve of return after an event.

    Args:
        peak: The release with most people away. The largest of several noisy numbers is a little too large.
        points: The peak and all later releases, in order.
    """

    peak: Moment
    points: tuple[ReturnPoint, ...]

    @property
    def half_life(self) -> HalfLife:
        """When half of the displaced had returned, fallen silent or become used to another place."""
        days = [point.days for point in self.points]
        shares = [point.returned for point in self.points]
        curves = [s.value for s in shares], [s.ci_high for s in shares], [s.ci_low for s in shares]
        return HalfLife(*(_crossing(days, curve) for curve in curves))


def excess(moment: Moment, usual: Estimate) -> Estimate:
    """Return the people away above the usual number; both follow from releases of their own, so variances add."""
    return moment.people_away - usual


def stock_checks(moments: Sequence[Moment]) -> tuple[StockCheck, ...]:
    """Compare each day's stock before with the stock of the day before, which another release measured.

    Within one release the stock adds up exactly: S(t) = S(t - 1) + newly away + reappeared - returned - lost, all
    being sums of the same nine rows. Across releases it holds within noise; days of which rows came late in between
    may differ by more.
    """
    return tuple(
        StockCheck(later, later.before - earlier.away)
        for earlier, later in pairwise(moments)
        if _are_neighbours(earlier, later)
    )


def returns(moments: Sequence[Moment], usual: Estimate) -> Returns | None:
    """Return the curve of return; nothing where no release shows more people away than usual, noise considered.

    Who fell silent while away is taken to be away as often as those seen. Where all people away cannot be told, the
    curve is of those last seen away: who falls silent then counts as no longer displaced.

    Args:
        moments: Releases from the onset on, in order.
        usual: People away in the week before.
    """
    peak = max(moments, key=lambda moment: moment.people_away.value, default=None)
    if peak is None or excess(peak, usual).ci_low <= 0:
        return None
    after = moments[moments.index(peak) :]
    return Returns(peak, tuple(_point(moment, peak, usual) for moment in after))


def _point(moment: Moment, peak: Moment, usual: Estimate) -> ReturnPoint:
    days = (_middle(moment) - _middle(peak)) / timedelta(days=1)
    return ReturnPoint(moment, days, Share(0.0, 0.0) if moment is peak else _returned(moment, peak, usual))


def _returned(moment: Moment, peak: Moment, usual: Estimate) -> Share:
    """One less the ratio of two excesses that share the usual number; error of the first order (delta method)."""
    whole = excess(peak, usual).value
    ratio = excess(moment, usual).value / whole
    variance = moment.people_away.sd**2 + (ratio * peak.people_away.sd) ** 2 + ((1 - ratio) * usual.sd) ** 2
    return Share(1 - ratio, sqrt(variance) / whole)


def _middle(moment: Moment) -> timedelta:
    """The middle of a period, since the calendar's first day: a week's value is a mean over its days."""
    return timedelta(days=moment.period.first_day.toordinal() + (moment.period.n_days - 1) / 2)


def _are_neighbours(earlier: Moment, later: Moment) -> bool:
    days = earlier.period.kind is later.period.kind is PeriodKind.DAY
    return days and later.period.first_day - earlier.period.first_day == timedelta(days=1)


def _crossing(days: Sequence[float], shares: Sequence[float]) -> float | None:
    """When a curve first reaches one half."""
    if shares and shares[0] >= HALF:
        return days[0]
    for (day, share), (next_day, next_share) in pairwise(zip(days, shares, strict=True)):
        if next_share >= HALF:
            return day + (HALF - share) / (next_share - share) * (next_day - day)
    return None
