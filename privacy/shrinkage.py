"""What a noisy value says once all the values like it are looked at: estimates that a cut does not bias.

Values that pass a cut are too high on average, because their noise helped them over it. How much too high follows from
how large such values are in truth, and that can be told from all of them together, those below the cut included.

Source: Robbins 1956 (empirical Bayes); Stephens 2017, False discovery rates: a new deal (mixtures of uniforms,
    fitted by expectation maximisation); Efron 2011, Tweedie's formula and selection bias. Ours: priors of their own
    for groups of like expectation, parts that do not begin at zero, and few steps.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_GROUP: Final = 500
"""Values a prior is fitted to, at least, where there are as many: few tell little about how large values are."""

_UPPER: Final = 0.7
"""Part of the values above each border between groups of like expectation."""

_SAMPLE: Final = 4_000
"""Order statistics of a group that its prior is fitted to: as good as all of them, and as fast for any country."""

_STEPS: Final = 30
"""Of expectation maximisation from equal weights. More follow the noise: in a small country (37 to 564 zones) 200
steps covered 89 to 93 % of residuals instead of 92 to 95 (docs/adr/0010)."""

_RATIO: Final = math.sqrt(2)
"""Between successive parts of a prior (Stephens 2017)."""

_FINEST: Final = 0.25
"""Width of the narrowest part, in the smallest sd: noise hides anything finer."""

_SPAN: Final = 4.0
"""Upper over lower end of a part that does not begin at zero: two octaves, so that single values do not show."""

_REACH: Final = 40.0
"""Standard deviations at which the table of the normal distribution ends: nothing is left of its tail there."""

_TINY: Final = float(np.finfo(np.float64).tiny)
"""Stands for a probability too small for a double, so that nothing is divided by zero."""


@dataclass(frozen=True)
class _Prior:
    """A density of true values: nothing at all, and uniform parts.

    Args:
        low: Lower ends of the parts.
        high: Upper ends.
        weights: First that of nothing, then those of the parts; they add up to one.
    """

    low: Floats
    high: Floats
    weights: Floats


def shrunk(values: Floats, sd: Floats, likeness: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of the true value behind each noisy one.

    Unlike the noisy values, the means of those that pass any cut are right on average, over all that pass: a posterior
    does not depend on why a value is looked at. Far above its noise, a value stays as it is.

    Args:
        values: Noisy values of quantities that are not negative; unbiased before any selection.
        sd: Standard deviations of their noise, above zero.
        likeness: What each is expected to be, roughly: values of like expectation share a prior. Independent of the
            value's own noise.
    """
    mean, spread = np.empty_like(values), np.empty_like(values)
    for group in _groups(likeness):
        prior = _fitted(values[group], sd[group])
        for some in np.array_split(group, math.ceil(len(group) / _SAMPLE)):  # bounded memory
            mean[some], spread[some] = _posterior(values[some], sd[some], prior)
    return mean, spread


def _groups(likeness: Floats) -> list[Integers]:
    """Positions in groups by rank: the lower part, then of the rest the lower part, and so on.

    Flows spread over orders of magnitude: the few largest need a prior of their own more than the many smallest.
    """
    order = np.argsort(likeness, kind="stable")
    cuts, left = [], len(order)
    while int(left * _UPPER) >= _GROUP:
        left = int(left * _UPPER)
        cuts.append(len(order) - left)
    return [group for group in np.split(order, cuts) if len(group)]


def _fitted(values: Floats, sd: Floats) -> _Prior:
    """The mixture that explains the values, after a fixed number of steps from equal weights."""
    low, high = _parts(float(sd.min()), float(values.max()))
    order = np.argsort(values / sd, kind="stable")
    some = order[np.linspace(0, len(order) - 1, min(len(order), _SAMPLE)).round().astype(np.int64)]
    likelihood = _likelihood(values[some, None], sd[some, None], low, high)
    weights = np.full(len(low) + 1, 1 / (len(low) + 1))
    for _ in range(_STEPS):
        weights = weights * np.mean(likelihood / (likelihood @ weights)[:, None], axis=0)
    return _Prior(low, high, weights)


def _parts(sd: float, largest: float) -> tuple[Floats, Floats]:
    """Ends of the parts: from zero to each width, and from each width to four times as much."""
    finest = _FINEST * sd
    number = max(1, math.ceil(math.log(max(1.5 * largest, finest) / finest, _RATIO)))
    widths = finest * _RATIO ** np.arange(number + 1)
    return np.concatenate([np.zeros_like(widths), widths]), np.concatenate([widths, _SPAN * widths])


def _likelihood(y: Floats, s: Floats, low: Floats, high: Floats) -> Floats:
    """Density of each value (rows) under nothing and under each part (columns), scaled by the value's sd."""
    within = _within((low - y) / s, (high - y) / s) * s / (high - low)
    density: Floats = np.maximum(np.concatenate([_bell(y / s), within], axis=1), _TINY)
    return density


def _posterior(values: Floats, sd: Floats, prior: _Prior) -> tuple[Floats, Floats]:
    """Moments of normals cut to each part, weighed by how well the part explains the value.

    Taken of the deviation from the value in sd, so that a large value loses no digits.
    """
    y, s = values[:, None], sd[:, None]
    chance = _likelihood(y, s, prior.low, prior.high) * prior.weights
    chance /= chance.sum(axis=1, keepdims=True)
    first, second = _moments((prior.low - y) / s, (prior.high - y) / s)
    nothing = -values / sd
    mean = np.sum(chance[:, 1:] * first, axis=1) + chance[:, 0] * nothing
    square = np.sum(chance[:, 1:] * second, axis=1) + chance[:, 0] * nothing**2
    return values + sd * mean, sd * np.sqrt(np.maximum(square - mean**2, 0.0))


def _moments(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """First and second moment of a standard normal variable cut to [low, high]."""
    inside = np.maximum(_within(low, high), _TINY)
    at_low, at_high = _bell(low), _bell(high)
    first = np.clip((at_low - at_high) / inside, low, high)
    second = 1 + (low * at_low - high * at_high) / inside
    return first, np.clip(second, first**2, np.maximum(low**2, high**2))


def _within(low: Floats, high: Floats) -> Floats:
    """Probability that a standard normal variable lies in [low, high]; right in the tails too."""
    mirrored = low > 0
    return _below(np.where(mirrored, -low, high)) - _below(np.where(mirrored, -high, low))


def _bell(z: Floats) -> Floats:
    density: Floats = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return density


_GRID: Final = np.linspace(-_REACH, _REACH, 80_001)
_TABLE: Final = np.array([math.erfc(-z / math.sqrt(2)) / 2 for z in _GRID.tolist()])


def _below(z: Floats) -> Floats:
    """Standard normal distribution function, from a table: within 6 sd, its relative error is below 1e-5."""
    share: Floats = np.interp(z, _GRID, _TABLE)
    return share
