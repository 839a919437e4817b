"""Trips and their weights against naive implementations, through the real job on random walks."""

import dataclasses
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jobs.ingest.cells import ZoneRegister
from jobs.mobility.trips import paths, trips_between_visits
from jobs.pipeline import days_of
from jobs.releases import zone_rows
from privacy.policy import Policy
from privacy.unit import Period
from schemas.subscriber_days import SUBSCRIBER_DAYS
from tests.installations import days_table, plan_over, totals_of_days
from tests.oracle import bounding, trips
from tests.properties.walks import CELLS, DAY_S, MONDAY, PLACES, days_of_people

WEEK = Period.parse("2026-W11")
PLAN = plan_over(CELLS, period=WEEK)
MOBILITY = Policy.load().mobility
LIMITS = {"max_gap_h": (0.5, 6.0, 24.0), "max_events_a_day": (5, 30, 200), "max_speed_m_s": (5.0, 55.0)}

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
        walked = paths(
            session.read.schema(SUBSCRIBER_DAYS.schema).parquet(str(days_file)),
            first_day=looked_at[0],
            mobility=mobility,
            partitions=2,
        )
        found = trips_between_visits(
            walked,
            session.read.parquet(str(zones_file)).select("cell_index", "latitude", "longitude", "zone_2"),
            arrivals_from_s=(WEEK.first_day - looked_at[0]).days * DAY_S,
            mobility=mobility,
        )
        return sorted(tuple(row) for row in found.select("subscriber", "origin_zone_2", "destination_zone_2").collect())


def naive(days, mobility):
    return trips.trips(
        days,
        first=WEEK.first_day,
        last=WEEK.last_day,
        month_first=WEEK.privacy_month.first_day,
        places=PLACES,
        limits=dataclasses.asdict(mobility),
    )


A_DAY_APART = {(1, MONDAY): [(100, 0)], (1, MONDAY + timedelta(1)): [(100, 1)]}
A_SECOND_MORE = {(1, MONDAY): [(100, 0)], (1, MONDAY + timedelta(1)): [(101, 1)]}
AT_ONCE = {(1, MONDAY): [(100, 1), (100, 0), (100, 1), (100, 8)]}


@settings(max_examples=25)
@given(days=days_of_people(), mobility=limits)
@example(days=A_DAY_APART, mobility=MOBILITY)
@example(days=A_SECOND_MORE, mobility=MOBILITY)
@example(days=AT_ONCE, mobility=MOBILITY)
def test_trips_are_those_of_the_definition(engines, days, mobility):
    with engines("sail") as session:
        assert trips_of(session, days, mobility) == naive(days, mobility)


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (A_DAY_APART, [(1, 0, 1)]),
        (A_SECOND_MORE, []),
        # a silence of 25 hours is not one of a single hour
        ({(1, MONDAY): [(0, 0)], (1, MONDAY + timedelta(1)): [(3600, 1)]}, []),
        # three visits in a row to one cell are one origin; the trip leaves from the last
        ({(1, MONDAY): [(0, 0), (9, 0), (99, 0), (100, 1)]}, [(1, 0, 1)]),
        # a machine's day is left out, and the days around it stay a gap apart
        ({(1, MONDAY): [(n, n % 2) for n in range(201)], (1, MONDAY + timedelta(1)): [(5, 2), (6, 3)]}, None),
        ({(1, MONDAY - timedelta(1)): [(86_399, 0)], (1, MONDAY): [(0, 1)]}, [(1, 0, 1)]),
        ({(1, MONDAY - timedelta(1)): [(86_398, 0), (86_399, 1)]}, []),
    ],
)
def test_a_trip_is_what_its_definition_says(engine, days, found):
    expected = naive(days, MOBILITY) if found is None else found

    assert trips_of(engine, days, MOBILITY) == expected


amounts = st.integers(1, 3)


@settings(max_examples=15)
@given(days=days_of_people())
def test_weights_are_those_of_exact_arithmetic(engines, days):
    with engines("sail") as session:
        found = totals_of_days(session, days, PLAN)
    sizes = [len(level.zones) for level in PLAN.zones.levels]
    to_level = PLAN.zones.base_to_level
    by_subscriber = {}
    for who, origin, destination in naive(days, MOBILITY):
        keys = [int(zone[origin]) * n + int(zone[destination]) for zone, n in zip(to_level, sizes, strict=True)]
        by_subscriber.setdefault(who, []).append((keys, 1))

    assert found == bounding.totals(by_subscriber, [bound.squared for bound in PLAN.bounds])


@settings(max_examples=10)
@given(days=days_of_people(), data=st.data())
def test_repeated_points_do_not_matter_for_trips(engines, days, data):
    """Of people: a machine is known by its rows, repeated ones included."""
    repeated = {
        key: points + data.draw(st.lists(st.sampled_from(points), max_size=len(points))) for key, points in days.items()
    }
    with engines("sail") as session:
        assert trips_of(session, repeated, MOBILITY) == trips_of(session, days, MOBILITY)
