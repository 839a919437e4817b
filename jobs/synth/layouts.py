"""The files an operator delivers: the same rows as Whimbrel's own Parquet and as the World Bank's CSV."""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.synth.dirt import MISSING, UNKNOWN_CELL_IDS, UNREADABLE, UNREADABLE_TEXTS, Rows, utc_s
from jobs.synth.itineraries import DAY_S
from jobs.synth.people import numbers
from jobs.synth.randomness import Ints
from jobs.synth.registrants import AGE_BANDS, NOT_HELD, SEXES, Registrants

_SPELLINGS: Final[tuple[Callable[[str], str], ...]] = (
    lambda number: number,
    lambda number: f"+{number}",
    lambda number: f"00{number}",
    lambda number: f"{number} ",
)
"""Ways to write the same number: plain, international twice, and as an export with fixed widths leaves it."""

_ROWS_AT_A_TIME: Final = 1 << 20
"""Rows in a row group: bounds the memory of the writer, and is the least that a task of an engine reads."""

_CODED: Final = pa.dictionary(pa.int8(), pa.string())

SCHEMA: Final = pa.schema(
    [
        ("msisdn", pa.string()),
        ("event_at", pa.timestamp("us", tz="UTC")),
        ("cell_id", pa.string()),
        ("sex", _CODED),
        ("age_band", _CODED),
    ]
)
"""Columns of Whimbrel's own layout; a file holds texts, and a null where no sex or age is held."""


@dataclass(frozen=True)
class Vocabulary:
    """The texts that rows refer to by index; they all end with one empty text.

    Args:
        n_sims: SIMs, machines included.
        msisdns: Numbers of all SIMs in the first spelling, then in the second, and so on.
        cell_ids: Known cells, then unknown ones.
        clocks: Every second of a day as HH:mm:ss.
        sex: Each SIM's index into SEXES or NOT_HELD; then one NOT_HELD, for rows without a SIM.
        age_band: The same for AGE_BANDS.
    """

    n_sims: int
    msisdns: pa.Array
    cell_ids: pa.Array
    clocks: pa.Array
    sex: Ints
    age_band: Ints


def build_vocabulary(registrants: Registrants, n_machines: int, cell_ids: Sequence[str]) -> Vocabulary:
    """Return the texts of a country's rows; nobody's sex or age is held of a machine."""
    n_sims, nobody = len(registrants.sex) + n_machines, np.full(n_machines + 1, NOT_HELD)
    plain = numbers(0, n_sims)
    spelled = [spell(number) for spell in _SPELLINGS for number in plain]
    clocks = [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(DAY_S)]
    return Vocabulary(
        n_sims,
        msisdns=pa.array([*spelled, ""]),
        cell_ids=pa.array([*cell_ids, *UNKNOWN_CELL_IDS, ""]),
        clocks=pa.array([*clocks, ""]),
        sex=np.concatenate([registrants.sex, nobody]),
        age_band=np.concatenate([registrants.age_band, nobody]),
    )


def write_whimbrel(path: Path, rows: Rows, vocabulary: Vocabulary) -> None:
    """Write one day as Parquet: number, instant in UTC, cell, sex and age band of the registrant."""
    # without Arrow's own schema the coded columns are plain texts to every reader
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", store_schema=False) as writer:
        for part in rows.parts(_ROWS_AT_A_TIME):
            writer.write_table(_table(part, vocabulary))


def write_world_bank(path: Path, rows: Rows, vocabulary: Vocabulary) -> None:
    """Write one day as CSV without a header: number, local time as dd/MM/yyyy HH:mm:ss, cell."""
    with path.open("wb") as file, gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as zipped:
        for part in rows.parts(_ROWS_AT_A_TIME):
            zipped.write(_text_of(_with_malformed(_lines(part, vocabulary), part.malformed_after)))


LAYOUTS: Final[Mapping[str, tuple[str, Callable[[Path, Rows, Vocabulary], None]]]] = MappingProxyType(
    {"whimbrel": ("parquet", write_whimbrel), "world_bank": ("csv.gz", write_world_bank)}
)
"""Ending and writer of each layout, by its name."""


def file_name(layout: str, day: date) -> str:
    """Return a day's file in a layout, relative to the country's folder."""
    return f"{layout}/{day.isoformat()}.{LAYOUTS[layout][0]}"


def holds_malformed_rows(layout: str) -> bool:
    """Tell whether a layout can hold a row with a field too few or too many."""
    return layout == "world_bank"


