"""Displacement against its definition, and what must hold of it for any data, through the real job."""

import random
from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import h3
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from jobs.events import event_cells
from jobs.ingest.cells import ZoneRegister
from jobs.mobility.displacement import days_for, keyed_statuses, resident_statuses
from jobs.mobility.nights import nights
from jobs.pipeline import displacement
from jobs.releases import zone_rows
from privacy.bounding import FIXED_POINT
from privacy.displaced import DisplacementPlan
from privacy.hierarchy import ZoneTree
from privacy.ledger import ReleaseKey
from privacy.policy import Policy
from privacy.unit import Period, PrivacyMonth
from schemas.displacement import AWAY, HOME, SIGHTS, SILENT, TRANSITIONS
from schemas.subscriber_days import SUBSCRIBER_DAYS
from tests.installations import days_table
from tests.oracle import displacement as oracle
from tests.oracle import residence
from tests.oracle.trips import distance_km
from tests.properties.walks import AWAY as FAR
from tests.properties.walks import CELLS, PLACES, A, B, C, through_the_engine

POLICY = Policy.load()
(PRODUCT,) = POLICY.events
ONSET = date(2026, 3, 3)
BASELINE = PrivacyMonth(2026, 2)
"""2 February to 1 March: four weeks."""

RESIDENCE_LEVELS = (4, 5, 6)
BEFORE, FIRST, LATER, WEEK = map(Period.parse, ("2026-W09", "2026-03-03", "2026-03-12", "2026-W12"))
"""The usual week, which lies in the baseline; two days, one whose nights lie in two months; a week of the schedule."""

OTHERS = [n for n in range(len(CELLS)) if n not in (A, B, C)]
NEXT_DOOR = next(n for n in OTHERS if 10 < distance_km(PLACES[n], PLACES[A]) < 40)
"""A cell beyond the reach of a handover."""


def plan_for(period):
    return DisplacementPlan(
        key=ReleaseKey("displacement", str(period)),
        period=period,
        product=PRODUCT,
        policy_sha256=POLICY.sha256,
        country="Numenia",
        definition="Residents.",
        definition_parameters={},
        synthetic=True,
        zones=ZoneTree(CELLS, PRODUCT.resolutions),
        event="flood",
        hazard="flood",
        onset=ONSET,
        homes=tuple(CELLS[n] for n in (A, B, C)),
    )


def through_the_job(session, days, period, made):
    """What `made(nights, days, cells, plan)` gives of subscriber days in memory, as rows."""
    plan = plan_for(period)
    asked = days_for(period, nights=POLICY.away.carry_forward_nights)
    read = {key: points for key, points in days.items() if key[1] in asked}
    month = {key: points for key, points in days.items() if key[1] in BASELINE.days}
    register = ZoneRegister(CELLS)
    with TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("days.parquet", "month.parquet", "cells.parquet")]
        rows = zone_rows(register, ZoneTree(CELLS, RESIDENCE_LEVELS))
        for file, table in zip(
            files, [days_table(read), days_table(month), event_cells(rows, CELLS, plan)], strict=True
        ):
            pq.write_table(table, file)
        looked_at, of_month = (session.read.schema(SUBSCRIBER_DAYS.schema).parquet(str(file)) for file in files[:2])
        spent = nights(of_month, BASELINE, residence=POLICY.residence, mobility=POLICY.mobility, partitions=2)
        cells = session.read.parquet(str(files[2]))
        return made(spent, looked_at, cells, plan, policy=POLICY, partitions=2).collect()


def statuses_of(session, days, period):
    rows = through_the_job(session, days, period, resident_statuses)
    return {(r["subscriber"], r["local_date"]): tuple(r)[2:] for r in rows}


def totals_of(session, days, period):
    return {r["key"]: r["total"] for r in through_the_job(session, days, period, displacement)}


