"""Indicators: identities, naive oracles, invariances, and intervals that hold the truth of simulated releases."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt

import h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from jobs.cli import app
from jobs.publish.displacement_series import returns
from jobs.publish.drawn_zones import drawn_zones
from jobs.publish.indicators.absolute import absolute_sum, folded_mean
from jobs.publish.indicators.away import away_figures
from jobs.publish.indicators.changes import LEAST, change_figures, robust_z
from jobs.publish.indicators.definitions import CMI, DEFINITIONS, DISTANCE
from jobs.publish.indicators.distances import CLASSES, EDGES_KM, SAME_ZONE, class_of, distance_figures
from jobs.publish.indicators.figure import COLUMNS, Figure, Told, figures_csv
from jobs.publish.indicators.intensity import MOST_UNPLACED, intensity_figures, ratio, residents_of
from jobs.publish.indicators.moves import moves_of
from jobs.publish.indicators.run import indicators_of
from jobs.publish.indicators.seasons import month_index, season_figures, weekday_index
from jobs.publish.indicators.series import Series, series_of
from jobs.publish.marks import marks_of
from jobs.publish.released import read_released, require_alike
from jobs.publish.situation.estimate import Estimate
from jobs.publish.situation.figures import figures_of
from privacy.intervals import Z_95
from privacy.unit import Period, PeriodKind, PrivacyMonth
from schemas.errors import BundleError, ConfigError
from tests.plans import CELLS, plan_of
from tests.readers import bounded_of, bundle_in, drawn, gravity, marked, read, with_rows
from tests.situations import DAYS, WEEK_BEFORE, flood_releases

DISK = tuple(sorted(h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 5)))
"""A country of 91 cells of resolution 6, in several of resolution 4."""

DRAWS = 10
MOVERS = 150_000


@cache
def plan(product):
    return plan_of(product, cells=DISK, period={"residents": "2026-02"}.get(product))


@cache
def moved():
    """Moves between zones, enough for most of them to stand in rows of the coarsest level."""
    return gravity(plan("relocations"), people=MOVERS, decay=0.5, lopsided=True)


def lived():
    """Residents: some thousand in each zone, all of one stratum."""
    of = plan("residents")
    sizes = np.random.default_rng(2).integers(2_000, 90_000, len(DISK))
    return {zone * of.n_sex * of.n_age: int(size) for zone, size in enumerate(sizes)}


@cache
def moves(seed=0):
    return drawn(plan("relocations"), bounded_of(plan("relocations"), moved()), seed=seed)


@cache
def stock(seed=0):
    return drawn(plan("residents"), bounded_of(plan("residents"), lived()), seed=seed)


BLANK = Figure(definition=CMI, product="relocations", period="2026-03", level=4)


@cache
def intensity(seed=0):
    zones = drawn_zones([moves(seed), stock(seed)])
    placed = moves_of(moves(seed), zones, 4)
    return placed, list(intensity_figures(placed, residents_of(stock(seed), 4), BLANK))


def named(figures, name, zone=""):
    (found,) = [one for one in figures if one.definition.name == name and one.zone == zone]
    return found


def test_anmr_is_cmi_times_mei_over_100():
    for seed in range(3):
        figures = intensity(seed)[1]
        cmi, mei, anmr = (named(figures, name).value for name in ("cmi", "mei", "anmr"))
        assert anmr == pytest.approx(cmi * mei / 100)
        assert 0 < anmr < cmi


def test_rates_are_those_of_a_naive_matrix():
    rows = moves().rows
    between = rows[rows["status"] != "remainder"].assign(
        a=lambda r: [h3.cell_to_parent(z, 4) for z in r["origin"]],
        b=lambda r: [h3.cell_to_parent(z, 4) for z in r["destination"]],
    )
    matrix = between[between["a"] != between["b"]].pivot_table("value", "a", "b", aggfunc="sum").fillna(0.0)
    people = stock().rows.query("resolution == 4 and sex == 'all'").set_index("zone")["value"]
    figures = intensity()[1]
    for zone in people.index:
        into = matrix[zone].sum() if zone in matrix else 0.0
        out = matrix.loc[zone].sum() if zone in matrix.index else 0.0
        assert named(figures, "in_rate", zone).value == pytest.approx(1000 * into / people[zone])
        assert named(figures, "out_rate", zone).value == pytest.approx(1000 * out / people[zone])
        assert named(figures, "net_rate", zone).value == pytest.approx(1000 * (into - out) / people[zone])
    assert named(figures, "cmi").value == pytest.approx(100 * matrix.to_numpy().sum() / people.sum())


def test_moves_between_the_finest_zones_are_all_of_the_release():
    figure = named(intensity()[1], "cmi_finest")
    people = stock().rows.query("resolution == 4 and sex == 'all'")["value"].sum()
    assert figure.value == pytest.approx(100 * moves().rows["value"].sum() / people)
    truth = 100 * sum(moved().values()) / sum(lived().values())
    assert figure.ci_low <= truth <= figure.ci_high


def test_the_intervals_of_intensities_and_rates_hold_the_truth():
    """Of all moves, those that no row places included: that is what a reader takes them for."""
    inside = {}
    for seed in range(DRAWS):
        placed, figures = intensity(seed)
        truth = true_figures(placed.zones)
        for figure in figures:
            if figure.value is not None:
                held = figure.ci_low <= truth[figure.definition.name, figure.zone] <= figure.ci_high
                inside.setdefault(figure.definition.name, []).append(held)
    assert inside.keys() == {"cmi_finest", "cmi", "mei", "anmr", "in_rate", "out_rate", "net_rate"}
    rates = [held for name in ("in_rate", "out_rate", "net_rate") for held in inside[name]]
    assert np.mean(rates) >= 0.9
    assert np.mean([held for name in ("cmi_finest", "cmi", "mei", "anmr") for held in inside[name]]) >= 0.9


@cache
def true_figures(zones):
    n, at = len(DISK), {zone: k for k, zone in enumerate(zones)}
    coarse = np.array([at[h3.cell_to_parent(cell, 4)] for cell in DISK])
    matrix = np.zeros((len(zones), len(zones)))
    for key, count in moved().items():
        matrix[coarse[key // n], coarse[key % n]] += count
    whole = matrix.sum()
    np.fill_diagonal(matrix, 0)
    people = np.bincount(coarse, weights=[lived()[k] for k in sorted(lived())])
    into, out = matrix.sum(axis=0), matrix.sum(axis=1)
    balance = np.abs(into - out).sum()
    told = {
        ("cmi_finest", ""): 100 * whole / people.sum(),
        ("cmi", ""): 100 * matrix.sum() / people.sum(),
        ("mei", ""): 50 * balance / matrix.sum(),
        ("anmr", ""): 50 * balance / people.sum(),
    }
    for zone, k in at.items():
        rates = {"in_rate": into[k], "out_rate": out[k], "net_rate": into[k] - out[k]}
        told |= {(name, zone): 1000 * number / people[k] for name, number in rates.items()}
    return told


@given(factor=st.floats(0.1, 50))
@settings(max_examples=12, deadline=None)
def test_twice_as_many_moves_of_twice_as_many_people_have_the_same_intensities(factor):
    def scaled(bundle):
        columns = {name: bundle.rows[name] * factor for name in ("value", "noise_sd", "ci_low", "ci_high")}
        levels = [note.model_copy(update={"sigma": note.sigma * factor}) for note in bundle.card.privacy.levels]
        privacy = bundle.card.privacy.model_copy(update={"levels": levels})
        card = bundle.card.model_copy(update={"privacy": privacy})
        report = type(bundle.report)(card=card, sha256=bundle.report.sha256, signer=bundle.report.signer)
        return replace(with_rows(bundle, **columns), report=report)

    zones = drawn_zones([moves()])
    placed = moves_of(scaled(moves()), zones, 4)
    found = list(intensity_figures(placed, residents_of(scaled(stock()), 4), BLANK))
    for one, other in zip(found, intensity()[1], strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-6)
        assert one.ci_low == pytest.approx(other.ci_low, rel=1e-6)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_order_of_rows_does_not_matter(seed):
    order = np.random.default_rng(seed).permutation(len(moves().rows))
    shuffled = replace(moves(), rows=moves().rows.iloc[order].reset_index(drop=True))
    found = list(intensity_figures(moves_of(shuffled, drawn_zones([shuffled]), 4), residents_of(stock(), 4), BLANK))
    for one, other in zip(found, intensity()[1], strict=True):
        assert (one.value, one.sd) == (pytest.approx(other.value), pytest.approx(other.sd))


def test_where_the_cut_hides_much_of_a_country_no_balance_is_told():
    few = drawn(plan("relocations"), bounded_of(plan("relocations"), gravity(plan("relocations"), people=900)), seed=1)
    placed = moves_of(few, drawn_zones([few]), 4)
    assert placed.unplaced_share > MOST_UNPLACED

    figures = list(intensity_figures(placed, residents_of(stock(), 4), BLANK))

    assert all("in coarser rows or in the remainder" in named(figures, name).reason for name in ("mei", "anmr"))
    assert {one.value for one in figures if one.definition.name == "net_rate"} == {None}
    cmi = named(figures, "cmi")
    assert cmi.ci_high > cmi.value + Z_95 * cmi.sd  # what no row places might have crossed a border


def test_the_upper_end_of_the_intensity_holds_the_truth_where_the_cut_hides_most_moves():
    """Every move crosses a border here, and few stand in a row: the remainder's own noise is most of the error."""
    of, n = plan_of("relocations"), len(CELLS)
    roots = [h3.cell_to_parent(cell, 4) for cell in CELLS]
    spread = gravity(of, people=120, decay=0.0)
    across = {key: count for key, count in spread.items() if roots[key // n] != roots[key % n]}
    residents = dict.fromkeys(roots, Estimate(100_000.0, 30.0))
    truth = 100 * sum(across.values()) / (100_000 * len(residents))

    inside = []
    for seed in range(40):
        bundle = drawn(of, bounded_of(of, across), seed=seed)
        placed = moves_of(bundle, drawn_zones([bundle]), 4)
        inside.append(truth <= named(intensity_figures(placed, residents, BLANK), "cmi").ci_high)

    assert placed.unplaced_share > 0.5
    assert np.mean(inside) >= 0.9


def test_a_zone_without_a_row_has_a_reason_and_no_zero():
    few = drawn(plan("relocations"), bounded_of(plan("relocations"), {5: 3}), seed=1)
    figures = intensity_figures(moves_of(few, drawn_zones([few]), 4), residents_of(stock(), 4), BLANK)
    rates = [one for one in figures if one.definition.name == "in_rate" and one.value is None]
    assert rates
    assert {one.reason for one in rates} == {"no row of moves: they are below the cut, which is not zero"}


def test_a_denominator_within_its_noise_gives_no_ratio():
    assert ratio(Estimate(5.0, 1.0), Estimate(9.9, 2.0), 100.0) == (
        "the denominator is not 5 standard deviations above zero"
    )
    found = ratio(Estimate(5.0, 1.0), Estimate(100.0, 2.0), 100.0)
    assert found.value == pytest.approx(5.0)
    assert found.sd == pytest.approx(sqrt(1 + (0.05 * 2) ** 2))
    assert (found.ci_low, found.ci_high) == pytest.approx((5 - 1.96 * found.sd, 5 + 1.96 * found.sd), rel=0.02)


@pytest.mark.parametrize("relative", [0.02, 0.1, 0.19])
@pytest.mark.parametrize(("share", "above"), [(0.05, 0.2), (1.0, 0.1), (3.0, 0.01)])
def test_intervals_of_ratios_hold_95_times_in_100_down_to_the_least_clear_denominator(relative, share, above):
    random, inside = np.random.default_rng(1), []
    for _ in range(3_000):
        top = Estimate(share * 1000 * (1 + random.normal(0, above)), above * share * 1000)
        bottom = Estimate(1000 * (1 + random.normal(0, relative)), relative * 1000)
        if not isinstance(found := ratio(top, bottom, 1.0), str):
            inside.append(found.ci_low <= share <= found.ci_high)
    assert len(inside) > 1_000
    assert np.mean(inside) >= 0.93


def test_noise_adds_to_an_absolute_value_what_the_folded_normal_says():
    draws = np.abs(3.0 + np.random.default_rng(1).normal(0, 2.0, 400_000)).mean()
    assert folded_mean(np.array([3.0]), np.array([2.0]))[0] == pytest.approx(draws, rel=3e-3)
    assert folded_mean(np.array([-4.0]), np.array([0.0]))[0] == 4.0


@pytest.mark.parametrize("truth", [(0.0,) * 30, (1.0, -1.0) * 15, (300.0, -200.0, 5.0) * 10])
def test_sums_of_absolute_values_are_held_by_their_intervals(truth):
    random, x = np.random.default_rng(3), np.array(truth)
    inside = []
    for _ in range(300):
        found = absolute_sum(x + random.normal(0, 2.0, len(x)), np.eye(len(x)) * 4.0)
        low, high = found.estimate.ci_low - found.too_high, found.estimate.ci_high
        inside.append(low <= np.abs(x).sum() <= high)
    assert np.mean(inside) >= 0.94


def test_distances_are_great_circles_between_middles():
    zones = drawn_zones([moves()])
    one, other = DISK[0], DISK[-1]
    (lat, lng), (lat2, lng2) = (h3.cell_to_latlng(cell) for cell in (one, other))
    half = (
        sin(radians(lat2 - lat) / 2) ** 2 + cos(radians(lat)) * cos(radians(lat2)) * sin(radians(lng2 - lng) / 2) ** 2
    )
    assert zones.distance_km(one, other) == pytest.approx(2 * 6371.0088 * asin(sqrt(half)))
    assert zones.distance_km(one, other) == pytest.approx(h3.great_circle_distance((lat, lng), (lat2, lng2)), rel=1e-3)


@given(km=st.floats(0, 20_000))
def test_every_distance_lies_in_one_class_that_holds_its_lower_edge(km):
    ((low, high),) = [edges for edges in pairwise(EDGES_KM) if edges[0] <= km < edges[1]]
    assert class_of(km) == CLASSES[EDGES_KM.index(low)]
    assert str(int(low)) in class_of(low)
    assert high > km


def test_shares_of_distance_add_up_to_all_that_rows_place():
    zones = drawn_zones([moves()])
    figures = list(distance_figures(moves(), zones))
    told = [one for one in figures if one.value is not None]
    assert sum(one.value for one in told) == pytest.approx(100)
    rows = moves().rows[lambda r: r["status"] != "remainder"]
    same = rows.loc[rows["origin"] == rows["destination"], "value"].sum() / rows["value"].sum()
    assert next(one for one in told if one.part == SAME_ZONE).value == pytest.approx(100 * same)
    empty = [one for one in figures if one.value is None]
    assert {one.reason for one in empty} == {"no row of that distance: below the cut, which is not zero"}
    assert {one.definition for one in figures} == {DISTANCE}


MARCH = PrivacyMonth(2024, 3)


def months(n, first=MARCH):
    return [first.next(k).period for k in range(n)]


def series(values, periods, sd=1.0):
    totals = {period: Estimate(float(value), sd) for period, value in zip(periods, values, strict=True)}
    return Series("residents", "", None, totals, "subscribers")


@given(
    seasons=st.lists(st.floats(0.7, 1.3), min_size=12, max_size=12),
    years=st.integers(2, 4),
    first=st.integers(0, 11),
    factor=st.floats(1, 1e5),
)
def test_the_month_index_finds_a_season_that_repeats_and_does_not_depend_on_the_scale(seasons, years, first, factor):
    totals = np.array([1000.0 * seasons[(first + k) % 12] for k in range(12 * years)])
    expected = 100 * np.array(seasons) / np.mean(seasons)
    assert month_index(totals, first) == pytest.approx(expected)
    assert month_index(factor * totals, first) == pytest.approx(expected)


def test_a_season_needs_24_months_without_a_gap():
    periods = months(30)
    short = list(season_figures(series(range(1000, 1023), periods[:23])))
    gap = list(season_figures(series(range(1000, 1029), [*periods[:5], *periods[6:]])))
    whole = list(season_figures(series(range(1000, 1030), periods)))

    assert [one.reason for one in short] == ["not enough: 23 months without a gap, of 24 that an index needs"]
    assert len(gap) == 12  # 24 months follow the gap
    assert all(one.value is not None for one in whole)
    assert [one.part for one in whole][:2] == ["January", "February"]


def test_the_error_of_an_index_is_that_of_simulated_totals():
    totals = np.array([1000.0 + 100 * (k % 12) for k in range(36)])
    (first, *_) = season_figures(series(totals, months(36, PrivacyMonth(2024, 1)), sd=20.0))
    random = np.random.default_rng(5)
    found = [month_index(totals + random.normal(0, 20, 36), 0)[0] for _ in range(4000)]
    assert first.value == pytest.approx(np.mean(found), rel=1e-3)
    assert first.sd == pytest.approx(np.std(found), rel=0.05)


def test_the_weekday_index_compares_means_of_weekdays():
    monday = Period.parse("2024-01-01").first_day
    days = [Period.of(PeriodKind.DAY, monday + timedelta(days=n)) for n in range(7 * 105)]
    figures = list(season_figures(series([100 + 10 * (n % 7 == 6) for n in range(len(days))], days)))
    assert [round(one.value, 2) for one in figures] == [98.59] * 6 + [108.45]
    assert weekday_index(np.array([2.0] * 7)) == pytest.approx([100] * 7)
    assert "not enough" in next(iter(season_figures(series([1.0] * 60, days[:60])))).reason


def test_a_week_has_no_season():
    weeks = [Period.parse(f"2026-W{n:02}") for n in range(10, 20)]
    assert list(season_figures(series(range(10), weeks))) == []


def test_a_change_is_from_the_median_and_its_z_holds_the_noise_of_the_release():
    values = [100.0, 104.0, 96.0, 101.0, 99.0, 103.0, 160.0]
    figures = list(change_figures(series(values, months(7), sd=2.0)))
    change, z = (one for one in figures if one.period == str(months(7)[-1]))

    middle = np.median(values[:6])
    mad = np.median(np.abs(np.array(values[:6]) - middle))
    assert change.value == pytest.approx(160 - middle)
    assert change.sd == pytest.approx(sqrt(4 + np.pi / 2 * 4 / 6))
    assert z.value == pytest.approx((160 - middle) / sqrt((1.4826 * mad) ** 2 + 4))
    assert change.cells["unit"] == "subscribers"
    early = [one for one in figures if one.period == str(months(7)[LEAST - 1])]
    assert {one.reason for one in early} == {"5 earlier releases of the series were given; a baseline needs 6"}


@given(st.lists(st.floats(-1e6, 1e6), min_size=6, max_size=12), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0]))
def test_robust_z_never_divides_by_zero(earlier, now, sd):
    found = robust_z(Estimate(now, sd), [Estimate(one, sd) for one in earlier])
    assert isinstance(found, str) or np.isfinite(found.value + found.sd)
    if sd:
        assert robust_z(Estimate(7.0, sd), [Estimate(7.0, sd)] * 6).value == 0.0
    else:
        assert robust_z(Estimate(7.0, 0.0), [Estimate(7.0, 0.0)] * 6) == (
            "earlier releases do not differ and have no noise"
        )


