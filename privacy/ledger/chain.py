"""Does the ledger still say what Whimbrel wrote? Hash by hash, turn by turn, charge by charge."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Connection, select

from privacy.ledger.entries import (
    GENESIS,
    Entry,
    EntryKind,
    Opening,
    ReleaseKey,
    Share,
    approvals,
    booked_charges,
    commitment,
    specification,
)
from privacy.ledger.rules import (
    opens_again,
    pays_for,
    refuse_other_share,
    refuse_out_of_term,
    refuse_out_of_turn,
    refuse_too_few_signers,
)
from privacy.ledger.tables import CHARGES, SEALS, read_entries, row_key, tampered
from schemas.errors import LedgerError, PrivacyError, WhimbrelError


def verify(connection: Connection) -> int:
    """Refuse a ledger in which anything was altered, added or taken away; give the number of its entries."""
    entries = read_entries(connection)  # each one is compared with its hash as it is read
    with _as_written():
        _check_links(entries)
        _check_turns(entries)
        _check_events(entries)
        _check_shares(entries)
        _check_charges(connection, entries)
        _check_seals(connection, entries)
    return len(entries)


@contextmanager
def _as_written() -> Iterator[None]:
    """Tell a row that cannot be read as what it is: Whimbrel wrote another."""
    try:
        yield
    except LedgerError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, WhimbrelError):
        raise tampered("An entry, a charge or a seal cannot be read.") from None


def _check_links(entries: tuple[Entry, ...]) -> None:
    """Refuse a chain whose links do not follow from each other."""
    prev_hash, prev_at = GENESIS, ""
    for position, entry in enumerate(entries, start=1):
        if entry.position != position or entry.prev_hash != prev_hash or entry.at < prev_at:
            raise tampered(f"Entry {entry.position} does not follow from the entry before it.")
        prev_hash, prev_at = entry.entry_hash, entry.at


def _check_turns(entries: tuple[Entry, ...]) -> None:
    """Refuse well-chained entries that Whimbrel would not have written."""
    past: dict[ReleaseKey, frozenset[EntryKind]] = {}
    for entry in entries:
        try:
            refuse_out_of_turn(entry.kind, entry.key, past.get(entry.key, frozenset()))
        except PrivacyError as error:
            raise tampered(f"Entry {entry.position} is out of turn: {error.found}") from None
        past[entry.key] = past.get(entry.key, frozenset()) | {entry.kind}


def _check_events(entries: tuple[Entry, ...]) -> None:
    """Refuse an opening that too few signed or that overlaps another, and a release that none has paid for."""
    openings: dict[str, Opening] = {}
    for entry in entries:
        if entry.kind is EntryKind.OPEN:
            openings |= _checked_opening(entry, openings)
        elif entry.kind is EntryKind.RESERVE and not _is_paid_for(entry, openings):
            raise tampered(f"Entry {entry.position} is a release that no opening of its event has paid for.")


def _is_paid_for(entry: Entry, openings: Mapping[str, Opening]) -> bool:
    event = entry.says.get("event")
    return event is None or (event in openings and pays_for(openings[str(event)], specification(entry)))


def _checked_opening(entry: Entry, earlier: Mapping[str, Opening]) -> Mapping[str, Opening]:
    opening = Opening.of(entry.says)
    try:
        refuse_too_few_signers(opening, approvals(entry))
        again = opens_again(earlier.values(), opening)
    except PrivacyError as error:
        raise tampered(f"Entry {entry.position} opens what cannot be opened: {error.found}") from None
    if again or opening.key != entry.key:
        raise tampered(f"Entry {entry.position} opens {opening.event} a second time or under another name.")
    return {opening.event: opening}


def _check_shares(entries: tuple[Entry, ...]) -> None:
    """Refuse a share out of its agreement's term, in other words than ours, or of one release in two ways."""
    shares: dict[tuple[ReleaseKey, str], Share] = {}
    for entry in entries:
        if entry.kind is EntryKind.SHARE:
            share = Share.of(entry)
            _check_share(entry, share, shares.get((share.key, share.agreement)))
            shares[share.key, share.agreement] = share


def _check_share(entry: Entry, share: Share, earlier: Share | None) -> None:
    try:
        refuse_out_of_term(share, entry.at)
        refuse_other_share(share, [earlier] if earlier else [])
    except PrivacyError as error:
        raise tampered(f"Entry {entry.position} is no share: {error.found}") from None
    if earlier or share.body != entry.says:
        raise tampered(f"Entry {entry.position} shares what is shared already, or says more than a share does.")


def _check_charges(connection: Connection, entries: tuple[Entry, ...]) -> None:
    """Refuse booked charges that are not those of the entries."""
    reserved = {
        (str(recorded.key), recorded.charge.pool, recorded.charge.privacy_month, recorded.charge.micro_rho)
        for entry in entries
        for recorded in booked_charges(entry)
    }
    booked = {
        (str(row_key(row)), row.pool, row.privacy_month, row.micro_rho) for row in connection.execute(select(CHARGES))
    }
    if reserved != booked:
        raise tampered(f"The charges booked for {min(reserved ^ booked)[0]} are not those of its reservation.")


def _check_seals(connection: Connection, entries: tuple[Entry, ...]) -> None:
    """Refuse a seal without its record, a record without its seal, and a record of other inputs."""
    sealed = {
        (entry.position, str(entry.key), entry.says["inputs_commitment"])
        for entry in entries
        if entry.kind is EntryKind.SEAL
    }
    recorded = {
        (row.position, str(row_key(row)), commitment(row.inputs_sha256, row.nonce))
        for row in connection.execute(select(SEALS))
    }
    if sealed != recorded:
        raise tampered(f"The seal of {min(key for _, key, _ in sealed ^ recorded)} and its record differ.")
