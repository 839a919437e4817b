"""A small line chart with its interval band."""

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from jobs.publish.paper.drawing import Anchor, Area, Disc, Drawing, Label, Line, Mark, Place
from jobs.publish.paper.locales import Locale
from jobs.publish.situation.estimate import Estimate

WIDTH, HEIGHT = 330.0, 172.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 12.0, 12.0, 28.0
"""Size of a chart, and what is kept free for its axes, in units."""

INK, SOFT, GRID = "#1d2733", "#5b6672", "#dfe3e8"
TEXT: Final = 14.5
"""Letters of the axes: still readable where the PDF shows a chart 46 mm wide."""


@dataclass(frozen=True)
class Series:
    """One number day by day.

    Args:
        name: Short name, unique on the page.
        title: What it is.
        days: Middle of each period, in order.
        estimates: One a period.
        colour: Of line and band.
        usual: The number before the event, drawn as a dashed line.
    """

    name: str
    title: str
    days: tuple[date, ...]
    estimates: tuple[Estimate, ...]
    colour: str
    usual: Estimate | None = None


@dataclass(frozen=True)
class _Axes:
    first: date
    last: date
    top: float

    def place(self, day: date, value: float) -> Place:
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        length = (self.last - self.first).days
        across = (day - self.first).days / length if length else 0.5
        up = min(1.0, max(0.0, value / self.top))
        return (round(LEFT + width * across, 1), round(TOP + height * (1 - up), 1))


def nice_top(highest: float) -> float:
    """Return the smallest of 1, 2, 4, 5, 10, 20, 40, 50, ... that is not below `highest`."""
    power = 10.0 ** np.floor(np.log10(max(highest, 1.0)))
    return float(min(step * power for step in (1, 2, 4, 5, 10) if step * power >= highest or step == 10))


def chart_of(series: Series, locale: Locale) -> Drawing:
    """Draw a series from zero up, with its 95 % band."""
    shown = [*series.estimates, *([series.usual] if series.usual else [])]
    axes = _Axes(series.days[0], series.days[-1], nice_top(max(e.ci_high for e in shown)))
    marks = (*_grid(axes, locale), *_usual(axes, series, locale), *_band(axes, series), *_line(axes, series))
    return Drawing(series.name, series.title, _described(series, locale), WIDTH, HEIGHT, marks)


def _grid(axes: _Axes, locale: Locale) -> list[Mark]:
    marks: list[Mark] = []
    for value in (0.0, axes.top / 2, axes.top):
        _, y = axes.place(axes.first, value)
        marks.append(Line(((LEFT, y), (WIDTH - RIGHT, y)), GRID if value else SOFT, 1.0))
        decimals = 0 if axes.top >= 2 else 1
        marks.append(Label((LEFT - 6, y + 5), locale.number(value, decimals), TEXT, SOFT, "end"))
    return [*marks, *_day_labels(axes, locale)]


def _day_labels(axes: _Axes, locale: Locale) -> list[Mark]:
    if axes.first == axes.last:
        return [_day_label(axes, axes.first, "middle", locale)]
    return [_day_label(axes, axes.first, "start", locale), _day_label(axes, axes.last, "end", locale)]


def _day_label(axes: _Axes, day: date, anchor: Anchor, locale: Locale) -> Label:
    x, _ = axes.place(day, 0)
    return Label((x, HEIGHT - 8), locale.short_day(day), TEXT, SOFT, anchor)


def _usual(axes: _Axes, series: Series, locale: Locale) -> list[Mark]:
    if series.usual is None:
        return []
    _, y = axes.place(axes.first, series.usual.value)
    line = Line(((LEFT, y), (WIDTH - RIGHT, y)), INK, 1.4, dashed=True)
    return [line, Label((WIDTH - RIGHT, y - 5), locale.chart_usual, TEXT, INK, "end", halo=True)]


def _band(axes: _Axes, series: Series) -> list[Mark]:
    both = list(zip(series.days, series.estimates, strict=True))
    if len(both) == 1:
        ((day, estimate),) = both
        ends = (axes.place(day, estimate.ci_low), axes.place(day, estimate.ci_high))
        return [Line(ends, series.colour, 5.0)]
    upper = [axes.place(day, estimate.ci_high) for day, estimate in both]
    lower = [axes.place(day, estimate.ci_low) for day, estimate in reversed(both)]
    return [Area((tuple(upper + lower),), series.colour, opacity=0.25)]


def _line(axes: _Axes, series: Series) -> list[Mark]:
    places = tuple(axes.place(day, e.value) for day, e in zip(series.days, series.estimates, strict=True))
    dots: list[Mark] = [Disc(place, 2.6, series.colour) for place in places[:-1]]
    return [Line(places, series.colour, 2.4), *dots, Disc(places[-1], 5.0, series.colour, "#ffffff")]


def _described(series: Series, locale: Locale) -> str:
    first, last = series.estimates[0], series.estimates[-1]
    told = {
        "title": series.title,
        "first": locale.day(series.days[0]),
        "last": locale.day(series.days[-1]),
        "from_n": locale.estimated(first),
        "to_n": locale.estimated(last),
    }
    return (locale.chart_alt if len(series.days) > 1 else locale.chart_alt_one).format(**told)
