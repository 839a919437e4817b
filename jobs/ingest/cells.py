"""The cell table and the register of the country's H3 cells."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path

import h3

from jobs.operator_csv import Row, numbered_rows
from schemas.cells import CELLS
from schemas.errors import InputError


@dataclass(frozen=True)
class Cell:
    """A radio cell during one interval of its life; see the contract `cells`."""

    cell_id: str
    latitude: float
    longitude: float
    valid_from: date
    valid_to: date | None

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180):
            raise ValueError(f"the place {self.latitude}, {self.longitude} is not on Earth")
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} is not after valid_from {self.valid_from}")

    def h3(self, resolution: int) -> str:
        """Return the H3 cell in which it stands."""
        return str(h3.latlng_to_cell(self.latitude, self.longitude, resolution))

    def serves(self, day: date) -> bool:
        """Return whether it stood there on a local day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


def read_cells(path: Path) -> tuple[Cell, ...]:
    """Read a cell table.

    Raises:
        InputError: It is missing, lacks a column, has an unreadable row, or two places for a cell on one day.
    """
    rows = numbered_rows(path, CELLS, called="cell table", setting="[cells] path")
    cells = tuple(_cell(path, line, row) for line, row in rows)
    _refuse_overlaps(path, cells)
    return cells


def _cell(path: Path, line: int, row: Row) -> Cell:
    try:
        valid_to = (row["valid_to"] or "").strip()
        return Cell(
            cell_id=_given(row, "cell_id"),
            latitude=float(_given(row, "latitude")),
            longitude=float(_given(row, "longitude")),
            valid_from=date.fromisoformat(_given(row, "valid_from")),
            valid_to=date.fromisoformat(valid_to) if valid_to else None,
        )
    except ValueError as error:
        raise InputError(
            f"{path.name}, line {line}: {error}.",
            "degrees in WGS 84 and dates as YYYY-MM-DD",
            "correct the row",
        ) from error


def _given(row: Row, name: str) -> str:
    value = (row[name] or "").strip()
    if not value:
        raise ValueError(f"{name} is empty")
    return value


def _refuse_overlaps(path: Path, cells: Sequence[Cell]) -> None:
    in_time = sorted(cells, key=attrgetter("cell_id", "valid_from"))
    for cell_id, intervals in groupby(in_time, key=attrgetter("cell_id")):
        for earlier, later in pairwise(intervals):
            if earlier.valid_to is None or later.valid_from < earlier.valid_to:
                raise InputError(
                    f"{path.name}: cell {cell_id} stands in two places from {later.valid_from}.",
                    "intervals that do not overlap",
                    f"close the interval that begins on {earlier.valid_from} with valid_to {later.valid_from}",
                )


@dataclass(frozen=True)
class ZoneRegister:
    """The H3 cells of the country, in the order in which they were first seen in a cell table.

    A position is given once and never changes, so that a day written before a new tower was built still reads
    right after it.

    Args:
        zones: H3 names; the position is the cell index.
    """

    zones: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> "ZoneRegister":
        """Read the register, empty where there is none yet."""
        return cls(tuple(json.loads(path.read_text(encoding="utf-8")))) if path.exists() else cls(())

    def extended(self, zones: Iterable[str]) -> "ZoneRegister":
        """Return the register with new zones appended in H3 order."""
        return ZoneRegister(self.zones + tuple(sorted(set(zones) - set(self.zones))))

    @property
    def index(self) -> dict[str, int]:
        """Position of each zone."""
        return {zone: position for position, zone in enumerate(self.zones)}


def days_of_change(cells: Iterable[Cell], first: date, last: date) -> tuple[date, ...]:
    """Return the days after first, up to last, on which a cell began or ceased to stand somewhere, in order."""
    borders = {day for cell in cells for day in (cell.valid_from, cell.valid_to)}
    return tuple(sorted(day for day in borders if day is not None and first < day <= last))


def cell_stretches(
    cells: Sequence[Cell], register: ZoneRegister, *, resolution: int, starts: Sequence[date]
) -> list[tuple[str, int, int | None]]:
    """One row per cell and stretch of days between two changes: contract `cell_stretches`.

    A cell that is out of service during a stretch has no index then: its events are told from those of unknown
    cells. Counting stretches turns the search for the valid interval into an equality, which every engine joins by
    hash, and leaves the joined table small: in most deliveries' windows a network changes on few days or none.

    Args:
        cells: The cell table.
        register: Position of every zone.
        resolution: H3 resolution of the zones.
        starts: First day of each stretch: that of the window, and each of the `days_of_change` in it.
    """
    positions = register.index
    rows: dict[tuple[str, int], int | None] = {}
    for cell in cells:
        index = positions[cell.h3(resolution)]
        for stretch, day in enumerate(starts):
            key = (cell.cell_id, stretch)
            rows[key] = index if cell.serves(day) else rows.get(key)
    return [(cell_id, stretch, index) for (cell_id, stretch), index in rows.items()]
