"""Nights and homes against naive implementations, through the real stages on both engines."""

import dataclasses
from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.mobility.moves import churn_between
from jobs.mobility.residence import residence
from privacy.policy import Policy
from privacy.unit import PrivacyMonth
from schemas.nights import NIGHTS
from schemas.subscriber_days import NOT_AVAILABLE
from tests.oracle import moves as naive_moves
from tests.oracle import residence as naive
from tests.populations import nights_stage, read_days
from tests.properties.walks import A, B, C, through_the_engine

MARCH = PrivacyMonth.parse("2026-03")
FIRST, LAST = MARCH.first_day, MARCH.last_day
POLICY = Policy.load()
DEFINITION = {"month_days": MARCH.days, "from_h": 19, "to_h": 7, "max_events_a_day": POLICY.mobility.max_events_a_day}
DAY, EVENING, MORNING = 12 * 3600, 19 * 3600, 7 * 3600


def nights_of(session, days, *, unseen=(), strata=None):
    """Nights of March by the job, {(subscriber, day): cell}, and each subscriber's stratum."""
    with TemporaryDirectory() as folder:
        read = read_days(session, Path(folder) / "days.parquet", days, MARCH.days, strata)
        table = nights_stage(read, MARCH, POLICY, unseen)
        rows = [row.asDict() for row in table.collect()]
    for row in rows:
        assert row["nights"] == row["night_bits"].bit_count()
        assert row["privacy_month"] == "2026-03"
    spent = {
        (row["subscriber"], FIRST + timedelta(bit)): row["cell_index"]
        for row in rows
        for bit in range(35)
        if row["night_bits"] >> bit & 1
    }
    assert len(spent) == sum(row["nights"] for row in rows)  # a night is spent in one place
    return spent, {row["subscriber"]: (row["sex"], row["age_band"]) for row in rows}


seconds = st.sampled_from([0, MORNING - 1, MORNING, DAY, EVENING - 1, EVENING, 86_399]) | st.integers(0, 86_399)
days_about_nights = st.dictionaries(
    st.tuples(st.integers(1, 3), st.sampled_from([*MARCH.days[:4], *MARCH.days[-3:]])),
    st.lists(st.tuples(seconds, st.integers(0, 4)), min_size=1, max_size=5),
    min_size=1,
    max_size=12,
)


@through_the_engine(12)
@given(days=days_about_nights, unseen=st.sampled_from([(), (0, 3)]))
def test_nights_are_those_of_the_definition(engines, days, unseen):
    strata = {key: (f"sex {key[1]}", f"age {key[1]}") for key in days}
    with engines("sail") as session:
        spent, people = nights_of(session, days, unseen=unseen, strata=strata)

    assert spent == naive.nights(days, unseen=unseen, **DEFINITION)
    last = naive.last_days(days, unseen=unseen, **DEFINITION)
    assert people == {who: strata[who, day] for who, day in last.items()}


TUESDAY = FIRST + timedelta(1)
NIGHTS_BY_HAND = {
    "an evening's last record is the night of the day after": ({FIRST: [(EVENING, A), (EVENING + 9, B)]}, {TUESDAY: B}),
    "a morning's is that of its own day": ({TUESDAY: [(0, A), (MORNING - 1, B)]}, {TUESDAY: B}),
    "the morning counts before the evening": ({FIRST: [(86_399, A)], TUESDAY: [(0, B)]}, {TUESDAY: B}),
    "seven in the morning is day": ({TUESDAY: [(MORNING, A)]}, {}),
    "a second before seven in the evening too": ({FIRST: [(EVENING - 1, A)]}, {}),
    "at one second, the larger cell is last": ({TUESDAY: [(5, B), (5, C), (5, A)]}, {TUESDAY: max(A, B, C)}),
    "the first night knows its morning only": ({FIRST - timedelta(1): [(EVENING, A)], FIRST: [(DAY, B)]}, {}),
    "the last evening is a night of the next month": ({LAST: [(EVENING, A)]}, {}),
    "a machine's day is no night of its own": ({FIRST: [(EVENING + n, A) for n in range(201)]}, {}),
    "a day of 200 records is a person's": ({FIRST: [(EVENING + n, A) for n in range(200)]}, {TUESDAY: A}),
}


def test_a_night_is_what_its_definition_says(engine):
    """All cases in one query, a subscriber each."""
    days, expected = {}, {}
    for who, (seen, nights) in enumerate(NIGHTS_BY_HAND.values(), start=1):
        days |= {(who, day): points for day, points in seen.items()}
        expected |= {(who, day): cell for day, cell in nights.items()}

    assert nights_of(engine, days)[0] == expected == naive.nights(days, **DEFINITION)


ANCESTORS = {0: (0, 0, 0), 1: (0, 0, 1), 2: (0, 1, 2), 3: (0, 1, 2), 4: (1, 2, 3), 5: (1, 3, 4)}
"""Zones of cells at three levels: two cells of the finest zone 2, and two of the coarsest zones."""


