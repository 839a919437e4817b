"""The list of sensitive places: what it accepts, what it does to a domain, and that a release says no name."""

import dataclasses
import json
from datetime import date

import h3
import numpy as np
import pytest

from privacy.bounding import Bounded
from privacy.canonical import canonical_json
from privacy.hierarchy import PairTree, ZoneTree
from privacy.ledger import Ledger
from privacy.measurements import Measurements
from privacy.places import NO_GUARD, Guard, SensitivePlaces
from privacy.plan import NO_LIST, SOME_PLACES
from privacy.policy import Policy
from privacy.release import release
from privacy.vault import Vault
from schemas.errors import ConfigError, SpecificationChangedError
from tests.boundaries import units_of
from tests.installations import plan_over

CENTRE = h3.latlng_to_cell(-14.06, 66.13, 6)
CELLS = tuple(sorted(h3.grid_disk(CENTRE, 3)))
LEVELS = (4, 5, 6)
LONELY = h3.latlng_to_cell(-10.0, 60.0, 6)
"""The only tower of its surroundings."""

WITHHOLD = {"id": "a", "kind": "shelter", "rule": "withhold", "reason": "hidden", "review_by": "2027-01-31"}
COARSEN = WITHHOLD | {"rule": "coarsen", "resolution": 5}


def listed(*entries):
    """A list as its file would give it."""
    return SensitivePlaces(1, tuple(entries))


