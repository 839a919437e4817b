"""The policy: which products may be released, within which bounds and at what cost.

It is reviewed data (`policy.toml`): everything here is public, and none of it depends on records.
"""

import math
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass

from privacy.canonical import sha256_hex
from privacy.sensitivity import SensitivityClass, SensitivityPolicy
from privacy.unit import Charge, Period, PeriodKind, PrivacyMonth, ScheduledRelease
from privacy.zoning import MOST_ADMIN_LEVELS, Zoning
from schemas.countries import countries
from schemas.errors import ConfigError, PrivacyError

SHIPPED: Final = Path(__file__).with_name("policy.toml")
"""The policy that Whimbrel starts with."""

_STRICT = ConfigDict(extra="forbid")
"""A misspelt key is refused: it would otherwise leave a bound at its default."""

MicroRho = Annotated[int, Field(gt=0, strict=True)]
"""A privacy loss in millionths of a zCDP rho."""

Factor = Literal[1, 2]
"""How often a release's loss falls on a month: 1 where the subscriber vanishes, 2 where the key changes."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]*$")]
"""A product or a pool."""

Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
"""A bound or a limit."""

Resolution = Annotated[int, Field(ge=0, le=15, strict=True)]
"""An H3 resolution."""

Cut = Annotated[float, Field(gt=0, strict=True)]
"""A noisy value in sigma from which something is done; infinite: never."""

CalendarMonth = Annotated[int, Field(ge=1, le=12, strict=True)]
"""1 to 12."""

_EVERY_MONTH: Final = tuple(range(1, 13))

DIMENSIONS: Final[Mapping[str, frozenset[str]]] = {
    "presence": frozenset({"zone", "bin", "sim_country"}),
    "roaming": frozenset({"zone", "sim_country", "visited_country"}),
    "active_subscribers": frozenset({"zone"}),
    "residents": frozenset({"zone", "sex", "age_band"}),
    "churn": frozenset({"zone", "change"}),
    "displacement": frozenset({"home", "location", "transition", "sight"}),
}
"""What the tables of a product can be by. A table by location is of those away; by nothing, of the whole domain."""

_SEVERAL_KEYS: Final[Mapping[str, frozenset[str]]] = {"presence": frozenset({"zone", "bin"})}
"""Products under several of whose keys a subscriber stands at once, with the dimensions over which the norm is bounded:
a table by fewer has no bound. Of the others each subscriber has one key, and so one in every table."""

_ONE_KEY: Final = frozenset(
    {"active_subscribers", "roaming", "residents", "relocations", "churn", "migration", "displacement"}
)
"""Products in which a subscriber counts under one key: it is one, and nothing of it is cut off."""

_VANISHED: Final = 1
"""Factor of a month without which a subscriber is absent."""

_MOVED: Final = 2
"""Factor of a month without which a subscriber stands under another key."""

_WINDOWS: Final = frozenset({"relocations", "migration"})
"""Products that compare the homes of two windows of months, which make up all that is charged."""

_TWO_MONTHS: Final = 2
"""Months of two windows of one month each."""

_PLACES: Final = frozenset({"zone", "home", "location"})
"""Dimensions that have a resolution."""


@dataclass(frozen=True, config=_STRICT)
class PoolPolicy:
    """A pool: the most that all its releases together may cost one privacy month.

    Args:
        cap_micro_rho: Cap a privacy month.
    """

    cap_micro_rho: MicroRho


@dataclass(frozen=True, config=_STRICT)
class LevelPolicy:
    """One level of a top-down release.

    Args:
        resolution: H3 resolution of both ends, 0 to 15.
        micro_rho: The level's share of the release's loss.
        c2: Squared L2 bound on one subscriber's contribution, in the unit of the value, squared.
    """

    resolution: Resolution
    micro_rho: MicroRho
    c2: Positive


@dataclass(frozen=True, config=_STRICT)
class TablePolicy:
    """One table of a release of marginals: every key that its dimensions make up is measured.

    Args:
        by: Its dimensions, in the order of its rows; none: one number for the whole domain.
        micro_rho: The table's share of the release's loss.
        c2: Squared L2 bound on one subscriber's contribution, in the unit of the value, squared.
        resolution: H3 resolution of its zones, 0 to 15; none where it is by no zone.
    """

    by: tuple[Name, ...]
    micro_rho: MicroRho
    c2: Positive
    resolution: Resolution | None = None

    @model_validator(mode="after")
    def _has_a_resolution_where_it_has_zones(self) -> Self:
        if len(set(self.by)) != len(self.by):
            raise ValueError(f"a table is by {', '.join(self.by)}: one of them twice")
        if bool(_PLACES.intersection(self.by)) != (self.resolution is not None):
            by = ", ".join(self.by) or "nothing"
            raise ValueError(f"a table by {by} lacks a resolution for its zones, or has one without zones")
        return self


@dataclass(frozen=True, config=_STRICT)
class ChargeRule:
    """How a release's loss falls on privacy months.

    Args:
        factor: 1: removing the month removes the subscriber. 2: it moves the contribution to another key.
        months_back: First and last month charged, counted back from the period's own month (0).
    """

    factor: Factor
    months_back: tuple[int, int] = (0, 0)

    @model_validator(mode="after")
    def _looks_back(self) -> Self:
        nearest, farthest = self.months_back
        if not 0 <= nearest <= farthest:
            raise ValueError(f"months_back {list(self.months_back)} is not [nearest, farthest] from 0 up")
        return self

    @property
    def back(self) -> range:
        """The months charged, counted back from the period's own."""
        nearest, farthest = self.months_back
        return range(nearest, farthest + 1)

    def months(self, own: PrivacyMonth) -> Iterator[PrivacyMonth]:
        """The months charged by a release whose period lies in `own`."""
        return (own.next(-back) for back in self.back)


