"""A monthly report on two sheets of paper."""

from collections.abc import Sequence
from math import ceil
from typing import Final

import matplotlib as mpl

from jobs.publish.monthly.view import Note, Picture, Report
from jobs.publish.paper.drawing import Place
from jobs.publish.paper.layout import (
    GAP,
    HEADING,
    INNER,
    MARGIN,
    ROW,
    SMALL,
    SOFT,
    TABLE_HEAD,
    TINY,
    foot,
    head,
    key_figures,
    maps,
    points,
    room,
    table,
)
from jobs.publish.paper.sheet import Sheet, Type, fitted, pdf_of, shrunk

LEFT_SHARE: Final = 0.56
"""Of the inner width, what the tables take."""

DIGEST_COLUMNS, KEY_COLUMNS = 3, 4
DIGEST, KEY = Type(4.6, SOFT), Type(5.6, SOFT)


def report_pdf(report: Report) -> bytes:
    """Return the report as a PDF of two pages: the same bytes for the same report."""
    # Text is measured while it is set, so a user's matplotlib style has to be out of the way from the beginning.
    with mpl.rc_context(mpl.rcParamsDefault):
        return pdf_of(report_sheets(report), report.title)


def report_sheets(report: Report) -> tuple[Sheet, Sheet]:
    """Set both pages, block under block."""
    return _first(report), _second(report)


def _first(report: Report) -> Sheet:
    sheet, direction = Sheet(report.words.locale.direction), report.words.locale.direction
    y = head(sheet, report.words.report, report.marks, report.country, report.on)
    y = sheet.paragraph((MARGIN, y), report.kind, Type(7.6, SOFT), INNER) + 2.5
    y = key_figures(sheet, report.key_figures, y)
    y = maps(sheet, report.maps, y)
    left = LEFT_SHARE * INNER
    kept = GAP + TABLE_HEAD + ROW * len(report.visits.rows)
    below = table(sheet, (MARGIN, y), report.flows, left, room(y + kept), direction) + GAP
    table(sheet, (MARGIN, below), report.visits, left, room(below), direction)
    x, width = MARGIN + left + GAP, INNER - left - GAP
    y = _picture(sheet, (x, y), report.pyramid, width) + GAP
    each = (width - 3) / 2
    ends = [_picture(sheet, (x + n * (each + 3), y), chart, each) for n, chart in enumerate(report.charts)]
    points(sheet, (x, max(ends) + GAP), report.words.blind, report.blind, width)
    _foot(sheet, report)
    return sheet


def _second(report: Report) -> Sheet:
    sheet, direction = Sheet(report.words.locale.direction), report.words.locale.direction
    y = head(sheet, report.words.report, report.marks, report.country, report.on) + 2
    left = LEFT_SHARE * INNER
    below = table(sheet, (MARGIN, y), report.balances, left, len(report.balances.rows), direction) + GAP
    half = len(report.notes) // 2
    below = _notes(sheet, (MARGIN, below), report.notes[:half], left)
    beside = _notes(sheet, (MARGIN + left + GAP, y), report.notes[half:], INNER - left - GAP)
    y = max(below, beside) + GAP
    if report.key:
        sheet.text((MARGIN, y + 3), report.words.key, HEADING)
        y = _lines(sheet, y + 4, report.key, KEY, KEY_COLUMNS) + GAP
    y = table(sheet, (MARGIN, y), report.parameters, INNER, len(report.parameters.rows), direction) + 1.5
    for text in report.counted:
        y = sheet.paragraph((MARGIN, y), text, TINY, INNER)
    _sources(sheet, report, y + GAP)
    _foot(sheet, report)
    return sheet


def _notes(sheet: Sheet, place: Place, notes: Sequence[Note], width: float) -> float:
    x, y = place
    for note in notes:
        sheet.text((x, y + 3), note.title, HEADING)
        y += 4
        for text in note.texts:
            y = sheet.paragraph((x, y), text, SMALL, width) + 0.4
        y += 2
    return y


def _picture(sheet: Sheet, place: Place, picture: Picture, width: float) -> float:
    x, y = place
    how = shrunk(picture.title, HEADING, width)
    sheet.text((x, y + 3), picture.title, how)
    y += 4.2
    if picture.drawing:
        y += sheet.drawing((x, y), picture.drawing, width) + 0.6
    return sheet.paragraph((x, y), picture.more, TINY, width)


def _sources(sheet: Sheet, report: Report, y: float) -> None:
    """How to cite, what is protected, and each bundle with the beginning of its digest."""
    sheet.text((MARGIN, y + 3), report.words.sources, HEADING)
    citation, unit, definitions, *_ = report.citation
    y += 4
    for text in (citation, unit, definitions):
        y = sheet.paragraph((MARGIN, y), text, TINY, INNER)
    _lines(sheet, y, [report.words.locale.inserted(text) for text in report.digests], DIGEST, DIGEST_COLUMNS)


def _lines(sheet: Sheet, y: float, texts: Sequence[str], how: Type, count: int) -> float:
    """Set short lines beside each other in so many columns, row by row."""
    width = INNER / count
    for number, text in enumerate(texts):
        down, across = divmod(number, count)
        sheet.text((MARGIN + across * width, y + 2.2 + down * how.line), fitted(text, how, width - 1), how)
    return y + ceil(len(texts) / count) * how.line


def _foot(sheet: Sheet, report: Report) -> None:
    *_, checked, made_by = report.citation
    foot(sheet, (f"{checked} {made_by}",))