def test_series_hold_the_country_with_its_remainder_and_each_coarsest_zone():
    found = series_of([moves(), stock()], drawn_zones([moves(), stock()]))
    country = next(one for one in found if (one.product, one.zone) == ("relocations", ""))
    (total,) = country.totals.values()
    assert total.value == pytest.approx(moves().rows["value"].sum())
    assert {one.level for one in found if one.zone} == {4}
    assert {one.product for one in found} == {"relocations", "residents"}


@pytest.fixture(scope="module")
def event():
    return tuple(read(one) for one in flood_releases((WEEK_BEFORE, *DAYS), radius=4))


def test_returns_are_those_of_the_event_s_series(event):
    figures = list(away_figures(event))
    told = figures_of(event[0].rows.iloc[:0], event[0].period.first_day)
    assert told.moments == ()
    rows = [one.rows for one in event]
    import pandas as pd

    known = figures_of(pd.concat(rows), Period.parse(DAYS[0]).first_day)
    curve = returns(known.moments, known.usual)
    shares = [one for one in figures if one.definition.name == "return_share"]
    assert [one.value for one in shares] == pytest.approx([100 * p.returned.value for p in curve.points])
    assert [one.period for one in shares] == [str(p.period.period) for p in curve.points]
    (half,) = [one for one in figures if one.definition.name == "half_life"]
    assert (half.value is None) == (curve.half_life.days is None)


