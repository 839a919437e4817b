"""The estimate of a top-down release against dense linear algebra, and its intervals against simulation."""

import h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.bounding import Bounded, LevelBound
from privacy.hierarchy import PairTree, ZoneTree
from privacy.topdown import estimate, measure
from tests.oracle.least_squares import Row, published

AROUND = h3.latlng_to_cell(-14.06, 66.13, 6)
BOUNDS = (LevelBound("key_4", 1),)
"""Any: `measure` asks no more of it than that it is there."""


def domain(random, *, cells, resolutions=(4, 5, 6), reach=9):
    """Pairs over some of the cells of a disk, so that families have all sizes from one upwards."""
    disk = sorted(h3.grid_disk(AROUND, reach))
    chosen = sorted(random.choice(disk, size=cells, replace=False).tolist())
    return PairTree(ZoneTree(tuple(chosen), resolutions))


def flows(random, tree, *, scale, busy=0.2):
    """Totals of the pairs of the finest level that can hold a trip; most are small, some are large."""
    level = len(tree.zones.levels) - 1
    n = tree.size(level)
    members = np.array(tree.zones.levels[level].members)
    every = np.arange(n * n)
    pairs = every[(every // n != every % n) | (members[every // n] > 1)]
    some = pairs[random.random(len(pairs)) < busy]
    return Bounded(some, np.ceil(random.exponential(scale, len(some))).astype(np.int64), BOUNDS)


def noise_of(random, sigmas):
    """Seeded noise: whole numbers, as the mechanism gives."""

    def draw(level, totals):
        return totals + np.rint(random.normal(0, sigmas[level], len(totals))).astype(np.int64), sigmas[level]

    return draw


def rows_of(numbers):
    found = [
        Row(level, int(pair), value, sd, bool(is_residual))
        for level in reversed(range(len(numbers.levels)))
        for pair, value, sd, is_residual in zip(
            numbers.levels[level].pairs,
            numbers.levels[level].values,
            numbers.levels[level].sd,
            numbers.levels[level].is_residual,
            strict=True,
        )
    ]
    return [*found, Row(-1, 0, numbers.remainder, numbers.remainder_sd, True)]


@given(seed=st.integers(0, 10**6), cells=st.integers(2, 12), cut=st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_every_row_and_the_remainder_are_those_of_dense_least_squares(seed, cells, cut):
    random = np.random.default_rng(seed)
    tree = domain(random, cells=cells)
    sigmas = random.uniform(20, 300, 3)
    noise = noise_of(random, sigmas)
    measured = measure(flows(random, tree, scale=400), tree, noise, expand_sigma=random.uniform(-2, 2))
    expected, total = published(measured, tree, publish_sigma=cut)

    found = rows_of(estimate(measured, tree, publish_sigma=cut))

    assert [(row.level, row.pair, row.is_residual) for row in found] == [
        (row.level, row.pair, row.is_residual) for row in expected
    ]
    size = max(1.0, *(abs(row.value) for row in expected))
    assert [row.value for row in found] == pytest.approx([row.value for row in expected], rel=1e-8, abs=1e-8 * size)
    assert [row.sd for row in found] == pytest.approx([row.sd for row in expected], rel=1e-6, abs=1e-6)
    assert sum(row.value for row in found) == pytest.approx(total, rel=1e-9, abs=1e-8 * size)


def test_the_random_trees_have_rows_of_every_kind():
    """The property above would be empty over trees that publish nothing, or everything at one level."""
    random = np.random.default_rng(3)
    tree = domain(random, cells=40)
    measured = measure(flows(random, tree, scale=400), tree, noise_of(random, [300.0, 250.0, 200.0]), expand_sigma=2)
    numbers = estimate(measured, tree, publish_sigma=2)

    assert all(len(level.pairs) for level in numbers.levels)
    assert numbers.levels[1].is_residual.any()
    assert not numbers.levels[1].is_residual.all()
    assert len(measured[1].pairs) < tree.size(1) ** 2


def test_rows_and_remainder_add_up_to_the_estimated_national_total():
    random = np.random.default_rng(4)
    tree = domain(random, cells=40)
    measured = measure(flows(random, tree, scale=300), tree, noise_of(random, [90.0, 70.0, 60.0]), expand_sigma=2)
    national = published(measured, tree, publish_sigma=4)[1]

    for cut in (1, 4, 1e12):
        numbers = estimate(measured, tree, publish_sigma=cut)
        added = sum(level.values.sum() for level in numbers.levels) + numbers.remainder
        assert added == pytest.approx(national, rel=1e-9)


def test_without_noise_the_rows_are_the_exact_totals_and_nothing_remains():
    random = np.random.default_rng(5)
    tree = domain(random, cells=30)
    exact = flows(random, tree, scale=50)

    def silent(_level, totals):
        return totals, 1e-3

    numbers = estimate(measure(exact, tree, silent, expand_sigma=2), tree, publish_sigma=4)
    finest = numbers.levels[-1]

    assert finest.pairs.tolist() == exact.keys.tolist()
    assert finest.values == pytest.approx(exact.totals, abs=1e-3)
    assert [len(level.pairs) for level in numbers.levels[:-1]] == [0, 0]
    assert numbers.remainder == pytest.approx(0, abs=0.1)


def test_a_pair_is_looked_into_where_its_noisy_value_reaches_the_cut_and_nowhere_else():
    tree = domain(np.random.default_rng(6), cells=12)
    roots = tree.roots()
    noisy = np.where(np.arange(len(roots)) % 2, 200, 199)

    def draw(level, totals):
        return (noisy, 100.0) if level == 0 else (np.zeros(len(totals), np.int64), 100.0)

    measured = measure(Bounded(np.array([], np.int64), np.array([], np.int64), BOUNDS), tree, draw, expand_sigma=2)

    assert measured[1].pairs.tolist() == tree.children(1, roots[1::2]).tolist()
    assert measured[2].pairs.tolist() == []


def test_an_empty_country_is_measured_as_zeros():
    tree = domain(np.random.default_rng(7), cells=8)
    seen = []

    def draw(_level, totals):
        seen.append(totals)
        return totals, 1.0

    measure(Bounded(np.array([], np.int64), np.array([], np.int64), BOUNDS), tree, draw, expand_sigma=2)

    assert not np.concatenate(seen).any()


def test_intervals_cover_what_is_measured_95_times_in_100():
    """Over all measured pairs of the finest level; where rows are chosen by a cut, coverage is another matter."""
    random = np.random.default_rng(8)
    tree = domain(random, cells=60)
    exact = flows(random, tree, scale=120)
    truth = dict(zip(exact.keys.tolist(), exact.totals.tolist(), strict=True))
    covered = []
    for _ in range(100):
        measured = measure(exact, tree, noise_of(random, [150.0, 80.0, 40.0]), expand_sigma=2)
        finest = estimate(measured, tree, publish_sigma=-1e12).levels[-1]
        true = np.array([truth.get(pair, 0) for pair in finest.pairs.tolist()])
        covered.append(np.abs(finest.values - true) <= 1.959964 * finest.sd)

    assert 0.94 <= np.concatenate(covered).mean() <= 0.96


def test_the_national_total_is_unbiased_though_noise_decides_what_is_measured():
    random = np.random.default_rng(9)
    tree = domain(random, cells=20)
    exact = flows(random, tree, scale=120)
    errors = []
    for _ in range(300):
        measured = measure(exact, tree, noise_of(random, [150.0, 80.0, 40.0]), expand_sigma=2)
        numbers = estimate(measured, tree, publish_sigma=1e12)
        errors.append((numbers.remainder - exact.totals.sum()) / numbers.remainder_sd)

    assert abs(np.mean(errors)) <= 4 / np.sqrt(300)
    assert np.std(errors) == pytest.approx(1, abs=0.16)
