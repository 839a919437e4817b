"""What a shared bundle must be, given its agreement: the reader can hold the publisher to it."""

from datetime import UTC, date, datetime, time
from typing import Any

import h3
import pyarrow as pa

from jobs.publish.card import Card, DomainNote
from jobs.publish.forms import form_of
from jobs.publish.sharing.notice import SharingNote, wrong
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.zoning import Zoning, is_cell
from schemas.errors import PrivacyError
from schemas.published import REMAINDER


def check_sharing(table: pa.Table, released: Card, sharing: SharingNote) -> None:
    """Check that a shared bundle keeps its agreement: product, term, class, levels, zones and grades.

    Args:
        table: Its rows.
        released: The card of the whole release.
        sharing: What `sharing.json` says.

    Raises:
        BundleError: It does not.
    """
    try:
        sealed_on = date.fromisoformat(released.sealed_on)
        sharing.terms.require_covers(released, sharing.shared_on)
    except PrivacyError as error:
        raise wrong(error.found.rstrip("."), error.expected) from None
    except ValueError:
        raise wrong("card.json states a day that is none", "YYYY-MM-DD") from None
    if sharing.release != released.slug or sharing.shared_on < sealed_on:
        raise wrong("it is of another release, or from before it was sealed", released.slug)
    if (sharing.domain is not None) != form_of(released.product).has_zones:
        raise wrong("it draws zones and the product has none, or the other way round", "the form of the product")
    if sharing.domain is not None:
        _check_levels(table, released, sharing, sharing.domain)
    _check_grades(table, sharing)


def signed_at(sharing: SharingNote | None, recorded: datetime) -> datetime:
    """Return when a bundle was signed, as far as it tells: when it was approved, or on the later day of its share."""
    return max(recorded, datetime.combine(sharing.shared_on, time(), UTC)) if sharing else recorded


def told(sharing: SharingNote) -> str:
    """Return with whom it was shared, in one sentence."""
    terms = sharing.terms
    return (
        f"Shared with {terms.recipient} on {sharing.shared_on} under the agreement {terms.id} (SHA-256 "
        f"{sharing.agreement_sha256[:16]}), valid {terms.valid_from} to {terms.valid_until}. Purpose: {terms.purpose}. "
        f"Legal basis: {terms.legal_basis}."
    )


def _check_levels(table: pa.Table, released: Card, sharing: SharingNote, domain: DomainNote) -> None:
    finest = sharing.terms.finest(released.zoning)
    if finest is None:
        raise wrong(f"it shows {released.zoning.zones}", "an agreement that allows some of them")
    drawn: dict[str, Any] = {"resolutions": [level for level in released.zones.resolutions if level <= finest]}
    if released.zoning is Zoning.H3:
        drawn |= {"base_resolution": min(finest, released.zones.base_resolution), "zones": domain.zones}
    else:
        drawn |= {"units": domain.units, "units_sha256": domain.units_sha256}
    if domain != released.zones.model_copy(update=drawn):
        raise wrong("its domain is not what the agreement leaves of that of card.json", f"levels up to {finest}")
    shown = {level for name in _level_columns(table) for level in table[name].unique().to_pylist()} - {None}
    if finer := sorted(level for level in shown if level > finest):
        raise wrong(f"a row is of {released.zoning.place(finer[0])}", f"{released.zoning.place(finest)} or coarser")
    homes = [home for home in released.homes or () if is_cell(home)]
    if released.zoning is Zoning.H3 and any(h3.get_resolution(home) > domain.base_resolution for home in homes):
        raise wrong("card.json names homes of finer cells", f"cells of resolution {domain.base_resolution}")


def _check_grades(table: pa.Table, sharing: SharingNote) -> None:
    least = sharing.terms.least_quality
    if least is None:
        return
    rows = table.select(["quality", "status"]).to_pylist()
    if worse := [row["quality"] for row in rows if row["status"] != REMAINDER and row["quality"] > least]:
        raise wrong(f"a row has quality {worse[0]}", f"{least} or better, or the remainder")


def _level_columns(table: pa.Table) -> list[str]:
    return [name for name in LEVEL_COLUMNS.values() if name in table.schema.names]
