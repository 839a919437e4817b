"""The estimate of a top-down release against a naive walk, and its intervals against simulation."""

import h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.bounding import Bounded, LevelBound
from privacy.hierarchy import PairTree, ZoneTree
from privacy.shrinkage import shrunk
from privacy.topdown import as_measured, estimate, measure
from tests.oracle.topdown import Row, published

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
        Row(level, int(pair), int(value), sd, bool(is_residual))
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


def leaning(values, sd, likeness):
    """A judge that uses all it is given: every number that reaches it shows in a row."""
    return 0.7 * values + 0.3 * np.minimum(likeness, 1e4), sd * (0.8 + 0.1 * (likeness > values))


@given(seed=st.integers(0, 10**6), cells=st.integers(2, 10), cut=st.sampled_from([0.5, 1.0, 2.0, 4.0]))
@pytest.mark.parametrize("judge", [as_measured, leaning])
def test_rows_and_remainder_are_those_of_a_naive_walk_over_the_tree(judge, seed, cells, cut):
    random = np.random.default_rng(seed)
    tree = domain(random, cells=cells)
    noise = noise_of(random, random.uniform(20, 300, 3))
    measured = measure(flows(random, tree, scale=400), tree, noise, expand_sigma=random.uniform(-2, 2))
    expected = published(measured, tree, publish_sigma=cut, judge=judge)

    found = rows_of(estimate(measured, tree, publish_sigma=cut, judge=judge))

    assert [(row.level, row.pair, row.is_residual) for row in found] == [
        (row.level, row.pair, row.is_residual) for row in expected
    ]
    # the two add in another order, so that a value may round to the next unit
    assert [row.value for row in found] == pytest.approx([row.value for row in expected], abs=len(expected))
    assert [row.sd for row in found] == pytest.approx([row.sd for row in expected], rel=1e-9)


def test_the_random_trees_have_rows_of_every_kind():
    """The property above would be empty over trees that publish nothing, or everything at one level."""
    random = np.random.default_rng(3)
    tree = domain(random, cells=40)
    measured = measure(flows(random, tree, scale=400), tree, noise_of(random, [300.0, 250.0, 200.0]), expand_sigma=2)
    for judge in (as_measured, shrunk):
        numbers = estimate(measured, tree, publish_sigma=2, judge=judge)

        assert all(len(level.pairs) for level in numbers.levels)
        assert numbers.levels[1].is_residual.any()
        assert not numbers.levels[1].is_residual.all()
    assert len(measured[1].pairs) < tree.size(1) ** 2


@pytest.mark.parametrize("judge", [as_measured, shrunk])
@pytest.mark.parametrize("cut", [1, 2, 1e12])
def test_rows_and_remainder_add_up_to_the_measured_national_total_to_the_unit(judge, cut):
    random = np.random.default_rng(4)
    tree = domain(random, cells=40)
    measured = measure(flows(random, tree, scale=300), tree, noise_of(random, [90.0, 70.0, 60.0]), expand_sigma=2)

    numbers = estimate(measured, tree, publish_sigma=cut, judge=judge)

    assert sum(int(level.values.sum()) for level in numbers.levels) + numbers.remainder == measured[0].values.sum()


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


def test_the_national_total_is_unbiased_though_noise_decides_what_is_measured():
    """It is a sum of measurements that are always made: 300 totals, and four standard errors of their mean."""
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


@pytest.fixture(scope="module")
def releases():
    """Rows of every level, and remainders, of thirty releases of one country: (value - true) / sd, and their size."""
    random = np.random.default_rng(8)
    tree = domain(random, cells=60)
    exact = spread_out(random, tree)
    found = [error for _ in range(30) for error in errors_of(tree, exact, random)]
    return {level: np.array([e for at, e, _ in found if at == level]) for level in (-1, 0, 1, 2)}, np.array(
        [(error, size) for level, error, size in found if level == 2]
    )


def spread_out(random, tree):
    """Flows over three orders of magnitude, as countries have them; zones pull and send in proportion."""
    n = tree.size(2)
    pull = random.lognormal(0, 1, n)
    flow = np.outer(pull, pull) * random.lognormal(0, 1, (n, n))
    flow[np.arange(n), np.arange(n)] = 0
    totals = np.rint(200 * flow).astype(np.int64).ravel()
    return Bounded(np.flatnonzero(totals), totals[totals > 0], BOUNDS)


def errors_of(tree, exact, random):
    measured = measure(exact, tree, noise_of(random, [600.0, 350.0, 150.0]), expand_sigma=3)
    numbers = estimate(measured, tree, publish_sigma=2)
    left = np.zeros(tree.size(2) ** 2, dtype=np.int64)
    left[exact.keys] = exact.totals
    above = [np.arange(len(left))]
    for finer in (2, 1):
        above.insert(0, tree.parents(finer, above[0]))
    for level in (2, 1, 0):
        rows = numbers.levels[level]
        true = np.bincount(above[level], weights=left, minlength=tree.size(level) ** 2)[rows.pairs]
        left[np.isin(above[level], rows.pairs)] = 0
        yield from zip([level] * len(rows.sd), (rows.values - true) / rows.sd, rows.values / rows.sd, strict=True)
    yield -1, (numbers.remainder - left.sum()) / numbers.remainder_sd, 0.0


def covered(errors):
    return np.mean(np.abs(errors) <= 1.959964)


def test_intervals_of_published_rows_cover_95_times_in_100(releases):
    """Of about 20,000 rows, half a point is three standard errors; the rest is what fitted priors leave."""
    errors, _ = releases

    assert 0.94 <= covered(np.concatenate([errors[level] for level in (0, 1, 2)])) <= 0.96


def test_rows_near_the_cut_cover_like_those_far_above_it(releases):
    _, fine = releases
    error, size = fine.T

    for low, high in ((2, 2.5), (2.5, 4), (4, 8), (8, np.inf)):
        chosen = (size >= low) & (size < high)
        assert chosen.sum() > 500
        assert 0.92 <= covered(error[chosen]) <= 0.98
        assert abs(error[chosen].mean()) < 0.15


def test_the_remainder_is_covered(releases):
    """Its sd is stated from above, so that its intervals cover more often than promised."""
    errors, _ = releases

    assert covered(errors[-1]) >= 0.95


def test_as_measured_rows_near_the_cut_are_too_high():
    """What `shrunk` is for; as measured, the remainder is too low by as much."""
    random = np.random.default_rng(10)
    tree = domain(random, cells=60)
    exact = spread_out(random, tree)
    measured = measure(exact, tree, noise_of(random, [600.0, 350.0, 150.0]), expand_sigma=3)
    truth = dict(zip(exact.keys.tolist(), exact.totals.tolist(), strict=True))
    excess = {}
    for judge in (as_measured, shrunk):
        rows = estimate(measured, tree, publish_sigma=2, judge=judge).levels[2]
        excess[judge] = np.mean((rows.values - [truth.get(pair, 0) for pair in rows.pairs.tolist()]) / 150)

    assert excess[as_measured] > 0.2
    assert abs(excess[shrunk]) < 0.1
