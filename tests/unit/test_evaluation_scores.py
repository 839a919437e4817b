"""The scores of a release design: on tables small enough to count by hand, and against a naive second count."""

import io
import math
from dataclasses import replace

import h3
import numpy as np
import pytest
from rich.console import Console

from jobs.evaluation.designs import Budget, Guarantee, Outcome, Values
from jobs.evaluation.report import Evaluated, figures, mean_figures, view
from jobs.evaluation.scores import FLOORS, common_part_of_commuters, score
from privacy.hierarchy import PairTree, ZoneTree

WEST = h3.latlng_to_cell(-1.95, 30.06, 5)
EAST = sorted(h3.grid_ring(WEST, 1))[0]
A, B = sorted(h3.cell_to_children(WEST, 6))[:2]
C, D = sorted(h3.cell_to_children(EAST, 6))[:2]
TREE = PairTree(ZoneTree(tuple(sorted([A, B, C, D])), (5, 6)))
NAMES = [level.zones for level in TREE.zones.levels]
NOTHING = Guarantee("none", "", 0.0, 0.0, 0.0)


def pair(origin, destination):
    level = h3.get_resolution(origin) - 5
    return NAMES[level].index(origin) * len(NAMES[level]) + NAMES[level].index(destination)


def flows(table):
    rows = sorted((pair(*ends), trips) for ends, trips in table.items())
    return np.array([p for p, _ in rows], dtype=np.int64), np.array([t for _, t in rows], dtype=float)


def values(table, half=2.0):
    pairs, numbers = flows(table)
    return Values(pairs, numbers, np.full(len(pairs), half))


def outcome(*, bounded, fine, coarse=None, measured=None, half=2.0):
    shown = (values(coarse or {}, half), values(fine, half))
    return Outcome("a design", NOTHING, flows(bounded), measured or shown, shown)


EXACT = {(A, B): 100.0, (B, A): 40.0, (A, C): 30.0, (C, D): 20.0, (D, C): 10.0}


def test_each_trip_is_shown_where_its_finest_row_is():
    found = score(
        outcome(bounded=EXACT, fine={(A, B): 100.0}, coarse={(WEST, WEST): 40.0, (WEST, EAST): 30.0}),
        flows(EXACT),
        TREE,
    )
    assert [(level.resolution, level.share, level.rows) for level in found.levels] == [(5, 0.35, 2), (6, 0.5, 1)]
    assert found.share == pytest.approx(0.85)


def test_errors_are_those_of_shown_pairs_and_how_many_are_shown_stands_beside_them():
    found = score(outcome(bounded=EXACT, fine={(A, B): 110.0, (B, A): 38.0, (D, C): 13.0}), flows(EXACT), TREE)
    by_floor = {error.floor: error for error in found.errors}
    assert tuple(by_floor) == FLOORS
    assert by_floor[10].median_relative_error == pytest.approx(0.1)
    assert (by_floor[10].flows, by_floor[10].shown) == (5, pytest.approx(3 / 5))
    assert (by_floor[100].flows, by_floor[100].shown, by_floor[100].median_relative_error) == (1, 1, pytest.approx(0.1))
    assert math.isnan(by_floor[1000].median_relative_error)


def test_a_row_where_nobody_went_is_a_false_pair_unless_it_says_so():
    found = score(outcome(bounded=EXACT, fine={(A, B): 100.0, (B, D): 5.0, (D, A): -1.0}), flows(EXACT), TREE)
    assert found.false_pairs == 1


def test_what_clipping_costs_is_told_apart_from_what_noise_costs():
    halved = {ends: trips / 2 for ends, trips in EXACT.items()}
    found = score(outcome(bounded=halved, fine={(A, B): 55.0}), flows(EXACT), TREE)
    assert found.clipping_bias == pytest.approx(-0.5)
    assert found.noise_bias == pytest.approx(0.1)
    assert found.coverage_published == 0
    within = score(outcome(bounded=halved, fine={(A, B): 51.0}), flows(EXACT), TREE)
    assert (within.coverage_published, within.coverage_published_exact) == (1, 0)


def test_coverage_is_counted_over_all_measured_pairs_and_by_their_size():
    measured = (
        values({(WEST, WEST): 141.0, (EAST, EAST): 35.0}),
        values({(A, B): 101.0, (B, A): 44.0, (B, D): 1.0, (D, A): 7.0}),
    )
    found = score(outcome(bounded=EXACT, fine={(A, B): 101.0}, measured=measured), flows(EXACT), TREE)
    assert found.coverage == pytest.approx(3 / 6)
    assert [level.coverage for level in found.levels] == [pytest.approx(1 / 2), pytest.approx(2 / 4)]
    by_size = {size.at_least: (size.measured, size.coverage) for size in found.coverage_by_size}
    assert by_size[0.0] == (2, 0.5)  # nobody went from B to D, nor from D to A
    assert by_size[10.0] == (2, 0.0)  # B to A, and inside the east
    assert by_size[100.0] == (2, 1.0)
    assert math.isnan(by_size[1000.0][1])