def test_without_the_week_before_the_event_no_return_is_told(event):
    after = [one for one in event if one.period.kind is PeriodKind.DAY]
    assert {one.reason for one in away_figures(after)} == {
        "the release of the week before the event was not given, so what is usual is not known"
    }


def test_every_row_has_a_number_with_its_interval_or_a_reason(event):
    figures = [*indicators_of([moves(), stock()], drawn_zones([moves(), stock()])), *away_figures(event)]
    rows = list(csv.DictReader(io.StringIO(figures_csv(figures, marks_of([moves()])).decode())))
    assert tuple(rows[0]) == COLUMNS
    for row in rows:
        has_number = row["value"] != ""
        assert has_number != bool(row["not_available_because"])
        assert row["unit"]
        assert row["definition_id"]
        if has_number and row["ci_low"] and row["ci_high"]:
            assert float(row["ci_low"]) <= float(row["value"]) <= float(row["ci_high"])
    assert {row["definition_id"] for row in rows} <= {one.id for one in DEFINITIONS}


def test_a_name_that_begins_like_a_formula_is_text():
    content = figures_csv(
        [replace(BLANK, zone='=HYPERLINK("http://evil.example")').told(Told.normal(-1.0, 0.5))], {}
    ).decode()
    (row,) = csv.DictReader(io.StringIO(content))
    assert row["zone"].startswith("'=")
    assert row["value"] == "-1"


