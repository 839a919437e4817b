"""The ways to release an origin-destination table that are compared, at equal composed budgets.

Each is an own implementation on OpenDP's noise. The Gaussian competitors take the bound that the policy sets on the
finest level, ours included. Those on Laplace noise take the L1 bound under which they show most of the flow while they
keep nine tenths of the trips on the simulator (`python -m tests.benchmarks.release_designs --bounds`): found by looking
at the data again and again, which a real release could not do, so in their favour.

Source of the stability threshold: Korolova, Kenthapadi, Mishra, Ntoulas, Releasing Search Queries and Clicks
    Privately, 2009. Of the false-discovery cut: Benjamini and Hochberg, 1995.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from jobs.evaluation.contributions import (
    Amounts,
    Contributions,
    Floats,
    Integers,
    bounded,
    largest_pairs,
    scaled_to_l1,
    scaled_to_l2,
)
from privacy import mechanisms
from privacy.bounding import LevelBound, period_bounds, squared_bound
from privacy.hierarchy import PairTree
from privacy.policy import LevelPolicy, ProductPolicy
from privacy.shrinkage import shrunk
from privacy.topdown import Judge, as_measured, estimate, measure
from privacy.unit import PeriodKind
from schemas.errors import ConfigError

CUT: Final = 15
"""Trips a day below which the field leaves a pair out (World Bank, FlowKit: "more than 15")."""

_FALSE_DISCOVERIES: Final = 0.01
_NORMAL_95: Final = 1.959964
"""Half width of a 95 % interval of a normal variable, in standard deviations."""

_LAPLACE_95: Final = math.log(20)
"""Half width of a 95 % interval of a Laplace variable, in scales."""


@dataclass(frozen=True)
class Budget:
    """What a release may cost, said as the loss of all releases of a privacy month together.

    Args:
        micro_rho: Loss of one release in millionths of rho.
        releases: Releases of the same kind that one privacy month holds.
        delta: The delta at which designs of different kinds are held equal.
    """

    micro_rho: int
    releases: int
    delta: float

    def __post_init__(self) -> None:
        if self.micro_rho < 1 or self.releases < 1 or not 0 < self.delta < 1:
            raise ConfigError(
                f"A budget of {self.micro_rho} micro-rho, {self.releases} releases and delta {self.delta}.",
                "whole numbers above zero, and a delta between 0 and 1",
                "write it as --budgets 23000,30000",
            )

    @classmethod
    def of_epsilon(cls, epsilon: float, delta: float, releases: int = 1) -> "Budget":
        """The largest budget whose composed loss is at most (epsilon, delta)."""
        return cls(_largest_micro_rho(epsilon, delta, releases), releases, delta)

    @property
    def epsilon(self) -> float:
        """Epsilon of all releases together."""
        return mechanisms.epsilon(self.micro_rho * self.releases, self.delta)

    @property
    def pure_epsilon(self) -> float:
        """The most favourable epsilon of one purely private release: by basic composition, or through zCDP.

        Source: an epsilon-private mechanism is epsilon^2 / 2-zCDP (Bun and Steinke 2016, Proposition 1.4).
        """
        return max(self.epsilon / self.releases, self.epsilon_through_zcdp)

    @property
    def epsilon_through_zcdp(self) -> float:
        """Epsilon of a purely private release whose zCDP loss is this budget's."""
        return math.sqrt(2 * self.micro_rho / mechanisms.MICRO)

    @property
    def beside_a_threshold(self) -> "Budget":
        """The budget of the noise where half of delta goes to thresholds: of equal epsilon, all releases together."""
        return Budget.of_epsilon(self.epsilon, self.delta / 2, self.releases)

    @property
    def threshold_delta(self) -> float:
        """Delta of one release's threshold, where half of delta goes to thresholds."""
        return self.delta / 2 / self.releases


@cache  # every design asks the same question, and each answer takes some thirty conversions
def _largest_micro_rho(epsilon: float, delta: float, releases: int) -> int:
    low, high = 1, 100 * mechanisms.MICRO
    while high - low > 1:
        middle = (low + high) // 2
        fits = mechanisms.epsilon(middle * releases, delta) <= epsilon
        low, high = (middle, high) if fits else (low, middle)
    return low


