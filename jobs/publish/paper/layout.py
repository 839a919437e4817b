"""Blocks that sheets of paper are made of: each is set below a place, and says where it ends."""

from collections.abc import Sequence
from typing import Final

from jobs.publish.paper.drawing import Drawing, Place
from jobs.publish.paper.locales import Direction
from jobs.publish.paper.sheet import HEIGHT, WIDTH, Sheet, Type, columns, fitted, shrunk, width_of, wrapped
from jobs.publish.paper.view import KeyFigure, MapView, Table

MARGIN: Final = 11.0
INNER: Final = WIDTH - 2 * MARGIN
GAP: Final = 4.0
"""Millimetres: the margins of the page, what is between them, and between blocks."""

SOFT, RULE, BLUE, RED, PANEL, RUST = "#404b57", "#c3cad2", "#0b4f8a", "#7a1f1f", "#f1f5f9", "#c4510a"

HEADING = Type(9.5, bold=True)
SMALL, TINY = Type(6.6, SOFT), Type(6.2, SOFT)
CELL, CELL_HEAD = Type(6.3), Type(6.1, SOFT, bold=True)
ROW: Final = 3.12
"""Millimetres a row of a table."""

COLUMN_GAP: Final = 2.0
"""Millimetres between columns."""

MOST_SQUEEZED: Final = 0.35
"""Share of the room that they need which names get at least; the other columns shrink before they get less."""

POINT_SIZES: Final = (6.6, 6.3, 6.0, 5.7, 5.4, 5.0, 4.6)
"""Points, of the letters of a list, the first that fits."""

INDENT, BETWEEN_POINTS = 2.2, 0.35
"""Millimetres."""

TABLE_HEAD, FOOT = 13.5, 14.0
"""Millimetres of a table above its rows, and of what stands at the foot of the page."""


def head(sheet: Sheet, kind: str, marks: Sequence[str], title: str, on: str) -> float:
    """Set what a page is, its marks, its title, and the time that it is about."""
    sheet.text((MARGIN, 13.5), kind, Type(8, SOFT))
    end = WIDTH - MARGIN
    for mark in reversed(marks):
        how = Type(7.2, "#ffffff", bold=True)
        width = width_of(mark, how) + 4
        sheet.box((end - width, 10.2), width, 4.8, fill=RED)
        sheet.text((end - width + 2, 13.5), mark, how)
        end -= width + 2
    when = Type(9.5, SOFT)
    room = INNER - width_of(on, when) - 4
    name = shrunk(title, Type(17, bold=True), room)
    sheet.text((MARGIN, 21.5), fitted(title, name, room), name)
    sheet.text((WIDTH - MARGIN, 21.5), on, when, "end")
    sheet.rule((MARGIN, 24.5), INNER, BLUE, 2.2)
    return 26.0


def key_figures(sheet: Sheet, figures: Sequence[KeyFigure], y: float) -> float:
    """Set large numbers beside each other."""
    width = (INNER - (len(figures) - 1) * 3) / len(figures)
    for number, figure in enumerate(figures):
        x = MARGIN + number * (width + 3)
        sheet.box((x, y), width, 14.6, fill=PANEL)
        sheet.text((x + 2, y + 3.8), figure.label, shrunk(figure.label, Type(7, SOFT), width - 4))
        sheet.text((x + 2, y + 9.6), figure.value, shrunk(figure.value, Type(14.5, bold=True), width - 4))
        told = " · ".join(text for text in (figure.range, figure.trust) if text)
        sheet.text((x + 2, y + 13.1), told, shrunk(told, Type(6.8, SOFT), width - 4))
    return y + 14.6 + 3


def maps(sheet: Sheet, views: Sequence[MapView], y: float) -> float:
    """Set maps beside each other."""
    width = (INNER - (len(views) - 1) * GAP) / len(views)
    ends = [map_view(sheet, (MARGIN + n * (width + GAP), y), one, width) for n, one in enumerate(views)]
    return max(ends) + 2.4


def map_view(sheet: Sheet, place: Place, view: MapView, width: float) -> float:
    """Set a map with its title, its legend, and how to read it."""
    x, y = place
    sheet.text((x, y + 3), view.drawing.title, shrunk(view.drawing.title, HEADING, width))
    y += 4.6 + sheet.drawing((x, y + 4.6), view.drawing, width)
    y = _legend(sheet, (x, y + 1.2), view.legend, width)
    return sheet.paragraph((x, y + 0.4), view.more, TINY, width)


