"""What is asked of a table of zones before its rows are placed and added up, whoever holds it.

A reader's verified bundle offers it, and so does a bundle that is only being made and draws its own page.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import h3
import pandas as pd
import pyarrow as pa

from jobs.publish.card import Card
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.zoning import Zoning


class Zoned(Protocol):
    """A released table over zones."""

    @property
    def card(self) -> Card:
        """Its card."""

    @property
    def rows(self) -> pd.DataFrame:
        """Its table; levels of zones are floats, missing where there is no zone."""

    @property
    def zones(self) -> Mapping[str, Any]:
        """Its `zones.geojson`."""

    @property
    def base_zones(self) -> frozenset[str]:
        """Base cells of its domain, or its units."""


def rows_of(table: pa.Table) -> pd.DataFrame:
    """Return a public table as `Zoned.rows` has it."""
    rows = table.to_pandas()
    return rows.astype({level: float for zone, level in LEVEL_COLUMNS.items() if zone in rows.columns})


def base_zones_of(card: Card, features: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the base cells of a domain, or its units: what says whether two bundles are over the same zones."""
    zones = (str(feature["properties"]["zone"]) for feature in features)
    if card.zoning is Zoning.ADMIN:
        return frozenset(zones)
    base = card.zones.base_resolution
    return frozenset(zone for zone in zones if h3.get_resolution(zone) == base)