@dataclass(frozen=True)
class Bounds:
    """The bounds of the Laplace designs and of the thresholds on one subscriber; Gaussian ones take the policy's c2.

    Args:
        l1: Laplace: L1 norm, trips a day.
        pairs: Thresholds: most pairs of one subscriber, between which delta is shared.
    """

    l1: float
    pairs: int = 32


BOUNDS: Final[Mapping[PeriodKind, Bounds]] = {
    PeriodKind.DAY: Bounds(l1=4.0),
    PeriodKind.WEEK: Bounds(l1=2.0),
    PeriodKind.MONTH: Bounds(l1=2.0),
}
"""By length of the period; a day's trips are not averaged."""


@dataclass(frozen=True)
class Guarantee:
    """What one release proves about one subscriber.

    Args:
        loss: The privacy loss in words; of one release.
        norm: Norm in which a subscriber is bounded: L1 or L2; empty without a guarantee.
        sensitivity: The bound, trips a day; at the finest level.
        noise_sd: Standard deviation of the noise of one value, trips a day; at the finest level.
        threshold: Value from which a pair is shown, trips a day; 0 where every measured pair is.
        threshold_delta: Probability that a pair of one subscriber alone is shown; 0 over a public domain.
    """

    loss: str
    norm: str
    sensitivity: float
    noise_sd: float
    threshold: float
    threshold_delta: float = 0.0


@dataclass(frozen=True)
class Values:
    """Values of pairs of one level with their 95 % intervals, trips a day.

    Args:
        pairs: Pair numbers of the level, sorted.
        values: Estimates.
        half: Half widths of the intervals; NaN where a design states none.
    """

    pairs: Integers
    values: Floats
    half: Floats

    @classmethod
    def none(cls) -> "Values":
        """No value at all."""
        return cls(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))

    def where(self, shown: npt.NDArray[np.bool_]) -> "Values":
        """Those of some pairs."""
        return Values(self.pairs[shown], self.values[shown], self.half[shown])


@dataclass(frozen=True)
class Outcome:
    """What one design made of a period.

    Args:
        design: Its name.
        guarantee: What it proves.
        bounded: Pairs of the finest level and their totals after bounds, before noise, trips a day.
        measured: All noisy values, by level from coarse to fine.
        shown: What is published, by level; a coarse row holds what no finer row of its pair does.
        remainder: What no row holds, where a design releases it.
    """

    design: str
    guarantee: Guarantee
    bounded: tuple[Integers, Floats]
    measured: tuple[Values, ...]
    shown: tuple[Values, ...]
    remainder: float | None = None


@dataclass(frozen=True)
class Setting:
    """What every design is given.

    Args:
        entries: What everybody did.
        tree: The public pairs.
        product: The policy of the product, whose levels the top-down release takes.
        budget: What it may cost.
        bounds: Bounds of the competitors.
    """

    entries: Contributions
    tree: PairTree
    product: ProductPolicy
    budget: Budget
    bounds: Bounds

    @property
    def domain(self) -> Integers:
        """All pairs of the finest level that can hold a trip."""
        pairs = self.tree.roots()
        for level in range(1, len(self.tree.zones.levels)):
            pairs = self.tree.children(level, pairs)
        return pairs


Design = Callable[[Setting], Outcome]


def suppression(setting: Setting) -> Outcome:
    """No noise, as the field does: pairs with k = 15 subscribers or more, exactly as counted.

    Not private: a pair that falls from 15 to 14 tells that one person is missing (differencing).
    """
    pairs, trips = setting.entries.exact()
    _, people = setting.entries.people()
    exact = Values(pairs, trips, np.full(len(pairs), np.nan))
    proves = Guarantee("none", "", 0.0, 0.0, CUT)
    return _flat("k = 15 suppression", setting, proves, (pairs, trips), exact, people >= CUT)


