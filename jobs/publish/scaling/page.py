"""The page of representativeness: one self-contained HTML file with a map and a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import jinja2

from jobs.publish.drawn_zones import DrawnZones
from jobs.publish.marks import marks_of
from jobs.publish.paper.page import content_policy
from jobs.publish.plain_csv import csv_of
from jobs.publish.released import Released
from jobs.publish.scaling.census import Population
from jobs.publish.scaling.representativeness import COLUMNS, Reached, reached
from jobs.publish.situation.estimate import Trust
from jobs.publish.situation.geometry import Rings, Sheet, ground_of, sheet_around
from privacy.durable import write_public
from privacy.intervals import Z_95

PAGE: Final = "representativeness.html"
TABLE: Final = "representativeness.csv"

WIDTH, HEIGHT, MARGIN = 720.0, 520.0, 8.0

CLASSES: Final = (
    (0.5, "far-below", "below half of the country's share"),
    (0.8, "below", "half to four fifths of it"),
    (1.25, "like", "four fifths to five quarters"),
    (2.0, "above", "five quarters to twice"),
    (float("inf"), "far-above", "twice and more"),
)
"""Upper ends of classes of a zone's share over the country's, their names for the style sheet and for readers."""

UNKNOWN: Final = ("unknown", "not known, or not told from noise")


@dataclass(frozen=True)
class Drawn:
    """A zone of the map.

    Args:
        kind: Its class.
        path: Its outline, as an SVG path.
        label: What it says when pointed at.
    """

    kind: str
    path: str
    label: str


@dataclass(frozen=True)
class Line:
    """A line of the table, in words.

    Args:
        kind: The zone's class.
        cells: Its cells.
    """

    kind: str
    cells: tuple[str, ...]


def write_representativeness(
    stock: Released, population: Population, zones: DrawnZones, out: Path
) -> tuple[Path, Path]:
    """Write the page and the table into a folder; equal input gives equal bytes."""
    found = list(reached(stock, population, zones))
    page, table = out / PAGE, out / TABLE
    marks = marks_of([stock])
    write_public(table, csv_of(COLUMNS, (one.cells(stock.card.period) | marks for one in found)))
    write_public(page, page_html(stock, population, zones, found))
    return page, table


def page_html(stock: Released, population: Population, zones: DrawnZones, found: Sequence[Reached]) -> bytes:
    """Return the page: the finest level at which half of the zones have people, mapped and listed."""
    level = level_shown(found)
    shown = [one for one in found if one.level == level]
    style = _resource("representativeness.css")
    told = _template().render(
        title=f"{stock.card.title}, beside {population.source}",
        card=stock.card,
        population=population,
        level=zones.zoning.place(level),
        country=_country(shown),
        classes=[(kind, words) for _, kind, words in CLASSES] + [UNKNOWN],
        drawn=_drawn(stock, shown),
        lines=[_line(one) for one in sorted(shown, key=lambda one: (-(one.people or 0), one.zone))],
        sha256=stock.report.sha256,
        style=style,
        policy=content_policy(style),
        width=WIDTH,
        height=HEIGHT,
    )
    return told.encode()


def level_shown(found: Sequence[Reached]) -> int:
    """Return the finest level at which half of the zones have people; else the coarsest."""
    levels = sorted({one.level for one in found}, reverse=True)
    known = {level: [one.people is not None for one in found if one.level == level] for level in levels}
    return next((level for level in levels if 2 * sum(known[level]) >= len(known[level])), levels[-1])


def class_of(one: Reached) -> str:
    """Return the class of a zone; unknown where its share is not told from noise."""
    if one.share is None or one.relative is None or one.share.trust is Trust.NOT:
        return UNKNOWN[0]
    relative = one.relative
    return next(kind for limit, kind, _ in CLASSES if relative < limit)


def _drawn(stock: Released, shown: Sequence[Reached]) -> list[Drawn]:
    ground = ground_of(stock.zones)
    sheet = sheet_around(ground.box(one.zone for one in shown), width=WIDTH, height=HEIGHT, margin=MARGIN)
    return [Drawn(class_of(one), _path(sheet, ground.rings.get(one.zone, ())), _label(one)) for one in shown]


def _path(sheet: Sheet, rings: Rings) -> str:
    return "".join(f"M{'L'.join(f'{x:g} {y:g}' for x, y in ring)}Z" for ring in sheet.rings(rings))


def _label(one: Reached) -> str:
    return f"{one.name}: {_share(one)}"


def _share(one: Reached) -> str:
    if one.share is None:
        return one.reason
    low, high = max(0.0, one.share.ci_low), one.share.ci_high
    return f"{100 * max(0.0, one.share.value):.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _line(one: Reached) -> Line:
    people = "" if one.people is None else f"{one.people:,.0f}"
    half = Z_95 * one.subscribers.sd
    return Line(
        class_of(one),
        (
            one.name,
            f"{one.subscribers.value:,.0f} ± {half:,.0f}",
            people,
            _share(one),
            "" if one.relative is None else f"{one.relative:.2f}",
        ),
    )


def _country(shown: Sequence[Reached]) -> str:
    both = [one for one in shown if one.people]
    people = sum(one.people or 0.0 for one in both)
    if not people:
        return "No zone has both subscribers and people."
    subscribers = sum(one.subscribers.value for one in both)
    half = Z_95 * sum(one.subscribers.sd**2 for one in both) ** 0.5
    return (
        f"{subscribers:,.0f} ± {half:,.0f} subscribers for {people:,.0f} people in {len(both):,} of {len(shown):,} "
        f"zones: {100 * subscribers / people:.1f} %."
    )


def _resource(name: str) -> str:
    return files("jobs.publish.scaling").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> jinja2.Template:
    # Names of zones and titles come from a bundle that a stranger may have sent: everything is escaped.
    return jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(_resource("representativeness.html.j2"))
