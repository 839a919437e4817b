"""Flat tables: every public key has a number, each table its own noise, and nobody weighs more than the bound says."""

import math
from collections import Counter
from dataclasses import replace
from datetime import date
from unittest.mock import patch

import h3
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy import mechanisms
from privacy.bounding import EVERYTHING, LevelBound
from privacy.flat import FlatMeasurements, open_marginals
from privacy.intervals import Z_95
from privacy.marginals import RoamingCountries
from privacy.mechanisms import sigma_for
from privacy.places import Guard
from privacy.policy import Policy
from schemas.displacement import SIGHTS, STATUSES, TRANSITIONS
from schemas.errors import ConfigError, PrivacyError, SealLostError
from schemas.published import PUBLIC_TABLE
from tests.plans import CELLS, n_keys, plan_of, possible, totals_of, weighted

PRODUCTS = ("presence", "roaming", "active_subscribers", "residents", "churn", "displacement")
PLANS = {product: plan_of(product) for product in PRODUCTS}
KEYS = {name: [key for key in range(n_keys(plan)) if possible(plan, key)] for name, plan in PLANS.items()}


def contributions(plan, **sizes):
    """Whole contributions of one subscriber by finest key."""
    return st.dictionaries(st.sampled_from(KEYS[plan.key.product]), st.integers(1, 40), **sizes)


def zipped(bounded):
    return dict(zip(bounded.keys.tolist(), bounded.totals.tolist(), strict=True))


def noiseless(values, *, l2_sensitivity, micro_rho):
    return values, sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)


def exact_rows(plan, amounts):
    """Rows of the public table with the noise left out."""
    with patch.object(mechanisms, "discrete_gaussian", noiseless):
        return open_marginals(plan.draw(totals_of(plan, amounts))).table.to_pylist()


NUMBERS = ("value", "noise_sd", "ci_low", "ci_high", "quality")


def label(row):
    """What a row is of: all of it but its numbers."""
    return tuple(value for name, value in row.items() if name not in NUMBERS)


# What is counted where: a naive reading of the definition of each key.


def zone_at(cell, resolution):
    return None if resolution is None else h3.cell_to_parent(cell, resolution)


def told_by(plan, key, table):
    """The labels under which a finest key counts in a table; none where it does not."""
    return _TOLD[plan.key.product](plan, key, table)


