"""The part of a release that an agreement lets through: nothing finer, nothing worse, no name of a finer zone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h3
import pyarrow as pa
import pyarrow.compute as pc

from jobs.publish.card import Card, DomainNote, read_card
from jobs.publish.forms import form_of
from jobs.publish.sharing.agreement import Agreement
from jobs.publish.sharing.folding import Parents, fold
from jobs.publish.tables import public_contract, published_table
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.canonical import JsonValue, canonical_json
from privacy.release import Release
from privacy.zoning import AdminUnits, Zoning, layer_sha256
from schemas.errors import PrivacyError


@dataclass(frozen=True)
class Extract:
    """A release as one recipient may hold it.

    Args:
        card: The release's card, but for finer zones that it names.
        table: Its rows, as they are published.
        base_cells: The finest H3 cells that are drawn, sorted; none where the product has no zones.
        units: The administrative units that are drawn, where units are its zones.
        domain: What is drawn; none where the product has no zones.
    """

    card: Mapping[str, JsonValue]
    table: pa.Table
    base_cells: tuple[str, ...]
    units: AdminUnits | None
    domain: DomainNote | None


def extract(release: Release, agreement: Agreement) -> Extract:
    """Give the part of a release that an agreement lets through.

    Privacy: post-processing of released values; free (privacy/proofs/sharing.md).

    Raises:
        PrivacyError: The agreement allows no zones of this kind, or none so coarse were released.
    """
    card = read_card(canonical_json(release.card))
    contract = public_contract(card.product)
    table = published_table(release.table, contract)
    if not form_of(card.product).has_zones:
        return Extract(release.card, table, (), None, None)
    finest = _finest(card, agreement)
    units = coarser_units(release.units, finest) if release.units else None
    cells = release.base_cells if units else coarser_cells(release.base_cells, finest)
    if form_of(card.product).has_map:
        parents = parents_in(release.units)
        levels, least = card.resolutions, agreement.least_quality
        table = fold(table, contract, parents, levels=levels, finest=finest, least_quality=least)
    else:
        table = published_table(_not_finer(table, finest), contract)
    return Extract(_named_coarsely(release, cells), table, cells, units, _domain(card, finest, cells, units))


def parents_in(units: AdminUnits | None) -> Parents:
    """Return in which zone of a coarser level a zone lies: a unit in a unit, or an H3 cell in its ancestor."""
    if units is None:
        return lambda cell, resolution: str(h3.cell_to_parent(cell, resolution))
    inside = {
        (code, level): above
        for codes in units.of_cells
        for level in units.levels
        for code, above in zip(codes, units.at(level), strict=True)
    }
    return lambda code, level: inside[code, level]


def coarser_cells(cells: tuple[str, ...], finest: int) -> tuple[str, ...]:
    """Return the cells in which base cells lie that are no finer than a resolution."""
    return tuple(sorted({str(h3.cell_to_parent(cell, min(finest, h3.get_resolution(cell)))) for cell in cells}))


def coarser_units(units: AdminUnits, finest: int) -> AdminUnits:
    """Return the units of a layer that are no finer than an admin level."""
    levels = tuple(level for level in units.levels if level <= finest)
    return AdminUnits(levels, tuple(units.at(level) for level in levels), tuple(units.drawn(levels)))


def _finest(card: Card, agreement: Agreement) -> int:
    """The finest level that the agreement allows of the card's zones.

    Raises:
        PrivacyError: It allows none, or the release has none so coarse.
    """
    finest = agreement.finest(card.zoning)
    key = "finest_resolution" if card.zoning is Zoning.H3 else "finest_admin_level"
    if finest is None:
        found = f"The zones of {card.slug} are {card.zoning.zones}; the agreement {agreement.id} allows none of them."
        raise PrivacyError(found, f"an agreement with {key}", "agree anew, under another id; nothing was shared")
    if not any(level <= finest for level in card.resolutions):
        found = f"{card.slug} has nothing as coarse as {card.zoning.place(finest)}."
        coarsest = card.zoning.place(min(card.resolutions, default=0))
        raise PrivacyError(found, f"{coarsest} or finer", "agree on that, under another id; nothing was shared")
    return finest


def _not_finer(table: pa.Table, finest: int) -> pa.Table:
    """The rows of flat tables whose zones are no finer: each level is a measurement of its own, none needs another."""
    for column in set(LEVEL_COLUMNS.values()) & set(table.schema.names):
        table = table.filter(pc.fill_null(pc.less_equal(table[column], finest), True))
    return table


def _named_coarsely(release: Release, cells: tuple[str, ...]) -> Mapping[str, JsonValue]:
    """The card with its area's homes named by the cells that are drawn."""
    homes: Any = release.card.get("homes")
    if homes is None or release.units:
        return release.card
    resolution = h3.get_resolution(cells[0])
    inside = sorted({str(h3.cell_to_parent(home, resolution)) for home in set(homes) & set(release.base_cells)})
    return {**json.loads(canonical_json(release.card)), "homes": inside}


def _domain(card: Card, finest: int, cells: tuple[str, ...], units: AdminUnits | None) -> DomainNote:
    levels = [level for level in card.zones.resolutions if level <= finest]
    if units is None:
        drawn = {"base_resolution": h3.get_resolution(cells[0]), "zones": len(cells)}
    else:
        shown = tuple(units.drawn(levels))
        drawn = {"units": len(shown), "units_sha256": layer_sha256(shown)}
    return card.zones.model_copy(update={"resolutions": levels, **drawn})