@dataclass(frozen=True, config=_STRICT)
class ProductPolicy:
    """A product released period after period.

    Args:
        product: Name, as in the ledger and the bundle.
        kind: Length of a release's period.
        pool: Pool that pays.
        micro_rho: Loss of one release.
        charged: How that loss falls on the months that a release depends on.
        releases: Whether Whimbrel builds it yet; a product that is not built keeps its share of the pool.
        definition_id: Definition in docs/methods, for instance `od_trips/1`.
        unit: Unit of a released value.
        levels: Levels from coarse to fine; their losses add up to micro_rho. Empty: not released top-down.
        tables: Tables of marginals; their losses add up to micro_rho. Empty: no marginals are released.
        expand_sigma: A pair's children are measured where its noisy value reaches this many sigma.
        publish_sigma: A row is published where its estimate reaches this many of its standard deviations.
        calendar_months: Months in which a monthly product is released; all twelve unless told.
        sensitivity: Class of its releases, the least that any of them has.
        grid: Points of a histogram's grid in order, multiples of 1/8 of a trip a day. Empty: no histogram.
        zoning: What its zones are; where they are administrative units, a resolution is an admin level.
    """

    product: Name
    kind: PeriodKind
    pool: Name
    micro_rho: MicroRho
    charged: Annotated[tuple[ChargeRule, ...], Field(min_length=1)]
    releases: StrictBool
    definition_id: str
    unit: str
    levels: tuple[LevelPolicy, ...] = ()
    tables: tuple[TablePolicy, ...] = ()
    expand_sigma: Cut = math.inf
    publish_sigma: Cut = math.inf
    calendar_months: tuple[CalendarMonth, ...] = _EVERY_MONTH
    sensitivity: SensitivityClass = SensitivityClass.RESTRICTED
    grid: tuple[Positive, ...] = ()
    zoning: Zoning = Zoning.H3

    @model_validator(mode="after")
    def _has_levels_of_its_zoning(self) -> Self:
        if self.zoning is Zoning.ADMIN and (odd := [n for n in self.resolutions if not 1 <= n <= MOST_ADMIN_LEVELS]):
            raise ValueError(f"{odd[0]} is no admin level: they go from 1 to {MOST_ADMIN_LEVELS}")
        return self

    @model_validator(mode="after")
    def _has_a_grid(self) -> Self:
        if any(low >= high for low, high in pairwise(self.grid)) or any(point * 8 % 1 for point in self.grid):
            raise ValueError(f"the grid {list(self.grid)} is not multiples of 1/8 that rise")
        if self.product == "contribution_histogram" and not self.grid:
            raise ValueError("a contribution histogram needs a grid")
        return self

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if not self.levels:
            return self
        if (total := sum(level.micro_rho for level in self.levels)) != self.micro_rho:
            raise ValueError(f"the levels' micro_rho add up to {total}, not to the product's {self.micro_rho}")
        _check_one(self.product, self.levels)
        if any(fine.resolution <= coarse.resolution for coarse, fine in pairwise(self.levels)):
            raise ValueError("the levels do not go from coarse to fine")
        if not math.isfinite(self.expand_sigma + self.publish_sigma):
            raise ValueError("a product with levels needs finite expand_sigma and publish_sigma")
        return self

    @model_validator(mode="after")
    def _has_tables_that_add_up(self) -> Self:
        _check_tables(self.product, self.tables, self.micro_rho)
        return self

    @model_validator(mode="after")
    def _is_measured_as_its_product_is(self) -> Self:
        given = {"levels": self.levels, "tables": self.tables, "grid": self.grid}
        found = [name for name, parts in given.items() if parts]
        way = {"contribution_histogram": "grid"}.get(self.product, "tables" if self.product in DIMENSIONS else "levels")
        if found != [way] and (found or self.releases):
            raise ValueError(f"{self.product} is measured by {way}, not by {' and '.join(found) or 'nothing'}")
        return self

    @model_validator(mode="after")
    def _charges_what_it_depends_on(self) -> Self:
        charged: Counter[int] = Counter()
        for rule in self.charged:
            nearest, farthest = rule.months_back
            charged.update(dict.fromkeys(range(nearest, farthest + 1), rule.factor))
        least = _least_factors(self.product, max(charged))
        if short := sorted(back for back, factor in least.items() if charged[back] < factor):
            raise ValueError(
                f"{self.product} depends on the month {short[0]} back from its own, and charges it {charged[short[0]]} "
                f"times: {least[short[0]]} at least"
            )
        return self

    @model_validator(mode="after")
    def _is_schedulable(self) -> Self:
        if self.calendar_months != _EVERY_MONTH and self.kind is not PeriodKind.MONTH:
            raise ValueError(f"calendar_months is for monthly products, not for a {self.kind}")
        return self

    @property
    def resolutions(self) -> tuple[int, ...]:
        """H3 resolutions of its levels or tables, coarse to fine."""
        return _resolutions((*self.levels, *self.tables))

    @property
    def most_micro_rho(self) -> int:
        """The most that one release costs one privacy month."""
        charged = Counter(back for rule in self.charged for back in rule.back for _ in range(rule.factor))
        return self.micro_rho * max(charged.values())

    def periods(self, month: PrivacyMonth) -> tuple[Period, ...]:
        """The releases that the policy schedules in a privacy month."""
        match self.kind:
            case PeriodKind.DAY:
                return tuple(Period(PeriodKind.DAY, day) for day in month.days)
            case PeriodKind.WEEK:
                return month.weeks
            case PeriodKind.MONTH:
                return (month.period,) if month.month in self.calendar_months else ()

    def charges(self, period: Period) -> tuple[Charge, ...]:
        """What the release of one period costs, by month; the months in order.

        Privacy: every month that the release depends on is charged, look-backs included.
        """
        months = ((month, rule.factor) for rule in self.charged for month in rule.months(period.privacy_month))
        return _charges(self.pool, self.micro_rho, months)


