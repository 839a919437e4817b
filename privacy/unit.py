"""What is protected: all records of one subscriber in a privacy month, and the periods that lie inside one.

A **privacy month** is the four or five ISO weeks whose Thursday falls in a calendar month: ISO 8601 gives a
week to the year of its Thursday, and this gives it to a month in the same way. Days, ISO weeks and privacy
months nest, so no release straddles two units unless it looks back, and then its charges say so.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache

from schemas.errors import ConfigError, PrivacyError

_FIRST_YEAR, _LAST_YEAR = 1970, 2199
"""Years that a record can carry: a two-digit year or a typing error falls outside."""

_REMEMBERED = 4096
"""Periods kept once read: a ledger names few periods many times, and its check reads them all."""

_THURSDAY = 3
"""Days from Monday to Thursday, the day that decides where an ISO week belongs."""

_MONTH_TEXT = re.compile(r"(\d{4})-(\d{2})", re.ASCII)
_WEEK_TEXT = re.compile(r"(\d{4})-W(\d{2})", re.ASCII)
_DAY_TEXT = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)


class PeriodKind(StrEnum):
    """How long a release looks."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, order=True)
class PrivacyMonth:
    """The unit of privacy in time: the ISO weeks whose Thursday falls in this calendar month.

    Args:
        year: Calendar year, 1970 to 2199.
        month: Calendar month, 1 to 12.
    """

    year: int
    month: int

    def __post_init__(self) -> None:
        if not (_FIRST_YEAR <= self.year <= _LAST_YEAR and 1 <= self.month <= 12):
            raise ConfigError(
                f"{self.year}-{self.month} is not a month.",
                expected=f"a year from {_FIRST_YEAR} to {_LAST_YEAR} and a month from 1 to 12",
                remedy="write the month as 2026-03",
            )

    @classmethod
    def parse(cls, text: str) -> "PrivacyMonth":
        """Read `2026-03`.

        Raises:
            ConfigError: The text is not a month.
        """
        return _month(text)

    @classmethod
    def of(cls, day: date) -> "PrivacyMonth":
        """The one privacy month that a day belongs to."""
        thursday = _monday(day) + timedelta(days=_THURSDAY)
        return cls(thursday.year, thursday.month)

    def next(self, n: int = 1) -> "PrivacyMonth":
        """The n-th month after this one; before it, where n is negative."""
        years, month = divmod(self.month - 1 + n, 12)
        return PrivacyMonth(self.year + years, month + 1)

    @property
    def first_day(self) -> date:
        """Monday of the first week whose Thursday falls in the calendar month."""
        # the first Thursday is one of the days 1 to 7, so the 4th of the month always lies in its week
        return _monday(date(self.year, self.month, 4))

    @property
    def last_day(self) -> date:
        """Sunday of the last week."""
        # as above: the 4th of the next calendar month lies in the week after
        years, month = divmod(self.month, 12)
        return _monday(date(self.year + years, month + 1, 4)) - timedelta(days=1)

    @property
    def days(self) -> tuple[date, ...]:
        """The 28 or 35 days, in order."""
        return _days(self.first_day, self.last_day)

    @property
    def weeks(self) -> "tuple[Period, ...]":
        """The four or five ISO weeks, in order."""
        return tuple(Period(PeriodKind.WEEK, monday) for monday in self.days[::7])

    @property
    def period(self) -> "Period":
        """This month as the period of a monthly release."""
        return Period(PeriodKind.MONTH, self.first_day)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True)
