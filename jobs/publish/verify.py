"""Checks a bundle as an outsider does: nothing of the operator but, where the reader has them, its public keys.

The digests find damage. The signature finds forgery, where the publisher's key is known from elsewhere: a forger
can rewrite everything, and sign it with a key of their own. The other checks find a bundle that contradicts itself,
whoever wrote it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from rich.console import Group
from rich.table import Table
from rich.text import Text

from jobs.publish.approvals import (
    APPROVAL_NAME,
    RecordedApproval,
    check_approval,
    check_publisher,
    require_publisher,
    signer_of,
)
from jobs.publish.archive import read_bundle_files
from jobs.publish.bundle import CARD_NAME, LATER_NAMES, ZONES_NAME, names_of
from jobs.publish.card import Card, read_card
from jobs.publish.card_checks import check_charges, check_clipping, check_domain, check_epsilon, check_levels
from jobs.publish.explorer.alone import page_of_release
from jobs.publish.flat_checks import check_tables, check_transitions, zones_of
from jobs.publish.forms import form_of
from jobs.publish.histogram_checks import check_bins, check_finding
from jobs.publish.jsontext import read_json_object
from jobs.publish.package_checks import check_package
from jobs.publish.readme import PAGE_NAME, README_NAME, readme_text
from jobs.publish.row_checks import (
    check_cut,
    check_intervals,
    check_key,
    check_levels_of_rows,
    check_noise,
    check_statuses,
)
from jobs.publish.sharing.checks import check_sharing, signed_at, told
from jobs.publish.sharing.notice import SHARING_NAME, SharingNote, as_shown, read_sharing
from jobs.publish.sums import check_sums, sums_sha256
from jobs.publish.tables import public_contract, read_csv, read_parquet, require_contract
from jobs.publish.zone_checks import check_zones, levels_of_zones
from jobs.publish.zones import zones_in
from privacy.approval import Trust, instant
from privacy.signing import PublicKey
from schemas.contract import Contract
from schemas.errors import BundleError, ContractError, WhimbrelError


@dataclass(frozen=True)
class Contents:
    """A bundle that could be read.

    Args:
        files: Every file by name.
        card: Its card, as far as its rows go.
        contract: Contract of its table.
        table: The rows of the Parquet file.
        zones: `zones.geojson` as JSON holds it; nothing where the product has no zones.
        released: The card of the release as a whole; another only where a part of it was shared.
        sharing: With whom that part was shared; none of a published bundle.
    """

    files: dict[str, bytes]
    card: Card
    contract: Contract
    table: pa.Table
    zones: Any
    released: Card
    sharing: SharingNote | None

    @property
    def slug(self) -> str:
        """Name of the bundle."""
        return self.sharing.slug if self.sharing else self.card.slug


@dataclass(frozen=True)
class VerificationReport:
    """What was checked and held.

    Args:
        slug: Name of the release.
        sha256: Digest of `SHA256SUMS`, to compare with what the publisher states.
        rows: Number of rows of the table.
        checks: The checks, in order.
        card: The release's card.
        signer: The key that signed the bundle.
        signed_by: Who that is, as far as the reader's keys tell.
        approval: The approval that the bundle carries.
        approved_by: Who signed that, as far as the reader's keys tell.
        sharing: With whom it was shared; none of a published bundle.
        page: What is known of the page that the bundle holds: a program, so a reader ought to know before opening it.
    """

    slug: str
    sha256: str
    rows: int
    checks: tuple[str, ...]
    card: Card
    signer: PublicKey
    signed_by: str
    approval: RecordedApproval
    approved_by: str
    sharing: SharingNote | None = None
    page: str = ""

    def __rich__(self) -> Group:
        """Return the report for the terminal: what held, and whose word it is."""
        table = Table("", "checked", title=f"{self.slug}: {self.rows:,} rows, {self.card.epsilon_text}")
        for check in self.checks:
            table.add_row("[green]✓[/green]", check)
        recorded = self.approval
        kind, key = recorded.signed.statement.KIND, recorded.signed.key
        words = (
            f"SHA256SUMS has SHA-256 {self.sha256}",
            f"Signed by key {self.signer.id}, {self.signed_by}.",
            f"Approved ({kind}, recorded {recorded.recorded_at}) by key {key.id}, {self.approved_by}.",
            *([told(self.sharing)] if self.sharing else []),
        )
        return Group(table, *(Text(line, overflow="fold") for line in (*words, self.page) if line))


def verify_bundle(path: Path, *, key: PublicKey | None = None, trust: Trust | None = None) -> VerificationReport:
    """Check a bundle's folder or zip and report what held.

    Args:
        path: The folder or the zip.
        key: The publisher's key, known from elsewhere; without it, a signature says only that one hand made it all.
        trust: The operator's list of trusted keys, known from elsewhere: the roles of all signers are checked too.

    Raises:
        BundleError: The first defect: found, expected, remedy.
    """
    return verified(path, key=key, trust=trust)[0]


def verified(
    path: Path, *, key: PublicKey | None = None, trust: Trust | None = None, package: bool = True
) -> tuple[VerificationReport, Contents]:
    """Check a bundle as `verify_bundle` does; return the report, and what was checked, for whoever goes on with it.

    Args:
        path: The folder or the zip.
        key: As there.
        trust: As there.
        package: Whether `datapackage.json` and the page are looked at too: that takes longer than all else, and says
            nothing new to a reader who has the contracts and draws pages of their own.

    Raises:
        BundleError: The first defect: found, expected, remedy.
    """
    files = read_bundle_files(path)
    check_sums(files)
    contents = _contents(files)
    described = (_PACKAGE_CHECK,) if package else ()
    shared = (_SHARING_CHECK,) if contents.sharing else ()
    checks = (*_CHECKS, *described, *_CHECKS_OF[contents.card.product], *shared, (_README_CHECK, _check_readme))
    for _, check in checks:
        check(contents)
    signer = signer_of(contents.slug, files)
    approval = check_approval(files[APPROVAL_NAME], contents.released, trust)
    if key:
        require_publisher(signer, [key])
    if trust:
        check_publisher(signer, signed_at(contents.sharing, instant(approval.recorded_at)), trust)
    report = VerificationReport(
        slug=contents.slug,
        sha256=sums_sha256(files),
        rows=contents.table.num_rows,
        checks=(_SUMS_CHECK, *(name for name, _ in checks), _SIGNATURE_CHECK, _APPROVAL_CHECK),
        card=contents.card,
        signer=signer,
        signed_by="the key given" if key else _whose(signer, trust),
        approval=approval,
        approved_by=_whose(approval.signed.key, trust),
        sharing=contents.sharing,
        page=_page(contents) if package else "",
    )
    return report, contents


def _page(contents: Contents) -> str:
    """What is known of the page: that this version draws the same; or nothing, as another version draws another."""
    if PAGE_NAME not in contents.files:
        return ""
    csv = contents.files[f"{contents.contract.name}.csv"]
    try:
        drawn = page_of_release(contents.card, contents.table, contents.zones, csv=csv, sharing=contents.sharing)
    except (WhimbrelError, ValueError, TypeError, LookupError, ArithmeticError):
        return _UNDRAWN
    return _OWN_PAGE if drawn == contents.files[PAGE_NAME] else _OTHER_PAGE


def _whose(key: PublicKey, trust: Trust | None) -> str:
    trusted = trust.of(key) if trust else None
    return f"{trusted.name} ({trusted.role})" if trusted else "which was not compared with a known one"


def _contents(files: dict[str, bytes]) -> Contents:
    released = read_card(_required(files, CARD_NAME))
    contract = public_contract(released.product)
    sharing = read_sharing(files[SHARING_NAME]) if SHARING_NAME in files else None
    names = names_of(released.product) | ({SHARING_NAME} if sharing else set())
    _require_names(files, names, released.slug)
    card = as_shown(released, sharing) if sharing else released
    has_zones = form_of(card.product).has_zones
    zones: Any = read_json_object(files[ZONES_NAME], ZONES_NAME) if has_zones else None
    most_rows = files[f"{contract.name}.csv"].count(b"\n")
    table = read_parquet(files[f"{contract.name}.parquet"], contract, most_rows=most_rows)
    return Contents(files, card, contract, table, zones, released, sharing)


def _require_names(files: dict[str, bytes], names: frozenset[str], slug: str) -> None:
    for name in sorted(names - _not_yet_there(files)):
        _required(files, name)
    if strange := sorted(files.keys() - names):
        raise BundleError(
            f"File {strange[0]} is no part of {slug}.",
            f"these alone: {', '.join(sorted(names))}",
            "do not open it; ask the bundle's publisher",
        )


def _not_yet_there(files: dict[str, bytes]) -> frozenset[str]:
    """Names that came later than the bundle: its own README does not list them."""
    listed = files.get(README_NAME, b"")
    return frozenset(name for name in LATER_NAMES if f"`{name}`".encode() not in listed)


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


def _levels(contents: Contents) -> dict[str, int]:
    return levels_of_zones(zones_in(contents.table), contents.zones, contents.card)


def _check_readme(contents: Contents) -> None:
    has_page = PAGE_NAME in contents.files
    expected = readme_text(contents.card, contents.contract, contents.sharing, has_page=has_page)
    if contents.files[README_NAME] != expected.encode():
        raise BundleError(
            f"{README_NAME} says something else than {CARD_NAME}.",
            "the text that this version of Whimbrel writes for the card",
            "verify with the version that made the bundle; where they differ there too, do not use it",
        )


_OWN_PAGE: Final = f"{PAGE_NAME} is what this version draws of the table."
_OTHER_PAGE: Final = (
    f"{PAGE_NAME} is not what this version draws: another version's, or a stranger's program. Draw your own: explore."
)

_UNDRAWN: Final = f"{PAGE_NAME} cannot be compared: this version cannot draw the table. Do not open it."
"""What was checked may hold where nothing can be drawn of it: the page is the least that a reader relies on."""

_SUMS_CHECK: Final = "every file is listed in SHA256SUMS and unaltered"
_README_CHECK: Final = "README.md says what the card says"
_SIGNATURE_CHECK: Final = "the signature is over these sums"
_APPROVAL_CHECK: Final = "the approval covers this release, and its signature holds"

Checks = tuple[tuple[str, Callable[[Contents], None]], ...]
"""What is checked, in words, and how."""

_CHECKS: Final[Checks] = (
    ("charges cover the release, in its privacy month", lambda c: check_charges(c.released)),
    ("the levels' costs add up, and their noise suffices for their bounds", lambda c: check_levels(c.released)),
    ("epsilon follows from rho", lambda c: check_epsilon(c.released)),
    ("the table keeps its contract", _check_contract),
    ("CSV and Parquet hold equal values", _check_equal_tables),
    (
        "no key occurs twice, and every row is of the card's period",
        lambda c: check_key(c.table, c.contract, c.card),
    ),
)

_PACKAGE_CHECK: Final = (
    "datapackage.json describes the files and is valid",
    lambda c: check_package(c.files, c.contract, c.card),
)

_SHARING_CHECK: Final = (
    "nothing is finer, worse or later than the agreement allows, under which it was shared",
    lambda c: check_sharing(c.table, c.released, c.sharing),
)

_OF_ZONES: Final[Checks] = (
    ("what was measured lies in the domain", lambda c: check_domain(c.released)),
    ("what is said of clipping is what its numbers say", lambda c: check_clipping(c.card)),
    (
        "zones lie inside the domain and are drawn as they are",
        lambda c: check_zones(c.table, c.zones, c.card),
    ),
)

_PAIRS: Final[Checks] = (
    *_OF_ZONES,
    ("resolutions are the card's and the zones' own", lambda c: check_levels_of_rows(c.table, c.card, _levels(c))),
    ("one remainder row; residual rows are marked", lambda c: check_statuses(c.table)),
    ("published rows stand above the cut", lambda c: check_cut(c.table, c.card)),
    ("intervals and grades follow from value and noise", lambda c: check_intervals(c.table)),
    ("no row claims less noise than the levels together allow", lambda c: check_noise(c.table, c.released)),
)

_CONTRIBUTION_HISTOGRAM: Final[Checks] = (
    ("rows are the counts of the grid's bins, with the noise of the card", lambda c: check_bins(c.table, c.card)),
    ("the share cut off follows from the rows", lambda c: check_finding(c.table, c.card)),
)

_FLAT: Final[Checks] = (
    *_OF_ZONES,
    (
        "every key of every table has a row, with the noise of the card",
        lambda c: check_tables(c.table, c.card, zones_of(c.card, c.zones)),
    ),
    ("intervals and grades follow from value and noise", lambda c: check_intervals(c.table)),
)

_DISPLACEMENT: Final[Checks] = (
    *_FLAT,
    ("transitions and sights are those of the statuses, of the event", lambda c: check_transitions(c.table, c.card)),
)

_CHECKS_OF: Final[dict[str, Checks]] = {
    "od_trips": _PAIRS,
    "home_visits": _PAIRS,
    "relocations": _PAIRS,
    "migration": _PAIRS,
    "presence": _FLAT,
    "roaming": _FLAT,
    "active_subscribers": _FLAT,
    "residents": _FLAT,
    "churn": _FLAT,
    "displacement": _DISPLACEMENT,
    "contribution_histogram": _CONTRIBUTION_HISTOGRAM,
}
"""What is checked of one product only."""
