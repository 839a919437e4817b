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
    weighted = contribution_weights(contributions, bounds, partitions=partitions)
    rows = weighted.select("weight", F.explode("rows").alias("row"))
    amounts = rows.select(F.col("row.key"), (F.col("weight") * F.col("row.amount")).alias("n"))
    return amounts.groupBy("key").agg(F.sum("n").alias("total"))


def single_totals(contributions: DataFrame, bounds: Sequence[LevelBound]) -> DataFrame:
    """One row per finest key, as of `bounded_totals`, where a subscriber contributes one, under one key.

    Nobody contributes more, whatever the rows: of several of a subscriber, the one of the largest key counts. So its
    vector has one entry at every level, and everybody has the same weight: the largest that keeps every bound. No list
    of anybody's rows is made, which costs an engine more than all the rest.

    Args:
        contributions: `subscriber`, and the key of the last of `bounds` (long).
        bounds: From coarse to fine.

    Returns:
        `key`, `total`.

    Stability: as of `bounded_totals` (proofs/bounding.md).
    """
    weight = min(FIXED_POINT, *(math.isqrt(bound.squared) for bound in bounds))
    # No exchange by a number of partitions: an engine that chooses it takes few for few rows.
    single = contributions.groupBy("subscriber").agg(F.max(bounds[-1].key).alias("key"))
    return single.groupBy("key").agg((F.count(F.lit(1)) * F.lit(weight)).cast("bigint").alias("total"))


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
        `subscriber`, `by`, `rows` (array of `key`, the finest, and `amount`, a key once), their `amount` in all,
        `weight` in 1/1024, at most 1024.
    """
    finest, squared = len(bounds) - 1, F.col("amount") * F.col("amount")
    totals = _totals_by_level(contributions.repartition(partitions, "subscriber"), bounds, by)
    row = F.when(F.col("level") == finest, F.struct("key", "amount"))
    grouped = totals.groupBy("subscriber", *by).agg(
        F.collect_list(row).alias("rows"),
        F.sum(F.when(F.col("level") == finest, F.col("amount"))).alias("amount"),
        *[F.sum(F.when(F.col("level") == n, squared)).alias(f"norm_{n}") for n in range(len(bounds))],
    )
    weights = [_largest_weight(F.col(f"norm_{n}"), bound.squared) for n, bound in enumerate(bounds)]
    return grouped.select("subscriber", *by, "rows", "amount", F.least(_long(FIXED_POINT), *weights).alias("weight"))


def _totals_by_level(contributions: DataFrame, bounds: Sequence[LevelBound], by: Sequence[str]) -> DataFrame:
    """One row per subscriber, value of `by`, `level` and `key` there: the `amount` contributed, by plain hash grouping.

    No lambda over a subscriber's rows: Spark interprets lambdas.
    """
    keys = [_long(0) if bound.key == EVERYTHING else F.col(bound.key) for bound in bounds]
    levels = [F.struct(F.lit(n).alias("level"), key.alias("key")) for n, key in enumerate(keys)]
    at_levels = contributions.select("subscriber", *by, "amount", F.explode(F.array(*levels)).alias("at"))
    return (
        at_levels.select("subscriber", *by, "amount", "at.level", "at.key")
        .groupBy("subscriber", *by, "level", "key")
        .agg(F.sum("amount").alias("amount"))
    )


def _largest_weight(norm: Column, squared: int) -> Column:
    """Largest integer w <= 1025 with w^2 norm <= squared; the square root's rounding is corrected in integers."""
    root = F.floor(F.sqrt(F.lit(float(squared)) / F.greatest(norm, _long(1)))).cast("bigint")
    capped = F.least(root, _long(FIXED_POINT + 1))
    return capped - F.when(capped * capped * norm > squared, 1).otherwise(0)


def _long(value: int) -> Column:
    return F.lit(value).cast("bigint")


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
