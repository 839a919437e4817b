"""Administrative boundaries: what is read, what is refused, and which unit a base cell belongs to."""

import json
from collections import Counter

import h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.areas import Polygon
from jobs.boundaries import Boundaries, Unit, admin_units, read_boundaries, units_of_base_cells
from jobs.config import BoundariesConfig, CellsConfig
from jobs.ingest.cells import read_cells
from jobs.synth.boundaries import layers_over
from schemas.errors import ConfigError, InputError
from tests.boundaries import HIGH, LOW, cell_table, layers_written


def square(west, south, *, side=1.0):
    corners = [(west, south), (west + side, south), (west + side, south + side), (west, south + side), (west, south)]
    return Polygon((tuple(corners),))


def side_by_side(*codes):
    """Unit squares on the equator from 0 east, in one country-wide unit."""
    fine = {code: Unit(code, code, "X", (square(float(n), 0.0),)) for n, code in enumerate(codes)}
    return Boundaries((1, 2), ({"X": Unit("X", "X", None, ())}, fine))


def assigned(folder, config, sites, *, resolution=6):
    """Units of the base cells in which some towers stand."""
    cells = sorted({h3.latlng_to_cell(latitude, longitude, resolution) for latitude, longitude in sites})
    towers = CellsConfig(path=cell_table(folder / "cells.csv", sites))
    return cells, admin_units(config, towers, folder / "units.json", cells)


inside_the_square = st.tuples(
    st.integers(0, 199).map(lambda n: -14.995 + n / 100), st.integers(0, 199).map(lambda n: 65.005 + n / 100)
)
"""Latitude and longitude, on no border."""


@settings(max_examples=12)
@given(sites=st.lists(inside_the_square, min_size=1, max_size=30, unique=True))
def test_every_base_cell_is_in_one_unit_at_each_level_and_units_nest(sites, tmp_path_factory):
    folder = tmp_path_factory.mktemp("layers")
    cells, units = assigned(folder, layers_written(folder), sites)

    assert [len(codes) for codes in units.of_cells] == [len(cells)] * 2
    assert all(district.startswith(province) for province, district in zip(*units.of_cells, strict=True))
    assert [unit.code for unit in units.units] == [code for codes in units.of_cells for code in sorted(set(codes))]


@settings(max_examples=12)
@given(sites=st.lists(inside_the_square, min_size=1, max_size=30, unique=True))
def test_a_base_cell_belongs_to_the_unit_that_holds_most_of_its_towers(sites, tmp_path_factory):
    """Against a count by hand: districts are a grid of four columns and six rows."""
    folder = tmp_path_factory.mktemp("layers")
    cells, units = assigned(folder, layers_written(folder), sites, resolution=3)
    xs, ys = np.round(np.linspace(65, 67, 5), 5), np.round(np.linspace(-15, -13, 7), 5)

    for cell, found in zip(cells, units.at(2), strict=True):
        votes = Counter()
        for latitude, longitude in sites:
            if h3.latlng_to_cell(latitude, longitude, 3) == cell:
                column, row = np.searchsorted(xs, longitude) - 1, np.searchsorted(ys, latitude) - 1
                votes[f"NU{1 + column // 2 + 2 * (row // 2):02}{1 + column % 2 + 2 * (row % 2):02}"] += 1
        assert votes[found] == max(votes.values())
        assert found == min(code for code, n in votes.items() if n == votes[found])


def test_of_units_with_equally_many_towers_the_smaller_p_code_has_the_base_cell(tmp_path):
    cell = h3.latlng_to_cell(0.5, 1.0, 4)
    towers = read_cells(CellsConfig(path=cell_table(tmp_path / "cells.csv", [(0.5, 0.999), (0.5, 1.001)])))

    for codes, winner in ((("A", "B"), "A"), (("B", "A"), "A")):
        assert units_of_base_cells(side_by_side(*codes), towers, [cell], snap_km=5) == {cell: winner}


def test_a_tower_counts_once_however_many_cells_it_has_and_a_base_cell_without_one_goes_by_its_centre(tmp_path):
    cell = h3.latlng_to_cell(0.5, 1.0, 4)
    sites = [(0.5, 0.999)] * 3 + [(0.5, 1.001), (0.5, 1.002)]
    towers = read_cells(CellsConfig(path=cell_table(tmp_path / "cells.csv", sites)))
    alone = h3.latlng_to_cell(0.5, 0.2, 6)

    found = units_of_base_cells(side_by_side("A", "B"), towers, [cell], snap_km=5)
    assert found == {cell: "B"}
    assert units_of_base_cells(side_by_side("A", "B"), [], [alone], snap_km=5) == {alone: "A"}


