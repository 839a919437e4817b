"""CSV files that an operator keeps about its network: the cell table, the outage feed."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from schemas.contract import Contract
from schemas.errors import InputError

Row = Mapping[str, str | None]
"""A row by column; nothing where it is cut short."""


def numbered_rows(path: Path, contract: Contract, *, called: str, setting: str) -> Sequence[tuple[int, Row]]:
    """Read a file that has the columns of a contract, others besides: its rows with their lines.

    Args:
        path: The file.
        contract: Whose columns it has.
        called: What people call it.
        setting: The setting in whimbrel.toml that names it.

    Raises:
        InputError: It is missing, is no UTF-8 CSV, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing, rows = set(contract.names) - set(reader.fieldnames or ()), list(enumerate(reader, start=2))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"The {called} {path} cannot be read: {error}.", "a UTF-8 CSV file", f"correct {setting} in whimbrel.toml"
        ) from error
    if missing:
        raise InputError(
            f"{path.name} lacks {', '.join(sorted(missing))}.",
            f"the columns {', '.join(contract.names)}",
            "add them to the header",
        )
    return rows
