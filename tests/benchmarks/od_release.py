"""How much of a week's movement a release shows, and how right it is, on the gravity model.

Run: `python -m tests.benchmarks.od_release`. The mechanism is the one that releases, with its own noise; only the
people are simulated.
"""

from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from privacy import mechanisms
from privacy.bounding import FIXED_POINT, Bounded, LevelBound, squared_bound
from privacy.hierarchy import PairTree, ZoneTree
from privacy.policy import LevelPolicy, Policy, ProductPolicy
from privacy.topdown import Estimate, LevelMeasurements, estimate, measure
from privacy.unit import PeriodKind
from tests.benchmarks.simulator import SUBSCRIBERS, Floats, Integers, Week, simulate

COLUMNS = ("rho", "res 6", "5", "4", "in all", "false", ">= 10", ">= 50", ">= 100", "bounded", "coverage 4", "5", "6")


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


def row(case: Case) -> list[str]:
    """Measure one release and describe it, in the order of COLUMNS."""
    bounded = case.bounded()
    measured = measure(bounded, case.tree, case.draw, expand_sigma=case.product.expand_sigma)
    released = estimate(measured, case.tree, publish_sigma=case.product.publish_sigma)
    truth = np.bincount(case.week.pair, minlength=case.tree.size(2) ** 2) / case.week.days
    shares = _shares(case, released, truth)
    finest = released.levels[-1]
    true, value = truth[finest.pairs], finest.values / case.unit
    errors = [np.median(np.abs(value - true)[true >= least] / true[true >= least]) for least in (10, 50, 100)]
    false = f"{np.sum(true == 0)} of {len(true):,}"
    coverage = [_coverage(case, bounded, level, measured[level]) for level in range(3)]
    return [
        f"{case.product.micro_rho / 1e6:g}", *(f"{share:.1%}" for share in [*shares, sum(shares)]), false,
        *(f"{error:.3f}" for error in errors), f"{bounded.totals.sum() / case.unit / truth.sum():.3f}",
        *(f"{share:.3f}" for share in coverage),
    ]  # fmt: skip


def _shares(case: Case, released: Estimate, truth: Floats) -> list[float]:
    """Share of the true trips whose pair is published at 6; of all trips, what rows at 5 and at 4 hold."""
    shown = truth[released.levels[2].pairs].sum()
    coarser = (released.levels[level].values.sum() / case.unit for level in (1, 0))
    return [float(part / truth.sum()) for part in (shown, *coarser)]


def _coverage(case: Case, bounded: Bounded, level: int, measured: LevelMeasurements) -> float:
    """Share of all measured pairs whose 95 % interval holds the bounded total."""
    keys = bounded.keys
    for finer in range(2, level, -1):
        keys = case.tree.parents(finer, keys)
    exact = np.bincount(keys, weights=bounded.totals, minlength=case.tree.size(level) ** 2)[measured.pairs]
    return float(np.mean(np.abs(measured.values - exact) < 1.96 * measured.sigma))


def main() -> None:
    """Print one row a price."""
    week = simulate()
    tree = PairTree(ZoneTree(week.cells, (4, 5, 6)))
    product = Policy.load().product("od_trips", PeriodKind.WEEK)
    table = Table(*COLUMNS, title="Weekly OD, 500,000 simulated subscribers: share of flow shown, errors at res 6")
    for rho in (product.micro_rho, 30_000):
        levels = tuple(LevelPolicy(n.resolution, n.micro_rho * rho // product.micro_rho, n.c2) for n in product.levels)
        priced = ProductPolicy(**{**vars(product), "micro_rho": sum(n.micro_rho for n in levels), "levels": levels})
        table.add_row(*row(Case(week, tree, priced)))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
