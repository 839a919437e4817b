"""Zones and pairs of zones: a public domain in which every key has one parent and every trip one key a level."""

import json
from dataclasses import replace

import h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.canonical import canonical_json
from privacy.hierarchy import PairTree, ZoneTree
from privacy.measurements import Measurements
from privacy.topdown import LevelMeasurements
from privacy.zoning import Zoning
from schemas.errors import ConfigError, SealLostError
from tests.boundaries import units_of

DISK = sorted(h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 9))
trees = st.sets(st.sampled_from(DISK), min_size=1, max_size=14).map(
    lambda cells: PairTree(ZoneTree(tuple(sorted(cells)), (4, 5, 6)))
)


def pairs_by_name(tree, level, pairs):
    zones = tree.zones.levels[level].zones
    return {(zones[pair // len(zones)], zones[pair % len(zones)]) for pair in map(int, pairs)}


@given(tree=trees)
def test_every_base_cell_lies_in_the_zone_that_h3_says(tree):
    for level, positions in zip(tree.zones.levels, tree.zones.base_to_level, strict=True):
        found = [level.zones[position] for position in positions]
        assert found == [h3.cell_to_parent(cell, level.resolution) for cell in tree.zones.base_cells]
        assert sum(level.members) == len(tree.zones.base_cells)


@given(tree=trees)
def test_children_are_all_possible_pairs_each_under_its_parent(tree):
    """Against an enumeration of all pairs of base cells: a pair of equal zones is there if a trip can be inside."""
    for level, zone_level in enumerate(tree.zones.levels):
        resolution = zone_level.resolution
        possible = {
            (h3.cell_to_parent(a, resolution), h3.cell_to_parent(b, resolution))
            for a in tree.zones.base_cells
            for b in tree.zones.base_cells
            if a != b
        }
        above = tree.roots() if level == 0 else tree.children(level, every(tree, level - 1))
        assert pairs_by_name(tree, level, above) == possible
        assert above.tolist() == sorted(set(above.tolist()))


def every(tree, level):
    return tree.roots() if level == 0 else tree.children(level, every(tree, level - 1))


@given(tree=trees, data=st.data())
def test_a_childs_parent_is_the_pair_it_was_found_under(tree, data):
    for level in (1, 2):
        above = every(tree, level - 1).tolist()
        some = np.array(sorted(data.draw(st.sets(st.sampled_from(above)))) if above else [], dtype=np.int64)
        children = tree.children(level, some)

        assert set(tree.parents(level, children).tolist()) <= set(some.tolist())
        others = np.setdiff1d(every(tree, level), children)
        assert not set(tree.parents(level, others).tolist()) & set(some.tolist())


def test_no_trip_inside_a_zone_of_one_cell_is_asked_for():
    alone, *together = DISK[0], *sorted(h3.cell_to_children(h3.cell_to_parent(DISK[-1], 5), 6))[:2]
    tree = PairTree(ZoneTree(tuple(sorted([alone, *together])), (5,)))

    assert (h3.cell_to_parent(alone, 5),) * 2 not in pairs_by_name(tree, 0, tree.roots())
    assert (h3.cell_to_parent(together[0], 5),) * 2 in pairs_by_name(tree, 0, tree.roots())


@pytest.mark.parametrize(
    ("cells", "resolutions", "message"),
    [
        ((), (4,), "no zone"),
        ((DISK[1], DISK[0]), (4,), "not sorted"),
        ((DISK[0], DISK[0]), (4,), "stands twice"),
        ((DISK[0],), (5, 4), "do not fit"),
        ((DISK[0],), (4, 7), "do not fit zones of resolution 6"),
    ],
)
def test_a_tree_that_is_none_is_refused(cells, resolutions, message):
    with pytest.raises(ConfigError, match=message):
        ZoneTree(cells, resolutions)


PROVINCES = {"A1": "A", "A2": "A", "A3": "A", "B1": "B", "B2": "B", "C1": "C"}


@st.composite
def admin_trees(draw):
    """Base cells, each in a district, whatever their places: units follow no H3 cell."""
    cells = tuple(sorted(draw(st.sets(st.sampled_from(DISK), min_size=1, max_size=14))))
    districts = [draw(st.sampled_from(sorted(PROVINCES))) for _ in cells]
    return PairTree(ZoneTree(cells, (1, 2), units=units_of(cells, districts, PROVINCES))), districts


@given(drawn=admin_trees())
def test_every_base_cell_lies_in_its_unit_at_each_level_and_units_nest(drawn):
    tree, districts = drawn
    coarse, fine = tree.zones.levels
    at_level = [
        [level.zones[position] for position in positions]
        for level, positions in zip(tree.zones.levels, tree.zones.base_to_level, strict=True)
    ]

    assert at_level == [[PROVINCES[district] for district in districts], districts]
    assert [coarse.zones[parent] for parent in tree.zones.parents(1)] == [PROVINCES[zone] for zone in fine.zones]
    assert all(sum(level.members) == len(districts) for level in tree.zones.levels)
    assert {level.kind for level in tree.zones.levels} == {Zoning.ADMIN}


@given(drawn=admin_trees())
def test_pairs_of_units_are_all_that_a_trip_can_be_made_in_and_roll_up(drawn):
    """Against an enumeration of all pairs of base cells."""
    tree, districts = drawn
    trips = [(a, b) for i, a in enumerate(districts) for j, b in enumerate(districts) if i != j]

    assert pairs_by_name(tree, 0, tree.roots()) == {(PROVINCES[a], PROVINCES[b]) for a, b in trips}
    assert pairs_by_name(tree, 1, every(tree, 1)) == set(trips)
    for a, b in pairs_by_name(tree, 1, every(tree, 1)):
        zones = tree.zones.levels[1].zones
        (parent,) = tree.parents(1, np.array([zones.index(a) * len(zones) + zones.index(b)]))
        assert pairs_by_name(tree, 0, [parent]) == {(PROVINCES[a], PROVINCES[b])}


def sealed(tree):
    pairs = tree.roots()
    found = LevelMeasurements(pairs, np.arange(len(pairs)), 1.5)
    return Measurements(tree.zones, (found,), 1024, 2.0, {"product": "od_trips"})


@given(drawn=admin_trees())
def test_sealed_measurements_say_which_unit_each_base_cell_belonged_to(drawn):
    """Read with no boundaries at hand: they may have changed since."""
    tree, _ = drawn
    found = Measurements.from_bytes(sealed(tree).to_bytes()).zones

    assert found == tree.zones
    assert (found.levels, found.units) == (tree.zones.levels, tree.zones.units)
    assert [positions.tolist() for positions in found.base_to_level] == [
        positions.tolist() for positions in tree.zones.base_to_level
    ]


def test_of_an_h3_tree_nothing_is_said_of_units():
    tree = ZoneTree(tuple(DISK[:5]), (4, 5))

    assert tree.facts == {"base_cells": tree.base_cells, "resolutions": (4, 5)}
    assert tree.terms == {}
    assert set(tree.note) == {"base_resolution", "resolutions", "zones"}


@pytest.mark.parametrize("spoil", ["units", "levels", "of_cells"])
def test_sealed_units_that_were_altered_cannot_be_read(spoil):
    tree = PairTree(ZoneTree(tuple(DISK[:3]), (1, 2), units=units_of(DISK[:3], ["A1", "A2", "B1"], PROVINCES)))
    facts = json.loads(canonical_json(tree.zones.facts))
    facts["units"][spoil] = {"units": "eJw=", "levels": [1], "of_cells": [["A"] * 3, ["A1", "A2", "B2"]]}[spoil]

    with pytest.raises((ConfigError, ValueError)):
        ZoneTree.of(facts)
    data = sealed(tree).to_bytes()
    with pytest.raises(SealLostError):
        Measurements.from_bytes(data.replace(b'"levels":[1,2]', b'"levels":[2,1]'))


def test_units_that_do_not_nest_or_are_not_those_of_the_cells_are_refused():
    units = units_of(DISK[:3], ["A1", "A2", "B1"], PROVINCES)

    with pytest.raises(ConfigError, match="unit A1 in two parents"):
        replace(units, of_cells=(("A", "A", "B"), ("A1", "A2", "A1")), units=units.units[:-1])
    with pytest.raises(ConfigError, match="lists other units"):
        replace(units, units=units.units[1:])
    with pytest.raises(ConfigError, match="p-code A1 at two levels"):
        units_of(DISK[:2], ["A1", "B1"], {"A1": "A1", "B1": "B"})
    with pytest.raises(ConfigError, match="no admin level 3"):
        units.at(3)
    with pytest.raises(ConfigError, match="those of other base cells"):
        ZoneTree(tuple(DISK[:2]), (1, 2), units=units)
    with pytest.raises(ConfigError, match="do not fit zones of admin level 2"):
        ZoneTree(tuple(DISK[:3]), (1, 3), units=units)
