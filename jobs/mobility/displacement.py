"""Displacement: where the residents of a stricken area spend their nights, day by day.

A resident is known by its own nights of the month before the event, and followed by its own nights since. Nobody's
records say anything about anybody else: the area, the cells and the calendar are public.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.distances import distance_km
from jobs.mobility.nights import night_number, night_points
from jobs.mobility.residence import residence
from privacy.displaced import DisplacementPlan
from privacy.policy import AwayPolicy, Policy
from privacy.unit import Period, PrivacyMonth
from schemas.displacement import (
    AWAY,
    HOME,
    RESIDENT_STATUSES,
    SIGHTS,
    SIGHTS_A_NIGHT,
    SILENT,
    TRANSITIONS,
)
from schemas.subscriber_days import CELL_MASK, SECOND_SHIFT

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_WEEKDAYS: Final = 7
_CELL_BITS: Final = SECOND_SHIFT
"""A number of nights stands above the bits of a cell index, as a second does in a point."""

_MONTH_BITS: Final = 35
"""Nights of the longest privacy month."""


def days_for(period: Period, *, nights: int) -> tuple[date, ...]:
    """Return the days that the statuses of a period can come from.

    The first day's status before is that of the day before; it looks back as many nights as are carried forward, and
    the first of these nights begins on the evening before.

    Args:
        period: Whose days are told.
        nights: Nights for which the last one seen counts, itself included.
    """
    first = period.first_day - timedelta(days=nights + 1)
    return tuple(first + timedelta(n) for n in range((period.last_day - first).days + 1))


def resident_statuses(
    nights: DataFrame,
    days: DataFrame,
    cells: DataFrame,
    plan: DisplacementPlan,
    *,
    policy: Policy,
    partitions: int,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per resident of an event's area and day of a period: contract `resident_statuses`.

    Args:
        nights: Contract `nights`, of the baseline month and of no other.
        days: `subscriber_days` of the days in `days_for(plan.period)`.
        cells: One row a cell index: `cell_index, latitude, longitude`, its zone at each level of residence as
            `zone_<level>`, and its position among the affected cells as `home`, missing elsewhere.
        plan: What is released: its period, baseline and domain.
        policy: What a night, a home and an absence are.
        partitions: Of the exchanges by subscriber.
        unseen: Cell indexes of withheld places, whose nights are left out.

    Stability: rows of a subscriber depend on its own nights and days only.
    """
    seen = nights.filter(~F.col("cell_index").isin(list(unseen))) if unseen else nights
    levels = [name for name in cells.columns if name.startswith("zone_")]
    lived = residence(
        seen, cells.select("cell_index", *levels), months=[plan.baseline], policy=policy.baseline_residence,
        partitions=partitions,
    )  # fmt: skip
    affected = F.broadcast(cells.filter(F.col("home").isNotNull()).select("cell_index"))
    homes = lived.join(affected, "cell_index").select("subscriber", F.col("cell_index").alias("home_index"))
    looked_at = days_for(plan.period, nights=policy.away.carry_forward_nights)
    points = followed_nights(
        days, looked_at, domain=len(plan.zones.base_cells), policy=policy, partitions=partitions, unseen=unseen
    )
    expected = habits(seen, cells, away=policy.away, partitions=partitions)
    return statuses(homes, expected, points, cells, first_day=looked_at[0], period=plan.period, policy=policy)


