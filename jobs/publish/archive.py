"""A bundle's folder as one zip: equal folders give equal bytes; read as if a stranger had sent it."""

import io
import stat
import zipfile
import zlib
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Final

from schemas.errors import BundleError

MOST_FILES: Final = 64
MOST_BYTES_A_FILE: Final = 512 * 2**20
MOST_BYTES: Final = 1024 * 2**20
"""Limits of what a reader unfolds: far above a national release, far below a laptop's memory and disk."""

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: a clock would make equal bundles differ."""

_UNIX: Final = 3

_NO_ZIP: Final = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError)
"""What zipfile raises: the first three of damaged or cut bytes, RuntimeError (or a kind of it) of an encrypted member
or of a compression or version that it lacks, OSError of a file that cannot be read."""


def zip_bytes(slug: str, files: Mapping[str, bytes]) -> bytes:
    """Return a zip of one folder `slug` with the files in order of their names."""
    return packed({f"{slug}/{name}": content for name, content in files.items()})


def packed(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of files by path, in order of their paths, without a clock: equal files give equal bytes."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(files):
            archive.writestr(_entry(path), files[path])
    return sink.getvalue()


def read_bundle_files(path: Path, *, only: Container[str] | None = None) -> dict[str, bytes]:
    """Return the files of a bundle, from its folder or its zip, by plain name.

    Args:
        path: The folder or the zip.
        only: Names of files to read, where they are there; all unless told. The others are not unfolded.

    Raises:
        BundleError: There is no bundle, or it holds what no bundle holds: folders, links, names that lead
            elsewhere, names twice, too many or too large files.
    """
    if path.is_dir():
        return _read_folder(path, only)
    if path.is_file():
        return _read_zip(path, only)
    raise BundleError(f"There is no bundle at {path}.", "a bundle's folder or zip", "check the path")


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.create_system = _UNIX
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _read_folder(folder: Path, only: Container[str] | None) -> dict[str, bytes]:
    members = sorted(folder.iterdir())
    for member in members:
        if member.is_symlink() or not member.is_file():
            raise _refused(f"{member.name} is no plain file", "plain files only")
    _check_sizes({member.name: member.stat().st_size for member in members})
    return {member.name: member.read_bytes() for member in members if only is None or member.name in only}


def _read_zip(path: Path, only: Container[str] | None) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = _plain_names(archive.infolist())
            return {name: _unfold(archive, entry) for name, entry in names.items() if only is None or name in only}
    except _NO_ZIP as error:
        raise _refused(f"{path.name} is no readable zip: {error}", "a zip of a bundle's folder") from error


def _plain_names(entries: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    files = [entry for entry in entries if not entry.is_dir()]
    folders = {Path(entry.filename).parts[0] for entry in entries if entry.filename}
    names = {_plain_name(entry): entry for entry in files}
    if len(folders) != 1:
        raise _refused("It holds more than one top folder, or none", "one folder of plain files")
    if len({name.lower() for name in names}) != len(files):
        raise _refused("It holds a file name twice", "each name once, also where case does not matter")
    _check_sizes({name: entry.file_size for name, entry in names.items()})
    return names


def _plain_name(entry: zipfile.ZipInfo) -> str:
    parts = entry.filename.split("/")
    mode = entry.external_attr >> 16
    if len(parts) != 2 or set(parts) & {"", ".", ".."} or any(c in entry.filename for c in "\\:\0"):
        raise _refused(f"{entry.filename!r} leads outside the bundle's folder", "names like bundle/file")
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise _refused(f"{entry.filename!r} is no plain file", "plain files only")
    return parts[1]


def _check_sizes(sizes: Mapping[str, int]) -> None:
    if len(sizes) > MOST_FILES:
        raise _refused(f"It holds {len(sizes)} files", f"at most {MOST_FILES}")
    if large := [name for name, size in sizes.items() if size > MOST_BYTES_A_FILE]:
        raise _refused(f"{large[0]} is larger than any file of a bundle", f"at most {MOST_BYTES_A_FILE} bytes")
    if sum(sizes.values()) > MOST_BYTES:
        raise _refused("Its files are larger than any bundle", f"at most {MOST_BYTES} bytes")


def _unfold(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    # zipfile stops at the declared size, which was checked, and then compares the checksum.
    with archive.open(entry) as member:
        return member.read()


def _refused(found: str, expected: str) -> BundleError:
    return BundleError(f"The bundle is refused. {found}.", expected, "do not unpack it; ask its publisher for another")
