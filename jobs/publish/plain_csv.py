"""Tables that readers open in a spreadsheet: one text for one table, and no cell that runs as a formula."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Final

from jobs.publish.export.plain import cell_text
from schemas.errors import ConfigError

DECIMALS: Final = 6
"""Of a number: enough for a rate per thousand of a small place."""

Cell = str | float | int | bool | None
"""What a table holds; nothing is an empty cell."""


def csv_of(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> bytes:
    r"""Return rows as CSV: plain header, RFC 4180, UTF-8, lines ending in "\n", missing is empty.

    Names and codes come from bundles, which may come from strangers: a text is written as `cell_text` has it, so that
    none is run as a formula. Numbers stay numbers.
    """
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_text(row.get(column)) for column in columns] for row in rows)
    return sink.getvalue().encode()


def notes_beside(table: Path) -> Path:
    """Return the JSON file beside a table that says what its rows are.

    Raises:
        ConfigError: The table is to be that file itself.
    """
    if table.suffix.lower() == ".json":
        raise ConfigError(
            f"--out names {table.name}, and what the table's rows are goes into a .json file beside it.",
            "a CSV file",
            f"name it {table.stem}.csv",
        )
    return table.with_suffix(".json")


def _text(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case float():
            return number_text(cell)
        case str():
            return cell_text(cell)
        case _:
            return str(cell)


def number_text(number: float) -> str:
    """Return a number without an exponent, to `DECIMALS`; empty where it is not finite."""
    if not isfinite(number):
        return ""
    text = f"{number:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
