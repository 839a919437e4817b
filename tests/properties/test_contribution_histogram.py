"""The contribution histogram through the real job: whom it counts where, and what one subscriber can change."""

import dataclasses
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from jobs.pipeline import days_of
from privacy.policy import Policy
from privacy.unit import PrivacyMonth
from tests.installations import histogram_over, totals_of_days
from tests.oracle import contribution_histogram, trips
from tests.properties.walks import CELLS, DAY_S, MONDAY, PLACES, A, B, days_of_people, through_the_engine

PLAN = histogram_over(CELLS)
MARCH = PrivacyMonth.parse("2026-03")
MOBILITY = Policy.load().mobility


def by_definition(days):
    """The histogram of the oracle, trips being those of the other oracle."""
    sizes, to_level = [len(level.zones) for level in PLAN.zones.levels], PLAN.zones.base_to_level
    found = {}
    for week in MARCH.weeks:
        made = trips.trips(
            days,
            first=week.first_day,
            last=week.last_day,
            month_first=MARCH.first_day,
            places=PLACES,
            limits=dataclasses.asdict(MOBILITY),
        )
        for (who, origin, destination, _), times in trips.counted(made, MOBILITY.max_repeats_a_day).items():
            keys = [int(zone[origin]) * n + int(zone[destination]) for zone, n in zip(to_level, sizes, strict=True)]
            found.setdefault(who, {}).setdefault(week.first_day, []).append((keys, times))
    squared = [bound.squared for bound in PLAN.measured_bounds]
    period = PLAN.period
    return contribution_histogram.histogram(
        found, squared, grid=PLAN.grid, first_day=period.first_day, days=period.n_days
    )


@through_the_engine(8)
@given(days=days_of_people(people=8, days=14))
def test_subscribers_stand_in_the_bins_of_the_definition(engines, days):
    with engines("sail") as session:
        assert totals_of_days(session, days, PLAN) == by_definition(days)


def commuters(number):
    """Subscribers who go to and fro, from once a week to many times a day, all week long."""
    return {
        (who, MONDAY + timedelta(n)): [(DAY_S // times * k, (A, B)[(n * times + k) % 2]) for k in range(times)]
        for who in range(1, number + 1)
        for times in [1 + who % 40]
        for n in range(0, 12, 1 + who % 5)
    }


def test_both_engines_find_the_bins_of_the_definition(engine):
    days = commuters(200)
    expected = by_definition(days)

    assert totals_of_days(engine, days, PLAN) == expected
    assert len(expected) > 4
    assert sum(expected.values()) > 100


@through_the_engine(8)
@given(days=days_of_people(people=8), data=st.data())
def test_removing_any_one_subscriber_changes_one_count_by_one_at_most(engines, days, data):
    removed = data.draw(st.sampled_from(sorted({who for who, _ in days})))
    others = {key: points for key, points in days.items() if key[0] != removed}
    with engines("sail") as session:
        with_them, without = totals_of_days(session, days, PLAN), totals_of_days(session, others, PLAN)

    moved = {key: with_them.get(key, 0) - without.get(key, 0) for key in with_them.keys() | without.keys()}

    assert sum(moved.values()) in (0, 1)
    assert sum(abs(change) for change in moved.values()) <= 1


def test_who_travels_in_every_week_of_the_month_is_counted_once(sail):
    days = {(1, day): [(DAY_S // 40 * k, (A, B)[k % 2]) for k in range(40)] for day in MARCH.days}

    assert list(totals_of_days(sail, days, PLAN).values()) == [1]


def test_the_histogram_looks_at_the_days_of_its_month_and_at_no_others():
    assert days_of(PLAN.period, MOBILITY) == MARCH.days