def test_a_design_without_intervals_has_no_coverage():
    found = score(outcome(bounded=EXACT, fine={(A, B): 100.0}, half=math.nan), flows(EXACT), TREE)
    assert math.isnan(found.coverage)
    assert math.isnan(found.coverage_published)


def test_a_coarse_row_completes_its_pair_at_its_own_level_only():
    found = score(outcome(bounded=EXACT, fine={(A, B): 100.0}, coarse={(WEST, WEST): 40.0}), flows(EXACT), TREE)
    cpc = {level.resolution: level.cpc for level in found.levels}
    assert cpc[6] == pytest.approx(2 * 100 / (100 + 200))
    assert cpc[5] == pytest.approx(2 * 140 / (140 + 200))


def test_the_common_part_of_commuters_is_counted_as_in_the_paper():
    assert common_part_of_commuters([5, 0, 3], [2, 4, 3]) == pytest.approx(2 * (2 + 0 + 3) / (8 + 9))
    assert common_part_of_commuters([-5], [5]) == 0
    assert common_part_of_commuters([1, 2], [1, 2]) == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_scores_are_those_of_a_naive_count(seed):
    random = np.random.default_rng(seed)
    cells = sorted([*h3.cell_to_children(WEST, 6), *h3.cell_to_children(EAST, 6)])
    tree = PairTree(ZoneTree(tuple(cells), (4, 5, 6)))
    levels = [tree.roots(), np.empty(0), np.empty(0)]
    levels[1] = tree.children(1, levels[0])
    levels[2] = tree.children(2, levels[1])
    some = [np.sort(random.choice(pairs, max(1, len(pairs) // 3), replace=False)) for pairs in levels]
    exact_pairs = np.sort(random.choice(levels[2], 60, replace=False))
    exact = exact_pairs, random.integers(1, 200, 60).astype(float)
    rows = tuple(Values(p, random.normal(20, 30, len(p)), np.full(len(p), 25.0)) for p in some)
    found = score(Outcome("random", NOTHING, (exact[0], exact[1] * 0.8), rows, rows), exact, tree)

    def ends(level, number):
        zones = tree.zones.levels[level].zones
        return zones[number // len(zones)], zones[number % len(zones)]

    def up(names, resolution):
        return tuple(h3.cell_to_parent(name, resolution) for name in names)

    shown = [{ends(n, p): v for p, v in zip(r.pairs.tolist(), r.values, strict=True)} for n, r in enumerate(rows)]
    true = {ends(2, p): t for p, t in zip(exact[0].tolist(), exact[1], strict=True)}
    held = [{}, {}, {}]
    for names, trips in true.items():
        for level in (2, 1, 0):
            if (key := up(names, 4 + level)) in shown[level]:
                held[level][key] = held[level].get(key, 0) + trips
                break
    total = sum(true.values())
    assert [level.share for level in found.levels] == pytest.approx([sum(h.values()) / total for h in held])
    assert found.false_pairs == sum(v > 0 and key not in true for key, v in shown[2].items())
    inside = [abs(v - 0.8 * held[n].get(key, 0)) <= 25 for n in range(3) for key, v in shown[n].items()]
    assert found.coverage_published == pytest.approx(np.mean(inside))
    for level in range(3):
        estimate, truth = {}, {}
        for n in range(level, 3):
            for names, v in shown[n].items():
                estimate[up(names, 4 + level)] = estimate.get(up(names, 4 + level), 0) + v
        for names, trips in true.items():
            truth[up(names, 4 + level)] = truth.get(up(names, 4 + level), 0) + trips
        positive = {key: max(v, 0) for key, v in estimate.items()}
        common = 2 * sum(min(positive.get(key, 0), t) for key, t in truth.items())
        assert found.levels[level].cpc == pytest.approx(common / (sum(positive.values()) + total))


def test_the_designs_side_by_side_fit_eighty_columns():
    budget = Budget(23_000, 5, 1e-6)
    names = ["all-pairs Gaussian, 1 % false", "all-pairs Laplace, cut at 15"]
    scores = score(outcome(bounded=EXACT, fine={(A, B): 101.0}), flows(EXACT), TREE)
    scores = replace(scores, noise_bias=11.223)  # Laplace over a whole domain: mostly noise
    made = [Evaluated(name, budget, replace(NOTHING, loss="epsilon 0.462"), scores, 1234.5, 1234.5) for name in names]
    console = Console(width=80, file=io.StringIO())
    console.print(view([figures(one) for one in made], "od_trips 2026-W10, Synthetica"))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert [sum(name in line for line in lines) for name in names] == [4, 4]
    assert "50.0%" in console.file.getvalue()
    assert "…" not in console.file.getvalue()


def test_the_mean_of_runs_is_taken_number_by_number():
    rows = [{"design": "ours", "share": 0.5, "false_pairs": 1}, {"design": "ours", "share": 0.7, "false_pairs": 2}]
    assert mean_figures(rows) == {"design": "ours", "share": pytest.approx(0.6), "false_pairs": 1.5}
