"""The data dictionary: every table with its columns, written from the contracts so that it cannot lie.

`python -m schemas.dictionary docs/data-dictionary.md`
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from schemas.cells import CELL_STRETCHES, CELLS, ZONES
from schemas.contract import Column, Confidentiality, Contract
from schemas.displacement import RESIDENT_STATUSES
from schemas.errors import ConfigError
from schemas.exact import EXACT_TOTALS
from schemas.network import NETWORK_STATUS, OUTAGES
from schemas.nights import NIGHTS
from schemas.published import PUBLIC_TABLES
from schemas.quality import ZONE_HOURS
from schemas.subscriber_days import QUARANTINE, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS

TABLES: Final = (
    CELLS,
    CELL_STRETCHES,
    ZONES,
    SUBSCRIBER_DAY_PARTS,
    QUARANTINE,
    SUBSCRIBER_DAYS,
    ZONE_HOURS,
    NIGHTS,
    OUTAGES,
    RESIDENT_STATUSES,
    EXACT_TOTALS,
    *PUBLIC_TABLES,
    NETWORK_STATUS,
)
"""Every contract, in the order in which data flow through them."""

_HEAD: Final = """\
# Data dictionary

Generated from the contracts in `schemas/` by `make docs`; a test keeps this file equal to them. A missing value is
allowed only in a column marked *may be missing*, and then means "unknown" unless the meaning says otherwise.
"""

_SIDES: Final = {
    Confidentiality.CONFIDENTIAL: "## Confidential tables\n\nThey stand in the confidential root and never leave it.\n",
    Confidentiality.PUBLIC: "## Public tables\n\nWhat depends on subscribers has come out of a mechanism.\n",
}


def dictionary(tables: Iterable[Contract] = TABLES) -> str:
    """Return the data dictionary in Markdown: the confidential tables, then the public ones."""
    known = tuple(tables)
    sections = [_HEAD]
    for side, heading in _SIDES.items():
        sections += [heading, *(_section(table) for table in known if table.confidentiality is side)]
    return "\n".join(sections)


def _section(table: Contract) -> str:
    key = ", ".join(f"`{name}`" for name in table.key) or "none: equal rows may stand side by side"
    return "\n".join(
        [
            f"### {table.name}",
            "",
            f"- Confidentiality: {table.confidentiality}",
            f"- Grain: {table.grain}",
            f"- Key: {key}",
            f"- Version: {table.version}",
            "",
            *_rows(table.columns),
            "",
        ]
    )


def _rows(columns: Iterable[Column]) -> Iterator[str]:
    yield "| Column | Type | Unit | Meaning | Missing values |"
    yield "|---|---|---|---|---|"
    for column in columns:
        missing = "may be missing" if column.nullable else "never"
        cells = (f"`{column.name}`", f"`{column.type.simpleString()}`", column.unit, column.meaning, missing)
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def main(arguments: list[str]) -> None:
    """Write the dictionary to the one path given.

    Raises:
        ConfigError: Another number of arguments was given.
    """
    if len(arguments) != 1:
        raise ConfigError(
            f"{len(arguments)} arguments were given.",
            "one: the file to write",
            "run `python -m schemas.dictionary docs/data-dictionary.md`",
        )
    Path(arguments[0]).write_text(dictionary(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
