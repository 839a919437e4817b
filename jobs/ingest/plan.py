"""`whimbrel ingest --dry-run`: what an ingest would read, from where and how; it reads no row and writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from rich import box
from rich.table import Table

from jobs.config import Config
from jobs.ingest.cells import read_cells
from jobs.ingest.events import masked_name
from jobs.ingest.files import event_files, files_of_days, first_line, header_of, require_columns
from jobs.ingest.sources import checked_schema
from jobs.layouts import SourceConfig

_SHOWN = 5
_UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True)
class IngestPlan:
    """What an ingest would do.

    Args:
        source: The mapping.
        files: The files that it would read.
        first: First local day that the delivery is for.
        last: Last local day that it is for.
        engine: Which engine would read.
        zones: From what the zones would be made.
    """

    source: SourceConfig
    files: tuple[Path, ...]
    first: date
    last: date
    engine: str
    zones: Path

    @property
    def input_bytes(self) -> int:
        """Size of the files as they stand, packed or not."""
        return sum(file.stat().st_size for file in self.files)


def plan_ingest(config: Config, paths: Sequence[Path], *, source: SourceConfig, first: date, last: date) -> IngestPlan:
    """Check what can be checked without reading rows: files, headers, columns, the cell table.

    Raises:
        InputError: Files or the cell table cannot be used.
    """
    found = files_of_days(event_files(paths, source), source, first, last, config.country.timezone)
    for file in found:
        _check(file, source)
    read_cells(config.cells)
    return IngestPlan(source, found, first, last, config.engine.name, config.cells.path)


def _check(file: Path, source: SourceConfig) -> None:
    if source.format == "parquet":
        checked_schema(file, source)
    elif source.format == "csv" and source.header and source.encoding == "utf-8":
        inside = [place for place in source.columns.places if place not in source.of_folders]
        require_columns(file, inside, header_of(first_line(file), source))


def view(plan: IngestPlan) -> Table:
    """The plan on a screen."""
    table = Table(title="Would be read; nothing was", box=box.SIMPLE, pad_edge=False, show_header=False)
    rows = {
        "days": f"{plan.first} to {plan.last}",
        "engine": plan.engine,
        "files": _files(plan),
        "size": _size(plan.input_bytes),
        "zones from": str(plan.zones),
        **{key: _told(value) for key, value in plan.source.model_dump(exclude_defaults=True).items()},
    }
    for key, value in rows.items():
        table.add_row(key, value.replace("[", r"\["))
    return table


def _told(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {place}" for name, place in value.items() if place is not None)
    return str(value)


def _files(plan: IngestPlan) -> str:
    if plan.source.table:
        return f"table {plan.source.table}"
    names = [masked_name(file.name) for file in plan.files[:_SHOWN]]
    return f"{len(plan.files)}: {', '.join(names)}{', ...' if len(plan.files) > _SHOWN else ''}"


def _size(n_bytes: float) -> str:
    for unit in _UNITS[:-1]:
        if n_bytes < 1_000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1_000
    return f"{n_bytes:,.3g} {_UNITS[-1]}"
