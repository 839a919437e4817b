"""What a sealed artefact says once it is read back, whatever the product."""

from collections.abc import Mapping
from typing import NamedTuple

import pyarrow as pa

from privacy.canonical import JsonValue
from privacy.zoning import AdminUnits


class Opened(NamedTuple):
    """A sealed artefact, read: a deterministic function of its bytes.

    Args:
        table: Rows of the product's public contract.
        base_cells: The public domain of zones at the base resolution, sorted; empty where the product has none.
        card: What a reader has to know, but for the seal.
        units: The administrative units of the domain, where they are its zones.
    """

    table: pa.Table
    base_cells: tuple[str, ...]
    card: Mapping[str, JsonValue]
    units: AdminUnits | None = None