@dataclass(frozen=True, config=_STRICT)
class EventPolicy:
    """A product released for a declared event: the usual state before it, then daily, then by ISO week.

    Args:
        product: Name, as in the ledger and the bundle.
        pool: Pool that pays.
        micro_rho: Loss of one release.
        definition_id: Definition in docs/methods.
        unit: Unit of a released value.
        weekly_before: ISO weeks released that ended before the onset: what is usual, to compare with.
        daily_releases: Days released, from the onset on.
        weekly_releases: ISO weeks released, from the week after the last daily release on.
        baseline_factor: How often a release falls on the baseline, the privacy month before the onset's.
        follow_up_factor: How often a release falls on any other month that it depends on.
        look_back_days: Days before its period that a release depends on.
        tables: Tables of marginals; their losses add up to micro_rho.
        sensitivity: Class of its releases, the least that any of them has.
    """

    product: Name
    pool: Name
    micro_rho: MicroRho
    definition_id: str
    unit: str
    weekly_before: Annotated[int, Field(ge=0, strict=True)]
    daily_releases: Annotated[int, Field(ge=0, strict=True)]
    weekly_releases: Annotated[int, Field(ge=0, strict=True)]
    baseline_factor: Factor
    follow_up_factor: Factor
    look_back_days: Annotated[int, Field(ge=0, strict=True)]
    tables: Annotated[tuple[TablePolicy, ...], Field(min_length=1)]
    sensitivity: SensitivityClass = SensitivityClass.RESTRICTED

    @model_validator(mode="after")
    def _has_tables_that_add_up(self) -> Self:
        _check_tables(self.product, self.tables, self.micro_rho)
        return self

    @model_validator(mode="after")
    def _charges_what_moves(self) -> Self:
        if self.follow_up_factor < _MOVED:
            raise ValueError(f"follow_up_factor is {_MOVED}: without a month that is looked at, away becomes silent")
        return self

    @property
    def resolutions(self) -> tuple[int, ...]:
        """H3 resolutions of its tables, coarse to fine."""
        return _resolutions(self.tables)

    @property
    def zoning(self) -> Zoning:
        """What its zones are: an area has an outline of its own, which H3 cells follow and units do not."""
        return Zoning.H3

    def periods(self, onset: date) -> tuple[Period, ...]:
        """The whole schedule of an event, in order."""
        before = (onset - timedelta(weeks=n) for n in range(self.weekly_before, 0, -1))
        days = (onset + timedelta(days=n) for n in range(self.daily_releases))
        after = onset + timedelta(days=self.daily_releases)
        weeks = (after + timedelta(weeks=n) for n in range(self.weekly_releases))
        return (
            *(Period.of(PeriodKind.WEEK, day) for day in before),
            *(Period(PeriodKind.DAY, day) for day in days),
            *(Period.of(PeriodKind.WEEK, day) for day in weeks),
        )

    def schedule(self, onset: date) -> tuple[ScheduledRelease, ...]:
        """The whole schedule of an event with what each release costs: opening the event reserves it at once.

        Privacy: without the baseline month the subscriber is absent from every release; without another month
        it changes its key in the releases that look at that month.
        """
        baseline = PrivacyMonth.of(onset).next(-1)
        return tuple(ScheduledRelease(period, self._charges(period, baseline)) for period in self.periods(onset))

    def scheduled(self, onset: date, period: Period) -> ScheduledRelease:
        """The release of one period of an event's schedule.

        Raises:
            PrivacyError: The schedule has no release of this period.
        """
        for release in self.schedule(onset):
            if release.period == period:
                return release
        raise PrivacyError(
            f"No release of {self.product} is foreseen for {period} after an event of {onset}.",
            expected=", ".join(str(foreseen) for foreseen in self.periods(onset)),
            remedy="choose one of these periods",
        )

    def charges(self, onset: date) -> tuple[Charge, ...]:
        """What the whole schedule of an event costs, by month."""
        total: Counter[str] = Counter()
        for release in self.schedule(onset):
            total.update({charge.privacy_month: charge.micro_rho for charge in release.charges})
        return tuple(Charge(self.pool, month, total[month]) for month in sorted(total))

    def _charges(self, period: Period, baseline: PrivacyMonth) -> tuple[Charge, ...]:
        days = (period.last_day - timedelta(n) for n in range(period.n_days + self.look_back_days))
        follow_up = ((month, self.follow_up_factor) for month in {PrivacyMonth.of(day) for day in days} - {baseline})
        return _charges(self.pool, self.micro_rho, [(baseline, self.baseline_factor), *follow_up])


