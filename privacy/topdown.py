"""Adaptive-resolution release: measure coarse pairs, look closer only where there is something to see.

Source: Hay et al. 2010 (consistency by least squares); Abowd et al. 2022 (top-down, 2020 US Census). We expand by a
noisy value instead of measuring every level everywhere, and publish each trip at the finest level at which it can be
told from noise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from privacy.bounding import Bounded
from privacy.hierarchy import Indices, PairTree

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Measure = Callable[[int, Integers], tuple[Integers, float]]
"""Draws noise at a level: exact integers in, noisy integers and their standard deviation out."""


@dataclass(frozen=True)
class LevelMeasurements:
    """Noisy totals of the pairs measured at one level: private outputs, safe to look at.

    Args:
        pairs: Sorted pair numbers of the level.
        values: Noisy totals, in 1/1024 of a contribution.
        sigma: Standard deviation of their noise, in the same unit.
    """

    pairs: Indices
    values: Integers
    sigma: float


def measure(bounded: Bounded, tree: PairTree, draw: Measure, *, expand_sigma: float) -> tuple[LevelMeasurements, ...]:
    """Measure all coarsest pairs, and at each finer level the children of those at or above `expand_sigma` sigmas.

    Which pairs are measured depends on noisy values and public data only.

    Privacy: one draw a level over disjoint keys of one bounded vector; the levels compose (proofs/topdown.md).
    """
    exact = _roll_up(bounded, tree)
    pairs, measured = tree.roots(), []
    for level, totals in enumerate(exact):
        values, sigma = draw(level, _look_up(totals, pairs))
        measured.append(LevelMeasurements(pairs, values, sigma))
        if level + 1 < len(exact):
            pairs = tree.children(level + 1, pairs[values >= expand_sigma * sigma])
    return tuple(measured)


Totals = tuple[Indices, Integers]


def _roll_up(bounded: Bounded, tree: PairTree) -> list[Totals]:
    """Exact totals at every level, coarse to fine; integers, so that levels agree to the unit."""
    totals: list[Totals] = [(bounded.keys, bounded.totals)]
    for level in range(len(tree.zones.levels) - 1, 0, -1):
        keys, fine = totals[0]
        parents, position = np.unique(tree.parents(level, keys), return_inverse=True)
        sums = np.zeros(len(parents), dtype=np.int64)
        np.add.at(sums, position, fine)
        totals.insert(0, (parents, sums))
    return totals


def _look_up(totals: Totals, pairs: Indices) -> Integers:
    keys, values = totals
    if not len(keys):
        return np.zeros(len(pairs), dtype=np.int64)
    position = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
    return np.where(keys[position] == pairs, values[position], 0)


@dataclass(frozen=True)
class LevelRows:
    """What is published at one level.

    Args:
        pairs: Pair numbers of the level.
        values: Estimates of the pair without its published descendants, in 1/1024.
        sd: Standard deviation of their noise.
        is_residual: Whether a descendant is published in its own right.
    """

    pairs: Indices
    values: Floats
    sd: Floats
    is_residual: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A release as numbers: rows of each level, coarse to fine, and the national remainder."""

    levels: tuple[LevelRows, ...]
    remainder: float
    remainder_sd: float


def estimate(measured: tuple[LevelMeasurements, ...], tree: PairTree, *, publish_sigma: float) -> Estimate:
    """Turn measurements into rows that add up: least squares over the tree, then each row at the finest clear level.

    Deterministic, from measurements and public data only: post-processing, free of charge.

    A row is published where its estimate is at least `publish_sigma` of its own standard deviations. What is not is
    left to the parent, whose row then holds the rest of it; what no level can show is in the national remainder.
    """
    nodes = _least_squares(measured, tree)
    return _rows(nodes, publish_sigma)


@dataclass(frozen=True)
class _Level:
    """The least-squares state of a level: `subtree_*` from below only, `total*` from the whole tree."""

    pairs: Indices
    parent: Indices  # position in the level above; empty at the top
    subtree: Floats
    subtree_variance: Floats
    total: Floats
    variance: Floats


def _least_squares(measured: tuple[LevelMeasurements, ...], tree: PairTree) -> list[_Level]:
    """Least squares on a tree, given the coarsest measurements: one pass up, one pass down.

    The coarsest values stay as they were measured. To weigh them with what lies below would lower just the pairs that
    were expanded because their own noise was high, and with them the national total.
    """
    parents = [np.empty(0, dtype=np.int64)] + [
        np.searchsorted(measured[level - 1].pairs, tree.parents(level, measured[level].pairs))
        for level in range(1, len(measured))
    ]
    subtrees = _upward(measured, parents)
    levels: list[_Level] = []
    for level, (value, variance) in enumerate(subtrees):
        total = _downward(levels[-1], value, variance, parents[level]) if levels else _as_measured(measured[0])
        levels.append(_Level(measured[level].pairs, parents[level], value, variance, *total))
    return levels


