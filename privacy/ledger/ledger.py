"""The ledger of one operator: its operations, each one transaction."""

import json
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, insert
from sqlalchemy.exc import IntegrityError

from privacy.canonical import JsonValue
from privacy.ledger import chain, database, rules, tables
from privacy.ledger.entries import (
    GENESIS,
    Entry,
    EntryKind,
    Opening,
    PoolMonth,
    RecordedCharge,
    ReleaseKey,
    Seal,
    Share,
    Specification,
    approvals,
    as_seal,
    body_text,
    booked_charges,
    commitment,
    entry_hash,
    require_approval,
)
from schemas.errors import LedgerError

CLOCK_TOLERANCE: Final = timedelta(seconds=60)
"""How far a clock may stand behind the last entry: clocks of two machines differ a little."""

_ATTEMPTS: Final = 50
"""Tries of a write that lost a race: every round has a winner, so only as many rivals fail one."""

_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"
"""Sorts as text as it does in time."""

T = TypeVar("T")
Clock = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The ledger of one operator; opened by `Ledger.open`, used by any number of processes at once.

    Args:
        engine: Engine of an existing ledger.
        clock: Present instant with its time zone; replaced in tests.
    """

    def __init__(self, engine: Engine, clock: Clock = _utc_now) -> None:
        self._writer = database.writer(engine)
        self._reader = database.reader(engine)
        self._clock = clock

    @classmethod
    def open(cls, url: str, *, create: bool = True, clock: Clock = _utc_now) -> "Ledger":
        """Open a ledger, and make it where there is none.

        Args:
            url: `sqlite:///path/ledger.db` or `postgresql+psycopg://...`.
            create: False: a missing ledger is refused, as it must be once something was published.
            clock: Present instant with its time zone.

        Raises:
            ConfigError: The address cannot be used.
            LedgerError: There is no ledger, or what is there is none.
        """
        address = database.address_of(url)
        with database.told(address):
            ledger = cls(database.connect(address, create=create), clock)
            if create:
                ledger._write(tables.METADATA.create_all)
            ledger.head()
        return ledger

    def reserve(
        self,
        spec: Specification,
        *,
        caps: Mapping[str, int],
        event_pools: Collection[str] = (),
        known_heads: Iterable[str] = (),
        artefacts: Collection[str] = (),
    ) -> None:
        """Charge a release to every pool and month that it depends on, all or nothing.

        The whole ledger is verified first: what was tampered with must not decide what is left of a pool.
        Reserving an equal specification again charges nothing: a crash before the seal is repeated for free,
        because nobody saw the first draw. A release of a declared event charges nothing either: its opening
        has booked what the whole schedule costs, and only what stands in that schedule can be reserved.

        Args:
            spec: The release, its charges and its parameters.
            caps: Cap of each pool, micro-rho a privacy month.
            event_pools: Pools that only the opening of an event may charge.
            known_heads: Chain heads that published bundles carry.
            artefacts: Digests of what the vault keeps, read before this call.

        Raises:
            BudgetExceededError: A pool of a month would be overrun.
            SpecificationChangedError: The release is reserved under another specification.
            SealLostError: The release is burned.
            PrivacyError: A pool is unknown, the revision before does not exist, or its event is not open for it.
            LedgerError: The ledger does not pass its check, or lacks a published bundle or a kept artefact: it has
                forgotten charges.
        """
        heads, known = frozenset(known_heads), frozenset(artefacts)

        def write(connection: Connection) -> None:
            head = tables.read_head(connection)
            _verified(connection, heads, known)
            if rules.repeats(connection, spec):
                return
            rules.refuse_orphan(connection, spec.key)
            if spec.event is not None:
                rules.refuse_beyond_schedule(connection, spec)
            for charge in spec.charges if spec.event is None else ():
                rules.refuse_event_pool(spec.key, charge, event_pools)
                rules.refuse_overrun(connection, spec.key, charge, caps)
            self._append(connection, head, EntryKind.RESERVE, spec.key, spec.body)

        self._write(write)

    def open_event(
        self,
        opening: Opening,
        *,
        approvals: Iterable[Mapping[str, JsonValue]],
        caps: Mapping[str, int],
        known_heads: Iterable[str] = (),
        artefacts: Collection[str] = (),
    ) -> None:
        """Open a pool for a declared event: reserve its whole schedule on every month that it can touch, or nothing.

        Opening it again on the same terms changes nothing, whoever signed.

        Args:
            opening: The event and its schedule.
            approvals: Statements signed by at least two people, verified by the caller; recorded with the opening.
            caps: Cap of each pool, micro-rho a privacy month.
            known_heads: Chain heads that published bundles carry.
            artefacts: Digests of what the vault keeps, read before this call.

        Raises:
            BudgetExceededError: A pool of a month would be overrun: another event is open over the same months.
            SpecificationChangedError: The event is open on other terms.
            PrivacyError: Too few people signed, or an open event releases one of the periods already.
            LedgerError: The ledger does not pass its check, or lacks a published bundle or a kept artefact: it has
                forgotten charges.
        """
        heads, known, signed = frozenset(known_heads), frozenset(artefacts), list(approvals)
        rules.refuse_too_few_signers(opening, signed)

        def write(connection: Connection) -> None:
            head = tables.read_head(connection)
            _verified(connection, heads, known)
            if rules.opens_again(tables.read_openings(connection), opening):
                return
            for charge in opening.charges:
                rules.refuse_overrun(connection, opening.key, charge, caps)
            self._append(connection, head, EntryKind.OPEN, opening.key, opening.body | {"approvals": signed})

        self._write(write)

    def openings(self) -> tuple[Opening, ...]:
        """The events that were opened, in that order."""
        return self._read(tables.read_openings)

    def reserved(self, key: ReleaseKey) -> Mapping[str, JsonValue] | None:
        """The parameters under which a release was reserved, if it was."""
        found = self._read(lambda connection: list(tables.find(connection, key, EntryKind.RESERVE)))
        return json.loads(found[0].body)["parameters"] if found else None

    def artefacts(self) -> frozenset[str]:
        """Digests of all sealed artefacts: what the vault has to keep."""
        return self._read(tables.read_artefacts)

    def sealed(self, key: ReleaseKey) -> Seal | None:
        """The seal of a release, if it has one; also where it was burned since."""
        return self._read(lambda connection: tables.seal_of(connection, key))

    def seal(self, key: ReleaseKey, *, artefact_sha256: str, inputs_sha256: str) -> Seal:
        """Fix the one artefact of a release; the first to come wins.

        Args:
            key: A reserved release.
            artefact_sha256: Digest of the artefact, already in the vault.
            inputs_sha256: Digest of the manifest of the inputs; recorded beside the chain, never returned. The
                chain holds a commitment to it, which says nothing without a random number that stays beside it too.

        Returns:
            The winning seal: where its digest is another, the caller lost the race and discards its draw.

        Raises:
            SealLostError: The release is burned.
            PrivacyError: The release is not reserved.
        """
        rules.require_digests(artefact_sha256, inputs_sha256)
        nonce = secrets.token_hex(32)

        def write(connection: Connection) -> Seal:
            head = tables.read_head(connection)
            burned = EntryKind.BURN in tables.kinds(connection, key)
            if not burned and (winner := tables.seal_of(connection, key)):
                return winner
            body = {"artefact_sha256": artefact_sha256, "inputs_commitment": commitment(inputs_sha256, nonce)}
            entry = self._append(connection, head, EntryKind.SEAL, key, body)
            row = {"position": entry.position, "inputs_sha256": inputs_sha256, "nonce": nonce}
            connection.execute(insert(tables.SEALS), tables.key_row(key) | row)
            return as_seal(entry)

        return self._write(write)

    def approve(self, key: ReleaseKey, approval: Mapping[str, JsonValue]) -> None:
        """Record that somebody approved a sealed release; an equal approval again changes nothing.

        Args:
            key: A sealed release.
            approval: `statement`, `signer` (key id) and `signature` (hexadecimal), verified by the caller.

        Raises:
            SealLostError: The release is burned.
            PrivacyError: The release is not sealed, or the approval is none.
        """
        require_approval(approval)
        self._write(lambda connection: self._append_once(connection, EntryKind.APPROVE, key, approval))

    def approvals(self, key: ReleaseKey) -> tuple[Mapping[str, JsonValue], ...]:
        """The approvals of a release, oldest first; also where it was burned since."""
        found = self._read(lambda connection: tables.find(connection, key, EntryKind.APPROVE))
        return tuple(approval for entry in found for approval in approvals(entry))

    def publish(self, key: ReleaseKey, *, bundle_sha256: str) -> None:
        """Record that a bundle of an approved release left; a second time changes nothing.

        Raises:
            SealLostError: The release is burned.
            PrivacyError: The release is not sealed, or nobody approved it.
        """
        rules.require_digests(bundle_sha256)
        body: dict[str, JsonValue] = {"bundle_sha256": bundle_sha256}
        self._write(lambda connection: self._append_once(connection, EntryKind.PUBLISH, key, body))

    def share(self, share: Share) -> None:
        """Record that a published release goes to a recipient under an agreement; a second time changes nothing.

        It is recorded before it goes: what a crash keeps back is made again, what went was recorded.

        Raises:
            SealLostError: The release is burned.
            SpecificationChangedError: It was shared under this agreement in another way.
            PrivacyError: The release is not published, or the agreement does not hold today.
        """

        def write(connection: Connection) -> None:
            head = tables.read_head(connection)
            earlier = [Share.of(entry) for entry in tables.find(connection, share.key, EntryKind.SHARE)]
            rules.refuse_other_share(share, earlier)
            if share not in earlier:
                entry = self._append(connection, head, EntryKind.SHARE, share.key, share.body)
                rules.refuse_out_of_term(share, entry.at)  # by the ledger's own clock; refused, nothing is written
            elif EntryKind.BURN in tables.kinds(connection, share.key):
                raise rules.burned(share.key)

        self._write(write)

    def shares(self) -> tuple[Share, ...]:
        """What was shared with whom, in that order; of releases burned since too."""
        return self._read(tables.read_shares)

    def published(self, key: ReleaseKey) -> tuple[str, ...]:
        """Digests of the bundles of a release that left, oldest first; also where it was burned since."""
        found = self._read(lambda connection: tables.find(connection, key, EntryKind.PUBLISH))
        return tuple(str(entry.says["bundle_sha256"]) for entry in found)

    def burn(self, key: ReleaseKey) -> None:
        """Record that the artefact of a release is lost: never drawn again, its budget stays spent.

        Raises:
            PrivacyError: The release is not reserved.
        """
        self._write(lambda connection: self._append_once(connection, EntryKind.BURN, key, {}))

    def is_burned(self, key: ReleaseKey) -> bool:
        """Whether the release is lost for good."""
        return EntryKind.BURN in self._read(lambda connection: tables.kinds(connection, key))

    def charges(self) -> tuple[RecordedCharge, ...]:
        """All charges, in the order in which they were booked."""
        return tuple(recorded for entry in self.entries() for recorded in booked_charges(entry))

    def pools(self, caps: Mapping[str, int]) -> tuple[PoolMonth, ...]:
        """The state of every pool in every month that was charged, in order of pool and month.

        Args:
            caps: Cap of each pool, micro-rho a privacy month; 0 for a pool not named.
        """
        months = self._read(lambda connection: connection.execute(tables.BY_POOL_AND_MONTH).all())
        return tuple(PoolMonth(pool, month, caps.get(pool, 0), int(charged)) for pool, month, charged in months)

    def entries(self) -> tuple[Entry, ...]:
        """The whole chain, oldest first; public fields only."""
        return self._read(tables.read_entries)

    def head(self) -> str:
        """Hash of the newest entry; sixty-four zeros where there is none."""
        newest = self._read(tables.read_head)
        return newest.entry_hash if newest else GENESIS

    def check(self, *, known_heads: Iterable[str] = (), artefacts: Collection[str] = ()) -> int:
        """Verify that no entry, charge or seal was altered, added or taken away.

        The newest entries may be cut off without a trace in what is left: pass the heads of published bundles
        and what the vault keeps, to find that too.

        Args:
            known_heads: Chain heads that published bundles carry.
            artefacts: Digests of what the vault keeps, read before this call.

        Returns:
            The number of entries.

        Raises:
            LedgerError: Something was; the message names the first entry that does not hold.
        """
        heads, known = frozenset(known_heads), frozenset(artefacts)
        return self._read(lambda connection: _verified(connection, heads, known))

    def _append_once(
        self, connection: Connection, kind: EntryKind, key: ReleaseKey, body: Mapping[str, JsonValue]
    ) -> None:
        """Add an entry, unless the release has an equal one already; burned, it takes none but BURN, not even again."""
        head = tables.read_head(connection)
        again = body_text(body) in {entry.body for entry in tables.find(connection, key, kind)}
        if again and kind is not EntryKind.BURN and EntryKind.BURN in tables.kinds(connection, key):
            raise rules.burned(key)
        if not again:
            self._append(connection, head, kind, key, body)

    def _append(
        self,
        connection: Connection,
        head: Entry | None,
        kind: EntryKind,
        key: ReleaseKey,
        body: Mapping[str, JsonValue],
    ) -> Entry:
        """Add a link after `head`, which was read before anything else in the transaction, and book its charges.

        Whatever was written since makes `prev_hash` a duplicate and sends the caller round again.
        """
        rules.refuse_out_of_turn(kind, key, tables.kinds(connection, key))
        position, prev_hash = (head.position + 1, head.entry_hash) if head else (1, GENESIS)
        at, text = self._instant(head), body_text(body)
        digest = entry_hash(position, kind, key, at, text, prev_hash)
        entry = Entry(position, kind, key, at, text, prev_hash, digest)
        connection.execute(insert(tables.ENTRIES), tables.entry_row(entry))
        if booked := [tables.charge_row(recorded.key, recorded.charge) for recorded in booked_charges(entry)]:
            connection.execute(insert(tables.CHARGES), booked)
        return entry

    def _instant(self, head: Entry | None) -> str:
        """The present instant, or the last entry's where the clock is a little behind it."""
        now = self._clock().astimezone(UTC)
        if head is None:
            return now.strftime(_INSTANT)
        last = datetime.strptime(head.at, _INSTANT).replace(tzinfo=UTC)
        if now < last - CLOCK_TOLERANCE:
            raise LedgerError(
                f"The clock says {now.strftime(_INSTANT)}, the ledger's last entry {head.at}.",
                expected="a clock that does not go backwards",
                remedy="set the clock right; nothing was written",
            )
        return max(now, last).strftime(_INSTANT)

    def _write(self, write: Callable[[Connection], T]) -> T:
        """Run a write transaction; one that lost a race starts again from what the winner wrote."""
        with database.told(self._writer.url):
            for _ in range(_ATTEMPTS):
                with suppress(IntegrityError), self._writer.begin() as connection:
                    return write(connection)
        raise LedgerError(
            f"The ledger refused the same entry {_ATTEMPTS} times.",
            expected="a chain that an entry can be added to",
            remedy="run `whimbrel ledger check`; nothing was written",
        )

    def _read(self, read: Callable[[Connection], T]) -> T:
        """Run a read transaction: all that it reads stems from one instant."""
        with database.told(self._reader.url), self._reader.begin() as connection:
            return read(connection)


def _verified(connection: Connection, known_heads: frozenset[str], artefacts: frozenset[str]) -> int:
    """Verify the whole ledger; give the number of its entries."""
    entries = chain.verify(connection)
    rules.refuse_unknown_heads(connection, known_heads)
    rules.refuse_unknown_artefacts(connection, artefacts)
    return entries