def test_moves_without_residents_say_what_is_missing():
    (figure,) = [one for one in indicators_of([moves()], drawn_zones([moves()])) if one.definition.name == "cmi"]
    assert figure.reason == "no residents of 2026-02 or 2026-03 were given at this level"
    with pytest.raises(ConfigError, match="no rows at resolution 5"):
        five = replace(moves(), report=type(moves().report)(**vars(moves().report) | {"card": _coarse(moves().card)}))
        list(indicators_of([five], drawn_zones([five]), level=5))


def _coarse(card):
    privacy = card.privacy.model_copy(update={"levels": [n for n in card.privacy.levels if n.resolution != 5]})
    return card.model_copy(update={"privacy": privacy})


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    few = {1: 4_000, 30: 900}
    return {
        "moves": bundle_in(root / "a", "relocations", few),
        "stock": bundle_in(root / "a", "residents", {0: 90_000}, period="2026-02"),
        "other operator": bundle_in(root / "b", "residents", {0: 90_000}, gate="former gate"),
    }


def test_the_verb_writes_the_table_and_says_beside_it_what_each_row_is(folders, tmp_path):
    out = tmp_path / "indicators.csv"
    names = [str(folders["stock"]), str(folders["moves"])]

    def run(order):
        done = CliRunner().invoke(app, ["indicators", *order, "--out", str(out)], catch_exceptions=False)
        assert done.exit_code == 0
        return out.read_bytes(), out.with_suffix(".json").read_bytes()

    first = run(names)
    assert run(names[::-1]) == first
    notes = json.loads(first[1])
    cmi = next(one for one in notes["definitions"] if one["id"] == "cmi/1")
    assert "Never compare across zonings" in cmi["caution"]
    assert "2002" in cmi["source"]
    assert notes["residents_of"] == {"relocations_2026-03_r1": "residents_2026-02_r1"}
    assert notes["zoning"]["kind"] == "h3"


def test_bundles_that_do_not_belong_together_are_refused(folders):
    with pytest.raises(BundleError, match="different operators"):
        read_released([folders["moves"], folders["other operator"]])
    with pytest.raises(BundleError, match="one is synthetic"):
        require_alike([moves(), marked(stock(), synthetic=False)])
    with pytest.raises(BundleError, match="different zones"):
        require_alike([moves(), drawn(plan_of("residents"), bounded_of(plan_of("residents"), {}), seed=0)])
