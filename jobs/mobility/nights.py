"""Nights: where a subscriber was last seen between an evening and the morning after."""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.points import seen_points
from privacy.policy import MobilityPolicy, ResidencePolicy
from privacy.unit import PrivacyMonth
from schemas.nights import NIGHTS
from schemas.subscriber_days import CELL_MASK, SECOND_SHIFT

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600


def nights(
    days: DataFrame,
    month: PrivacyMonth,
    *,
    residence: ResidencePolicy,
    mobility: MobilityPolicy,
    partitions: int,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per subscriber, privacy month and cell in which it spent a night: contract `nights`.

    A night bears the day on which it ends. Its place is that of its last point: of those before `night_to_h` on that
    day where there are any, else of those from `night_from_h` on the day before. The night that ends on the month's
    first day knows that morning only.

    Args:
        days: `subscriber_days` of days of the month, and of no other.
        month: The month.
        residence: When a night begins and ends.
        mobility: Who is a machine.
        partitions: Of the exchange by subscriber.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's days of one privacy month only.

    Source: UN handbook on mobile phone data for migration statistics (19:00 to 06:59); docs/methods/residence.md.
    """
    points = night_points(
        days, first_day=month.first_day, last_days=[month.last_day], residence=residence, mobility=mobility,
        unseen=unseen,
    )  # fmt: skip
    people = (
        points.repartition(partitions, "subscriber")
        .groupBy("subscriber")
        .agg(
            F.sort_array(F.collect_list("point")).alias("path"),
            F.max_by("sex", "point").alias("sex"),
            F.max_by("age_band", "point").alias("age_band"),
        )
    )
    spent = _last_points(people, residence).groupBy("subscriber", "cell_index", "sex", "age_band")
    found = spent.agg(
        F.count(F.lit(1)).alias("nights"),
        F.sum(F.expr("shiftleft(1L, cast(night as int))")).alias("night_bits"),  # each night once: a sum is an or
    )
    # An expression, because Sail takes the column that was grouped by first for unique, even after an explode.
    subscriber = F.col("subscriber") + F.lit(0).cast("bigint")
    return NIGHTS.conform(found.withColumns({"subscriber": subscriber, "privacy_month": F.lit(str(month))}))


def night_points(
    days: DataFrame,
    *,
    first_day: date,
    last_days: Collection[date],
    residence: ResidencePolicy,
    mobility: MobilityPolicy,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per subscriber, day and half night in which it was seen: `subscriber, sex, age_band, point`.

    A day has two: its last point before `night_to_h`, and its last one from `night_from_h` on, as `second since
    first_day << 32 | cell index`. Days of machines are left out.

    Args:
        days: Contract `subscriber_days`.
        first_day: From which seconds count.
        last_days: Last days of privacy months: their evenings belong to a night of another month, and count nowhere.
        residence: When a night begins and ends.
        mobility: Who is a machine.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's day only.
    """
    day_s = F.datediff("local_date", F.lit(first_day)).cast("bigint") * _DAY_S
    morning_ends, evening_begins = (_point_at(hour) for hour in (residence.night_to_h, residence.night_from_h))
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select("*", seen_points(unseen).alias("seen"))
    # Sorted in among the points, the morning's end stands one behind its last point. A lambda that looks for that point
    # takes three times as long on Spark, which interprets lambdas.
    marked = people.withColumn("marked", F.sort_array(F.concat("seen", F.array(morning_ends))))
    morning = F.get("marked", (F.array_position("marked", morning_ends) - 2).cast("int"))
    last = F.array_max("seen")
    evening = F.when((last >= evening_begins) & ~F.col("local_date").isin(list(last_days)), last)
    shift = F.shiftleft(day_s, SECOND_SHIFT)
    found = marked.select(
        "subscriber", "sex", "age_band", F.explode(F.array(morning + shift, evening + shift)).alias("point")
    )
    return found.filter(F.col("point").isNotNull())


def _point_at(hour: int) -> Column:
    """What sorts before every point from an hour on, and behind those before it."""
    return F.lit(hour * _HOUR_S << SECOND_SHIFT)


def night_number(point: Column, residence: ResidencePolicy) -> Column:
    """The day, counted from the points' first one, on which the night of a point ends."""
    ahead_s = _DAY_S - residence.night_from_h * _HOUR_S
    return F.floor((F.shiftright(point, SECOND_SHIFT) + ahead_s) / _DAY_S).cast("bigint")


def _last_points(people: DataFrame, residence: ResidencePolicy) -> DataFrame:
    """One row per subscriber and night: `night`, `cell_index`, and the subscriber's stratum.

    A path is sorted, so the last point of a night is the one whose neighbour is of another night.
    """
    after = F.concat(F.slice("path", F.lit(2), F.size("path")), F.array(F.lit(1 << 62)))
    paired = people.select("subscriber", "sex", "age_band", "path", after.alias("after"))
    pairs = paired.select("subscriber", "sex", "age_band", F.explode(F.arrays_zip("path", "after")).alias("pair"))
    night, next_night = (night_number(F.col(f"pair.{name}"), residence) for name in ("path", "after"))
    cell = F.col("pair.path").bitwiseAND(F.lit(CELL_MASK))
    return pairs.filter(night != next_night).select(
        "subscriber", "sex", "age_band", night.alias("night"), cell.alias("cell_index")
    )
