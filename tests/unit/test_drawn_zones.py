"""Zones of bundles as a tree: administrative units by where they lie, H3 cells by what H3 says."""

from dataclasses import replace
from functools import cache

import h3
import numpy as np
import pytest
import shapely

from jobs.publish.adding.asked import Asked
from jobs.publish.adding.run import sums_of
from jobs.publish.drawn_zones import drawn_zones, some_of
from jobs.publish.pair_errors import pair_errors
from jobs.publish.plain_csv import csv_of, number_text
from privacy.hierarchy import ZoneTree
from privacy.policy import TablePolicy
from privacy.zoning import Zoning
from schemas.errors import ConfigError
from tests.boundaries import by_unit
from tests.plans import CELLS, plan_of
from tests.readers import bounded_of, drawn
from tests.unit.test_admin_bundle import CELLS as COAST
from tests.unit.test_admin_bundle import exact, units
from tests.unit.test_bundle_example import plan_for


@cache
def residents():
    """Residents of provinces and districts."""
    tables = (TablePolicy(("zone",), 4_000, 1.0, 1), TablePolicy(("zone",), 6_000, 1.0, 2))
    plan = plan_of("residents", cells=COAST)
    product = replace(plan.product, zoning=Zoning.ADMIN, tables=tables)
    plan = replace(plan, product=product, zones=ZoneTree(plan.zones.base_cells, (1, 2), units=units()))
    n = len(plan.zones.levels[-1].zones)
    return drawn(plan, bounded_of(plan, {zone * plan.n_sex * plan.n_age: 500 + zone for zone in range(n)}), seed=1)


@cache
def trips():
    plan = by_unit(plan_for(COAST), units())
    return drawn(plan, exact(plan)[0], seed=1)


def test_a_district_lies_in_the_province_that_its_cells_belong_to():
    zones = drawn_zones([residents()])
    told = dict(zip(units().at(2), units().at(1), strict=True))
    assert {district: zones.ancestor(district, 1) for district in told} == told
    assert zones.ancestor(next(iter(told)), 2) == next(iter(told))
    assert zones.ancestor(told[next(iter(told))], 2) is None
    assert zones.levels == (1, 2)


def test_districts_add_up_by_province():
    told = dict(zip(units().at(2), units().at(1), strict=True))
    rows = residents().rows[residents().rows["resolution"] == 2]
    naive = rows.groupby(rows["zone"].map(told))["value"].sum()
    found = {one.labels["zone"]: one.value for one in sums_of(residents(), Asked(level=1)).sums}
    assert found == pytest.approx(naive.to_dict())


def test_rows_of_districts_know_the_row_of_their_provinces():
    errors, rows = pair_errors(trips(), drawn_zones([trips()])), trips().rows
    told = dict(zip(units().at(2), units().at(1), strict=True))
    at = {(row.origin, row.destination): n for n, row in enumerate(rows.itertuples())}
    for n, row in enumerate(rows.itertuples()):
        above = at.get((told.get(row.origin), told.get(row.destination)), -1) if row.res_from == 2 else -1
        assert errors.above[n] == above
    assert (errors.above >= 0).any()


def test_the_middle_of_a_unit_lies_in_the_middle_of_its_outline():
    zones = drawn_zones([residents()])
    for zone in zones.level_of:
        west, south, east, north = shapely.bounds(zones.shapes[zone])
        assert zones.middles[zone] == pytest.approx(((west + east) / 2, (south + north) / 2), abs=1e-3)
        assert zones.names[zone] != zone


def test_cells_of_the_finest_level_make_up_every_zone():
    plan = plan_of("active_subscribers")
    bundle = drawn(plan, bounded_of(plan, {0: 5}), seed=1)
    zones = drawn_zones([bundle])
    assert zones.levels == (4, 5, 6)
    for zone, leaves in zones.leaves.items():
        assert leaves == {cell for cell in CELLS if h3.cell_to_parent(cell, h3.get_resolution(zone)) == zone}
        assert zones.shape(zone).area == pytest.approx(sum(zones.shape(cell).area for cell in leaves), rel=1e-6)


def test_codes_that_are_no_zones_are_listed_in_part_and_printed_safely():
    with pytest.raises(ConfigError, match=r"7 codes of the table are no zones .*: \\x1b\[31m, a, b, c, d and 2 more"):
        drawn_zones([residents()]).require(["\x1b[31m", *"abcdef"], "the table")
    assert some_of(["x" * 99]) == "x" * 40


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1e7, "10000000"),
        (-0.0, "0"),
        (0.1 + 0.2, "0.3"),
        (-1e-9, "0"),
        (float("nan"), ""),
        (1234.5678901, "1234.56789"),
    ],
)
def test_numbers_have_no_exponent_and_no_noise_of_floats(number, text):
    assert number_text(number) == text


def test_texts_of_strangers_are_quoted_and_never_run():
    rows = [{"a": '=1+1,"x"', "b": -1.5}, {"a": "@x", "b": None}, {"a": "plain", "b": np.float64(2)}]
    assert csv_of(("a", "b"), rows) == b'a,b\n"\'=1+1,""x""",-1.5\n\'@x,\nplain,2\n'


@pytest.mark.parametrize("text", [" =1+1", "\n=1+1", "\uff1d1+1", "|cmd", "%x", "\ufeff=1"])
def test_no_formula_hides_behind_what_a_spreadsheet_takes_off(text):
    assert csv_of(("a",), [{"a": text}]).decode().splitlines()[1].strip('"').startswith("'")