def laplace_all_pairs(setting: Setting) -> Outcome:
    """Laplace noise on every pair of the domain; what is positive is shown. L1 bound; pure epsilon."""
    return _laplace_over_the_domain("all-pairs Laplace", setting, 0.0)


def laplace_cut(setting: Setting) -> Outcome:
    """Laplace noise on every pair of the domain, cut at 15 trips a day. L1 bound; pure epsilon."""
    return _laplace_over_the_domain("all-pairs Laplace, cut at 15", setting, float(CUT))


def gaussian_fdr(setting: Setting) -> Outcome:
    """Gaussian noise on every pair of the domain, cut where 1 % of the pairs shown can be empty. L2 bound; zCDP."""
    bound = _l2_bound(setting)
    amounts = scaled_to_l2(setting.entries, setting.tree, (bound,))
    noisy, sigma = _gaussian(amounts, bound, setting.budget.micro_rho, setting.domain)
    cut = false_discovery_cut(noisy.values, sigma / amounts.unit)
    proves = _zcdp(setting.budget, bound, sigma, amounts.unit, cut)
    return _flat("all-pairs Gaussian, 1 % false", setting, proves, _a_day(amounts), noisy, noisy.values >= cut)


def laplace_threshold(setting: Setting) -> Outcome:
    """Laplace noise on the pairs that occur, shown from a stability threshold. L0 and L1 bounds; (epsilon, delta).

    Where basic composition is the better account of pure epsilon, the whole of delta is the threshold's.
    """
    budget, bounds = setting.budget, setting.bounds
    epsilon, delta = max(
        (budget.epsilon / budget.releases, budget.delta / budget.releases),
        (budget.beside_a_threshold.epsilon_through_zcdp, budget.threshold_delta),
    )
    amounts = scaled_to_l1(largest_pairs(setting.entries, bounds.pairs), bounds.l1)
    noisy, scale = _laplace(amounts, bounds.l1, epsilon, amounts.totals()[0])
    most = int(bounds.l1 * amounts.unit)
    cut = laplace_stability_threshold(scale, most=most, pairs=bounds.pairs, delta=delta) / amounts.unit
    proves = _pure(epsilon, bounds.l1, scale / amounts.unit, cut, delta)
    return _flat("Laplace threshold", setting, proves, _a_day(amounts), noisy, noisy.values >= cut)


def gaussian_threshold(setting: Setting) -> Outcome:
    """Gaussian noise on the pairs that occur, shown from a stability threshold. L0 and L2 bounds; (epsilon, delta).

    Half of delta pays for thresholds, half for turning rho into epsilon.
    """
    budget, bounds = setting.budget.beside_a_threshold, setting.bounds
    delta, bound = setting.budget.threshold_delta, _l2_bound(setting)
    amounts = scaled_to_l2(largest_pairs(setting.entries, bounds.pairs), setting.tree, (bound,))
    noisy, sigma = _gaussian(amounts, bound, budget.micro_rho, amounts.totals()[0])
    most = math.isqrt(bound.squared)
    cut = gaussian_stability_threshold(sigma, most=most, pairs=bounds.pairs, delta=delta) / amounts.unit
    proves = replace(_zcdp(budget, bound, sigma, amounts.unit, cut), threshold_delta=delta)
    return _flat("Gaussian threshold", setting, proves, _a_day(amounts), noisy, noisy.values >= cut)


def gaussian_corrected(setting: Setting) -> Outcome:
    """Gaussian noise on every pair of the domain, with our correction for the cut: a hierarchy of one level. zCDP.

    What the levels of a top-down release add is what it shows beyond this.
    """
    zones, product = setting.tree.zones, setting.product
    alone = replace(product.levels[-1], micro_rho=product.micro_rho)
    flat = replace(
        setting,
        tree=PairTree(replace(zones, resolutions=zones.resolutions[-1:])),
        product=ProductPolicy(**{**vars(product), "levels": (alone,)}),
    )
    made = _top_down("all-pairs Gaussian, corrected", flat, shrunk)
    coarser = (Values.none(),) * (len(product.levels) - 1)
    return replace(made, measured=(*coarser, *made.measured), shown=(*coarser, *made.shown))


