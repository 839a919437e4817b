"""The situation on one sheet of paper."""

from typing import Final

import matplotlib as mpl

from jobs.publish.situation.drawing import Drawing, Place
from jobs.publish.situation.sheet import HEIGHT, WIDTH, Sheet, Type, columns, fitted, shrunk, width_of, wrapped
from jobs.publish.situation.view import KeyFigure, MapView, Situation, Table

MARGIN: Final = 11.0
INNER: Final = WIDTH - 2 * MARGIN
GAP: Final = 4.0
"""Millimetres: the margins of the page, what is between them, and between blocks."""

SOFT, RULE, BLUE, RED, PANEL = "#404b57", "#c3cad2", "#0b4f8a", "#7a1f1f", "#f1f5f9"

HEADING = Type(9.5, bold=True)
SMALL, TINY = Type(6.6, SOFT), Type(6.2, SOFT)
CELL, CELL_HEAD = Type(6.3), Type(6.1, SOFT, bold=True)
ROW: Final = 3.12
"""Millimetres a row of a table."""

COLUMN_GAP: Final = 2.0
"""Millimetres between columns."""

MOST_SQUEEZED: Final = 0.35
"""Share of the room that they need which names get at least; the other columns shrink before they get less."""

LEFT_SHARE: Final = 0.58
"""Of the inner width, what the tables take."""

POINT_SIZES: Final = (6.6, 6.3, 6.0, 5.7, 5.4, 5.0, 4.6)
"""Points, of the letters of what cannot be seen, the first that fits."""

INDENT, BETWEEN_POINTS = 2.2, 0.35
"""Millimetres."""

TABLE_HEAD, FOOT = 13.5, 14.0
"""Millimetres of a table above its rows, and of what stands at the foot of the page."""


def report_pdf(situation: Situation) -> bytes:
    """Return the situation as a one-page PDF: the same bytes for the same situation."""
    # Text is measured while it is set, so a user's matplotlib style has to be out of the way from the beginning.
    with mpl.rc_context(mpl.rcParamsDefault):
        return report_sheet(situation).pdf(situation.title)


def report_sheet(situation: Situation) -> Sheet:
    """Set the page, block under block."""
    sheet = Sheet()
    y = _head(sheet, situation)
    y = _lead(sheet, situation, y)
    if situation.key_figures:
        y = _key_figures(sheet, situation.key_figures, y)
        y = _maps(sheet, situation.maps, y)
    y = _network(sheet, situation, y)
    if situation.key_figures:
        _figures(sheet, situation, y)
    else:
        _blind(sheet, (MARGIN, y), situation, INNER)
    _foot(sheet, situation)
    return sheet


def _head(sheet: Sheet, situation: Situation) -> float:
    sheet.text((MARGIN, 13.5), situation.words.report, Type(8, SOFT))
    right = WIDTH - MARGIN
    for mark in reversed(situation.marks):
        how = Type(7.2, "#ffffff", bold=True)
        width = width_of(mark, how) + 4
        sheet.box((right - width, 10.2), width, 4.8, fill=RED)
        sheet.text((right - width + 2, 13.5), mark, how)
        right -= width + 2
    on = Type(9.5, SOFT)
    room = INNER - width_of(situation.on, on) - 4
    name = shrunk(situation.event, Type(17, bold=True), room)
    sheet.text((MARGIN, 21.5), fitted(situation.event, name, room), name)
    sheet.text((WIDTH - MARGIN, 21.5), situation.on, on, "end")
    sheet.rule((MARGIN, 24.5), INNER, BLUE, 2.2)
    return 26.0


def _lead(sheet: Sheet, situation: Situation, y: float) -> float:
    y = sheet.paragraph((MARGIN, y), situation.headline, Type(13, bold=True), INNER)
    y = sheet.paragraph((MARGIN, y + 0.8), " ".join(situation.changes), Type(9.6), INNER)
    if situation.age:
        y = sheet.paragraph((MARGIN, y + 0.8), situation.age, Type(8, bold=True), INNER)
    return sheet.paragraph((MARGIN, y + 0.4), situation.words.kind, Type(7, SOFT), INNER) + 2.5


def _key_figures(sheet: Sheet, figures: tuple[KeyFigure, ...], y: float) -> float:
    width = (INNER - (len(figures) - 1) * 3) / len(figures)
    for number, figure in enumerate(figures):
        x = MARGIN + number * (width + 3)
        sheet.box((x, y), width, 14.6, fill=PANEL)
        sheet.text((x + 2, y + 3.8), figure.label, shrunk(figure.label, Type(7, SOFT), width - 4))
        sheet.text((x + 2, y + 9.6), figure.value, Type(14.5, bold=True))
        told = " · ".join(text for text in (figure.range, figure.trust) if text)
        sheet.text((x + 2, y + 13.1), told, shrunk(told, Type(6.8, SOFT), width - 4))
    return y + 14.6 + 3


def _maps(sheet: Sheet, maps: tuple[MapView, ...], y: float) -> float:
    width = (INNER - (len(maps) - 1) * GAP) / len(maps)
    ends = [_map(sheet, (MARGIN + n * (width + GAP), y), one, width) for n, one in enumerate(maps)]
    return max(ends) + 2.4


def _map(sheet: Sheet, place: Place, view: MapView, width: float) -> float:
    x, y = place
    sheet.text((x, y + 3), view.drawing.title, HEADING)
    y += 4.6 + sheet.drawing((x, y + 4.6), view.drawing, width)
    y = _legend(sheet, (x, y + 1.2), view.legend, width)
    return sheet.paragraph((x, y + 0.4), view.more, TINY, width)