def naive(days, period, **feed):
    """The statuses by the definitions alone; `reach_km` of the oracle where there is an outage feed."""
    limits = {
        "from_h": POLICY.residence.night_from_h,
        "to_h": POLICY.residence.night_to_h,
        "max_events_a_day": POLICY.mobility.max_events_a_day,
    }
    spent = {}
    for month in (BASELINE.next(-1), BASELINE, BASELINE.next()):
        spent |= residence.nights(days, month_days=month.days, **limits)
    baseline = {key: cell for key, cell in spent.items() if key[1] in BASELINE.days}
    homes = residence.residence(
        [baseline],
        ancestors={n: tuple(h3.cell_to_parent(cell, r) for r in RESIDENCE_LEVELS) for n, cell in enumerate(CELLS)},
        min_nights=POLICY.away.min_home_nights,
        min_share=POLICY.residence.min_share,
        min_month_share=POLICY.residence.min_month_share,
    )
    return oracle.statuses(
        spent,
        homes={who: cell for who, cell in homes.items() if cell in (A, B, C)},
        baseline_days=BASELINE.days,
        days=period.days,
        places=PLACES,
        **{name: getattr(POLICY.away, name) for name in ("carry_forward_nights", "min_away_km", "min_weekday_nights")},
        **feed,
    )


DAYS = [BASELINE.first_day + timedelta(n) for n in range(-8, 49)]


def people(seed, number):
    """Days of people who live in or near the area, some of whom leave, call seldom, or have places by weekday."""
    rng = random.Random(seed)
    return {key: points for who in range(1, number + 1) for key, points in _life(rng, who).items()}


def _life(rng, who):
    home, elsewhere = rng.choice([A, A, B, C, NEXT_DOOR]), rng.choice([B, NEXT_DOOR, FAR, *OTHERS])
    seen, leaves, back = rng.choice([0.2, 0.5, 0.95]), rng.choice(DAYS), rng.choice(DAYS)
    weekday, quiet = rng.choice([None, 4]), rng.choice([None, 4, 9, 30])
    falls_silent = rng.choice(DAYS)
    days = {}
    for day in DAYS:
        if quiet and falls_silent <= day < falls_silent + timedelta(quiet):
            continue
        gone = leaves <= day < back or day.weekday() == weekday
        place = rng.choice([*[elsewhere if gone else home] * 8, *range(len(CELLS))])
        hours = [hour for hour in (3, 6.999, 7, 12, 18.999, 19, 23) if rng.random() < seen / 2]
        points = [(int(hour * 3600), place if rng.random() < 0.9 else rng.randrange(len(CELLS))) for hour in hours]
        if points:
            days[who, day] = points * (70 if rng.random() < 0.03 else 1)  # now and then a machine
    return days


@through_the_engine(8)
@given(seed=st.integers(0, 10**6), period=st.sampled_from([BEFORE, FIRST, LATER, WEEK]))
def test_statuses_are_those_of_the_definition(engines, seed, period):
    days = people(seed, 25)
    with engines("sail") as session:
        assert statuses_of(session, days, period) == naive(days, period)


def keys_of(told):
    """Subscribers with their keys, from the statuses by hand."""
    n, homes = len(CELLS), sorted((A, B, C))
    return [
        (who, ((homes.index(home) * (n + 1) + (n if place is None else place)) * 9 + 3 * before + status) * 6 + sight)
        for (who, _), (home, place, before, status, sight) in told.items()
    ]


def totals_by_hand(told):
    return {key: FIXED_POINT * times for key, times in Counter(key for _, key in keys_of(told)).items()}


def keyed(spent, days, cells, plan, **options):
    told = resident_statuses(spent, days, cells, plan, **options)
    return keyed_statuses(told, cells, silent=len(plan.zones.base_cells))


def nightly(who, home, days, hour=23):
    """A subscriber seen every night at one place; the points stand on the day before the night's."""
    return {(who, day): [(hour * 3600, home)] for day in days}