def homes_of(session, months, limits):
    """Homes by the job, {subscriber: cell}, of windows of nights {(subscriber, day): cell} by month."""
    with TemporaryDirectory() as folder:
        nights = write_nights(session, Path(folder) / "nights.parquet", months)
        zones = {"cell_index": list(ANCESTORS)} | {f"zone_{n}": [z[n] for z in ANCESTORS.values()] for n in range(3)}
        pq.write_table(pa.table(zones), Path(folder) / "zones.parquet")
        homes = residence(
            nights, session.read.parquet(f"{folder}/zones.parquet"), months=list(months), policy=limits, partitions=2
        ).collect()
    for home in homes:
        assert (home["zone_0"], home["zone_1"], home["zone_2"]) == ANCESTORS[home["cell_index"]]
    assert len({home["subscriber"] for home in homes}) == len(homes)
    return {home["subscriber"]: home["cell_index"] for home in homes}


def write_nights(session, file, months):
    bits = Counter()
    for month, spent in months.items():
        for (who, day), cell in spent.items():
            bits[who, str(month), cell] |= 1 << (day - month.first_day).days
    rows = [
        (who, month, cell, nights.bit_count(), nights, NOT_AVAILABLE, NOT_AVAILABLE)
        for (who, month, cell), nights in bits.items()
    ]
    table = [dict(zip(NIGHTS.names, row, strict=True)) for row in rows]
    pq.write_table(pa.Table.from_pylist(table, schema=NIGHTS.arrow_schema), file)
    return session.read.schema(NIGHTS.schema).parquet(str(file))


def naive_homes(months, limits):
    chosen = {name: getattr(limits, name) for name in ("min_nights", "min_share", "min_month_share")}
    return naive.residence(list(months.values()), ancestors=ANCESTORS, **chosen)


def nights_in(month):
    sleepers = st.tuples(st.integers(1, 4), st.sampled_from(month.days))
    return st.dictionaries(sleepers, st.integers(0, 5), max_size=25)


@st.composite
def windows(draw):
    first = PrivacyMonth.parse("2025-12")
    months = [first.next(n) for n in range(draw(st.sampled_from([1, 2, 3, 12])))]
    return {month: draw(nights_in(month)) for month in months}


limits = st.builds(
    dataclasses.replace,
    st.just(POLICY.residence),
    min_nights=st.sampled_from([1, 2, 5]),
    min_share=st.sampled_from([0.0, 0.5, 0.6]),
    min_month_share=st.sampled_from([0.33, 0.5, 1.0]),
)


@through_the_engine(20)
@given(months=windows(), limits=limits)
@example(months={MARCH: {(1, day): 4 for day in MARCH.days[:7]}}, limits=POLICY.residence)
def test_homes_are_those_of_the_definition(engines, months, limits):
    with engines("sail") as session:
        assert homes_of(session, months, limits) == naive_homes(months, limits)


HOMES_BY_HAND = {
    "seven nights make a home": ([4] * 7, 4),
    "six do not": ([4] * 6, None),
    "half of the nights is no home": ([0] * 5 + [4] * 5, None),
    "more than half is": ([0] * 5 + [4] * 6, 4),
    "a city dweller between two towers lives in the city": ([0] * 4 + [1] * 3 + [4] * 6, 0),
    "the zone of most nights is chosen before the cell": ([0] * 4 + [2] * 3 + [3] * 3, 3),
    "between equal cells, the one slept in last": ([2, 3] * 4, 3),
    "and the other way round": ([3, 2] * 4, 2),
}


def test_a_home_is_what_its_definition_says(engine):
    """All cases in one query, a subscriber each, its nights from the month's first one on."""
    spent, expected = {}, {}
    for who, (cells, home) in enumerate(HOMES_BY_HAND.values(), start=1):
        spent |= {(who, MARCH.days[n]): cell for n, cell in enumerate(cells)}
        expected |= {who: home} if home is not None else {}

    assert homes_of(engine, {MARCH: spent}, POLICY.residence) == expected
    assert naive_homes({MARCH: spent}, POLICY.residence) == expected


@pytest.mark.parametrize(("covered", "has_a_home"), [(7, False), (8, True)])
def test_a_usual_residence_needs_nights_in_two_thirds_of_twelve_months(sail, covered, has_a_home):
    months = [MARCH.next(n) for n in range(12)]
    seen = {
        month: {(1, day): 4 for day in month.days[: POLICY.residence.min_nights - (n >= covered)]}
        for n, month in enumerate(months)
    }

    assert homes_of(sail, seen, POLICY.residence) == ({1: 4} if has_a_home else {})


def test_who_has_a_home_in_one_window_only_appeared_or_fell_silent(engine):
    before, now = {1: 0, 2: 4, 3: 5}, {2: 0, 3: 5, 4: 1}
    tables = [
        engine.createDataFrame([(who, cell) for who, cell in homes.items()], "subscriber long, cell_index long")
        for homes in (before, now)
    ]

    assert {tuple(row) for row in churn_between(*tables).collect()} == naive_moves.churn(before, now)