def test_what_was_decided_stays_when_a_tower_is_built_later(tmp_path):
    config, before = layers_written(tmp_path), [(-14.499, 65.4999), (-13.5, 66.2)]
    cells, first = assigned(tmp_path, config, before, resolution=4)
    later = [*before, (-14.499, 65.5001), (-14.498, 65.5002)]
    fresh = tmp_path / "fresh"
    fresh.mkdir()

    assert h3.latlng_to_cell(-14.499, 65.5001, 4) in cells
    assert assigned(tmp_path, config, later, resolution=4)[1] == first
    assert assigned(fresh, config, later, resolution=4)[1] != first


def test_other_boundaries_are_another_layer_and_the_first_is_found_again(tmp_path):
    sites = [(-14.5, 65.2), (-13.5, 66.2)]
    _, first = assigned(tmp_path, layers_written(tmp_path), sites)

    def moved(layers):
        layers.update(layers_over(LOW - 0.3, HIGH + 0.3))

    _, second = assigned(tmp_path, layers_written(tmp_path, change=moved), sites)
    assert second.sha256 != first.sha256
    assert len(json.loads((tmp_path / "units.json").read_text())) == 2
    assert assigned(tmp_path, layers_written(tmp_path), sites)[1] == first


def old_columns(layers):
    """The columns of COD-AB before 2025: ADM2_EN instead of adm2_name, p-codes in capitals."""
    for layer in layers.values():
        for feature in layer["features"]:
            feature["properties"] = {
                name.upper().replace("_NAME", "_EN"): value for name, value in feature["properties"].items()
            }


def in_portuguese(layers):
    for layer in layers.values():
        for feature in layer["features"]:
            feature["properties"] = {
                name.upper().replace("_NAME", "_PT"): value for name, value in feature["properties"].items()
            }


@pytest.mark.parametrize("change", [None, old_columns, in_portuguese])
def test_old_and_new_columns_are_read_alike(tmp_path, change):
    units = assigned(tmp_path, layers_written(tmp_path, change=change), [(-14.5, 65.2)])[1].units

    assert [(unit.level, unit.code, unit.name) for unit in units] == [
        (1, "NU01", "South-west"),
        (2, "NU0103", "South-west, 3"),
    ]


def test_one_file_of_the_finest_level_is_enough(tmp_path):
    sites = [(-14.5, 65.2), (-13.5, 66.2), (-13.4, 66.6)]
    both = assigned(tmp_path, layers_written(tmp_path), sites)[1]
    one = assigned(tmp_path, BoundariesConfig(path=tmp_path / "adm2.geojson", levels=(1, 2)), sites)[1]

    assert one.of_cells == both.of_cells
    assert {unit.code: unit.name for unit in one.units} == {unit.code: unit.name for unit in both.units}
    assert [len(unit.polygons) for unit in one.units] == [4, 4, 1, 1, 1]  # a province is drawn as its districts


def test_a_published_outline_is_rounded_and_turned_as_geojson_wants_it(tmp_path):
    def turned(layers):
        for feature in layers[2]["features"]:
            ring = [[x + 1e-9, y] for x, y in feature["geometry"]["coordinates"][0]]
            hole = [[66.2, -14.9], [66.3, -14.9], [66.25, -14.8], [66.2, -14.9]]
            feature["geometry"]["coordinates"] = [ring[::-1], hole]

    (_, unit) = assigned(tmp_path, layers_written(tmp_path, change=turned), [(-14.5, 65.2)])[1].units
    outer, hole = (np.array(ring) for ring in unit.polygons[0])

    assert signed_area(outer) > 0 > signed_area(hole)
    assert outer.tolist() == np.round(outer, 5).tolist()


def signed_area(ring):
    (x, y), (x_2, y_2) = ring[:-1].T, ring[1:].T
    return float(np.sum(x * y_2 - x_2 * y)) / 2


def test_a_tower_off_the_coast_belongs_to_the_nearest_unit_and_one_at_sea_is_named_by_its_place():
    units = side_by_side("A", "B")

    assert units.of_sites([(0.5, -0.02), (1.6, 1.03), (2.04, 0.5)], snap_km=5) == ["A", "B", "B"]
    with pytest.raises(InputError, match=r"at 0\.50000, 2\.40000 \(44 km\)\. Expected: .*within 5 km.*Remedy"):
        units.of_sites([(0.5, -0.02), (2.4, 0.5)], snap_km=5)
    assert units.of_sites([(2.4, 0.5)], snap_km=50) == ["B"]


def test_a_lake_between_districts_is_in_none_of_them_and_its_island_in_the_one_that_has_it():
    hole = tuple(reversed(square(0.2, 0.2, side=0.6).rings[0]))
    shore, island = Polygon((square(0.0, 0.0).rings[0], hole)), square(0.4, 0.4, side=0.2)
    fine = {"A": Unit("A", "A", None, (shore,)), "B": Unit("B", "B", None, (island,))}
    units = Boundaries((2,), (fine,))

    assert units.of_sites([(0.1, 0.1), (0.5, 0.5), (0.21, 0.5), (0.39, 0.5)], snap_km=5) == ["A", "B", "A", "B"]


