"""How much the contribution bounds cut off: a charged histogram of subscribers.

Each subscriber of a privacy month stands in one bin: a point of a public grid of trips a day, and `kept` or `cut`. Both
are rounded at random, by a digest of the pseudonym, so that means come out right on a coarse grid; the fewer
bins, the less noise (proofs/bounding.md).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from privacy import mechanisms
from privacy.bounding import FIXED_POINT, Bounded, LevelBound, contribution_weights, period_bounds
from privacy.canonical import JsonValue, canonical_json
from privacy.clipping import Class, Clipping, clipping_of
from privacy.intervals import Z_95
from privacy.plan import PeriodicPlan
from privacy.policy import ProductPolicy
from privacy.sealed import Opened
from privacy.zoning import Zoning
from schemas.errors import SealLostError
from schemas.published import CONTRIBUTION_HISTOGRAM, CUT, KEPT

PARTS: Final = (KEPT, CUT)
"""Bins of one point of the grid, in order: bin number is 2 * point + part."""

GRID_UNIT: Final = 8
"""Points of the grid are multiples of 1/8 trip a day, so that thresholds are whole numbers over any days."""

_CHANCE_BITS: Final = 20
"""Bits of a digest that decide one rounding: a millionth is finer than any noise, and products fit 63 bits."""

_ONE_SUBSCRIBER: Final = (LevelBound("bin", 1),)
"""A subscriber is counted in one bin at most, once: L0 = Linf = L2 = 1."""


@dataclass(frozen=True, kw_only=True)
class ContributionHistogramPlan(PeriodicPlan):
    """A histogram of what the bounds of another product cut off.

    Args:
        measured: The policy of that product: its levels' bounds are what is looked at.
    """

    measured: ProductPolicy

    @property
    def bounds(self) -> tuple[LevelBound, ...]:
        """One subscriber, one bin."""
        return _ONE_SUBSCRIBER

    @property
    def measured_bounds(self) -> tuple[LevelBound, ...]:
        """The bounds that are looked at, coarse to fine, for totals over a week."""
        return period_bounds(self.measured.levels, days=7)

    @property
    def grid(self) -> tuple[float, ...]:
        """Points of the grid, trips a day."""
        return self.product.grid

    @property
    def title(self) -> str:
        """What a reader sees first."""
        return f"What contribution bounds cut off, {self.country}, {self.key.period}"

    @property
    def sigma(self) -> float:
        """Scale of the noise of one count."""
        return mechanisms.sigma_for(l2_sensitivity=self.bounds[0].l2, micro_rho=self.product.micro_rho)

    @property
    def _parameters(self) -> Mapping[str, JsonValue]:
        return {
            "grid": self.grid,
            "looks_at": self._looks_at(),
            "sigma": self.sigma,
        }

    @property
    def not_before(self) -> None:
        """A histogram shows no place: none delays it."""

    def _looks_at(self) -> dict[str, JsonValue]:
        return bounds_note(self.measured, self.definition_parameters)

    @property
    def _mechanism(self) -> Mapping[str, JsonValue]:
        level: dict[str, JsonValue] = {
            "resolution": None,
            "micro_rho": self.product.micro_rho,
            "c2": 1.0,
            "squared_l2_bound": self.bounds[0].squared,
            "fixed_point": 1,
            "sigma": self.sigma,
        }
        return {
            "mechanism": "discrete Gaussian on counts of subscribers, each in one bin",
            "levels": [level],
            "expand_sigma": None,
            "publish_sigma": None,
            "interval": "95 %, for the count of the bin; covers noise only",
            "clipping_bias": "this release measures it for another product",
        }

    @property
    def _subject(self) -> Mapping[str, JsonValue]:
        return {"looks_at": self._looks_at(), "grid": self.grid}

    def _measured(self, bounded: Bounded) -> bytes:
        exact = np.zeros(len(PARTS) * len(self.grid), dtype=np.int64)
        exact[bounded.keys] = bounded.totals
        noisy, sigma = mechanisms.discrete_gaussian(
            exact, l2_sensitivity=self.bounds[0].l2, micro_rho=self.product.micro_rho
        )
        facts = {"card": self.card, "counts": noisy.tolist(), "grid": self.grid, "sigma": sigma}
        return canonical_json(facts)


def bounds_note(measured: ProductPolicy, definition_parameters: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Say which bounds a histogram looks at: it holds for a product with an equal note, and for no other."""
    levels: list[JsonValue] = [{"resolution": level.resolution, "c2": level.c2} for level in measured.levels]
    zoning = {} if measured.zoning is Zoning.H3 else {"zoning": str(measured.zoning)}
    return {
        **zoning,
        "product": measured.product,
        "kind": str(measured.kind),
        "definition_id": measured.definition_id,
        "definition_parameters": {**definition_parameters},
        "levels": levels,
    }