@dataclass(frozen=True, config=_STRICT)
class MobilityPolicy:
    """What counts as a trip: limits on two consecutive visits of one subscriber, from their own records only.

    Args:
        max_gap_h: Longest silence between the two visits, hours.
        max_speed_m_s: Fastest believable journey, metres a second.
        min_speed_distance_km: Shorter journeys are not tested for speed, kilometres.
        max_events_a_day: A subscriber with more events in a local day is a machine that day.
        max_repeats_a_day: Trips of a subscriber from one cell to another on one local day that count at most.
    """

    max_gap_h: Positive
    max_speed_m_s: Positive
    min_speed_distance_km: Positive
    max_events_a_day: Annotated[int, Field(gt=0, strict=True)]
    max_repeats_a_day: Annotated[int, Field(gt=0, strict=True)]


@dataclass(frozen=True, config=_STRICT)
class StrataPolicy:
    """The public values of a stratum; any other value counts as not available, and is never imputed.

    Args:
        sex: Values of the registrant's sex.
        age_bands: Values of the registrant's age band.
        sim_countries: Countries, ISO 3166-1 alpha-2, of which SIMs and visits are counted each for itself; all others
            count together.
    """

    sex: tuple[str, ...]
    age_bands: tuple[str, ...]
    sim_countries: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _lists_countries(self) -> Self:
        if odd := sorted(set(self.sim_countries) - countries().keys()):
            raise ValueError(f"{odd[0]} is no ISO 3166-1 alpha-2 code of a country")
        if len(set(self.sim_countries)) != len(self.sim_countries):
            raise ValueError("a country is listed twice")
        return self


