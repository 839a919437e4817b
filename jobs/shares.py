"""Sharing a published release with a recipient: recorded first, then written where the recipient's bundles are."""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from jobs.approvals import approval_config, clear
from jobs.publish.archive import read_bundle_files
from jobs.publish.bundle import Bundle, archive_of, refuse_another, settle
from jobs.publish.card import read_card
from jobs.publish.errata import kept_errata, refuse_withdrawn
from jobs.publish.sharing.agreement import Agreement
from jobs.publish.sharing.bundle import Terms, shared_files
from jobs.publish.sums import check_sums, sums_sha256
from jobs.releases import Desk
from privacy.canonical import canonical_json
from privacy.ledger import Ledger, ReleaseKey, Share
from schemas.errors import LedgerError, PrivacyError


def agreement_of(desk: Desk, name: str) -> Agreement:
    """Read an agreement of the installation by its id.

    Raises:
        ConfigError: There is none, or it cannot be used.
    """
    return Agreement.load(desk.config.sharing.agreements / f"{name}.toml")


def share(desk: Desk, agreement: Agreement, key: ReleaseKey, now: datetime | None = None) -> Bundle:
    """Make the bundle of a share and record it first; again: the same bytes, nothing recorded twice.

    What is in the folder of shared bundles is in the ledger: a share that is killed between the two is made again.

    Args:
        desk: The installation.
        agreement: Under which it is shared.
        key: A published release.
        now: Present instant.

    Raises:
        PrivacyError: The agreement does not cover the release today, or the release was not published.
        SpecificationChangedError: It was shared under this agreement in another way.
        ApprovalError: The release is not approved any more, or the gate's key is no publisher's.
        BundleError: The release was withdrawn, or another bundle stands in the place of this one.
        InputError: The configuration names a folder of errata that is not there.
    """
    at = now or datetime.now(UTC)
    made = desk.sealed(key)
    published = _published(desk.ledger, key)
    sharing = desk.config.sharing
    refuse_withdrawn(key, kept_errata(sharing.errata, may_be_missing=not sharing.names_errata))
    agreement.require_covers(read_card(canonical_json(made.card)), at.date())
    clearance = clear(key, approval_config(desk.config), desk.storage.approvals, desk.ledger, at)
    day = next((one.shared_on for one in _of(desk.ledger, key, agreement)), at.date())
    slug, files = shared_files(made, clearance, Terms(agreement, day, published))
    folder = sharing.shared / agreement.id / slug
    refuse_another(files, folder, clearance.publishers)
    digest = sums_sha256(files)
    desk.ledger.share(_entry(key, agreement, day, digest))
    settle(files, folder, clearance.publishers)
    return Bundle(folder, archive_of(folder), digest)


def check_shared(root: Path, shares: Iterable[Share]) -> int:
    """Check that every shared bundle is in the ledger; return their number.

    Raises:
        LedgerError: One is not: the ledger is an older copy, or somebody else put it there.
        BundleError: One was damaged.
    """
    known = {one.bundle_sha256 for one in shares}
    folders = {path.parent / path.stem if path.suffix == ".zip" else path for path in root.glob("[!.]*/[!.]*")}
    for folder in sorted(folders):
        for bundle in filter(Path.exists, (folder, archive_of(folder))):
            _check_known(bundle, known)
    return len(folders)


def shares_view(shares: Iterable[Share]) -> Table:
    """Who got what, when, under which agreement."""
    table = Table(title="Shared", box=box.SIMPLE, pad_edge=False)
    for heading in ("day", "release"):
        table.add_column(heading, no_wrap=True)
    table.add_column("with whom, what for, under which agreement", overflow="fold")
    for one in shares:
        under = f"{one.recipient}: {one.purpose} ({one.agreement}, until {one.valid_until})"
        table.add_row(*(Text(word) for word in (str(one.shared_on), str(one.key), under)))
    return table


def shares_json(shares: Iterable[Share]) -> list[dict[str, Any]]:
    """The same for machines."""
    names = ("product", "period", "revision")
    return [{**{name: getattr(one.key, name) for name in names}, **one.body} for one in shares]


def _entry(key: ReleaseKey, agreement: Agreement, day: date, digest: str) -> Share:
    return Share(
        key,
        agreement.id,
        agreement.sha256,
        agreement.recipient,
        agreement.purpose,
        agreement.legal_basis,
        agreement.valid_from,
        agreement.valid_until,
        day,
        digest,
    )


def _of(ledger: Ledger, key: ReleaseKey, agreement: Agreement) -> list[Share]:
    """What was shared of a release under an agreement: nothing, or one share."""
    return [one for one in ledger.shares() if (one.key, one.agreement) == (key, agreement.id)]


def _published(ledger: Ledger, key: ReleaseKey) -> str:
    """The digest of the bundle that left first.

    Raises:
        PrivacyError: None left.
    """
    if left := ledger.published(key):
        return left[0]
    revision = "" if key.revision == 1 else f" --revision {key.revision}"
    raise PrivacyError(
        f"{key} was not published.",
        "a published release: what is shared is a part of it",
        f"run `whimbrel publish {key.product} {key.period}{revision}` first",
    )


def _check_known(bundle: Path, known: set[str]) -> None:
    files = read_bundle_files(bundle)
    check_sums(files)
    if sums_sha256(files) not in known:
        raise LedgerError(
            f"{bundle.name} among the shared bundles is not in the ledger.",
            "a SHARE entry for each of them",
            "bring back the newest ledger; if it is that, find out who put the bundle there",
        )
