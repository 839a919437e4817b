"""How much of a week's movement a release shows, and how right it is, on the gravity model.

Run: `python -m tests.benchmarks.od_release`. The mechanism is the one that releases, with its own noise; only the
people are simulated.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from privacy import mechanisms
from privacy.bounding import FIXED_POINT, Bounded, LevelBound, squared_bound
from privacy.hierarchy import PairTree, ZoneTree
from privacy.intervals import Z_95
from privacy.policy import Policy, ProductPolicy
from privacy.shrinkage import shrunk
from privacy.topdown import Estimate, Judge, LevelMeasurements, LevelRows, as_measured, estimate, measure
from privacy.unit import PeriodKind
from tests.benchmarks.simulator import SUBSCRIBERS, Floats, Integers, Week, simulate

SIZES = (10, 50, 100, 1000)
COLUMNS = (
    "rho", "res 6", "5", "4", "in all", "false", *(f">= {size}" for size in SIZES), "bounded",
    "measured 4", "5", "6", "rows 4", "5", "6", "2 sd", "3 sd", "6 sd", "remainder",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One release of the simulated week."""

    week: Week
    tree: PairTree
    product: ProductPolicy

    @property
    def bounds(self) -> tuple[LevelBound, ...]:
        levels = self.product.levels
        return tuple(LevelBound(f"key_{n.resolution}", squared_bound(n.c2, periods=self.week.days)) for n in levels)

    @property
    def unit(self) -> int:
        return FIXED_POINT * self.week.days

    def pairs(self, level: int) -> Integers:
        pairs = self.week.pair
        for finer in range(2, level, -1):
            pairs = self.tree.parents(finer, pairs)
        return pairs

    def bounded(self) -> Bounded:
        """One weight a subscriber, as `bounded_totals` finds it in the pipeline."""
        weight = np.full(SUBSCRIBERS, FIXED_POINT)
        for level, bound in enumerate(self.bounds):
            keys = self.week.subscriber * self.tree.size(level) ** 2 + self.pairs(level)
            key, count = np.unique(keys, return_counts=True)
            norm = np.bincount(
                key // self.tree.size(level) ** 2, weights=count.astype(float) ** 2, minlength=SUBSCRIBERS
            )
            weight = np.minimum(weight, np.floor(np.sqrt(bound.squared / np.maximum(norm, 1))))
        totals = np.bincount(self.week.pair, weights=weight[self.week.subscriber]).astype(np.int64)
        keys = np.flatnonzero(totals)
        return Bounded(keys, totals[keys], self.bounds)

    def draw(self, level: int, totals: Integers) -> tuple[Integers, float]:
        sensitivity, rho = self.bounds[level].l2, self.product.levels[level].micro_rho
        return mechanisms.discrete_gaussian(totals, l2_sensitivity=sensitivity, micro_rho=rho)


def row(case: Case, judge: Judge = shrunk) -> list[str]:
    """Measure one release and describe it, in the order of COLUMNS."""
    bounded = case.bounded()
    measured = measure(bounded, case.tree, case.draw, expand_sigma=case.product.expand_sigma)
    released = estimate(measured, case.tree, publish_sigma=case.product.publish_sigma, judge=judge)
    truth = np.bincount(case.week.pair, minlength=case.tree.size(2) ** 2) / case.week.days
    shown = [_below_rows(case, released, level, truth) for level in (2, 1, 0)]
    shares = [float(sum(part) / truth.sum()) for part in shown]
    exact = np.zeros(len(truth))
    exact[bounded.keys] = bounded.totals
    errors = [_errors(released.levels[level], _below_rows(case, released, level, exact)) for level in (0, 1, 2)]
    remainder = released.remainder - exact.sum() + sum(_below_rows(case, released, n, exact).sum() for n in (0, 1, 2))
    return [
        f"{case.product.micro_rho / 1e6:g}", *(f"{share:.1%}" for share in [*shares, sum(shares)]),
        f"{np.sum(shown[0] == 0)} of {len(shown[0]):,}",
        *(f"{error:.3f}" for error in _relative_errors(case, released, truth)),
        f"{bounded.totals.sum() / case.unit / truth.sum():.3f}",
        *(f"{_coverage(case, bounded, level, measured[level]):.3f}" for level in range(3)),
        *(f"{np.mean(np.abs(error) < Z_95):.3f}" for error in errors),
        *_by_size(released, errors), f"{remainder / released.remainder_sd:+.1f} sd",
    ]  # fmt: skip


