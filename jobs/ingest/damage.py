"""Files that stop an engine: looked for after it failed, because engines name them badly or not at all."""

import shutil
import zlib
from collections.abc import Sequence
from gzip import GzipFile
from io import BufferedReader, BufferedWriter, TextIOWrapper
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.layouts import SourceConfig
from schemas.errors import InputError

BROKEN: Final = "\ufffd"
"""What stands in a text for bytes that are not UTF-8, as Unicode has it."""

DAMAGED: Final = (OSError, EOFError, zlib.error)
"""What reading a text file raises that is damaged, packed or not."""

_AT_A_TIME: Final = 1 << 20


def unreadable(file: Path) -> InputError:
    """Return the error that names a file which cannot be read."""
    return InputError(
        f"{file} cannot be read to its end.",
        "a whole file, plain or gzip as its name says, whose Parquet texts are UTF-8",
        "deliver the file again",
    )


def first_unreadable(files: Sequence[Path], source: SourceConfig) -> Path | None:
    """Search the file that made an engine fail."""
    return next((file for file in files if not _reads_to_its_end(file, source)), None)


def _reads_to_its_end(file: Path, source: SourceConfig) -> bool:
    try:
        if source.format == "parquet":
            for batch in pq.ParquetFile(file).iter_batches():
                batch.validate(full=True)  # texts too: one engine stops at one that is not UTF-8
        else:
            with opened(file) as stream:
                while stream.read(_AT_A_TIME):
                    pass
    except (*DAMAGED, pa.ArrowException):
        return False
    return True


def opened(file: Path) -> GzipFile | BufferedReader:
    """Open a text file, unpacked where its name says so."""
    if file.suffix == ".zst":
        return BufferedReader(pa.input_stream(str(file), compression="zstd"))
    return GzipFile(file) if file.suffix == ".gz" else file.open("rb")


def with_valid_text(files: Sequence[Path], source: SourceConfig, folder: Path) -> tuple[Path, ...]:
    """Return text files that every engine reads: a file that is not UTF-8 throughout is replaced by a copy that is.

    A copy has `BROKEN` where the file has other bytes.

    Args:
        files: Files that can be read to their end.
        source: Their layout.
        folder: Confidential folder for the copies, gone when the work is done.
    """
    return tuple(
        file if _is_valid_text(file) else _valid_copy(file, place_of_copy(file, source, folder / str(number)))
        for number, file in enumerate(files)
    )


def place_of_copy(file: Path, source: SourceConfig, folder: Path) -> Path:
    """Return where a copy of a file stands, made for it alone.

    It keeps its name and the names of its folders, which may say when its rows were.
    """
    depth = len(source.folder_mask.parts) if source.folder_mask else 0
    within = folder.joinpath(*file.resolve().parts[-1 - depth : -1]) if depth else folder
    within.mkdir(parents=True)
    return within / file.name


def _is_valid_text(file: Path) -> bool:
    try:
        with TextIOWrapper(opened(file), encoding="utf-8") as text:
            while text.read(_AT_A_TIME):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _valid_copy(file: Path, copy: Path) -> Path:
    with (
        TextIOWrapper(opened(file), encoding="utf-8", errors="replace", newline="") as text,
        TextIOWrapper(created(copy), encoding="utf-8", newline="") as valid,
    ):
        shutil.copyfileobj(text, valid, _AT_A_TIME)
    return copy


def created(file: Path) -> GzipFile | BufferedWriter:
    """Create a text file, packed where its name says so."""
    if file.suffix == ".zst":
        return BufferedWriter(pa.output_stream(str(file), compression="zstd"))
    return GzipFile(file, "wb", compresslevel=1) if file.suffix == ".gz" else file.open("wb")
