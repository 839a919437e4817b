"""The situation on one sheet of paper."""

from typing import Final

import matplotlib as mpl

from jobs.publish.paper.drawing import Place
from jobs.publish.paper.layout import (
    GAP,
    HEADING,
    INNER,
    MARGIN,
    ROW,
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
from jobs.publish.paper.sheet import Sheet, Type, pdf_of, shrunk, width_of
from jobs.publish.situation.view import Situation

LEFT_SHARE: Final = 0.58
"""Of the inner width, what the tables take."""

LEAST_ORIGINS: Final = 6
"""Rows of the table of origins that get their room before the flows do."""

CHART_ROW: Final = 24.2
"""Millimetres from one row of charts to the next."""


def report_pdf(situation: Situation) -> bytes:
    """Return the situation as a one-page PDF: the same bytes for the same situation."""
    # Text is measured while it is set, so a user's matplotlib style has to be out of the way from the beginning.
    with mpl.rc_context(mpl.rcParamsDefault):
        return pdf_of([report_sheet(situation)], situation.title)


def report_sheet(situation: Situation) -> Sheet:
    """Set the page, block under block."""
    sheet = Sheet(situation.words.locale.direction)
    y = head(sheet, situation.words.report, situation.marks, situation.event, situation.on)
    y = _lead(sheet, situation, y)
    if situation.key_figures:
        y = key_figures(sheet, situation.key_figures, y)
        y = maps(sheet, situation.maps, y)
    y = _network(sheet, situation, y)
    if situation.key_figures:
        _figures(sheet, situation, y)
    else:
        points(sheet, (MARGIN, y), situation.words.blind, situation.blind, INNER)
    latest, *_, verified, made_by = situation.sources
    foot(sheet, (latest, f"{verified} {made_by}"))
    return sheet


def _lead(sheet: Sheet, situation: Situation, y: float) -> float:
    y = sheet.paragraph((MARGIN, y), situation.headline, Type(13, bold=True), INNER)
    y = sheet.paragraph((MARGIN, y + 0.8), " ".join(situation.changes), Type(9.6), INNER)
    if situation.age:
        y = sheet.paragraph((MARGIN, y + 0.8), situation.age, Type(8, bold=True), INNER)
    return sheet.paragraph((MARGIN, y + 0.4), situation.words.kind, Type(7, SOFT), INNER) + 2.5


def _network(sheet: Sheet, situation: Situation, y: float) -> float:
    network = situation.network
    sheet.text((MARGIN, y + 3), network.title, HEADING)
    indent = width_of(network.title, HEADING) + 3
    return sheet.paragraph((MARGIN + indent, y), " ".join(network.texts), Type(7.2), INNER - indent) + GAP


def _figures(sheet: Sheet, situation: Situation, y: float) -> None:
    left, direction = LEFT_SHARE * INNER, situation.words.locale.direction
    kept = GAP + TABLE_HEAD + ROW * min(LEAST_ORIGINS, len(situation.origins.rows))
    below = table(sheet, (MARGIN, y), situation.flows, left, room(y + kept), direction) + GAP
    if room(below) > 0:
        table(sheet, (MARGIN, below), situation.origins, left, room(below), direction)
    x, width = MARGIN + left + GAP, INNER - left - GAP
    y = _charts(sheet, (x, y), situation, width)
    points(sheet, (x, y), situation.words.blind, situation.blind, width)


def _charts(sheet: Sheet, place: Place, situation: Situation, width: float) -> float:
    x, y = place
    sheet.text((x, y + 3), situation.words.series, HEADING)
    y = sheet.paragraph((x, y + 3.8), f"{situation.words.series_more} {situation.course}".strip(), TINY, width) + 1.2
    each = (width - 3) / 2
    for number, chart in enumerate(situation.charts):
        down, across = divmod(number, 2)
        corner = (x + across * (each + 3), y + down * CHART_ROW)
        sheet.text((corner[0], corner[1] + 2.6), chart.title, shrunk(chart.title, Type(7.4, bold=True), each))
        sheet.drawing((corner[0], corner[1] + 3.6), chart, each)
    return y + 2 * CHART_ROW + 0.8
