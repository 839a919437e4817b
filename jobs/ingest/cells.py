"""The cell table and the register of the country's H3 cells."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import combinations, groupby, pairwise, product
from operator import attrgetter
from pathlib import Path
from typing import Final

import h3
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.config import CellColumns, CellsConfig
from jobs.ingest.cell_places import looks_swapped, outside
from jobs.ingest.public_area import AREA_SUFFIX, base_cells_of_area
from jobs.operator_csv import Row, numbered_rows
from schemas.cells import CELLS, RENAMED_FROM
from schemas.contract import Contract
from schemas.errors import InputError

_ALWAYS: Final = date.min
"""First day of a cell whose table does not say when it began."""

_SHOWN: Final = 5
"""Rows named in a message."""


@dataclass(frozen=True)
class Cell:
    """A radio cell during one interval of its life; see the contract `cells`.

    Args:
        cell_id: Its name.
        latitude: Degrees, WGS 84.
        longitude: Degrees, WGS 84.
        valid_from: First local day on which it stood there.
        valid_to: First local day on which it no longer did; nothing: it still does.
        renamed_from: The name that it had before, under which events may still come; empty: none.
    """

    cell_id: str
    latitude: float
    longitude: float
    valid_from: date
    valid_to: date | None
    renamed_from: str = ""

    def __post_init__(self) -> None:
        if not (-90 <= self.latitude <= 90 and -180 <= self.longitude <= 180):
            swapped = -90 <= self.longitude <= 90 and -180 <= self.latitude <= 180
            hint = "; are latitude and longitude swapped?" if swapped else ""
            raise ValueError(f"the place {self.latitude}, {self.longitude} is not on Earth{hint}")
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(f"valid_to {self.valid_to} is not after valid_from {self.valid_from}")

    def h3(self, resolution: int) -> str:
        """Return the H3 cell in which it stands."""
        return str(h3.latlng_to_cell(self.latitude, self.longitude, resolution))

    def serves(self, day: date) -> bool:
        """Return whether it stood there on a local day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def overlaps(self, other: "Cell") -> bool:
        """Return whether there is a day on which both stand."""
        ends = [cell.valid_to for cell in (self, other) if cell.valid_to is not None]
        return not ends or max(self.valid_from, other.valid_from) < min(ends)


class CellFault(StrEnum):
    """What is wrong with rows of a cell table that can be read all the same."""

    REPEATED = "stands twice, row for row the same: read once"
    UNPLACED = "has no coordinates, or 0, 0: left out, so that its events are of an unknown cell"


@dataclass(frozen=True)
class CellRemark:
    """Rows of a cell table that somebody should look at.

    Args:
        fault: What is wrong with them.
        cell_ids: Their cells, in order, each once.
    """

    fault: CellFault
    cell_ids: tuple[str, ...]


@dataclass(frozen=True)
class CellTable:
    """A cell table as read.

    Args:
        cells: Its cells, each interval once.
        remarks: What was passed over.
        is_of_an_area: Whether its cells are the zones of a public area instead, where there is no cell table.
    """

    cells: tuple[Cell, ...]
    remarks: tuple[CellRemark, ...] = ()
    is_of_an_area: bool = False


def read_cells(config: CellsConfig) -> tuple[Cell, ...]:
    """Read the cells of a cell table; see `read_cell_table`."""
    return read_cell_table(config).cells


def read_cell_table(config: CellsConfig) -> CellTable:
    """Read a cell table: CSV, or Parquet in a file or a folder.

    A table whose coordinates look swapped is refused, never put right: what looks wrong may be an island.

    Raises:
        InputError: It is missing, lacks a column, has an unreadable row, a cell without a place or with its coordinates
            swapped, two places for a cell on one day, or two cells for an old name on one day.
    """
    if config.path.suffix == AREA_SUFFIX:
        zones = base_cells_of_area(config.path, config.area_resolution)
        return CellTable(tuple(map(_of_zone, zones)), is_of_an_area=True)
    rows = _rows(config)
    unplaced = [(line, row) for line, row in rows if _is_unplaced(row)]
    if unplaced and config.unplaced == "refuse":
        raise _unplaced(config.path, unplaced)
    left_out = {line for line, _ in unplaced}
    read = [(line, _cell(config, line, row)) for line, row in rows if line not in left_out]
    _refuse_misplaced(config, read)
    cells = tuple(dict.fromkeys(cell for _, cell in read))
    _refuse_overlaps(config.path, cells)
    _refuse_shared_old_names(config.path, cells)
    return CellTable(cells, _remarks([cell for _, cell in read], [row for _, row in unplaced]))


