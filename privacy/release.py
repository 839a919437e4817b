"""The only door: exact bounded totals go in, a charged, sealed, noisy `Release` comes out."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import InitVar, dataclass
from typing import Final

import pyarrow as pa

from privacy.bounding import Bounded
from privacy.canonical import JsonValue
from privacy.contribution_histogram import open_contribution_histogram
from privacy.flat import open_marginals
from privacy.ledger import Ledger, ReleaseKey, Seal
from privacy.pairs import open_pairs
from privacy.plan import Plan
from privacy.policy import Policy
from privacy.sealed import Opened
from privacy.vault import Vault
from privacy.zoning import AdminUnits
from schemas.errors import PrivacyError

_OPEN: Final[Mapping[str, Callable[[bytes], Opened]]] = {
    "od_trips": open_pairs,
    "contribution_histogram": open_contribution_histogram,
    "presence": open_marginals,
    "roaming": open_marginals,
    "home_visits": open_pairs,
    "residents": open_marginals,
    "relocations": open_pairs,
    "churn": open_marginals,
    "migration": open_pairs,
    "active_subscribers": open_marginals,
    "displacement": open_marginals,
}
"""How what a product sealed is read."""

_DOOR: Final = object()


@dataclass(frozen=True)
class Release:
    """Released values: the only thing that may be published.

    Made by `release` alone, from sealed measurements; a table of anything else cannot become one.

    Args:
        key: Which release.
        table: Rows of the product's public contract.
        base_cells: The public domain: H3 names at the base resolution, sorted; none where the product has no zones.
        card: What a reader has to know.
        seal: Proof of the one draw.
        door: Held by this module only.
        units: The administrative units of the domain, where they are its zones.
    """

    key: ReleaseKey
    table: pa.Table
    base_cells: tuple[str, ...]
    card: Mapping[str, JsonValue]
    seal: Seal
    door: InitVar[object]
    units: AdminUnits | None = None

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
        LedgerError: The ledger has forgotten what a bundle or the vault shows, or does not pass its check.
        UnboundedContributionError: The totals were bounded otherwise than the plan says.
    """
    reserve(plan, ledger=ledger, vault=vault, policy=policy, known_heads=known_heads)
    seal = ledger.sealed(plan.key)
    if seal is None:
        bounded, inputs_sha256 = exact()
        drawn = vault.put(plan.draw(bounded))
        seal = ledger.seal(plan.key, artefact_sha256=drawn, inputs_sha256=inputs_sha256)
        if seal.artefact_sha256 != drawn:
            vault.discard(drawn)
    return _opened(seal, vault)


def reserve(plan: Plan, *, ledger: Ledger, vault: Vault, policy: Policy, known_heads: Iterable[str] = ()) -> None:
    """Charge a plan once, before anything is drawn; again: nothing is charged. The arguments are those of `release`.

    Raises:
        BudgetExceededError: The release would overrun a pool.
        SpecificationChangedError: It was reserved under another specification.
        LedgerError: The ledger has forgotten what a bundle or the vault shows, or does not pass its check.
    """
    ledger.reserve(
        plan.specification,
        caps=policy.caps,
        event_pools=policy.event_pools,
        known_heads=known_heads,
        artefacts=vault.kept(),
    )


def sealed_release(key: ReleaseKey, *, ledger: Ledger, vault: Vault) -> Release | None:
    """Return a release as it was sealed, without charging or drawing anything; nothing where there is none.

    Raises:
        SealLostError: What was drawn is gone. It is never drawn again, and its budget stays spent.
    """
    seal = ledger.sealed(key)
    return _opened(seal, vault) if seal else None


def _opened(seal: Seal, vault: Vault) -> Release:
    opened = _OPEN[seal.key.product](vault.get(seal.artefact_sha256))
    card = {**opened.card, "ledger_head": seal.ledger_head, "sealed_on": seal.sealed_at[:10]}
    return Release(seal.key, opened.table, opened.base_cells, card, seal, _DOOR, opened.units)
