"""The noise: the only module that imports OpenDP, with the features that its maintainers have vetted.

`contrib` only: `honest-but-curious` would let our own code stand in for a proved one. Measurements are built
in the process that draws, because they do not pickle.
"""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import opendp.prelude as dp

from schemas.errors import PrivacyError

dp.enable_features("contrib")

MICRO: int = 1_000_000
"""Micro-rho in one rho: budgets are whole numbers, so that their sums are exact."""

_CHUNK = 1 << 18
"""Values handed over at once: OpenDP takes a Python list, at about 100 bytes a value in and out."""

_MAX_ULPS = 64
"""Steps between the closed form and OpenDP's outward-rounded map; one or two are usual, more is a defect."""


def discrete_gaussian(
    values: npt.NDArray[np.int64], *, l2_sensitivity: float, micro_rho: int
) -> tuple[npt.NDArray[np.int64], float]:
    """Add independent discrete Gaussian noise to each of the values.

    Prefer it to continuous noise wherever sums are whole numbers: nothing is rounded, so no floating-point
    attack (Mironov 2012) applies, and the proof covers the code that runs.

    Privacy: rho-zCDP with rho = micro_rho / 10^6 for neighbours whose vectors differ by at most
    `l2_sensitivity` in L2 norm over **all** values together. Sums saturate at the ends of int64, as in
    OpenDP: to refuse there would tell about the data.

    Args:
        values: Exact sums, int64, one-dimensional, over a public domain of keys.
        l2_sensitivity: L2 distance of neighbouring vectors, in the values' unit, above 0.
        micro_rho: Privacy loss in millionths of rho, above 0.

    Returns:
        The noisy values, a new array of the same length; and sigma, the scale of the noise, in their unit.

    Source: Canonne, Kamath, Steinke, The Discrete Gaussian for Differential Privacy, 2020 (arXiv 2004.00010);
        drawn by OpenDP's exact sampler.
    """
    if values.dtype != np.int64 or values.ndim != 1:
        raise PrivacyError(
            f"Noise was asked for {values.ndim}-dimensional values of type {values.dtype}.",
            expected="one dimension of int64",
            remedy="bring the contributions to fixed point first",
        )
    sigma = sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)
    measurement = _gaussian(sigma)
    # Coordinates are independent, so drawing them in chunks is one draw of the whole vector; sigma is global.
    chunks = [measurement(values[i : i + _CHUNK].tolist()) for i in range(0, len(values), _CHUNK)]
    noisy = [np.asarray(chunk, dtype=np.int64) for chunk in chunks]
    return np.concatenate(noisy) if noisy else np.empty(0, dtype=np.int64), sigma


def sigma_for(*, l2_sensitivity: float, micro_rho: int) -> float:
    """The smallest scale of noise for which OpenDP proves a loss of at most micro_rho.

    Rho = sensitivity^2 / (2 sigma^2) gives the scale; OpenDP's map, which rounds outward, has the last word.

    Args:
        l2_sensitivity: L2 distance of neighbouring vectors, above 0.
        micro_rho: Privacy loss in millionths of rho, above 0.
    """
    distance, rho = _outward(l2_sensitivity), _rho(micro_rho)
    sigma = distance / math.sqrt(2 * rho)
    for _ in range(_MAX_ULPS):
        if (smaller := math.nextafter(sigma, 0.0)) and _fits(smaller, distance, rho):
            sigma = smaller
        elif _fits(sigma, distance, rho):
            return sigma
        else:
            sigma = math.nextafter(sigma, math.inf)
    raise PrivacyError(
        f"OpenDP proves no scale near {sigma} for {micro_rho} micro-rho.",
        expected="its map to agree with sensitivity^2 / (2 sigma^2) but for rounding",
        remedy="check the installed version of opendp against requirements.lock",
    )


def epsilon(micro_rho: int, delta: float) -> float:
    """The epsilon for which a loss of micro_rho implies (epsilon, delta)-differential privacy.

    Args:
        micro_rho: Privacy loss in millionths of rho, above 0.
        delta: Between 0 and 1, both excluded.

    Source: OpenDP's conversion, after Canonne, Kamath and Steinke 2020; tighter than the
        rho + 2 sqrt(rho ln(1 / delta)) of Bun and Steinke 2016.
    """
    if not 0 < delta < 1:
        raise PrivacyError(f"Delta is {delta}.", expected="a number between 0 and 1", remedy="try 1e-6")
    rho = _rho(micro_rho)
    measurement = _gaussian(1.0)
    distance = math.sqrt(2 * rho)
    while _loss(measurement, distance) < rho:  # never claim less than what was charged
        distance = math.nextafter(distance, math.inf)
    profile_of: Callable[[float], dp.PrivacyProfile] = dp.c.make_zCDP_to_approxDP(measurement).map
    epsilon_at: Callable[[float], float] = profile_of(distance).epsilon
    return epsilon_at(delta)


def _gaussian(sigma: float) -> dp.Measurement:
    # i64, because OpenDP's T=int means 32 bits and would saturate at two thousand million
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    return dp.m.make_gaussian(*space, scale=sigma)


def _fits(sigma: float, distance: float, rho: Fraction) -> bool:
    return _loss(_gaussian(sigma), distance) <= rho


def _loss(measurement: dp.Measurement, distance: float) -> Fraction:
    loss_of: Callable[[float], float] = measurement.map  # typed here, because OpenDP does not
    return Fraction(loss_of(distance))


def _rho(micro_rho: int) -> Fraction:
    if micro_rho <= 0 or micro_rho != int(micro_rho):
        raise PrivacyError(
            f"The privacy loss is {micro_rho} micro-rho.",
            expected="a whole number above zero",
            remedy="see the product's micro_rho in the policy",
        )
    return Fraction(int(micro_rho), MICRO)


def _outward(l2_sensitivity: float) -> float:
    """The sensitivity as a double, rounded up where a large whole number has none."""
    if not (l2_sensitivity > 0 and math.isfinite(l2_sensitivity)):
        raise PrivacyError(
            f"The L2 sensitivity is {l2_sensitivity}.",
            expected="a finite number above zero",
            remedy="bound the contributions first",
        )
    nearest = float(l2_sensitivity)
    return nearest if Fraction(nearest) >= Fraction(l2_sensitivity) else math.nextafter(nearest, math.inf)