def feature(level, number, **properties):
    def change(layers):
        found = layers[level]["features"][number]["properties"]
        found.update(properties)

    return change


def geometry(number, coordinates, kind="Polygon"):
    def change(layers):
        layers[2]["features"][number]["geometry"] = {"type": kind, "coordinates": coordinates}

    return change


def in_metres(layers):
    for one in layers[2]["features"]:
        one["geometry"]["coordinates"] = [[[x * 111_000, y * 111_000] for x, y in one["geometry"]["coordinates"][0]]]


def projected(name):
    return lambda layers: layers[1].update(crs={"type": "name", "properties": {"name": name}})


BOW_TIE = [[[65.0, -15.0], [65.5, -14.5], [65.5, -15.0], [65.0, -14.6], [65.0, -15.0]]]
OPEN = [[[65.0, -15.0], [65.5, -15.0], [65.5, -14.5], [65.0, -14.5]]]
REFUSED = {
    "it is in the projection": projected("urn:ogc:def:crs:EPSG::32742"),
    "no degrees: it is in another projection": in_metres,
    "adm2.geojson, feature 4: a ring is not closed": geometry(3, OPEN),
    "adm2.geojson, feature 1: a ring crosses itself": geometry(0, BOW_TIE),
    "feature 2: a LineString of it is no polygon": geometry(1, OPEN[0], "LineString"),
    "feature 2 has no polygon": geometry(1, [], "MultiPolygon"),
    "feature 3 has no p-code of level 2": feature(2, 2, adm2_pcode=None),
    "feature 1 has no p-code of level 2": feature(2, 0, adm2_pcode="=1+1"),
    "p-code NU0101 stands twice at level 2": feature(2, 2, adm2_pcode="NU0101"),
    "p-code NU01 stands at two levels": feature(2, 0, adm2_pcode="NU01"),
    "unit NU0103 has no parent at level 1: NU99 is not there": feature(2, 2, adm1_pcode="NU99"),
    "unit NU0103 has no parent at level 1. Expected": feature(2, 2, adm1_pcode=""),
    "adm1.geojson is no collection of features": lambda layers: layers[1].update(features=[]),
}


@pytest.mark.parametrize("complaint", REFUSED)
def test_boundaries_that_cannot_be_meant_so_are_refused_with_the_place(tmp_path, complaint):
    with pytest.raises(ConfigError) as refusal:
        read_boundaries(layers_written(tmp_path, change=REFUSED[complaint]))
    assert complaint in str(refusal.value)
    assert refusal.value.expected
    assert refusal.value.remedy


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:EPSG::4326", "EPSG:4326"])
def test_the_old_names_of_wgs_84_are_understood(tmp_path, name):
    assert read_boundaries(layers_written(tmp_path, change=projected(name)))


def test_a_unit_of_two_parents_is_refused_where_one_file_holds_all_levels(tmp_path):
    layers = layers_over(LOW, HIGH)
    for number, one in enumerate(layers[2]["features"]):
        one["properties"] |= {"adm1_pcode": "P1", "adm2_pcode": f"D{number // 2}", "adm3_pcode": f"S{number}"}
    layers[2]["features"][1]["properties"]["adm1_pcode"] = "P2"
    (tmp_path / "adm3.geojson").write_text(json.dumps(layers[2]), encoding="utf-8")

    with pytest.raises(ConfigError, match="unit D0 has two parents, P1 and P2"):
        read_boundaries(BoundariesConfig(path=tmp_path / "adm3.geojson", levels=(1, 2, 3)))


@pytest.mark.parametrize("content", [None, b"{", b"\xff", b"[]", b'{"features": [{"type": "Feature"}]}'])
def test_a_file_that_is_no_layer_is_refused_by_name(tmp_path, content):
    if content is not None:
        (tmp_path / "adm1.geojson").write_bytes(content)
    with pytest.raises(ConfigError, match=r"adm1\.geojson"):
        read_boundaries(BoundariesConfig(path=tmp_path / "adm1.geojson", levels=(1,)))


@pytest.mark.parametrize(
    ("levels", "files", "complaint"),
    [((2, 1), 2, "coarse to fine"), ((1, 2, 3), 2, "one in all"), ((), 1, "at least 1")],
)
def test_a_section_that_contradicts_itself_is_refused(levels, files, complaint):
    with pytest.raises(ValueError, match=complaint):
        BoundariesConfig(path=tuple(f"adm{n}.geojson" for n in range(files)), levels=levels)
