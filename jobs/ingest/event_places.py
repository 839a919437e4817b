"""Where events with coordinates were, on a public domain: a list of sites, or the base cells of a public area (ADR 17).

Nothing here learns a zone from events. Which zones there are follows from the cell table or from the area; an event
outside them is one of an unknown cell.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import h3
import pyarrow.parquet as pq

from jobs.ingest.cells import ZoneRegister
from jobs.ingest.sources import degrees_of


def place_stretches(
    places: Iterable[str], register: ZoneRegister, *, resolution: int, stretches: int
) -> list[tuple[str, int, int | None]]:
    """One row per place and stretch of days, with the zone it lies in: contract `cell_stretches`.

    So a place is read as a cell is. A place outside the register's zones has no row.
    """
    positions = register.index
    located = ((place, positions.get(_zone(place, resolution))) for place in places)
    return [(place, stretch, index) for place, index in located if index is not None for stretch in range(stretches)]


def _zone(place: str, resolution: int) -> str:
    latitude, longitude = degrees_of(place)
    if abs(latitude) > 90 or abs(longitude) > 180:
        return ""
    return str(h3.latlng_to_cell(latitude, longitude, resolution))


def written_places(folder: Path) -> Iterator[str]:
    """Read the distinct places that an engine wrote, as `cell`."""
    for file in sorted(folder.rglob("*.parquet")):
        for batch in pq.ParquetFile(file).iter_batches(columns=["cell"]):
            yield from (place for place in batch["cell"].to_pylist() if place is not None)
