"""A day's page and a year's calendar as single HTML files: no network, no script, a policy that forbids both."""

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Final

from jinja2 import DictLoader, Environment, StrictUndefined

from jobs.publish.paper.page import content_policy
from jobs.quality.record import RANK, DayRecord, Finding, Verdict

_TEMPLATES: Final = ("day.html.j2", "year.html.j2", "common.html.j2")
_STYLE: Final = "quality.css"

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM = 960.0, 250.0, 72.0, 14.0, 34.0
"""Of the chart of hours, in units: its size, and what is kept free for its axes."""

_MARKS: Final = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.ERROR: "✕", Verdict.NOT_JUDGED: "·"}
"""A sign beside every colour: nobody has to tell colours apart."""

_CLASSES: Final = {verdict: str(verdict).replace(" ", "-") for verdict in Verdict}


@dataclass(frozen=True)
class Bar:
    """An hour of the chart, in units.

    Args:
        hour: 0 to 23.
        x: Left edge.
        width: Width.
        y: Top of the bar.
        height: Height of the bar.
        usual_y: Where its median stands; none without a baseline.
        band: Top and height of what earlier days span; none without a baseline.
        title: All that in words.
    """

    hour: int
    x: float
    width: float
    y: float
    height: float
    usual_y: float | None
    band: tuple[float, float] | None
    title: str


def day_html(record: DayRecord, before: date | None, after: date | None) -> bytes:
    """Return a day's page.

    Args:
        record: The day's record.
        before: The day before it that has a page.
        after: The day after it that has one.
    """
    worst = sorted(record.findings, key=lambda finding: -RANK[finding.verdict])
    return _rendered(
        "day.html.j2",
        r=record,
        m=record.measures,
        before=before,
        after=after,
        wrong=[finding for finding in worst if RANK[finding.verdict] > RANK[Verdict.OK]],
        counts=_counts(record.findings),
        bars=_bars(record),
        top=_nice_top(record),
        read=sum(delivery.read for delivery in record.measures.deliveries),
        kept=sum(delivery.kept for delivery in record.measures.deliveries),
        size={"width": _WIDTH, "height": _HEIGHT, "left": _LEFT, "top": _TOP, "bottom": _BOTTOM},
    )


def year_html(year: int, records: Sequence[DayRecord], years: Sequence[int]) -> bytes:
    """Return a year's calendar.

    Args:
        year: The year.
        records: Records of its days.
        years: Years that have a calendar.
    """
    known = {record.day: record for record in records}
    months = [_month(year, month, known) for month in range(1, 13)]
    wrong = [record for record in reversed(records) if RANK[record.verdict] > RANK[Verdict.OK]]
    return _rendered(
        "year.html.j2",
        year=year,
        months=months,
        years=years,
        counts={verdict: sum(record.verdict is verdict for record in records) for verdict in Verdict},
        wrong=[(record, [f for f in record.findings if RANK[f.verdict] > RANK[Verdict.OK]]) for record in wrong],
        weekdays=[calendar.day_abbr[n] for n in range(7)],
    )


def _month(year: int, month: int, known: Mapping[date, DayRecord]) -> dict[str, object]:
    """A month's name and its weeks of seven days; days of other months are left empty."""
    weeks = calendar.Calendar().monthdatescalendar(year, month)
    cells = [[(day, known.get(day)) if day.month == month else None for day in week] for week in weeks]
    return {"name": calendar.month_name[month], "weeks": cells}


def _counts(findings: Sequence[Finding]) -> dict[Verdict, int]:
    return {verdict: sum(finding.verdict is verdict for finding in findings) for verdict in Verdict}


def _nice_top(record: DayRecord) -> float:
    """The end of the chart's axis: the smallest of 1, 2, 5, 10, 20, 50, ... that nothing exceeds."""
    highest = max([1.0, *(max(hour.rows, hour.high or 0) for hour in record.hours)])
    power = 10.0 ** (len(str(int(highest))) - 1)
    return next(step * power for step in (1, 2, 4, 5, 6, 8, 10) if step * power >= highest)


def _bars(record: DayRecord) -> list[Bar]:
    top, height = _nice_top(record), _HEIGHT - _TOP - _BOTTOM
    width = (_WIDTH - _LEFT) / len(record.hours)

    def y(rows: float) -> float:
        return round(_TOP + height * (1 - rows / top), 1)

    return [
        Bar(
            hour=hour.hour,
            x=round(_LEFT + hour.hour * width, 1),
            width=round(width, 1),
            y=y(hour.rows),
            height=round(_TOP + height - y(hour.rows), 1),
            usual_y=None if hour.usual is None else y(hour.usual),
            band=None
            if hour.low is None or hour.high is None
            else (y(hour.high), round(y(hour.low) - y(hour.high), 1)),
            title=f"{hour.hour:02}:00: {hour.rows:,} rows"
            + ("" if hour.usual is None else f"; usually {hour.usual:,.0f}, from {hour.low:,.0f} to {hour.high:,.0f}"),
        )
        for hour in record.hours
    ]


def _weekday(day: date) -> str:
    return calendar.day_name[day.weekday()]


def _rendered(template: str, **values: object) -> bytes:
    style = _resource(_STYLE)
    text = _environment().get_template(template).render(style=style, policy=content_policy(style), **values)
    return text.encode()


@cache
def _environment() -> Environment:
    # Names of cells and files come from operators' systems: everything is escaped.
    environment = Environment(
        loader=DictLoader({name: _resource(name) for name in _TEMPLATES}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        whole=lambda number: f"{number:,}",
        long_day=lambda day: f"{_weekday(day)} {day.day} {calendar.month_name[day.month]} {day.year}",
        weekday=_weekday,
        mark=_MARKS.__getitem__,
        style_of=_CLASSES.__getitem__,
        percent=lambda share: f"{share:.1%}".replace("%", " %"),
        clock=lambda hour: f"{hour:02}:00",
    )
    environment.globals.update(Verdict=Verdict, timedelta=timedelta)
    return environment


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
