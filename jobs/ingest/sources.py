"""Reading operators' layouts into one shape: the fields of an event, still as they were written."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from jobs.ingest.arrival import linked
from jobs.ingest.countries import country_code
from jobs.ingest.damage import BROKEN
from jobs.ingest.files import BYTE_ORDER_MARK, Alike, alike, begins_of_days, folder_values, header_of, require_columns
from jobs.ingest.identifiers import identifier
from jobs.layouts import EPOCHS, Place, SourceConfig
from schemas.errors import ConfigError, InputError
from schemas.subscriber_days import STRATA

Span = tuple[date, date, str]
"""First and last local day of a delivery, and the country's time zone."""

FILE_NUMBER: Final = "whimbrel_file"
"""Column that tells which file a row stood in: its place among those read."""

_LENT: Final = "whimbrel_folder_"
"""Begins the name of a column that stands in the names of a file's folders."""

_AS_TEXT: Final = "~"
"""Begins a folder's value, so that no engine takes it for a number or a day."""

_LONGEST_VALUE: Final = 255
"""Bytes of a folder's name, at most."""

_HIDDEN: Final = "\x1a"
"""Stands for a separator inside quotes while a line is split."""

_NUMBERS: Final = ("tinyint", "smallint", "int", "bigint")
_DEGREE: Final = 100_000
"""Steps of a degree to which coordinates on events are rounded: about a metre."""


def read_events(
    session: SparkSession,
    files: Sequence[Path],
    source: SourceConfig,
    links: Path,
    *,
    span: Span | None = None,
    numbered: bool = False,
) -> DataFrame:
    """One row per row of the files: `number, time, cell` and strata as written, and whether it was malformed.

    Args:
        session: An engine.
        files: The files; none where the source is a table.
        source: Their layout.
        links: Confidential folder of this reader alone, where links to the files stay while the rows are read.
        span: Days of the delivery, where the source is a table.
        numbered: Whether rows are to tell their file, as `FILE_NUMBER`; a table is 0.

    Raises:
        InputError: A file cannot be read, or lacks a column of the mapping.
        ConfigError: There is no such table.
    """
    if source.format == "table":
        rows = _fields(_table(session, source, span), source)
        return rows.withColumn(FILE_NUMBER, F.lit(0)) if numbered else rows
    readers = {"parquet": _read_parquet, "csv": _read_csv, "json": _read_json}
    linked_files = {file: number for number, file in enumerate(files)} if numbered or _lent(source) else {}
    return readers[source.format](_Opening(session, source, linked_files, links), files, source)


def rows_in(session: SparkSession, files: Sequence[Path], source: SourceConfig, *, span: Span | None = None) -> int:
    """Count the rows of the files without looking into them; confidential."""
    if source.format == "table":
        return _table(session, source, span).count()
    if source.format == "parquet":
        return sum(pq.read_metadata(file).num_rows for file in files)
    opening = _Opening(session, source)
    return reduce(DataFrame.unionAll, [opening.lines(group) for group in alike(files, source)]).count()


