"""Flat tables of subscribers: the plans of presence, roaming, active subscribers, residents and churn.

A release is a few public tables over one vector of contributions. Every key of a table is measured and published: no
cut, so nothing is chosen by its noise, and a zone without a subscriber is a row like any other
(proofs/marginals.md).
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from privacy import mechanisms
from privacy.bounding import EVERYTHING, FIXED_POINT, Bounded, LevelBound, squared_bound
from privacy.canonical import JsonValue
from privacy.clipping import NOTHING_CUT, SEEN_ALL_DAY
from privacy.flat import Axis, FlatMeasurements, FlatTable, Label
from privacy.hierarchy import Indices, ZoneTree
from privacy.places import Guard
from privacy.plan import PeriodicPlan, Plan
from privacy.policy import StrataPolicy, TablePolicy
from schemas.countries import DOMESTIC, OTHER
from schemas.published import ALL, CHANGES
from schemas.subscriber_days import NOT_AVAILABLE

BIN_HOURS: Final = 4
"""Hours of a bin of a day."""

BINS: Final = 24 // BIN_HOURS
"""Bins of a day, from midnight on."""

NOWHERE: Final = -1
"""Position of what a table does not hold."""


@dataclass(frozen=True, kw_only=True)
class MarginalsPlan(Plan):
    """A release of flat tables.

    A product adds what its finest keys are, how a subscriber's contribution is bounded over them, and where a finest
    key stands on each dimension that a table can be by.
    """

    @property
    def days(self) -> int:
        """Days that a value is a mean of; 1 where it counts over the period as a whole."""
        return 1

    @property
    @abstractmethod
    def subject(self) -> str:
        """What is counted, to begin a title with."""

    @property
    @abstractmethod
    def clipping_bias(self) -> str:
        """What is known of what the bounds cut off, in a sentence."""

    @abstractmethod
    def dimension(self, name: str, level: int, keys: Indices) -> tuple[Axis, Indices]:
        """Return a dimension of a table, and where finest keys stand on it: `NOWHERE` where the table lacks them.

        Args:
            name: One of those that the policy knows of the product.
            level: Number of the level of zones; of no meaning to a dimension that has none.
            keys: Finest keys.
        """

    def constants(self, table: TablePolicy) -> Mapping[str, Label]:
        """Return what the rows of a table say in columns that no dimension of it fills."""
        return {} if table.resolution is None else {"resolution": table.resolution}

    @property
    def fixed_point(self) -> int:
        """Units of a sealed value in one of the release's unit."""
        return FIXED_POINT * self.days

    @property
    def title(self) -> str:
        """What a reader sees first."""
        return f"{self.subject}, {self.country}, {self.key.period}"

    def squared(self, table: TablePolicy) -> int:
        """Squared L2 bound on one subscriber in a table, in units of a sealed value."""
        return squared_bound(table.c2, periods=self.days)

    def sigma(self, table: TablePolicy) -> float:
        """Scale of a table's noise, in units of a sealed value."""
        return mechanisms.sigma_for(l2_sensitivity=self._l2(table), micro_rho=table.micro_rho)

    def _l2(self, table: TablePolicy) -> float:
        return LevelBound(EVERYTHING, self.squared(table)).l2

    def cells(self, table: TablePolicy, keys: Indices) -> tuple[tuple[Axis, ...], Indices]:
        """Return a table's axes, and the number of its row that each finest key counts in; `NOWHERE`: in none.

        The axes are public: they do not depend on which keys are asked for.
        """
        level = 0 if table.resolution is None else self.zones.resolutions.index(table.resolution)
        axes, rows, held = [], np.zeros(len(keys), dtype=np.int64), np.ones(len(keys), dtype=np.bool_)
        for axis, position in (self.dimension(name, level, keys) for name in table.by):
            axes.append(axis)
            held &= position != NOWHERE
            rows = rows * axis.size + position
        return tuple(axes), np.where(held, rows, NOWHERE)

    def exact(self, table: TablePolicy, bounded: Bounded) -> tuple[tuple[Axis, ...], npt.NDArray[np.int64]]:
        """Return a table's axes and its exact totals: confidential."""
        axes, rows = self.cells(table, bounded.keys)
        totals = np.zeros(int(np.prod([axis.size for axis in axes], dtype=np.int64)), dtype=np.int64)
        held = rows != NOWHERE
        np.add.at(totals, rows[held], bounded.totals[held])
        return axes, totals

    def _measured(self, bounded: Bounded) -> bytes:
        tables = tuple(self._drawn(table, bounded) for table in self.product.tables)
        return FlatMeasurements(self.zones, tables, self.fixed_point, self.card).to_bytes()

    def _drawn(self, table: TablePolicy, bounded: Bounded) -> FlatTable:
        axes, exact = self.exact(table, bounded)
        noisy, sigma = mechanisms.discrete_gaussian(exact, l2_sensitivity=self._l2(table), micro_rho=table.micro_rho)
        return FlatTable(axes, self.constants(table), noisy, sigma)

    @property
    def _parameters(self) -> Mapping[str, JsonValue]:
        return {"tables": self._notes()}

    def _notes(self) -> list[JsonValue]:
        return [
            {
                "by": table.by,
                "resolution": table.resolution,
                "micro_rho": table.micro_rho,
                "c2": table.c2,
                "squared_l2_bound": self.squared(table),
                "fixed_point": self.fixed_point,
                "sigma": self.sigma(table) / self.fixed_point,
            }
            for table in self.product.tables
        ]

    @property
    def _mechanism(self) -> Mapping[str, JsonValue]:
        return {
            "mechanism": "discrete Gaussian on totals in fixed point, every key of public tables",
            "levels": self._notes(),
            "expand_sigma": None,
            "publish_sigma": None,
            "interval": "95 %, for the number after contribution bounds. Noise only; every key is published, so none "
            "was chosen by its noise",
            "clipping_bias": self.clipping_bias,
        }

    @property
    def _subject(self) -> Mapping[str, JsonValue]:
        return {"domain": self.zones.note}


