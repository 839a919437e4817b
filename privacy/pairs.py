"""Pairs of zones, from where to where: what releases of trips, visits and moves share, and their table."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from privacy import mechanisms
from privacy.bounding import FIXED_POINT, Bounded, LevelBound, period_bounds
from privacy.canonical import JsonValue
from privacy.clipping import NOT_MEASURED, NOTHING_CUT, Clipping
from privacy.hierarchy import PairTree, ZoneLevel
from privacy.intervals import uncertain
from privacy.measurements import Measurements
from privacy.plan import PeriodicPlan
from privacy.sealed import Opened
from privacy.topdown import Integers, LevelRows, estimate, measure
from schemas.published import ALL, PUBLIC_TABLE, PUBLISHED, REMAINDER, RESIDUAL


@dataclass(frozen=True, kw_only=True)
class PairsPlan(PeriodicPlan):
    """A release of pairs of zones, measured top-down.

    A subscriber's contribution is a vector over pairs; a pair of equal zones counts what lies inside the zone.

    Args:
        clipping: What the newest histogram says of these bounds; known from outside, so no term of the release.
    """

    clipping: Clipping | None = None

    @property
    def days(self) -> int:
        """Days that a value is a mean of; 1 where it counts over the period as a whole."""
        return 1

    @property
    @abstractmethod
    def subject(self) -> str:
        """What is counted between which zones, to begin a title with."""

    @property
    def clipping_bias(self) -> str:
        """What is known of what the bounds cut off, in a sentence."""
        return self.clipping.sentence if self.clipping else NOT_MEASURED

    @property
    def bounds(self) -> tuple[LevelBound, ...]:
        """The bound at each level, coarse to fine, for totals over the period: of keys `origin * n + destination`."""
        return period_bounds(self.product.levels, days=self.days)

    @property
    def fixed_point(self) -> int:
        """Units of a sealed value in one of the release's unit."""
        return FIXED_POINT * self.days

    def sigma(self, level: int) -> float:
        """Scale of the noise at a level, in units of a sealed value."""
        rho = self.product.levels[level].micro_rho
        return mechanisms.sigma_for(l2_sensitivity=self.bounds[level].l2, micro_rho=rho)

    @property
    def title(self) -> str:
        """What a reader sees first."""
        return f"{self.subject}, {self.country}, {self.key.period}"

    @property
    def _parameters(self) -> Mapping[str, JsonValue]:
        return {
            "levels": self._levels(),
            "expand_sigma": self.product.expand_sigma,
            "publish_sigma": self.product.publish_sigma,
        }

    def _levels(self) -> list[JsonValue]:
        return [
            {
                "resolution": level.resolution,
                "micro_rho": level.micro_rho,
                "c2": level.c2,
                "squared_l2_bound": bound.squared,
                "fixed_point": self.fixed_point,
                "sigma": self.sigma(number) / self.fixed_point,
            }
            for number, (level, bound) in enumerate(zip(self.product.levels, self.bounds, strict=True))
        ]

    @property
    def _mechanism(self) -> Mapping[str, JsonValue]:
        return {
            "mechanism": "discrete Gaussian on totals in fixed point, top-down over pairs of "
            f"{self.zones.zoning.zones}",
            "levels": self._levels(),
            "expand_sigma": self.product.expand_sigma,
            "publish_sigma": self.product.publish_sigma,
            "interval": "95 %, for the total after contribution bounds, corrected for the cut that chose the rows: "
            "it covers that share of all published rows together. Noise only. The remainder's is wider than needed",
            "clipping_bias": self.clipping_bias,
            "clipping": self.clipping.note if self.clipping else None,
        }

    @property
    def _subject(self) -> Mapping[str, JsonValue]:
        return {
            "domain": self.zones.note,
        }

    def _measured(self, bounded: Bounded) -> bytes:
        def noisy(level: int, totals: Integers) -> tuple[Integers, float]:
            rho = self.product.levels[level].micro_rho
            return mechanisms.discrete_gaussian(totals, l2_sensitivity=self.bounds[level].l2, micro_rho=rho)

        levels = measure(bounded, PairTree(self.zones), noisy, expand_sigma=self.product.expand_sigma)
        return Measurements(self.zones, levels, self.fixed_point, self.product.publish_sigma, self.card).to_bytes()


@dataclass(frozen=True, kw_only=True)
class HomeVisitsPlan(PairsPlan):
    """A release of visits: pairs of a subscriber's home and the other cells where it was seen, each counted once."""

    @property
    def subject(self) -> str:
        """What is counted between which zones."""
        return "Visited cells by zone of home and zone visited"


@dataclass(frozen=True, kw_only=True)
class MovesPlan(PairsPlan):
    """A release of moves: one pair a subscriber, from the zone where it lived to the one where it lives."""

    @property
    def clipping_bias(self) -> str:
        """Nothing is cut off."""
        return NOTHING_CUT


@dataclass(frozen=True, kw_only=True)
class RelocationsPlan(MovesPlan):
    """A release of moves between the homes of two privacy months in a row."""

    @property
    def subject(self) -> str:
        """What is counted between which zones."""
        return "Relocations from the month before"


@dataclass(frozen=True, kw_only=True)
class MigrationPlan(MovesPlan):
    """A release of moves between the usual residences of two windows of months."""

    @property
    def subject(self) -> str:
        """What is counted between which zones."""
        return "Migration between usual residences"


def open_pairs(data: bytes) -> Opened:
    """Return what sealed measurements of pairs say.

    Raises:
        SealLostError: The bytes are no such measurements.
    """
    sealed = Measurements.from_bytes(data)
    return Opened(_table(sealed), sealed.zones.base_cells, sealed.card, sealed.zones.units)


def _table(sealed: Measurements) -> pa.Table:
    """Rows of the contract: levels from fine to coarse, pairs in order, then the remainder."""
    numbers = estimate(sealed.levels, sealed.tree, publish_sigma=sealed.publish_sigma)
    rows = [
        row
        for level, found in reversed(list(zip(sealed.zones.levels, numbers.levels, strict=True)))
        for row in _level_rows(level, found)
    ]
    remainder = {
        "is_residual": True,
        "status": REMAINDER,
        **uncertain(numbers.remainder, numbers.remainder_sd),
    }
    common = {
        "period": sealed.card["period"],
        "sex": ALL,
        "age_band": ALL,
        "definition_id": sealed.card["definition_id"],
    }
    return pa.Table.from_pylist(
        [_in_unit({**common, **row}, sealed.fixed_point) for row in [*rows, remainder]],
        schema=PUBLIC_TABLE[str(sealed.card["product"])].arrow_schema,
    )


def _level_rows(level: ZoneLevel, found: LevelRows) -> Iterator[dict[str, object]]:
    n = len(level.zones)
    columns = (found.pairs.tolist(), found.values.tolist(), found.sd.tolist(), found.is_residual.tolist())
    for pair, value, sd, is_residual in zip(*columns, strict=True):
        yield {
            "origin": level.zones[pair // n],
            "destination": level.zones[pair % n],
            "res_from": level.resolution,
            "res_to": level.resolution,
            "is_residual": is_residual,
            "status": RESIDUAL if is_residual else PUBLISHED,
            **uncertain(value, sd),
        }


def _in_unit(row: dict[str, Any], fixed_point: int) -> dict[str, Any]:
    """Turn totals in fixed point into the unit of a value."""
    return row | {name: row[name] / fixed_point for name in ("value", "noise_sd", "ci_low", "ci_high")}
