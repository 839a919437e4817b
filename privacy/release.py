"""The only door: exact bounded totals go in, a charged, sealed, noisy `Release` comes out."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import InitVar, dataclass
from typing import Any, Final

import pyarrow as pa

from privacy import mechanisms
from privacy.bounding import FIXED_POINT, Bounded, LevelBound, squared_bound
from privacy.canonical import JsonValue, sha256_hex
from privacy.hierarchy import PairTree, ZoneLevel, ZoneTree
from privacy.ledger import Ledger, ReleaseKey, Seal, Specification
from privacy.measurements import Measurements
from privacy.policy import Policy, ProductPolicy
from privacy.topdown import Integers, LevelRows, estimate, measure
from privacy.unit import Period
from privacy.vault import Vault
from schemas.errors import PrivacyError
from schemas.published import OD_TRIPS, PUBLISHED, REMAINDER, RESIDUAL

DELTAS: Final = (1e-6, 1e-9)
"""Deltas at which a card states epsilon: one in a million, and below one over any population."""

Z_95: Final = 1.959964
"""Half width of a 95 % interval of a normal variable, in standard deviations."""

_QUALITY: Final = ((0.05, "A"), (0.15, "B"))
_ALL: Final = "all"
_DOOR: Final = object()


@dataclass(frozen=True)
class Plan:
    """All that decides a release but the data; public.

    Args:
        key: Which release.
        period: Its period.
        product: Its policy.
        policy_sha256: Digest of the policy file.
        zones: Its key domain.
        country: Name shown to readers.
        definition: One sentence that says what is counted.
        definition_parameters: The numbers of that definition.
        synthetic: Whether the data come from the synthetic country.
    """

    key: ReleaseKey
    period: Period
    product: ProductPolicy
    policy_sha256: str
    zones: ZoneTree
    country: str
    definition: str
    definition_parameters: Mapping[str, JsonValue]
    synthetic: bool

    @property
    def bounds(self) -> tuple[LevelBound, ...]:
        """The bound at each level, coarse to fine, for totals over the period."""
        return tuple(
            LevelBound(f"key_{level.resolution}", squared_bound(level.c2, periods=self.period.n_days))
            for level in self.product.levels
        )

    @property
    def fixed_point(self) -> int:
        """Units of a sealed value in one contribution a day."""
        return FIXED_POINT * self.period.n_days

    @property
    def specification(self) -> Specification:
        """What the ledger fixes when the release is reserved."""
        return Specification(
            self.key,
            self.product.charges(self.period),
            {
                "policy_sha256": self.policy_sha256,
                "levels": self._levels(),
                "expand_sigma": self.product.expand_sigma,
                "publish_sigma": self.product.publish_sigma,
                "definition_id": self.product.definition_id,
                "definition": {**self.definition_parameters},
                "zones": len(self.zones.base_cells),
                "base_cells_sha256": sha256_hex("\n".join(self.zones.base_cells).encode()),
                "country": self.country,
                "synthetic": self.synthetic,
            },
        )

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

    def sigma(self, level: int) -> float:
        """Scale of the noise at a level, in units of a sealed value."""
        rho = self.product.levels[level].micro_rho
        return mechanisms.sigma_for(l2_sensitivity=self.bounds[level].l2, micro_rho=rho)

    @property
    def card(self) -> dict[str, JsonValue]:
        """What a reader has to know of the release, and of its privacy; sealed with the measurements."""
        month = self.period.privacy_month
        return {
            "schema_version": OD_TRIPS.version,
            "product": self.key.product,
            "period": self.key.period,
            "revision": self.key.revision,
            "supersedes": self._supersedes(),
            "title": f"Trips between zones, {self.country}, {self.key.period}",
            "country": self.country,
            "synthetic": self.synthetic,
            "definition_id": self.product.definition_id,
            "definition": self.definition,
            "definition_parameters": {**self.definition_parameters},
            "unit_of_value": self.product.unit,
            "unit_of_privacy": f"all records of one subscriber in privacy month {month} "
            f"({month.first_day} to {month.last_day})",
            "neighbours": "two data sets that differ by one such unit, present or absent",
            "privacy": self._privacy(),
            "domain": {
                "base_resolution": self.zones.base_resolution,
                "resolutions": self.zones.resolutions,
                "zones": len(self.zones.base_cells),
            },
        }

    def _supersedes(self) -> str | None:
        if self.key.revision == 1:
            return None
        return ReleaseKey(self.key.product, self.key.period, self.key.revision - 1).slug

    def _privacy(self) -> dict[str, JsonValue]:
        rho = self.product.micro_rho
        return {
            "mechanism": "discrete Gaussian on totals in fixed point, top-down over pairs of H3 zones",
            "micro_rho": rho,
            "epsilon": [{"delta": delta, "epsilon": mechanisms.epsilon(rho, delta)} for delta in DELTAS],
            "charges": self.specification.body["charges"],
            "levels": self._levels(),
            "expand_sigma": self.product.expand_sigma,
            "publish_sigma": self.product.publish_sigma,
            "interval": "95 %, for the total after contribution bounds; covers noise only, not the "
            "selection of what is measured and published by noisy values",
            "clipping_bias": "not measured in this release: totals after contribution bounds are at most the full "
            "totals, most so for subscribers who travel much",
            "policy_sha256": self.policy_sha256,
        }


@dataclass(frozen=True)
class Release:
    """Released values: the only thing that may be published.

    Made by `release` alone, from sealed measurements; a table of anything else cannot become one.

    Args:
        key: Which release.
        table: Rows of the contract `od_trips`, finest first, the national remainder last.
        base_cells: The public domain: H3 names at the base resolution, sorted.
        card: What a reader has to know.
        seal: Proof of the one draw.
        door: Held by this module only.
    """

    key: ReleaseKey
    table: pa.Table
    base_cells: tuple[str, ...]
    card: Mapping[str, JsonValue]
    seal: Seal
    door: InitVar[object]

    def __post_init__(self, door: object) -> None:
        if door is not _DOOR:
            raise PrivacyError(
                "A release was made by hand.",
                "one that was charged, drawn and sealed",
                "use privacy.release.release",
            )


def release(
    plan: Plan,
    *,
    ledger: Ledger,
    vault: Vault,
    policy: Policy,
    exact: Callable[[], tuple[Bounded, str]],
    known_heads: Iterable[str] = (),
) -> Release:
    """Release a plan once: reserve, draw, seal; again: the sealed values, nothing charged, nothing drawn.

    May be killed at any line and called again (docs/architecture.md, what a kill leaves).

    Args:
        plan: What is released.
        ledger: Where it is charged.
        vault: Where what was drawn is kept.
        policy: Caps of the pools.
        exact: Gives the bounded totals and the digest of their inputs; called only where a draw is needed.
        known_heads: Chain heads of published bundles; a ledger that lacks one has forgotten charges.

    Raises:
        BudgetExceededError: The release would overrun a pool.
        SpecificationChangedError: It was reserved under another specification.
        SealLostError: What was drawn is gone. It is never drawn again, and its budget stays spent.
        UnboundedContributionError: The totals were bounded otherwise than the plan says.
    """
    ledger.reserve(plan.specification, caps=policy.caps, known_heads=known_heads)
    seal = ledger.sealed(plan.key)
    if seal is None:
        bounded, inputs_sha256 = exact()
        drawn = vault.put(_draw(plan, bounded).to_bytes())
        seal = ledger.seal(plan.key, artefact_sha256=drawn, inputs_sha256=inputs_sha256)
        if seal.artefact_sha256 != drawn:
            vault.discard(drawn)
    return _opened(seal, vault)


def sealed_release(key: ReleaseKey, *, ledger: Ledger, vault: Vault) -> Release | None:
    """Return a release as it was sealed, without charging or drawing anything; nothing where there is none.

    Raises:
        SealLostError: What was drawn is gone. It is never drawn again, and its budget stays spent.
    """
    seal = ledger.sealed(key)
    return _opened(seal, vault) if seal else None


def _draw(plan: Plan, bounded: Bounded) -> Measurements:
    if bounded.bounds != plan.bounds:
        raise PrivacyError(
            "The totals keep other bounds than the release declares.",
            "totals bounded under the plan",
            "aggregate them again",
        )

    def noisy(level: int, totals: Integers) -> tuple[Integers, float]:
        rho = plan.product.levels[level].micro_rho
        return mechanisms.discrete_gaussian(totals, l2_sensitivity=plan.bounds[level].l2, micro_rho=rho)

    levels = measure(bounded, PairTree(plan.zones), noisy, expand_sigma=plan.product.expand_sigma)
    return Measurements(plan.zones, levels, plan.fixed_point, plan.product.publish_sigma, plan.card)


def _opened(seal: Seal, vault: Vault) -> Release:
    sealed = Measurements.from_bytes(vault.get(seal.artefact_sha256))
    card = {**sealed.card, "ledger_head": seal.ledger_head, "sealed_on": seal.sealed_at[:10]}
    return Release(seal.key, _table(sealed, seal.key), sealed.zones.base_cells, card, seal, _DOOR)


def _table(sealed: Measurements, key: ReleaseKey) -> pa.Table:
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
        "period": key.period,
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
