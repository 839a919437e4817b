"""The pages of a day and of a year: they stand alone, run nothing, and say in words and signs what colours say."""

import base64
import hashlib
import re
from datetime import date, timedelta
from html.parser import HTMLParser

import pytest

from jobs.quality.checks import record_of
from jobs.quality.page import day_html, year_html
from jobs.quality.record import DayRecord, Measures, UnknownCell, Verdict
from tests.unit.test_quality import CLEAN, JUDGED, SILENT, SUNDAY, replace

HOSTILE = '<script>alert("x")</script>'


class Page(HTMLParser):
    """Tags of a page, and the links in it."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.links, self.open, self.text = set(), [], [], []
        self.feed(content.decode())

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in {"href", "src", "xlink:href"}]
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_data(self, data):
        self.text.append(data)


def judged(**changes):
    return record_of(replace(JUDGED, day=CLEAN.model_copy(update=changes), silent=(SILENT,)))


RECORD = judged(events=12_000, unknown_cells=(UnknownCell(cell=HOSTILE, rows=9_000),))
DAY = day_html(RECORD, SUNDAY - timedelta(1), None)
YEAR = year_html(2026, [judged(day=SUNDAY - timedelta(1)), RECORD], [2025, 2026])


@pytest.mark.parametrize("content", [DAY, YEAR])
def test_a_page_fetches_and_runs_nothing(content):
    page, text = Page(content), content.decode()
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert f"default-src 'none'; style-src 'sha256-{digest}'" in text.replace("&#39;", "'")
    assert not page.tags & {"script", "iframe", "object", "link", "img", "form"}
    assert not [link for link in page.links if re.match(r"\w+:|//", link)]
    assert "url(" not in style
    assert "@import" not in style


def test_what_an_operators_system_wrote_is_shown_as_text():
    assert b"<script" not in DAY
    assert b"&lt;script&gt;" in DAY


def test_the_same_record_gives_the_same_bytes():
    again = DayRecord.model_validate_json(RECORD.model_dump_json())
    assert day_html(again, SUNDAY - timedelta(1), None) == DAY


def test_a_day_shows_each_check_what_it_found_and_what_to_do():
    text = " ".join("".join(Page(DAY).text).split())

    for finding in RECORD.findings:
        assert all(told in text for told in (finding.title, finding.found, finding.threshold, finding.source))
        assert finding.remedy in text
    assert "Rows read are rows kept and rows set aside" in text
    assert "24,300" in text
    assert "08:00: 1,000 rows; usually 1,000, from 1,000 to 1,000" in text
    assert "08:00 to 13:00" in text


def test_a_day_leads_to_its_neighbours_and_its_calendar():
    assert {"2026-03-28.html", "../2026.html", "2026-03-29.json"} == set(Page(DAY).links)


def test_a_year_has_a_cell_for_each_day_that_leads_to_its_page_with_the_verdict_in_words():
    page, text = Page(YEAR), YEAR.decode()

    assert {link for link in page.links if link.startswith("days/")} == {
        "days/2026-03-28.html",
        "days/2026-03-29.html",
    }
    assert "2025.html" in page.links
    assert f'aria-label="{SUNDAY}: {RECORD.verdict}"' in text
    numbers = re.findall(r'<td>(?:<a[^>]*>|<span class="absent">)(\d+)', text)
    assert len(numbers) == 365


def test_every_verdict_has_a_sign_of_its_own_beside_its_colour():
    pages = [day_html(judged(**change), None, None).decode() for change in ({}, {"last_second": 1}, {"week": None})]
    signs = dict(re.findall(r'class="badge ([\w-]+)"><span aria-hidden="true">(.)<', "".join(pages)))

    assert set(signs) == {str(verdict).replace(" ", "-") for verdict in Verdict}
    assert len(set(signs.values())) == 4


def test_no_field_of_a_record_can_hold_a_subscriber():
    """Names of fields are reviewed here: one that is added has to be thought about."""
    assert set(Measures.model_fields) == {
        "version", "day", "subscribers", "events", "hours", "last_second", "repeated", "two_places", "too_fast",
        "machines", "still", "devices", "one_second", "whole_minutes", "week", "deliveries", "same", "unknown_cells",
        "unknown_other_rows", "cells", "unseen_cells", "remarks",
    }  # fmt: skip


def test_a_leap_year_has_its_day():
    text = year_html(2028, [], [2028]).decode()
    assert len(re.findall(r'<span class="absent">\d+', text)) == 366
    assert date(2028, 2, 29)
