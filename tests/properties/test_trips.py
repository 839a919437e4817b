"""Trips and their weights against naive implementations, through the real job on random walks."""

import dataclasses
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from hypothesis import example, given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.ingest.cells import ZoneRegister
from jobs.mobility.trips import steps, trips_between_visits
from jobs.pipeline import days_of
from jobs.releases import zone_rows
from privacy.bounding import FIXED_POINT
from privacy.policy import Policy
from privacy.unit import Period
from schemas.subscriber_days import SUBSCRIBER_DAYS
from tests.installations import days_table, plan_over, totals_of_days
from tests.oracle import bounding, trips
from tests.properties.walks import (
    AWAY,
    BEYOND,
    CELLS,
    MONDAY,
    PLACES,
    A,
    B,
    C,
    days_of_people,
    through_the_engine,
)

WEEK = Period.parse("2026-W11")
PLAN = plan_over(CELLS, period=WEEK)
MOBILITY = Policy.load().mobility
LIMITS = {"max_gap_h": (0.5, 6.0, 24.0, 36.0, 72.0), "max_events_a_day": (5, 30, 200), "max_speed_m_s": (5.0, 55.0)}

limits = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in LIMITS.items()}).map(
    lambda chosen: dataclasses.replace(MOBILITY, **chosen)
)


def trips_of(session, days, mobility):
    """Trips of the job, as the oracle writes them."""
    looked_at = days_of(WEEK, mobility)
    read = {key: points for key, points in days.items() if key[1] in looked_at}
    with TemporaryDirectory() as folder:
        days_file, zones_file = Path(folder) / "days.parquet", Path(folder) / "zones.parquet"
        pq.write_table(days_table(read), days_file)
        rows = zone_rows(ZoneRegister(PLAN.zones.base_cells), PLAN.zones)
        pq.write_table(rows.append_column("index", rows["cell_index"]), zones_file)
        stepped = steps(
            session.read.schema(SUBSCRIBER_DAYS.schema).parquet(str(days_file)),
            first_day=looked_at[0],
            arrivals_from=WEEK.first_day,
            mobility=mobility,
            partitions=2,
        )
        found = trips_between_visits(
            stepped,
            session.read.parquet(str(zones_file)).select("cell_index", "latitude", "longitude", "zone_2"),
            mobility=mobility,
        )
        ends = found.select(
            "subscriber", "origin_zone_2", "destination_zone_2", F.expr("arrival_s div 86400")
        ).collect()
        return sorted((who, *pair, looked_at[0] + timedelta(day)) for who, *pair, day in ends)


def naive(days, mobility):
    return trips.trips(
        days,
        first=WEEK.first_day,
        last=WEEK.last_day,
        month_first=WEEK.privacy_month.first_day,
        places=PLACES,
        limits=dataclasses.asdict(mobility),
    )


SUNDAY, TUESDAY = MONDAY - timedelta(1), MONDAY + timedelta(1)
A_DAY_APART = {(1, MONDAY): [(100, A)], (1, TUESDAY): [(100, B)]}
A_SECOND_MORE = {(1, MONDAY): [(100, A)], (1, TUESDAY): [(101, B)]}
AT_ONCE = {(1, MONDAY): [(100, B), (100, A), (100, B), (100, BEYOND)]}


@through_the_engine(25)
@given(days=days_of_people(), mobility=limits)
@example(days=A_DAY_APART, mobility=MOBILITY)
@example(days=A_SECOND_MORE, mobility=MOBILITY)
@example(days=AT_ONCE, mobility=MOBILITY)
def test_trips_are_those_of_the_definition(engines, days, mobility):
    with engines("sail") as session:
        assert trips_of(session, days, mobility) == naive(days, mobility)