@dataclass(frozen=True, kw_only=True)
class OneKeyPlan(MarginalsPlan):
    """A release in which a subscriber counts under one key, on each day where values are means a day.

    All that it contributes is bounded at once, and a part or a sum of that is not longer: so is every table.
    """

    @property
    def finest_key(self) -> str:
        """Name of the finest key."""
        return f"key_{self.zones.resolutions[-1]}"

    @property
    def bounds(self) -> tuple[LevelBound, ...]:
        """All that a subscriber contributes, and the same at the finest keys."""
        one = squared_bound(1.0, periods=self.days)
        return LevelBound(EVERYTHING, one), LevelBound(self.finest_key, one)

    @property
    def clipping_bias(self) -> str:
        """Nothing is cut off."""
        return NOTHING_CUT


@dataclass(frozen=True)
class RoamingCountries:
    """The countries that rows are by: public.

    Args:
        home: The installation's, ISO 3166-1 alpha-2; none where it holds no country of any SIM.
        listed: Those that are counted each for itself.
    """

    home: str | None
    listed: tuple[str, ...]

    @classmethod
    def of(cls, strata: StrataPolicy, home: str | None) -> "RoamingCountries":
        """Return a policy's countries, as seen from one of them or from another."""
        return cls(home, tuple(country for country in strata.sim_countries if country != home))

    @property
    def foreign(self) -> tuple[str, ...]:
        """What is said of a country abroad."""
        return (*self.listed, OTHER)

    @property
    def of_sims(self) -> tuple[str, ...]:
        """What is said of a SIM; last where its country is not held."""
        return (DOMESTIC, *self.foreign, NOT_AVAILABLE)

    def terms(self, said: tuple[str, ...]) -> dict[str, JsonValue]:
        """Return what a release fixes and its card says: which country is domestic, and what rows may say."""
        return {"home_country": self.home, "countries": said}