@dataclass(frozen=True)
class _Opening:
    """How files are opened: where they stand, or by links whose folders tell each row its file and its folders.

    A scan a file, or a folder, would tell that too; of some hundred scans, one engine plans for minutes and another
    breaks down.

    Args:
        session: An engine.
        source: The layout.
        numbers: Which number a file has; none where they are read where they stand.
        links: Folder for the links.
    """

    session: SparkSession
    source: SourceConfig
    numbers: Mapping[Path, int] = field(default_factory=dict)
    links: Path = Path()

    @property
    def told(self) -> list[str]:
        """Columns that links tell; nothing where there are none."""
        return [FILE_NUMBER, *(_LENT + name for name in _lent(self.source))] if self.numbers else []

    @property
    def number(self) -> list[str]:
        """The column of the file's number; nothing where there are no links."""
        return self.told[:1]

    def parquet(self, group: Sequence[Path]) -> DataFrame:
        """Rows of Parquet files of one schema."""
        return self._with_told(self.session.read.parquet(*map(str, self._paths(group))), group)

    def lines(self, group: Alike) -> DataFrame:
        """One row per line, as valid text: of bytes that are not UTF-8, one engine makes none."""
        read = self.session.read.option("lineSep", "\n")  # else one engine makes a row of nothing between \r and \n
        lines = self._with_told(read.text([str(path) for path in self._paths(group.files)]), group.files)
        lines = lines.withColumn("value", F.rtrim(F.make_valid_utf8("value"), F.lit("\r")))
        if group.has_mark:  # which one engine leaves in the first line
            lines = lines.withColumn("value", F.ltrim(F.col("value"), F.lit(BYTE_ORDER_MARK)))
        return lines if group.first_line is None else lines.filter(F.col("value") != group.first_line)

    def _paths(self, group: Sequence[Path]) -> Sequence[Path]:
        if not self.numbers:
            return group
        root = self.links / str(min(self.numbers[file] for file in group))
        shutil.rmtree(root, ignore_errors=True)
        for file in group:
            values = [f"{_LENT}{name}={_AS_TEXT}{value}" for name, value in folder_values(file, self.source)]
            linked(file, root.joinpath(f"{FILE_NUMBER}={self.numbers[file]}", *values))
        return [root]

    def _with_told(self, rows: DataFrame, group: Sequence[Path]) -> DataFrame:
        """Rows with what links tell in one type: of digits in a folder's name, one engine makes a number."""
        if not self.numbers:
            return rows
        number, *lent = self.told
        if not any(file.stat().st_size for file in group):  # an engine overlooks them, and what their folders tell
            return rows.withColumns({name: F.lit("") for name in lent} | {number: F.lit(0).cast("bigint")})
        values = {name: F.substring(name, 1 + len(_AS_TEXT), _LONGEST_VALUE) for name in lent}
        return rows.withColumns({number: F.col(number).cast("bigint"), **values})


def _lent(source: SourceConfig) -> list[str]:
    """Fields of the mapping that stand in folders' names."""
    return [str(place) for place in source.columns.places if place in source.of_folders]


def _column(place: Place, source: SourceConfig) -> Column:
    """What stands in a file under a name, or in the names of its folders."""
    return F.col(f"{_LENT}{place}" if place in source.of_folders else f"`{place}`")


def _table(session: SparkSession, source: SourceConfig, span: Span | None) -> DataFrame:
    """The rows of a table whose columns say that they are of the delivery's days."""
    name, mask = str(source.table), source.folder_mask
    if not session.catalog.tableExists(name):
        raise ConfigError(
            f"This engine's catalogue has no table {name}.",
            "a table of Hive or Iceberg that the engine knows",
            "correct `table` of the source, run with --engine spark and the catalogue's settings in [engine.settings], "
            "or deliver files",
        )
    rows = session.table(name)
    if mask is None or span is None:
        return rows
    require_columns(Path(name), [*source.columns.places, *mask.names], rows.columns)
    told = F.concat_ws("/", *[F.col(f"`{column}`").cast("string") for column in mask.names])
    return rows.filter(told.isin([mask.written(at) for at in begins_of_days(source, mask, *span)]))


def _read_parquet(opening: _Opening, files: Sequence[Path], source: SourceConfig) -> DataFrame:
    """Files of one schema are read in one go: engines disagree on what to do with several."""
    kinds = sorted((_columns_of(checked_schema(file, source)), file) for file in files)
    groups = [[file for _, file in group] for _, group in groupby(kinds, key=lambda kind: kind[0])]
    read = [_fields(_decoded(opening, group), source, opening.number) for group in groups]
    _refuse_mixed_times(read)
    return reduce(DataFrame.unionAll, read)


def _columns_of(schema: pa.Schema) -> str:
    """Columns and types, without what else a writer notes of a file, such as how many rows it has."""
    return str(schema.to_string(show_field_metadata=False, show_schema_metadata=False))


def _decoded(opening: _Opening, group: Sequence[Path]) -> DataFrame:
    """Rows whose columns of categories are text: one engine knows no type for them, in a column nobody reads too."""
    rows, schema, source = opening.parquet(group), pq.read_schema(group[0]), opening.source
    if not any(pa.types.is_dictionary(kind) for kind in schema.types):
        return rows
    inside = [str(place) for place in source.columns.places if place not in source.of_folders]
    coded = {name for name in inside if pa.types.is_dictionary(schema.field(name).type)}
    columns = {name: F.col(f"`{name}`") for name in inside}
    return rows.select(
        *[columns[name].cast("string").alias(name) if name in coded else columns[name] for name in inside],
        *opening.told,
    )


def _refuse_mixed_times(read: Sequence[DataFrame]) -> None:
    if len({dict(rows.dtypes)["time"] for rows in read}) > 1:
        raise InputError(
            "The files hold times of different types.",
            "one type of time in a delivery",
            "deliver them as two deliveries, each with a source of its own",
        )


