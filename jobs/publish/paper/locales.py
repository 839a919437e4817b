"""How a language writes numbers, days and names, and the words that every paper of ours uses."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Final, Literal

from jobs.publish.situation.estimate import Estimate, Share, Trust, step_of

Direction = Literal["ltr", "rtl"]

LRI, RLI, PDI = "\u2066", "\u2067", "\u2069"
"""Signs of Unicode without width between which an inserted text keeps its own direction, and does not turn others."""

_CONTROLS: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Signs that turn the direction of all that follows: a name of a stranger's must not turn our text."""

MINUS: Final = "\u2212"
"""The sign as it is printed, as wide as a plus."""

_FROM_RIGHT: Final = frozenset({"R", "AL"})

Plural = Callable[[int], str]
"""From a count to the name of its form, as CLDR names it: zero, one, two, few, many or other."""


@dataclass(frozen=True)
class Counted:
    """A text that depends on a count.

    Args:
        forms: The text by form; in braces `{count}` and whatever else is filled in.
    """

    forms: Mapping[str, str]


def english_plural(count: int) -> str:
    """Return the form of a whole number in English (CLDR)."""
    return "one" if count == 1 else "other"


def french_plural(count: int) -> str:
    """Return the form of a whole number in French (CLDR, without its form of whole millions)."""
    return "one" if count in (0, 1) else "other"


def arabic_plural(count: int) -> str:
    """Return the form of a whole number in Arabic (CLDR)."""
    few_or_many = "few" if 3 <= count % 100 <= 10 else "many" if count % 100 >= 11 else "other"
    return {0: "zero", 1: "one", 2: "two"}.get(count, few_or_many)


