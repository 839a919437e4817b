"""Visits: the cells in which subscribers are seen away from home."""

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

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
    cells = F.array_distinct(F.transform("points", lambda point: point.bitwiseAND(F.lit(CELL_MASK))))
    people = days.filter(F.col("events") <= mobility.max_events_a_day).select("subscriber", cells.alias("cells"))
    gathered = (
        people.repartition(partitions, "subscriber")
        .groupBy("subscriber")
        .agg(F.array_distinct(F.flatten(F.collect_list("cells"))).alias("cells"))
    )
    visited = gathered.select("subscriber", F.explode("cells").alias("cell_index"))
    return visited.filter(~F.col("cell_index").isin(list(unseen))) if unseen else visited


def visits_from_home(visited: DataFrame, homes: DataFrame) -> DataFrame:
    """One row per subscriber with a home and cell other than its home's: the columns of both.

    Args:
        visited: From `visited_cells`.
        homes: One row a subscriber: its `home_cell_index`, and what else is known of the home.

    Stability: a row depends on one subscriber's visits and home only.

    Source: visitors by home area, as in Flowminder's and the World Bank's indicators; docs/methods/home_visits.md.
    """
    return visited.join(homes, "subscriber").filter(F.col("cell_index") != F.col("home_cell_index"))
