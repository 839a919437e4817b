"""The whole of Whimbrel on one screen: what is made from what, in the words of the field.

deliveries ── checked ── subscriber_day_parts ── subscriber_days ── nights of a month          confidential
│
subscriber_days ── steps ── trips_between_visits ── counted_trips ── od_trips                  confidential,
│              │                                                └── contribution_histogram    gone once sealed
│              ├── last_in_bins ── presence
│              ├── last_of_day ── active_subscribers
│              ├── roaming_days ── roaming
│              └── visited_cells ── visits_from_home ── home_visits
│                                   │
nights ── residence of a month ─────┴── residents
│     └── residence of two windows ── moves_between ── relocations, migration
│                            └── churn_between ── churn
│
bounded_totals ── reserve ── measure (noise) ── seal ── estimate         the line
│
Release ── bundle ── verify             public

Trips are here; where subscribers are, live and move is in jobs/population.py.
"""

import math
from collections.abc import Sequence
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.displacement import days_for, keyed_statuses, resident_statuses
from jobs.mobility.trips import counted_trips, steps, trips_between_visits
from privacy.bounding import LevelBound, bounded_totals
from privacy.contribution_histogram import ContributionHistogramPlan, binned_subscribers
from privacy.displaced import DisplacementPlan
from privacy.hierarchy import ZoneTree
from privacy.marginals import ActiveSubscribersPlan, PresencePlan, RoamingPlan
from privacy.od_trips import OdTripsPlan
from privacy.pairs import HomeVisitsPlan
from privacy.plan import Plan
from privacy.policy import MobilityPolicy, Policy
from privacy.unit import Period


def od_trips(
    days: DataFrame,
    zones: DataFrame,
    plan: OdTripsPlan,
    *,
    mobility: MobilityPolicy,
    partitions: int,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per pair of zones of the finest level: the bounded trips of a period, in 1/1024: `key`, `total`.

    Args:
        days: `subscriber_days` of the days in `days_of(plan.period)`.
        zones: One row a cell index: `cell_index, latitude, longitude`, and its zone at each level as `zone_<level>`.
        plan: What is released: its period, levels and bounds.
        mobility: What a trip is.
        partitions: Of the exchanges by subscriber.
        unseen: Cell indexes of withheld places, whose points are left out.
    """
    keyed = keyed_trips(days, zones, plan, mobility=mobility, partitions=partitions, unseen=unseen)
    return bounded_totals(keyed, plan.bounds, partitions=partitions)


def keyed_trips(
    days: DataFrame,
    zones: DataFrame,
    plan: OdTripsPlan,
    *,
    mobility: MobilityPolicy,
    partitions: int,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per subscriber, pair of cells and day of a period: the pair at each level, and an `amount` of trips.

    Args and definitions are those of `od_trips`.
    """
    looked_at = days_of(plan.period, mobility)
    stepped = steps(
        days,
        first_day=looked_at[0],
        arrivals_from=plan.period.first_day,
        mobility=mobility,
        partitions=partitions,
        unseen=unseen,
    )
    trips = trips_between_visits(stepped, zones, mobility=mobility)
    return _counted(trips, plan.zones, plan.bounds, mobility)


def contribution_histogram(
    days: DataFrame,
    zones: DataFrame,
    plan: ContributionHistogramPlan,
    *,
    mobility: MobilityPolicy,
    partitions: int,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per bin of subscribers by their trips over a privacy month and what bounds cut off: `key`, `total`.

    Trips and weights are those of the weekly releases of the month: a trip belongs to the week of its arrival.

    Args:
        days: `subscriber_days` of the days in `days_of(plan.period)`.
        zones: As for `od_trips`.
        plan: What is released: its month, its grid, and the bounds that it looks at.
        mobility: What a trip is.
        partitions: Of the exchanges by subscriber.
        unseen: Cell indexes of withheld places, whose points are left out.
    """
    first = plan.period.first_day
    stepped = steps(days, first_day=first, arrivals_from=first, mobility=mobility, partitions=partitions, unseen=unseen)
    trips = trips_between_visits(stepped, zones, mobility=mobility)
    keyed = _counted(trips, plan.zones, plan.measured_bounds, mobility)
    return binned_subscribers(keyed.withColumn("week", F.expr("day div 7")), plan, partitions=partitions)


def displacement(
    nights: DataFrame,
    days: DataFrame,
    cells: DataFrame,
    plan: DisplacementPlan,
    *,
    policy: Policy,
    partitions: int,
    unseen: Sequence[int] = (),
) -> DataFrame:
    """One row per home, location and transition: the residents of an event's area, in 1/1024: `key`, `total`.

    Args:
        nights: `nights` of the plan's baseline month.
        days: `subscriber_days` of the days in `days_read(plan, policy)`.
        cells: From `event_cells`.
        plan: What is released.
        policy: What a night, a home and an absence are.
        partitions: Of the exchanges by subscriber.
        unseen: Cell indexes of withheld places, whose nights are left out.
    """
    told = resident_statuses(nights, days, cells, plan, policy=policy, partitions=partitions, unseen=unseen)
    keyed = keyed_statuses(told, cells, silent=len(plan.zones.base_cells))
    return bounded_totals(keyed, plan.bounds, partitions=partitions)


def days_of(period: Period, mobility: MobilityPolicy) -> tuple[date, ...]:
    """Return the days that trips arriving in a period can come from: its own, and those within the longest silence.

    Nothing is paired across the border of a privacy month, so that removing a month changes no other.
    """
    reach = timedelta(math.ceil(mobility.max_gap_h / 24))
    first = max(period.first_day - reach, period.privacy_month.first_day)
    return tuple(first + timedelta(n) for n in range((period.last_day - first).days + 1))


def days_read(plan: Plan, policy: Policy) -> tuple[date, ...]:
    """Return the days that a release reads: its own, with those before that trips need; none where it reads nights."""
    match plan:
        case OdTripsPlan() | ContributionHistogramPlan():
            return days_of(plan.period, policy.mobility)
        case PresencePlan() | RoamingPlan() | ActiveSubscribersPlan() | HomeVisitsPlan():
            return plan.period.days
        case DisplacementPlan():
            return days_for(plan.period, nights=policy.away.carry_forward_nights)
    return ()


def _counted(trips: DataFrame, zones: ZoneTree, bounds: Sequence[LevelBound], mobility: MobilityPolicy) -> DataFrame:
    keys = [_pair(zones, level).alias(bound.key) for level, bound in enumerate(bounds)]
    keyed = trips.select("subscriber", "arrival_s", "origin_index", "destination_index", *keys)
    return counted_trips(keyed, mobility=mobility)


def _pair(zones: ZoneTree, level: int) -> Column:
    size = len(zones.levels[level].zones)
    return F.col(f"origin_zone_{level}") * size + F.col(f"destination_zone_{level}")
