"""Text in other encodings than UTF-8: engines read none of it, so they are given copies."""

import shutil
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from jobs.ingest.damage import DAMAGED, created, opened, unreadable
from jobs.layouts import SourceConfig

_AT_A_TIME = 1 << 20


def as_utf8(files: Sequence[Path], source: SourceConfig, folder: Path) -> tuple[Path, ...]:
    """Return text files in UTF-8: the files themselves, or copies of those of another encoding.

    A copy keeps its name and the names of its folders, which may say when its rows were. What is no text of the
    encoding becomes `BROKEN`.

    Args:
        files: The files.
        source: Their layout.
        folder: Confidential folder for the copies, gone when the work is done.

    Raises:
        InputError: A file cannot be read.
    """
    if not source.is_text or source.encoding == "utf-8":
        return tuple(files)
    return tuple(_copy(file, source, folder / str(number)) for number, file in enumerate(files))


def _copy(file: Path, source: SourceConfig, folder: Path) -> Path:
    depth = len(source.folder_mask.parts) if source.folder_mask else 0
    within = folder.joinpath(*file.resolve().parts[-1 - depth : -1]) if depth else folder
    within.mkdir(parents=True)
    copy = within / file.name
    try:
        with (
            TextIOWrapper(opened(file), encoding=source.encoding, errors="replace", newline="") as text,
            TextIOWrapper(created(copy), encoding="utf-8", newline="") as valid,
        ):
            shutil.copyfileobj(text, valid, _AT_A_TIME)
    except (*DAMAGED, UnicodeError) as error:
        raise unreadable(file) from error
    return copy
