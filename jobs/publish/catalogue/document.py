"""`catalogue.json`: what was published, what became of it, and where a series breaks; for machines."""

from collections.abc import Sequence
from typing import Any, Final

from jobs.publish.catalogue.breaks import Break
from jobs.publish.catalogue.reading import Listed
from jobs.publish.errata import Notice
from privacy.approval import Trust

SCHEMA_VERSION: Final = 1
"""Raised where the meaning of a key changes, not where one is added."""


def document_of(
    releases: Sequence[Listed], breaks: Sequence[Break], notices: Sequence[Notice], trust: Trust | None
) -> dict[str, Any]:
    """Return the catalogue as JSON holds it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "releases": [_release(one) for one in releases],
        "breaks": [vars(one) for one in breaks],
        "errata": [_erratum(notice) for notice in notices],
        "revoked_keys": revoked_keys(trust),
        "keys_known": trust is not None,
    }


def revoked_keys(trust: Trust | None) -> list[dict[str, str]]:
    """Return the keys that are no longer trusted, with whose they were, since when and why."""
    if trust is None:
        return []
    names = {trusted.key.id: trusted for trusted in trust.keys}
    return [
        {
            "key_id": revoked.key_id,
            "name": names[revoked.key_id].name,
            "role": str(names[revoked.key_id].role),
            "revoked_at": revoked.revoked_at.isoformat(),
            "reason": revoked.reason,
        }
        for revoked in sorted(trust.revocations, key=lambda revoked: (revoked.revoked_at, revoked.key_id))
    ]


def _release(one: Listed) -> dict[str, Any]:
    card = one.card
    return {
        "bundle": card.slug,
        "title": card.title,
        "product": card.product,
        "period": card.period,
        "revision": card.revision,
        "series": one.series,
        "status": one.status,
        "superseded_by": one.superseded_by,
        "definition_id": card.definition_id,
        "unit": card.unit_of_value,
        "zoning": str(card.zoning) if card.domain else None,
        "levels": sorted(card.domain.resolutions) if card.domain else [],
        "rows": one.rows,
        "sensitivity": card.sensitivity.model_dump(by_alias=True),
        "synthetic": card.synthetic,
        "provisional": card.is_provisional,
        "sealed_on": card.sealed_on,
        "micro_rho": card.privacy.claimed_micro_rho,
        "epsilon": [stated.model_dump() for stated in card.privacy.epsilon],
        "sums_sha256": one.sha256,
        "signer": one.signer,
        "signed_by": one.signed_by,
        "approved_by": one.approved_by,
    }


def _erratum(notice: Notice) -> dict[str, Any]:
    told = notice.erratum
    return {
        "id": told.id,
        "bundle": told.bundle,
        "status": told.status,
        "reason": told.reason,
        "issued_on": told.issued_on.isoformat(),
        "superseded_by": told.superseded_by,
        "signer": notice.key.id,
        "signed_by": notice.signed_by,
    }