def open_contribution_histogram(data: bytes) -> Opened:
    """Return what a sealed histogram says.

    Raises:
        SealLostError: The bytes are none.
    """
    try:
        facts = json.loads(data)
        counts, grid, sigma, card = (facts[name] for name in ("counts", "grid", "sigma", "card"))
        table = _table(np.array(counts, dtype=np.int64), grid, sigma, card)
        found = clipping_in(table, release=_slug(card), period=card["period"])
    except (ValueError, KeyError, TypeError) as error:
        raise SealLostError(
            "The sealed histogram cannot be read.",
            "what a release sealed",
            "use the version of Whimbrel that sealed it, or restore the vault",
        ) from error
    return Opened(table, (), {**card, "clipping": found.note if found else None})


def clipping_in(table: pa.Table, *, release: str, period: str) -> Clipping | None:
    """Estimate what the bounds cut off from the rows of a histogram; nothing where the country is too small."""
    rows = table.select(["trips_a_day", "part", "value", "noise_sd"]).to_pylist()
    by_point: dict[float, dict[str, float]] = {}
    for row in rows:
        by_point.setdefault(row["trips_a_day"], {})[row["part"]] = row["value"]
    classes = [Class(point, counts[KEPT], counts[CUT]) for point, counts in sorted(by_point.items())]
    return clipping_of(classes, sigma=rows[0]["noise_sd"], release=release, period=period)


def _slug(card: Mapping[str, Any]) -> str:
    return f"{card['product']}_{card['period']}_r{card['revision']}"


def _table(counts: npt.NDArray[np.int64], grid: list[float], sigma: float, card: Mapping[str, Any]) -> pa.Table:
    """One row per point of the grid and part, points in order."""
    rows = [
        {
            "period": card["period"],
            "trips_a_day": grid[number // len(PARTS)],
            "part": PARTS[number % len(PARTS)],
            "value": float(count),
            "noise_sd": sigma,
            "ci_low": count - Z_95 * sigma,
            "ci_high": count + Z_95 * sigma,
            "definition_id": card["definition_id"],
        }
        for number, count in enumerate(counts.tolist())
    ]
    return pa.Table.from_pylist(rows, schema=CONTRIBUTION_HISTOGRAM.arrow_schema)


def binned_subscribers(contributions: DataFrame, plan: ContributionHistogramPlan, *, partitions: int) -> DataFrame:
    """One row per bin that a subscriber stands in: `key` (2 * point + part), `total` (subscribers).

    Args:
        contributions: `subscriber`, `week`, the key columns of `plan.measured_bounds`, `amount`.
        plan: The histogram.
        partitions: Of the exchange by subscriber.

    Stability: a subscriber stands in one bin at most, which depends on its own contributions and pseudonym only.
    """
    weighted = contribution_weights(contributions, plan.measured_bounds, by=["week"], partitions=partitions)
    weekly = weighted.select("subscriber", "weight", F.col("amount").alias("trips"))
    monthly = weekly.groupBy("subscriber").agg(
        F.sum("trips").alias("trips"), F.sum(F.col("trips") * F.col("weight")).alias("kept")
    )
    chance = monthly.select("trips", "kept", F.xxhash64("subscriber", _salt(plan)).alias("digest"))
    placed = chance.select(_point(plan).alias("point"), _is_cut().alias("cut")).filter(F.col("point") > 0)
    key = (F.col("point") - 1) * len(PARTS) + F.col("cut")
    return placed.groupBy(key.cast("bigint").alias("key")).agg(F.count(F.lit(1)).cast("bigint").alias("total"))


def _salt(plan: ContributionHistogramPlan) -> Column:
    """Another month rounds otherwise."""
    return F.lit(plan.period.first_day.toordinal()).cast("bigint")


def _chance(shift: int) -> Column:
    """A whole number below 2^20, of the subscriber's own."""
    return F.shiftright("digest", shift).bitwiseAND(F.lit((1 << _CHANCE_BITS) - 1))


def _point(plan: ContributionHistogramPlan) -> Column:
    """Number of the grid's point, 0 below the first: the one under or over the subscriber's trips, right in the mean.

    Who travels more than the last point stands at the last.
    """
    days, scaled = plan.period.n_days, F.col("trips") * GRID_UNIT
    thresholds = [0, *(round(point * GRID_UNIT) * days for point in plan.grid)]
    steps = []
    for number in range(1, len(thresholds)):
        low, high = thresholds[number - 1], thresholds[number]
        upper = _chance(0) * F.lit(high - low) < (scaled - low) * F.lit(1 << _CHANCE_BITS)
        steps.append(F.when(scaled < high, F.when(upper, number).otherwise(number - 1)))
    return F.coalesce(*steps, F.lit(len(plan.grid)))


def _is_cut() -> Column:
    """1 with the probability that is the share of the subscriber's trips cut off, else 0."""
    whole = F.col("trips") * FIXED_POINT
    return F.when(_chance(_CHANCE_BITS) * whole < (whole - F.col("kept")) * F.lit(1 << _CHANCE_BITS), 1).otherwise(0)
