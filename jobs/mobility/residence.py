"""Residence: where a subscriber's nights of a window of privacy months were spent, from coarse zones to fine."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from privacy.policy import ResidencePolicy
from privacy.unit import PrivacyMonth

_NIGHT_BITS: Final = 35
"""Nights of the longest privacy month: a month's position stands above its night bits."""

_RECENCY_BITS: Final = _NIGHT_BITS + 5
"""Room for the nights of 32 months: a number of nights stands above how recent they are."""

_COUNT_BITS: Final = 6
"""Room for the nights of one month, so that those of several can be added side by side in one whole number."""

_MONTHS_A_COUNT: Final = 10
"""Months whose nights fit into one whole number side by side."""


def residence(
    nights: DataFrame,
    zones: DataFrame,
    *,
    months: Sequence[PrivacyMonth],
    policy: ResidencePolicy,
    partitions: int,
    unseen: Sequence[int] = (),
    carried: Sequence[str] = (),
) -> DataFrame:
    """One row per subscriber that has a home: `subscriber`, its `cell_index` and `zone_<level>` at each level.

    The home is decided from coarse to fine, so that levels nest: the zone of the coarsest level with most nights;
    within it the zone of the next level with most; and so on to the cell. Ties go to the zone of the most recent
    night; two zones cannot share that one. There is none where fewer months than `min_month_share` of the window
    hold `min_nights` nights, nor where the coarsest zone does not hold more than `min_share` of all nights.

    Args:
        nights: Contract `nights`, of the window's months and of no other.
        zones: One row a cell index: `cell_index`, and its zone at each level as `zone_<level>`, 0 the coarsest.
        months: The window, in order.
        policy: The limits.
        partitions: Of the exchange by subscriber.
        unseen: Cell indexes in which no night counts.
        carried: Whole-number columns of `nights` that are the same in all rows of a subscriber, to be kept.

    Stability: a row depends on one subscriber's nights only.

    Source: UN handbook on mobile phone data for migration statistics, 5.2.2; docs/methods/residence.md.
    """
    levels = sorted(name for name in zones.columns if name.startswith("zone_"))
    placed = _placed(nights, zones.select("cell_index", *levels), unseen).repartition(partitions, "subscriber")
    best = _of_cells(placed, months, [*levels, *carried])
    for depth in range(len(levels), -1, -1):
        best = _best_within(best, levels[:depth], carried)
    homes = best.filter(_is_home(months, policy)).select("subscriber", "cell_index", *carried)
    return homes.join(F.broadcast(zones.select("cell_index", *levels)), "cell_index")


def _placed(nights: DataFrame, zones: DataFrame, unseen: Sequence[int]) -> DataFrame:
    seen = nights.filter(~F.col("cell_index").isin(list(unseen))) if unseen else nights
    return seen.join(F.broadcast(zones), "cell_index")


def _of_cells(placed: DataFrame, months: Sequence[PrivacyMonth], kept: Sequence[str]) -> DataFrame:
    """One row per subscriber and cell: its nights over the window, how recent they are, and how many each month has."""
    first = months[0].year * 12 + months[0].month
    year, month = F.substring("privacy_month", 1, 4), F.substring("privacy_month", 6, 2)
    rows = placed.withColumn("position", year.cast("bigint") * 12 + month.cast("bigint") - first)
    recency = F.shiftleft("position", _NIGHT_BITS).bitwiseOR(F.col("night_bits"))
    return rows.groupBy("subscriber", *kept, "cell_index").agg(
        F.sum("nights").alias("nights"), F.max(recency).alias("recency"), *_month_counts(len(months))
    )


def _month_counts(n_months: int) -> list[Column]:
    """Nights of each month, six bits a month, side by side in as few whole numbers as hold them.

    Not by grouping first by month: what explodes behind a grouping by subscriber is grouped wrongly by Sail.
    """
    counts = []
    for number in range(math.ceil(n_months / _MONTHS_A_COUNT)):
        place = F.col("position") - number * _MONTHS_A_COUNT
        counted = [F.when(place == n, F.shiftleft("nights", n * _COUNT_BITS)) for n in range(_MONTHS_A_COUNT)]
        counts.append(F.sum(F.coalesce(*counted, F.lit(0).cast("bigint"))).alias(f"counts_{number}"))
    return counts


def _best_within(best: DataFrame, levels: Sequence[str], carried: Sequence[str]) -> DataFrame:
    """One row per subscriber and zone of the last of some levels: its nights, and the home if that zone holds it.

    `largest` is the number of nights in the part that holds the home.
    """
    # Parts of a zone never share a night, so the number with its most recent night below no two of them are equal.
    rank = F.shiftleft("nights", _RECENCY_BITS).bitwiseOR(F.col("recency"))
    counts = [name for name in best.columns if name.startswith("counts_")]
    return best.groupBy("subscriber", *levels, *carried).agg(
        F.max_by("cell_index", rank).alias("cell_index"), F.max("nights").alias("largest"),
        F.sum("nights").alias("nights"), F.max("recency").alias("recency"),
        *[F.sum(name).alias(name) for name in counts],
    )  # fmt: skip


def _is_home(months: Sequence[PrivacyMonth], policy: ResidencePolicy) -> Column:
    """Whether enough months were seen, and the coarsest zone holds enough of the nights; in whole numbers."""
    needed = math.ceil(Fraction(str(policy.min_month_share)) * len(months))
    share = Fraction(str(policy.min_share))
    holds = F.col("largest") * share.denominator > F.col("nights") * share.numerator
    return (_covered_months(len(months), policy.min_nights) >= needed) & holds


def _covered_months(n_months: int, min_nights: int) -> Column:
    covered = F.lit(0)
    for month in range(n_months):
        number, place = divmod(month, _MONTHS_A_COUNT)
        counts = F.shiftright(f"counts_{number}", place * _COUNT_BITS).bitwiseAND(F.lit((1 << _COUNT_BITS) - 1))
        covered = covered + F.when(counts >= min_nights, 1).otherwise(0)
    return covered
