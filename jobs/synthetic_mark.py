"""The mark of a synthetic country: which delivery files its generator wrote, by their content."""

import json
from collections.abc import Iterable, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ValidationError

MARK: Final = "SYNTHETIC"
"""File that marks a folder as synthetic, and says of what."""


class _Mark(BaseModel):
    files: dict[str, str]


def write_mark(folder: Path, told: Mapping[str, object], files: Iterable[str]) -> None:
    """Mark a country's folder with what is told of it, and with the SHA-256 of each delivery file by its name there."""
    mark = {**told, "files": {name: sha256_of(folder / name) for name in files}}
    (folder / MARK).write_text(json.dumps(mark, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def are_synthetic(files: Iterable[Path], sha256s: Iterable[str]) -> bool:
    """Tell whether a synthetic country's mark lists the content of every file.

    A mark counts that stands in the folder of a file or in the one above. What stands beside the files that it lists is
    not synthetic for that.

    Args:
        files: Files of a delivery.
        sha256s: SHA-256 of each file's content.
    """
    folders = {folder for file in files for folder in list(file.resolve().parents)[:2]}
    return frozenset[str]().union(*map(_listed, folders)).issuperset(sha256s)


def _listed(folder: Path) -> frozenset[str]:
    """SHA-256 of the files that a folder's mark lists; of none where there is no mark, or none of ours."""
    try:
        return frozenset(_Mark.model_validate_json((folder / MARK).read_bytes()).files.values())
    except (OSError, ValidationError):
        return frozenset()


def sha256_of(file: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with file.open("rb") as stream:
        return file_digest(stream, "sha256").hexdigest()
