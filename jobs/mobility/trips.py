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

    Both are `second since first_day << 32 | cell index`. Steps within a day are found where the day stands, and of
    those in one cell none is kept. They are exchanged together with the first and the last point of each day, which
    are joined to the days within reach of the longest silence: two points further apart may be missing. Days of a
    machine (more than `max_events_a_day` events) are left out: they are not a person's.

    Args:
        days: Contract `subscriber_days`.
        first_day: From which seconds count.
        arrivals_from: Day from which `after` counts; points of days before it are only looked at as `before`.
        mobility: The limits.
        partitions: Of the exchange by subscriber, and of the result, which stays exchanged by it.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's days only.
    """
    day = F.datediff("local_date", F.lit(first_day)).cast("bigint")
    is_of_person = F.col("events") <= mobility.max_events_a_day
    people = days.filter(is_of_person).select("subscriber", day.alias("day"), seen_points(unseen))
    arrives = F.col("day") >= (arrivals_from - first_day).days
    exchanged = _moves_and_days(people, arrives).repartition(partitions, "subscriber")
    met = (
        exchanged.select("subscriber", F.explode(_tellings(mobility)).alias("told"))
        .select("subscriber", "told.*")
        .groupBy("subscriber", "day", "move")
        .agg(*[F.max(end).alias(end) for end in ("before", "after")])
    )
    met_both = F.col("before").isNotNull() & F.col("after").isNotNull()
    return met.filter(arrives & met_both).select("subscriber", "before", "after")


def _moves_and_days(people: DataFrame, arrives: Column) -> DataFrame:
    """One row per step within a day between different cells, `before` and `after`; and one per day: last and first.

    Both are points of their `day`. A day's `before` is its last point and its `after` the first one, with `NEVER`
    added: what comes round the day. One scan gives both.
    """
    pairs = with_next(people, last=F.get("points", F.lit(0)) + NEVER).withColumnRenamed("point", "before")
    return pairs.filter(_is_day() | (arrives & (_cell("before") != _cell("after"))))


def _is_day() -> Column:
    return F.col("after") >= NEVER


def _tellings(mobility: MobilityPolicy) -> Column:
    """What a row tells: a step itself; a day its first point, and to each day ahead within reach its last.

    Of what a day is told from behind, the greatest counts: no list is made, and no day looks back. A step is told apart
    from others of its day by its `after`, at which no other of them arrives.
    """
    nothing = F.lit(None).cast("bigint")
    before, after = (F.col(end) + _midnight() for end in ("before", "after"))
    ends = [_told(F.col("day"), nothing, nothing, after - NEVER)]
    ends += [_told(F.col("day") + n, nothing, before, nothing) for n in range(1, _reach_days(mobility) + 1)]
    step = _told(F.col("day"), after, before, after)
    return F.when(_is_day(), F.array(*ends)).otherwise(F.array(step))


def _reach_days(mobility: MobilityPolicy) -> int:
    """Days ahead of a point that the longest silence can end on."""
    return math.ceil(mobility.max_gap_h / 24)


def _told(day: Column, move: Column, before: Column, after: Column) -> Column:
    return F.struct(day.alias("day"), move.alias("move"), before.alias("before"), after.alias("after"))


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


def counted_trips(trips: DataFrame, *, mobility: MobilityPolicy) -> DataFrame:
    """One row per subscriber, pair of cells and day of arrival: the trips' columns, `day` for `arrival_s`, `amount`.

    `amount` is how many of these trips count: at most `max_repeats_a_day`. `day` counts from the steps' first day.

    Args:
        trips: `subscriber`, `arrival_s`, `origin_index`, `destination_index`, and columns that follow from the two;
            exchanged by subscriber, as `steps` leaves them, so that no exchange is needed here.
        mobility: The limits.

    Stability: what counts of a subscriber's trips depends on its own points only.

    Source: the distinct subscribers of a pair, as FlowKit (Flowminder) counts them, here a day at a time.
    """
    same = [name for name in trips.columns if name != "arrival_s"]
    counted = trips.groupBy(*same, F.expr(f"arrival_s div {_DAY_S}").alias("day")).agg(F.count(F.lit(1)).alias("times"))
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
