"""Presence: where subscribers are seen, by time of day, and how many are seen at all."""

from collections.abc import Sequence
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from privacy.policy import MobilityPolicy
from schemas.subscriber_days import CELL_MASK, SECOND_SHIFT

_DAY_S: Final = 86_400
_NEVER: Final = 1 << 62
"""A point after every other."""


def last_in_bins(
    days: DataFrame, *, bins: int, mobility: MobilityPolicy, partitions: int, unseen: Sequence[int] = ()
) -> DataFrame:
    """One row per subscriber, bin of the day and cell in which it was last in that bin: on how many `days`.

    Columns: `subscriber, bin, cell_index, days`. Of points at one second, the last is that of the largest cell index.

    Args:
        days: Contract `subscriber_days`.
        bins: Number of bins of equal length that a day is cut into; bin 0 begins at midnight.
        mobility: Who is a machine: its days are left out.
        partitions: Of the exchange by subscriber.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's days only.
    """
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select("subscriber", _seen(unseen))
    # The array shifted against itself: a filter of the array for each bin takes twice as long on Sail.
    after = F.concat(F.slice("points", F.lit(2), F.size("points")), F.array(F.lit(_NEVER)))
    shifted = people.select("subscriber", "points", after.alias("after"))
    pairs = shifted.select("subscriber", F.explode(F.arrays_zip("points", "after")).alias("pair"))
    found = pairs.select(
        "subscriber", _bin("pair.points", bins), _bin("pair.after", bins).alias("next_bin"), _cell("pair.points")
    )
    lasts = found.filter(F.col("bin") != F.col("next_bin")).repartition(partitions, "subscriber")
    return lasts.groupBy("subscriber", "bin", "cell_index").agg(F.count(F.lit(1)).alias("days"))


def last_of_day(days: DataFrame, *, mobility: MobilityPolicy, unseen: Sequence[int] = ()) -> DataFrame:
    """One row per subscriber and day on which it was seen, at the cell of its last point: `subscriber, cell_index`.

    Args:
        days: Contract `subscriber_days`.
        mobility: Who is a machine: its days are left out.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's day only.
    """
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select("subscriber", _seen(unseen))
    last = F.explode(F.array_compact(F.array(F.array_max("points"))))
    return people.select("subscriber", last.alias("point")).select("subscriber", _cell("point"))


def _seen(unseen: Sequence[int]) -> Column:
    if not unseen:
        return F.col("points")
    return F.filter("points", lambda point: ~point.bitwiseAND(F.lit(CELL_MASK)).isin(list(unseen))).alias("points")


def _bin(point: str, bins: int) -> Column:
    second = F.shiftright(point, SECOND_SHIFT)
    return F.floor(second / (_DAY_S // bins)).cast("bigint").alias("bin")


def _cell(point: str) -> Column:
    return F.col(point).bitwiseAND(F.lit(CELL_MASK)).alias("cell_index")