class Period:
    """The days that one release describes: a day, an ISO week or a privacy month. Never straddles two months.

    Args:
        kind: Day, week or month.
        first_day: The day, the week's Monday, or the first Monday of the privacy month.
    """

    kind: PeriodKind
    first_day: date

    def __post_init__(self) -> None:
        if self.first_day != _first_day(self.kind, self.first_day):
            raise ConfigError(
                f"No {self.kind} begins on {self.first_day}.",
                expected=f"{_first_day(self.kind, self.first_day)}, the {self.kind}'s first day",
                remedy="use Period.of or Period.parse",
            )

    @classmethod
    def of(cls, kind: PeriodKind, day: date) -> "Period":
        """The period of this kind that a day lies in."""
        return cls(kind, _first_day(kind, day))

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Read a day `2026-03-02`, an ISO week `2026-W10` or a privacy month `2026-03`.

        Raises:
            ConfigError: The text is none of these, or the calendar has no such day or week.
        """
        try:
            return _parsed(text)
        except ValueError:
            raise _not_a_period(text) from None

    @cached_property
    def privacy_month(self) -> PrivacyMonth:
        """The one unit of privacy that the period lies in."""
        return PrivacyMonth.of(self.first_day)

    @property
    def last_day(self) -> date:
        """The last day of the period, inclusive."""
        match self.kind:
            case PeriodKind.DAY:
                return self.first_day
            case PeriodKind.WEEK:
                return self.first_day + timedelta(days=6)
            case PeriodKind.MONTH:
                return self.privacy_month.last_day

    @property
    def days(self) -> tuple[date, ...]:
        """All days of the period, in order."""
        return _days(self.first_day, self.last_day)

    @property
    def n_days(self) -> int:
        """Number of days: 1, 7, 28 or 35."""
        return (self.last_day - self.first_day).days + 1

    def __str__(self) -> str:
        match self.kind:
            case PeriodKind.DAY:
                return self.first_day.isoformat()
            case PeriodKind.WEEK:
                year, week, _ = self.first_day.isocalendar()
                return f"{year:04}-W{week:02}"
            case PeriodKind.MONTH:
                return str(self.privacy_month)


@dataclass(frozen=True, order=True)
class Charge:
    """What one release costs one pool of one privacy month.

    Args:
        pool: Name of the pool in the policy.
        privacy_month: Month whose records the release depends on, `2026-03`.
        micro_rho: Privacy loss in millionths of a zCDP rho; a whole number, so that sums are exact.
    """

    pool: str
    privacy_month: str
    micro_rho: int

    def __post_init__(self) -> None:
        PrivacyMonth.parse(self.privacy_month)
        if type(self.micro_rho) is not int or self.micro_rho <= 0:
            raise PrivacyError(
                f"A charge of {self.micro_rho!r} micro-rho cannot be booked.",
                expected="a whole number above zero",
                remedy="round a fraction up",
            )


@dataclass(frozen=True)
class ScheduledRelease:
    """One release of a schedule that is paid for as a whole.

    Args:
        period: What it will describe.
        charges: What it costs, by pool and month.
    """

    period: Period
    charges: tuple[Charge, ...]


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _days(first: date, last: date) -> tuple[date, ...]:
    return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))


def _first_day(kind: PeriodKind, day: date) -> date:
    match kind:
        case PeriodKind.DAY:
            return day
        case PeriodKind.WEEK:
            return _monday(day)
        case PeriodKind.MONTH:
            return PrivacyMonth.of(day).first_day


@lru_cache(maxsize=_REMEMBERED)
def _month(text: str) -> PrivacyMonth:
    if match := _MONTH_TEXT.fullmatch(text):
        return PrivacyMonth(*map(int, match.groups()))
    raise ConfigError(f"{text!r} is not a month.", expected="YYYY-MM", remedy="write the month as 2026-03")


@lru_cache(maxsize=_REMEMBERED)
def _parsed(text: str) -> Period:
    if match := _DAY_TEXT.fullmatch(text):
        return Period(PeriodKind.DAY, date(*map(int, match.groups())))
    if match := _WEEK_TEXT.fullmatch(text):
        year, week = map(int, match.groups())
        return Period(PeriodKind.WEEK, date.fromisocalendar(year, week, 1))
    if _MONTH_TEXT.fullmatch(text):
        return PrivacyMonth.parse(text).period
    raise _not_a_period(text)


def _not_a_period(text: str) -> ConfigError:
    return ConfigError(
        f"{text!r} is not a period.",
        expected="a day of the calendar (2026-03-02), an ISO week (2026-W10) or a month (2026-03)",
        remedy="write the period in ISO 8601",
    )
