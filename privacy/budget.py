"""The budget ahead: what a policy will charge to every privacy month, before the first of them opens."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from privacy.policy import EventPolicy, Policy, ProductPolicy
from privacy.unit import PeriodKind, PrivacyMonth
from schemas.errors import BudgetExceededError

PLANNED_MONTHS: Final = 24
"""Two years: the longest look-back (migration) and the life of a key epoch."""

_REMEMBERED: Final = 32
"""Calendars of an event kept: every release simulates its own, and those of one event share a few."""

_RELEASES_IN_FIVE_WEEKS: Final[Mapping[PeriodKind, int]] = {
    PeriodKind.DAY: 35,
    PeriodKind.WEEK: 5,
    PeriodKind.MONTH: 1,
}


@dataclass(frozen=True)
class ProductCharge:
    """What one product charges to one privacy month, look-backs of later releases included.

    Args:
        product: Name of the product.
        kind: Length of its period: `day`, `week`, `month`, or `event`.
        pool: Pool that pays.
        micro_rho: Sum of the charges.
    """

    product: str
    kind: str
    pool: str
    micro_rho: int


@dataclass(frozen=True)
class PoolPlan:
    """One pool in one privacy month.

    Args:
        pool: Name of the pool.
        cap_micro_rho: The most it may be charged.
        charged_micro_rho: What the policy will charge.
    """

    pool: str
    cap_micro_rho: int
    charged_micro_rho: int

    @property
    def left_micro_rho(self) -> int:
        """What is left; below zero where the policy overruns."""
        return self.cap_micro_rho - self.charged_micro_rho

    @property
    def share(self) -> float:
        """How full the month gets, 1 at the cap."""
        return self.charged_micro_rho / self.cap_micro_rho


@dataclass(frozen=True)
class MonthPlan:
    """One row of the calendar.

    Args:
        month: The privacy month.
        n_weeks: Its ISO weeks, 4 or 5.
        charges: By product, in the policy's order.
        pools: By pool, in the policy's order.
    """

    month: PrivacyMonth
    n_weeks: int
    charges: tuple[ProductCharge, ...]
    pools: tuple[PoolPlan, ...]


Onsets = Sequence[date] | None
"""Days on which events are declared; None: each month shows the worst that one event on any day can charge to it."""


def plan(
    policy: Policy, first_month: PrivacyMonth, months: int = PLANNED_MONTHS, onsets: Onsets = None
) -> tuple[MonthPlan, ...]:
    """Simulate the policy over the months ahead and refuse it where a pool would be overrun.

    Every product is released at every opportunity. What an event charges is what the ledger books when it is opened.

    Args:
        policy: The policy.
        first_month: First month of the calendar.
        months: Number of months, at least 1.
        onsets: Days of the events to simulate; opening two over the same months is refused as the ledger would.

    Raises:
        BudgetExceededError: A pool of a month would be overrun.
    """
    calendar = simulate(policy, first_month, months, onsets)
    refuse_overrun(calendar)
    return calendar


def refuse_overrun(calendar: Sequence[MonthPlan]) -> None:
    """Refuse a calendar in which a pool of a month is overrun; the first such month is named.

    Raises:
        BudgetExceededError: There is one.
    """
    for month in calendar:
        for pool in month.pools:
            if pool.left_micro_rho < 0:
                raise _overrun(month, pool)


def simulate(
    policy: Policy, first_month: PrivacyMonth, months: int = PLANNED_MONTHS, onsets: Onsets = None
) -> tuple[MonthPlan, ...]:
    """The calendar of `plan`, refusing nothing: what to show of a policy that overruns."""
    span = tuple(first_month.next(n) for n in range(months))
    products = [(entry, _charged(entry, span)) for entry in policy.products]
    events = [(entry, _worst(entry, span) if onsets is None else _opened(entry, onsets)) for entry in policy.events]
    return tuple(
        _month_plan(
            policy,
            month,
            (
                *(ProductCharge(e.product, e.kind, e.pool, total[str(month)]) for e, total in products),
                *(ProductCharge(e.product, "event", e.pool, total[str(month)]) for e, total in events),
            ),
        )
        for month in span
    )


def tightest(calendar: Sequence[MonthPlan]) -> Mapping[str, PrivacyMonth]:
    """For each pool the month in which least is left, the first of them where several are alike."""
    pools = [(pool.pool, pool.left_micro_rho, month.month) for month in calendar for pool in month.pools]
    return {name: min((left, month) for other, left, month in pools if other == name)[1] for name, _, _ in pools}


def months_to_show(
    policy: Policy, first_month: PrivacyMonth, months: int, onsets: Sequence[date]
) -> tuple[PrivacyMonth, int]:
    """First month and length of a calendar that shows the months asked for, and all that the events charge."""
    charged = {charge.privacy_month for event in policy.events for onset in onsets for charge in event.charges(onset)}
    shown = {first_month, first_month.next(months - 1), *map(PrivacyMonth.parse, charged)}
    first, last = min(shown), max(shown)
    return first, 12 * (last.year - first.year) + last.month - first.month + 1


def five_week_ceiling(policy: Policy) -> tuple[ProductCharge, ...]:
    """The most that each periodic product can charge to a month, as if every month had five weeks.

    The table of privacy/proofs/accounting.md. An upper bound for any calendar, because two months in a row have nine
    weeks at most.
    """
    return tuple(ProductCharge(entry.product, entry.kind, entry.pool, _ceiling(entry)) for entry in policy.products)


def _charged(product: ProductPolicy, span: tuple[PrivacyMonth, ...]) -> Counter[str]:
    """What a product charges by month: releases charge their own month and earlier ones, never later ones."""
    total: Counter[str] = Counter()
    for own in (*span, *_look_back(product, span[-1])):
        for period in product.periods(own):
            for charge in product.charges(period):
                total[charge.privacy_month] += charge.micro_rho
    return total


def _look_back(product: ProductPolicy, last: PrivacyMonth) -> Iterator[PrivacyMonth]:
    """The months after the calendar's end whose releases look back into it."""
    farthest = max(rule.months_back[1] for rule in product.charged)
    return (last.next(n) for n in range(1, farthest + 1))


