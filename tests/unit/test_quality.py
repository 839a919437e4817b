"""Each check has a fault that it finds, and is silent on a clean day."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.quality.baseline import Baseline, Usual, baseline_days
from jobs.quality.checks import CHECKS, Judged, longest_gap, record_of
from jobs.quality.figures import Figures, Sims, centres_of, figures_of_batch
from jobs.quality.names import masked_cell
from jobs.quality.record import (
    DeliveryFigures,
    Measures,
    Remark,
    SameDelivery,
    SilentPlace,
    SimCount,
    UnknownCell,
    Verdict,
)
from jobs.quality.silence import silent_places
from jobs.quality.sims import Week, shared_rows, week_of
from jobs.quality.thresholds import QualityConfig
from privacy.unit import PrivacyMonth
from schemas.subscriber_days import SECOND_SHIFT
from tests.installations import days_table

LIMITS = QualityConfig()
HOME = h3.latlng_to_cell(-14, 66, 6)
NEXT, TOWN, FAR = h3.grid_ring(HOME, 1)[0], h3.grid_ring(HOME, 3)[0], h3.latlng_to_cell(-15, 66, 6)
ZONES = (HOME, NEXT, TOWN, FAR)
"""NEXT is about 6 km from HOME, TOWN about 18, FAR about 111."""

SUNDAY = date(2026, 3, 29)
"""The last day of a week and of a privacy month: every check has its say."""


def batch(*rows):
    """Rows of `subscriber_days`, each a list of (second, cell index)."""
    points = [sorted(second << SECOND_SHIFT | cell for second, cell in row) for row in rows]
    return pa.record_batch(
        {"points": pa.array(points, pa.list_(pa.int64())), "events": pa.array([len(row) for row in rows], pa.int64())}
    )


def figures(*rows, **limits):
    return figures_of_batch(batch(*rows), centres_of(ZONES), QualityConfig(**limits))


def hours(*times):
    """Events at home at these hours."""
    return [(int(hour * 3600), 0) for hour in times]


def test_rows_are_counted_by_second_and_hour_and_subscribers_once():
    found = figures(hours(7, 7.5, 22), hours(7.5))

    assert (found.subscribers, found.events) == (2, 4)
    assert {hour: int(n) for hour, n in enumerate(found.hours) if n} == {7: 3, 22: 1}
    assert found.seconds[7 * 3600 + 1800] == 2


def test_a_row_that_repeats_another_of_the_same_subscriber_is_counted_and_of_another_is_not():
    assert figures(hours(7, 7, 7, 8), hours(7)).repeated == 2


def test_the_same_second_in_two_places_is_counted_once_a_further_place():
    assert figures([(60, 0), (60, 1), (60, 2), (61, 3)], [(61, 0)], [(61, 1)]).two_places == 2


@pytest.mark.parametrize(
    ("place", "seconds", "impossible"),
    [
        (1, 60, False),  # 6 km at 100 m/s: too near to tell from a phone between two towers
        (2, 200, True),  # 18 km at 90 m/s
        (2, 600, False),  # 18 km at 30 m/s
        (3, 1800, True),  # 111 km at 62 m/s
        (3, 2400, False),  # 111 km at 46 m/s
    ],
)
def test_a_speed_is_impossible_over_ten_kilometres_and_above_55_metres_a_second(place, seconds, impossible):
    assert figures([(0, 0), (seconds, place)]).too_fast == impossible


def test_a_sim_is_a_machines_above_200_events_a_day():
    person, machine = [(60 * n, n % 2) for n in range(200)], [(60 * n, n % 2) for n in range(201)]
    found = figures(person, machine)

    assert found.machines == Sims(1, 201)
    assert found.presences.sum() == figures(person).presences.sum(), "machines say nothing of whether a place is silent"


def irregular(count, cell=0, seed=1):
    return [(int(second), cell) for second in np.random.default_rng(seed).integers(86_400, size=count)]


def test_many_calls_without_a_move_at_no_regular_intervals_look_like_a_sim_box():
    moving = [(second, n % 2) for n, (second, _) in enumerate(irregular(300))]
    found = figures(irregular(300), moving, irregular(200, seed=2), sim_box_events=200)

    assert found.still == Sims(1, 300)
    assert found.devices == Sims()


def test_regular_intervals_in_one_place_around_the_clock_are_a_devices():
    every_10_minutes = [(600 * n + 7 * (n % 5), 1) for n in range(144)]
    by_day = [(6 * 3600 + 300 * n, 1) for n in range(144)]
    moving = [(600 * n, n % 2) for n in range(144)]
    found = figures(every_10_minutes, by_day, moving, irregular(144))

    assert found.devices == Sims(1, 144)
    assert found.still == Sims()


def test_a_busy_device_is_no_sim_box():
    assert figures([(60 * n, 0) for n in range(1440)], sim_box_events=200).still == Sims()


def test_presences_count_a_subscriber_once_an_hour_however_often_it_calls():
    found = figures([(0, 0), (10, 0), (20, 0), (3600, 0), (3700, 3)], [(5, 0)])

    assert found.presences[0, :2].tolist() == [2, 1]
    assert found.presences[3, 1] == 1


def test_a_subscriber_abroad_all_day_has_no_points_and_does_no_harm():
    found = figures([], hours(7), [])

    assert (found.subscribers, found.events, found.repeated) == (3, 1, 0)


rows = st.lists(
    st.lists(st.tuples(st.integers(0, 40).map(lambda n: n * 900), st.integers(0, 3)), max_size=30), max_size=8
)


@given(rows=rows)
def test_figures_are_those_of_a_naive_reading(rows):
    found = figures(*rows, machine_events_a_day=20)
    paths = [sorted(row) for row in rows]
    pairs = [pair for path in paths for pair in pairwise(path)]
    centres = [h3.cell_to_latlng(zone) for zone in ZONES]

    def is_too_fast(one, other):
        km = h3.great_circle_distance(centres[one[1]], centres[other[1]], unit="km")
        gap_s = other[0] - one[0]
        return gap_s > 0 and km > 10 and km * 1000 > 55 * gap_s

    assert found.events == sum(map(len, rows))
    assert found.repeated == sum(one == other for one, other in pairs)
    assert found.two_places == sum(one[0] == other[0] and one[1] != other[1] for one, other in pairs)
    assert found.too_fast == sum(is_too_fast(*pair) for pair in pairs)
    assert found.machines == Sims(sum(len(row) > 20 for row in rows), sum(len(row) for row in rows if len(row) > 20))


@given(rows=rows, cut=st.integers(0, 8))
def test_figures_of_parts_add_up_to_those_of_the_whole(rows, cut):
    whole, parts = figures(*rows), figures(*rows[:cut]) + figures(*rows[cut:])

    assert all(np.array_equal(getattr(whole, name), getattr(parts, name)) for name in Figures.__dataclass_fields__)


def stored(folder, name, days):
    pq.write_table(days_table(days), folder / name)
    return folder / name


def test_a_weeks_sims_are_told_by_all_its_days_together(tmp_path):
    monday, tuesday = SUNDAY - timedelta(6), SUNDAY - timedelta(5)
    files = [
        stored(tmp_path, "mon", {(1, monday): [(0, 0)], (2, monday): irregular(150), (-3, monday): irregular(250)}),
        stored(tmp_path, "tue", {(1, tuesday): [(0, 0)], (2, tuesday): irregular(40), (4, tuesday): [(0, 0)] * 3}),
    ]

    assert week_of(files, 2, LIMITS) == Week(days=2, sims=4, few=1, machines=1)


def test_the_rows_that_two_parts_share_are_counted_whatever_their_order(tmp_path):
    row = [(60 * n, n % 3) for n in range(40)]
    one = stored(tmp_path, "one", {(1, SUNDAY): row, (2, SUNDAY): row})
    other = stored(tmp_path, "other", {(2, SUNDAY): [*row[:39], (1, 0)], (3, SUNDAY): row})

    assert shared_rows([one], [other]) == (39, 80, 80)
    assert shared_rows([other], [one]) == (39, 80, 80)


def test_subscribers_are_looked_at_in_shares_where_there_are_many(tmp_path, monkeypatch):
    days = {(who, SUNDAY): [(0, 0)] for who in (-(1 << 63), -1, 0, 1, (1 << 63) - 1)}
    file = stored(tmp_path, "many", days)
    monkeypatch.setattr("jobs.quality.sims._ROWS_IN_MEMORY", 2)

    assert week_of([file], 1, LIMITS).sims == 5
    assert shared_rows([file], [file]) == (5, 5, 5)


def test_half_a_baseline_of_bad_days_does_not_move_what_is_usual_much():
    assert Usual.of([100, 101, 99, 100, 3]).middle == 100
    assert Usual.of([100, 101, 99, 100, 3]).sd == pytest.approx(1.4826)


def test_a_baseline_is_of_the_same_weekday_and_of_earlier_days_only():
    days = baseline_days(SUNDAY, LIMITS)

    assert {day.weekday() for day in days} == {6}
    assert days == tuple(sorted(days))
    assert max(days) == SUNDAY - timedelta(7)
    assert len(days) == 8


CLEAN = Measures(
    day=SUNDAY,
    subscribers=1_000,
    events=24_000,
    hours=(1_000,) * 24,
    last_second=86_000,
    repeated=24,
    two_places=10,
    too_fast=10,
    machines=SimCount(sims=1, events=500),
    still=SimCount(sims=0, events=0),
    devices=SimCount(sims=1, events=144),
    one_second=5,
    whole_minutes=400,
    week=Week(days=7, sims=2_000, few=100, machines=2),
    deliveries=(
        DeliveryFigures(
            delivery="ab" * 8,
            first=SUNDAY,
            last=SUNDAY,
            files=1,
            read=24_300,
            kept=24_000,
            quarantined={"missing_cell": 300},
        ),
    ),
    same=(),
    unknown_cells=(),
    unknown_other_rows=0,
    cells=500,
    unseen_cells=("quiet",),
    remarks=(),
)


def as_on(day, **changes):
    return CLEAN.model_copy(update={"day": day, **changes})


EARLIER = Baseline(tuple(as_on(SUNDAY - timedelta(weeks=n), events=24_000 + 100 * n) for n in (4, 3, 2, 1)))
MONTH = frozenset(PrivacyMonth.of(SUNDAY).days)
JUDGED = Judged(CLEAN, EARLIER, (), MONTH, LIMITS)


def verdicts(judged):
    return {finding.check: finding.verdict for finding in record_of(judged).findings}


def not_ok(judged):
    return {check: verdict for check, verdict in verdicts(judged).items() if verdict is not Verdict.OK}


def test_no_check_finds_anything_on_a_clean_day():
    assert not_ok(JUDGED) == {}
    assert record_of(JUDGED).verdict is Verdict.OK


def delivered(read, **quarantined):
    rows = sum(quarantined.values())
    return {
        "deliveries": (
            CLEAN.deliveries[0].model_copy(update={"read": read, "kept": read - rows, "quarantined": quarantined}),
        )
    }


SILENT = SilentPlace(zone=HOME, cells=("a",), first_hour=8, hours=5, expected=40.0)

FAULTS = [
    *[
        (reason, delivered(1_000, **{reason: 51}))
        for reason in (
            "malformed_row", "missing_subscriber", "unreadable_time", "time_outside_delivery", "missing_cell",
            "unknown_cell", "cell_out_of_service",
        )
    ],
    ("error_rate", delivered(1_000, **{f"reason_{n}": 41 for n in range(5)})),
    ("last_event", {"last_second": 18 * 3600 - 1}),
    ("last_event", {"last_second": None}),
    ("hours", {"hours": (1_000,) * 8 + (0,) + (1_000,) * 15}),
    ("hours", {"hours": (1_000,) * 8 + (1_600,) + (1_000,) * 15}),
    ("rows", {"events": 21_000}),
    ("rows", {"events": 31_000}),
    ("repeated", {"repeated": 300}),
    ("two_places", {"two_places": 130}),
    ("too_fast", {"too_fast": 130}),
    ("machines", {"machines": SimCount(sims=2, events=2_600)}),
    ("sim_boxes", {"still": SimCount(sims=1, events=501)}),
    ("devices", {"devices": SimCount(sims=9, events=1_300)}),
    ("one_second", {"one_second": 250}),
    ("whole_minutes", {"whole_minutes": 13_000}),
    ("same_delivery", {"same": (SameDelivery(delivery="a", other="b", share=0.96),)}),
    ("few_events", {"week": Week(days=7, sims=100, few=51, machines=0)}),
    ("busy_week", {"week": Week(days=7, sims=100, few=0, machines=2)}),
    ("unknown_cells", {"unknown_cells": (UnknownCell(cell="x", rows=2_000),)}),
    ("unseen_cells", {"unseen_cells": tuple(f"c{n}" for n in range(151))}),
    ("cell_table", {"remarks": (Remark(fault="stands twice", cells=("a",)),)}),
]  # fmt: skip


@pytest.mark.parametrize(("check", "changes"), FAULTS, ids=[f"{n}-{fault[0]}" for n, fault in enumerate(FAULTS)])
def test_a_planted_fault_is_found_by_its_check_and_by_no_other(check, changes):
    found = not_ok(replace(JUDGED, day=CLEAN.model_copy(update=changes)))
    bad = Verdict.ERROR if check in {"error_rate", "last_event"} else Verdict.WARNING

    assert found == {check: bad}
    assert record_of(replace(JUDGED, day=CLEAN.model_copy(update=changes))).verdict is bad


def test_places_that_fell_silent_are_a_warning():
    assert not_ok(replace(JUDGED, silent=(SILENT,))) == {"silent_places": Verdict.WARNING}


def test_a_month_with_too_few_days_or_a_long_gap_is_a_warning():
    days = sorted(MONTH)

    assert not_ok(replace(JUDGED, delivered=MONTH - set(days[1::2]))) == {"month_days": Verdict.WARNING}
    assert not_ok(replace(JUDGED, delivered=MONTH - set(days[3:10]))) == {"month_gap": Verdict.WARNING}
    assert not_ok(replace(JUDGED, delivered=MONTH - set(days[3:9]))) == {}


def test_every_check_has_a_fault_here():
    elsewhere = {"silent_places", "month_days", "month_gap"}
    assert {check.name for check in CHECKS} == {check for check, *_ in FAULTS} | elsewhere
    assert len({check.name for check in CHECKS}) == len(CHECKS)


def test_what_needs_earlier_days_is_not_judged_without_them_and_spoils_nothing():
    few = replace(JUDGED, before=Baseline(EARLIER.days[:2]))

    assert not_ok(few) == dict.fromkeys(("rows", "hours", "silent_places"), Verdict.NOT_JUDGED)
    assert record_of(few).verdict is Verdict.OK
    assert record_of(few).baseline_days == ()


def test_what_needs_a_whole_week_or_month_is_told_on_its_last_day():
    saturday = replace(JUDGED, day=as_on(SUNDAY - timedelta(1), week=None))

    assert set(not_ok(saturday)) == {"few_events", "busy_week", "month_days"}


def test_a_day_without_a_row_is_an_error_and_no_division_by_zero():
    empty = CLEAN.model_copy(
        update={"events": 0, "subscribers": 0, "hours": (0,) * 24, "last_second": None, **delivered(0), "cells": 0}
    )
    assert record_of(replace(JUDGED, day=empty)).verdict is Verdict.ERROR
    nothing_before = Baseline(tuple(day.model_copy(update={"events": 0}) for day in EARLIER.days))
    assert verdicts(replace(JUDGED, before=nothing_before))["rows"] is Verdict.WARNING


def test_a_finding_says_what_was_found_what_would_be_too_much_where_that_comes_from_and_what_to_do():
    findings = record_of(replace(JUDGED, day=CLEAN.model_copy(update={"events": 12_000}))).findings
    (rows_,) = [finding for finding in findings if finding.check == "rows"]

    assert rows_.found == "12,000 rows, 50.5 % below the median"
    assert rows_.baseline.startswith("median 24,250")
    assert "30 %" in rows_.threshold
    assert rows_.source == "multimno"
    assert all(finding.threshold and finding.source for finding in findings)
    assert all(bool(finding.remedy) == (finding.verdict is not Verdict.OK) for finding in findings)


def test_thresholds_of_the_configuration_decide():
    strict = replace(JUDGED, limits=QualityConfig(repeated_rate=0.0005, last_event_hour=24))

    assert set(not_ok(strict)) == {"repeated", "last_event"}


@pytest.mark.parametrize(
    ("earlier", "rows_", "verdict"),
    [
        ((1_000, 1_010, 990), 1_090, Verdict.OK),  # 6 standard deviations, but near
        ((1_000, 1_010, 990), 1_110, Verdict.WARNING),
        ((1_000, 1_060, 940), 1_220, Verdict.OK),  # within 3 standard deviations of 89
        ((1_000, 1_060, 940), 1_280, Verdict.WARNING),
        ((1_000, 2_000, 100), 690, Verdict.WARNING),  # well within 3 standard deviations, and far off all the same
        ((1_000, 2_000, 100), 710, Verdict.OK),
    ],
)
def test_rows_are_off_beyond_three_standard_deviations_or_30_percent_but_never_within_10(earlier, rows_, verdict):
    before = Baseline(tuple(as_on(SUNDAY - timedelta(weeks=n), events=n_rows) for n, n_rows in enumerate(earlier, 1)))
    judged = replace(JUDGED, before=before, day=as_on(SUNDAY, events=rows_))

    assert verdicts(judged)["rows"] is verdict


def test_a_day_whose_latest_event_is_at_18_hours_sharp_is_complete():
    assert verdicts(replace(JUDGED, day=as_on(SUNDAY, last_second=18 * 3600)))["last_event"] is Verdict.OK


def test_cells_are_not_missed_where_zones_are_those_of_an_area():
    judged = replace(JUDGED, day=as_on(SUNDAY, cells=0, unseen_cells=()))
    assert not_ok(judged) == {"unseen_cells": Verdict.NOT_JUDGED}


def test_days_missing_in_a_row_are_counted():
    days = [SUNDAY + timedelta(n) for n in range(6)]

    assert longest_gap(days, frozenset(days)) == 0
    assert longest_gap(days, frozenset({days[0], days[3]})) == 2
    assert longest_gap(days, frozenset()) == 6


BUSY = np.full(24, 30)
AREA = [zone for zone in h3.cell_to_children(h3.cell_to_parent(HOME, 4), 6) if zone != HOME][:6]
CELLS = {zone: (f"cell of {zone}",) for zone in (HOME, *AREA)}


def network(**changes):
    """Everybody everywhere, all day; but what is changed."""
    return {zone: BUSY.copy() for zone in CELLS} | changes


def but(hours_, value=0):
    changed = BUSY.copy()
    changed[hours_] = value
    return changed


@pytest.mark.parametrize(
    ("silent_hours", "is_found"),
    [([9, 10, 11], False), ([9, 10, 11, 12], True), ([9, 10, 12, 13], False), (list(range(24)), True)],
)
def test_a_place_is_silent_that_shows_nobody_for_more_than_three_hours_in_a_row(silent_hours, is_found):
    found = silent_places(network(**{HOME: but(silent_hours)}), [network()] * 3, CELLS, LIMITS)

    assert [place.zone for place in found] == [HOME] * is_found
    if is_found:
        assert (found[0].first_hour, found[0].hours) == (silent_hours[0], len(silent_hours))
        assert found[0].cells == CELLS[HOME]


def test_a_place_where_few_were_ever_seen_may_be_silent():
    quiet = [network(**{HOME: but(range(24), 1)})] * 3

    assert silent_places(network(**{HOME: but([9, 10, 11, 12, 13])}), quiet, CELLS, LIMITS) == ()


def test_a_place_is_not_silent_whose_whole_area_is():
    everywhere = {zone: but(range(9, 15)) for zone in CELLS}

    assert silent_places(everywhere, [network()] * 3, CELLS, LIMITS) == ()


def test_a_place_without_a_cell_in_service_is_not_missed():
    others = {zone: cells for zone, cells in CELLS.items() if zone != HOME}

    assert silent_places(network(**{HOME: but(range(24))}), [network()] * 3, others, LIMITS) == ()


@pytest.mark.parametrize(
    "identifier",
    ["230571234567", "+258841234567", "d2a84f4b8b650937ec8f73cd8be2c74a", "3q2+7wAAAAAAAAAAAAAAAA==", "643-01-1234567"],
)
def test_nothing_that_could_be_a_number_or_its_digest_stands_in_a_list_of_cells(identifier):
    assert identifier[-7:] not in masked_cell(identifier)
    assert "#" in masked_cell(identifier)


@pytest.mark.parametrize("cell", ["SYN-00012-1", "KAMPALA_CENTRAL_SECTOR_1", "12345", "0x1A2F"])
def test_a_cells_name_stands_as_it_is(cell):
    assert masked_cell(cell) == cell


DOCUMENT = (Path(__file__).parents[2] / "docs" / "quality.md").read_text(encoding="utf-8")


def test_the_document_of_checks_names_every_check():
    assert [check.name for check in CHECKS if f"`{check.name}`" not in DOCUMENT] == []


def test_the_document_of_checks_states_every_threshold_with_its_unit_and_default():
    lines = DOCUMENT.split("## Thresholds")[1].splitlines()
    for key, field in QualityConfig.model_fields.items():
        (row,) = [line for line in lines if line.startswith(f"| `{key}` |")]
        *_, unit, default, _ = (cell.strip() for cell in row.split("|"))
        assert (bool(unit), default) == (True, str(field.default))