def _legend(sheet: Sheet, place: Place, legend: Sequence[Drawing], width: float) -> float:
    start, y = place
    x = start
    for entry in legend:
        needed = 4.4 + width_of(entry.title, SMALL) + 2.4
        if x > start and x + needed - 2.4 > start + width:
            x, y = start, y + 3.3
        sheet.drawing((x, y), entry, 3.6)
        sheet.text((x + 4.4, y + 2.3), entry.title, SMALL)
        x += needed
    return y + 3.1


def room(y: float) -> int:
    """Return the rows of a table for which there is room above the foot of a page."""
    return max(0, int((HEIGHT - FOOT - y - TABLE_HEAD) / ROW))


def table(sheet: Sheet, place: Place, content: Table, width: float, most: int, direction: Direction) -> float:
    """Set a table of at most so many rows; numbers stand under each other by their last digit."""
    x, y = place
    title = (content.cut_title if len(content.rows) > most else "") or content.title
    sheet.text((x, y + 3), title, shrunk(title, HEADING, width))
    if not content.rows:
        return sheet.paragraph((x, y + 4), content.empty, SMALL, width)
    y = sheet.paragraph((x, y + 3.8), content.more, TINY, width) + 3.2
    edges = [(x + start, x + end) for start, end in _columns(content, most, width)]
    _row(sheet, content, content.heads, edges, y, CELL_HEAD, direction)
    sheet.rule((x, y + 0.9), width, SOFT, 0.7)
    for row in content.rows[:most]:
        y += ROW
        _row(sheet, content, row, edges, y + 0.5, CELL, direction)
        sheet.rule((x, y + 1.35), width, RULE, 0.25)
    return sheet.paragraph((x, y + 2.2), content.note, TINY, width) if content.note else y + 1.4


def _columns(content: Table, most: int, width: float) -> list[tuple[float, float]]:
    """Edges of a table's columns: names share what the others leave, and are squeezed first."""
    shown = (content.heads, *content.rows[:most])
    columns_shown = content.on_paper
    needed = [
        max(width_of(row[n], CELL_HEAD if row is content.heads else CELL) for row in shown) for n in columns_shown
    ]
    are_names = [n in content.names for n in columns_shown]
    free = width - COLUMN_GAP * len(needed)
    names = sum(width for width, is_name in zip(needed, are_names, strict=True) if is_name)
    share = max(MOST_SQUEEZED, (free - sum(needed) + names) / names) if names else 1.0
    taken = [width * share if is_name else width for width, is_name in zip(needed, are_names, strict=True)]
    return columns([one * min(1.0, free / sum(taken)) for one in taken], COLUMN_GAP)


def _row(
    sheet: Sheet,
    content: Table,
    texts: tuple[str, ...],
    edges: list[tuple[float, float]],
    y: float,
    how: Type,
    direction: Direction,
) -> None:
    for number, (start, end) in zip(content.on_paper, edges, strict=True):
        text, width = texts[number], end - start
        if number in content.numbers and direction == "ltr":
            sheet.text((end, y), text, shrunk(text, how, width), "end")
        elif number in content.numbers:
            # Digits run from left to right also there: their last one is at the edge where the column starts.
            sheet.text((start, y), text, shrunk(text, how, width))
        else:
            small = shrunk(text, how, width, least=0.8)
            sheet.text((start, y), fitted(text, small, width), small)


def points(sheet: Sheet, place: Place, title: str, texts: Sequence[str], width: float) -> float:
    """Set a list in the largest letters in which it fits above the foot of a page."""
    x, y = place
    sheet.rule((x, y), width, RUST, 1.6)
    sheet.text((x, y + 4.2), title, shrunk(title, HEADING, width))
    y += 5.2
    how = _fitting(texts, width - INDENT, HEIGHT - FOOT - y)
    for text in texts:
        sheet.text((x, y + 0.75 * how.line), "•", how)
        y = sheet.paragraph((x + INDENT, y), text, how, width - INDENT) + BETWEEN_POINTS
    return y


def _fitting(texts: Sequence[str], width: float, height: float) -> Type:
    """The largest type in which all texts fit, and the smallest where none does."""
    sizes = [Type(size, SOFT) for size in POINT_SIZES]
    heights = {how: sum(_height(text, how, width) for text in texts) for how in sizes}
    return next((how for how in sizes if heights[how] <= height), sizes[-1])


def _height(text: str, how: Type, width: float) -> float:
    return how.line * len(wrapped(text, how, width * 0.985)) + BETWEEN_POINTS


def foot(sheet: Sheet, lines: Sequence[str]) -> None:
    """Set at most two lines at the foot of a page."""
    how = Type(5.6, SOFT)
    for y, line in zip((HEIGHT - 9.4, HEIGHT - 6.6), lines, strict=False):
        small = shrunk(line, how, INNER, least=0.8)
        sheet.text((MARGIN, y), fitted(line, small, INNER), small)
