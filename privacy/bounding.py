"""Contribution bounds: what one subscriber can add to a release, before any noise."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from privacy.hierarchy import Indices
from privacy.policy import LevelPolicy
from schemas.errors import UnboundedContributionError

FIXED_POINT: Final = 1024
"""Units of a contribution of one: weights are multiples of 1/1024, so that sums are exact integers."""

EVERYTHING: Final = "everything"
"""Key of a bound on all that a subscriber contributes: one key for every row, so no table has a larger norm."""


@dataclass(frozen=True)
class LevelBound:
    """The bound on one subscriber's vector at one level of a hierarchy.

    Args:
        key: Column that holds the key of a contribution at this level.
        squared: Largest squared L2 norm, in (1/1024 of a contribution) squared.
    """

    key: str
    squared: int

    def __post_init__(self) -> None:
        # A weight times a norm must not overflow a 64-bit integer when it is squared.
        if not 0 < self.squared < 2**53:
            raise UnboundedContributionError(
                f"The squared bound of {self.key} is {self.squared}.", "between 1 and 2^53"
            )

    @property
    def l2(self) -> float:
        """L2 sensitivity for adding or removing a subscriber; never rounded down."""
        root = math.sqrt(self.squared)
        return root if root * root >= self.squared else math.nextafter(root, math.inf)


def squared_bound(c2: float, *, periods: int) -> int:
    """Return a policy's c^2, in (contributions a day)^2, as a squared norm of totals over days, in fixed point."""
    return math.floor(c2 * (FIXED_POINT * periods) ** 2)


def period_bounds(levels: Iterable[LevelPolicy], *, days: int) -> tuple[LevelBound, ...]:
    """Return the bounds of a policy's levels, coarse to fine, for totals over a number of days."""
    return tuple(LevelBound(f"key_{level.resolution}", squared_bound(level.c2, periods=days)) for level in levels)


def bounded_totals(contributions: DataFrame, bounds: Sequence[LevelBound], *, partitions: int) -> DataFrame:
    """One row per finest key: the sum of the subscribers' weighted contributions, in 1/1024.

    Each subscriber gets one weight w/1024, the largest for which the vector of its totals keeps the bound at every
    level; applied to all levels, so that a coarse total is the sum of its fine ones. The weight is found in integers:
    w^2 S <= squared bound, S being the sum of squared totals of the subscriber at the level.

    Args:
        contributions: `subscriber`, the key columns of `bounds` (longs; but for `EVERYTHING`, which has none), `amount`
            (long, not negative).
        bounds: From coarse to fine; the last one's key is that of the result.
        partitions: Of the exchange by subscriber.

    Returns:
        `key`, `total`.

    Stability: adding or removing a subscriber changes the totals, rolled up to any level, by at most that level's
    bound in L2 (proofs/bounding.md).
    """
    keys = [bound.key for bound in bounds]
    weighted = contribution_weights(contributions, bounds, partitions=partitions)
    rows = weighted.select("weight", F.explode("rows").alias("row"))
    amounts = rows.select(F.col(f"row.{keys[-1]}").alias("key"), (F.col("weight") * F.col("row.amount")).alias("n"))
    return amounts.groupBy("key").agg(F.sum("n").alias("total"))


def contribution_weights(
    contributions: DataFrame, bounds: Sequence[LevelBound], *, by: Sequence[str] = (), partitions: int
) -> DataFrame:
    """One row per subscriber, and per value of `by`: its contributions, and the weight that keeps every bound.

    Args:
        contributions: As for `bounded_totals`, and the columns of `by`.
        bounds: As for `bounded_totals`.
        by: What parts a subscriber's contributions into vectors that are bounded each on its own, such as weeks.
        partitions: Of the exchange by subscriber.

    Returns:
        `subscriber`, `by`, `rows` (array of the keys and the amount), `weight` in 1/1024, at most 1024.
    """
    keys = [bound.key for bound in bounds if bound.key != EVERYTHING]
    grouped = (
        contributions.repartition(partitions, "subscriber")
        .groupBy("subscriber", *by)
        .agg(F.collect_list(F.struct(*keys, "amount")).alias("rows"))
    )
    # Norms and weight are columns of their own, because an engine evaluates a shared expression at each mention.
    norms = [_squared_norm(bound.key).alias(f"norm_{bound.key}") for bound in bounds]
    normed = grouped.select("subscriber", *by, "rows", *norms)
    weights = [_largest_weight(F.col(f"norm_{bound.key}"), bound.squared) for bound in bounds]
    return normed.select("subscriber", *by, "rows", F.least(_long(FIXED_POINT), *weights).alias("weight"))


def _largest_weight(norm: Column, squared: int) -> Column:
    """Largest integer w <= 1025 with w^2 norm <= squared; the square root's rounding is corrected in integers."""
    root = F.floor(F.sqrt(F.lit(float(squared)) / F.greatest(norm, _long(1)))).cast("bigint")
    capped = F.least(root, _long(FIXED_POINT + 1))
    return capped - F.when(capped * capped * norm > squared, 1).otherwise(0)


def _long(value: int) -> Column:
    return F.lit(value).cast("bigint")


def _squared_norm(key: str) -> Column:
    """Sum over keys of the squared total of a subscriber's rows, in one pass over its sorted keys.

    A run of equal keys adds n (2 t - n) when a row of amount n brings its total to t: the telescoping of t^2.
    """
    if key == EVERYTHING:
        return F.aggregate("rows", _long(0), lambda total, row: total + row["amount"], lambda total: total * total)

    def step(state: Column, row: Column) -> Column:
        total = F.when(state["key"] == row["key"], state["total"] + row["n"]).otherwise(row["n"])
        squared = state["squared"] + row["n"] * (2 * total - row["n"])
        return F.struct(row["key"].alias("key"), total.alias("total"), squared.alias("squared"))

    rows = F.sort_array(F.transform("rows", lambda row: F.struct(row[key].alias("key"), row["amount"].alias("n"))))
    nothing = F.struct(_long(-1).alias("key"), _long(0).alias("total"), _long(0).alias("squared"))
    return F.aggregate(rows, nothing, step, lambda state: state["squared"])


@dataclass(frozen=True)
class Bounded:
    """Exact totals whose dependence on any one subscriber is bounded: confidential, and fit to be measured.

    Not a `Release`: no function that publishes takes it.

    Args:
        keys: Finest keys with a total, sorted, each once.
        totals: In the unit of the bounds: 1/1024 of a contribution where contributions are weighted, else whole ones.
        bounds: The bounds kept, coarse to fine.
    """

    keys: Indices
    totals: npt.NDArray[np.int64]
    bounds: tuple[LevelBound, ...]

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.totals) or bool(np.any(np.diff(self.keys) <= 0)):
            raise UnboundedContributionError("The keys of an exact table are not sorted, or one stands twice.")
