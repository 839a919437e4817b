"""From phones to people: weights, planted rasters, intervals by simulation, refusals, and the page."""

import csv
import io
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import geopandas
import h3
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.transform import from_origin
from typer.testing import CliRunner

from jobs.cli import app
from jobs.publish.drawn_zones import drawn_zones
from jobs.publish.scaling.census import People, Population, read_census
from jobs.publish.scaling.page import class_of, page_html
from jobs.publish.scaling.raster import EMPTY, OUTSIDE, read_raster
from jobs.publish.scaling.representativeness import reached
from jobs.publish.scaling.rows import NO_HOME, Weights, scaled_rows
from jobs.publish.scaling.run import Stated, month_notes, national_weight, population_of, stock_of, write_scaled
from jobs.publish.scaling.weights import CLEAR, UNCLEAR, Weight, scaled, weight, weight_of
from jobs.publish.situation.estimate import Estimate
from schemas.errors import BundleError, ConfigError, InputError
from tests.plans import CELLS, plan_of
from tests.readers import bounded_of, bundle_in, drawn

ROOT = Path(__file__).parents[2]
HOSTILE = '<script>alert("x")</script> & {{ 7 * 7 }}'


@cache
def stock():
    plan = plan_of("residents")
    people = {n * plan.n_sex * plan.n_age: 40 if n == 3 else 900 + 50 * n for n in range(len(CELLS))}
    return drawn(plan, bounded_of(plan, people), seed=2)


@cache
def moves():
    plan = plan_of("relocations")
    n = len(CELLS)
    return drawn(plan, bounded_of(plan, {1 * n + 2: 400, 5 * n + 9: 300, 3 * n + 1: 500}), seed=2)


@cache
def zones():
    return drawn_zones([stock(), moves()])


def census_at(path, rows, header="zone,population"):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
    return path


def everywhere(count=3_000):
    return [(cell, count + 10 * n) for n, cell in enumerate(CELLS)]


def test_coarser_zones_have_the_sum_of_their_parts_where_all_are_known(tmp_path):
    whole = read_census(census_at(tmp_path / "a.csv", everywhere()), zones())
    part = read_census(census_at(tmp_path / "b.csv", everywhere()[1:]), zones())

    for zone in zones().parents[4]:
        known = [count for cell, count in everywhere() if h3.cell_to_parent(cell, 4) == zone]
        assert whole.people[zone].count == sum(known)
    assert h3.cell_to_parent(CELLS[0], 4) not in part.people
    assert h3.cell_to_parent(CELLS[0], 5) not in part.people