def followed_nights(
    days: DataFrame,
    looked_at: Sequence[date],
    *,
    domain: int,
    policy: Policy,
    partitions: int,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per subscriber seen at night on some days: its `points`, those of `night_points`, in no order.

    A night is made of one privacy month's days, so that removing a month takes no other month's nights away.

    Args:
        days: Contract `subscriber_days`.
        looked_at: These days, in order; seconds count from the first.
        domain: Number of cells of the release: a higher index was built since, and its nights count nowhere.
        policy: The hours of a night, and who is a machine.
        partitions: Of the exchange by subscriber.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's days only.
    """
    month_ends = sorted({PrivacyMonth.of(day).last_day for day in looked_at})
    seen = night_points(
        days, first_day=looked_at[0], last_days=month_ends, residence=policy.residence, mobility=policy.mobility,
        unseen=unseen,
    )  # fmt: skip
    return (
        seen.filter(F.col("point").bitwiseAND(F.lit(CELL_MASK)) < domain)
        .select("subscriber", "point")
        .repartition(partitions, "subscriber")
        .groupBy("subscriber")
        .agg(F.collect_list("point").alias("points"))
    )


def habits(nights: DataFrame, cells: DataFrame, *, away: AwayPolicy, partitions: int) -> DataFrame:
    """One row per subscriber: its places by weekday, `expected`: seven cell indexes, Monday first.

    A weekday's place is the cell that holds more than half of the month's nights seen on that weekday, and at least
    `min_weekday_nights` of them; nothing where there is none. A night's weekday is that of the day on which it ends.

    Args:
        nights: Contract `nights`, of the baseline month.
        cells: `cell_index`; nights elsewhere are left out.
        away: The limits.
        partitions: Of the exchange by subscriber.

    Stability: a row depends on one subscriber's nights only.
    """
    seen = nights.join(F.broadcast(cells.select("cell_index")), "cell_index")
    counts = [F.bit_count(F.col("night_bits").bitwiseAND(F.lit(_bits_of(w)))).cast("bigint") for w in range(_WEEKDAYS)]
    named = [count.alias(f"n_{w}") for w, count in enumerate(counts)]
    counted = seen.select("subscriber", "cell_index", *named).repartition(partitions, "subscriber")
    # A number above its cell in one long: an engine compares numbers many times faster than structs. No tie is chosen,
    # because at most one cell holds more than half.
    packed = [F.shiftleft(f"n_{w}", _CELL_BITS).bitwiseOR(F.col("cell_index")) for w in range(_WEEKDAYS)]
    tops = [F.max(pack).alias(f"top_{w}") for w, pack in enumerate(packed)]
    totals = [F.sum(f"n_{w}").alias(f"of_{w}") for w in range(_WEEKDAYS)]
    usual = [_usual_cell(w, away.min_weekday_nights) for w in range(_WEEKDAYS)]
    return counted.groupBy("subscriber").agg(*tops, *totals).select("subscriber", F.array(*usual).alias("expected"))


def statuses(
    homes: DataFrame,
    expected: DataFrame,
    points: DataFrame,
    cells: DataFrame,
    *,
    first_day: date,
    period: Period,
    policy: Policy,
) -> DataFrame:
    """One row per resident and day of the period: contract `resident_statuses`.

    A day's location is the last point of the most recent night seen among its own and the `carry_forward_nights - 1`
    before it; where there is none, the subscriber is silent. It is at home where the location is nearer than
    `min_away_km` to the home, or to the usual place of the weekday of that night; else away. In a night in which the
    operator's feed has all towers of the home down, it is at home up to `reach_km`: a phone that never moved is then
    served from the nearest zone that stands. The sight is of the night that ends on the day alone: whether it was seen,
    and whether the home was in the dark in it.

    Args:
        homes: Residents of the area: `subscriber, home_index`.
        expected: From `habits`.
        points: From `followed_nights`.
        cells: `cell_index, latitude, longitude`; and, where the operator has an outage feed, `reach_km`, one number a
            night from the first day on (`jobs.mobility.dark`).
        first_day: From which the points' seconds count.
        period: Whose days are told.
        policy: The hours of a night, and the limits.

    Stability: rows of a subscriber depend on its own nights and days only.

    Source: Flowminder's displaced residents (current night location elsewhere); expectation by weekday as in arXiv
    2604.21457; ours is the subscriber's own and counts nights.
    """
    known = homes.join(_homes(cells), "home_index").join(expected, "subscriber")
    followed = known.join(points, "subscriber", "left")
    numbers = [(day - first_day).days for day in period.days]
    told = [
        F.struct(F.lit(n).alias("n"), *[_last_night(n - back, policy).alias(name) for name, back in _BACK])
        for n in numbers
    ]
    rows = followed.select("*", F.explode(F.array(*told)).alias("day"))
    of_home = [name for name in rows.columns if name.startswith("home_")]
    found = rows.select("subscriber", *of_home, "expected", "day.*")
    for name, _ in _BACK:
        found = _with_status(found, name, cells, first_day, policy)
    return RESIDENT_STATUSES.conform(
        found.select(
            "subscriber",
            F.date_add(F.lit(first_day), F.col("n")).alias("local_date"),
            "home_index",
            F.col("now_index").alias("cell_index"),
            F.col("before_status").alias("previous_status"),
            F.col("now_status").alias("status"),
            _sight(found, policy).alias("sight"),
        )
    )


def keyed_statuses(told: DataFrame, cells: DataFrame, *, silent: int) -> DataFrame:
    """One row per resident and day: `subscriber`, `key`, `amount` 1.

    The key is `((home * (n + 1) + location) * 9 + 3 * previous status + status) * 6 + sight`.

    Args:
        told: Contract `resident_statuses`.
        cells: `cell_index`, its position `base` among the n zones of the release, and `home` among the homes.
        silent: n, the location of the silent.
    """
    homes = F.broadcast(cells.filter(F.col("home").isNotNull()).select(F.col("cell_index").alias("home_index"), "home"))
    places = F.broadcast(cells.select("cell_index", "base"))
    located = told.join(homes, "home_index").join(places, "cell_index", "left")
    location = F.coalesce(F.col("base"), F.lit(silent).cast("bigint"))
    transition = F.col("previous_status") * 3 + F.col("status")
    place = (F.col("home") * (silent + 1) + location) * len(TRANSITIONS) + transition
    key = place * len(SIGHTS) + F.col("sight")
    return located.select("subscriber", key.alias("key"), F.lit(1).cast("bigint").alias("amount"))


_BACK: Final = (("before", 1), ("now", 0))
"""The two statuses of a transition, and how many days back each is."""


def _with_status(rows: DataFrame, name: str, cells: DataFrame, first_day: date, policy: Policy) -> DataFrame:
    """The rows with `<name>_index` and `<name>_status`, told from the point `<name>`."""
    night = night_number(F.col(name), policy.residence)
    weekday = (night + first_day.weekday()) % _WEEKDAYS
    located = rows.withColumn(f"{name}_index", F.col(name).bitwiseAND(F.lit(CELL_MASK))).withColumn(
        f"{name}_usual_index", F.get("expected", weekday.cast("int"))
    )
    for place in (name, f"{name}_usual"):
        located = located.join(_centres(cells, place), f"{place}_index", "left")
    limit = F.lit(policy.away.min_away_km)
    reach = F.get("home_reach_km", night.cast("int")) if "home_reach_km" in rows.columns else limit
    at_home = _is_near(name, "home_latitude", "home_longitude", reach)
    as_usual = _is_near(name, f"{name}_usual_latitude", f"{name}_usual_longitude", limit)
    status = F.when(F.col(name).isNull(), SILENT).when(at_home | as_usual, HOME).otherwise(AWAY)
    return located.withColumn(f"{name}_status", status.cast("bigint"))


def _sight(found: DataFrame, policy: Policy) -> Column:
    """What was seen of a resident in the night that ends on the day `n`; homes in the dark apart."""
    was_seen = F.coalesce(night_number(F.col("now"), policy.residence) == F.col("n"), F.lit(False))
    where = F.when(F.col("now_status") == AWAY, 0).otherwise(1)
    sight = F.when(was_seen, where).otherwise(2)
    if "home_reach_km" in found.columns:
        reach = F.get("home_reach_km", F.col("n").cast("int"))
        sight = sight + F.when(reach > policy.away.min_away_km, SIGHTS_A_NIGHT).otherwise(0)
    return sight.cast("bigint")


def _is_near(name: str, latitude: str, longitude: str, limit_km: Column) -> Column:
    place = (F.col(f"{name}_latitude"), F.col(f"{name}_longitude"))
    near = distance_km(*place, F.col(latitude), F.col(longitude)) < limit_km
    return F.coalesce(near, F.lit(False))


def _last_night(day: int, policy: Policy) -> Column:
    """The last point of the most recent night that counts on a day; nothing where there is none."""
    end_s = day * _DAY_S + policy.residence.night_to_h * _HOUR_S
    start_s = (day - policy.away.carry_forward_nights) * _DAY_S + policy.residence.night_from_h * _HOUR_S
    first, beyond = F.lit(start_s << SECOND_SHIFT), F.lit(end_s << SECOND_SHIFT)
    return F.array_max(F.filter("points", lambda point: (point >= first) & (point < beyond)))


def _bits_of(weekday: int) -> int:
    """The bits of the nights of a weekday in `night_bits`."""
    return sum(1 << night for night in range(weekday, _MONTH_BITS, _WEEKDAYS))


def _usual_cell(weekday: int, min_nights: int) -> Column:
    """The cell that holds most nights of a weekday, where it holds enough of them."""
    top, all_nights = F.col(f"top_{weekday}"), F.col(f"of_{weekday}")
    nights = F.shiftright(top, _CELL_BITS)
    return F.when((nights >= min_nights) & (2 * nights > all_nights), top.bitwiseAND(F.lit(CELL_MASK)))


def _homes(cells: DataFrame) -> DataFrame:
    """The cells as homes: their centres, and how far a phone at home can be seen, where that is told."""
    told = [F.col("reach_km").alias("home_reach_km")] if "reach_km" in cells.columns else []
    centre = [F.col(name).alias(f"home_{name}") for name in ("latitude", "longitude")]
    return F.broadcast(cells.select(F.col("cell_index").alias("home_index"), *centre, *told))


def _centres(cells: DataFrame, name: str) -> DataFrame:
    columns = ((column, f"{name}_{column.removeprefix('cell_')}") for column in ("cell_index", "latitude", "longitude"))
    return F.broadcast(cells.select(*[F.col(column).alias(new) for column, new in columns]))