BY_HAND = {
    "a day's silence still makes a trip": (A_DAY_APART, [(1, A, B)]),
    "a second more does not": (A_SECOND_MORE, []),
    "a silence of 25 hours is not one of a single hour": ({(1, MONDAY): [(0, A)], (1, TUESDAY): [(3600, B)]}, []),
    "visits in a row to one cell are one origin": ({(1, MONDAY): [(0, A), (9, A), (99, A), (100, B)]}, [(1, A, B)]),
    "at one second, cells are visited in their order": (AT_ONCE, [(1, A, B)]),
    "130 km in an hour is a journey": ({(1, MONDAY): [(0, A), (3600, AWAY)]}, [(1, A, AWAY)]),
    "130 km in half an hour is not": ({(1, MONDAY): [(0, A), (1800, AWAY)]}, []),
    "neighbours may change in a second": ({(1, MONDAY): [(0, A), (1, B), (2, A)]}, [(1, A, B), (1, B, A)]),
    "a machine's day is left out": (
        {(1, MONDAY): [(n, (A, B)[n % 2]) for n in range(201)], (1, TUESDAY): [(5, C), (900, B)]},
        [(1, C, B)],
    ),
    "200 events are still a person's": (
        {(1, MONDAY): [(n, A) for n in range(199)] + [(300, B)]},
        [(1, A, B)],
    ),
    "a trip over midnight arrives this week": ({(1, SUNDAY): [(86_399, A)], (1, MONDAY): [(0, B)]}, [(1, A, B)]),
    "a trip that arrived last week does not count": ({(1, SUNDAY): [(86_398, A), (86_399, B)]}, []),
    "a subscriber who is only ever abroad makes none": ({(1, MONDAY): []}, []),
    "a day abroad stands between no two points": (
        {(1, SUNDAY): [(86_000, A)], (1, MONDAY): [], (1, TUESDAY): [(100, B)]},
        [],
    ),
    "two subscribers make no trip together": ({(1, MONDAY): [(0, A)], (2, MONDAY): [(60, B)]}, []),
}


def test_a_trip_is_what_its_definition_says(engine):
    """All cases in one query, a subscriber each."""
    together, expected = {}, []
    for number, (days, found) in enumerate(BY_HAND.values(), start=1):
        together |= {(10 * number + who, day): points for (who, day), points in days.items()}
        expected += [(10 * number + who, *ends) for who, *ends in found]

    assert [ends for *ends, _ in trips_of(engine, together, MOBILITY)] == sorted(map(list, expected))
    assert [ends for *ends, _ in naive(together, MOBILITY)] == sorted(map(list, expected))


def test_a_phone_between_two_towers_counts_once_each_way_and_day(engine):
    to_and_fro = {(1, day): [(n, (A, B)[n % 2]) for n in range(20)] for day in (MONDAY, TUESDAY)}
    there_and_back = {(1, day): [(n, (A, B)[n % 2]) for n in range(3)] for day in (MONDAY, TUESDAY)}

    assert len(naive(to_and_fro, MOBILITY)) > len(naive(there_and_back, MOBILITY))
    assert totals_of_days(engine, to_and_fro, PLAN) == totals_of_days(engine, there_and_back, PLAN)
    assert sorted(totals_of_days(engine, there_and_back, PLAN).values()) == [2 * FIXED_POINT] * 2  # on each of two days


@through_the_engine(15)
@given(days=days_of_people())
def test_weights_are_those_of_exact_arithmetic(engines, days):
    with engines("sail") as session:
        found = totals_of_days(session, days, PLAN)
    sizes = [len(level.zones) for level in PLAN.zones.levels]
    to_level = PLAN.zones.base_to_level
    by_subscriber = {}
    counted = trips.counted(naive(days, MOBILITY), MOBILITY.max_repeats_a_day)
    for (who, origin, destination, _), times in counted.items():
        keys = [int(zone[origin]) * n + int(zone[destination]) for zone, n in zip(to_level, sizes, strict=True)]
        by_subscriber.setdefault(who, []).append((keys, times))

    assert found == bounding.totals(by_subscriber, [bound.squared for bound in PLAN.bounds])


@through_the_engine(10)
@given(days=days_of_people(), data=st.data())
def test_repeated_points_do_not_matter_for_trips(engines, days, data):
    """Of people: a machine is known by its rows, repeated ones included."""
    repeated = {
        key: points + data.draw(st.lists(st.sampled_from(points), max_size=len(points))) for key, points in days.items()
    }
    with engines("sail") as session:
        assert trips_of(session, repeated, MOBILITY) == trips_of(session, days, MOBILITY)
