"""The noise is the discrete Gaussian that the cards claim; faults planted in it are found.

The distance between the empirical and the exact distribution function is held against the bound of Dvoretzky,
Kiefer and Wolfowitz with Massart's constant: P(sup |F_n - F| > t) <= 2 exp(-2 n t^2) for every n and every
distribution, so a false alarm has at most the stated probability, with no asymptotics.
"""

import math
from fractions import Fraction

import numpy as np
import pytest

from privacy.mechanisms import discrete_gaussian, discrete_laplace, epsilon, sigma_for
from schemas.errors import PrivacyError

FALSE_ALARM = 1e-7
"""Of one comparison; the suite makes some twenty, so that of a run is about 2e-6."""

DRAWS = 100_000
LIMIT = math.sqrt(math.log(2 / FALSE_ALARM) / (2 * DRAWS))
"""Largest distance that chance explains, 0.0092: what a scale wrong by 4 % makes."""

RHO_OF_SCALE = {0.7: 1_020_408, 7.0: 10_204, 7_000.0: 10_204}
"""Micro-rho that gives each scale at a sensitivity of 1 (the last at 1,000)."""


def exact_cdf(sigma):
    """Distribution function of the discrete Gaussian on the integers within 12 sigma."""
    reach = math.ceil(12 * sigma)
    support = np.arange(-reach, reach + 1)
    weight = np.exp(-((support / sigma) ** 2) / 2)
    return support, np.cumsum(weight) / weight.sum()


def distance(noise, sigma):
    """Largest difference between the noise's distribution function and that of the discrete Gaussian."""
    support, cdf = exact_cdf(sigma)
    empirical = np.searchsorted(np.sort(noise), support, side="right") / len(noise)
    return np.abs(empirical - cdf).max()


def draw(scale, n=DRAWS):
    values = np.full(n, 10**12, dtype=np.int64)
    noisy, sigma = discrete_gaussian(
        values, l2_sensitivity=1_000 if scale > 1_000 else 1, micro_rho=RHO_OF_SCALE[scale]
    )
    return noisy - values, sigma


@pytest.fixture(scope="module")
def noise():
    return {scale: draw(scale) for scale in RHO_OF_SCALE}


@pytest.mark.parametrize("scale", RHO_OF_SCALE)
def test_the_noise_is_the_discrete_gaussian_of_its_scale(noise, scale):
    drawn, sigma = noise[scale]

    assert sigma == pytest.approx(scale, rel=1e-4)
    assert distance(drawn, sigma) < LIMIT


@pytest.mark.parametrize("scale", RHO_OF_SCALE)
def test_half_the_noise_is_found(noise, scale):
    drawn, sigma = noise[scale]

    assert distance(np.rint(drawn / 2), sigma) > LIMIT


def test_a_scale_too_small_by_a_tenth_is_found(noise):
    drawn, sigma = noise[7_000.0]

    assert distance(np.rint(drawn * 0.9), sigma) > LIMIT


def test_a_rounded_continuous_gaussian_is_found():
    rounded = np.rint(np.random.default_rng(1).normal(0, 0.7, DRAWS))

    assert distance(rounded, 0.7) > LIMIT


def test_neighbouring_draws_are_independent(noise):
    for drawn, _ in noise.values():
        correlation = np.corrcoef(drawn[:-1], drawn[1:])[0, 1]
        assert abs(correlation) < 6 / math.sqrt(DRAWS)  # 6 standard errors: 2e-9


def test_no_draw_repeats_another():
    first, second = (draw(7_000.0, n=1_000)[0] for _ in range(2))

    assert (first != second).mean() > 0.99


@pytest.mark.parametrize("sensitivity", [1, 7_168, 0.001, math.sqrt(0.75) * 7_168, 2**53 + 1, 10**15 + 0.5])
@pytest.mark.parametrize("micro_rho", [1, 1_150, 18_400, 250_000, 10**9])
def test_the_scale_is_the_smallest_that_the_loss_allows(sensitivity, micro_rho):
    sigma = sigma_for(l2_sensitivity=sensitivity, micro_rho=micro_rho)
    smaller = Fraction(sigma) * (1 - Fraction(1, 2**48))

    assert loss(sensitivity, Fraction(sigma)) <= Fraction(micro_rho, 10**6)
    assert loss(sensitivity, smaller) > Fraction(micro_rho, 10**6)


@pytest.mark.parametrize(
    ("micro_rho", "delta", "expected"),
    [(250_000, 1e-6, 3.54), (250_000, 1e-9, 4.44), (500_000, 1e-6, 5.22), (500_000, 1e-9, 6.47)],
)
def test_epsilon_is_the_designs(micro_rho, delta, expected):
    assert epsilon(micro_rho, delta) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("micro_rho", [1, 23_000, 250_000, 500_000])
