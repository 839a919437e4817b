"""Presence: where subscribers are seen, by time of day, and how many are seen at all."""

from collections.abc import Sequence
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.points import seen_points, with_next
from privacy.policy import MobilityPolicy
from schemas.subscriber_days import CELL_MASK, SECOND_SHIFT

_DAY_S: Final = 86_400


def last_in_bins(
    days: DataFrame,
    *,
    bins: int,
    mobility: MobilityPolicy,
    partitions: int,
    unseen: Sequence[int] = (),
    carried: Sequence[str] = (),
) -> DataFrame:
    """One row per subscriber, bin of the day and cell in which it was last in that bin: on how many `days`.

    Columns: `subscriber, bin, cell_index, days`, and those carried, which part rows. Of points at one second, the last
    is that of the largest cell index.

    Args:
        days: Contract `subscriber_days`.
        bins: Number of bins of equal length that a day is cut into; bin 0 begins at midnight.
        mobility: Who is a machine: its days are left out.
        partitions: Of the exchange by subscriber.
        unseen: Cell indexes whose points are left out, as if there were no tower.
        carried: Further columns of a day.

    Stability: a row depends on one subscriber's days only.
    """
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select(
        "subscriber", *carried, seen_points(unseen)
    )
    found = with_next(people).select(
        "subscriber", *carried, _bin("point", bins), _bin("after", bins).alias("next_bin"), _cell("point")
    )
    lasts = found.filter(F.col("bin") != F.col("next_bin")).repartition(partitions, "subscriber")
    return lasts.groupBy("subscriber", *carried, "bin", "cell_index").agg(F.count(F.lit(1)).alias("days"))


def last_of_day(days: DataFrame, *, mobility: MobilityPolicy, unseen: Sequence[int] = ()) -> DataFrame:
    """One row per subscriber and day on which it was seen, at the cell of its last point: `subscriber, cell_index`.

    Args:
        days: Contract `subscriber_days`.
        mobility: Who is a machine: its days are left out.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's day only.
    """
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select("subscriber", seen_points(unseen))
    # Exploded, not filtered: Sail pushes a filter by what a lambda left of an array below it, and finds no column.
    last = people.select("subscriber", F.explode(F.array(F.array_max("points"))).alias("point"))
    return last.filter(F.col("point").isNotNull()).select("subscriber", _cell("point"))


def _bin(point: str, bins: int) -> Column:
    second = F.shiftright(point, SECOND_SHIFT)
    return F.floor(second / (_DAY_S // bins)).cast("bigint").alias("bin")


def _cell(point: str) -> Column:
    return F.col(point).bitwiseAND(F.lit(CELL_MASK)).alias("cell_index")