def _of_zone(zone: str) -> Cell:
    """A cell that stands for a zone of an area, in the middle of it, always."""
    latitude, longitude = h3.cell_to_latlng(zone)
    return Cell(zone, latitude, longitude, _ALWAYS, None)


def _rows(config: CellsConfig) -> list[tuple[int, Row]]:
    """The rows by our column names, each with its line; of Parquet, with its number from 1."""
    wanted = _as_called(config.columns) if config.columns else CELLS
    is_parquet = config.path.suffix == ".parquet" or config.path.is_dir()
    read = _parquet_rows if is_parquet else _csv_rows
    names = {RENAMED_FROM: RENAMED_FROM, **{name: name for name in CELLS.names}}
    ours = config.columns.model_dump() if config.columns else names
    return [
        (line, {name: (row.get(theirs) or "").strip() if theirs else "" for name, theirs in ours.items()})
        for line, row in read(config.path, wanted)
    ]


def _as_called(columns: CellColumns) -> Contract:
    """The columns that a table with these names has to have."""
    given = [(name, theirs) for name, theirs in columns.model_dump().items() if theirs and name in CELLS.names]
    ours = {column.name: column for column in CELLS.columns}
    return replace(CELLS, key=(), columns=tuple(replace(ours[name], name=theirs) for name, theirs in given))


def _csv_rows(path: Path, wanted: Contract) -> Sequence[tuple[int, Row]]:
    return numbered_rows(path, wanted, called="cell table", setting="[cells] path")


def _parquet_rows(path: Path, wanted: Contract) -> Sequence[tuple[int, Row]]:
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"The cell table {path} cannot be read as Parquet.", "Parquet, or CSV", "correct [cells] path"
        ) from error
    if missing := set(wanted.names) - set(table.column_names):
        raise InputError(
            f"{path.name} lacks {', '.join(sorted(missing))}.",
            f"the columns {', '.join(wanted.names)}",
            "correct [cells] columns in whimbrel.toml",
        )
    rows = ({name: None if value is None else str(value) for name, value in row.items()} for row in table.to_pylist())
    return list(enumerate(rows, start=1))


def _is_unplaced(row: Row) -> bool:
    """Whether a row tells no place; what cannot be read is a mistake of another kind."""
    places = row["latitude"] or "", row["longitude"] or ""
    if not all(places):
        return bool(row["cell_id"])
    try:
        return all(float(place) == 0 for place in places)
    except ValueError:
        return False


def _unplaced(path: Path, rows: Sequence[tuple[int, Row]]) -> InputError:
    return InputError(
        f"{path.name} has cells without coordinates, or at 0, 0: {_listed(line for line, _ in rows)}.",
        "a place for every cell",
        'add their coordinates, or set unplaced = "leave_out" in [cells]: their events then go to quarantine',
    )


def _listed(lines: Iterable[int]) -> str:
    """The first rows, and how many there are besides."""
    numbers = list(lines)
    others = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"row {', '.join(map(str, numbers[:_SHOWN]))}{others}"


def _cell(config: CellsConfig, line: int, row: Row) -> Cell:
    try:
        return Cell(
            cell_id=_given(row, "cell_id"),
            latitude=float(_given(row, "latitude")),
            longitude=float(_given(row, "longitude")),
            valid_from=_first_day(config, row),
            valid_to=_first_day_gone(config, row),
            renamed_from=row["renamed_from"] or "",
        )
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{config.path.name}, line {line}: {error}.",
            "degrees in WGS 84 and dates as YYYY-MM-DD",
            "correct the row",
        ) from error


