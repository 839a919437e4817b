"""What `whimbrel displacement` shows: a table that fits a screen, and one rule for what is provisional."""

import io
from dataclasses import replace
from datetime import date, timedelta

import pytest
from rich.console import Console

from jobs.emergency import EventFigures, as_json, told_stuck, view
from jobs.events import Area, Event
from jobs.publish.card import LATE
from jobs.publish.situation.estimate import Estimate
from jobs.publish.situation.figures import Moment
from privacy.unit import Period
from schemas.errors import SealLostError

FLOOD = Event(
    id="flood",
    name="Flood",
    hazard="flood",
    onset=date(2026, 3, 4),
    source="a test",
    area=Area(zones=("862f5a767ffffff",)),
)
USUAL, DAYS = "2026-W09", ("2026-03-04", "2026-03-05")


def moment(period, away, *, sd=32.65):
    number = Estimate(away, sd)
    return Moment(Period.parse(period), *[number] * 8, all_away=number)


def figures(*, usual=60.0, away=(386.0, 512.0), age=LATE):
    week = moment(USUAL, usual) if usual is not None else None
    moments = tuple(moment(day, n) for day, n in zip(DAYS, away, strict=True))
    delivered = {str(one.period): one.period.last_day + age for one in (*([week] if week else []), *moments)}
    return EventFigures(FLOOD, week, moments, delivered, (), {})


def shown(told):
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(view(told))
    return console.export_text().splitlines()


def row_of(lines, period):
    (line,) = [line for line in lines if line.startswith(period)]
    return line.split()


def test_a_period_is_one_line_of_eighty_columns_with_half_widths():
    lines = shown(figures())
    assert " ".join(row_of(lines, "2026-03-04")) == "2026-03-04 7 days 386 ±64 386 386 386 386 386 326 ±90"
    assert max(map(len, lines)) <= 80
    assert any("half the width of a 95 % interval" in line for line in lines)


@pytest.mark.parametrize("away", [0.0, 386.0, 99_999.0, 999_999.0, 12_345_678.0])
def test_no_number_is_cut_off_however_large(away):
    lines = shown(figures(away=(away, away), age=timedelta(30)))
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= 80
    if away < 100_000:
        assert row_of(lines, DAYS[0])[3] == f"{away:,.0f}"


def test_usual_is_said_of_the_week_before_and_of_nothing_else():
    lines = shown(figures())
    assert [row_of(lines, period)[-1] == "usual" for period in (USUAL, *DAYS)] == [True, False, False]
    unknown = shown(figures(usual=None))
    assert [row_of(unknown, period)[-1] for period in DAYS] == ["-", "-"]


def test_nothing_is_said_of_return_before_a_period_after_the_peak():
    rising, falling = (" ".join(shown(figures(away=away))) for away in ((386.0, 512.0), (512.0, 386.0)))
    assert "No longer displaced" not in rising
    assert "No longer displaced since the peak of 2026-03-04: 28%" in falling


@pytest.mark.parametrize(("age", "provisional"), [(LATE - timedelta(1), True), (LATE, False)])
def test_what_is_provisional_is_marked_by_the_rule_of_the_card(age, provisional):
    told = figures(age=age)
    assert all(("days*" in row_of(shown(told), day)) == provisional for day in DAYS)
    assert [row["provisional"] for row in as_json(told)["periods"]] == [provisional] * 3


def test_a_period_that_was_refused_is_named_with_its_reason():
    told = replace(figures(), stuck={"2026-03-06": SealLostError("It is gone.", remedy="ask the DPO")})
    assert told_stuck(told) == "2026-03-06 was not released. It is gone. Remedy: ask the DPO."
    assert as_json(told)["stuck"] == ["2026-03-06"]