def _legend(sheet: Sheet, place: Place, legend: tuple[Drawing, ...], width: float) -> float:
    left, y = place
    x = left
    for entry in legend:
        needed = 4.4 + width_of(entry.title, SMALL) + 2.4
        if x > left and x + needed - 2.4 > left + width:
            x, y = left, y + 3.3
        sheet.drawing((x, y), entry, 3.6)
        sheet.text((x + 4.4, y + 2.3), entry.title, SMALL)
        x += needed
    return y + 3.1


def _network(sheet: Sheet, situation: Situation, y: float) -> float:
    network = situation.network
    sheet.text((MARGIN, y + 3), network.title, HEADING)
    indent = width_of(network.title, HEADING) + 3
    return sheet.paragraph((MARGIN + indent, y), " ".join(network.texts), Type(7.2), INNER - indent) + GAP


def _figures(sheet: Sheet, situation: Situation, y: float) -> None:
    left = LEFT_SHARE * INNER
    below = _table(sheet, (MARGIN, y), situation.flows, left, _room(y)) + GAP
    if _room(below) > 0:
        _table(sheet, (MARGIN, below), situation.origins, left, _room(below))
    x, width = MARGIN + left + GAP, INNER - left - GAP
    _blind(sheet, (x, _charts(sheet, (x, y), situation, width)), situation, width)


def _room(y: float) -> int:
    """Rows of a table for which there is room above the foot."""
    return max(0, int((HEIGHT - FOOT - y - TABLE_HEAD) / ROW))


def _table(sheet: Sheet, place: Place, table: Table, width: float, most: int) -> float:
    x, y = place
    sheet.text((x, y + 3), table.title, HEADING)
    if not table.rows:
        return sheet.paragraph((x, y + 4), table.empty, SMALL, width)
    y = sheet.paragraph((x, y + 3.8), table.more, TINY, width) + 3.2
    edges = [(x + left, x + right) for left, right in _columns(table, most, width)]
    _row(sheet, table, table.heads, edges, y, CELL_HEAD)
    sheet.rule((x, y + 0.9), width, SOFT, 0.7)
    for row in table.rows[:most]:
        y += ROW
        _row(sheet, table, row, edges, y + 0.5, CELL)
        sheet.rule((x, y + 1.35), width, RULE, 0.25)
    return y + 1.4


def _columns(table: Table, most: int, width: float) -> list[tuple[float, float]]:
    """Left and right edges of a table's columns: names share what the others leave, and are squeezed first."""
    shown = (table.heads, *table.rows[:most])
    needed = [max(width_of(row[n], CELL_HEAD if row is table.heads else CELL) for row in shown) for n in table.on_paper]
    are_names = [n in table.names for n in table.on_paper]
    room = width - COLUMN_GAP * len(needed)
    names = sum(width for width, is_name in zip(needed, are_names, strict=True) if is_name)
    share = max(MOST_SQUEEZED, (room - sum(needed) + names) / names)
    taken = [width * share if is_name else width for width, is_name in zip(needed, are_names, strict=True)]
    return columns([one * min(1.0, room / sum(taken)) for one in taken], COLUMN_GAP)


def _row(
    sheet: Sheet, table: Table, texts: tuple[str, ...], edges: list[tuple[float, float]], y: float, how: Type
) -> None:
    for number, (left, right) in zip(table.on_paper, edges, strict=True):
        text, width = texts[number], right - left
        if number in table.numbers:
            sheet.text((right, y), text, shrunk(text, how, width), "end")
        else:
            small = shrunk(text, how, width, least=0.8)
            sheet.text((left, y), fitted(text, small, width), small)


def _charts(sheet: Sheet, place: Place, situation: Situation, width: float) -> float:
    x, y = place
    sheet.text((x, y + 3), situation.words.series, HEADING)
    y = sheet.paragraph((x, y + 3.8), f"{situation.words.series_more} {situation.course}".strip(), TINY, width) + 1.2
    each = (width - 3) / 2
    for number, chart in enumerate(situation.charts):
        down, across = divmod(number, 2)
        corner = (x + across * (each + 3), y + down * 24.2)
        sheet.text((corner[0], corner[1] + 2.6), chart.title, Type(7.4, bold=True))
        sheet.drawing((corner[0], corner[1] + 3.6), chart, each)
    return y + 49.2


def _blind(sheet: Sheet, place: Place, situation: Situation, width: float) -> None:
    x, y = place
    sheet.rule((x, y), width, "#c4510a", 1.6)
    sheet.text((x, y + 4.2), situation.words.blind, HEADING)
    y += 5.2
    how = _fitting(situation.blind, width - INDENT, HEIGHT - FOOT - y)
    for point in situation.blind:
        sheet.text((x, y + 0.75 * how.line), "•", how)
        y = sheet.paragraph((x + INDENT, y), point, how, width - INDENT) + BETWEEN_POINTS


def _fitting(points: tuple[str, ...], width: float, height: float) -> Type:
    """The largest type in which all points fit, and the smallest where none does."""
    sizes = [Type(size, SOFT) for size in POINT_SIZES]
    heights = {how: sum(_height(point, how, width) for point in points) for how in sizes}
    return next((how for how in sizes if heights[how] <= height), sizes[-1])


def _height(point: str, how: Type, width: float) -> float:
    return how.line * len(wrapped(point, how, width * 0.985)) + BETWEEN_POINTS


def _foot(sheet: Sheet, situation: Situation) -> None:
    how = Type(5.6, SOFT)
    latest, *_, verified, made_by = situation.sources
    sheet.text((MARGIN, HEIGHT - 9.4), fitted(latest, how, INNER), how)
    sheet.text((MARGIN, HEIGHT - 6.6), fitted(f"{verified} {made_by}", how, INNER), how)