FRIDAYS = [day for day in DAYS if day.weekday() == 4]
AFTER = [day for day in DAYS if day >= ONSET]
BY_HAND = {
    # name: days, (day, status before, status)
    "stays": (nightly(1, A, DAYS), ("2026-03-12", HOME, HOME)),
    "handed to the next tower": (
        nightly(1, A, DAYS) | nightly(1, B, AFTER),
        ("2026-03-12", HOME, HOME),
    ),
    "leaves in the evening, is away from the next day": (
        nightly(1, A, DAYS) | nightly(1, FAR, [d for d in AFTER if d >= date(2026, 3, 11)]),
        ("2026-03-12", HOME, AWAY),
    ),
    "comes back": (
        nightly(1, A, DAYS) | nightly(1, FAR, [d for d in AFTER if d <= date(2026, 3, 10)]),
        ("2026-03-12", AWAY, HOME),
    ),
    "sleeps elsewhere every Friday, as always": (
        nightly(1, A, DAYS) | {(1, d - timedelta(1)): [(23 * 3600, FAR)] for d in FRIDAYS},
        ("2026-03-13", HOME, HOME),
    ),
    "sleeps there on another day": (
        nightly(1, A, DAYS)
        | {(1, d - timedelta(1)): [(23 * 3600, FAR)] for d in FRIDAYS}
        | {(1, date(2026, 3, 11)): [(23 * 3600, FAR)]},
        ("2026-03-12", HOME, AWAY),
    ),
    "a habit of Fridays lasts over a silent Saturday": (
        {
            key: points
            for key, points in (
                nightly(1, A, DAYS) | {(1, d - timedelta(1)): [(23 * 3600, FAR)] for d in FRIDAYS}
            ).items()
            if key[1] != date(2026, 3, 13)
        },
        ("2026-03-14", HOME, HOME),
    ),
    "is quiet for six nights": (nightly(1, A, [d for d in DAYS if d <= date(2026, 3, 5)]), ("2026-03-12", HOME, HOME)),
    "is quiet for seven nights": (
        nightly(1, A, [d for d in DAYS if d <= date(2026, 3, 4)]),
        ("2026-03-12", HOME, SILENT),
    ),
    "was silent and is away": (
        nightly(1, A, BASELINE.days) | nightly(1, FAR, [date(2026, 3, 11)]),
        ("2026-03-12", SILENT, AWAY),
    ),
    "is never seen again": (nightly(1, A, BASELINE.days), ("2026-03-12", SILENT, SILENT)),
    "is seen by day only": (
        nightly(1, A, BASELINE.days) | nightly(1, FAR, AFTER, hour=12),
        ("2026-03-12", SILENT, SILENT),
    ),
    "lives elsewhere": (nightly(1, NEXT_DOOR, DAYS), None),
    "is seen on two nights of the month": (nightly(1, A, BASELINE.days[:2]) | nightly(1, A, AFTER), None),
    "is seen on three nights of the month": (
        nightly(1, A, BASELINE.days[:3]) | nightly(1, A, AFTER),
        ("2026-03-12", HOME, HOME),
    ),
}


CASES_WEEK = Period.parse("2026-W11")
"""Holds all the days that the cases ask about."""


def test_a_status_is_what_its_definition_says(sail):
    """All cases in one query, a subscriber each."""
    found = statuses_of(sail, cases(), CASES_WEEK)
    for n, (name, (_, expected)) in enumerate(BY_HAND.items()):
        if expected is None:
            assert not any(who == n for who, _ in found), name
        else:
            day, *statuses = expected
            assert list(found[n, date.fromisoformat(day)][2:4]) == statuses, name


SEEN_BY_HAND = {
    # name of a case above: day, what its night showed
    "leaves in the evening, is away from the next day": ("2026-03-12", "seen_away"),
    "handed to the next tower": ("2026-03-12", "seen_home"),
    "sleeps elsewhere every Friday, as always": ("2026-03-13", "seen_home"),
    "a habit of Fridays lasts over a silent Saturday": ("2026-03-14", "not_seen"),
    "is quiet for six nights": ("2026-03-12", "not_seen"),
    "is quiet for seven nights": ("2026-03-12", "not_seen"),
    "was silent and is away": ("2026-03-12", "seen_away"),
}


def test_a_sight_is_of_the_night_itself_and_nothing_is_carried_into_it(sail):
    found = statuses_of(sail, cases(), CASES_WEEK)
    for name, (day, sight) in SEEN_BY_HAND.items():
        assert SIGHTS[found[list(BY_HAND).index(name), date.fromisoformat(day)][-1]] == sight, name


def cases():
    return {(n, day): points for n, (days, _) in enumerate(BY_HAND.values()) for (_, day), points in days.items()}


