"""Adaptive-resolution release: measure coarse pairs, look closer only where there is something to see.

Source: Abowd et al. 2022 (top-down, 2020 US Census). We expand by a noisy value instead of measuring every level
everywhere, publish each trip at the finest level at which it can be told from noise, and reconcile levels by
subtraction from fine to coarse instead of least squares (Hay et al. 2010), which would carry the noise that chose a
pair for expansion into all its children (docs/adr/0010).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from privacy.bounding import Bounded
from privacy.hierarchy import Indices, PairTree
from privacy.shrinkage import shrunk

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Measure = Callable[[int, Integers], tuple[Integers, float]]
"""Draws noise at a level: exact integers in, noisy integers and their standard deviation out."""

_FLOOR: Final = 0.1
"""Of the mean zone's total, that every zone is expected to have at least: noise can hide all that a zone has."""

_LEAST_SD: Final = 1.0
"""Of a judged value, in units of a sealed one: rows are whole numbers."""

_TINY: Final = 1e-9
"""Of a weight: what the others of a family weigh beside it at least, or else nothing can be expected from them."""


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
        values: Estimates of the pair without its published descendants, in whole 1/1024.
        sd: Standard deviation of the error that noise leaves in them.
        is_residual: Whether a descendant is published in its own right.
    """

    pairs: Indices
    values: Integers
    sd: Floats
    is_residual: Flags


@dataclass(frozen=True)
class Estimate:
    """A release as numbers: rows of each level, coarse to fine, and the national remainder.

    Args:
        levels: Rows, by level.
        remainder: What no row shows: the measured national total less all rows.
        remainder_sd: Of its error, from above: the sds of the total and of the rows together, added up. They share
            noise in an unknown way, and no sd of a difference exceeds that sum.
    """

    levels: tuple[LevelRows, ...]
    remainder: int
    remainder_sd: float


Judge = Callable[[Floats, Floats, Floats], tuple[Floats, Floats]]
"""Says what unbiased values are worth: values, sd of their noise and rough expectations in; estimates and sd out."""


def as_measured(values: Floats, sd: Floats, _likeness: Floats) -> tuple[Floats, Floats]:
    """Take values as they are: each unbiased before the cut, those that pass it too high on average."""
    return values.copy(), sd.copy()


def estimate(
    measured: tuple[LevelMeasurements, ...], tree: PairTree, *, publish_sigma: float, judge: Judge = shrunk
) -> Estimate:
    """Turn measurements into rows that add up: each trip in one row, at the finest level that is clear of noise.

    Deterministic, from measurements and public data only: post-processing, free of charge.

    From fine to coarse, a pair's own measurement is judged, and then what published rows beneath leave of it; where
    the result is at least `publish_sigma` of its standard deviations, it is a row. Everything else is in the national
    remainder: the sum of the coarsest measurements less all rows, so that all add up to an unbiased national total.

    Args:
        measured: What was drawn.
        tree: Its domain.
        publish_sigma: The cut.
        judge: How a value is estimated: `shrunk` (corrected for the cut), or `as_measured`.
    """
    rows: list[LevelRows] = []
    below = _Below.nothing(len(measured[-1].pairs))
    for number in reversed(range(len(measured))):
        level, domain = measured[number], _Domain.of(measured, tree, number)
        found, sd = _judged(level, below, domain, judge)
        clear, whole = found >= publish_sigma * sd, np.rint(found).astype(np.int64)
        rows.insert(0, LevelRows(level.pairs[clear], whole[clear], sd[clear], below.is_published[clear]))
        below = below.with_rows(clear, whole, sd).gathered(domain.family)
    national = np.sum(measured[0].values) - below.value[0]
    remainder_sd = math.sqrt(len(measured[0].pairs)) * measured[0].sigma + math.sqrt(below.variance[0])
    return Estimate(tuple(rows), int(national), remainder_sd)


@dataclass(frozen=True)
class _Below:
    """What is known beneath each pair of a level.

    Args:
        value: Sum of the rows published beneath.
        variance: Of that sum's error; the noise of one row is independent of another's.
        is_published: Whether there is a row.
        is_measured: Whether the pair was expanded.
    """

    value: Integers
    variance: Floats
    is_published: Flags
    is_measured: Flags

    @classmethod
    def nothing(cls, size: int) -> "_Below":
        no = np.zeros(size, dtype=np.bool_)
        return cls(np.zeros(size, dtype=np.int64), np.zeros(size), no, no)

    def with_rows(self, clear: Flags, value: Integers, sd: Floats) -> "_Below":
        """Count the rows of the level itself in."""
        return _Below(
            self.value + np.where(clear, value, 0),
            self.variance + np.where(clear, sd**2, 0.0),
            self.is_published | clear,
            self.is_measured,
        )

    def gathered(self, family: "_Family") -> "_Below":
        """Sums over each family, for its parent."""
        value = np.zeros(family.number, dtype=np.int64)
        np.add.at(value, family.of, self.value)
        is_published = family.sums(self.is_published.astype(np.float64)) > 0
        return _Below(value, family.sums(self.variance), is_published, family.sums(np.ones(len(family.of))) > 0)


def _judged(level: LevelMeasurements, below: _Below, domain: "_Domain", judge: Judge) -> tuple[Floats, Floats]:
    """What is left of each pair beneath which rows are published; the pair itself where nothing was looked at.

    First all pairs of the level are judged, because which were expanded depends on their noise: those just below the
    cut are too low, those just above it too high. Then the rests are judged among themselves: they are of another size,
    and alike where as much would be left if each pair held what is expected of it.
    """
    values = level.values.astype(np.float64)
    found, sd = judge(values, np.full(len(values), level.sigma), domain.expected(values))
    rest, rest_sd = found - below.value, np.maximum(np.sqrt(level.sigma**2 + below.variance), _LEAST_SD)
    expanded = np.flatnonzero(below.is_measured)
    likeness = np.maximum(domain.expected(found) - below.value, 0.0)
    found[expanded], sd[expanded] = judge(rest[expanded], rest_sd[expanded], likeness[expanded])
    return found, sd


@dataclass(frozen=True)
class _Family:
    """Which pairs of a level have the same parent; the coarsest pairs are one family."""

    of: Indices
    number: int

    def sums(self, values: Floats) -> Floats:
        return _sums(values, self.of, self.number)


@dataclass(frozen=True)
class _Domain:
    """The measured pairs of a level.

    Args:
        pairs: Their numbers.
        zones: Number of zones of the level.
        family: Their parents.
    """

    pairs: Indices
    zones: int
    family: _Family

    @classmethod
    def of(cls, measured: tuple[LevelMeasurements, ...], tree: PairTree, level: int) -> "_Domain":
        pairs = measured[level].pairs
        if not level:
            return cls(pairs, tree.size(0), _Family(np.zeros(len(pairs), dtype=np.int64), 1))
        above = measured[level - 1].pairs
        family = _Family(np.searchsorted(above, tree.parents(level, pairs)), len(above))
        return cls(pairs, tree.size(level), family)

    def expected(self, value: Floats) -> Floats:
        """What each pair would hold if the rest of its family fell to origins and destinations as other pairs do.

        A pair's own value is left out of every sum: an expectation that shared its noise would take noise for a sign.
        """
        weight = np.ones(len(self.pairs))
        for end in (self.pairs // self.zones, self.pairs % self.zones):
            totals = _sums(value, end, self.zones)
            others = np.maximum(totals[end] - value, 0.0)
            weight *= others + _FLOOR * np.maximum(totals, 0.0).mean()
        rest = np.maximum(self.family.sums(value)[self.family.of] - value, 0.0)
        weight_of_rest = self.family.sums(weight)[self.family.of] - weight
        share = np.divide(weight, weight_of_rest, out=np.zeros_like(weight), where=weight_of_rest > _TINY * weight)
        return rest * share


def _sums(values: Floats, groups: Indices, size: int) -> Floats:
    return np.bincount(groups, weights=values, minlength=size).astype(np.float64)
