"""A bounded look into a file: how it is packed and written, and the first of its rows."""

import csv
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import InputError

SAMPLE_BYTES: Final = 1 << 18
"""Unpacked bytes of a file that are looked at."""

SAMPLE_ROWS: Final = 2_000

_GZIP, _ZSTD, _PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
_SEPARATORS: Final = ",;|\t^~\x01"
_LONG_DIGITS: Final = re.compile(r"[0-9]{5,}")
_NAME: Final = re.compile(r"[A-Za-z_][\w .()/-]*")


class Certainty(StrEnum):
    """How far a guess can be relied on."""

    CERTAIN = "certain"
    LIKELY = "likely"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Guess:
    """One thing that was found out.

    Args:
        what: The key of the mapping, or what else was looked at.
        value: What it seems to be; never an identifier.
        certainty: How sure that is.
        reason: Why, in words; never an identifier.
    """

    what: str
    value: str
    certainty: Certainty
    reason: str


@dataclass(frozen=True)
class Sample:
    """The first rows of a file.

    Args:
        format: `csv`, `json` or `parquet`.
        columns: Values by the column's name, or by its position where there is no header.
        types: Of Parquet, the type of each column.
        layout: Keys of the mapping that say how the file is written.
        guesses: What was found out on the way.
    """

    format: str
    columns: dict[str | int, list[Any]]
    types: dict[str, pa.DataType]
    layout: dict[str, object]
    guesses: tuple[Guess, ...]