@pytest.mark.parametrize("delta", [1e-12, 1e-6, 0.01])
def test_epsilon_lies_between_the_gaussians_own_and_the_textbook_bound(micro_rho, delta):
    rho = micro_rho / 1e6
    textbook = rho + 2 * math.sqrt(rho * math.log(1 / delta))

    assert gaussian_delta(rho, epsilon(micro_rho, delta)) <= delta
    assert epsilon(micro_rho, delta) <= textbook


@pytest.mark.audit
@pytest.mark.parametrize("scale", [0.7, 7.0, 700.0])
def test_laplace_noise_is_the_discrete_laplace_of_its_scale(scale):
    """No product is released with it: it is what other designs draw when they are compared with ours."""
    values = np.full(DRAWS, 10**12, dtype=np.int64)
    noisy, b = discrete_laplace(values, l1_sensitivity=1, epsilon=1 / scale)
    noise = noisy - values

    assert b == pytest.approx(scale, rel=1e-9)
    assert laplace_distance(noise, b) < LIMIT
    assert laplace_distance(np.rint(noise * 0.6), b) > LIMIT
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 6 / math.sqrt(DRAWS)


def laplace_distance(noise, scale):
    """Largest difference to the distribution function with P(noise >= n) = q^n / (1 + q) for n > 0."""
    q, support = math.exp(-1 / scale), np.arange(-math.ceil(40 * scale), math.ceil(40 * scale) + 1)
    cdf = np.where(support >= 0, 1 - q ** (np.abs(support) + 1.0) / (1 + q), q ** np.abs(support) / (1 + q))
    return np.abs(np.searchsorted(np.sort(noise), support, side="right") / len(noise) - cdf).max()


def test_vectors_longer_than_a_chunk_keep_their_order(monkeypatch):
    monkeypatch.setattr("privacy.mechanisms._CHUNK", 7)
    values = np.arange(0, 100_000, 1_000, dtype=np.int64)

    noisy, sigma = discrete_gaussian(values, l2_sensitivity=1, micro_rho=500_000)

    assert sigma == pytest.approx(1)
    assert np.abs(noisy - values).max() < 20
    assert noisy.dtype == np.int64


def test_chunks_drawn_side_by_side_share_no_noise(monkeypatch):
    """At a scale of 2e15, two of 40,000 independent draws are equal with probability below 1e-6."""
    monkeypatch.setattr("privacy.mechanisms._CHUNK", 1_000)

    noise, sigma = discrete_gaussian(np.zeros(40_000, np.int64), l2_sensitivity=2**51, micro_rho=500_000)
    chunks = noise.reshape(40, 1_000) / sigma

    assert len(np.unique(noise)) == len(noise)
    assert np.abs(np.corrcoef(chunks) - np.eye(40)).max() < 6 / math.sqrt(1_000)  # 780 pairs: 2e-6


def test_an_empty_vector_stays_empty():
    noisy, _ = discrete_gaussian(np.empty(0, dtype=np.int64), l2_sensitivity=1, micro_rho=1)

    assert (noisy.dtype, noisy.shape) == (np.int64, (0,))


def test_sums_beyond_32_bits_keep_their_value():
    noisy, _ = discrete_gaussian(np.array([2**40, -(2**40)]), l2_sensitivity=1, micro_rho=500_000)

    assert np.abs(noisy - [2**40, -(2**40)]).max() < 20


@pytest.mark.parametrize("values", [np.array([1.0]), np.array([1], dtype=np.int32), np.array([[1]])])
def test_only_vectors_of_int64_are_given_noise(values):
    with pytest.raises(PrivacyError, match="int64"):
        discrete_gaussian(values, l2_sensitivity=1, micro_rho=1)


@pytest.mark.parametrize(
    ("sensitivity", "micro_rho"), [(0, 1), (-1, 1), (math.nan, 1), (math.inf, 1), (1, 0), (1, -1), (1, 0.5)]
)
def test_a_bound_or_a_loss_that_is_no_number_above_zero_is_refused(sensitivity, micro_rho):
    with pytest.raises(PrivacyError):
        sigma_for(l2_sensitivity=sensitivity, micro_rho=micro_rho)


@pytest.mark.parametrize("delta", [0, 1, -1e-6, math.nan])
def test_a_delta_outside_zero_and_one_is_refused(delta):
    with pytest.raises(PrivacyError):
        epsilon(250_000, delta)


def loss(sensitivity, sigma):
    """Rho of the discrete Gaussian, in exact fractions."""
    return Fraction(sensitivity) ** 2 / (2 * sigma**2)


def gaussian_delta(rho, eps):
    """Delta of the continuous Gaussian at eps (Balle and Wang 2018), below which no conversion can go."""
    mu = math.sqrt(2 * rho)
    return normal_cdf(mu / 2 - eps / mu) - math.exp(eps) * normal_cdf(-mu / 2 - eps / mu)


def normal_cdf(x):
    return math.erfc(-x / math.sqrt(2)) / 2
