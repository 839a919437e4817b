"""The files of a delivery as they stood when it was begun: what they are, and whether they still stand so."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from jobs.config import SourceConfig
from jobs.ingest.damage import DAMAGED, opened, unreadable
from jobs.ingest.files import event_files
from jobs.synthetic_mark import sha256_of
from schemas.errors import InputError

LONGEST_LINE: Final = 1 << 20
"""Bytes: no row of an operator's comes near it. An engine holds a line whole, and a bomb of zeros is one line."""

_PACKED: Final = (".gz", ".zst")
_AT_A_TIME: Final = LONGEST_LINE // 2
_PLAIN_PATH: Final = re.compile(r"(/(?!_)[\w+=@~-][\w.+=@~ -]*)+")
"""Paths that every engine takes as they are: no pattern, no address, and no name that it takes for hidden."""

_SUFFIXES: Final = re.compile(r"(\.[A-Za-z0-9]+){1,2}$")

_T = TypeVar("_T")

Choice = Callable[[Sequence[Path]], tuple[Path, ...]]

_Stamp = tuple[int, int, int]
"""Size, instant of the last change in nanoseconds, and which file it is."""


@dataclass(frozen=True)
class Arrived:
    """Files that were looked at once.

    Args:
        paths: Files and folders as they were named.
        source: Their layout, which says what counts as a file of it.
        files: The files found, in order.
        stamps: Of each, taken before its digest.
        sha256s: Digest of each.
        choose: Which of the files that are found belong to the delivery.
    """

    paths: tuple[Path, ...]
    source: SourceConfig
    files: tuple[Path, ...]
    stamps: tuple[_Stamp, ...]
    sha256s: tuple[str, ...]
    choose: Choice = tuple

    @classmethod
    def of(cls, paths: Sequence[Path], source: SourceConfig, choose: Choice = tuple) -> "Arrived":
        """Look at the files named, or standing in the folders named, that belong to the delivery.

        Raises:
            InputError: There is none; or one is no file, cannot be read, or holds what is no row.
        """
        files = choose(_found(paths, source))
        for file in files:
            _require_file(file)
        stamps = tuple(_stamp(file) for file in files)
        sha256s = tuple(_of_each(files, _sha256))
        if source.format != "parquet":
            _of_each(files, _require_lines)
        return cls(tuple(paths), source, files, stamps, sha256s, choose)

    def plainly_named(self, folder: Path) -> tuple[Path, ...]:
        """Return paths under which every engine reads exactly these files.

        Engines expand patterns, read addresses and pass over hidden names: a file whose path could be any of that is
        read through a link in a folder.

        Args:
            folder: Where links are made, gone when the work is done.
        """
        return tuple(_plain(file, folder / str(number)) for number, file in enumerate(self.files))

    def require_unchanged(self) -> None:
        """Refuse a delivery that was still on its way: files came, went, grew or were written anew since.

        A file that was only touched is the file that it was.

        Raises:
            InputError: It is so; the files are named.
        """
        there = [path for path in self.paths if path.exists()]
        now = set(self.choose(_found(there, self.source))) if self._stand else set()
        gone, come = set(self.files) - now, now - set(self.files)
        touched = [
            (file, sha256)
            for file, stamp, sha256 in zip(self.files, self.stamps, self.sha256s, strict=True)
            if file not in gone and _stamp(file) != stamp
        ]
        changed = {file for file, sha256 in touched if _sha256(file) != sha256}
        for files, what in ((gone, "vanished"), (come, "arrived"), (changed, "changed")):
            if files:
                raise _still_on_its_way(files, what)

    @property
    def _stand(self) -> bool:
        """Whether any of the files is still there."""
        return any(file.exists() for file in self.files)


def _found(paths: Sequence[Path], source: SourceConfig) -> tuple[Path, ...]:
    """The files, each once, however often and by whatever link it is named."""
    by_place = {os.path.realpath(file): file for file in event_files(paths, source)}
    return tuple(by_place[place] for place in sorted(by_place))


def _require_file(file: Path) -> None:
    """Refuse what would be waited for, or never ends: pipes, devices, folders; and links that lead nowhere."""
    if not file.is_file():
        raise InputError(
            f"{file} is no file, and no link to one.", "files of rows", "take it away, or put the file in its place"
        )


def _require_lines(file: Path) -> None:
    """Refuse a file with a line that cannot be a row; reading it to its end tells a damaged one, too."""
    length = 0
    if file.suffix in _PACKED and not file.stat().st_size:  # what is packed has a header, even where nothing is in it
        raise unreadable(file)
    try:
        with opened(file) as stream:
            while block := stream.read(_AT_A_TIME):
                first, last = block.find(b"\n"), block.rfind(b"\n")
                longest = length + (len(block) if first < 0 else first)
                if longest > LONGEST_LINE:
                    raise _no_lines(file)
                length = longest if last < 0 else len(block) - last - 1
    except DAMAGED as error:
        raise unreadable(file) from error


def _no_lines(file: Path) -> InputError:
    return InputError(
        f"{file} holds a line longer than {LONGEST_LINE >> 20} MiB.",
        "text of one row a line",
        "deliver the file again; a run of zeros in it comes from a copy that was interrupted",
    )


def _plain(file: Path, folder: Path) -> Path:
    return file if _PLAIN_PATH.fullmatch(str(file.absolute())) else linked(file, folder)


def linked(file: Path, folder: Path) -> Path:
    """Return a link to a file, the only thing in a folder, under a name that every engine takes as it is."""
    folder.mkdir(parents=True)
    suffix = _SUFFIXES.search(file.name)
    link = folder / f"file{suffix[0] if suffix else ''}"
    link.symlink_to(file.absolute())
    return link


def _still_on_its_way(files: Iterable[Path], what: str) -> InputError:
    return InputError(
        f"While the delivery was read, {', '.join(sorted(map(str, files))[:5])} {what}.",
        "files that are complete before they are ingested",
        "wait until the transfer has ended and ingest the delivery again; nothing of it is visible yet",
    )


def _of_each(files: Sequence[Path], do: Callable[[Path], _T]) -> list[_T]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(do, files))


def _sha256(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise unreadable(file) from error


def _stamp(file: Path) -> _Stamp:
    try:
        status = file.stat()
    except OSError as error:
        raise unreadable(file) from error
    return status.st_size, status.st_mtime_ns, status.st_ino