def sample(file: Path) -> Sample:
    """Look at the beginning of a file.

    Raises:
        InputError: It cannot be read, is empty, or is packed otherwise than its name says.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(len(_PARQUET))
        return _of_parquet(file) if head == _PARQUET else _of_text(file, head)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        raise InputError(
            f"{file} cannot be read.", "CSV, JSON lines or Parquet, plain or packed with gzip or zstd",
            "deliver the file again, or unpack it",
        ) from error  # fmt: skip


def _of_parquet(file: Path) -> Sample:
    opened = pq.ParquetFile(file)
    batch = next(opened.iter_batches(batch_size=SAMPLE_ROWS), None)
    if batch is None or not batch.num_rows:
        raise _empty(file)
    fields = opened.schema_arrow
    columns: dict[str | int, list[Any]] = {name: batch[name].to_pylist() for name in fields.names}
    guess = Guess("format", "parquet", Certainty.CERTAIN, "the file says so itself")
    return Sample("parquet", columns, {field.name: field.type for field in fields}, {}, (guess,))


def _of_text(file: Path, head: bytes) -> Sample:
    packing = _packing(file, head)
    text, encoding = _decoded(_unpacked(file, head))
    lines = [line for line in text.splitlines() if line.strip()][:SAMPLE_ROWS]
    if not lines:
        raise _empty(file)
    layout: dict[str, object] = {"encoding": encoding.value} if encoding.value != "utf-8" else {}
    if lines[0].lstrip().startswith("{"):
        return _of_json(lines, layout, (packing, encoding))
    return _of_csv(lines, layout, (packing, encoding))


def _empty(file: Path) -> InputError:
    return InputError(f"{file.name} holds no row.", "a file with some rows", "inspect a file of a busy hour")


def _packing(file: Path, head: bytes) -> Guess:
    found = {_GZIP: ".gz", _ZSTD: ".zst"}
    suffix = next((ending for magic, ending in found.items() if head.startswith(magic)), "")
    if (file.suffix if file.suffix in found.values() else "") != suffix:
        raise InputError(
            f"{file.name} is {_packed_by(suffix)}, which its name does not say.",
            "a name that ends in .gz for gzip, in .zst for zstd, and in neither for plain text",
            "rename it, and have such files delivered under such names",
        )
    return Guess("compression", _packed_by(suffix), Certainty.CERTAIN, "its first bytes and its name say so")


def _packed_by(suffix: str) -> str:
    return {".gz": "gzip", ".zst": "zstd"}.get(suffix, "plain")


def _unpacked(file: Path, head: bytes) -> bytes:
    """The first bytes of the content; a file that is cut short gives what it has."""
    with file.open("rb") as stream:
        if head.startswith(_GZIP):
            return zlib.decompressobj(wbits=31).decompress(stream.read(SAMPLE_BYTES), SAMPLE_BYTES)
        if head.startswith(_ZSTD):
            return bytes(pa.CompressedInputStream(pa.PythonFile(stream), "zstd").read(SAMPLE_BYTES))
        return stream.read(SAMPLE_BYTES)


def _decoded(raw: bytes) -> tuple[str, Guess]:
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return _whole_lines(raw.decode("utf-16", errors="ignore"), raw), _encoding("utf-16", "its byte order mark")
    if raw.count(0) > len(raw) // 4:
        return _whole_lines(raw.decode("utf-16", errors="ignore"), raw), _encoding("utf-16", "every other byte is zero")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(raw) - 4:  # otherwise a character was cut by the end of the sample
            guess = Guess(
                "encoding", "cp1252", Certainty.LIKELY, "some bytes are no UTF-8; latin-1 differs in rare signs only"
            )
            return _whole_lines(raw.decode("cp1252", errors="replace"), raw), guess
        text = raw[: error.start].decode("utf-8-sig")
    marked = ", with a byte order mark" if raw.startswith(b"\xef\xbb\xbf") else ""
    return _whole_lines(text, raw), _encoding("utf-8", f"all bytes are UTF-8{marked}")


def _encoding(name: str, reason: str) -> Guess:
    return Guess("encoding", name, Certainty.CERTAIN, reason)


def _whole_lines(text: str, raw: bytes) -> str:
    """Without the last line, which the end of the sample may have cut."""
    return text[: text.rfind("\n") + 1] or text if len(raw) >= SAMPLE_BYTES else text


def _of_json(lines: Sequence[str], layout: dict[str, object], guesses: tuple[Guess, ...]) -> Sample:
    rows = []
    for line in lines:
        try:
            rows.append(dict(_flat(json.loads(line))))
        except (ValueError, AttributeError):
            continue
    names = dict.fromkeys(name for row in rows for name in row)
    columns: dict[str | int, list[Any]] = {name: [row.get(name) for row in rows] for name in names}
    share = f"{len(rows)} of {len(lines)} lines looked at" if len(rows) < len(lines) else "every line looked at"
    guess = Guess("format", "json", Certainty.CERTAIN if rows else Certainty.CANNOT_TELL, f"{share} is an object")
    return Sample("json", columns, {}, layout, (*guesses, guess))


def _flat(value: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, None if inner is None else str(inner)


def _of_csv(lines: Sequence[str], layout: dict[str, object], guesses: tuple[Guess, ...]) -> Sample:
    separator, how = _separator(lines)
    quoting = any(f'"{separator}' in line or f'{separator}"' in line for line in lines) if separator else False
    rows = _rows(lines, separator or ",", quoting=quoting)
    width = Counter(map(len, rows)).most_common(1)[0][0]
    header, why = _header(rows)
    layout |= {"separator": separator} if separator not in {",", ""} else {}
    layout |= {"quoting": True} if quoting else {}
    layout |= {} if header.value == "yes" else {"header": False, "fields": width}
    names: Sequence[str | int] = [name.strip() for name in rows[0]] if header.value == "yes" else range(width)
    body = [row for row in (rows[1:] if header.value == "yes" else rows) if len(row) == width]
    columns: dict[str | int, list[Any]] = {name: [row[n] for row in body] for n, name in enumerate(names) if n < width}
    certainty = Certainty.LIKELY if separator else Certainty.CANNOT_TELL
    quotes = ("yes", "quotes beside separators") if quoting else ("no", "none seen")
    found = (
        Guess("format", "csv", certainty, "lines of text with a separator"),
        how,
        Guess("quoting", quotes[0], Certainty.LIKELY, quotes[1]),
        header,
        why,
    )
    return Sample("csv", columns, {}, layout, (*guesses, *found))


def _rows(lines: Sequence[str], separator: str, *, quoting: bool) -> list[list[str]]:
    if quoting:
        return list(csv.reader(lines, delimiter=separator))
    return [line.split(separator) for line in lines]


def _separator(lines: Sequence[str]) -> tuple[str, Guess]:
    """The character that most lines have equally often, outside quotes."""
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines]
    scores: dict[str, tuple[float, int]] = {}
    for character in _SEPARATORS:
        (times, share), *_ = Counter(line.count(character) for line in bare).most_common(1)
        if times >= 2 and share >= 0.6 * len(lines):
            scores[character] = (share / len(lines), times)
    if not scores:
        return "", Guess("separator", "none", Certainty.CANNOT_TELL, "no character parts most lines alike")
    best = max(scores, key=lambda character: scores[character])
    part, often = scores[best]
    certainty = Certainty.CERTAIN if len(scores) == 1 and part > 0.95 else Certainty.LIKELY
    return best, Guess("separator", repr(best), certainty, f"{often} in {part:.0%} of the lines")


def _header(rows: Sequence[Sequence[str]]) -> tuple[Guess, Guess]:
    """Whether the first row names columns: names have no long numbers, and look like words where rows do not."""
    first, others = rows[0], rows[1:50]
    are_names = all(_NAME.fullmatch(cell.strip()) and not _LONG_DIGITS.search(cell) for cell in first)
    differs = any(not _NAME.fullmatch(cell.strip()) for row in others for cell in row if cell.strip())
    has_header = are_names and (differs or not others) and len(set(first)) == len(first)
    certainty = Certainty.LIKELY if others else Certainty.CANNOT_TELL
    reason = "the first line holds names, others do not" if has_header else "the first line looks like the others"
    width = Guess("fields", str(len(first)), Certainty.LIKELY, "in the first line")
    return Guess("header", "yes" if has_header else "no", certainty, reason), width