def _table(rows: Rows, vocabulary: Vocabulary) -> pa.Table:
    instant = pa.array(utc_s(rows.local_s) * 1_000_000, mask=_is_unreadable(rows.local_s))
    columns = [
        vocabulary.msisdns.take(_or_null(_msisdn_index(rows, vocabulary), rows.subscriber)),
        instant.cast(SCHEMA.field("event_at").type),
        vocabulary.cell_ids.take(_or_null(_cell_index(rows, vocabulary), rows.cell)),
        _coded(vocabulary.sex[np.maximum(rows.subscriber, MISSING)], SEXES),
        _coded(vocabulary.age_band[np.maximum(rows.subscriber, MISSING)], AGE_BANDS),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _coded(index: Ints, texts: Sequence[str]) -> pa.Array:
    codes = pa.array(index, type=pa.int8(), mask=index == NOT_HELD)
    return pa.DictionaryArray.from_arrays(codes, pa.array(texts))


def _msisdn_index(rows: Rows, vocabulary: Vocabulary) -> Ints:
    index = rows.spelling * vocabulary.n_sims + rows.subscriber
    return np.where(rows.subscriber < 0, len(vocabulary.msisdns) - 1, index)


def _cell_index(rows: Rows, vocabulary: Vocabulary) -> Ints:
    return np.where(rows.cell < 0, len(vocabulary.cell_ids) - 1, rows.cell)


def _or_null(index: Ints, code: Ints) -> Any:  # noqa: ANN401 - pyarrow ships no types
    """Return indices with a null where the code says MISSING; EMPTY keeps the empty text."""
    return pa.array(index, mask=code == -1)


def _is_unreadable(local_s: Ints) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return local_s < UNREADABLE + len(UNREADABLE_TEXTS)


def _lines(rows: Rows, vocabulary: Vocabulary) -> pa.Array:
    """Return one text a row, its end of line included, from a few dictionaries of ready-made pieces."""
    dates, date_index = _dates(rows.local_s)
    clock_index = np.where(_is_unreadable(rows.local_s), DAY_S, rows.local_s % DAY_S)
    return pc.binary_join_element_wise(
        _ending(vocabulary.msisdns, ",").take(pa.array(_msisdn_index(rows, vocabulary))),
        dates.take(pa.array(date_index)),
        _ending(vocabulary.clocks, ",").take(pa.array(clock_index)),
        _ending(vocabulary.cell_ids, "\n").take(pa.array(_cell_index(rows, vocabulary))),
        "",
    )


def _ending(texts: pa.Array, end: str) -> pa.Array:
    return pc.binary_join_element_wise(texts, end, "")


def _dates(local_s: Ints) -> tuple[pa.Array, Ints]:
    """Return the dates that occur, or the texts that are none, and which of them each row has."""
    unreadable = _is_unreadable(local_s)
    key = np.where(unreadable, local_s, local_s // DAY_S)
    distinct, index = np.unique(key, return_inverse=True)
    return pa.array([_date_text(int(key)) for key in distinct]), index


def _date_text(key: int) -> str:
    if key < UNREADABLE + len(UNREADABLE_TEXTS):
        return UNREADABLE_TEXTS[key - UNREADABLE]
    return date.fromordinal(date(1970, 1, 1).toordinal() + key).strftime("%d/%m/%Y ")


def _with_malformed(lines: pa.Array, after: Ints) -> pa.Array:
    """Return the lines with malformed ones after some: in turns without a cell, and with a field more.

    A row with a field too few or too many is malformed whatever its fields say.
    """
    broken = pa.array([_broken(lines[int(row)].as_py(), k) for k, row in enumerate(after)], type=lines.type)
    position = np.concatenate([np.arange(len(lines)) * 2, after * 2 + 1])
    return pa.concat_arrays([lines, broken]).take(pa.array(np.argsort(position, kind="stable")))


def _broken(line: str, number: int) -> str:
    fields = line.rstrip("\n").split(",")
    return ",".join(fields[:2] if number % 2 == 0 else [*fields, "0"]) + "\n"


def _text_of(lines: pa.Array) -> pa.Buffer:
    """Return the lines joined: Arrow keeps a column's texts one after the other, so nothing is copied."""
    _, ends, text = lines.buffers()
    return text.slice(0, int(np.frombuffer(ends, dtype=np.int32)[len(lines)]))
