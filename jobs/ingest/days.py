"""From the parts of a day to the table that every product reads."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.subscriber_days import STRATA, SUBSCRIBER_DAYS

PIECES: Final = 6
"""Partitions of an exchange that one task groups and writes, one after the other: small pieces, few files (ADR 28)."""


def subscriber_days(parts: DataFrame, *, partitions: int) -> DataFrame:
    """One row per subscriber and local day, with the points of all parts: contract `subscriber_days`.

    The result does not depend on how a day's rows were spread over deliveries: points are sorted and none
    is dropped. A day of one part is that part, and needs no exchange (ADR 1).
    """
    # One list of whole rows: a list a column costs Spark, which interprets lists, a third more of the merge.
    gathered = (
        parts.repartition(partitions * PIECES, "subscriber")
        .groupBy("subscriber", "local_date")
        .agg(F.collect_list(F.struct("points", "abroad", *STRATA)).alias("parts"))
    )
    merged = gathered.withColumns(
        {
            **{name: F.sort_array(F.flatten(f"parts.{name}")) for name in ("points", "abroad")},
            # The least: what a source does not hold, "not available", stands behind every value that another holds.
            **{name: F.array_min(f"parts.{name}") for name in STRATA},
        }
    ).withColumn("events", (F.size("points") + F.size("abroad")).cast("bigint"))
    return SUBSCRIBER_DAYS.conform(merged).coalesce(partitions)
