"""Visits: the cells in which subscribers are seen away from home."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.points import NEVER, seen_points, with_next
from privacy.policy import MobilityPolicy
from schemas.subscriber_days import CELL_MASK


def visited_cells(
    days: DataFrame, *, mobility: MobilityPolicy, partitions: int, unseen: Sequence[int] = ()
) -> DataFrame:
    """One row per subscriber and cell in which it was seen, on however many days: `subscriber, cell_index`.

    Args:
        days: Contract `subscriber_days`.
        mobility: Who is a machine: its days are left out.
        partitions: Of the exchange by subscriber.
        unseen: Cell indexes whose points are left out, as if there were no tower.

    Stability: a row depends on one subscriber's days only.
    """
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select("subscriber", seen_points(unseen))
    stays = with_next(people).select(
        "subscriber", "after", _cell("point").alias("cell_index"), _cell("after").alias("next_index")
    )
    left = stays.filter((F.col("after") == NEVER) | (F.col("cell_index") != F.col("next_index")))
    return left.select("subscriber", "cell_index").repartition(partitions, "subscriber").distinct()


def _cell(point: str) -> Column:
    return F.col(point).bitwiseAND(F.lit(CELL_MASK))


def visits_from_home(visited: DataFrame, homes: DataFrame) -> DataFrame:
    """One row per subscriber with a home and cell other than its home's: the columns of both.

    Args:
        visited: From `visited_cells`.
        homes: One row a subscriber: its `home_cell_index`, and what else is known of the home.

    Stability: a row depends on one subscriber's visits and home only.

    Source: visitors by home area, as in Flowminder's and the World Bank's indicators; docs/methods/home_visits.md.
    """
    return visited.join(homes, "subscriber").filter(F.col("cell_index") != F.col("home_cell_index"))
