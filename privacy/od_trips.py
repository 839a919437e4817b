"""Trips between zones: the plan of a release of `od_trips`, and the table that its measurements give."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from privacy import mechanisms
from privacy.bounding import FIXED_POINT, Bounded, LevelBound, period_bounds
from privacy.canonical import JsonValue
from privacy.clipping import NOT_MEASURED, Clipping
from privacy.hierarchy import PairTree, ZoneLevel
from privacy.measurements import Measurements
from privacy.plan import Plan
from privacy.sealed import Opened
from privacy.topdown import Integers, LevelRows, estimate, measure
from schemas.published import OD_TRIPS, PUBLISHED, REMAINDER, RESIDUAL

Z_95: Final = 1.959964
"""Half width of a 95 % interval of a normal variable, in standard deviations."""

_QUALITY: Final = ((0.05, "A"), (0.15, "B"))
_ALL: Final = "all"


@dataclass(frozen=True, kw_only=True)
class OdTripsPlan(Plan):
    """A release of trips between zones, measured top-down over pairs.

    Args:
        clipping: What the newest histogram says of these bounds; known from outside, so no term of the release.
    """

    clipping: Clipping | None = None

    @property
    def bounds(self) -> tuple[LevelBound, ...]:
        """The bound at each level, coarse to fine, for totals over the period."""
        return period_bounds(self.product.levels, days=self.period.n_days)

    @property
    def fixed_point(self) -> int:
        """Units of a sealed value in one contribution a day."""
        return FIXED_POINT * self.period.n_days

    def sigma(self, level: int) -> float:
        """Scale of the noise at a level, in units of a sealed value."""
        rho = self.product.levels[level].micro_rho
        return mechanisms.sigma_for(l2_sensitivity=self.bounds[level].l2, micro_rho=rho)

    @property
    def title(self) -> str:
        """What a reader sees first."""
        return f"Trips between zones, {self.country}, {self.key.period}"

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
            "mechanism": "discrete Gaussian on totals in fixed point, top-down over pairs of H3 zones",
            "levels": self._levels(),
            "expand_sigma": self.product.expand_sigma,
            "publish_sigma": self.product.publish_sigma,
            "interval": "95 %, for the total after contribution bounds, corrected for the cut that chose the rows: "
            "it covers that share of all published rows together. Noise only. The remainder's is wider than needed",
            "clipping_bias": self.clipping.sentence if self.clipping else NOT_MEASURED,
            "clipping": self.clipping.note if self.clipping else None,
        }

    @property
    def _subject(self) -> Mapping[str, JsonValue]:
        return {
            "domain": {
                "base_resolution": self.zones.base_resolution,
                "resolutions": self.zones.resolutions,
                "zones": len(self.zones.base_cells),
            },
        }

    def _measured(self, bounded: Bounded) -> bytes:
        def noisy(level: int, totals: Integers) -> tuple[Integers, float]:
            rho = self.product.levels[level].micro_rho
            return mechanisms.discrete_gaussian(totals, l2_sensitivity=self.bounds[level].l2, micro_rho=rho)

        levels = measure(bounded, PairTree(self.zones), noisy, expand_sigma=self.product.expand_sigma)
        return Measurements(self.zones, levels, self.fixed_point, self.product.publish_sigma, self.card).to_bytes()


def open_od_trips(data: bytes) -> Opened:
    """Return what sealed measurements of trips say.

    Raises:
        SealLostError: The bytes are no such measurements.
    """
    sealed = Measurements.from_bytes(data)
    return Opened(_table(sealed), sealed.zones.base_cells, sealed.card)


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
        **_uncertain(numbers.remainder, numbers.remainder_sd),
    }
    common = {
        "period": sealed.card["period"],
        "sex": _ALL,
        "age_band": _ALL,
        "definition_id": sealed.card["definition_id"],
    }
    return pa.Table.from_pylist(
        [_a_day({**common, **row}, sealed.fixed_point) for row in [*rows, remainder]],
        schema=OD_TRIPS.arrow_schema,
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
            **_uncertain(value, sd),
        }


def _uncertain(value: float, sd: float) -> dict[str, object]:
    relative = sd / value if value > 0 else math.inf
    return {
        "value": value,
        "noise_sd": sd,
        "ci_low": value - Z_95 * sd,
        "ci_high": value + Z_95 * sd,
        "quality": next((grade for limit, grade in _QUALITY if relative < limit), "C"),
    }


def _a_day(row: dict[str, Any], fixed_point: int) -> dict[str, Any]:
    """Turn totals in fixed point into means a day."""
    return row | {name: row[name] / fixed_point for name in ("value", "noise_sd", "ci_low", "ci_high")}