@dataclass(frozen=True, config=_STRICT)
class ResidencePolicy:
    """Where a subscriber lives: limits on its own nights, and on the days that an operator has to deliver.

    Args:
        night_from_h: Hour of the local day at which a night begins.
        night_to_h: Hour of the next local day at which it ends; a night bears the date on which it ends.
        min_nights: Nights of a privacy month on which a subscriber has to be seen, or it has no home that month.
        min_share: Of the nights seen, the coarsest zone of the home holds more than this.
        min_month_share: Of a window of several months, the share in which a subscriber has to be seen so.
        min_day_share: Of a privacy month's days, the share that has to be delivered.
        max_gap_days: Longest run of its days that may be missing.
    """

    night_from_h: Annotated[int, Field(ge=12, le=23, strict=True)]
    night_to_h: Annotated[int, Field(ge=1, le=12, strict=True)]
    min_nights: Annotated[int, Field(gt=0, strict=True)]
    min_share: Annotated[float, Field(ge=0, lt=1, strict=True)]
    min_month_share: Annotated[float, Field(gt=0, le=1, strict=True)]
    min_day_share: Annotated[float, Field(gt=0, le=1, strict=True)]
    max_gap_days: Annotated[int, Field(ge=0, strict=True)]


@dataclass(frozen=True, config=_STRICT)
class AwayPolicy:
    """Who is away from home after an event: limits on a subscriber's own nights.

    Args:
        carry_forward_nights: Nights for which the last night seen counts, itself included; then silent.
        min_away_km: A night at a cell whose centre is nearer to the home's than this is a night at home.
        min_weekday_nights: Nights of one weekday at one place, in the baseline month, that make it the expected place.
        min_home_nights: Nights of the baseline month on which a subscriber has to be seen to be a resident who is
            followed. No more than where residents are counted: who calls seldom flees as others do.
    """

    carry_forward_nights: Annotated[int, Field(gt=0, strict=True)]
    min_away_km: Positive
    min_home_nights: Annotated[int, Field(gt=0, strict=True)]
    min_weekday_nights: Annotated[int, Field(gt=0, strict=True)]


@dataclass(frozen=True, config=_STRICT)
class GatePolicy:
    """When a day looks complete, by its released count of active subscribers.

    Args:
        least_share: Of the usual count of its weekday: less is incomplete.
        look_back_weeks: Weeks before whose released counts make the usual, by their median.
        least_weeks: Of these, how many have to be released; with fewer no day is judged.
    """

    least_share: Annotated[float, Field(gt=0, lt=1, strict=True)] = 0.7
    look_back_weeks: Annotated[int, Field(ge=1, le=13, strict=True)] = 4
    least_weeks: Annotated[int, Field(ge=1, le=13, strict=True)] = 2


