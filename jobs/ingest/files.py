"""Which files a delivery has, and what can be told of each before an engine reads it."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from jobs.ingest.damage import DAMAGED, opened, unreadable
from jobs.layouts import FolderMask, SourceConfig
from schemas.errors import InputError

BYTE_ORDER_MARK: Final = "\ufeff"

_PACKED: Final = (".gz", ".zst")
_SUFFIXES: Final = {
    "parquet": (".parquet",),
    "csv": (".csv", ".csv.gz", ".csv.zst", ".txt", ".txt.gz", ".txt.zst", ".tsv", ".tsv.gz", ".tsv.zst", *_PACKED),
    "json": (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz", *_PACKED),
    "table": (),
}
_LONGEST_LINE: Final = 1 << 20
"""Characters of a first line that are looked at: an ordinary one has hundreds."""


def event_files(paths: Sequence[Path], source: SourceConfig) -> tuple[Path, ...]:
    """Return the event files named, or standing in the folders named and the folders in them, in order.

    Files and folders whose names begin with a dot or an underscore are left out, as engines do.

    Raises:
        InputError: A path does not exist, or there is no file of the source's format.
    """
    if source.format == "table":
        return ()
    suffixes, named = _SUFFIXES[source.format], set(paths)
    inside = [file for file in visible_files(paths) if file in named or file.name.endswith(suffixes)]
    if not inside:
        raise InputError(
            f"No {source.format} file in {', '.join(map(str, paths))}.", f"files ending in {', '.join(suffixes)}",
            "correct the path, or the source's format in whimbrel.toml",
        )  # fmt: skip
    return tuple(inside)


def visible_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files named, or standing in the folders named and the folders in them, in order.

    Raises:
        InputError: A path does not exist.
    """
    if missing := [str(path) for path in paths if not path.exists()]:
        raise InputError(
            f"There is nothing at {', '.join(missing)}.", "event files or folders of them", "correct the path"
        )
    return sorted({file for path in paths for file in (_visible(path) if path.is_dir() else [path])})


def _visible(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*"):
        if file.is_file() and not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts):
            yield file


def files_of_days(
    files: Sequence[Path], source: SourceConfig, first: date, last: date, timezone: str
) -> tuple[Path, ...]:
    """Return the files whose folders say that they are of some local days; all files where folders do not tell days.

    A folder of an hour belongs to the local day in which the hour begins, so that each file is of one day. A folder
    of a day is of the day that it names.

    Raises:
        InputError: Files stand in folders of other names, or none is of these days.
    """
    mask = source.folder_mask
    if mask is None or not files:
        return tuple(files)
    if lost := [file for file in files if mask.values(_folders(file)) is None]:
        raise InputError(
            f"{lost[0]} stands in no folders like {mask.text}.",
            f"files in folders named {mask.text}",
            "correct `folders` of the source in whimbrel.toml",
        )
    if not mask.tells_time:
        return tuple(files)
    chosen = tuple(file for file in files if first <= _local_day(file, mask, source, timezone) <= last)
    if not chosen:
        raise InputError(
            f"No folder {mask.text} is of {first} to {last}.", "folders of the delivery's days", "correct --days"
        )
    return chosen


def _folders(file: Path) -> tuple[str, ...]:
    return file.resolve().parts[:-1]


def _local_day(file: Path, mask: FolderMask, source: SourceConfig, timezone: str) -> date:
    begins = mask.begins(_folders(file))
    if begins is None:
        raise InputError(f"{file} stands in folders of no day.", mask.text, "correct the folders' names")
    return _day_of(begins, mask, source, timezone)


def _day_of(begins: datetime, mask: FolderMask, source: SourceConfig, timezone: str) -> date:
    if not mask.has_hours or source.time_zone == "local":
        return begins.date()
    zone = ZoneInfo("UTC" if source.time_zone == "utc" else source.time_zone)
    return begins.replace(tzinfo=zone).astimezone(ZoneInfo(timezone)).date()


def begins_of_days(source: SourceConfig, mask: FolderMask, first: date, last: date, timezone: str) -> list[datetime]:
    """Return when the days, or hours, begin that columns of a table tell of some local days."""
    start, span = datetime.combine(first - timedelta(1), datetime.min.time()), (last - first).days + 3
    step = timedelta(hours=1) if mask.has_hours else timedelta(1)
    begins = [start + step * n for n in range(int(timedelta(span) / step))]
    return [at for at in begins if first <= _day_of(at, mask, source, timezone) <= last]


@dataclass(frozen=True)
class Alike:
    """Text files that are read in one go: packed alike, with one first line.

    Args:
        files: The files.
        first_line: Their header as written, without a byte order mark; nothing where they have none.
        has_mark: Whether they begin with a byte order mark.
    """

    files: tuple[Path, ...]
    first_line: str | None
    has_mark: bool


def alike(files: Iterable[Path], source: SourceConfig) -> list[Alike]:
    """Put files together that can be read in one go.

    Raises:
        InputError: A file cannot be read.
    """
    found = sorted(((_kind(file, source), file) for file in files), key=lambda pair: (pair[0], pair[1]))
    has_header = source.format == "csv" and source.header
    return [
        Alike(tuple(file for _, file in group), header if has_header else None, mark)
        for (_, header, mark), group in groupby(found, key=lambda pair: pair[0])
    ]


def _kind(file: Path, source: SourceConfig) -> tuple[str, str, bool]:
    packed = file.suffix if file.suffix in _PACKED else ""
    if not source.is_text:
        return packed, "", False
    line = first_line(file)
    header = line.removeprefix(BYTE_ORDER_MARK) if source.format == "csv" and source.header else ""
    return packed, header, line.startswith(BYTE_ORDER_MARK)


def folder_values(file: Path, source: SourceConfig) -> tuple[tuple[str, str], ...]:
    """Return what a file's folders say of the fields that the mapping reads there."""
    if source.folder_mask is None:
        return ()
    values = source.folder_mask.values(_folders(file)) or {}
    return tuple((name, value) for name, value in values.items() if name in source.columns.places)


def first_line(file: Path) -> str:
    """Return the first line of a text file in UTF-8.

    Raises:
        InputError: It cannot be read.
    """
    try:
        with opened(file) as lines:
            return lines.readline(_LONGEST_LINE).decode(errors="replace").rstrip("\r\n")
    except DAMAGED as error:
        raise unreadable(file) from error


def header_of(line: str, source: SourceConfig) -> list[str]:
    """Return the column names of a header."""
    line = line.removeprefix(BYTE_ORDER_MARK)
    names = next(csv.reader([line], delimiter=source.separator), []) if source.quoting else line.split(source.separator)
    return [name.strip() for name in names]


def require_columns(file: Path, wanted: Iterable[object], found: Iterable[str]) -> None:
    """Refuse a file that lacks a column of the mapping; others besides are welcome.

    Raises:
        InputError: It does.
    """
    there = set(found)
    if missing := sorted(set(map(str, wanted)) - there):
        raise InputError(
            f"{file.name} lacks {', '.join(missing)}; it has the columns {', '.join(sorted(there))}.",
            "the columns of the mapping",
            "correct `columns` of the source in whimbrel.toml, or look at the file with `whimbrel inspect`",
        )
