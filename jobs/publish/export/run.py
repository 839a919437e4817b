"""`whimbrel export`: from a published bundle to the files that other programs read."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from jobs.publish.export.formats import export_files
from jobs.publish.export.readme import README
from jobs.publish.export.source import Source
from privacy.durable import alone_in, flush_names, write_flushed
from schemas.errors import BundleError

FOLDER: Final = "formats"
"""Folder of exports, in the release zone or where the command runs. It holds no `card.json`, so no bundle."""


def write_exports(source: Source, names: Sequence[str], out: Path, *, hxl: bool = False) -> list[Path]:
    """Write the exports of a bundle into `<out>/<slug>/`; again: the same bytes, and other formats stay.

    All files are made before the first becomes visible, and the README is the first: it says whose exports stand there.

    Args:
        source: The bundle.
        names: Formats; `all` for those that can show it.
        out: Folder of exports; made where it is missing.
        hxl: Whether the CSV has a row of HXL tags.

    Raises:
        ConfigError: A format that was named cannot show the bundle.
        BundleError: Its zones cannot be drawn, or exports of another bundle of this name stand there.
    """
    files = export_files(source, names, hxl=hxl)
    folder = out / source.slug
    out.mkdir(parents=True, exist_ok=True)
    with alone_in(out):
        for leftover in out.glob(f".{folder.name}-*"):  # of a run that was killed: nobody else is in here
            shutil.rmtree(leftover)
        _require_same_bundle(folder, files[README])
        with TemporaryDirectory(dir=out, prefix=f".{folder.name}-") as workshop:
            for name, content in files.items():
                write_flushed(Path(workshop) / name, content)
            folder.mkdir(exist_ok=True)
            for name in files:
                (Path(workshop) / name).replace(folder / name)
        flush_names(folder)
    return [folder / name for name in files]


def _require_same_bundle(folder: Path, readme: bytes) -> None:
    """Refuse a folder whose other formats were made from another bundle: they would stay, under this one's README."""
    standing = folder / README
    is_another = standing.read_bytes() != readme if standing.exists() else _holds_something(folder)
    if is_another:
        raise BundleError(
            f"{folder} holds exports of another bundle, or of another version of Whimbrel.",
            "exports of this bundle, or nothing",
            "move the folder away, or choose another with --out",
        )


def _holds_something(folder: Path) -> bool:
    """Tell whether anything stands there; an empty folder is what a run leaves that was killed before its README."""
    return any(folder.iterdir()) if folder.is_dir() else folder.exists()