def top_down_as_measured(setting: Setting) -> Outcome:
    """Ours without its correction for the cut: values as they were measured, shown from four standard deviations."""
    product = ProductPolicy(**{**vars(setting.product), "publish_sigma": 4.0})
    return _top_down("top-down, cut at 4 sd", replace(setting, product=product), as_measured)


def top_down(setting: Setting) -> Outcome:
    """Ours: `privacy.topdown` under the levels, bounds and cuts of the policy, at the budget's price. zCDP."""
    return _top_down("top-down (ours)", setting, shrunk)


def _top_down(name: str, setting: Setting, judge: Judge) -> Outcome:
    product = priced(setting.product, setting.budget.micro_rho)
    bounds = period_bounds(product.levels, days=setting.entries.days)
    amounts, unit = scaled_to_l2(setting.entries, setting.tree, bounds), setting.entries.unit

    def draw(level: int, totals: Integers) -> tuple[Integers, float]:
        rho = product.levels[level].micro_rho
        return mechanisms.discrete_gaussian(totals, l2_sensitivity=bounds[level].l2, micro_rho=rho)

    measured = measure(bounded(amounts, bounds), setting.tree, draw, expand_sigma=product.expand_sigma)
    found = estimate(measured, setting.tree, publish_sigma=product.publish_sigma, judge=judge)
    sigma = measured[-1].sigma
    return Outcome(
        design=name,
        guarantee=_zcdp(setting.budget, bounds[-1], sigma, unit, product.publish_sigma * sigma / unit),
        bounded=_a_day(amounts),
        measured=tuple(_values(m.pairs, m.values, np.full(len(m.pairs), m.sigma), unit) for m in measured),
        shown=tuple(_values(rows.pairs, rows.values, rows.sd, unit) for rows in found.levels),
        remainder=found.remainder / unit,
    )


DESIGNS: Final[Mapping[str, Design]] = {
    "suppression": suppression,
    "laplace_all_pairs": laplace_all_pairs,
    "laplace_cut": laplace_cut,
    "gaussian_fdr": gaussian_fdr,
    "gaussian_corrected": gaussian_corrected,
    "laplace_threshold": laplace_threshold,
    "gaussian_threshold": gaussian_threshold,
    "top_down_as_measured": top_down_as_measured,
    "top_down": top_down,
}
"""All designs, ours last."""


