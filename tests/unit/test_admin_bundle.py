"""A release between administrative units: the bundle speaks in p-codes, draws the units, and both are checked."""

import dataclasses
import functools
import json
import secrets
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import h3
import numpy as np
import pytest

from jobs.boundaries import admin_units
from jobs.config import BoundariesConfig, CellsConfig
from jobs.publish.bundle import bundle_files, publish
from jobs.publish.card import read_card
from jobs.publish.comparison import compare_with_truth
from jobs.publish.od_map import od_map_png
from jobs.publish.package_checks import check_package
from jobs.publish.row_checks import check_levels_of_rows
from jobs.publish.verify import verify_bundle
from jobs.publish.zone_checks import check_zones, levels_of_zones
from jobs.publish.zones import zones_in
from jobs.synth.boundaries import layers_over
from privacy import mechanisms
from privacy.bounding import Bounded
from privacy.contribution_histogram import bounds_note
from privacy.hierarchy import ZoneTree
from privacy.ledger import Ledger
from privacy.policy import Policy
from privacy.release import _DOOR, release
from privacy.vault import Vault
from privacy.zoning import Zoning
from schemas.errors import BundleError
from schemas.published import OD_TRIPS
from tests.approvals import clearance_for, key_of, trust
from tests.boundaries import by_unit, cell_table
from tests.plans import n_keys, plan_of, totals_of
from tests.unit.test_bundle_example import coast, exact_flows, plan_for

CELLS = coast(8)


@functools.cache
def units():
    """Provinces and districts over the coast of the example, assigned by a tower in the middle of each base cell."""
    centres = np.array([h3.cell_to_latlng(cell) for cell in CELLS])
    with tempfile.TemporaryDirectory() as root:
        for level, layer in layers_over(centres.min(axis=0)[::-1] - 0.1, centres.max(axis=0)[::-1] + 0.1).items():
            (Path(root) / f"adm{level}.geojson").write_text(json.dumps(layer), encoding="utf-8")
        config = BoundariesConfig(path=Path(root) / "adm2.geojson", levels=(1, 2))
        towers = CellsConfig(path=cell_table(Path(root) / "cells.csv", centres))
        return admin_units(config, towers, Path(root) / "units.json", CELLS)


def exact(plan):
    trips = exact_flows(CELLS)["trips"].to_numpy().reshape(len(CELLS), len(CELLS))
    zone, n = plan.zones.base_to_level[1], len(plan.zones.levels[1].zones)
    totals = np.bincount(np.add.outer(zone * n, zone).ravel(), weights=trips.ravel(), minlength=n * n)
    keys = np.flatnonzero(totals)
    return Bounded(keys, np.rint(totals[keys] * plan.fixed_point).astype(np.int64), plan.bounds), "ab" * 32


@functools.cache
def release_by_unit():
    random = np.random.default_rng(3)

    def seeded(values, *, l2_sensitivity, micro_rho):
        sigma = mechanisms.sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)
        return values + np.rint(random.normal(0, sigma, len(values))).astype(np.int64), sigma

    plan = by_unit(plan_for(CELLS), units())
    with (
        patch.object(mechanisms, "discrete_gaussian", seeded),
        patch.object(secrets, "token_hex", lambda n: "00" * n),
    ):
        return released(plan, exact(plan))


def released(plan, totals):
    with tempfile.TemporaryDirectory() as root:
        ledger = Ledger.open(f"sqlite:///{root}/ledger.db", clock=lambda: datetime(2026, 3, 16, 4, tzinfo=UTC))
        doors = {"ledger": ledger, "vault": Vault(Path(root) / "vault"), "policy": Policy.load()}
        return release(plan, **doors, exact=lambda: totals)


@functools.cache
def bundle_by_unit():
    return bundle_files(release_by_unit(), clearance_for(release_by_unit()))


@pytest.fixture
def files():
    return bundle_by_unit()


def test_a_bundle_by_unit_is_published_and_verified_as_any_other(tmp_path):
    bundle = publish(release_by_unit(), clearance_for(release_by_unit()), tmp_path)
    report = verify_bundle(bundle.folder, key=key_of("gate").public, trust=trust())

    assert report.card.zoning is Zoning.ADMIN
    assert report.rows == release_by_unit().table.num_rows


def test_residents_are_counted_in_every_district_and_verified(tmp_path):
    """A flat table: a row for each unit of a level, whether anybody lives there or not."""
    levels = {None: None, 4: 1, 6: 2}
    by_cell = plan_of("residents", cells=CELLS)
    tables = [
        dataclasses.replace(table, resolution=levels[table.resolution])
        for table in by_cell.product.tables
        if table.resolution in levels
    ]
    cost = sum(table.micro_rho for table in tables)
    product = dataclasses.replace(by_cell.product, zoning=Zoning.ADMIN, tables=tuple(tables), micro_rho=cost)
    plan = dataclasses.replace(by_cell, product=product, zones=ZoneTree(CELLS, (1, 2), units=units()))
    a_hundred = totals_of(plan, dict.fromkeys(range(n_keys(plan)), 102_400))

    made = released(plan, (a_hundred, "ab" * 32))
    report = verify_bundle(publish(made, clearance_for(made), tmp_path).folder)

    rows = made.table.to_pandas()
    everybody = rows[(rows["resolution"] == 2) & (rows["sex"] == "all")]
    assert report.card.zoning is Zoning.ADMIN
    assert set(everybody["zone"]) == set(units().at(2))
    assert everybody["value"].to_numpy() == pytest.approx(100 * plan.n_sex * plan.n_age, abs=200)


