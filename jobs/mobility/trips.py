"""Trips: consecutive visits of one subscriber in different cells."""

import math
from collections.abc import Sequence
from datetime import date
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.distances import distance_km
from jobs.mobility.points import NEVER, seen_points, with_next
from privacy.policy import MobilityPolicy
from schemas.subscriber_days import CELL_MASK, SECOND_SHIFT

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600


def steps(
    days: DataFrame,
    *,
    first_day: date,
    arrivals_from: date,
    mobility: MobilityPolicy,
    partitions: int,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per two consecutive points of a subscriber: `subscriber`, `before`, `after`.

    Both are `second since first_day << 32 | cell index`. Steps within a day are found where the day stands; only the
    first and the last point of each day are exchanged, to join it to the days within reach of the longest silence: two
    points further apart may be missing. Days of a machine (more than `max_events_a_day` events) are left out: they are
    not a person's.

    Args:
        days: Contract `subscriber_days`.
        first_day: From which seconds count.
        arrivals_from: Day from which `after` counts; points of days before it are only looked at as `before`.
        mobility: The limits.
        partitions: Of the exchange by subscriber.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's days only.
    """
    day = F.datediff("local_date", F.lit(first_day)).cast("bigint")
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select(
        "subscriber", "local_date", day.alias("day"), seen_points(unseen)
    )
    arriving = people.filter(F.col("local_date") >= F.lit(arrivals_from))
    arrived = F.col("day") >= (arrivals_from - first_day).days
    return _within_days(arriving).unionAll(_between_days(people, mobility, partitions).filter(arrived).drop("day"))


def _within_days(people: DataFrame) -> DataFrame:
    pairs = with_next(people.select("subscriber", _midnight().alias("midnight"), "points"))
    before, after = (F.col(name) + F.col("midnight") for name in ("point", "after"))
    return pairs.filter(F.col("after") != NEVER).select("subscriber", before.alias("before"), after.alias("after"))


def _between_days(people: DataFrame, mobility: MobilityPolicy, partitions: int) -> DataFrame:
    """One row per subscriber and `day` with points within reach behind it: the last of those, and the day's first.

    A day tells its last point to the days ahead that a silence can reach. Of what a day is told, the greatest counts:
    no list is made, and no day looks back.
    """
    first, last = (end("points") + _midnight() for end in (F.array_min, F.array_max))
    ends = people.select("subscriber", "day", first.alias("first"), last.alias("last"))
    nothing = F.lit(None).cast("bigint")
    told = [_told(F.col("day"), nothing, F.col("first"))]
    told += [_told(F.col("day") + n, F.col("last"), nothing) for n in range(1, _reach_days(mobility) + 1)]
    exchanged = ends.repartition(partitions, "subscriber").select("subscriber", F.explode(F.array(*told)).alias("told"))
    met = (
        exchanged.select("subscriber", "told.*")
        .groupBy("subscriber", "day")
        .agg(*[F.max(end).alias(end) for end in ("before", "after")])
    )
    return met.filter(F.col("before").isNotNull() & F.col("after").isNotNull())


def _reach_days(mobility: MobilityPolicy) -> int:
    """Days ahead of a point that the longest silence can end on."""
    return math.ceil(mobility.max_gap_h / 24)


def _told(day: Column, before: Column, after: Column) -> Column:
    return F.struct(day.alias("day"), before.alias("before"), after.alias("after"))


def _midnight() -> Column:
    return F.shiftleft(F.col("day") * _DAY_S, SECOND_SHIFT)


def trips_between_visits(subscriber_steps: DataFrame, zones: DataFrame, *, mobility: MobilityPolicy) -> DataFrame:
    """One row per trip: `subscriber`, `arrival_s`, the `origin` and `destination` rows of `zones`, by their columns.

    A trip joins two consecutive points in different cells: the last one seen at the origin and the first one seen at
    the destination. It is left out where the silence between them is longer than `max_gap_h`, and where it would be
    faster than `max_speed_m_s` over more than `min_speed_distance_km`. It counts on the day on which it arrives.

    Args:
        subscriber_steps: From `steps`.
        zones: `cell_index, latitude, longitude` (of the H3 cell's centre) and any columns to carry along, as is the
            cell index: `origin_index`, `destination_index`.
        mobility: The limits.

    Stability: trips of a subscriber depend on its own points only.

    Source: consecutive trips as in FlowKit (Flowminder), without its self-pairs; speed limit as in field practice
    (over 10 km and over 55 m/s).
    """
    located = _moves(subscriber_steps, mobility)
    carried = [name.removeprefix("cell_") for name in zones.columns if name not in {"latitude", "longitude"}]
    for end in ("origin", "destination"):
        located = located.join(F.broadcast(_prefixed(zones, end)), f"{end}_index")
    reachable_m = F.greatest(F.lit(mobility.min_speed_distance_km * 1000), mobility.max_speed_m_s * F.col("gap_s"))
    return located.filter(_distance_km() * 1000 <= reachable_m).select(
        "subscriber", "arrival_s", *[f"{end}_{name}" for end in ("origin", "destination") for name in carried]
    )


def counted_trips(trips: DataFrame, *, mobility: MobilityPolicy, partitions: int) -> DataFrame:
    """One row per subscriber, pair of cells and day of arrival: the trips' columns, `day` for `arrival_s`, `amount`.

    `amount` is how many of these trips count: at most `max_repeats_a_day`. `day` counts from the steps' first day.

    Args:
        trips: `subscriber`, `arrival_s`, `origin_index`, `destination_index`, and columns that follow from the two.
        mobility: The limits.
        partitions: Of the exchange by subscriber.

    Stability: what counts of a subscriber's trips depends on its own points only.

    Source: the distinct subscribers of a pair, as FlowKit (Flowminder) counts them, here a day at a time.
    """
    same = [name for name in trips.columns if name != "arrival_s"]
    gathered = trips.repartition(partitions, "subscriber")
    counted = gathered.groupBy(*same, F.expr(f"arrival_s div {_DAY_S}").alias("day")).agg(
        F.count(F.lit(1)).alias("times")
    )
    amount = F.least("times", F.lit(mobility.max_repeats_a_day).cast("bigint"))
    # An expression, because Sail takes the column that was grouped by for unique even after an explode, and would drop
    # the week from a later grouping by subscriber and week. Behind this grouping, which thus needs no exchange.
    subscriber = (F.col("subscriber") + F.lit(0).cast("bigint")).alias("subscriber")
    others = [name for name in same if name != "subscriber"]
    return counted.select(subscriber, *others, "day", amount.alias("amount"))


def _moves(subscriber_steps: DataFrame, mobility: MobilityPolicy) -> DataFrame:
    """One row per step between different cells, within the gap."""
    pairs = subscriber_steps.select(
        "subscriber",
        _cell("before").alias("origin_index"),
        _cell("after").alias("destination_index"),
        _second("after").alias("arrival_s"),
        (_second("after") - _second("before")).alias("gap_s"),
    )
    return pairs.filter(
        (F.col("origin_index") != F.col("destination_index")) & (F.col("gap_s") <= int(mobility.max_gap_h * _HOUR_S))
    )


def _second(point: str) -> Column:
    return F.shiftright(point, SECOND_SHIFT)


def _cell(point: str) -> Column:
    return F.col(point).bitwiseAND(F.lit(CELL_MASK))


def _prefixed(zones: DataFrame, end: str) -> DataFrame:
    names = {name: f"{end}_{name.removeprefix('cell_')}" for name in zones.columns}
    return zones.select(*[F.col(name).alias(new) for name, new in names.items()])


def _distance_km() -> Column:
    """Distance between the two centres."""
    ends = [F.col(f"{end}_{name}") for end in ("origin", "destination") for name in ("latitude", "longitude")]
    return distance_km(*ends)