def priced(product: ProductPolicy, micro_rho: int) -> ProductPolicy:
    """A product at another price, split between its levels as in the policy; the finest takes what rounding leaves."""
    coarse = [n.micro_rho * micro_rho // product.micro_rho for n in product.levels[:-1]]
    shares = [*coarse, micro_rho - sum(coarse)]
    levels = tuple(LevelPolicy(n.resolution, share, n.c2) for n, share in zip(product.levels, shares, strict=True))
    return ProductPolicy(**{**vars(product), "micro_rho": micro_rho, "levels": levels})


def false_discovery_cut(values: Floats, sd: float, share: float = _FALSE_DISCOVERIES) -> float:
    """The smallest value from which at most a share of the pairs shown can be empty, were all pairs of the domain.

    Post-processing of noisy values, on a grid of 1/100 of their standard deviation.

    Args:
        values: Noisy values of all pairs of the domain.
        sd: Standard deviation of their Gaussian noise.
        share: Expected false pairs over pairs shown.
    """
    steps = np.arange(0, 10, 0.01)
    empty = len(values) * np.array([math.erfc(z / math.sqrt(2)) / 2 for z in steps])
    shown = len(values) - np.searchsorted(np.sort(values), steps * sd)
    fits = empty <= share * np.maximum(shown, 1)
    return float(steps[np.argmax(fits)] * sd)


def laplace_stability_threshold(scale: float, *, most: int, pairs: int, delta: float) -> int:
    """The smallest whole t for which pairs of one subscriber alone are shown with probability delta at most.

    A union bound over the pairs, each with `most` in it: pairs P(noise >= t - most) = pairs q^(t - most) / (1 + q).
    The threshold's "at or above" is the one that delta counts.

    Args:
        scale: Scale of the discrete Laplace noise, in the unit of `most`.
        most: Largest total that one subscriber brings to a pair.
        pairs: Most pairs of one subscriber.
        delta: Probability, of all pairs together.
    """
    q = math.exp(-1 / scale)
    return most + max(1, math.ceil(scale * math.log(pairs / (delta * (1 + q)))))


def gaussian_stability_threshold(sigma: float, *, most: int, pairs: int, delta: float) -> int:
    """As `laplace_stability_threshold`, for discrete Gaussian noise.

    P(discrete >= m) <= P(continuous >= m - 1) for whole m of 1 or more (Canonne, Kamath, Steinke 2020,
    Proposition 25).
    """
    return most + 1 + max(0, math.ceil(-sigma * NormalDist().inv_cdf(delta / pairs)))


def _laplace_over_the_domain(name: str, setting: Setting, cut: float) -> Outcome:
    bound, epsilon = setting.bounds.l1, setting.budget.pure_epsilon
    amounts = scaled_to_l1(setting.entries, bound)
    noisy, scale = _laplace(amounts, bound, epsilon, setting.domain)
    shown = (noisy.values > 0) & (noisy.values >= cut)
    return _flat(name, setting, _pure(epsilon, bound, scale / amounts.unit, cut), _a_day(amounts), noisy, shown)


def _laplace(amounts: Amounts, bound: float, epsilon: float, keys: Integers) -> tuple[Values, float]:
    """Noisy values of keys, and the scale of their noise in units of a total."""
    totals = _totals_of(amounts, keys)
    noisy, scale = mechanisms.discrete_laplace(totals, l1_sensitivity=int(bound * amounts.unit), epsilon=epsilon)
    half = np.full(len(keys), _LAPLACE_95 * scale / amounts.unit)
    return Values(keys, noisy / amounts.unit, half), scale


def _gaussian(amounts: Amounts, bound: LevelBound, micro_rho: int, keys: Integers) -> tuple[Values, float]:
    totals = _totals_of(amounts, keys)
    noisy, sigma = mechanisms.discrete_gaussian(totals, l2_sensitivity=bound.l2, micro_rho=micro_rho)
    return _values(keys, noisy, np.full(len(keys), sigma), amounts.unit), sigma


def _totals_of(amounts: Amounts, keys: Integers) -> Integers:
    """Exact totals of sorted keys, 0 where nobody went."""
    found, totals = amounts.totals()
    position = np.searchsorted(keys, found)
    result = np.zeros(len(keys), dtype=np.int64)
    result[position] = totals
    return result


def _l2_bound(setting: Setting) -> LevelBound:
    return LevelBound("pair", squared_bound(setting.product.levels[-1].c2, periods=setting.entries.days))


def _a_day(amounts: Amounts) -> tuple[Integers, Floats]:
    pairs, totals = amounts.totals()
    return pairs, totals / amounts.unit


def _values(pairs: Integers, values: Floats | Integers, sd: Floats, unit: int) -> Values:
    return Values(pairs, values / unit, _NORMAL_95 * sd / unit)


def _pure(epsilon: float, bound: float, scale: float, cut: float, delta: float = 0.0) -> Guarantee:
    return Guarantee(f"epsilon {epsilon:.3g}", "L1", bound, math.sqrt(2) * scale, cut, delta)


def _zcdp(budget: Budget, bound: LevelBound, sigma: float, unit: int, cut: float) -> Guarantee:
    return Guarantee(f"rho {budget.micro_rho / mechanisms.MICRO:.3g}", "L2", bound.l2 / unit, sigma / unit, cut)


def _flat(
    name: str,
    setting: Setting,
    proves: Guarantee,
    totals: tuple[Integers, Floats],
    noisy: Values,
    shown: npt.NDArray[np.bool_],
) -> Outcome:
    """An outcome with rows at the finest level alone."""
    coarser = (Values.none(),) * (len(setting.tree.zones.levels) - 1)
    return Outcome(name, proves, totals, (*coarser, noisy), (*coarser, noisy.where(shown)))
