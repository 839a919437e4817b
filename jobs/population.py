"""The pipelines of the products that count subscribers where they are, live and move; the graph is in jobs/pipeline.py.

Each returns one row per finest key of its plan, `key` and `total`, in 1/1024 of a contribution.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.mobility.moves import churn_between, homes_of, moves_between
from jobs.mobility.presence import last_in_bins, last_of_day
from jobs.mobility.residence import residence
from jobs.mobility.roaming import roaming_days
from jobs.mobility.visits import visited_cells, visits_from_home
from privacy.bounding import bounded_totals, single_totals
from privacy.displaced import DisplacementPlan
from privacy.marginals import (
    BINS,
    ActiveSubscribersPlan,
    ChurnPlan,
    PresencePlan,
    ResidentsPlan,
    RoamingCountries,
    RoamingPlan,
)
from privacy.pairs import HomeVisitsPlan, MovesPlan, PairsPlan
from privacy.plan import Plan
from privacy.policy import Policy, ProductPolicy
from privacy.unit import PrivacyMonth
from schemas.countries import countries
from schemas.errors import PrivacyError
from schemas.published import APPEARED, CHANGES, FELL_SILENT
from schemas.subscriber_days import NOT_AVAILABLE


@dataclass(frozen=True)
class Setting:
    """What all of them need besides their tables and their plan.

    Args:
        zones: One row a cell index: `cell_index`, and its zone at each level of the plan as `zone_<level>`.
        policy: What a machine and a home are.
        partitions: Of the exchanges by subscriber.
        unseen: Cell indexes of withheld places: points there are left out, and nights.
    """

    zones: DataFrame
    policy: Policy
    partitions: int
    unseen: Sequence[int] = ()

    def placed(self, rows: DataFrame) -> DataFrame:
        """Rows with a `cell_index`, and the zones in which it lies."""
        return rows.join(F.broadcast(self.zones), "cell_index")

    def homes(self, nights: DataFrame, months: Sequence[PrivacyMonth], carried: Sequence[str] = ()) -> DataFrame:
        """One row per subscriber that has a home in a window of months: from `residence`."""
        in_window = nights.filter(F.col("privacy_month").isin([str(month) for month in months]))
        limits = self.policy.residence
        return residence(
            in_window, self.zones, months=months, policy=limits, partitions=self.partitions, unseen=self.unseen,
            carried=carried,
        )  # fmt: skip


def subscribers(days: DataFrame, nights: DataFrame, plan: Plan, setting: Setting) -> DataFrame:
    """Aggregate days and nights in the way of a plan's product.

    Args:
        days: `subscriber_days` that the plan's release reads; none where it reads nights only.
        nights: `nights` of the months that it reads; none where it reads days only.
        plan: What is released.
        setting: As above.

    Raises:
        PrivacyError: The plan is of no product that is built.
    """
    match plan:
        case PresencePlan() | RoamingPlan() | ActiveSubscribersPlan():
            return _of_days(days, plan, setting)
        case ResidentsPlan():
            return residents(nights, plan, setting)
        case HomeVisitsPlan():
            return home_visits(days, nights, plan, setting)
        case MovesPlan():
            return moves(nights, plan, setting)
        case ChurnPlan():
            return churn(nights, plan, setting)
    raise PrivacyError(f"Nothing aggregates {plan.key.product}.", "a product that is built", "choose another")


def _of_days(days: DataFrame, plan: PresencePlan | RoamingPlan | ActiveSubscribersPlan, setting: Setting) -> DataFrame:
    match plan:
        case PresencePlan():
            return presence(days, plan, setting)
        case RoamingPlan():
            return roaming(days, plan, setting)
        case ActiveSubscribersPlan():
            return active_subscribers(days, plan, setting)


def presence(days: DataFrame, plan: PresencePlan, setting: Setting) -> DataFrame:
    """Bins of days by zone and country of the SIM, subscribers being where they were seen last in the bin.

    Key `(zone * BINS + bin) * n_countries + country`.

    Args:
        days: `subscriber_days` of the period.
        plan: What is released.
        setting: As above.
    """
    limits = setting.policy.mobility
    seen = last_in_bins(
        days.withColumn("country", _sim_country(plan.countries)), bins=BINS, mobility=limits,
        partitions=setting.partitions, unseen=setting.unseen, carried=["country"],
    )  # fmt: skip
    counted = setting.placed(seen).withColumn("amount", F.col("days"))
    by_zone = [F.col(f"zone_{level}") * BINS + F.col("bin") for level in plan.bound_levels]
    finest = (F.col(_finest_zone(plan)) * BINS + F.col("bin")) * plan.n_countries + F.col("country")
    return _totals(counted, plan, [*by_zone, finest].__getitem__, setting)


def roaming(days: DataFrame, plan: RoamingPlan, setting: Setting) -> DataFrame:
    """Days of visitors by zone and country of the SIM, and of residents abroad by country visited.

    Key `country * (n_zones + 1) + zone`, the last zone being abroad.

    Args:
        days: `subscriber_days` of the period.
        plan: What is released.
        setting: As above.
    """
    home, limits = str(plan.countries.home), setting.policy.mobility
    seen = roaming_days(days, home=home, mobility=limits, unseen=setting.unseen)
    placed = seen.join(F.broadcast(setting.zones), "cell_index", "left")
    zone = F.when(F.col("visited").isNull(), F.col(_finest_zone(plan))).otherwise(plan.abroad)
    keyed = placed.select("subscriber", zone.alias("zone"), _roaming_country(plan.countries).alias("country"))
    counted = keyed.filter(F.col("zone").isNotNull())
    return _totals(counted, plan, lambda _: F.col("country") * (plan.abroad + 1) + F.col("zone"), setting)


def active_subscribers(days: DataFrame, plan: ActiveSubscribersPlan, setting: Setting) -> DataFrame:
    """Subscribers by the zone in which they were seen last on a day: key `zone`.

    Args:
        days: `subscriber_days` of the day.
        plan: What is released.
        setting: As above.
    """
    seen = last_of_day(days, mobility=setting.policy.mobility, unseen=setting.unseen)
    placed, zone = setting.placed(seen), F.col(_finest_zone(plan))
    if plan.period.n_days > 1:  # under a policy of longer periods a subscriber has a row a day
        return _totals(placed, plan, lambda _: zone, setting)
    return _single_totals(placed, plan, zone)


def residents(nights: DataFrame, plan: ResidentsPlan, setting: Setting) -> DataFrame:
    """Subscribers by the zone where they live and their stratum: key `(zone * n_sex + sex) * n_age + age`.

    Args:
        nights: `nights` of the month.
        plan: What is released.
        setting: As above.
    """
    stratum = _position("sex", plan.sexes) * plan.n_age + _position("age_band", plan.ages)
    homes = setting.homes(nights.withColumn("stratum", stratum), months_read(plan), carried=["stratum"])
    key = F.col(_finest_zone(plan)) * (plan.n_sex * plan.n_age) + F.col("stratum")
    return _single_totals(homes, plan, key)


def home_visits(days: DataFrame, nights: DataFrame, plan: HomeVisitsPlan, setting: Setting) -> DataFrame:
    """Cells visited by zone of home and zone visited: key `home * n + visited`.

    Args:
        days: `subscriber_days` of the week.
        nights: `nights` of the home month, that before the week's.
        plan: What is released.
        setting: As above.
    """
    homes = homes_of(setting.homes(nights, months_read(plan)), "home")
    limits = setting.policy.mobility
    visited = visited_cells(days, mobility=limits, partitions=setting.partitions, unseen=setting.unseen)
    visits = setting.placed(visits_from_home(visited, homes))
    return _totals(visits, plan, lambda level: _pair(plan, level, "home_zone", "zone"), setting)


def moves(nights: DataFrame, plan: MovesPlan, setting: Setting) -> DataFrame:
    """Subscribers by the zone where they lived and that where they live, which differ at the finest level.

    Key `before * n + now`. Relocations compare two months, migration two windows of months (`windows`).

    Args:
        nights: `nights` of the months of both windows.
        plan: What is released.
        setting: As above.
    """
    before, now = (setting.homes(nights, window) for window in windows(plan))
    moved = moves_between(before, now, level=len(plan.zones.levels) - 1)
    return _single_totals(moved, plan, _pair(plan, len(plan.zones.levels) - 1, "before_zone", "now_zone"))


def churn(nights: DataFrame, plan: ChurnPlan, setting: Setting) -> DataFrame:
    """Subscribers with a home in one of two months only, by its zone: key `zone * 2 + change`, as in `CHANGES`.

    Args:
        nights: `nights` of the month and of the one before.
        plan: What is released.
        setting: As above.
    """
    before, now = (setting.homes(nights, [month]) for month in months_read(plan))
    appeared, fell_silent = (F.lit(CHANGES.index(change)) for change in (APPEARED, FELL_SILENT))
    change = F.when(F.col("has_appeared"), appeared).otherwise(fell_silent)
    key = F.col(_finest_zone(plan)) * len(CHANGES) + change
    return _single_totals(churn_between(before, now), plan, key)


def windows(plan: MovesPlan) -> tuple[tuple[PrivacyMonth, ...], tuple[PrivacyMonth, ...]]:
    """Return the months before and the months now that homes are compared of: half of the months charged each.

    So a policy that charges 24 months compares twelve with twelve, and one that charges 12 compares six with six;
    what is looked at is charged, whatever the policy says.
    """
    n = window_months(plan.product)
    months = tuple(plan.period.privacy_month.next(-back) for back in reversed(range(2 * n)))
    return months[:n], months[n:]


def window_months(product: ProductPolicy) -> int:
    """Return how many months each of the two windows has that a product of moves compares."""
    return (max(rule.months_back[1] for rule in product.charged) + 1) // 2


def months_read(plan: Plan) -> tuple[PrivacyMonth, ...]:
    """Return the privacy months whose nights a release reads."""
    month = plan.period.privacy_month
    match plan:
        case ResidentsPlan():
            return (month,)
        case HomeVisitsPlan():
            return (month.next(-1),)
        case ChurnPlan():
            return month.next(-1), month
        case MovesPlan():
            before, now = windows(plan)
            return before + now
        case DisplacementPlan():
            return (plan.baseline,)
    return ()


def _totals(rows: DataFrame, plan: Plan, key: Callable[[int], Column], setting: Setting) -> DataFrame:
    """Bounded totals of rows that count once each, unless they have an amount, by the key that each level makes."""
    keys = [key(level).cast("bigint").alias(name) for level, name in enumerate(plan.keys)]
    amount = F.col("amount") if "amount" in rows.columns else F.lit(1)
    counted = rows.select("subscriber", *keys, amount.cast("bigint").alias("amount"))
    return bounded_totals(counted, plan.bounds, partitions=setting.partitions)


def _single_totals(rows: DataFrame, plan: Plan, finest_key: Column) -> DataFrame:
    """Bounded totals of rows of which a subscriber has one, by the finest key."""
    return single_totals(rows.select("subscriber", finest_key.cast("bigint").alias(plan.bounds[-1].key)), plan.bounds)


def _finest_zone(plan: Plan) -> str:
    return f"zone_{len(plan.zones.levels) - 1}"


def _pair(plan: PairsPlan, level: int, one: str, other: str) -> Column:
    """The pair of two zones of a level."""
    return F.col(f"{one}_{level}") * len(plan.zones.levels[level].zones) + F.col(f"{other}_{level}")


def _sim_country(known: RoamingCountries) -> Column:
    """Where the country of a SIM stands in `of_sims`."""
    country, values = F.col("sim_country"), known.of_sims
    unknown = country.isNull() | (country == NOT_AVAILABLE)
    found = [F.when(country == one, values.index(one)) for one in known.listed]
    own = [F.when(country == known.home, 0)] if known.home else []
    return F.coalesce(F.when(unknown, len(values) - 1), *own, *found, F.lit(len(values) - 2)).cast("bigint")


def _roaming_country(known: RoamingCountries) -> Column:
    """Where the country of a visitor's SIM, or the one that a resident visits, stands in `foreign`."""
    found = [
        F.when((F.col("sim_country") == one) | (F.col("visited") == countries()[one].numeric), number)
        for number, one in enumerate(known.listed)
    ]
    return F.coalesce(*found, F.lit(len(known.listed))).cast("bigint")


def _position(column: str, values: Sequence[str]) -> Column:
    """Where a stratum stands in its public values; whatever is none of them stands last, where it is not available."""
    found = [F.when(F.col(column) == value, number) for number, value in enumerate(values)]
    return F.coalesce(*found, F.lit(len(values) - 1)).cast("bigint")
