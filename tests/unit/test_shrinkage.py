"""Estimates that a cut does not bias: against numerical integration, and against what was planted."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import shrinkage
from privacy.shrinkage import shrunk


def planted(random, n=30_000, *, empty=0.7):
    """True values of which most are nothing and the rest spread over orders of magnitude; noisy values of sd 1."""
    true = np.where(random.random(n) < empty, 0.0, random.lognormal(0.5, 1.5, n))
    return true, true + random.normal(0, 1, n)


@pytest.fixture(scope="module")
def judged():
    random = np.random.default_rng(1)
    true, noisy = planted(random)
    return true, noisy, *shrunk(noisy, np.ones_like(noisy), np.zeros_like(noisy))


@pytest.mark.parametrize("cut", [2.0, 3.0, 5.0])
def test_what_passes_a_cut_is_right_on_average_and_covered_95_times_in_100(judged, cut):
    """At least 2,000 values pass: a standard error of the mean error below 0.03, of the coverage below 0.005."""
    true, noisy, mean, sd = judged
    passed = noisy >= cut

    assert passed.sum() > 2_000
    assert abs(np.mean((mean - true)[passed])) < 0.1
    assert 0.935 <= np.mean(np.abs(mean - true)[passed] <= 1.96 * sd[passed]) <= 0.965


def test_the_noisy_values_themselves_are_too_high_where_they_pass(judged):
    true, noisy, *_ = judged
    near = (noisy >= 2.0) & (noisy < 4.0)

    assert np.mean((noisy - true)[near]) > 0.5


def test_estimates_are_closer_to_the_truth_than_measurements(judged):
    true, noisy, mean, _ = judged

    assert np.mean((mean - true) ** 2) < 0.6 * np.mean((noisy - true) ** 2)


def test_far_above_its_noise_a_value_stays_as_it_is(judged):
    _, noisy, mean, sd = judged
    far = noisy > 20

    assert np.abs(mean - noisy)[far].max() < 0.75
    assert sd[far] == pytest.approx(np.ones(far.sum()), abs=0.35)


def test_a_group_that_is_expected_to_hold_more_is_believed_more():
    random = np.random.default_rng(2)
    rich, poor = random.lognormal(1.5, 0.5, 5_000), np.zeros(5_000)
    noisy = np.concatenate([rich, poor]) + random.normal(0, 1, 10_000)
    noisy[[4_999, 5_000]] = 3.0

    mean, _ = shrunk(noisy, np.ones(10_000), np.repeat([4.0, 0.0], 5_000))

    assert mean[4_999] > 2.5
    assert mean[5_000] < 0.5


@given(seed=st.integers(0, 10**6), n=st.integers(1, 400), scale=st.sampled_from([1e-3, 1.0, 1e6]))
def test_estimates_are_finite_and_not_negative_and_do_not_depend_on_the_order(seed, n, scale):
    random = np.random.default_rng(seed)
    values = random.normal(0, 1, n) * scale * random.choice([1.0, 30.0], n)
    sd, likeness = random.uniform(0.5, 3, n) * scale, random.random(n)
    mean, spread = shrunk(values, sd, likeness)
    order = random.permutation(n)
    again, again_spread = shrunk(values[order], sd[order], likeness[order])

    assert np.isfinite(mean).all()
    assert np.isfinite(spread).all()
    assert mean.min() >= -1e-6 * scale
    assert again == pytest.approx(mean[order], rel=1e-6, abs=1e-6 * scale)
    assert again_spread == pytest.approx(spread[order], rel=1e-5, abs=1e-5 * scale)


def test_without_noise_values_are_what_they_are():
    values = np.array([0.0, 1.0, 1_024.0, 3e9])

    mean, spread = shrunk(values, np.full(4, 1e-3), np.zeros(4))

    assert mean == pytest.approx(values, abs=1e-2)
    assert (spread < 1e-2).all()


@pytest.mark.parametrize("values", [[], [-3.0], [0.0] * 50, [-40.0, 60.0]])
def test_few_values_or_none_are_judged_all_the_same(values):
    mean, spread = shrunk(np.array(values), np.ones(len(values)), np.zeros(len(values)))

    assert len(mean) == len(spread) == len(values)
    assert np.isfinite([*mean, *spread]).all()


@pytest.mark.parametrize("value", [-3.0, 0.0, 0.7, 4.0, 9.0])
@pytest.mark.parametrize("sd", [0.5, 2.0])
def test_moments_are_those_of_numerical_integration(value, sd):
    prior = shrinkage._Prior(np.array([0.0, 0.0, 3.0]), np.array([1.0, 8.0, 12.0]), np.array([0.4, 0.1, 0.3, 0.2]))
    grid = np.linspace(0, 12, 1_200_001)
    density = sum(
        weight * ((grid >= low) & (grid < high)) / (high - low)
        for low, high, weight in zip(prior.low, prior.high, prior.weights[1:], strict=True)
    )
    posterior = density * np.exp(-(((value - grid) / sd) ** 2) / 2) * (grid[1] - grid[0])
    posterior[0] += prior.weights[0] * math.exp(-((value / sd) ** 2) / 2)
    posterior /= posterior.sum()
    expected = np.sum(posterior * grid)

    mean, spread = shrinkage._posterior(np.array([value]), np.array([sd]), prior)

    assert mean[0] == pytest.approx(expected, rel=1e-4, abs=1e-5)
    assert spread[0] == pytest.approx(math.sqrt(np.sum(posterior * (grid - expected) ** 2)), rel=1e-4)


def test_the_table_of_the_normal_distribution_is_right_in_its_tails():
    for z in np.linspace(-6, 6, 997).tolist():
        assert shrinkage._below(np.array([z]))[0] == pytest.approx(math.erfc(-z / math.sqrt(2)) / 2, rel=1e-5)
