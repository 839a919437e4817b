"""Roaming: visitors with SIMs from abroad, and the country's own SIMs abroad, by the last record of a day."""

from collections.abc import Sequence
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.points import seen_points
from privacy.policy import MobilityPolicy
from schemas.countries import countries
from schemas.subscriber_days import CELL_MASK, NOT_AVAILABLE, SECOND_SHIFT

_NEVER: Final = -1
"""A point before every other."""


def roaming_days(days: DataFrame, *, home: str, mobility: MobilityPolicy, unseen: Sequence[int] = ()) -> DataFrame:
    """One row per subscriber and day on which it roams: where it was last.

    Columns: `subscriber`; of a visitor `sim_country` and `cell_index`; of a resident abroad `visited`, the numeric code
    of the country. What is of the other kind is missing. A SIM whose country is not held is the operator's own. It is
    abroad on a day whose last record is abroad; of records in one second, the one abroad is the last. A record of a
    network abroad that names the country itself is none.

    Args:
        days: Contract `subscriber_days`.
        home: The country's alpha-2 code.
        mobility: Who is a machine: its days are left out.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's day only.
    """
    at_home = F.lit(countries()[home].numeric)
    abroad = F.filter("abroad", lambda point: point.bitwiseAND(F.lit(CELL_MASK)) != at_home).alias("abroad")
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select(
        "subscriber", "sim_country", abroad, seen_points(unseen)
    )
    last = people.select(
        "subscriber",
        "sim_country",
        F.coalesce("sim_country", F.lit(NOT_AVAILABLE)).isin(home, NOT_AVAILABLE).alias("is_own"),
        F.coalesce(F.array_max("points"), F.lit(_NEVER)).alias("here"),
        F.coalesce(F.array_max("abroad"), F.lit(_NEVER)).alias("there"),
    )
    is_visitor = ~F.col("is_own") & (F.col("here") > _NEVER)
    second_here, second_there = (F.shiftright(name, SECOND_SHIFT) for name in ("here", "there"))
    is_abroad = F.col("is_own") & (F.col("there") > _NEVER) & (second_there >= second_here)
    seen = F.struct(
        F.when(is_visitor, F.col("sim_country")).alias("sim_country"),
        F.when(is_visitor, _of("here")).alias("cell_index"),
        F.when(is_abroad, _of("there")).alias("visited"),
    )
    # Exploded, not filtered: Sail pushes a filter by what a lambda left of an array below it, and finds no column.
    roams = F.explode(F.array_compact(F.array(F.when(is_visitor | is_abroad, seen)))).alias("seen")
    return last.select("subscriber", roams).select("subscriber", "seen.sim_country", "seen.cell_index", "seen.visited")


def _of(point: str) -> Column:
    return F.col(point).bitwiseAND(F.lit(CELL_MASK))