def checked_schema(file: Path, source: SourceConfig) -> pa.Schema:
    """Return the schema of a Parquet file that the mapping can read.

    Raises:
        InputError: The file is none, lacks a column, or holds times that cannot be read.
    """
    schema = _parquet_schema(file)
    fields = schema.to_arrow_schema()
    require_columns(file, [place for place in source.columns.places if place not in source.of_folders], fields.names)
    if len(source.columns.times) == 1 and source.columns.times[0] not in source.of_folders:
        _refuse_other_times(file, fields.field(str(source.columns.times[0])), source)
    _refuse_nanoseconds(file, schema)
    return fields


def _parquet_schema(file: Path) -> pq.ParquetSchema:
    try:
        return pq.read_metadata(file).schema
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"{file} is not a readable Parquet file.",
            "Parquet",
            "deliver the file again, or correct the source's format",
        ) from error


def _refuse_other_times(file: Path, column: pa.Field, source: SourceConfig) -> None:
    """Refuse numbers of which nobody says what they count: an engine would take them for seconds since 1970."""
    is_text = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    counts = pa.types.is_integer(column.type) and source.time_format in EPOCHS
    is_instant = pa.types.is_timestamp(column.type) and source.time_format not in EPOCHS
    if not (is_text or counts or is_instant):
        raise InputError(
            f"{file.name} holds times as {column.type} in {column.name}.",
            "a timestamp, text in the source's time_format, or a whole number with time_format epoch_s or epoch_ms",
            "correct `columns.time` or `time_format` of the source in whimbrel.toml",
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


def _fields(rows: DataFrame, source: SourceConfig, kept: Sequence[str] = ()) -> DataFrame:
    """Our fields of a table whose columns have types, and columns of its own that are kept."""
    types = dict(rows.dtypes)
    columns = {place: _column(place, source) for place in source.columns.places}
    return rows.select(*_ours(columns, source, types), F.lit(False).alias("malformed"), *kept)


def _read_csv(opening: _Opening, files: Sequence[Path], source: SourceConfig) -> DataFrame:
    """Split lines ourselves: engines disagree on what to do with a malformed row, and one of them stops."""
    groups = alike(files, source)
    for group in groups:
        if group.first_line is not None:
            inside = [place for place in source.columns.places if place not in source.of_folders]
            require_columns(group.files[0], inside, header_of(group.first_line, source))
    return reduce(DataFrame.unionAll, [_rows_of_csv(opening, group, source) for group in groups])


def _rows_of_csv(opening: _Opening, group: Alike, source: SourceConfig) -> DataFrame:
    header = None if group.first_line is None else header_of(group.first_line, source)
    inside = [place for place in source.columns.places if place not in source.of_folders]
    positions = {place: header.index(str(place)) if header is not None else int(place) for place in inside}
    lines = opening.lines(group)
    value = F.col("value")
    split = lines.select(
        F.split(_with_hidden(value, source) if source.quoting else value, re.escape(source.separator)).alias("field"),
        F.contains("value", F.lit(BROKEN)).alias("broken"),
        *([(F.size(F.split(value, '"')) % 2 == 0).alias("open")] if source.quoting else []),
        *opening.told,
    )
    fields = len(header) if header is not None else source.fields
    size, needed = F.size("field"), max(positions.values(), default=-1) + 1
    malformed = F.col("broken") | ((size != fields) if fields is not None else (size < needed))
    if source.quoting:
        malformed = malformed | F.col("open")
    columns = {place: _shown(F.get("field", F.lit(position)), source) for place, position in positions.items()}
    columns |= {place: _column(place, source) for place in source.of_folders}
    return split.select(*_ours(columns, source, {}), malformed.alias("malformed"), *opening.number)


def _with_hidden(line: Column, source: SourceConfig) -> Column:
    """A line without its quotes, separators between them hidden: every other piece between quotes is quoted.

    Of a quote inside a field, written twice, nothing is left.
    """
    pieces = F.transform(
        F.split(line, '"'),
        lambda piece, n: F.when(n % 2 == 1, F.replace(piece, F.lit(source.separator), F.lit(_HIDDEN))).otherwise(piece),
    )
    return F.array_join(pieces, "")


def _shown(field: Column, source: SourceConfig) -> Column:
    return F.replace(field, F.lit(_HIDDEN), F.lit(source.separator)) if source.quoting else field


def _read_json(opening: _Opening, files: Sequence[Path], source: SourceConfig) -> DataFrame:
    """An object a line; a line that is no object is malformed, whatever could be found in it."""
    return reduce(DataFrame.unionAll, [_rows_of_json(opening, group, source) for group in alike(files, source)])


def _rows_of_json(opening: _Opening, group: Alike, source: SourceConfig) -> DataFrame:
    paths = {place: str(place).split(".") for place in source.columns.places if place not in source.of_folders}
    whole = F.get_json_object("value", "$")  # one engine would find fields in the beginning of a broken line
    lines = opening.lines(group)
    read = lines.select(
        F.from_json("value", _nested(list(paths.values()))).alias("field"),
        F.coalesce(F.startswith(F.ltrim(whole), F.lit("{")), F.lit(False)).alias("whole"),
        F.contains("value", F.lit(BROKEN)).alias("broken"),
        *opening.told,
    )
    columns = {place: F.col(".".join(["field", *(f"`{part}`" for part in path)])) for place, path in paths.items()}
    columns |= {place: _column(place, source) for place in source.of_folders}
    malformed = F.col("broken") | ~F.col("whole")
    return read.select(*_ours(columns, source, {}), malformed.alias("malformed"), *opening.number)


def _nested(paths: Sequence[Sequence[str]]) -> StructType:
    """A schema of texts that has these paths."""
    return StructType(
        [
            StructField(name, _nested([path[1:] for path in paths if path[0] == name and len(path) > 1])
                        if any(path[0] == name and len(path) > 1 for path in paths) else StringType())
            for name in dict.fromkeys(path[0] for path in paths)
        ]
    )  # fmt: skip


def _ours(columns: Mapping[Place, Column], source: SourceConfig, types: Mapping[str, str]) -> list[Column]:
    """Our fields, by our names: identifiers and cells as text whatever they were."""
    given, mapping = source.columns.given, source.columns
    subscriber = _text(columns[mapping.subscriber], types.get(str(mapping.subscriber), "string"))
    fields = {
        "number": identifier(subscriber, source, is_binary=types.get(str(mapping.subscriber)) == "binary"),
        "time": _time([(columns[place], types.get(str(place), "string")) for place in mapping.times]),
        "cell": _cell(columns, source, types),
    }
    strata = {name: columns[place].cast("string") for name, place in given.items()
              if name in STRATA and not isinstance(place, tuple)}  # fmt: skip
    if "sim_country" in strata:
        strata["sim_country"] = country_code(strata["sim_country"])
    return [column.alias(name) for name, column in {**fields, **strata}.items()]


def _text(column: Column, kind: str) -> Column:
    """A name as text; a number with a point, as a table program leaves it, without one."""
    if kind.startswith(("decimal", "double", "float")):
        return column.cast("decimal(38,0)").cast("string")
    return column if kind in {"string", "binary"} else column.cast("string")


def _time(parts: Sequence[tuple[Column, str]]) -> Column:
    if len(parts) == 1:
        column, kind = parts[0]
        return column.cast("bigint") if kind in _NUMBERS else column
    return F.concat_ws(" ", *[F.trim(column.cast("string")) for column, _ in parts])


def _cell(columns: Mapping[Place, Column], source: SourceConfig, types: Mapping[str, str]) -> Column:
    """Where an event was: its cell, the code of a country visited, or the place that its coordinates tell."""
    mapping = source.columns
    if mapping.visited_country is not None:
        return country_code(columns[mapping.visited_country])
    if mapping.cell is not None:
        return _text(columns[mapping.cell], types.get(str(mapping.cell), "string")).cast("string")
    degrees = [columns[place] for place in (mapping.latitude, mapping.longitude) if place is not None]
    north, east = map(_steps, degrees)
    return F.concat(north, F.lit(","), east)


def _steps(degrees: Column) -> Column:
    """Degrees as a whole number of steps, as text; a decimal comma is read as a point."""
    number = F.translate(degrees.cast("string"), ",", ".").try_cast("double")
    return F.round(number * _DEGREE).try_cast("bigint").cast("string")


def degrees_of(place: str) -> tuple[float, float]:
    """Return latitude and longitude of the place that an event with coordinates has for a cell."""
    latitude, longitude = (int(steps) / _DEGREE for steps in place.split(","))
    return latitude, longitude
