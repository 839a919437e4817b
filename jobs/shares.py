"""Sharing a published release with a recipient: recorded first, then written where the recipient's bundles are."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from jobs.approvals import approval_config, clear
from jobs.publish.archive import read_bundle_files
from jobs.publish.bundle import Bundle, archive_of, as_it_left, refuse_another, settle
from jobs.publish.card import read_card
from jobs.publish.errata import kept_errata, refuse_withdrawn
from jobs.publish.sharing.agreement import Agreement
from jobs.publish.sharing.bundle import Terms, shared_files
from jobs.publish.sums import check_sums, sums_sha256
from jobs.releases import Desk
from privacy.canonical import canonical_json
from privacy.ledger import EntryKind, Ledger, ReleaseKey, Share, refuse_other_share
from schemas.errors import BundleError, LedgerError, PrivacyError


def agreement_of(desk: Desk, name: str) -> Agreement:
    """Read an agreement of the installation by its id.

    Raises:
        ConfigError: There is none, or it cannot be used.
    """
    return Agreement.load(desk.config.sharing.agreements / f"{name}.toml")


def share(desk: Desk, agreement: Agreement, key: ReleaseKey, now: datetime | None = None) -> Bundle:
    """Make the bundle of a share and record it first; again: the same bytes, nothing recorded twice.

    What is in the folder of shared bundles is in the ledger: a share that is killed between the two is made again,
    also after the agreement ended, and as it was recorded.

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
    earlier = [one for one in desk.ledger.shares() if (one.key, one.agreement) == (key, agreement.id)]
    published = _published(desk.ledger, key, agreement)
    sharing = desk.config.sharing
    refuse_withdrawn(key, kept_errata(sharing.errata, may_be_missing=not sharing.names_errata))
    if not earlier:
        agreement.require_covers(read_card(canonical_json(made.card)), at.date())
    clearance = clear(key, approval_config(desk.config), desk.storage.approvals, desk.ledger, at)
    day = next((one.shared_on for one in earlier), at.date())
    slug, files = shared_files(made, clearance, Terms(agreement, day, published))
    folder = sharing.shared / agreement.id / slug
    with _told_of_shares():
        files = as_it_left(files, folder, [one.bundle_sha256 for one in earlier])
        entry = _entry(key, agreement, day, sums_sha256(files))
        refuse_other_share(entry, earlier)
        refuse_another(files, folder, clearance.publishers)
        desk.ledger.share(entry)
        settle(files, folder, clearance.publishers)
    return Bundle(folder, archive_of(folder), entry.bundle_sha256)


@contextmanager
def _told_of_shares() -> Iterator[None]:
    """Tell what to do about a bundle that stands where a share belongs: no revision, which would be charged."""
    try:
        yield
    except BundleError as error:
        remedy = "move it away and share again, which charges nothing; find out who put it there"
        raise BundleError(error.found, error.expected, remedy) from error


def check_shared(root: Path, shares: Iterable[Share]) -> int:
    """Check that every shared bundle is in the ledger, and where its own agreement's are; return their number.

    Raises:
        LedgerError: One is not: the ledger is an older copy, or somebody else put it there.
        BundleError: One was damaged.
    """
    known = {one.bundle_sha256: one for one in shares}
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


def _published(ledger: Ledger, key: ReleaseKey, agreement: Agreement) -> str:
    """The digest of the newest bundle that left; of what is shared already, of the newest one by then.

    A bundle whose approval was revoked is void: it leaves once more, approved anew.

    Raises:
        PrivacyError: None left.
    """
    left = None
    for entry in ledger.entries():
        if entry.key == key and entry.kind is EntryKind.PUBLISH:
            left = str(entry.says["bundle_sha256"])
        elif entry.key == key and entry.kind is EntryKind.SHARE and entry.says["agreement"] == agreement.id:
            break
    if left:
        return left
    revision = "" if key.revision == 1 else f" --revision {key.revision}"
    raise PrivacyError(
        f"{key} was not published.",
        "a published release: what is shared is a part of it",
        f"run `whimbrel publish {key.product} {key.period}{revision}` first",
    )


def _check_known(bundle: Path, known: Mapping[str, Share]) -> None:
    files = read_bundle_files(bundle)
    check_sums(files)
    share = known.get(sums_sha256(files))
    if share is None:
        raise LedgerError(
            f"{bundle.name} among the shared bundles is not in the ledger.",
            "a SHARE entry for each of them",
            "bring back the newest ledger; if it is that, find out who put the bundle there",
        )
    name, folder = bundle.name.removesuffix(".zip"), bundle.parent.name
    if (name, folder) != (share.slug, share.agreement):
        raise LedgerError(
            f"What was shared under {share.agreement} lies in {folder} as {bundle.name}.",
            f"{share.slug} in {share.agreement}",
            "move it there, and find out who may have got what is another's",
        )
