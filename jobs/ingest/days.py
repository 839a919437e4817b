"""From the parts of a day to the table that every product reads."""

from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from schemas.subscriber_days import SUBSCRIBER_DAYS

PIECES: Final = 6
"""Partitions of an exchange that one task groups and writes, one after the other: small pieces, few files (ADR 28)."""


def subscriber_days(parts: DataFrame, *, partitions: int) -> DataFrame:
    """One row per subscriber and local day, with the points of all parts: contract `subscriber_days`.

    The result does not depend on how a day's rows were spread over deliveries: points are sorted and none
    is dropped. A day of one part is that part, and needs no exchange (ADR 1).
    """
    merged = (
        parts.repartition(partitions * PIECES, "subscriber")
        .groupBy("subscriber", "local_date")
        .agg(
            F.sort_array(F.flatten(F.collect_list("points"))).alias("points"),
            F.sum("events").alias("events"),
            # The least: what a source does not hold, "not available", stands behind every value that another holds.
            *[F.min(name).alias(name) for name in ("sex", "age_band", "sim_country")],
            F.sort_array(F.flatten(F.collect_list("abroad"))).alias("abroad"),
        )
    )
    return SUBSCRIBER_DAYS.conform(merged).coalesce(partitions)
