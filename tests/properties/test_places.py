"""Sensitive places: whatever is released, nothing that can be computed from it tells a listed place from its zone."""

from datetime import date, timedelta

import h3
import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from privacy.hierarchy import PairTree, ZoneTree
from privacy.places import LEAST_OTHERS, Guard, PlaceKind, PlaceRule, SensitivePlace, SensitivePlaces
from privacy.unit import Period, PeriodKind
from tests.boundaries import units_of
from tests.installations import plan_over, totals_of_days
from tests.properties.walks import CELLS, MONDAY, A, B, C, days_of_people, through_the_engine

CENTRE = h3.latlng_to_cell(-14.06, 66.13, 4)
NEIGHBOURS = sorted(h3.grid_disk(CENTRE, 1))[:2]
LEVELS = (4, 5, 6)
WEEK = Period.of(PeriodKind.WEEK, MONDAY)


def place(cells, rule, **how):
    return SensitivePlace("x", PlaceKind.SHELTER, rule, "hidden", date(2030, 1, 1), cells=tuple(sorted(cells)), **how)


@st.composite
def countries(draw):
    """A small random country: some cells of resolution 6 in some of those of 5, in one or two of 4."""
    districts = draw(
        st.lists(st.sampled_from([c for zone in NEIGHBOURS for c in sorted(h3.cell_to_children(zone, 5))]),
                 min_size=1, max_size=4, unique=True)
    )  # fmt: skip
    cells = [
        cell
        for district in districts
        for cell in draw(
            st.lists(st.sampled_from(sorted(h3.cell_to_children(district, 6))), min_size=1, max_size=5, unique=True)
        )
    ]
    return tuple(sorted(cells))


@st.composite
def guarded_countries(draw):
    """A country, and one or two places of it with a rule each."""
    cells = draw(countries())
    assume(len(cells) > 2)
    listed = draw(st.lists(st.sampled_from(cells), min_size=1, max_size=3, unique=True))
    places = tuple(
        place([cell], PlaceRule.COARSEN, resolution=resolution) if resolution else place([cell], PlaceRule.WITHHOLD)
        for cell in listed
        for resolution in [draw(st.sampled_from([None, 4, 5, 6]))]
    )
    return cells, places


def everything_measurable(tree):
    """Each pair that any draw could measure, as (level, pair): what would be if every value were above every cut."""
    pairs = tree.roots()
    for level in range(len(tree.zones.levels)):
        yield from ((level, int(pair)) for pair in pairs)
        if level + 1 < len(tree.zones.levels):
            pairs = tree.children(level + 1, pairs)