def _below_rows(case: Case, released: Estimate, level: int, flows: Floats) -> Floats:
    """What the rows of a level hold of given flows: the pair less what finer rows hold."""
    left = flows.copy()
    pairs = np.arange(len(left))
    for finer in range(2, level, -1):
        left[np.isin(pairs, released.levels[finer].pairs)] = 0
        parents = case.tree.parents(finer, pairs)
        left = np.bincount(parents, weights=left, minlength=case.tree.size(finer - 1) ** 2)
        pairs = np.arange(len(left))
    return left[released.levels[level].pairs]


def _errors(rows: LevelRows, true: Floats) -> Floats:
    return (rows.values - true) / rows.sd


def _relative_errors(case: Case, released: Estimate, truth: Floats) -> list[float]:
    """Median relative error of all pairs of at least a size; what no row shows is taken as nothing."""
    value = np.zeros(len(truth))
    value[released.levels[2].pairs] = released.levels[2].values / case.unit
    return [float(np.median(np.abs(value - truth)[truth >= size] / truth[truth >= size])) for size in SIZES]


def _by_size(released: Estimate, errors: list[Floats]) -> list[str]:
    """Coverage of rows of 2 to 3 sd, 3 to 6, and more."""
    size = np.concatenate([rows.values / rows.sd for rows in released.levels])
    covered = np.abs(np.concatenate(errors)) < Z_95
    classes = (covered[(size >= low) & (size < high)] for low, high in ((2, 3), (3, 6), (6, np.inf)))
    return [f"{found.mean():.3f}" if len(found) else "-" for found in classes]


def _coverage(case: Case, bounded: Bounded, level: int, measured: LevelMeasurements) -> float:
    """Share of all measured pairs whose 95 % interval holds the bounded total."""
    keys = bounded.keys
    for finer in range(2, level, -1):
        keys = case.tree.parents(finer, keys)
    exact = np.bincount(keys, weights=bounded.totals, minlength=case.tree.size(level) ** 2)[measured.pairs]
    return float(np.mean(np.abs(measured.values - exact) < 1.96 * measured.sigma))


def main() -> None:
    """Print the routine release of three simulated countries, the same at a higher price, and without correction."""
    product = Policy.load().product("od_trips", PeriodKind.WEEK)
    table = Table(*COLUMNS, title="Weekly OD, 500,000 simulated subscribers: flow shown, errors, coverage")
    for seed in (7, 8, 9):
        week = simulate(seed=seed)
        tree = PairTree(ZoneTree(week.cells, (4, 5, 6)))
        table.add_row(*row(Case(week, tree, product)))
    table.add_row(*row(Case(week, tree, _priced(product, 30_000))))
    table.add_row(*row(Case(week, tree, dataclasses.replace(product, publish_sigma=4.0)), as_measured))
    Console(width=200).print(table)


def _priced(product: ProductPolicy, micro_rho: int) -> ProductPolicy:
    parts = [level.micro_rho * micro_rho // product.micro_rho for level in product.levels]
    levels = [dataclasses.replace(n, micro_rho=rho) for n, rho in zip(product.levels, parts, strict=True)]
    return dataclasses.replace(product, levels=tuple(levels), micro_rho=sum(parts))


if __name__ == "__main__":
    main()
