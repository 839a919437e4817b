"""`whimbrel inspect`: look at files, say what they seem to be, and draft the mapping that reads them."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich import box
from rich.console import Group
from rich.table import Table

from jobs.ingest.files import visible_files
from jobs.inspection.fields import Fields, fields_of
from jobs.inspection.folders import folders_of
from jobs.inspection.sample import Certainty, Guess, Sample, sample
from jobs.layouts import SourceConfig
from schemas.errors import InputError

_LONG: Final = re.compile(r"[0-9]{7,}|[0-9A-Fa-f]{16,}|[A-Za-z0-9+/=]{20,}")
"""What could be an identifier: no name of a cell, no date and no word is so long a run."""

_DIGITS: Final = re.compile(r"[0-9]{7,}")
_SIGN: Final = re.compile(r"[^\W_]")
_ROWS: Final = 5
_FILES: Final = 1_000
_WIDTH: Final = 40
_NEEDED: Final = ("subscriber", "time")


@dataclass(frozen=True)
class Inspection:
    """What files seem to be.

    Args:
        file: The one whose rows were looked at.
        taken: Its first rows.
        fields: What its columns hold.
        guesses: All that was found out, in order.
        mapping: Keys of the drafted mapping.
    """

    file: Path
    taken: Sample
    fields: Fields
    guesses: tuple[Guess, ...]
    mapping: dict[str, object]

    @property
    def problem(self) -> str:
        """Why the draft cannot be used as it is; empty where it can."""
        try:
            SourceConfig.model_validate(self.mapping)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            return f"[{'.'.join(map(str, first['loc'])) or 'source'}] {first['msg'].removeprefix('Value error, ')}"
        return ""

    @property
    def open_questions(self) -> list[Guess]:
        """What the file does not tell."""
        return [guess for guess in self.guesses if guess.certainty is Certainty.CANNOT_TELL]


def inspect(paths: Sequence[Path]) -> Inspection:
    """Look at files, or at the first file of folders, and at no more than their beginnings.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    files = visible_files(paths)[:_FILES]
    if not files:
        raise InputError(
            f"There is no file in {', '.join(map(str, paths))}.", "event files or folders of them", "correct the path"
        )
    taken = sample(files[0])
    fields = fields_of(taken, [file.name for file in files])
    folders, told = folders_of(files)
    columns = {"columns": fields.columns}
    mapping = {"format": taken.format, **columns, **taken.layout, **folders, **fields.mapping}
    return Inspection(files[0], taken, fields, (*taken.guesses, *told, *fields.guesses, *_lacking(fields)), mapping)


def _lacking(fields: Fields) -> list[Guess]:
    lacking = [name for name in _NEEDED if name not in fields.columns]
    lacking += [] if {"cell", "latitude"} & fields.columns.keys() else ["cell"]
    return [Guess(f"columns.{name}", "", Certainty.CANNOT_TELL, "no column looks like it: name it") for name in lacking]


def draft(found: Inspection, name: str) -> str:
    """Return `[sources.NAME]` as TOML; what the file does not tell stands in remarks above it."""
    remarks = [f"# {guess.what}: {guess.reason}" for guess in found.open_questions]
    if found.problem:
        remarks.append(f"# Not complete: {found.problem}")
    lines = [f"{key} = {_toml(value)}" for key, value in found.mapping.items()]
    # A JSON file may have numbers for names of fields.
    named = [_DIGITS.sub("#######", line) for line in lines]
    return "\n".join([*map(masked, remarks), f"[sources.{name}]", *named, ""])


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=True)  # strings, numbers and truths are alike in TOML


def masked(text: str) -> str:
    """Return a text in which nothing is left that could be an identifier."""
    return _LONG.sub(lambda match: "#" * min(len(match[0]), 7), text)


def view(found: Inspection) -> Group:
    """Return what was found out, and the shapes of the first rows as they would be read: no value of a record."""
    return Group(_guesses(found), _rows(found))


def _guesses(found: Inspection) -> Table:
    table = Table(title=masked(found.file.name), box=box.SIMPLE, pad_edge=False)
    for heading in ("what", "seems to be", "certainty", "why"):
        table.add_column(heading, overflow="fold")
    style = {Certainty.CERTAIN: "green", Certainty.LIKELY: "", Certainty.CANNOT_TELL: "bold yellow"}
    for guess in found.guesses:
        cells = (guess.what, guess.value, guess.certainty.value, guess.reason)
        table.add_row(*map(_literal, cells), style=style[guess.certainty])
    return table


def _literal(text: str) -> str:
    return masked(text).replace("[", r"\[")


def _rows(found: Inspection) -> Table:
    columns = found.fields.columns
    table = Table(title="What would be read: # for a digit, A for a letter", box=box.SIMPLE, pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for n in range(min(_ROWS, len(next(iter(found.taken.columns.values()), [])))):
        table.add_row(*(_shown(name, found, place, n) for name, place in columns.items()))
    return table


def _shown(name: str, found: Inspection, place: Any, row: int) -> str:  # noqa: ANN401  a place, or several
    places = place if isinstance(place, list) else [place]
    values = [found.taken.columns[one][row] for one in places]
    if name == "subscriber":
        return "" if values[0] in {None, "", b""} else "#" * 7
    return _shape(" ".join("" if value is None else str(value) for value in values))[:_WIDTH].replace("[", r"\[")


def _shape(text: str) -> str:
    """What a value looks like: a guess may be wrong, and a subscriber's number stand where a cell is looked for."""
    return _SIGN.sub(lambda sign: "#" if sign[0].isdecimal() else "A", text)
