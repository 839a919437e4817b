"""The table as CSV and Parquet: the published columns, and beside them what a map or a spreadsheet needs."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from jobs.publish.export.hxl import tags_of
from jobs.publish.export.layers import Layer
from jobs.publish.export.notes import facts_of
from jobs.publish.export.plain import cell_text, printable
from jobs.publish.export.source import Source
from jobs.publish.tables import DECIMALS
from jobs.publish.zones import COORDINATE_DECIMALS

_COORDINATES: Final = ("_lat", "_lng")


def table_of(source: Source) -> pd.DataFrame:
    """Return the published columns, then first and last day, name and a point inside of each zone, unit and mark.

    Columns of a zone's name and point stand there also where they are empty, so that all exports of a product have the
    same columns.
    """
    days = {"period_start": source.period.first_day.isoformat(), "period_end": source.period.last_day.isoformat()}
    table = source.rows.assign(**days)
    for place in source.places:
        table = table.assign(**_of_place(source, place))
    if source.by_areas:
        table = table.assign(apportioned=source.by_areas)
    return table.assign(unit=source.card.unit_of_value, synthetic=source.card.synthetic)


def _of_place(source: Source, place: str) -> dict[str, pd.Series]:
    if source.zones is None:
        return {}
    zones = source.rows[place].map
    return {
        f"{place}_name": zones(source.zones["name"]),
        f"{place}_lat": zones(source.zones["lat"]).astype(float),
        f"{place}_lng": zones(source.zones["lng"]).astype(float),
    }


def csv_bytes(source: Source, *, hxl: bool = False) -> bytes:
    r"""Return the table as CSV: plain header, RFC 4180, UTF-8, lines ending in "\n", missing is empty.

    Args:
        source: What is exported.
        hxl: Whether a row of HXL tags follows the header.
    """
    table = table_of(source)
    columns = [_texts(name, column) for name, column in table.items()]
    header = [list(table.columns), *([tags_of(table.columns, source)] if hxl else [])]
    return lines_of(header, zip(*columns, strict=True))


def lines_of(header: Iterable[Sequence[str]], rows: Iterable[Sequence[str]]) -> bytes:
    """Return lines of CSV."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerows(header)
    writer.writerows(rows)
    return sink.getvalue().encode()


def _texts(name: object, column: "pd.Series[object]") -> list[str]:
    """The cells of a column; numbers stay numbers, also below zero."""
    if column.dtype == bool:
        return ["true" if value else "false" for value in column]
    if pd.api.types.is_float_dtype(column):
        decimals = COORDINATE_DECIMALS if str(name).endswith(_COORDINATES) else DECIMALS
        return ["" if pd.isna(value) else f"{value:.{decimals}f}" for value in column]
    if pd.api.types.is_integer_dtype(column):
        return ["" if pd.isna(value) else str(value) for value in column]
    return ["" if pd.isna(value) else cell_text(str(value)) for value in column]


def parquet_bytes(source: Source) -> bytes:
    """Return the table as Parquet with the meaning and unit of each published column, and what a reader must know."""
    table = pa.Table.from_pandas(as_written(table_of(source)), preserve_index=False)
    meanings = {c.name: {"meaning": c.meaning, "unit": c.unit} for c in source.contract.columns}
    fields = [field.with_metadata(meanings.get(field.name)) for field in table.schema]
    notes = {**(table.schema.metadata or {}), **{f"whimbrel.{name}": told for name, told in facts_of(source).items()}}
    sink = io.BytesIO()
    pq.write_table(table.cast(pa.schema(fields, metadata=notes)), sink, compression="zstd", version="2.6")
    return sink.getvalue()


def geoparquet_bytes(layer: Layer, source: Source) -> bytes:
    """Return a layer as GeoParquet 1.1: WKB in OGC:CRS84, with a covering of boxes for readers that skip by place."""
    sink = io.BytesIO()
    rows = layer.rows.copy()
    rows.attrs = {}
    rows.to_parquet(sink, index=False, compression="zstd", schema_version="1.1.0", write_covering_bbox=True)
    return _with_notes(sink.getvalue(), source)


def _with_notes(content: bytes, source: Source) -> bytes:
    table = pq.read_table(io.BytesIO(content))
    notes = {f"whimbrel.{name}": told for name, told in facts_of(source).items()}
    sink = io.BytesIO()
    table = table.replace_schema_metadata({**table.schema.metadata, **{k: v.encode() for k, v in notes.items()}})
    pq.write_table(table, sink, compression="zstd", version="2.6")
    return sink.getvalue()


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose texts every reader can take: no lone halves of characters, nothing that moves a cursor."""
    texts = {name: column.map(_printable) for name, column in table.items() if column.dtype == object}
    return table.assign(**texts)


def _printable(value: object) -> object:
    return printable(value) if isinstance(value, str) else value
