"""The whole of Whimbrel on one screen: what is made from what, in the words of the field.

deliveries ── checked ── subscriber_day_parts ── subscriber_days          confidential
│
paths ── trips_between_visits ── bounded_totals             confidential, gone once sealed
│
reserve ── measure (noise) ── seal ── estimate         the line
│
Release ── bundle ── verify             public
"""

import math
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.trips import paths, trips_between_visits
from privacy.bounding import bounded_totals
from privacy.hierarchy import ZoneTree
from privacy.policy import MobilityPolicy
from privacy.release import Plan
from privacy.unit import Period


def od_trips(days: DataFrame, zones: DataFrame, plan: Plan, *, mobility: MobilityPolicy, partitions: int) -> DataFrame:
    """One row per pair of zones of the finest level: the bounded trips of a period, in 1/1024: `key`, `total`.

    Args:
        days: `subscriber_days` of the days in `days_of(plan.period)`.
        zones: One row a cell index: `cell_index, latitude, longitude`, and its zone at each level as `zone_<level>`.
        plan: What is released: its period, levels and bounds.
        mobility: What a trip is.
        partitions: Of the exchanges by subscriber.
    """
    looked_at = days_of(plan.period, mobility)
    walked = paths(days, first_day=looked_at[0], mobility=mobility, partitions=partitions)
    trips = trips_between_visits(
        walked, zones, arrivals_from_s=(plan.period.first_day - looked_at[0]).days * 86_400, mobility=mobility
    )
    return bounded_totals(_with_keys(trips, plan), plan.bounds, partitions=partitions)


def days_of(period: Period, mobility: MobilityPolicy) -> tuple[date, ...]:
    """Return the days that trips arriving in a period can come from: its own, and those within the longest silence.

    Nothing is paired across the border of a privacy month, so that removing a month changes no other.
    """
    reach = timedelta(math.ceil(mobility.max_gap_h / 24))
    first = max(period.first_day - reach, period.privacy_month.first_day)
    return tuple(first + timedelta(n) for n in range((period.last_day - first).days + 1))


def _with_keys(trips: DataFrame, plan: Plan) -> DataFrame:
    keys = [_pair(plan.zones, level).alias(bound.key) for level, bound in enumerate(plan.bounds)]
    return trips.select("subscriber", *keys, F.lit(1).cast("bigint").alias("amount"))


def _pair(zones: ZoneTree, level: int) -> Column:
    size = len(zones.levels[level].zones)
    return F.col(f"origin_zone_{level}") * size + F.col(f"destination_zone_{level}")