def totals_matrix(tree):
    """One row per measurable pair, one column per pair of base cells: 1 where trips of the column count in the row."""
    zones = tree.zones
    n, counted = len(zones.base_cells), ~np.isin(zones.base_cells, zones.guard.withheld)
    rows = []
    for level, pair in everything_measurable(tree):
        size, zone = tree.size(level), zones.base_to_level[level]
        inside = np.outer((zone == pair // size) & counted, (zone == pair % size) & counted)
        np.fill_diagonal(inside, False)
        rows.append(inside.ravel())
    return np.array(rows, dtype=float).reshape(-1, n * n)


def derivable(matrix, wanted):
    """Whether a sum of trips is a linear combination of what can be measured."""
    found, *_ = np.linalg.lstsq(matrix.T, wanted, rcond=None)
    return bool(np.allclose(matrix.T @ found, wanted, atol=1e-6))


def secrets_of(cells, listed, districts=None):
    """What nobody may compute, as columns: trips from a place to everywhere and to each other district, and back."""
    districts = districts or [h3.cell_to_parent(cell, 5) for cell in cells]
    inside, district = np.isin(cells, listed), np.array(districts)
    elsewhere = [~inside, *(~inside & (district == one) for one in np.unique(district))]
    for others in elsewhere:
        for block in (np.outer(inside, others), np.outer(others, inside)):
            if block.any():
                yield block.ravel().astype(float)


@through_the_engine(40)
@given(guarded=guarded_countries())
def test_no_combination_of_released_keys_tells_what_comes_from_or_goes_to_a_listed_place(guarded):
    cells, places = guarded
    tree = PairTree(ZoneTree(cells, LEVELS, SensitivePlaces(1, places).guard(cells, LEVELS)))
    matrix = totals_matrix(tree)

    for listed in places:
        assert not any(derivable(matrix, secret) for secret in secrets_of(cells, listed.cells))


PROVINCES = {"A1": "A", "A2": "A", "A3": "A", "B1": "B", "B2": "B"}


@st.composite
def guarded_countries_of_units(draw):
    """A country with places, whose units follow no H3 cell; one district is larger than the others."""
    cells, places = draw(guarded_countries())
    districts = [draw(st.sampled_from(["A1", "A1", "A1", *sorted(PROVINCES)])) for _ in cells]
    return cells, places, units_of(cells, districts, PROVINCES)


@through_the_engine(25)
@given(guarded=guarded_countries_of_units())
def test_no_combination_of_keys_of_units_and_of_h3_cells_tells_what_comes_from_or_goes_to_a_listed_place(guarded):
    """Also where the same trips are released in both zonings, unless a place is withheld in one of them alone."""
    cells, places, units = guarded
    listing = SensitivePlaces(1, places)
    by_unit = ZoneTree(cells, (1, 2), listing.guard(cells, (1, 2), units), units)
    by_cell = ZoneTree(cells, LEVELS, listing.guard(cells, LEVELS))
    trees = [by_unit, by_cell] if by_unit.guard.withheld == by_cell.guard.withheld else [by_unit]
    matrix = np.vstack([totals_matrix(PairTree(tree)) for tree in trees])

    for listed in places:
        for districts in (None, units.at(1), units.at(2)):
            assert not any(derivable(matrix, secret) for secret in secrets_of(cells, listed.cells, districts))


def test_a_unit_that_holds_a_part_of_the_hiding_cell_would_tell_the_place_beside_a_release_of_cells():
    """The property above can fail: the unit's total, less those of its cells outside the closed one, is the place's."""
    town, village = (sorted(h3.cell_to_children(zone, 5))[0] for zone in NEIGHBOURS)
    (listed, *hidden), others = sorted(h3.cell_to_children(town, 6))[:3], sorted(h3.cell_to_children(village, 6))[:4]
    district = {listed: "A1", others[0]: "A1", others[1]: "A1", **dict.fromkeys(hidden, "A2")}
    cells = tuple(sorted([listed, *hidden, *others]))
    units = units_of(cells, [district.get(cell, "B1") for cell in cells], PROVINCES)
    listing = SensitivePlaces(1, (place([listed], PlaceRule.COARSEN, resolution=5),))
    by_cell = totals_matrix(PairTree(ZoneTree(cells, LEVELS, listing.guard(cells, LEVELS))))

    def told(guard):
        by_unit = totals_matrix(PairTree(ZoneTree(cells, (1, 2), guard, units)))
        secrets = secrets_of(cells, [listed], units.at(2))
        return any(derivable(np.vstack([by_unit, by_cell]), secret) for secret in secrets)

    assert told(Guard(closed=("A1",)))
    assert listing.guard(cells, (1, 2), units) == Guard(closed=("A",))
    assert not told(Guard(closed=("A",)))


@through_the_engine(60)
@given(guarded=guarded_countries_of_units())
def test_the_finest_unit_that_holds_a_coarsened_place_holds_enough_others(guarded):
    cells, places, units = guarded
    listed = {cell for one in places for cell in one.cells}
    guard = SensitivePlaces(1, places).guard(cells, (1, 2), units)
    tree = PairTree(ZoneTree(cells, (1, 2), guard, units))
    named = {
        tree.zones.levels[level].zones[end]
        for level, pair in everything_measurable(tree)
        for end in divmod(pair, tree.size(level))
    }

    for level in (1, 2):
        zones = dict(zip(cells, units.at(level), strict=True))
        for cell in listed - set(guard.withheld):
            if zones[cell] in named:
                assert sum(zones[other] == zones[cell] for other in set(cells) - listed) >= LEAST_OTHERS


def test_to_leave_a_place_out_of_the_rows_alone_would_tell_it_by_subtraction():
    """The property above can fail: with six of seven siblings and the total of all, the seventh follows."""
    town, village = (sorted(h3.cell_to_children(zone, 5))[0] for zone in NEIGHBOURS)
    cells = tuple(sorted([*h3.cell_to_children(town, 6), *sorted(h3.cell_to_children(village, 6))[:2]]))
    listed = sorted(h3.cell_to_children(town, 6))[3]
    tree = PairTree(ZoneTree(cells, LEVELS))
    own = int(tree.zones.base_to_level[2][cells.index(listed)])
    keys = enumerate(everything_measurable(tree))
    unnamed = [row for row, (level, pair) in keys if level < 2 or own not in divmod(pair, tree.size(2))]

    told = [derivable(totals_matrix(tree)[unnamed], secret) for secret in secrets_of(cells, [listed])]

    assert any(told)


@through_the_engine(40)
@given(guarded=guarded_countries())
def test_the_finest_zone_that_holds_a_coarsened_place_holds_enough_others(guarded):
    cells, places = guarded
    guard = SensitivePlaces(1, places).guard(cells, LEVELS)
    tree = PairTree(ZoneTree(cells, LEVELS, guard))
    listed = {cell for one in places for cell in one.cells}
    named = {
        tree.zones.levels[level].zones[end]
        for level, pair in everything_measurable(tree)
        for end in (pair // tree.size(level), pair % tree.size(level))
    }

    for cell in listed - set(guard.withheld):
        for zone in named & {h3.cell_to_parent(cell, r) for r in LEVELS}:
            inside = {c for c in cells if h3.cell_to_parent(c, h3.get_resolution(zone)) == zone}
            assert len(inside - listed) >= LEAST_OTHERS
    assert not named & set(guard.withheld)


@through_the_engine(8)
@given(days=days_of_people(first=MONDAY - timedelta(1), days=4))
def test_a_withheld_place_is_in_no_number_as_if_nobody_had_been_there(engines, days):
    """But for a machine, which is known by all its events."""
    guard = SensitivePlaces(1, (place([CELLS[B]], PlaceRule.WITHHOLD),)).guard(CELLS, LEVELS)
    elsewhere = {key: [point for point in points if point[1] != B] for key, points in days.items()}
    with engines("sail") as session:
        totals = totals_of_days(session, days, plan_over(CELLS, guard=guard, period=WEEK))
        without = totals_of_days(session, {k: p for k, p in elsewhere.items() if p}, plan_over(CELLS, period=WEEK))

    assert totals == without


def test_who_passes_a_withheld_place_goes_from_where_it_was_before_to_where_it_is_after(engine):
    days = {(1, MONDAY): [(0, A), (3600, B), (7200, C)], (2, MONDAY): [(0, B), (60, B)]}
    guard = Guard(withheld=(CELLS[B],))
    straight = {(1, MONDAY): [(0, A), (7200, C)]}

    assert totals_of_days(engine, days, plan_over(CELLS, guard=guard, period=WEEK)) == (
        totals_of_days(engine, straight, plan_over(CELLS, period=WEEK))
    )


def test_a_coarsened_place_counts_in_full_in_the_zone_that_is_shown(sail):
    days = {(1, MONDAY): [(0, A), (3600, B), (7200, C)]}
    guard = SensitivePlaces(1, (place([CELLS[B]], PlaceRule.COARSEN, resolution=5),)).guard(CELLS, LEVELS)

    assert guard.closed == (h3.cell_to_parent(CELLS[B], 5),)
    assert totals_of_days(sail, days, plan_over(CELLS, guard=guard, period=WEEK)) == (
        totals_of_days(sail, days, plan_over(CELLS, period=WEEK))
    )
