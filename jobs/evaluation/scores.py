"""How much of a country's movement a design shows, and how right it is: pure functions of what it published.

Three tables are compared: the exact flows, the flows after contribution bounds, and the noisy rows. From the first to
the second is what clipping costs, from the second to the third what noise and selection cost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from jobs.evaluation.contributions import Floats, Integers
from jobs.evaluation.designs import Outcome, Values
from privacy.hierarchy import PairTree

FLOORS: Final = (10, 50, 100, 1000)
"""Trips a day from which on errors are told: a relative error of a tiny flow says nothing."""

SIZES: Final = (0.0, 1.0, 10.0, 50.0, 100.0, 1000.0)
"""Lower ends of the sizes by which coverage is told, trips a day after bounds."""

Flows = tuple[Integers, Floats]
"""Pairs of the finest level, sorted, and their trips a day."""


@dataclass(frozen=True)
class ErrorAbove:
    """Error at the finest level of the pairs whose exact flow reaches a floor.

    Args:
        floor: Trips a day.
        flows: Pairs there.
        shown: Share of them with a row of their own.
        median_relative_error: Median of |value - exact| / exact over those shown; NaN where none is.
    """

    floor: int
    flows: int
    shown: float
    median_relative_error: float


@dataclass(frozen=True)
class LevelScore:
    """One level.

    Args:
        resolution: H3 resolution.
        share: Share of the exact flow that stands in rows of exactly this level.
        rows: Rows of exactly this level.
        cpc: Common part of commuters between the exact flows and all rows of this level or finer, rolled up to it.
        coverage: Share of the measured pairs whose 95 % interval holds the bounded total; NaN without intervals.
    """

    resolution: int
    share: float
    rows: int
    cpc: float
    coverage: float


@dataclass(frozen=True)
class SizeCoverage:
    """Coverage of the measured pairs of one size, all levels together.

    Args:
        at_least: Lower end of the bounded total, trips a day.
        below: Upper end; infinite for the largest.
        measured: Measured pairs of this size.
        coverage: Share of them whose 95 % interval holds the bounded total; NaN where there is none.
    """

    at_least: float
    below: float
    measured: int
    coverage: float


@dataclass(frozen=True)
class Scores:
    """A design against the exact flows.

    Args:
        levels: By level, coarse to fine.
        share: Share of the exact flow in rows of any level.
        false_pairs: Rows of the finest level with a positive value where nobody went.
        errors: By floor of the exact flow.
        clipping_bias: Bounded over exact total, less one.
        noise_bias: Values of the finest level's rows over their bounded totals, less one: what the cut selects.
        coverage: Share of all measured pairs whose interval holds the bounded total.
        coverage_by_size: The same by size of the bounded total.
        coverage_published: Share of all rows whose interval holds the bounded total.
        coverage_published_exact: Share of all rows whose interval holds the exact flow, clipping included.
    """

    levels: tuple[LevelScore, ...]
    share: float
    false_pairs: int
    errors: tuple[ErrorAbove, ...]
    clipping_bias: float
    noise_bias: float
    coverage: float
    coverage_by_size: tuple[SizeCoverage, ...]
    coverage_published: float
    coverage_published_exact: float


def score(outcome: Outcome, exact: Flows, tree: PairTree) -> Scores:
    """Score what a design published.

    Args:
        outcome: What it measured and published.
        exact: The flows before any bound or noise.
        tree: The public pairs.
    """
    truth, bounded = (_targets(outcome.shown, flows, tree) for flows in (exact, outcome.bounded))
    total, finest = float(exact[1].sum()), outcome.shown[-1]
    residual = _measured_errors(outcome, tree)
    return Scores(
        levels=tuple(_level(outcome, exact, tree, n, share_of(t.sum(), total)) for n, t in enumerate(truth)),
        share=share_of(sum(float(level.sum()) for level in truth), total),
        false_pairs=int(np.sum((truth[-1] == 0) & (finest.values > 0))),
        errors=tuple(_error_above(finest, exact, floor) for floor in FLOORS),
        clipping_bias=share_of(outcome.bounded[1].sum(), total) - 1,
        noise_bias=share_of(finest.values.sum(), bounded[-1].sum()) - 1,
        coverage=_coverage(*residual[1:]),
        coverage_by_size=tuple(_coverage_of_size(residual, size) for size in pairwise((*SIZES, np.inf))),
        coverage_published=_rows_coverage(outcome.shown, bounded),
        coverage_published_exact=_rows_coverage(outcome.shown, truth),
    )


def common_part_of_commuters(estimate: Iterable[float], truth: Iterable[float]) -> float:
    """Return CPC = 2 sum(min(e, t)) / (sum(e) + sum(t)), negative estimates counted as 0.

    It is the similarity index of Sorensen, applied to flows.

    Source: Lenormand, Huet, Gargiulo, Deffuant 2012, A universal model of commuting networks; Lenormand,
        Bassolas, Ramasco 2016, Systematic comparison of trip distribution laws and models.
    """
    estimated, true = np.maximum(np.asarray(estimate, float), 0), np.asarray(truth, float)
    return share_of(2 * float(np.minimum(estimated, true).sum()), float(estimated.sum() + true.sum()))


def share_of(part: float, whole: float) -> float:
    """Part over whole; NaN where there is no whole."""
    return float(part / whole) if whole else float("nan")


def rolled_up(pairs: Integers, tree: PairTree, *, start: int, level: int) -> Integers:
    """Pair numbers of `level` to which pairs of the finer level `start` belong."""
    for finer in range(start, level, -1):
        pairs = tree.parents(finer, pairs)
    return pairs


def _targets(shown: tuple[Values, ...], flows: Flows, tree: PairTree) -> list[Floats]:
    """For each row, by level, the flow that it stands for: what of its pair no finer row holds."""
    finest = len(shown) - 1
    pairs, left = flows[0], flows[1].copy()
    targets: list[Floats] = []
    for level in range(finest, -1, -1):
        keys = shown[level].pairs
        position, held = _found(rolled_up(pairs, tree, start=finest, level=level), keys)
        targets.insert(0, _sums(position[held], left[held], len(keys)))
        left[held] = 0
    return targets


def _sums(position: Integers, values: Floats, size: int) -> Floats:
    return np.bincount(position, weights=values, minlength=size).astype(np.float64)


def _found(wanted: Integers, keys: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Position of each wanted pair among sorted keys, and whether it is there."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=np.int64), np.zeros(len(wanted), dtype=np.bool_)
    position = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return position, keys[position] == wanted


def _level(outcome: Outcome, exact: Flows, tree: PairTree, level: int, share: float) -> LevelScore:
    _, errors, half = _errors_at(outcome, tree, level)
    return LevelScore(
        resolution=tree.zones.levels[level].resolution,
        share=share,
        rows=len(outcome.shown[level].pairs),
        cpc=_cpc(outcome.shown, exact, tree, level),
        coverage=_coverage(errors, half),
    )


def _cpc(shown: tuple[Values, ...], exact: Flows, tree: PairTree, level: int) -> float:
    finest = len(shown) - 1
    true_pairs = rolled_up(exact[0], tree, start=finest, level=level)
    rows = [rolled_up(shown[n].pairs, tree, start=n, level=level) for n in range(level, len(shown))]
    keys = np.unique(np.concatenate([true_pairs, *rows]))
    truth, estimate = np.zeros(len(keys)), np.zeros(len(keys))
    np.add.at(truth, np.searchsorted(keys, true_pairs), exact[1])
    for pairs, values in zip(rows, shown[level:], strict=True):
        np.add.at(estimate, np.searchsorted(keys, pairs), values.values)
    return common_part_of_commuters(estimate, truth)


def _error_above(finest: Values, exact: Flows, floor: int) -> ErrorAbove:
    large = exact[1] >= floor
    position, held = _found(exact[0][large], finest.pairs)
    true = exact[1][large][held]
    errors = np.abs(finest.values[position[held]] - true) / true
    median = float(np.median(errors)) if len(errors) else float("nan")
    return ErrorAbove(floor, int(large.sum()), share_of(float(held.sum()), float(large.sum())), median)


def _errors_at(outcome: Outcome, tree: PairTree, level: int) -> tuple[Floats, Floats, Floats]:
    """Bounded total, error and half width of each measured pair of a level."""
    measured = outcome.measured[level]
    pairs = rolled_up(outcome.bounded[0], tree, start=len(outcome.measured) - 1, level=level)
    position, held = _found(pairs, measured.pairs)
    target = _sums(position[held], outcome.bounded[1][held], len(measured.pairs))
    return target, np.abs(measured.values - target), measured.half


def _measured_errors(outcome: Outcome, tree: PairTree) -> tuple[Floats, Floats, Floats]:
    levels = [_errors_at(outcome, tree, level) for level in range(len(outcome.measured))]
    target, errors, half = (np.concatenate(column) for column in zip(*levels, strict=True))
    return target, errors, half


def _coverage(errors: Floats, half: Floats) -> float:
    stated = ~np.isnan(half)
    return share_of(float(np.sum(errors[stated] <= half[stated])), float(stated.sum()))


def _coverage_of_size(residual: tuple[Floats, Floats, Floats], size: tuple[float, float]) -> SizeCoverage:
    target, errors, half = residual
    inside = (target >= size[0]) & (target < size[1])
    return SizeCoverage(*size, int(inside.sum()), _coverage(errors[inside], half[inside]))


def _rows_coverage(shown: tuple[Values, ...], targets: list[Floats]) -> float:
    errors = [np.abs(rows.values - target) for rows, target in zip(shown, targets, strict=True)]
    return _coverage(np.concatenate(errors), np.concatenate([rows.half for rows in shown]))
