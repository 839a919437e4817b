"""Reading operators' layouts into one shape: the fields of an event, still as they were written."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config import SourceConfig
from jobs.ingest.damage import BROKEN, DAMAGED, opened, unreadable
from schemas.errors import InputError

_ISO_MASK: Final = "yyyy-MM-dd HH:mm:ss"
_SHORTEST_ISO: Final = "yyyy-MM-dd HH:mm"
_SUFFIXES: Final = {"parquet": (".parquet",), "csv": (".csv", ".csv.gz", ".txt", ".txt.gz", ".gz")}


def event_files(paths: Sequence[Path], source: SourceConfig) -> tuple[Path, ...]:
    """Return the event files named, or standing in the folders named, in order.

    Raises:
        InputError: A path does not exist, or there is no file of the source's format.
    """
    if missing := [str(path) for path in paths if not path.exists()]:
        raise InputError(
            f"There is nothing at {', '.join(missing)}.", "event files or folders of them", "correct the path"
        )
    suffixes = _SUFFIXES[source.format]
    inside = [
        file
        for path in paths
        for file in ([path] if path.is_file() else path.iterdir())
        if path.is_file() or (file.name.endswith(suffixes) and not file.name.startswith((".", "_")))
    ]
    if not inside:
        raise InputError(
            f"No {source.format} file in {', '.join(map(str, paths))}.", f"files ending in {', '.join(suffixes)}",
            "correct the path, or the source's format in whimbrel.toml",
        )  # fmt: skip
    return tuple(sorted(inside))


def read_events(session: SparkSession, files: Sequence[Path], source: SourceConfig) -> DataFrame:
    """One row per row of the files: `number, time, cell` and strata as written, and whether it was malformed.

    Raises:
        InputError: A file cannot be read, or lacks a column of the mapping.
    """
    return _read_parquet(session, files, source) if source.format == "parquet" else _read_csv(session, files, source)


def rows_in(session: SparkSession, files: Sequence[Path], source: SourceConfig) -> int:
    """Count the rows of the files without looking into them; confidential."""
    if source.format == "parquet":
        return sum(pq.read_metadata(file).num_rows for file in files)
    return _lines(session, files, source).count()


def _read_parquet(session: SparkSession, files: Sequence[Path], source: SourceConfig) -> DataFrame:
    wanted = set(map(str, source.columns.given.values()))
    for file in files:
        schema = _parquet_schema(file)
        fields = schema.to_arrow_schema()
        _refuse_missing(file, wanted, set(fields.names))
        _refuse_other_times(file, fields.field(str(source.columns.time)))
        _refuse_nanoseconds(file, schema)
    rows = session.read.parquet(*map(str, files))
    return rows.select(
        *[_renamed(F.col(f"`{place}`"), name) for name, place in source.columns.given.items()],
        F.lit(False).alias("malformed"),
    )


def _parquet_schema(file: Path) -> pq.ParquetSchema:
    try:
        return pq.read_metadata(file).schema
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{file} is not a readable Parquet file.",
            "Parquet",
            "deliver the file again, or correct the source's format",
        ) from error


def _refuse_other_times(file: Path, column: pa.Field) -> None:
    """Refuse numbers: an engine would take them for seconds since 1970, whatever they count."""
    if not (
        pa.types.is_timestamp(column.type) or pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    ):
        raise InputError(
            f"{file.name} holds times as {column.type} in {column.name}.",
            "a timestamp, or text in the source's time_format",
            "correct `columns.time` of the source in whimbrel.toml",
        )


def _refuse_nanoseconds(file: Path, schema: pq.ParquetSchema) -> None:
    """Refuse them in any column: an engine that meets them in a file's schema reads nothing of the file.

    The old 96-bit times count nanoseconds too, carry no such mark, and are read by every engine.
    """
    columns = [schema.column(number) for number in range(len(schema))]
    units = {column.path: json.loads(column.logical_type.to_json()).get("timeUnit") for column in columns}
    if found := [path for path, unit in units.items() if unit == "nanoseconds"]:
        raise InputError(
            f"{file.name} holds times in nanoseconds, in {', '.join(found)}.",
            "milliseconds or microseconds, which every engine reads",
            "write the file with microseconds, as pyarrow does with coerce_timestamps='us'",
        )


def _refuse_missing(file: Path, wanted: set[str], found: set[str]) -> None:
    if missing := sorted(wanted - found):
        raise InputError(
            f"{file.name} lacks {', '.join(missing)}; it has the columns {', '.join(sorted(found))}.",
            "the columns of the mapping",
            "correct `columns` of the source in whimbrel.toml",
        )


def _read_csv(session: SparkSession, files: Sequence[Path], source: SourceConfig) -> DataFrame:
    """Split lines ourselves: engines disagree on what to do with a malformed row, and one of them stops."""
    header = _header(files[0], source) if source.header else None
    if header is not None:
        for file in files:
            _refuse_missing(file, set(map(str, source.columns.given.values())), set(_header(file, source)))
    places = {
        name: header.index(str(place)) if header is not None else int(place)
        for name, place in source.columns.given.items()
    }
    fields = len(header) if header is not None else source.fields
    split = _lines(session, files, source).select(
        F.split("value", re.escape(source.separator)).alias("field"),
        F.contains("value", F.lit(BROKEN)).alias("broken"),
    )
    size, needed = F.size("field"), max(places.values()) + 1
    malformed = F.col("broken") | ((size != fields) if fields is not None else (size < needed))
    return split.select(
        *[_renamed(F.get("field", F.lit(place)), name) for name, place in places.items()],
        malformed.alias("malformed"),
    )


def _lines(session: SparkSession, files: Sequence[Path], source: SourceConfig) -> DataFrame:
    """One row per line, as valid text: of bytes that are not UTF-8, one engine makes none."""
    plain, packed = (
        [str(file) for file in files if (file.suffix == ".gz") == is_packed] for is_packed in (False, True)
    )
    read = (session.read.text(alike) for alike in (plain, packed) if alike)  # one engine does not read both at once
    lines = reduce(DataFrame.unionAll, read).select(F.make_valid_utf8("value").alias("value"))
    if not source.header:
        return lines
    return lines.filter(F.col("value") != source.separator.join(_header(files[0], source)))


def _header(file: Path, source: SourceConfig) -> list[str]:
    try:
        with opened(file) as lines:
            return lines.readline().decode(errors="replace").rstrip("\r\n").split(source.separator)
    except DAMAGED as error:
        raise unreadable(file) from error


def _renamed(column: Column, name: str) -> Column:
    """Our name for a field; identifiers and cells are text whatever they were."""
    text = {"subscriber": "number", "cell": "cell"}
    return column.cast("string").alias(text[name]) if name in text else column.alias(name)


def wall_clock_seconds(source: SourceConfig, clock: "Clock", *, is_text: bool) -> Column:
    """Seconds since 1970-01-01 00:00 by the wall clock of the country; missing where unreadable."""
    written = F.col("time")
    if is_text:
        written = _iso_text(F.trim(written), source.time_format).try_cast("timestamp")
    seconds = written.cast("timestamp").cast("bigint")
    return seconds if source.time_zone == "local" else seconds + clock.offset_at(seconds)


@dataclass(frozen=True)
class Clock:
    """The country's offsets from UTC over a delivery, from this machine's time zone data.

    Adding an offset costs an engine a twentieth of a time-zone conversion, and both engines add alike.

    Args:
        offsets: (instant in seconds since 1970 from which it holds, offset in seconds), in order of time.
    """

    offsets: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, timezone: str, first: date, last: date) -> "Clock":
        """Find every change of the offset, to the hour, from a day before `first` to a day after `last`."""
        zone = ZoneInfo(timezone)
        start = datetime.combine(first - timedelta(1), time(), UTC)
        hours = [start + timedelta(hours=n) for n in range(24 * ((last - first).days + 3))]
        offsets = [(int(at.timestamp()), int(_offset(zone, at).total_seconds())) for at in hours]
        changes = [later for earlier, later in pairwise(offsets) if later[1] != earlier[1]]
        return cls((offsets[0], *changes))

    def offset_at(self, seconds: Column) -> Column:
        """Offset that holds at an instant."""
        offset = F.lit(self.offsets[0][1])
        for since, seconds_east in self.offsets[1:]:
            offset = F.when(seconds >= since, seconds_east).otherwise(offset)
        return offset


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _iso_text(text: Column, mask: str) -> Column:
    """Reorder a fixed-width time into ISO 8601: a cast reads that faster than any pattern (ADR 4)."""
    if mask == "iso":  # an engine reads a bare time as today's, and a bare date as its midnight
        return F.when(F.length(text) >= len(_SHORTEST_ISO), text)
    parts: list[Column] = []
    for token in re.split(r"(yyyy|MM|dd|HH|mm|ss)", _ISO_MASK):
        if token in mask and token.isalpha():
            parts.append(F.substring(text, mask.index(token) + 1, len(token)))
        elif token:
            parts.append(F.lit(token))
    return F.when(F.length(text) == len(mask), F.concat(*parts))