def written(path, *entries):
    lines = ["version = 1"]
    for entry in entries:
        lines.append("[[places]]")
        values = {name: v if name == "review_by" else json.dumps(v) for name, v in entry.items()}
        lines += [f"{name} = {value}" for name, value in values.items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def guard_of(tmp_path, *entries, cells=CELLS, levels=LEVELS):
    return SensitivePlaces.load(written(tmp_path / "places.toml", *entries)).guard(cells, levels)


def test_an_empty_list_does_nothing(tmp_path):
    assert guard_of(tmp_path) == NO_GUARD


def test_a_withheld_place_is_its_base_cells(tmp_path):
    assert guard_of(tmp_path, WITHHOLD | {"cells": [CENTRE]}) == Guard(withheld=(CENTRE,))


def test_a_coarsened_place_closes_the_zone_at_its_resolution(tmp_path):
    for resolution in (5, 4):
        guard = guard_of(tmp_path, COARSEN | {"cells": [CENTRE], "resolution": resolution})
        assert guard == Guard(closed=(h3.cell_to_parent(CENTRE, resolution),))


def test_a_place_alone_in_its_zone_is_shown_in_a_larger_one_and_alone_in_the_largest_in_none(tmp_path):
    lonely, place = (*CELLS, LONELY), COARSEN | {"cells": [LONELY]}
    fellows = tuple(sorted({*lonely, *_in_the_zone_of(LONELY, resolution=4, but=5)[:2]}))

    assert guard_of(tmp_path, place, cells=fellows) == Guard(closed=(h3.cell_to_parent(LONELY, 4),))
    assert guard_of(tmp_path, place, cells=tuple(sorted(lonely))) == Guard(withheld=(LONELY,))


def _in_the_zone_of(cell, *, resolution, but):
    inside = h3.cell_to_children(h3.cell_to_parent(cell, resolution), 6)
    return sorted(set(inside) - set(h3.cell_to_children(h3.cell_to_parent(cell, but), 6)))


def test_a_unit_hides_a_place_where_it_holds_the_whole_h3_cell_that_would(tmp_path):
    """The place may be shown in its cell of resolution 5: a district that parts that cell would tell more."""
    home = h3.cell_to_parent(CENTRE, 5)
    inside = [cell for cell in CELLS if h3.cell_to_parent(cell, 5) == home]
    whole = units_of(CELLS, ["A1" if cell in inside else "A2" for cell in CELLS], {"A1": "A", "A2": "A"})
    parted = units_of(CELLS, ["A1" if cell == CENTRE else "A2" for cell in CELLS], {"A1": "A", "A2": "A"})
    split = units_of(CELLS, ["A1" if cell == CENTRE else "B1" for cell in CELLS], {"A1": "A", "B1": "B"})
    places = SensitivePlaces.load(written(tmp_path / "places.toml", COARSEN | {"cells": [CENTRE]}))

    assert places.guard(CELLS, (1, 2), whole) == Guard(closed=("A1",))
    assert places.guard(CELLS, (1, 2), parted) == Guard(closed=("A",))
    assert places.guard(CELLS, (1, 2), split) == Guard(withheld=(CENTRE,))


def test_a_place_alone_in_its_h3_cell_is_hidden_by_a_unit_that_holds_the_next_larger_one(tmp_path):
    fellows = tuple(sorted({*CELLS, LONELY, *_in_the_zone_of(LONELY, resolution=4, but=5)[:2]}))
    around = {cell for cell in fellows if h3.cell_to_parent(cell, 4) == h3.cell_to_parent(LONELY, 4)}
    provinces = {"A1": "A", "A2": "A", "A3": "A"}
    place = SensitivePlaces.load(written(tmp_path / "places.toml", COARSEN | {"cells": [LONELY]}))

    together = units_of(fellows, ["A1" if cell in around else "A2" for cell in fellows], provinces)
    apart = units_of(fellows, ["A3" if cell == LONELY else "A2" for cell in fellows], provinces)
    assert place.guard(fellows, (1, 2), together) == Guard(closed=("A1",))
    assert place.guard(fellows, (1, 2), apart) == Guard(closed=("A",))


def test_two_listed_places_do_not_hide_each_other(tmp_path):
    siblings = sorted(h3.cell_to_children(h3.cell_to_parent(CENTRE, 5), 6))[:3]
    two = [COARSEN | {"id": cell, "cells": [cell]} for cell in siblings[:2]]

    assert guard_of(tmp_path, *two, cells=tuple(siblings)) == Guard(withheld=tuple(siblings[:2]))


def test_an_area_is_every_base_cell_that_it_touches(tmp_path):
    latitude, longitude = h3.cell_to_latlng(CENTRE)
    edge = h3.cell_to_boundary(CENTRE)[0]
    box = [longitude - 0.001, latitude - 0.001, longitude + 0.001, latitude + 0.001]
    corner = [[edge[1] - 0.01, edge[0] - 0.01], [edge[1] + 0.01, edge[0] - 0.01], [edge[1], edge[0] + 0.01]]

    assert guard_of(tmp_path, WITHHOLD | {"bbox": box}).withheld == (CENTRE,)
    assert len(guard_of(tmp_path, WITHHOLD | {"polygon": corner}).withheld) >= 2
    assert guard_of(tmp_path, WITHHOLD | {"cells": [h3.cell_to_center_child(CENTRE, 9)]}).withheld == (CENTRE,)
    assert len(guard_of(tmp_path, WITHHOLD | {"cells": [h3.cell_to_parent(CENTRE, 5)]}).withheld) == 7


def test_a_place_without_a_tower_changes_nothing(tmp_path):
    assert guard_of(tmp_path, WITHHOLD | {"cells": [LONELY]}) == NO_GUARD
    assert guard_of(tmp_path, WITHHOLD | {"rule": "delay", "days": 30, "cells": [LONELY]}) == NO_GUARD


def test_the_longest_delay_holds_and_a_release_says_until_when(tmp_path):
    delays = [WITHHOLD | {"id": str(n), "rule": "delay", "days": n, "cells": [CENTRE]} for n in (7, 30)]
    guard = guard_of(tmp_path, *delays)

    assert guard == Guard(delay_days=30)
    assert plan_over(CELLS, guard=guard).card["not_before"] == "2026-04-07"  # 30 days after the Sunday of 2026-W10
    assert plan_over(CELLS).card["not_before"] is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"cells": []}, "exactly one of"),
        ({"bbox": [1.0, 1.0, 2.0, 2.0]}, "exactly one of"),
        ({"cells": ["86"]}, "no H3 cell"),
        ({"cells": [], "bbox": [2.0, 1.0, 1.0, 2.0]}, "west, south, east, north"),
        ({"cells": [], "polygon": [[0.0, 0.0], [1.0, 1.0]]}, "three corners"),
        ({"resolution": 5}, "goes with the rule coarsen"),
        ({"rule": "coarsen"}, "goes with the rule coarsen"),
        ({"rule": "delay"}, "goes with the rule delay"),
        ({"rule": "delay", "days": 0}, "greater than or equal to 1"),
        ({"rule": "hide"}, "coarsen"),
        ({"kind": "barracks"}, "camp"),
        ({"reason": " "}, "reason"),
        ({"note": "x"}, "note"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(tmp_path, change, complaint):
    with pytest.raises(ConfigError, match=complaint) as refusal:
        SensitivePlaces.load(written(tmp_path / "places.toml", WITHHOLD | {"cells": [CENTRE]} | change))
    assert refusal.value.remedy


@pytest.mark.parametrize("content", [None, b"version = ", b"\xff", b"version = 2\n"])
def test_a_file_that_is_no_list_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "places.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"places\.toml"):
        SensitivePlaces.load(tmp_path / "places.toml")


def test_a_review_that_is_due_is_noticed_and_its_rule_holds(tmp_path):
    places = SensitivePlaces.load(written(tmp_path / "places.toml", WITHHOLD | {"cells": [CENTRE]}))

    assert places.overdue(date(2027, 2, 1)) == ("a",)
    assert places.overdue(date(2027, 1, 31)) == ()


def guarded_plan(guard, sha256="ab" * 32):
    return dataclasses.replace(plan_over(CELLS, guard=guard), places_sha256=sha256)


def exact(plan):
    """Many trips from the first cell to every other."""
    keys = np.arange(1, len(CELLS))
    return Bounded(keys, np.full(len(keys), 4000 * plan.fixed_point, np.int64), plan.bounds), "cd" * 32


@pytest.fixture
def doors(tmp_path):
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    return {"ledger": ledger, "vault": Vault(tmp_path / "vault"), "policy": Policy.load()}


def test_neither_the_rows_nor_what_is_sealed_looks_into_a_closed_zone_or_at_a_withheld_cell(doors):
    closed, withheld = h3.cell_to_parent(CELLS[20], 5), next(c for c in CELLS if h3.cell_to_parent(c, 5) != (
        h3.cell_to_parent(CELLS[20], 5)
    ))  # fmt: skip
    plan = guarded_plan(Guard((closed,), (withheld,)))

    made = release(plan, exact=lambda: exact(plan), **doors)
    sealed = Measurements.from_bytes(doors["vault"].get(made.seal.artefact_sha256))

    hidden = set(h3.cell_to_children(closed, 6)) | {withheld}
    tree = PairTree(sealed.zones)
    measured = {
        level.zones[end]
        for number, (level, found) in enumerate(zip(sealed.zones.levels, sealed.levels, strict=True))
        for pair in found.pairs.tolist()
        for end in divmod(pair, tree.size(number))
    }
    assert not hidden & measured
    assert not hidden & {*made.table["origin"].to_pylist(), *made.table["destination"].to_pylist()}
    assert made.base_cells == CELLS


def test_a_card_says_that_there_is_a_list_and_neither_which_places_nor_its_digest(doors):
    plan = guarded_plan(Guard((h3.cell_to_parent(CENTRE, 5),)))
    made = release(plan, exact=lambda: exact(plan), **doors)
    text = canonical_json(made.card)

    assert made.card["sensitive_places"] == SOME_PLACES
    assert plan_over(CELLS).card["sensitive_places"] == NO_LIST
    assert plan.places_sha256.encode() not in text
    assert h3.cell_to_parent(CENTRE, 5).encode() not in text


def test_a_list_that_names_no_place_of_the_country_is_not_told_from_one_that_does():
    assert guarded_plan(NO_GUARD).card == guarded_plan(Guard((h3.cell_to_parent(CENTRE, 5),))).card


def test_a_list_that_changed_between_charge_and_seal_is_refused(doors):
    with pytest.raises(ZeroDivisionError):
        release(guarded_plan(NO_GUARD), exact=lambda: 1 / 0, **doors)
    with pytest.raises(SpecificationChangedError):
        release(guarded_plan(NO_GUARD, sha256="cd" * 32), exact=lambda: 1 / 0, **doors)


def test_a_domain_of_withheld_cells_alone_has_no_pair():
    tree = PairTree(ZoneTree(CELLS, LEVELS, Guard(withheld=CELLS)))
    assert not len(tree.roots())
