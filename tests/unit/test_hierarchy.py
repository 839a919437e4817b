"""Zones and pairs of zones: a public domain in which every key has one parent and every trip one key a level."""

import h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.hierarchy import PairTree, ZoneTree
from schemas.errors import ConfigError

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