BAD_CENSUS = {
    "a strange code": ([("XX01", 5), ("XX02", 6)], "zone,population", "2 codes of bad.csv are no zones .* XX01, XX02"),
    "a zone twice": ([(CELLS[0], 5), (CELLS[0], 6)], "zone,population", "twice"),
    "a count below zero": ([(CELLS[0], -5)], "zone,population", "has -5 as population"),
    "no number": ([(CELLS[0], "many")], "zone,population", "has many as population"),
    "no such column": ([(CELLS[0], 5)], "pcode,population", "no column zone; it has pcode, population"),
    "a column more": ([(CELLS[0], 5, 1)], "zone,population,households", "unknown columns households"),
    "two dates": ([(CELLS[0], 5, "2020-01-01"), (CELLS[1], 5, "2021-01-01")], "zone,population,date", "mixes counts"),
    "no rows": ([], "zone,population", "has no rows"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_CENSUS)
def test_a_census_that_cannot_be_used_is_refused_with_what_was_found(what, tmp_path):
    rows, header, complaint = BAD_CENSUS[what]
    with pytest.raises((InputError, ConfigError), match=complaint):
        read_census(census_at(tmp_path / "bad.csv", rows, header), zones())


def raster_at(path, values, *, west, north, step, crs="EPSG:4326", nodata=-9999.0):
    height, width = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": 1, "dtype": "float32"}
    with rasterio.open(
        path, "w", crs=crs, transform=from_origin(west, north, step, step), nodata=nodata, **profile
    ) as file:
        file.write(values.astype("float32"), 1)
    return path


def frame():
    return geopandas.GeoDataFrame(
        {"zone": list(CELLS)}, geometry=[zones().shape(cell) for cell in CELLS], crs="EPSG:4326"
    )


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32742"])
def test_an_even_raster_gives_each_zone_its_area_in_any_projection(crs, tmp_path):
    """Planted: one person a square kilometre, or 100 a square degree; shapely knows the areas."""
    ground = frame().to_crs(crs)
    areas = shapely.area(ground.geometry.to_numpy())
    west, south, east, north = ground.total_bounds
    step = (east - west) / 90
    values = np.full((int((north - south) / step) + 9, 100), 100.0 * step**2)
    path = raster_at(tmp_path / "even.tif", values, west=west - 3 * step, north=north + 3 * step, step=step, crs=crs)

    found = read_raster(path, zones(), [6, 4])

    for cell, area in zip(CELLS, areas, strict=True):
        assert found.people[cell].count == pytest.approx(100 * area, rel=2e-3)
    for zone in zones().parents[4]:
        parts = [found.people[cell].count for cell in CELLS if h3.cell_to_parent(cell, 4) == zone]
        assert found.people[zone].count == pytest.approx(sum(parts), rel=1e-4)
    assert bool(found.notes) == (crs != "EPSG:4326")
    assert all(crs in note for note in found.notes)


def test_people_planted_in_single_pixels_are_found_in_their_zones(tmp_path):
    west, south, east, north = frame().total_bounds
    step, values = 0.002, None
    values = np.zeros((int((north - south) / step) + 20, int((east - west) / step) + 20))
    for n, cell in enumerate(CELLS):
        lat, lng = h3.cell_to_latlng(cell)
        values[int((north + 10 * step - lat) / step), int((lng - west + 10 * step) / step)] = 7 * n
    path = raster_at(tmp_path / "p.tif", values, west=west - 10 * step, north=north + 10 * step, step=step)

    found = read_raster(path, zones(), [6])

    assert [found.people[cell].count for cell in CELLS] == pytest.approx([7 * n for n in range(len(CELLS))])


def test_a_zone_beyond_the_raster_or_without_a_number_has_a_reason(tmp_path):
    west, south, east, north = frame().total_bounds
    step = (east - west) / 200
    size = int((north - south) / step) + 9
    values = np.ones((size, 110))  # the eastern half of the country is missing
    values[:, :40] = -9999.0
    path = raster_at(tmp_path / "half.tif", values, west=west - step, north=north + 3 * step, step=step)

    found = read_raster(path, zones(), [6])

    assert set(found.missing.values()) == {OUTSIDE, EMPTY}
    assert not found.people.keys() & found.missing.keys()
    beyond = next(zone for zone, reason in found.missing.items() if reason == OUTSIDE)
    assert shapely.bounds(zones().shape(beyond))[2] > west + 109 * step


@pytest.mark.parametrize(
    ("values", "crs", "complaint"),
    [(np.full((60, 60), -1.0), "EPSG:4326", "pixels below zero"), (np.ones((60, 60)), None, "no projection")],
)
def test_a_raster_that_cannot_be_used_is_refused(values, crs, complaint, tmp_path):
    west, _, east, north = frame().total_bounds
    path = raster_at(tmp_path / "bad.tif", values, west=west, north=north, step=(east - west) / 50, crs=crs)
    with pytest.raises(InputError, match=complaint):
        read_raster(path, zones(), [6])
    with pytest.raises(InputError, match="cannot be read"):
        read_raster(tmp_path / "none.tif", zones(), [6])


def test_one_source_of_people_is_needed(tmp_path):
    with pytest.raises(ConfigError, match="No or two sources"):
        population_of(zones(), [6])
    with pytest.raises(ConfigError, match="No or two sources"):
        population_of(zones(), [6], census=tmp_path / "a", raster=tmp_path / "b")


@given(factor=st.floats(0.01, 1000))
@settings(max_examples=30, deadline=None)
def test_more_people_behind_each_subscriber_scale_every_number_alike(factor):
    by, more = (Weight(People(k * 3_000.0, k * 20.0), Estimate(1_000.0, 11.0)) for k in (1.0, factor))
    one, other = scaled(Estimate(80.0, 6.0), by), scaled(Estimate(80.0, 6.0), more)
    assert other.value == pytest.approx(factor * one.value)
    assert other.noise_sd == pytest.approx(factor * one.noise_sd)
    assert other.weight_sd == pytest.approx(factor * one.weight_sd)


@pytest.mark.parametrize("residents", [300, 1_000, 20_000])
@pytest.mark.parametrize("share_moving", [0.02, 0.3])
def test_intervals_hold_the_people_who_moved_95_times_in_100(residents, share_moving):
    """Whoever moves is a subscriber by chance; residents, movers and census have noise of their own."""
    random, inside, people = np.random.default_rng(4), [], residents * 4
    moved = round(people * share_moving)
    for _ in range(1_500):
        subscribers = random.binomial(moved, 0.25)
        stays = random.binomial(people - moved, 0.25)
        released = Estimate(subscribers + random.normal(0, 12), 12.0)
        living = Estimate(subscribers + stays + random.normal(0, 30), 30.0)
        by = weight(People(people + random.normal(0, 0.02 * people), 0.02 * people), living)
        if isinstance(by, Weight):
            found = scaled(released, by)
            inside.append(found.ci_low <= moved <= found.ci_high)
    assert len(inside) > 500
    assert np.mean(inside) >= 0.935


def test_a_denominator_within_its_noise_gives_no_weight():
    assert weight(People(500.0), Estimate(CLEAR * 10, 10.0)) == UNCLEAR
    assert weight_of("x", Population({}, "census.csv"), {}) == "no population is given for the zone"
    assert weight_of("x", Population({"x": People(5.0)}, "census.csv"), {}) == "no residents were released for the zone"


def weights(population, national=None):
    stocks = stock_of(stock())
    return Weights({z: weight_of(z, population, of) for of in stocks.values() for z in of}, national)


def test_rows_are_scaled_by_the_weight_of_their_origin_at_its_own_level(tmp_path):
    population = read_census(census_at(tmp_path / "c.csv", everywhere()), zones())
    rows = list(scaled_rows(moves(), weights(population)))
    living = stock().rows.query("sex == 'all'").set_index("zone")["value"]
    for row in (row for row in rows if "people" in row):
        naive = population.people[row["origin"]].count / living[row["origin"]]
        assert row["weight"] == pytest.approx(naive)
        assert row["people"] == pytest.approx(naive * row["value"])
        assert row["people_sd"] == pytest.approx(
            np.hypot(np.hypot(row["people_noise_sd"], row["people_weight_sd"]), row["people_sampling_sd"])
        )
    assert [row["not_scaled_because"] for row in rows if row["origin"] is None] == [NO_HOME]
    assert {row["not_scaled_because"] for row in rows if row["origin"] == CELLS[3]} <= {UNCLEAR}
    assert len(rows) == len(moves().rows)


def test_one_weight_for_everybody_is_that_of_the_zones_that_have_both(tmp_path):
    population = read_census(census_at(tmp_path / "c.csv", everywhere()), zones())
    stocks = stock_of(stock())
    found = national_weight(population, stocks[4])
    naive = sum(count for _, count in everywhere()) / sum(one.value for one in stocks[4].values())
    assert found.value == pytest.approx(naive)
    trips = list(scaled_rows(drawn(plan_of("presence"), bounded_of(plan_of("presence"), {5: 80}), seed=1),
                             weights(population, found)))  # fmt: skip
    assert {row["weight"] for row in trips} == {found.value}


def test_rows_that_do_not_say_where_people_live_are_refused_without_one_weight(tmp_path):
    population = read_census(census_at(tmp_path / "c.csv", everywhere()), zones())
    presence = drawn(plan_of("presence"), bounded_of(plan_of("presence"), {5: 80}), seed=1)
    with pytest.raises(ConfigError, match="not where they live"):
        list(scaled_rows(presence, weights(population)))
    with pytest.raises(ConfigError, match="is the census itself"):
        list(scaled_rows(stock(), weights(population)))
    with pytest.raises(ConfigError, match="A market share of 35 is stated"):
        Stated(market_share=35)


@cache
def lived(period):
    plan = plan_of("residents", period=period)
    return drawn(plan, bounded_of(plan, {n * plan.n_sex * plan.n_age: 900 for n in range(len(CELLS))}), seed=2)


@cache
def of_month(product, period):
    plan = plan_of(product, period=period)
    return drawn(plan, bounded_of(plan, {}), seed=2)


@pytest.mark.parametrize(
    ("product", "period", "right"),
    [
        ("relocations", "2026-03", {"2026-02", "2026-03"}),
        ("home_visits", "2026-W10", {"2026-02", "2026-03"}),
        ("displacement", "2026-04-09", {"2026-03"}),  # homes after an event are those of its baseline month
    ],
)
def test_weights_of_another_month_than_that_of_the_homes_are_pointed_out(product, period, right):
    bundle = of_month(product, period)
    for month in ("2025-03", "2026-01", "2026-02", "2026-03", "2026-04"):
        notes = month_notes(bundle, lived(month))
        assert bool(notes) == (month not in right)
        assert all(month in note and bundle.card.slug in note and min(right) in note for note in notes)


def test_how_a_release_was_scaled_says_of_which_periods_it_and_its_weights_are(tmp_path):
    population = read_census(census_at(tmp_path / "c.csv", everywhere()), zones())
    told = {"national": False, "stated": Stated()}

    def notes_of(month):
        return json.loads(write_scaled(moves(), lived(month), population, tmp_path / "p.csv", **told)[1].read_bytes())

    assert [one["period"] for one in notes_of("2026-02")["sources"]] == ["2026-03", "2026-02"]
    assert notes_of("2026-02")["notes"] == []
    assert notes_of("2025-03")["notes"] == list(month_notes(moves(), lived("2025-03")))


def test_active_subscribers_give_no_weights(tmp_path):
    population = read_census(census_at(tmp_path / "c.csv", everywhere()), zones())
    active = drawn(plan_of("active_subscribers"), bounded_of(plan_of("active_subscribers"), {5: 80}), seed=1)
    with pytest.raises(ConfigError, match="active_subscribers_2026-03-04_r1 does not say who lives where"):
        write_scaled(moves(), active, population, tmp_path / "p.csv", national=True, stated=Stated())
    assert not (tmp_path / "p.csv").exists()


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("bundles")
    living = {n * 15: 900 for n in range(len(CELLS))}
    return {
        "moves": bundle_in(root / "a", "relocations", {28: 4_000, 300: 900}),
        "stock": bundle_in(root / "a", "residents", living),
        "other": bundle_in(root / "b", "residents", living, gate="former gate"),
    }


def run(*arguments):
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_the_verb_scales_one_operator_and_refuses_to_mix_two(folders, tmp_path):
    census, out = census_at(tmp_path / "census.csv", everywhere()), tmp_path / "people.csv"
    told = ("scale", folders["moves"], "--census", census, "--out", out, "--market-share", "0.4", "--residents")

    run(*told, folders["stock"])
    first = out.read_bytes(), out.with_suffix(".json").read_bytes()
    run(*told, folders["stock"])

    assert (out.read_bytes(), out.with_suffix(".json").read_bytes()) == first
    rows = list(csv.DictReader(io.StringIO(first[0].decode())))
    assert all(bool(row["people"]) != bool(row["not_scaled_because"]) for row in rows)
    notes = json.loads(first[1])
    assert notes["stated"] == {"coverage": None, "market_share": 0.4}
    assert "Never add the people of several operators" in notes["caution"]
    with pytest.raises(BundleError, match="different operators"):
        run(*told, folders["other"])


def test_the_page_shows_every_zone_and_the_table_says_why_one_has_no_share(folders, tmp_path):
    census = census_at(tmp_path / "census.csv", everywhere()[:20])
    run("representativeness", folders["stock"], "--census", census, "--out", tmp_path / "out")

    page = (tmp_path / "out" / "representativeness.html").read_text(encoding="utf-8")
    rows = list(csv.DictReader((tmp_path / "out" / "representativeness.csv").open(encoding="utf-8")))

    fine = [row for row in rows if row["level"] == "6"]
    assert len(fine) == len(CELLS) == len(re.findall(r'<path class="[a-z-]+" fill-rule', page))
    assert sum(row["not_available_because"] == "no population is given for the zone" for row in fine) == 6
    for row in (row for row in fine if row["subscribers_per_person"]):
        assert float(row["subscribers_per_person"]) == pytest.approx(
            float(row["subscribers"]) / float(row["people"]), abs=1e-5
        )
    assert "Synthetic data" in page
    assert "://" not in page


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]


def test_hostile_names_are_text_on_the_page(tmp_path):
    population = read_census(census_at(tmp_path / "c.csv", everywhere()), zones())
    named = type(zones())(zones().zoning, zones().parents, dict.fromkeys(CELLS, HOSTILE), zones().shapes)
    found = list(reached(stock(), population, named))

    page = page_html(stock(), population, named, found).decode()

    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.tags
    assert "&lt;script&gt;" in page
    assert "{{ 7 * 7 }}" in page  # text of a bundle is no template
    assert "default-src &#39;none&#39;" in page


def test_a_zone_is_coloured_by_its_share_over_the_country_s(tmp_path):
    rows = [(cell, 40_000 if n == 1 else 400 if n == 2 else 3_000) for n, cell in enumerate(CELLS)]
    population = read_census(census_at(tmp_path / "c.csv", rows), zones())
    kinds = {one.zone: class_of(one) for one in reached(stock(), population, zones()) if one.level == 6}
    assert kinds[CELLS[1]] == "far-below"
    assert kinds[CELLS[2]] == "far-above"
    assert kinds[CELLS[3]] in {"far-below", "unknown"}