def test_both_engines_give_every_subscriber_the_same_keys(engine):
    days = cases() | {(100 + who, day): points for (who, day), points in people(1, 30).items()}
    told = naive(days, CASES_WEEK)
    assert {status for _, _, *both, _ in told.values() for status in both} == {HOME, AWAY, SILENT}
    assert {SIGHTS[sight] for *_, sight in told.values()} == set(SIGHTS[:3]), "nobody's home is in the dark"
    rows = through_the_job(engine, days, CASES_WEEK, keyed)
    assert sorted((row["subscriber"], row["key"]) for row in rows) == sorted(keys_of(told))
    assert {row["amount"] for row in rows} == {1}


def test_totals_are_those_of_the_keys_and_nothing_is_cut_off(sail):
    days = people(2, 40)
    assert totals_of(sail, days, WEEK) == totals_by_hand(naive(days, WEEK))


def test_the_stock_of_people_away_adds_up_exactly_for_any_data(sail):
    told = statuses_of(sail, people(7, 60), WEEK)
    away = {day: {who for (who, on), (*_, now, _) in told.items() if on == day and now == AWAY} for day in WEEK.days}
    for yesterday, day in pairwise(WEEK.days):
        moved = Counter(TRANSITIONS[3 * before + now] for (_, on), (_, _, before, now, _) in told.items() if on == day)
        came, went = moved["newly_away"] + moved["reappeared_away"], moved["returned"] + moved["lost"]
        assert len(away[day]) == len(away[yesterday]) + came - went
    assert len(set(map(frozenset, away.values()))) > 1, "somebody came or went"


def test_a_day_of_its_own_and_a_day_of_a_week_tell_the_same(sail):
    days, day = people(8, 30), WEEK.first_day + timedelta(2)
    of_week = {key: found for key, found in statuses_of(sail, days, WEEK).items() if key[1] == day}
    assert statuses_of(sail, days, Period.parse(str(day))) == of_week != {}


@through_the_engine(3)
@given(seed=st.integers(0, 10**6))
def test_a_subscriber_is_told_of_alone_as_in_company(engines, seed):
    days = people(seed, 12)
    with engines("sail") as session:
        told = statuses_of(session, days, WEEK)
        who = min(one for one, _ in told)
        alone = statuses_of(session, {key: points for key, points in days.items() if key[0] == who}, WEEK)
    assert alone == {key: found for key, found in told.items() if key[0] == who} != {}


@through_the_engine(4)
@given(seed=st.integers(0, 10**6), data=st.data())
def test_removing_a_subscriber_or_one_of_its_months_moves_nobody_else_and_keeps_the_bound(engines, seed, data):
    days = people(seed, 12)
    period = data.draw(st.sampled_from([FIRST, WEEK]))
    who = data.draw(st.integers(1, 12))
    months = data.draw(st.sampled_from([None, BASELINE, BASELINE.next()]))
    removed = {
        key: points
        for key, points in days.items()
        if key[0] != who or (months is not None and PrivacyMonth.of(key[1]) != months)
    }
    with engines("sail") as session:
        told, left = statuses_of(session, days, period), statuses_of(session, removed, period)

    assert {k: v for k, v in told.items() if k[0] != who} == {k: v for k, v in left.items() if k[0] != who}
    one, other = totals_by_hand(told), totals_by_hand(left)
    distance = sum((one.get(key, 0) - other.get(key, 0)) ** 2 for key in one.keys() | other.keys())
    bound = plan_for(period).bounds[-1].squared
    # absent without the baseline, under another key without another month
    assert distance <= (2 if months == BASELINE.next() else 1) * bound


def test_a_removed_month_takes_no_night_of_another_month(sail):
    """The evening before a month begins belongs to no night of it."""
    days = nightly(1, A, BASELINE.days) | {(1, BASELINE.last_day): [(23 * 3600, FAR)]}
    assert BASELINE.last_day + timedelta(1) == date(2026, 3, 2)
    ((_, _, before, now, sight),) = statuses_of(sail, days, Period.parse("2026-03-02")).values()
    assert (before, now) == (HOME, HOME)
    assert SIGHTS[sight] == "not_seen"