@dataclass(frozen=True, config=_STRICT)
class Policy:
    """The whole policy, validated.

    Args:
        version: Version of the file's layout.
        pools: Pools by name.
        mobility: What counts as a trip.
        strata: Public values of sex and age band.
        residence: Where a subscriber lives.
        away: Who is away from home after an event.
        products: Products released period after period.
        events: Products released after a declared event.
        gate: When a day looks complete.
        sensitivity: What makes a release sensitive.
        sha256: Digest of the file's bytes, for the card: who changes a comment changes it too.
    """

    version: Literal[1]
    pools: Mapping[Name, PoolPolicy]
    mobility: MobilityPolicy
    strata: StrataPolicy
    residence: ResidencePolicy
    away: AwayPolicy
    products: tuple[ProductPolicy, ...]
    events: tuple[EventPolicy, ...] = ()
    gate: GatePolicy = GatePolicy()
    sensitivity: SensitivityPolicy = SensitivityPolicy()
    sha256: str = ""

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        paying = {p.pool for p in self.products} | {e.pool for e in self.events}
        if unknown := sorted(paying - set(self.pools)):
            raise ValueError(f"unknown pool {', '.join(unknown)}: there are {', '.join(sorted(self.pools))}")
        if shared := sorted({p.pool for p in self.products} & {e.pool for e in self.events}):
            raise ValueError(f"pool {', '.join(shared)} pays for events and for what is released without one")
        names = Counter([*((p.product, str(p.kind)) for p in self.products), *((e.product, "") for e in self.events)])
        if twice := [" ".join(name) for name, n in names.items() if n > 1]:
            raise ValueError(f"declared twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _follows_whoever_is_counted_as_a_resident(self) -> Self:
        if self.away.min_home_nights > (most := self.residence.min_nights):
            raise ValueError(f"min_home_nights of away is at most {most}, the min_nights of residence")
        return self

    @model_validator(mode="after")
    def _events_charge_what_they_look_back_at(self) -> Self:
        needed = self.away.carry_forward_nights + 1
        if short := [event.product for event in self.events if event.look_back_days < needed]:
            raise ValueError(
                f"look_back_days of {', '.join(short)} is at least {needed}: the nights carried forward, and one day"
            )
        return self

    @classmethod
    def load(cls, path: Path | None = None) -> "Policy":
        """Read and validate a policy file; the shipped one where no path is given.

        Raises:
            ConfigError: The file is missing, is not TOML, or contradicts itself.
        """
        # the shipped one may stand in a zip, as a submitted job's code does, where no path leads
        content = _read(path) if path else files(__package__).joinpath(SHIPPED.name).read_bytes()
        path = path or SHIPPED
        try:
            return TypeAdapter(cls).validate_python({**_toml(content, path), "sha256": sha256_hex(content)})
        except ValidationError as error:
            raise _refusal(path, error) from None

    @property
    def baseline_residence(self) -> ResidencePolicy:
        """Where somebody lived before an event: as residents are counted, but after fewer nights."""
        return replace(self.residence, min_nights=self.away.min_home_nights)

    @property
    def caps(self) -> Mapping[str, int]:
        """Cap of each pool in micro-rho a privacy month, as the ledger wants it."""
        return {name: pool.cap_micro_rho for name, pool in self.pools.items()}

    @property
    def event_pools(self) -> frozenset[str]:
        """Pools that only the opening of a declared event may charge."""
        return frozenset(event.pool for event in self.events)

    def product(self, name: str, kind: PeriodKind) -> ProductPolicy:
        """The policy of a product for periods of a kind.

        Raises:
            PrivacyError: The policy has no such product; the message lists those it has.
        """
        for entry in self.products:
            if (entry.product, entry.kind) == (name, kind):
                return entry
        raise PrivacyError(
            f"The policy has no product {name!r} by {kind}.",
            expected=", ".join(f"{entry.product} by {entry.kind}" for entry in self.products),
            remedy="choose one of these, or have the policy changed",
        )

    def event(self, name: str) -> EventPolicy:
        """The policy of a product that is released after a declared event.

        Raises:
            PrivacyError: The policy has no such product; the message lists those it has.
        """
        for entry in self.events:
            if entry.product == name:
                return entry
        raise PrivacyError(
            f"The policy has no product {name!r} after events.",
            expected=", ".join(entry.product for entry in self.events) or "none at all",
            remedy="choose one of these, or have the policy changed",
        )


def _resolutions(parts: Iterable[LevelPolicy | TablePolicy]) -> tuple[int, ...]:
    return tuple(sorted({part.resolution for part in parts if part.resolution is not None}))


def _check_tables(product: str, tables: tuple[TablePolicy, ...], micro_rho: int) -> None:
    """Refuse tables that do not add up, stand twice, or are by what the product does not know."""
    if not tables:
        return
    if (total := sum(table.micro_rho for table in tables)) != micro_rho:
        raise ValueError(f"the tables' micro_rho add up to {total}, not to the product's {micro_rho}")
    known = DIMENSIONS.get(product, frozenset())
    if unknown := sorted({name for table in tables for name in table.by} - known):
        raise ValueError(f"{product} has no table by {', '.join(unknown)}: by {', '.join(sorted(known)) or 'nothing'}")
    needed = _SEVERAL_KEYS.get(product, frozenset())
    if any(not needed <= set(table.by) for table in tables):
        raise ValueError(f"a table of {product} is by {', '.join(sorted(needed))}, by all of them")
    if any("visited_country" in table.by and len(table.by) > 1 for table in tables):
        raise ValueError("a table by visited_country is by nothing else: who is abroad is in no zone")
    _check_one(product, tables)
    if not _resolutions(tables):
        raise ValueError(f"{product} has no table by zones")
    if len({(frozenset(table.by), table.resolution) for table in tables}) != len(tables):
        raise ValueError(f"{product} has a table twice")


def _check_one(product: str, parts: Iterable[LevelPolicy | TablePolicy]) -> None:
    if product in _ONE_KEY and any(part.c2 != 1 for part in parts):
        raise ValueError(f"{product} counts each subscriber once: every c2 is 1")


def _least_factors(product: str, farthest: int) -> Mapping[int, int]:
    """How often each month that a product depends on has to be charged at least, by months back from its own.

    Of products that compare windows, every month charged is looked at: with one month a window, who lacks one of them
    is in no row; with more, a window that lacks a month may tell another home.
    """
    if product in _WINDOWS:
        months = farthest + 1
        if months % 2:
            raise ValueError(f"{product} compares two windows of equal length: it charges an even number of months")
        return dict.fromkeys(range(months), _VANISHED if months == _TWO_MONTHS else _MOVED)
    if product in {"home_visits", "churn"}:
        return {0: _VANISHED, 1: _VANISHED}
    return {0: _VANISHED}


def _charges(pool: str, micro_rho: int, months: Iterable[tuple[PrivacyMonth, int]]) -> tuple[Charge, ...]:
    total: Counter[PrivacyMonth] = Counter()
    for month, factor in months:
        total[month] += factor * micro_rho
    return tuple(Charge(pool, str(month), total[month]) for month in sorted(total))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The policy {path} cannot be read: {error.strerror}.",
            expected="a TOML file",
            remedy="name an existing file, or none for the shipped policy",
        ) from None


def _toml(content: bytes, path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(content.decode("utf-8"))
    except ValueError as error:
        raise ConfigError(
            f"The policy {path} is not TOML: {error}.",
            expected="UTF-8 text in TOML",
            remedy=f"compare it with {SHIPPED}",
        ) from None
    if "sha256" in table:
        raise ConfigError(
            f"The policy {path} states a sha256 of its own.",
            expected="none: the digest is taken of the file's bytes",
            remedy="delete the line",
        )
    return table


def _refusal(path: Path, error: ValidationError) -> ConfigError:
    found = [f"{'.'.join(map(str, fault['loc'])) or 'policy'}: {fault['msg']}" for fault in error.errors()]
    return ConfigError(
        f"The policy {path} is refused: {'; '.join(found)}.",
        expected="pools, products and bounds that agree with each other",
        remedy=f"correct the lines named; {SHIPPED} shows every key",
    )
