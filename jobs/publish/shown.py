"""What a bundle shows: a release, or the part of one that a sharing agreement lets through."""

from dataclasses import dataclass

import pyarrow as pa

from jobs.publish.card import Card, read_card
from privacy.canonical import canonical_json
from privacy.release import Release
from privacy.zoning import AdminUnits


@dataclass(frozen=True)
class Shown:
    """What the files of a bundle are made of.

    Args:
        card: What a reader has to know of these rows.
        table: The rows.
        base_cells: The finest H3 cells of the domain, sorted; none where the product has no zones.
        units: The administrative units, where they are the zones.
    """

    card: Card
    table: pa.Table
    base_cells: tuple[str, ...]
    units: AdminUnits | None

    @classmethod
    def of(cls, release: Release) -> "Shown":
        """Show the whole of a release."""
        return cls(read_card(canonical_json(release.card)), release.table, release.base_cells, release.units)
