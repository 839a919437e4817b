"""Towers that are down: what the operator's own outage feed says, by zone and day.

Nothing here reads a record: where few phones are seen, the feed tells whether the network was there to see them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

import h3

from jobs.ingest.cells import Cell
from jobs.operator_csv import Row, numbered_rows
from schemas.errors import InputError
from schemas.network import FEED, OUTAGES

_DAY: Final = timedelta(days=1)

STILL_DOWN: Final = datetime.max
"""End of an outage whose end the feed does not tell: it lasts for as long as anybody asks."""


@dataclass(frozen=True, order=True)
class Outage:
    """A cell that is down from one instant, by the country's wall clock, to another; see the contract `outages`.

    Args:
        cell_id: The cell.
        down_from: When it went down.
        down_to: When it worked again; `STILL_DOWN` where it does not yet.
    """

    cell_id: str
    down_from: datetime
    down_to: datetime

    def __post_init__(self) -> None:
        if self.down_from.tzinfo or self.down_to.tzinfo:
            raise ValueError("a time bears a zone: local times are wanted, as on the country's clocks")
        if self.down_to <= self.down_from:
            raise ValueError(f"down_to {self.down_to} is not after down_from {self.down_from}")


def read_outages(path: Path, cells: Sequence[Cell]) -> tuple[Outage, ...]:
    """Read an outage feed.

    Raises:
        InputError: It is missing or lacks a column, or rows cannot be used: the first is named, with its line.
    """
    rows = numbered_rows(path, OUTAGES, called="outage feed", setting="[network] outages")
    return _usable(path, rows, {cell.cell_id for cell in cells})


def _usable(path: Path, rows: Iterable[tuple[int, Row]], known: set[str]) -> tuple[Outage, ...]:
    found, faults = [], []
    for line, row in rows:
        try:
            found.append(_outage(row, known))
        except ValueError as error:
            faults.append(f"line {line}: {error}")
    if faults:
        others = f", and {len(faults) - 1} rows more" if len(faults) > 1 else ""
        raise InputError(
            f"{path.name}, {faults[0]}{others}.",
            "cells of the cell table, and local times as YYYY-MM-DDTHH:MM:SS, the later one last or empty",
            "correct the rows, or leave them out",
        )
    return tuple(sorted(found))


def _outage(row: Row, known: set[str]) -> Outage:
    if any(row[name] is None for name in OUTAGES.names):
        raise ValueError("the row is cut short")
    cell_id, down_from, down_to = ((row[name] or "").strip() for name in OUTAGES.names)
    if cell_id not in known:
        raise ValueError(f"the cell {cell_id!r} is not in the cell table")
    return Outage(
        cell_id, datetime.fromisoformat(down_from), datetime.fromisoformat(down_to) if down_to else STILL_DOWN
    )


@dataclass(frozen=True)
class ZoneStatus:
    """The network of one zone on one day.

    Args:
        date: Local day.
        zone: H3 zone.
        cells: Cells that stood there.
        cells_down: Of them, down at some time of the day.
        down_share: Share of the cells' time in which they were down, 0 to 1.
    """

    date: date
    zone: str
    cells: int
    cells_down: int
    down_share: float

    @property
    def row(self) -> dict[str, object]:
        """The row of the contract `network_status`."""
        return {
            "date": self.date.isoformat(),
            "zone": self.zone,
            "resolution": h3.get_resolution(self.zone),
            "cells": self.cells,
            "cells_down": self.cells_down,
            "down_share": round(self.down_share, 4),
            "basis": FEED,
            "label": "towers down" if self.cells_down else "",
        }


def network_status(
    outages: Iterable[Outage], cells: Sequence[Cell], days: Sequence[date], resolution: int
) -> tuple[ZoneStatus, ...]:
    """Say for each day and zone with a cell how much of its network was down, in order of day and zone."""
    down = _by_cell(outages)
    return tuple(status for day in days for status in _of_day(day, cells, down, resolution))


Spells = Mapping[str, Sequence[tuple[datetime, datetime]]]
"""When each cell was down: intervals in order that do not touch."""


def _of_day(day: date, cells: Sequence[Cell], down: Spells, resolution: int) -> Iterator[ZoneStatus]:
    shares: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        if cell.serves(day):
            shares[cell.h3(resolution)].append(_share(day, down.get(cell.cell_id, ())))
    for zone, of_zone in sorted(shares.items()):
        yield ZoneStatus(day, zone, len(of_zone), sum(share > 0 for share in of_zone), sum(of_zone) / len(of_zone))


def _share(day: date, spells: Iterable[tuple[datetime, datetime]]) -> float:
    """The share of a day's 24 hours by the clock that lies in some intervals."""
    midnight = datetime.combine(day, time())
    overlaps = (min(end, midnight + _DAY) - max(start, midnight) for start, end in spells)
    return sum((max(overlap, timedelta(0)) for overlap in overlaps), timedelta(0)) / _DAY


def _by_cell(outages: Iterable[Outage]) -> Spells:
    return {cell: _merged(rows) for cell, rows in groupby(sorted(outages), key=attrgetter("cell_id"))}


def _merged(outages: Iterable[Outage]) -> list[tuple[datetime, datetime]]:
    """Intervals of one cell, in order; those that overlap are one."""
    merged: list[tuple[datetime, datetime]] = []
    for outage in outages:
        if merged and outage.down_from <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], outage.down_to)
        else:
            merged.append((outage.down_from, outage.down_to))
    return merged
