"""Checks a bundle as an outsider does: nothing of the operator, nothing but the bundle itself.

The digests find damage, not forgery: who can rewrite a bundle can rewrite `SHA256SUMS`. The other checks find
a bundle that contradicts itself, whoever wrote it.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from rich.table import Table

from jobs.publish.archive import read_bundle_files
from jobs.publish.bundle import CARD_NAME, MAP_NAME, ZONES_NAME
from jobs.publish.card import Card, read_card
from jobs.publish.card_checks import check_charges, check_epsilon, check_levels
from jobs.publish.datapackage import PACKAGE_NAME
from jobs.publish.jsontext import read_json_object
from jobs.publish.package_checks import check_package
from jobs.publish.readme import README_NAME
from jobs.publish.row_checks import (
    check_cut,
    check_intervals,
    check_key,
    check_levels_of_rows,
    check_statuses,
)
from jobs.publish.sums import SUMS_NAME, check_sums
from jobs.publish.tables import public_contract, read_csv, read_parquet, require_contract
from jobs.publish.zone_checks import check_zones
from schemas.contract import Contract
from schemas.errors import BundleError, ContractError


@dataclass(frozen=True)
class Contents:
    """A bundle that could be read.

    Args:
        files: Every file by name.
        card: Its card.
        contract: Contract of its table.
        table: The rows of the Parquet file.
        zones: `zones.geojson` as JSON holds it.
    """

    files: dict[str, bytes]
    card: Card
    contract: Contract
    table: pa.Table
    zones: Any


@dataclass(frozen=True)
class VerificationReport:
    """What was checked and held.

    Args:
        slug: Name of the release.
        sha256: Digest of `SHA256SUMS`, to compare with what the publisher states.
        rows: Number of rows of the table.
        checks: The checks, in order.
        card: The release's card.
    """

    slug: str
    sha256: str
    rows: int
    checks: tuple[str, ...]
    card: Card

    def __rich__(self) -> Table:
        """Return the report as a table for the terminal."""
        table = Table("", "checked", title=f"{self.slug}: {self.rows:,} rows, {self.card.epsilon_text}")
        for check in self.checks:
            table.add_row("[green]✓[/green]", check)
        table.caption = f"SHA256SUMS has SHA-256 {self.sha256}"
        return table


def verify_bundle(path: Path) -> VerificationReport:
    """Check a bundle's folder or zip and report what held.

    Raises:
        BundleError: The first defect: found, expected, remedy.
    """
    files = read_bundle_files(path)
    check_sums(files)
    contents = _contents(files)
    for _, check in _CHECKS:
        check(contents)
    return VerificationReport(
        slug=contents.card.slug,
        sha256=hashlib.sha256(files[SUMS_NAME]).hexdigest(),
        rows=contents.table.num_rows,
        checks=(_SUMS_CHECK, *(name for name, _ in _CHECKS)),
        card=contents.card,
    )


def _contents(files: dict[str, bytes]) -> Contents:
    card = read_card(_required(files, CARD_NAME))
    contract = public_contract(card.product)
    for name in (f"{contract.name}.csv", f"{contract.name}.parquet", PACKAGE_NAME, README_NAME, MAP_NAME):
        _required(files, name)
    zones = read_json_object(_required(files, ZONES_NAME), ZONES_NAME)
    most_rows = files[f"{contract.name}.csv"].count(b"\n")
    table = read_parquet(files[f"{contract.name}.parquet"], contract, most_rows=most_rows)
    return Contents(files, card, contract, table, zones)


def _required(files: dict[str, bytes], name: str) -> bytes:
    if name not in files:
        raise BundleError(f"File {name} is missing.", "a whole bundle", "fetch the bundle again")
    return files[name]


def _check_contract(contents: Contents) -> None:
    try:
        require_contract(contents.table, contents.contract)
    except ContractError as error:
        raise BundleError(error.found, error.expected, "do not use the bundle") from error


def _check_equal_tables(contents: Contents) -> None:
    table = read_csv(contents.files[f"{contents.contract.name}.csv"], contents.contract)
    columns = zip(table.columns, contents.table.columns, strict=False)
    if table.schema.names != contents.table.schema.names or not all(a.equals(b) for a, b in columns):
        raise BundleError(
            "The CSV and the Parquet file hold different tables.", "equal values", "do not use the bundle"
        )


_SUMS_CHECK: Final = "every file is listed in SHA256SUMS and unaltered"

_CHECKS: Final[tuple[tuple[str, Callable[[Contents], None]], ...]] = (
    ("charges cover the release, in its privacy month", lambda c: check_charges(c.card)),
    ("the levels' costs add up, and their noise suffices for their bounds", lambda c: check_levels(c.card)),
    ("epsilon follows from rho", lambda c: check_epsilon(c.card)),
    ("the table keeps its contract", _check_contract),
    ("CSV and Parquet hold equal values", _check_equal_tables),
    (
        "no key occurs twice, and every row is of the card's period",
        lambda c: check_key(c.table, c.contract, c.card),
    ),
    ("datapackage.json describes the files and is valid", lambda c: check_package(c.files, c.contract)),
    (
        "zones are H3 cells inside the domain, drawn as they are",
        lambda c: check_zones(c.table, c.zones, c.card),
    ),
    ("resolutions are the card's and the zones' own", lambda c: check_levels_of_rows(c.table, c.card)),
    ("one remainder row; residual rows are marked", lambda c: check_statuses(c.table)),
    ("published rows stand above the cut", lambda c: check_cut(c.table, c.card)),
    ("intervals and grades follow from value and noise", lambda c: check_intervals(c.table)),
)