def _first_day(config: CellsConfig, row: Row) -> date:
    """The day from which a cell stood there; where the columns are theirs, none may be told."""
    if config.columns is not None and not row["valid_from"]:
        return _ALWAYS
    return _day(_given(row, "valid_from"))


def _first_day_gone(config: CellsConfig, row: Row) -> date | None:
    if not row["valid_to"]:
        return None
    return _day(row["valid_to"]) + timedelta(config.valid_to_is == "last_day")


def _day(text: str) -> date:
    """The day of a date, or of a time as some tables have it."""
    return datetime.fromisoformat(text).date()


def _given(row: Row, name: str) -> str:
    value = row[name] or ""
    if not value:
        raise ValueError(f"{name} is empty")
    return value


def _refuse_misplaced(config: CellsConfig, read: Sequence[tuple[int, Cell]]) -> None:
    """Refuse cells outside the country's box, and cells that stand among the others once their coordinates are swapped.

    Raises:
        InputError: Naming their rows, and whether they look swapped.
    """
    places = [(cell.latitude, cell.longitude) for _, cell in read]
    lines = [line for line, _ in read]
    name = config.path.name
    if config.bbox is None:
        if found := looks_swapped(places):
            raise InputError(
                f"{name}: latitude and longitude look swapped in {_listed(lines[n] for n in found)}: far from the "
                "other cells as written, among them when swapped.",
                "latitude and longitude of each cell in their own columns",
                "swap them where they are wrong; if they are right, give the country's [cells] bbox",
            )
    elif found := outside(places, config.bbox):
        swapped = set(found) - set(outside([(b, a) for a, b in places], config.bbox))
        hint = " Swapped, they would lie inside." if len(swapped) == len(found) else ""
        raise InputError(
            f"{name}: outside [cells] bbox: {_listed(lines[n] for n in found)}.{hint}",
            "every cell inside the country's box",
            "correct their coordinates, or the box",
        )


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


def _refuse_shared_old_names(path: Path, cells: Sequence[Cell]) -> None:
    """Refuse an old name under which an event could be of two places on a day."""
    for name, heirs in _heirs(cells).items():
        for one, other in combinations(heirs, 2):
            same_place = (one.latitude, one.longitude) == (other.latitude, other.longitude)
            if not same_place and one.overlaps(other):
                raise InputError(
                    f"{path.name}: cells {one.cell_id} and {other.cell_id} both were {name}, and stand in two places.",
                    "one cell a day for an old name",
                    "leave renamed_from empty in one of their rows",
                )


def _heirs(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """The cells that once had a name, a chain of renamings followed to its end, in order."""
    before: Mapping[str, set[str]] = defaultdict(set)
    for cell in cells:
        if cell.renamed_from:
            before[cell.cell_id].add(cell.renamed_from)
    heirs: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        for name in _old_names(cell, before):
            heirs[name].append(cell)
    return heirs


def _old_names(cell: Cell, before: Mapping[str, set[str]]) -> list[str]:
    """Names that the cell of one row ever had before; a name may come back."""
    found: dict[str, None] = {}
    front = [cell.renamed_from] if cell.renamed_from else []
    while front:
        name = front.pop()
        if name not in found and name != cell.cell_id:
            found[name] = None
            front += sorted(before.get(name, ()))
    return list(found)


def _remarks(read: Sequence[Cell], unplaced: Sequence[Row]) -> tuple[CellRemark, ...]:
    repeated = [cell.cell_id for cell, times in Counter(read).items() if times > 1]
    found = {CellFault.REPEATED: repeated, CellFault.UNPLACED: [row["cell_id"] or "" for row in unplaced]}
    return tuple(CellRemark(fault, tuple(sorted(set(ids)))) for fault, ids in found.items() if ids)


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

    A cell that was renamed also has rows under its old names, where no other cell bears them on the day: billing
    systems go on writing old names for a while.

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
    for name, heirs in _heirs(cells).items():
        for cell, (stretch, day) in product(heirs, enumerate(starts)):
            key = (name, stretch)
            own = rows.get(key)  # a name that was given to another cell is that cell's
            rows[key] = positions[cell.h3(resolution)] if own is None and cell.serves(day) else own
    return [(cell_id, stretch, index) for (cell_id, stretch), index in rows.items()]