def test_rows_speak_in_p_codes_of_the_level_that_they_state():
    rows = release_by_unit().table.to_pandas().iloc[:-1]

    assert set(rows["status"]) >= {"published"}
    assert set(rows["res_from"]) == {1, 2}
    for column, level in (("origin", "res_from"), ("destination", "res_to")):
        assert all(len(code) == 2 + 2 * n for code, n in zip(rows[column], rows[level], strict=True))


def test_the_units_are_drawn_as_they_were_given_with_name_code_and_level(files):
    features = json.loads(files["zones.geojson"])["features"]
    drawn = {feature["id"]: feature for feature in features}

    assert list(drawn) == [unit.code for unit in units().units]
    found = drawn["NU0601"]["properties"]
    assert found == {"zone": "NU0601", "pcode": "NU0601", "name": "North-east, 1", "level": 2}
    assert [feature["geometry"]["coordinates"] for feature in features] == [unit.polygons for unit in units().units]


def test_the_planted_truth_is_by_h3_cell_and_no_release_by_unit_is_held_against_it():
    with pytest.raises(BundleError, match="has administrative units"):
        compare_with_truth(release_by_unit(), release_by_unit().table)


def test_a_histogram_of_bounds_on_h3_cells_says_nothing_of_equal_bounds_on_units():
    product = plan_for(CELLS).product
    levels = by_unit(plan_for(CELLS), units()).product.levels
    in_cells, in_units = (dataclasses.replace(product, zoning=zoning, levels=levels) for zoning in Zoning)

    assert bounds_note(in_cells, {}) != bounds_note(in_units, {})


def test_a_policy_of_units_names_admin_levels():
    with pytest.raises(ValueError, match="5 is no admin level"):
        dataclasses.replace(plan_for(CELLS).product, zoning=Zoning.ADMIN)


def test_card_package_and_readme_say_that_zones_are_units(files):
    card = json.loads(files["card.json"])
    text = files["README.md"].decode()

    assert card["domain"]["zoning"] == "admin"
    assert card["domain"]["units"] == len(units().units)
    assert card["privacy"]["mechanism"].endswith("pairs of administrative units")
    assert json.loads(files["datapackage.json"])["zoning"] == "admin"
    assert "at admin level 1" in text
    assert "administrative units of the domain with p-code" in text
    assert "H3" not in text


def test_the_map_draws_units(files):
    without = dataclasses.replace(release_by_unit(), door=_DOOR, table=release_by_unit().table.slice(0, 0))
    assert files["map.png"] == od_map_png(release_by_unit()) != od_map_png(without)


def zones(change=None):
    """The bundle's layer, spoilt."""
    found = json.loads(bundle_by_unit()["zones.geojson"])
    if change:
        change(found["features"])
    return found


def test_the_layer_of_the_bundle_passes():
    check_zones(release_by_unit().table, zones(), card_of())


def card_of(**changes):
    card = json.loads(json.dumps(dict(release_by_unit().card), default=list))
    return read_card(json.dumps(card | {"domain": card["domain"] | changes}))


def redrawn(features):
    features[-1]["geometry"]["coordinates"][0][0][1][0] += 0.01


def renamed(features):
    features[0]["properties"]["name"] = "Elsewhere"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (redrawn, "its units are not those of the card"),
        (renamed, "its units are not those of the card"),
        (lambda features: features.pop(), "its units are not those of the card"),
        (lambda features: features.reverse(), "its units are not those of the card"),
        (lambda features: features.append(features[0]), "occurs twice"),
        (lambda features: features[0].update(id="x"), "other parts than a unit"),
        (lambda features: features[0]["properties"].update(population=17), "other parts than a unit"),
        (lambda features: features[0]["properties"].update(level=3), "units of level 3"),
        (lambda features: features[0]["properties"].pop("pcode"), "is no unit"),
        (lambda features: features[0].update(geometry=None), "is no unit"),
        (lambda features: features[0]["properties"].update(level="1"), "is no unit"),
    ],
)
def test_a_layer_that_is_not_that_of_the_card_is_refused(change, complaint):
    with pytest.raises(BundleError, match=complaint):
        check_zones(release_by_unit().table, zones(change), card_of())


def test_a_row_of_a_unit_that_is_not_drawn_is_refused():
    table = release_by_unit().table
    elsewhere = table.set_column(1, table.schema.field("origin"), [["NU9999", *table["origin"].to_pylist()[1:]]])
    with pytest.raises(BundleError, match="'NU9999' of the table is no unit"):
        check_zones(elsewhere, zones(), card_of())


def test_a_row_that_states_another_level_than_its_unit_s_is_refused():
    table, card = release_by_unit().table, card_of()
    levels = levels_of_zones(zones_in(table), zones(), card)
    wrong = levels | {table["origin"][0].as_py(): 1 if table["res_from"][0].as_py() == 2 else 2}

    check_levels_of_rows(table, card, levels)
    with pytest.raises(BundleError, match="res_from is not the resolution of origin"):
        check_levels_of_rows(table, card, wrong)


@pytest.mark.parametrize("package", [{"zoning": "h3"}, {}])
def test_a_package_that_does_not_say_what_its_zones_are_is_refused(files, package):
    found = {name: value for name, value in json.loads(files["datapackage.json"]).items() if name != "zoning"} | package
    with pytest.raises(BundleError, match="its zoning is not that of the card"):
        check_package(files | {"datapackage.json": json.dumps(found).encode()}, OD_TRIPS, card_of())
