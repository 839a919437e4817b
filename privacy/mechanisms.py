"""The noise: the only module that imports OpenDP, with the features that its maintainers have vetted.

`contrib` only: `honest-but-curious` would let our own code stand in for a proved one. Measurements are built
in the process that draws, because they do not pickle.
"""

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import opendp.prelude as dp

from schemas.errors import PrivacyError

dp.enable_features("contrib")

MICRO: int = 1_000_000
"""Micro-rho in one rho: budgets are whole numbers, so that their sums are exact."""

_CHUNK = 1 << 16
"""Values handed over at once, a second's work: OpenDP takes a Python list, at about 100 bytes a value in and out."""

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
    _check_vector(values)
    sigma = sigma_for(l2_sensitivity=l2_sensitivity, micro_rho=micro_rho)
    return _in_chunks(lambda: _gaussian(sigma), values), sigma


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


def discrete_laplace(
    values: npt.NDArray[np.int64], *, l1_sensitivity: float, epsilon: float
) -> tuple[npt.NDArray[np.int64], float]:
    """Add independent discrete Laplace noise to each of the values.

    No product is released with it: it is what competing designs draw when they are evaluated.

    Privacy: epsilon-differential privacy for neighbours whose vectors differ by at most `l1_sensitivity` in L1 norm
    over **all** values together.

    Args:
        values: Exact sums, int64, one-dimensional, over a public domain of keys.
        l1_sensitivity: L1 distance of neighbouring vectors, in the values' unit, above 0.
        epsilon: Privacy loss, above 0.

    Returns:
        The noisy values, a new array of the same length; and b, the scale of the noise, in their unit: noise of n or
        more, n > 0, has probability q^n / (1 + q) with q = exp(-1 / b).

    Source: Ghosh, Roughgarden, Sundararajan, Universally Utility-maximizing Privacy Mechanisms, 2009 (the geometric
        mechanism); drawn by OpenDP's exact sampler.
    """
    _check_vector(values)
    scale = laplace_scale_for(l1_sensitivity=l1_sensitivity, epsilon=epsilon)
    return _in_chunks(lambda: _laplace(scale), values), scale


def laplace_scale_for(*, l1_sensitivity: float, epsilon: float) -> float:
    """The smallest scale of Laplace noise for which OpenDP proves a loss of at most epsilon.

    Args:
        l1_sensitivity: L1 distance of neighbouring vectors, above 0.
        epsilon: Privacy loss, above 0.
    """
    if not (epsilon > 0 and math.isfinite(epsilon)):
        raise PrivacyError(f"Epsilon is {epsilon}.", expected="a finite number above zero", remedy="try 1.0")
    distance = _outward(l1_sensitivity)
    scale = distance / epsilon
    for _ in range(_MAX_ULPS):
        loss_of: Callable[[float], float] = _laplace(scale).map  # typed here, because OpenDP does not
        if loss_of(distance) <= epsilon:
            return scale
        scale = math.nextafter(scale, math.inf)
    raise PrivacyError(
        f"OpenDP proves no Laplace scale near {scale} for epsilon {epsilon}.",
        expected="its map to agree with sensitivity / scale but for rounding",
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


def _check_vector(values: npt.NDArray[np.int64]) -> None:
    if values.dtype != np.int64 or values.ndim != 1:
        raise PrivacyError(
            f"Noise was asked for {values.ndim}-dimensional values of type {values.dtype}.",
            expected="one dimension of int64",
            remedy="bring the contributions to fixed point first",
        )


def _in_chunks(make: Callable[[], dp.Measurement], values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Draw chunk by chunk, on all processors: OpenDP lets go of the interpreter while it samples.

    Coordinates are independent, so that drawing them in chunks is one draw of the whole vector; the scale is global.
    Each chunk has a measurement of its own, and OpenDP's randomness is the operating system's: nothing is shared.
    """

    def noisy(start: int) -> npt.NDArray[np.int64]:
        return np.asarray(make()(values[start : start + _CHUNK].tolist()), dtype=np.int64)

    with ThreadPoolExecutor(_processors()) as pool:
        chunks = list(pool.map(noisy, range(0, len(values), _CHUNK)))
    return np.concatenate(chunks) if chunks else np.empty(0, dtype=np.int64)


def _processors() -> int:
    """How many processors this process may use; all of the machine's where the system does not tell, as on macOS."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _laplace(scale: float) -> dp.Measurement:
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="f64")
    return dp.m.make_laplace(*space, scale=scale)


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


def _outward(sensitivity: float) -> float:
    """The sensitivity as a double, rounded up where a large whole number has none."""
    if not (sensitivity > 0 and math.isfinite(sensitivity)):
        raise PrivacyError(
            f"The sensitivity is {sensitivity}.",
            expected="a finite number above zero",
            remedy="bound the contributions first",
        )
    nearest = float(sensitivity)
    return nearest if Fraction(nearest) >= Fraction(sensitivity) else math.nextafter(nearest, math.inf)