def _as_measured(level: LevelMeasurements) -> tuple[Floats, Floats]:
    return level.values.astype(np.float64), np.full(len(level.values), level.sigma**2)


def _upward(measured: tuple[LevelMeasurements, ...], parents: list[Indices]) -> list[tuple[Floats, Floats]]:
    """Best estimate of each pair from its own measurement and those below it, with its variance."""
    result: list[tuple[Floats, Floats]] = []
    for level in reversed(range(len(measured))):
        value, variance = _as_measured(measured[level])
        if result:
            below, below_variance = (_sums(part, parents[level + 1], len(value)) for part in result[0])
            expanded = below_variance > 0
            precision = 1 / variance + np.divide(1.0, below_variance, out=np.zeros_like(variance), where=expanded)
            weighted = value / variance + np.divide(below, below_variance, out=np.zeros_like(value), where=expanded)
            value, variance = weighted / precision, 1 / precision
        result.insert(0, (value, variance))
    return result


def _downward(above: _Level, value: Floats, variance: Floats, parent: Indices) -> tuple[Floats, Floats]:
    """Share the parent's surplus among its children in proportion to their variances."""
    size = len(above.pairs)
    surplus = above.total - _sums(value, parent, size)
    share = variance / _sums(variance, parent, size)[parent]
    return (
        value + share * surplus[parent],
        variance * (1 - share) + share**2 * above.variance[parent],
    )


def _sums(values: Floats, groups: Indices, size: int) -> Floats:
    return np.bincount(groups, weights=values, minlength=size).astype(np.float64)


@dataclass(frozen=True)
class _Rest:
    """What is still unpublished under each pair of a level, given the pair's total.

    It is slope * total + offset, plus noise of variance `spread`; so its variance follows from the total's, whatever
    was published below.
    """

    slope: Floats
    offset: Floats
    spread: Floats
    has_published: npt.NDArray[np.bool_]

    @classmethod
    def whole(cls, size: int) -> "_Rest":
        """Nothing is published yet: the rest is the total."""
        return cls(np.ones(size), np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.bool_))

    def value_at(self, total: Floats) -> Floats:
        return self.slope * total + self.offset

    def variance(self, level: _Level) -> Floats:
        return self.spread + self.slope**2 * level.variance

    def without(self, published: npt.NDArray[np.bool_]) -> "_Rest":
        slope, offset, spread = (np.where(published, 0.0, part) for part in (self.slope, self.offset, self.spread))
        return _Rest(slope, offset, spread, self.has_published | published)


def _rows(levels: list[_Level], publish_sigma: float) -> Estimate:
    """Publish from fine to coarse; what no level can show is the remainder."""
    rows: list[LevelRows] = []
    rest = _Rest.whole(len(levels[-1].pairs))
    for number in reversed(range(len(levels))):
        level = levels[number]
        if rows:
            rest = _gathered(rest, levels[number + 1], len(level.pairs))
        value, sd = rest.value_at(level.total), np.sqrt(rest.variance(level))
        clear = (sd > 0) & (value >= publish_sigma * sd)
        rows.insert(0, LevelRows(level.pairs[clear], value[clear], sd[clear], rest.has_published[clear]))
        rest = rest.without(clear)
    variance = np.sum(rest.variance(levels[0]))
    return Estimate(tuple(rows), float(np.sum(rest.value_at(levels[0].total))), float(np.sqrt(variance)))


def _gathered(rest: _Rest, below: _Level, size: int) -> _Rest:
    """Carry the unpublished part of the children up to their parents, given the parents' totals.

    Given its parent's total T, a child's is subtree + share (T - sum of subtrees), the shares being those of the
    subtrees' variances; a weighted sum of children is then again a line in T with some spread. A pair that was not
    expanded is its own rest.
    """

    def family(values: Floats) -> Floats:
        return _sums(values, below.parent, size)

    childless = np.bincount(below.parent, minlength=size) == 0
    weight = family(rest.slope * below.subtree_variance)
    slope = np.divide(weight, family(below.subtree_variance), out=np.ones(size), where=~childless)
    offset = family(rest.value_at(below.subtree)) - slope * family(below.subtree)
    spread = family(rest.spread + rest.slope**2 * below.subtree_variance) - slope * weight
    return _Rest(
        slope,
        np.where(childless, 0.0, offset),
        np.where(childless, 0.0, np.maximum(spread, 0.0)),
        family(rest.has_published.astype(np.float64)) > 0,
    )