@lru_cache(maxsize=_REMEMBERED)
def _worst(event: EventPolicy, span: tuple[PrivacyMonth, ...]) -> Mapping[str, int]:
    """The most that one event charges to each month, over all days of onset that can reach it."""
    reach = timedelta(days=event.daily_releases + 7 * event.weekly_releases + event.look_back_days)
    before = timedelta(days=7 * event.weekly_before + event.look_back_days)
    day, last = span[0].first_day - reach, span[-1].next().last_day + before
    worst: Counter[str] = Counter()
    while day <= last:
        worst |= Counter({charge.privacy_month: charge.micro_rho for charge in event.charges(day)})
        day += timedelta(days=1)
    return worst


def _opened(event: EventPolicy, onsets: Sequence[date]) -> Counter[str]:
    """What events of these days charge to each month, together."""
    total: Counter[str] = Counter()
    for onset in onsets:
        total.update({charge.privacy_month: charge.micro_rho for charge in event.charges(onset)})
    return total


def _ceiling(product: ProductPolicy) -> int:
    months = sum(rule.factor * _releases_that_reach_a_month(product, rule.months_back) for rule in product.charged)
    return product.micro_rho * _RELEASES_IN_FIVE_WEEKS[product.kind] * months


def _releases_that_reach_a_month(product: ProductPolicy, months_back: tuple[int, int]) -> int:
    """The most months of release that reach one and the same month: 2 for a yearly look at 24 months."""
    nearest, farthest = months_back
    later = range(nearest, farthest + 1)
    return max(sum((m + n) % 12 + 1 in product.calendar_months for n in later) for m in range(12))


def _month_plan(policy: Policy, month: PrivacyMonth, charges: tuple[ProductCharge, ...]) -> MonthPlan:
    charged: Counter[str] = Counter()
    for charge in charges:
        charged[charge.pool] += charge.micro_rho
    pools = tuple(PoolPlan(pool, cap, charged[pool]) for pool, cap in policy.caps.items())
    return MonthPlan(month, len(month.weeks), charges, pools)


def _overrun(month: MonthPlan, pool: PoolPlan) -> BudgetExceededError:
    by_events = any(charge.pool == pool.pool and charge.kind == "event" for charge in month.charges)
    return BudgetExceededError(
        f"The policy would charge {pool.charged_micro_rho} micro-rho to pool {pool.pool} of {month.month}.",
        expected=f"at most {pool.cap_micro_rho}",
        remedy="open no second event over the same months, or lower what one costs"
        if by_events
        else "lower a product's micro_rho, or release it less often",
    )
