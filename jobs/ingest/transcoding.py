"""Text in other encodings than UTF-8: engines read none of it, so they are given copies."""

import shutil
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from jobs.ingest.damage import DAMAGED, created, opened, place_of_copy, unreadable
from jobs.layouts import SourceConfig

_AT_A_TIME = 1 << 20


def as_utf8(files: Sequence[Path], source: SourceConfig, folder: Path) -> tuple[Path, ...]:
    """Return text files in UTF-8: the files themselves, or copies of those of another encoding.

    What is no text of the encoding becomes `BROKEN`.

    Args:
        files: The files.
        source: Their layout.
        folder: Confidential folder for the copies, gone when the work is done.

    Raises:
        InputError: A file cannot be read.
    """
    if not source.is_text or source.encoding == "utf-8":
        return tuple(files)
    places = (place_of_copy(file, source, folder / str(number)) for number, file in enumerate(files))
    return tuple(_copy(file, source.encoding, copy) for file, copy in zip(files, places, strict=True))


def _copy(file: Path, encoding: str, copy: Path) -> Path:
    try:
        with (
            TextIOWrapper(opened(file), encoding=encoding, errors="replace", newline="") as text,
            TextIOWrapper(created(copy), encoding="utf-8", newline="") as valid,
        ):
            shutil.copyfileobj(text, valid, _AT_A_TIME)
    except (*DAMAGED, UnicodeError) as error:
        raise unreadable(file) from error
    return copy