@dataclass(frozen=True, kw_only=True)
class Locale:
    """How one language writes what is filled into texts, and the words of all papers.

    There are no defaults, so that a language that lacks a word is refused when it is imported, and by the type checker.

    Args:
        language: Its code (BCP 47).
        name: What its speakers call it.
        direction: In which it is written.
        plural: The form that a count takes.
        thousands: Sign between groups of three digits.
        decimal: Sign before decimals.
        months: Names of the months.
        short_months: The same, for an axis.
        first_of_month: The first day of a month, as the number of a day.
        date_form: A day, of `{day}`, `{month}` and `{year}`.
        short_date_form: A day on an axis, of `{day}` and `{short_month}`.
        month_form: A month, of `{month}` and `{year}`.
        interval: An interval, of `{low}` and `{high}`.
        with_interval: A number, of `{value}` and `{interval}`.
        percent: A share, of `{value}`.
        percent_range: A class of shares, of `{low}` and `{high}`.
        share_with_interval: A share in percent, of `{value}`, `{low}` and `{high}`.
        coordinates: A place.
        compass: North, south, east and west.
        list_separator: Between names of a list.
        trust: How sure a number is.
        no_number: Where a number cannot be told.
        synthetic: Mark of a paper about nobody.
        restricted: Mark of a paper that may not be handed on.
        zone_number: A zone without a name.
        zone_named: A zone with name and number.
        scale_km: Length of a scale bar.
        tip: What a reader is told who points at a zone.
        legend: Heading of legends, for those who cannot see them.
        legend_unsure: Hatched on a map.
        legend_unknown: Grey on a map.
        chart_alt: What a chart shows, for those who cannot see it.
        chart_alt_one: The same of a single day.
        chart_usual: The dashed line of a chart.
        unit: What is protected, of `{month}`, `{first}` and `{last}`.
        or_another_month: The same of a release that several months are charged for.
        epsilon: One conversion, of `{epsilon}` and `{delta}`.
        verified_keys: What was checked, with the reader's keys.
        verified: What was checked, without them.
        made_by: By what a paper was made.
    """

    language: str
    name: str
    direction: Direction
    plural: Plural
    thousands: str
    decimal: str
    months: tuple[str, ...]
    short_months: tuple[str, ...]
    first_of_month: str
    date_form: str
    short_date_form: str
    month_form: str
    interval: str
    with_interval: str
    percent: str
    percent_range: str
    share_with_interval: str
    coordinates: str
    compass: tuple[str, str, str, str]
    list_separator: str
    trust: Mapping[Trust, str]
    no_number: str
    synthetic: str
    restricted: str
    zone_number: str
    zone_named: str
    scale_km: str
    tip: str
    legend: str
    legend_unsure: str
    legend_unknown: str
    chart_alt: str
    chart_alt_one: str
    chart_usual: str
    unit: str
    or_another_month: str
    epsilon: str
    verified_keys: str
    verified: str
    made_by: str

    def day(self, day: date) -> str:
        """Return a day in full."""
        return self.date_form.format(day=self._of_month(day), month=self.months[day.month - 1], year=day.year)

    def short_day(self, day: date) -> str:
        """Return a day for an axis."""
        return self.short_date_form.format(day=self._of_month(day), short_month=self.short_months[day.month - 1])

    def month(self, year: int, month: int) -> str:
        """Return a month with its year."""
        return self.month_form.format(month=self.months[month - 1], year=year)

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number in the language's form; never "-0"."""
        text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
        return "".join({",": self.thousands, ".": self.decimal}.get(sign, sign) for sign in text)

    def counted(self, text: Counted, count: int, **more: str) -> str:
        """Return a text in the form that a count takes, with the count filled in."""
        return text.forms[self.plural(count)].format(count=self.number(count), **more)

    def rounded(self, estimate: Estimate) -> str:
        """Return an estimate rounded as its interval allows, without the interval; not below zero."""
        return self.number(max(0.0, _to(step_of(estimate), estimate.value)))

    def range_of(self, estimate: Estimate) -> str:
        """Return an interval rounded as it allows; not below zero."""
        ends = (_to(step_of(estimate), end) for end in (estimate.ci_low, estimate.ci_high))
        low, high = (self.number(max(0.0, end)) for end in ends)
        return self.interval.format(low=low, high=high)

    def signed(self, estimate: Estimate | None) -> str:
        """Return a difference with its sign and its interval, or that it cannot be told from noise."""
        if estimate is None or estimate.ci_low <= 0 <= estimate.ci_high:
            return self.no_number
        step = step_of(estimate)
        value, low, high = (
            self._with_sign(_to(step, one)) for one in (estimate.value, estimate.ci_low, estimate.ci_high)
        )
        return self.with_interval.format(value=value, interval=self.interval.format(low=low, high=high))

    def _with_sign(self, value: float) -> str:
        return self.inserted(f"{'+' if value > 0 else MINUS if value < 0 else ''}{self.number(abs(value))}")

    def at_most(self, estimate: Estimate) -> str:
        """Return the upper end of an interval, rounded up as it allows."""
        step = step_of(estimate)
        return self.number(max(step, ceil(estimate.ci_high / step) * step))

    def estimated(self, estimate: Estimate) -> str:
        """Return an estimate with its interval."""
        return self.with_interval.format(value=self.rounded(estimate), interval=self.range_of(estimate))

    def told(self, estimate: Estimate | None) -> str:
        """Return an estimate with its interval, or that it cannot be told from noise."""
        known = estimate is not None and estimate.trust is not Trust.NOT
        return self.estimated(estimate) if estimate is not None and known else self.no_number

    def shared(self, share: Share) -> str:
        """Return a share in percent with its interval."""
        parts = (min(1.0, max(0.0, share.value)), share.ci_low, share.ci_high)
        value, low, high = (self.number(100 * part) for part in parts)
        return self.share_with_interval.format(value=value, low=low, high=high)

    def in_percent(self, share: float) -> str:
        """Return a share in percent that has no error of its own."""
        return self.percent.format(value=self.number(100 * share))

    def position(self, longitude: float, latitude: float) -> str:
        """Return where something lies, to a tenth of a degree."""
        north, south, east, west = self.compass
        return self.coordinates.format(
            latitude=self.number(abs(latitude), 1),
            north_south=north if latitude >= 0 else south,
            longitude=self.number(abs(longitude), 1),
            east_west=east if longitude >= 0 else west,
        )

    def inserted(self, text: str) -> str:
        """Return a text of another hand, such as a name or a code, so that it keeps its order among these words.

        Signs that would turn the direction of the text around it are left out.
        """
        plain = _CONTROLS.sub("", text)
        own = direction_of(plain)
        if not plain or own == self.direction:
            return plain
        return f"{RLI if own == 'rtl' else LRI}{plain}{PDI}"

    def _of_month(self, day: date) -> str:
        return self.first_of_month if day.day == 1 else str(day.day)


def direction_of(text: str) -> Direction:
    """Return the direction of a text by its first letter; from left to right where it has none (UAX 9, rule P2)."""
    kinds = (unicodedata.bidirectional(sign) for sign in text)
    first = next((kind for kind in kinds if kind in {"L", *_FROM_RIGHT}), "L")
    return "rtl" if first in _FROM_RIGHT else "ltr"


def _to(step: float, value: float) -> float:
    return round(value / step) * step