@dataclass(frozen=True, kw_only=True)
class PresencePlan(PeriodicPlan, MarginalsPlan):
    """A release of who is where at which hours: zones by 4-hour bins, some by country of the SIM too; means a day.

    Keys are `(zone * BINS + bin) * n_countries + country`; a subscriber has one a day and bin in which it was seen.

    Args:
        countries: Of SIMs.
    """

    countries: RoamingCountries

    @property
    def days(self) -> int:
        """The days of the period."""
        return self.period.n_days

    @property
    def subject(self) -> str:
        """What is counted."""
        return "Subscribers present by zone and time of day"

    @property
    def clipping_bias(self) -> str:
        """Whom the bounds cut most."""
        return SEEN_ALL_DAY

    @property
    def n_countries(self) -> int:
        """Number of values of the country of a SIM."""
        return len(self.countries.of_sims)

    @property
    def bound_levels(self) -> tuple[int, ...]:
        """Numbers of the levels whose bound on zones and bins no coarser level implies: sums of parts are longer."""
        least = [self._least(resolution) for resolution in self.zones.resolutions]
        return tuple(n for n, squared in enumerate(least) if all(squared < coarser for coarser in least[:n]))

    @property
    def bounds(self) -> tuple[LevelBound, ...]:
        """The bound on zones and bins at each of those levels, coarse to fine; and what it implies at finest keys."""
        resolutions = [self.zones.resolutions[level] for level in self.bound_levels]
        by_zone = [LevelBound(f"key_{resolution}", self._least(resolution)) for resolution in resolutions]
        return (*by_zone, LevelBound("key", by_zone[-1].squared))

    def _least(self, resolution: int) -> int:
        return min(self.squared(table) for table in self.product.tables if table.resolution == resolution)

    def dimension(self, name: str, level: int, keys: Indices) -> tuple[Axis, Indices]:
        """Return the zones of a level, the bins or the countries of SIMs."""
        match name:
            case "bin":
                return Axis({"bin_start_h": tuple(range(0, 24, BIN_HOURS))}), keys // self.n_countries % BINS
            case "sim_country":
                return Axis({"sim_country": self.countries.of_sims}), keys % self.n_countries
        return zone_dimension(name, self.zones, level, keys // (self.n_countries * BINS))

    def constants(self, table: TablePolicy) -> Mapping[str, Label]:
        """Return `all` for the country of SIMs, in a table that is not by it."""
        whole = {} if "sim_country" in table.by else {"sim_country": ALL}
        return {**super().constants(table), **whole}

    @property
    def _parameters(self) -> Mapping[str, JsonValue]:
        return {**super()._parameters, **self.countries.terms(self.countries.of_sims)}

    @property
    def _subject(self) -> Mapping[str, JsonValue]:
        return {**super()._subject, **self.countries.terms(self.countries.of_sims)}


@dataclass(frozen=True, kw_only=True)
class RoamingPlan(PeriodicPlan, OneKeyPlan):
    """A release of who roams, mean a day: visitors by zone and country of the SIM, residents by country visited.

    Keys are `country * (n_zones + 1) + zone`, the last zone being abroad; a subscriber has one on a day on which it
    roams.

    Args:
        countries: That SIMs come from and residents visit.
    """

    countries: RoamingCountries

    @property
    def days(self) -> int:
        """The days of the period."""
        return self.period.n_days

    @property
    def abroad(self) -> int:
        """Number that stands for a zone where a subscriber is abroad."""
        return len(self.zones.levels[-1].zones)

    @property
    def subject(self) -> str:
        """What is counted."""
        return "Subscribers who roam: visitors from abroad and residents abroad"

    def dimension(self, name: str, level: int, keys: Indices) -> tuple[Axis, Indices]:
        """Return the zones of a level, the countries of visitors or those that residents visit."""
        country, zone = np.divmod(keys, self.abroad + 1)
        is_abroad = zone == self.abroad
        if name == "zone":
            axis, position = zone_dimension(name, self.zones, level, np.where(is_abroad, 0, zone))
            return axis, np.where(is_abroad, NOWHERE, position)
        counts = is_abroad if name == "visited_country" else ~is_abroad
        return Axis({name: self.countries.foreign}), np.where(counts, country, NOWHERE)

    @property
    def _parameters(self) -> Mapping[str, JsonValue]:
        return {**super()._parameters, **self.countries.terms(self.countries.foreign)}

    @property
    def _subject(self) -> Mapping[str, JsonValue]:
        return {**super()._subject, **self.countries.terms(self.countries.foreign)}


@dataclass(frozen=True, kw_only=True)
class ActiveSubscribersPlan(PeriodicPlan, OneKeyPlan):
    """A release of how many subscribers were seen, by the zone of their last event. Keys are zones."""

    @property
    def subject(self) -> str:
        """What is counted."""
        return "Active subscribers"

    def dimension(self, name: str, level: int, keys: Indices) -> tuple[Axis, Indices]:
        """Return the zones of a level."""
        return zone_dimension(name, self.zones, level, keys)


@dataclass(frozen=True, kw_only=True)
class ResidentsPlan(PeriodicPlan, OneKeyPlan):
    """A release of how many subscribers live where. Keys are `(zone * n_sex + sex) * n_age + age`.

    Args:
        strata: Public values of sex and age band.
    """

    strata: StrataPolicy

    @property
    def sexes(self) -> tuple[str, ...]:
        """Values of sex; last where it is not held."""
        return (*self.strata.sex, NOT_AVAILABLE)

    @property
    def ages(self) -> tuple[str, ...]:
        """Values of the age band; last where it is not held."""
        return (*self.strata.age_bands, NOT_AVAILABLE)

    @property
    def n_sex(self) -> int:
        """Number of values of sex."""
        return len(self.sexes)

    @property
    def n_age(self) -> int:
        """Number of values of the age band."""
        return len(self.ages)

    @property
    def subject(self) -> str:
        """What is counted."""
        return "Residents"

    def dimension(self, name: str, level: int, keys: Indices) -> tuple[Axis, Indices]:
        """Return the zones of a level, the sexes or the age bands."""
        match name:
            case "sex":
                return Axis({"sex": self.sexes}), keys // self.n_age % self.n_sex
            case "age_band":
                return Axis({"age_band": self.ages}), keys % self.n_age
        return zone_dimension(name, self.zones, level, keys // (self.n_sex * self.n_age))

    def constants(self, table: TablePolicy) -> Mapping[str, Label]:
        """Return `all` for a stratum that a table is not by."""
        whole = {name: ALL for name in ("sex", "age_band") if name not in table.by}
        return {**super().constants(table), **whole}

    @property
    def _parameters(self) -> Mapping[str, JsonValue]:
        return {**super()._parameters, "sex": self.sexes, "age_bands": self.ages}

    @property
    def _subject(self) -> Mapping[str, JsonValue]:
        return {**super()._subject, "sex": self.sexes, "age_bands": self.ages}


@dataclass(frozen=True, kw_only=True)
class ChurnPlan(PeriodicPlan, OneKeyPlan):
    """A release of who has a home in one of two months in a row only. Keys are `zone * 2 + change`, as in `CHANGES`."""

    @property
    def subject(self) -> str:
        """What is counted."""
        return "Subscribers who appeared or fell silent since the month before"

    def dimension(self, name: str, level: int, keys: Indices) -> tuple[Axis, Indices]:
        """Return the zones of a level, or the two changes."""
        if name == "change":
            return Axis({"change": CHANGES}), keys % len(CHANGES)
        return zone_dimension(name, self.zones, level, keys // len(CHANGES))


def zone_dimension(column: str, zones: ZoneTree, level: int, finest: Indices) -> tuple[Axis, Indices]:
    """Return the zones of a level that are shown, as a column, and where zones of the finest level stand on it."""
    above = np.zeros(len(zones.levels[-1].zones), dtype=np.int64)
    above[zones.base_to_level[-1]] = zones.base_to_level[level]  # zones nest: each cell says the same
    return shown_dimension(column, zones, level, shown_zones(zones, level, zones.guard), above[finest])


def shown_dimension(
    column: str, zones: ZoneTree, level: int, shown: npt.NDArray[np.bool_], of_level: Indices
) -> tuple[Axis, Indices]:
    """Return the shown zones of a level under a column's name, and where zones of the level stand on it.

    Args:
        column: The column that they fill.
        zones: The tree.
        level: Number of the level.
        shown: Of each zone of the level, whether it is in the table.
        of_level: Numbers of zones of the level; `NOWHERE` stays so.
    """
    names = tuple(zone for zone, is_shown in zip(zones.levels[level].zones, shown, strict=True) if is_shown)
    place = np.append(np.where(shown, np.cumsum(shown) - 1, NOWHERE), NOWHERE)
    return Axis({column: names}), place[of_level]


def shown_zones(
    zones: ZoneTree, level: int, guard: Guard, within: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.bool_]:
    """Tell of each zone of a level whether it is shown.

    It is where a base cell of it is neither withheld nor in a closed zone of a coarser level.

    Args:
        zones: The tree.
        level: Number of the level.
        guard: What the list of sensitive places does.
        within: Base cells that make up the domain; all unless told.
    """
    seen = ~np.isin(zones.base_cells, guard.withheld) & (True if within is None else within)
    for above, zone in zip(zones.levels[:level], zones.base_to_level[:level], strict=True):
        seen &= ~np.isin(above.zones, guard.closed)[zone]
    shown = np.zeros(len(zones.levels[level].zones), dtype=np.bool_)
    shown[zones.base_to_level[level][seen]] = True
    return shown
