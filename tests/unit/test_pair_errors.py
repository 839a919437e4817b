"""Sums of rows of pairs through the real mechanism: their intervals hold the truth, whichever rows are added."""

from functools import cache

import h3
import numpy as np
import pytest

from jobs.publish.drawn_zones import drawn_zones
from jobs.publish.pair_errors import pair_errors
from tests.plans import plan_of
from tests.readers import DISK, bounded_of, drawn, gravity, truths
from tests.unit.test_bundle_example import plan_for

DRAWS = 8
MOVERS = {"relocations": 20_000, "od_trips": 60_000}
HELD = {"relocations": 0.86, "od_trips": 0.93}
"""Least share of intervals that hold the truth: where few rows stand out, each of them holds it less often too."""


@cache
def releases(product):
    """Draws of one country's release, with the truth of each row."""
    plan = plan_for(DISK) if product == "od_trips" else plan_of(product, cells=DISK)
    amounts = gravity(plan, people=MOVERS[product])
    made = [drawn(plan, bounded_of(plan, amounts), seed=seed) for seed in range(DRAWS)]
    zones = drawn_zones(made[:1])
    return [(one, pair_errors(one, zones), truths(one, plan, amounts)) for one in made]


def parents(bundle, column, level):
    return [h3.cell_to_parent(zone, level) if zone else None for zone in bundle.rows[column]]


def out_of_each(bundle, level, *, least=None):
    """Weights of what leaves each zone of a level: rows of that level and finer, or of one level alone."""
    fine = (bundle.rows["res_from"] >= (least or level)).to_numpy()
    zones = [
        h3.cell_to_parent(zone, level) if zone and is_fine else None
        for zone, is_fine in zip(bundle.rows["origin"], fine, strict=True)
    ]
    return [np.array([one == zone for one in zones], float) for zone in sorted({zone for zone in zones if zone})]


def pairs_of_roots(bundle):
    both = list(zip(parents(bundle, "origin", 4), parents(bundle, "destination", 4), strict=True))
    return [np.array([one == pair for one in both], float) for pair in sorted({p for p in both if p[0]})]


def balances(bundle):
    """Weights of what goes into each coarsest zone, less what leaves it."""
    begins, ends = parents(bundle, "origin", 4), parents(bundle, "destination", 4)
    return [
        np.array([(end == zone) - (begin == zone) for begin, end in zip(begins, ends, strict=True)], float)
        for zone in sorted({zone for zone in begins if zone})
    ]


def some_rows(bundle):
    random = np.random.default_rng(len(bundle.rows))
    rows = (bundle.rows["status"] != "remainder").to_numpy()
    return [((random.random(len(rows)) < share) & rows).astype(float) for share in (0.1, 0.5) for _ in range(15)]


GROUPS = {
    "out of a zone, all levels": lambda b: out_of_each(b, 4),
    "out of a middle zone, rows of its level and finer": lambda b: out_of_each(b, 5),
    "out of a fine zone": lambda b: out_of_each(b, 6),
    "out of a zone, finest rows alone": lambda b: out_of_each(b, 4, least=6),
    "a pair of coarsest zones": pairs_of_roots,
    "in less out": balances,
    "any rows": some_rows,
}


@pytest.mark.parametrize("product", MOVERS)
@pytest.mark.parametrize("group", GROUPS)
def test_intervals_of_sums_of_rows_hold_the_truth(product, group):
    inside = []
    for bundle, errors, truth in releases(product):
        off = bundle.rows["value"].to_numpy() - truth
        inside += [abs(w @ off) <= 1.96 * errors.sd_of(w) for w in GROUPS[group](bundle) if w.any()]
    assert len(inside) >= 20
    assert np.mean(inside) >= HELD[product]


@pytest.mark.parametrize("product", MOVERS)
def test_rows_of_one_level_alone_share_an_error_that_the_interval_knows_of(product):
    """The judge's priors err for a whole level; independent rows would promise ten times too much."""
    inside, naive = [], []
    for bundle, errors, truth in releases(product):
        off = bundle.rows["value"].to_numpy() - truth
        for level in (4, 5):
            weights = (bundle.rows["res_from"] == level).to_numpy(float)
            inside.append(abs(weights @ off) <= 2.6 * errors.sd_of(weights))
            naive.append(abs(weights @ off) <= 2.6 * np.sqrt(np.sum((weights * errors.sd) ** 2)))
    assert np.mean(inside) >= 0.9
    assert np.mean(naive) <= np.mean(inside)


@pytest.mark.parametrize("product", MOVERS)
def test_all_rows_with_the_remainder_have_the_error_of_the_coarsest_measurements(product):
    for bundle, errors, truth in releases(product):
        everything = np.ones(len(truth))
        roots = {note.resolution: note.sigma for note in bundle.card.privacy.levels}[4]
        possible = len({h3.cell_to_parent(cell, 4) for cell in DISK}) ** 2
        assert errors.sd_of(everything) == pytest.approx(np.sqrt(possible) * roots, rel=0.05)
        assert abs(everything @ (bundle.rows["value"].to_numpy() - truth)) <= 4 * errors.sd_of(everything)


def test_a_row_alone_has_the_error_that_it_states():
    bundle, errors, _ = releases("relocations")[0]
    for n, sd in enumerate(bundle.rows["noise_sd"]):
        assert errors.sd_of(np.eye(1, len(bundle.rows), n)[0]) == pytest.approx(sd)


@pytest.mark.parametrize("product", MOVERS)
def test_the_covariances_of_several_sums_agree_with_the_error_of_each_and_of_their_difference(product):
    bundle, errors, _ = releases(product)[0]
    lines = np.array([line for line in out_of_each(bundle, 4) if np.count_nonzero(line) > 1])
    covariance = errors.covariance(lines)

    assert np.sqrt(np.diag(covariance)) == pytest.approx([errors.sd_of(line) for line in lines])
    assert np.linalg.eigvalsh(covariance).min() >= -1e-6 * np.diag(covariance).max()
    assert np.allclose(covariance, covariance.T)


def test_a_residual_added_to_its_descendants_loses_their_noise():
    """Its row is a measurement less the rows beneath: alone it has their noise, and with them it has not."""
    bundle, errors, _ = releases("od_trips")[0]
    residuals = np.flatnonzero((bundle.rows["status"] == "residual").to_numpy())
    most = max(residuals, key=lambda n: int((errors.above == n).sum()))
    family = np.zeros(len(errors.sd))
    family[errors.above == most] = 1.0
    beneath = float(np.sum(errors._own(family[None])[0] ** 2))
    family[most] = 1.0
    together = float(np.sum(errors._own(family[None])[0] ** 2))
    assert int((errors.above == most).sum()) > 3
    assert together < beneath