def presence(_, key, table):
    key, country = divmod(key, 5)
    told = ["domestic", "FR", "IN", "other", "not available"][country] if "sim_country" in table.by else "all"
    zone = zone_at(CELLS[key // 6], table.resolution)
    return {"zone": zone, "resolution": table.resolution, "bin_start_h": key % 6 * 4, "sim_country": told}


def roamer(plan, key, table):
    zones = plan.zones.levels[-1].zones
    country, zone = divmod(key, len(zones) + 1)
    country, is_abroad = ["FR", "IN", "other"][country], zone == len(zones)
    if is_abroad != ("visited_country" in table.by):
        return None
    place = zones[zone] if "zone" in table.by else None
    return {"zone": place, "sim_country": None, "visited_country": None} | {table.by[-1]: country}


def active(plan, key, table):
    zone = plan.zones.levels[-1].zones[key]
    return {"zone": zone_at(zone, table.resolution)}


def resident(plan, key, table):
    zone, sex, age = key // (3 * 8), key // 8 % 3, key % 8
    strata = {"sex": ["female", "male", "not available"][sex], "age_band": plan.ages[age]}
    known = {name: value if name in table.by else "all" for name, value in strata.items()}
    return {"zone": zone_at(CELLS[zone], table.resolution), **known}


def churned(_, key, table):
    return {"zone": zone_at(CELLS[key // 2], table.resolution), "change": ["appeared", "fell_silent"][key % 2]}


def displaced(plan, key, table):
    told, sight = divmod(key, 6)
    home, rest = divmod(told, (len(CELLS) + 1) * 9)
    location, transition = divmod(rest, 9)
    before, now = STATUSES[transition // 3], STATUSES[transition % 3]
    if "location" in table.by and now != "away":
        return None
    broken_down = {"home": plan.homes[home], "location": CELLS[location] if location < len(CELLS) else None}
    zones = {
        name: h3.cell_to_parent(cell, table.resolution) if name in table.by else None
        for name, cell in broken_down.items()
    }
    if "transition" in table.by:
        changed = {"status_before": before, "status": now, "transition": TRANSITIONS[transition]}
        return {**zones, **changed, "sight": "all"}
    if "sight" in table.by:
        status = now if sight % 3 < 2 else "all"
        return {**zones, "status_before": "all", "status": status, "transition": "all", "sight": SIGHTS[sight]}
    return {**zones, "status_before": "all", "status": "away", "transition": "all", "sight": "all"}


_TOLD = {
    "presence": presence,
    "roaming": roamer,
    "active_subscribers": active,
    "residents": resident,
    "churn": churned,
    "displacement": displaced,
}


@pytest.mark.parametrize("product", PRODUCTS)
@given(st.data())
@settings(max_examples=15)
def test_without_noise_each_row_is_the_sum_of_the_keys_that_its_labels_say(product, data):
    plan = PLANS[product]
    amounts = data.draw(contributions(plan, max_size=30))
    expected = Counter()
    for key, amount in amounts.items():
        for table in plan.product.tables:
            if told := told_by(plan, key, table):
                expected[frozenset(told.items())] += amount

    rows = exact_rows(plan, amounts)
    columns = set(PUBLIC_TABLE[product].names) & {name for told in expected for name, _ in told}
    found = {frozenset((name, row[name]) for name in columns): row["value"] * plan.fixed_point for row in rows}

    assert len(found) == len(rows) or not expected
    assert {key: value for key, value in found.items() if value} == pytest.approx(expected) if expected else True


@pytest.mark.parametrize("product", PRODUCTS)
def test_which_rows_there_are_does_not_depend_on_who_was_where(product):
    plan, rng = PLANS[product], np.random.default_rng(7)
    everybody = dict.fromkeys(KEYS[product], 5_000)
    few = {int(key): 1 for key in rng.choice(KEYS[product], 3)}

    listed = [[label(row) for row in exact_rows(plan, amounts)] for amounts in ({}, few, everybody)]

    assert listed[0] == listed[1] == listed[2]
    assert len(set(listed[0])) == len(listed[0])


@pytest.mark.parametrize(
    ("product", "rows"),
    [
        ("presence", (3 + 3 * 5 + 26) * 6),
        ("roaming", 3 + 3 * 3 + 3),
        ("active_subscribers", 1 + 3 + 10),
        ("residents", 24 + 3 * 24 + 3 + 10 + 26),
        ("churn", 2 + 3 * 2 + 26 * 2),
        ("displacement", 9 + 6 + 11 * 9 + 26 + 4 * 10),
    ],
)
def test_a_table_has_a_row_for_every_zone_stratum_bin_transition_and_sight(product, rows):
    assert len(exact_rows(PLANS[product], {})) == rows


@pytest.mark.parametrize("product", PRODUCTS)
@given(st.data())
@settings(max_examples=40)
def test_one_subscriber_moves_each_table_by_at_most_its_bound(product, data):
    plan = PLANS[product]
    others = totals_of(plan, data.draw(contributions(plan, max_size=10)))
    own = weighted(plan, data.draw(contributions(plan, min_size=1, max_size=30)))
    together = totals_of(plan, Counter(zipped(others)) + Counter(own))

    for table in plan.product.tables:
        moved = plan.exact(table, together)[1] - plan.exact(table, others)[1]
        assert sum(n * n for n in moved.tolist()) <= plan.squared(table)


@pytest.mark.parametrize("product", PRODUCTS)
@given(st.data())
@settings(max_examples=25)
def test_a_month_that_changes_a_subscribers_keys_moves_each_table_by_at_most_root_two_bounds(product, data):
    plan = PLANS[product]
    before, after = (totals_of(plan, weighted(plan, data.draw(contributions(plan, max_size=30)))) for _ in range(2))

    for table in plan.product.tables:
        moved = plan.exact(table, after)[1] - plan.exact(table, before)[1]
        assert sum(n * n for n in moved.tolist()) <= 2 * plan.squared(table)


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_bound_of_each_table_is_reached_by_somebody(product):
    plan = PLANS[product]
    for table in plan.product.tables:
        held = next(key for key in KEYS[product] if told_by(plan, key, table))
        most = totals_of(plan, weighted(plan, {held: 16}))
        assert sum(n * n for n in plan.exact(table, most)[1].tolist()) == plan.squared(table)


@pytest.mark.parametrize("product", [p for p in PRODUCTS if p != "presence"])
def test_a_subscriber_of_one_key_counts_in_full(product):
    plan = PLANS[product]

    assert weighted(plan, {9 + 1: plan.days}) == {10: plan.fixed_point}
    assert plan.keys == (plan.bounds[-1].key,)
    assert plan.bounds[0].key == EVERYTHING


@pytest.mark.parametrize("product", PRODUCTS)
def test_each_table_is_drawn_once_with_its_own_bound_and_loss(product):
    plan, drawn = PLANS[product], []

    def note(values, *, l2_sensitivity, micro_rho):
        drawn.append((l2_sensitivity, micro_rho, len(values)))
        return noiseless(values, l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)

    with patch.object(mechanisms, "discrete_gaussian", note):
        plan.draw(totals_of(plan, {}))

    sizes = [len(plan.exact(table, totals_of(plan, {}))[1]) for table in plan.product.tables]
    bounds = [LevelBound("table", plan.squared(table)).l2 for table in plan.product.tables]
    losses = [table.micro_rho for table in plan.product.tables]
    assert drawn == list(zip(bounds, losses, sizes, strict=True))
    assert sum(losses) == plan.product.micro_rho


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_noise_of_a_row_is_that_of_its_bound_and_its_tables_loss(product):
    plan = PLANS[product]
    rows = exact_rows(plan, {})
    found = sorted({round(row["noise_sd"], 6) for row in rows})

    assert found == sorted({round(math.sqrt(t.c2 / (2e-6 * t.micro_rho)), 6) for t in plan.product.tables})
    assert all(row["ci_high"] - row["value"] == pytest.approx(Z_95 * row["noise_sd"]) for row in rows)


def test_a_drawn_table_scatters_by_its_sigma():
    plan = PLANS["residents"]
    rows = open_marginals(plan.draw(totals_of(plan, {}))).table.to_pylist()
    standard = [row["value"] / row["noise_sd"] for row in rows]

    assert len(standard) == 135
    assert 0.75 < np.std(standard) < 1.25
    assert abs(np.mean(standard)) < 0.35


# Countries


def with_finer_bound():
    """A plan of presence whose finest zones have a bound of their own, narrower than that of the coarse ones."""
    plan = plan_of("presence")
    tables = tuple(replace(table, c2=1.5) if table.resolution == 6 else table for table in plan.product.tables)
    return replace(plan, product=replace(plan.product, tables=tables))


@pytest.mark.parametrize("plan", [PLANS["presence"], with_finer_bound()], ids=["shipped", "a finer bound"])
@given(st.data())
@settings(max_examples=40)
def test_a_sim_that_changes_its_country_within_a_week_moves_no_table_beyond_its_bound(plan, data):
    places = data.draw(st.dictionaries(st.integers(0, 26 * 6 - 1), st.lists(st.integers(0, 7), min_size=5, max_size=5)))
    own = {place * 5 + country: days for place, by in places.items() for country, days in enumerate(by) if days}
    mine = totals_of(plan, weighted(plan, own))

    for table in plan.product.tables:
        assert sum(n * n for n in plan.exact(table, mine)[1].tolist()) <= plan.squared(table)


def test_a_level_whose_bound_a_coarser_one_implies_is_not_bounded_twice():
    assert PLANS["presence"].keys == ("key_4", "key")
    assert with_finer_bound().keys == ("key_4", "key_6", "key")


def test_the_countrys_own_sims_are_domestic_and_never_listed():
    countries = RoamingCountries.of(Policy.load().strata, "FR")

    assert "FR" not in countries.foreign
    assert countries.of_sims[0] == "domestic"
    assert countries.of_sims[-1] == "not available"
    assert countries.foreign == countries.of_sims[1:-1]


def test_another_home_country_or_list_is_another_release():
    plan = PLANS["roaming"]
    others = [
        replace(plan, countries=RoamingCountries(*facts)) for facts in (("MU", ("FR", "IN")), ("ZA", ("IN", "FR")))
    ]

    assert plan_of("roaming").specification == plan.specification
    assert all(other.specification != plan.specification for other in others)
    assert not any(other.has_the_terms_of(plan.card) for other in others)


def test_visitors_are_in_no_row_of_residents_abroad_and_the_other_way_round():
    plan, zones = PLANS["roaming"], 3
    visitor, resident = 1 * (zones + 1) + 2, 2 * (zones + 1) + zones
    rows = exact_rows(plan, {visitor: 7 * 1024 * 5, resident: 7 * 1024 * 3})

    found = {(row["zone"] is not None, row["sim_country"], row["visited_country"]): row["value"]
             for row in rows if row["value"]}  # fmt: skip
    assert found == {(False, "IN", None): 5, (True, "IN", None): 5, (False, None, "other"): 3}


# Sensitive places


CLOSED = h3.cell_to_parent(CELLS[0], 5)
WITHHELD = CELLS[-1]
GUARD = Guard(closed=(CLOSED,), withheld=(WITHHELD,))


@pytest.mark.parametrize("product", ["active_subscribers", "residents"])
def test_zones_in_a_closed_zone_and_withheld_ones_have_no_row_and_all_others_have(product):
    plan = plan_of(product, guard=GUARD)
    shown = {row["zone"] for row in exact_rows(plan, {})} - {None}
    gone = {cell for cell in CELLS if h3.cell_to_parent(cell, 5) == CLOSED} | {WITHHELD}
    without = {h3.cell_to_parent(cell, 5) for cell in CELLS if cell != WITHHELD}

    assert CLOSED in shown
    assert shown == {zone for row in exact_rows(plan_of(product), {}) if (zone := row["zone"])} - gone
    assert {zone for zone in shown if h3.get_resolution(zone) == 5} == without


def test_a_zone_whose_only_base_cells_are_withheld_has_no_row():
    members = Counter(h3.cell_to_parent(cell, 5) for cell in CELLS)
    lonely = next(cell for cell in CELLS if members[h3.cell_to_parent(cell, 5)] == 1)

    shown = {row["zone"] for row in exact_rows(plan_of("residents", guard=Guard(withheld=(lonely,))), {})}

    assert {lonely, h3.cell_to_parent(lonely, 5)}.isdisjoint(shown)
    assert h3.cell_to_parent(lonely, 4) in shown


def test_a_closed_zone_still_counts_in_every_zone_above_it():
    plan = plan_of("residents", guard=GUARD)
    inside = next(n for n, cell in enumerate(CELLS) if h3.cell_to_parent(cell, 5) == CLOSED)

    rows = exact_rows(plan, {inside * 24: plan.fixed_point})

    found = {(row["resolution"], row["zone"]) for row in rows if row["value"]}
    assert found == {(None, None), (4, h3.cell_to_parent(CLOSED, 4)), (5, CLOSED)}


# Displacement


HOME, ELSEWHERE = 2, 20
AWAY_NOW = ("newly_away", "still_away", "reappeared_away")


def of_displacement(home, location, before, now):
    sight = {0: 1, 1: 0, 2: 2}[now]  # seen at home, seen away, not seen
    return ((home * (len(CELLS) + 1) + location) * 9 + 3 * before + now) * 6 + sight


@given(st.data())
@settings(max_examples=10)
def test_sights_and_transitions_add_up_to_the_same_residents(data):
    plan = PLANS["displacement"]
    rows = exact_rows(plan, data.draw(contributions(plan, min_size=1, max_size=30)))
    whole = [row for row in rows if row["home"] is None and row["location"] is None]
    by_sight, by_transition = (
        sum(row["value"] for row in whole if row[name] != "all") for name in ("sight", "transition")
    )
    assert by_sight == pytest.approx(by_transition) and by_sight > 0
    away = sum(row["value"] for row in whole if row["transition"] != "all" and row["status"] == "away")
    assert sum(row["value"] for row in whole if row["sight"] in ("seen_away", "dark_seen_away")) <= away + 1e-9


@given(st.data())
@settings(max_examples=6)
def test_the_stock_of_a_day_is_that_of_the_day_before_and_what_changed_exactly(data):
    plan = PLANS["displacement"]
    status = st.integers(0, 2)
    people = data.draw(st.lists(st.tuples(st.integers(0, 10), status, status, status), max_size=40))

    def day(number):
        amounts = Counter()
        for home, *statuses in people:
            before, now = statuses[number], statuses[number + 1]
            location = len(CELLS) if now == 2 else ELSEWHERE
            amounts[of_displacement(home, location, before, now)] += plan.fixed_point
        return {
            (row["home"], row["transition"]): row["value"]
            for row in exact_rows(plan, amounts)
            if row["transition"] != "all"
        }

    first, second = day(0), day(1)
    for home in {home for home, _ in first}:
        stock = [
            sum(day[home, name] for name in ("newly_away", "still_away", "reappeared_away")) for day in (first, second)
        ]
        came = second[home, "newly_away"] + second[home, "reappeared_away"]
        went = second[home, "returned"] + second[home, "lost"]
        assert stock[1] == stock[0] + came - went


def test_only_those_away_have_a_location():
    plan = PLANS["displacement"]
    at_home = of_displacement(HOME, HOME, 0, 0)
    silent = of_displacement(HOME, len(CELLS), 0, 2)
    away = of_displacement(HOME, ELSEWHERE, 0, 1)

    rows = exact_rows(plan, {at_home: 1024 * 5, silent: 1024 * 3, away: 1024})

    assert {row["value"] for row in rows if row["location"] and row["value"]} == {1.0}
    assert {row["location"] for row in rows if row["location"] and row["value"]} == {
        CELLS[ELSEWHERE],
        h3.cell_to_parent(CELLS[ELSEWHERE], 5),
    }
    whole = [row for row in rows if row["home"] is None and row["location"] is None and row["value"]]
    told = {row["transition"]: row["value"] for row in whole if row["transition"] != "all"}
    assert told == {"stayed_home": 5, "fell_silent": 3, "newly_away": 1}
    assert {row["sight"]: row["value"] for row in whole if row["sight"] != "all"} == {
        "seen_home": 5,
        "not_seen": 3,
        "seen_away": 1,
    }


def test_who_lives_at_a_withheld_place_is_in_no_number():
    plan = plan_of("displacement", home_guard=Guard(withheld=(CELLS[HOME],)))

    rows = exact_rows(plan, {of_displacement(HOME, ELSEWHERE, 0, 1): 1024, of_displacement(3, ELSEWHERE, 0, 1): 4096})

    assert {row["value"] for row in rows} == {0.0, 4.0}
    assert CELLS[HOME] not in {row["home"] for row in rows}


def test_homes_in_a_closed_zone_of_the_area_count_in_the_area_alone():
    plan = plan_of("displacement", home_guard=Guard(closed=(h3.cell_to_parent(CELLS[HOME], 5),)))

    rows = exact_rows(plan, {of_displacement(HOME, ELSEWHERE, 0, 1): 1024})

    by_home = {row["home"] for row in rows if row["home"] and h3.get_resolution(row["home"]) == 6}
    closed = {cell for cell in plan.homes if h3.cell_to_parent(cell, 5) == h3.cell_to_parent(CELLS[HOME], 5)}
    assert by_home == set(plan.homes) - closed
    assert {row["transition"] for row in rows if row["value"] and row["home"] is None} == {"newly_away", "all"}


def test_a_zone_that_is_closed_in_the_country_is_closed_in_the_area_too():
    closed = h3.cell_to_parent(CELLS[HOME], 5)
    plan = plan_of("displacement", guard=Guard(closed=(closed,), withheld=(CELLS[0],)))

    by_home = {row["home"] for row in exact_rows(plan, {}) if row["home_resolution"] == 6}

    assert by_home == {cell for cell in plan.homes if h3.cell_to_parent(cell, 5) != closed} - {CELLS[0]}


@pytest.mark.parametrize("homes", [(), tuple(reversed(CELLS[:3])), ("862ed0007ffffff",), (CELLS[0], "862ed0007ffffff")])
def test_an_area_that_is_not_of_the_country_is_refused(homes):
    with pytest.raises(ConfigError, match=r"area of the event|base cell of the area"):
        plan_of("displacement", homes=homes)


def test_a_release_of_an_event_names_it_and_costs_what_its_schedule_says():
    plan = PLANS["displacement"]
    scheduled = {str(release.period): release.charges for release in plan.product.schedule(plan.onset)}

    assert plan.specification.event == "flood-2026-04"
    assert plan.specification.charges == scheduled["2026-04-09"]
    assert plan.card["event"]["baseline"] == "2026-03"
    assert plan.card["privacy"]["most_micro_rho"] == 2 * plan.product.micro_rho


def test_a_period_outside_the_schedule_is_no_release_of_the_event():
    with pytest.raises(PrivacyError, match="No release of displacement is foreseen for 2026-07-01"):
        _ = plan_of("displacement", period="2026-07-01").specification


def test_when_records_last_came_is_no_term_of_a_release():
    plan, later = (plan_of("displacement", delivered_until=date(2026, 4, day)) for day in (9, 20))

    assert later.has_the_terms_of(plan.card)
    assert later.specification == plan.specification
    assert not plan_of("displacement", hazard="cyclone").has_the_terms_of(plan.card)


# What is sealed


@pytest.mark.parametrize("product", PRODUCTS)
def test_what_is_sealed_reads_back_as_it_was_written_and_gives_the_contracts_rows(product):
    data = PLANS[product].draw(totals_of(PLANS[product], {5: 1_000_000}))

    assert FlatMeasurements.from_bytes(data).to_bytes() == data
    opened = open_marginals(data)
    assert opened.table.schema == PUBLIC_TABLE[product].arrow_schema
    assert opened.base_cells == CELLS
    assert opened.card["product"] == product


@pytest.mark.parametrize("data", [b"", b"no arrow stream", b"\xff" * 64])
def test_what_no_release_sealed_cannot_be_read(data):
    with pytest.raises(SealLostError, match="cannot be read"):
        open_marginals(data)


def test_what_another_format_would_read_otherwise_is_not_read(monkeypatch):
    data = PLANS["presence"].draw(totals_of(PLANS["presence"], {}))
    monkeypatch.setattr("privacy.flat._FORMAT", 2)

    with pytest.raises(SealLostError, match=r"format 1.*Remedy: use the version"):
        open_marginals(data)


def test_a_sealed_table_that_lacks_a_key_cannot_be_read():
    data = PLANS["presence"].draw(totals_of(PLANS["presence"], {}))
    table = pa.ipc.open_stream(data).read_all()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.slice(1))

    with pytest.raises(SealLostError, match="cannot be read"):
        open_marginals(bytes(sink.getvalue()))
