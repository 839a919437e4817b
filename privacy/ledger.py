"""The privacy ledger: what was charged, sealed and published; append-only, and transactional.

A release is a product, a period and a revision. `RESERVE` charges it, in one transaction, to every pool and
month that it depends on; `SEAL` fixes the one artefact that was drawn, first come; `PUBLISH` records each
bundle that left; `BURN` says that a sealed artefact is lost. Nothing is refunded.

What holds it together:

- **One writer at a time**: a write transaction takes the database's lock when it begins, so that caps are
  checked against all that was ever charged.
- **Append-only**: triggers refuse UPDATE, DELETE and replacing; a release is charged once by primary key.
- **A chain**: every entry carries the hash of the one before, which is unique, so a second successor of one
  entry is refused even where locks fail. `check` finds any row altered, added or taken away, but for the
  newest ones; those are found by the heads that published bundles carry, as is a restored backup that has
  forgotten charges.
- **Public fields only** in entries. The digest of the inputs depends on the data: it stands beside the
  chain, and no method returns it.

SQLite serves one machine; PostgreSQL (with a driver such as psycopg) serves several. SQLite keeps its
rollback journal rather than WAL: the ledger at rest is then one file to back up, and a commit with
synchronous=EXTRA survives a power cut, which a charge must, because the draw follows it.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import (
    DDL,
    URL,
    CheckConstraint,
    Column,
    Connection,
    Engine,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    NullPool,
    PrimaryKeyConstraint,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    create_engine,
    event,
    func,
    insert,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError

from privacy.canonical import JsonValue, canonical_json, is_sha256_hex, sha256_hex
from privacy.unit import Charge, Period
from schemas.errors import (
    BudgetExceededError,
    ConfigError,
    LedgerError,
    PrivacyError,
    SealLostError,
    SpecificationChangedError,
)

__all__ = [
    "Charge",
    "Entry",
    "EntryKind",
    "Ledger",
    "PoolMonth",
    "RecordedCharge",
    "ReleaseKey",
    "Seal",
    "Specification",
]

GENESIS: Final = "0" * 64
"""What the first entry has for a predecessor."""

CLOCK_TOLERANCE: Final = timedelta(seconds=60)
"""How far a clock may stand behind the last entry: clocks of two machines differ a little."""

BUSY_TIMEOUT_S: Final = 30.0
"""How long SQLite waits for another writer: a write takes milliseconds."""

_ATTEMPTS: Final = 50
"""Tries of a write that lost a race: every round has a winner, so only as many rivals fail one."""

_PRODUCT = re.compile(r"[a-z][a-z_]*")
_INSTANT = "%Y-%m-%dT%H:%M:%SZ"
"""Sorts as text as it does in time."""

_WRITER_LOCK: Final = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(5724117)",  # any number that nothing else locks
}
"""What makes a write transaction the only one from its beginning."""

T = TypeVar("T")
Clock = Callable[[], datetime]


class EntryKind(StrEnum):
    """What an entry says about its release."""

    RESERVE = "RESERVE"
    SEAL = "SEAL"
    PUBLISH = "PUBLISH"
    BURN = "BURN"


@dataclass(frozen=True, order=True)
class ReleaseKey:
    """What identifies a release: drawn once, charged once.

    Args:
        product: Name of the product.
        period: Day, ISO week or privacy month in ISO 8601.
        revision: 1, or more for a release that supersedes an earlier one at its own cost.
    """

    product: str
    period: str
    revision: int = 1

    def __post_init__(self) -> None:
        if not _PRODUCT.fullmatch(self.product) or self.revision < 1:
            raise ConfigError(
                f"{self.product!r} revision {self.revision} cannot be a release.",
                expected="a product in lower-case letters and underscores, and a revision from 1 up",
                remedy="see the products of the policy",
            )
        Period.parse(self.period)

    @property
    def slug(self) -> str:
        """The key as a file name."""
        return f"{self.product}_{self.period}_r{self.revision}"

    def __str__(self) -> str:
        return f"{self.product} {self.period} r{self.revision}"


@dataclass(frozen=True)
class Specification:
    """All that decides a release but the data: fixed by its first reservation.

    Args:
        key: The release.
        charges: What it costs, one charge a pool and month, at least one; order does not matter.
        parameters: Bounds, levels, policy digest, ...; public, never dependent on records.
    """

    key: ReleaseKey
    charges: tuple[Charge, ...]
    parameters: Mapping[str, JsonValue]

    def __post_init__(self) -> None:
        places = {(charge.pool, charge.privacy_month) for charge in self.charges}
        if not self.charges or len(places) != len(self.charges):
            raise PrivacyError(
                f"{self.key} has {len(self.charges)} charges over {len(places)} pools and months.",
                expected="at least one charge, and one at most for a pool and month",
                remedy="add up what falls on the same month",
            )

    @property
    def body(self) -> dict[str, JsonValue]:
        """The specification without its key, as the ledger records it."""
        charges: list[JsonValue] = [
            {"pool": c.pool, "privacy_month": c.privacy_month, "micro_rho": c.micro_rho} for c in sorted(self.charges)
        ]
        return {"charges": charges, "parameters": self.parameters}

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical text of key, charges and parameters."""
        return sha256_hex(canonical_json({"key": str(self.key), **self.body}))


@dataclass(frozen=True)
class Seal:
    """The one artefact of a release.

    Args:
        key: The release.
        artefact_sha256: Digest of the sealed measurements; they stay inside, their digest may leave.
        ledger_head: Hash of the SEAL entry: the head of the chain that the release's bundles carry.
        sealed_at: Instant of the entry, UTC, ISO 8601.
    """

    key: ReleaseKey
    artefact_sha256: str
    ledger_head: str
    sealed_at: str


@dataclass(frozen=True)
class Entry:
    """One link of the chain; public in all its fields.

    Args:
        position: 1, 2, 3, ...
        kind: What it says.
        key: Of which release.
        at: When, UTC, ISO 8601; never before the entry before.
        body: The rest, as canonical JSON.
        prev_hash: Hash of the entry before.
        entry_hash: Hash over all other fields.
    """

    position: int
    kind: EntryKind
    key: ReleaseKey
    at: str
    body: str
    prev_hash: str
    entry_hash: str

    @property
    def computed_hash(self) -> str:
        """What `entry_hash` has to be."""
        return _entry_hash(self.position, self.kind, self.key, self.at, self.body, self.prev_hash)


@dataclass(frozen=True)
class RecordedCharge:
    """A charge and the release that it was booked for."""

    key: ReleaseKey
    charge: Charge


@dataclass(frozen=True)
class PoolMonth:
    """The state of one pool in one privacy month.

    Args:
        pool: Name of the pool.
        privacy_month: Month, `2026-03`.
        cap_micro_rho: The most it may be charged.
        charged_micro_rho: What was charged.
    """

    pool: str
    privacy_month: str
    cap_micro_rho: int
    charged_micro_rho: int

    @property
    def left_micro_rho(self) -> int:
        """What may still be charged; below zero where the cap was lowered since."""
        return self.cap_micro_rho - self.charged_micro_rho


_METADATA = MetaData()


def _release_columns() -> tuple[Column[str], Column[str], Column[int]]:
    return (
        Column("product", String(64), nullable=False),
        Column("period", String(10), nullable=False),
        Column("revision", Integer, nullable=False),
    )


_ENTRIES = Table(
    "ledger_entries",
    _METADATA,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    *_release_columns(),
    Column("at", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False, unique=True),
    Column("entry_hash", String(64), nullable=False, unique=True),
    Index("ledger_entries_release", "product", "period", "revision"),
)
_CHARGES = Table(
    "ledger_charges",
    _METADATA,
    *_release_columns(),
    Column("pool", String(64), nullable=False),
    Column("privacy_month", String(7), nullable=False),
    Column("micro_rho", Integer, nullable=False),
    PrimaryKeyConstraint("product", "period", "revision", "pool", "privacy_month"),
    CheckConstraint("micro_rho > 0"),
    Index("ledger_charges_month", "pool", "privacy_month"),
)
_SEALS = Table(
    "ledger_seals",
    _METADATA,
    *_release_columns(),
    Column("position", Integer, ForeignKey(_ENTRIES.c.position), nullable=False, unique=True),
    Column("inputs_sha256", String(64), nullable=False),  # confidential: depends on the data
    PrimaryKeyConstraint("product", "period", "revision"),
)


def _refuse_changes(table: Table) -> None:
    """Attach to a table's creation the triggers that make it append-only, in either dialect."""
    same_row = " OR ".join(f"({' AND '.join(f'{c} = NEW.{c}' for c in key)})" for key in _unique_keys(table))
    exists = f"EXISTS (SELECT 1 FROM {table.name} WHERE {same_row})"  # noqa: S608  # our own names only
    refusal = f"SELECT RAISE(ABORT, '{table.name} is append-only')"
    sqlite = [
        f"CREATE TRIGGER {table.name}_no_update BEFORE UPDATE ON {table.name} BEGIN {refusal}; END",
        f"CREATE TRIGGER {table.name}_no_delete BEFORE DELETE ON {table.name} BEGIN {refusal}; END",
        # INSERT OR REPLACE deletes without asking the trigger above
        f"CREATE TRIGGER {table.name}_no_replace BEFORE INSERT ON {table.name} WHEN {exists} BEGIN {refusal}; END",
    ]
    postgresql = [
        f"CREATE FUNCTION {table.name}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table.name} is append-only'; END $$",
        f"CREATE TRIGGER {table.name}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table.name} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table.name}_refuse()",
    ]
    for dialect, statements in (("sqlite", sqlite), ("postgresql", postgresql)):
        for statement in statements:
            ddl = DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy annotates no context
            event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


def _unique_keys(table: Table) -> list[list[str]]:
    unique = [c for c in table.constraints if isinstance(c, PrimaryKeyConstraint | UniqueConstraint)]
    return sorted([column.name for column in constraint.columns] for constraint in unique)


for _table in (_ENTRIES, _CHARGES, _SEALS):
    _refuse_changes(_table)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """The ledger of one operator; opened by `Ledger.open`, used by any number of processes at once.

    Args:
        engine: Engine of an existing ledger.
        clock: Present instant with its time zone; replaced in tests.
    """

    def __init__(self, engine: Engine, clock: Clock = _utc_now) -> None:
        self._writer = engine.execution_options(begin=_WRITER_LOCK[engine.dialect.name])
        self._reader = engine.execution_options(begin="BEGIN") if _is_sqlite(engine.url) else _snapshots(engine)
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
        address = _address(url)
        if _is_sqlite(address):
            _provide_file(Path(str(address.database)), create=create)
        with _told(address):
            ledger = cls(_engine(address), clock)
            if create:
                ledger._write(_METADATA.create_all)
            ledger.head()
        return ledger

    def reserve(self, spec: Specification, *, caps: Mapping[str, int], known_heads: Iterable[str] = ()) -> None:
        """Charge a release to every pool and month that it depends on, all or nothing.

        Reserving an equal specification again charges nothing: a crash before the seal is repeated for free,
        because nobody saw the first draw.

        Args:
            spec: The release, its charges and its parameters.
            caps: Cap of each pool, micro-rho a privacy month.
            known_heads: Chain heads that published bundles carry.

        Raises:
            BudgetExceededError: A pool of a month would be overrun.
            SpecificationChangedError: The release is reserved under another specification.
            SealLostError: The release is burned.
            PrivacyError: A pool is unknown, or the revision before does not exist.
            LedgerError: A published bundle is unknown here: this ledger has forgotten charges.
        """
        heads = frozenset(known_heads)

        def write(connection: Connection) -> None:
            head = _head(connection)
            _refuse_unknown_heads(connection, heads)
            if _repeats(connection, spec):
                return
            _refuse_orphan(connection, spec.key)
            for charge in spec.charges:
                _refuse_overrun(connection, spec.key, charge, caps)
            self._append(connection, head, EntryKind.RESERVE, spec.key, spec.body)
            connection.execute(insert(_CHARGES), [_charge_row(spec.key, charge) for charge in spec.charges])

        self._write(write)

    def reserved(self, key: ReleaseKey) -> Mapping[str, JsonValue] | None:
        """The parameters under which a release was reserved, if it was."""
        found = self._read(lambda connection: list(_find(connection, key, EntryKind.RESERVE)))
        return json.loads(found[0].body)["parameters"] if found else None

    def artefacts(self) -> frozenset[str]:
        """Digests of all sealed artefacts: what the vault has to keep."""
        sealed = (entry for entry in self.entries() if entry.kind is EntryKind.SEAL)
        return frozenset(json.loads(entry.body)["artefact_sha256"] for entry in sealed)

    def sealed(self, key: ReleaseKey) -> Seal | None:
        """The seal of a release, if it has one; also where it was burned since."""
        return self._read(lambda connection: _seal_of(connection, key))

    def seal(self, key: ReleaseKey, *, artefact_sha256: str, inputs_sha256: str) -> Seal:
        """Fix the one artefact of a release; the first to come wins.

        Args:
            key: A reserved release.
            artefact_sha256: Digest of the artefact, already in the vault.
            inputs_sha256: Digest of the manifest of the inputs; recorded beside the chain, never returned.

        Returns:
            The winning seal: where its digest is another, the caller lost the race and discards its draw.

        Raises:
            SealLostError: The release is burned.
            PrivacyError: The release is not reserved.
        """
        _require_digests(artefact_sha256, inputs_sha256)

        def write(connection: Connection) -> Seal:
            head = _head(connection)
            if EntryKind.BURN not in _kinds(connection, key) and (winner := _seal_of(connection, key)):
                return winner
            entry = self._append(connection, head, EntryKind.SEAL, key, {"artefact_sha256": artefact_sha256})
            row = _key_row(key) | {"position": entry.position, "inputs_sha256": inputs_sha256}
            connection.execute(insert(_SEALS), row)
            return _as_seal(entry)

        return self._write(write)

    def publish(self, key: ReleaseKey, *, bundle_sha256: str) -> None:
        """Record that a bundle of a sealed release left; a second time changes nothing.

        Raises:
            SealLostError: The release is burned.
            PrivacyError: The release is not sealed.
        """
        _require_digests(bundle_sha256)
        body: dict[str, JsonValue] = {"bundle_sha256": bundle_sha256}

        def write(connection: Connection) -> None:
            head = _head(connection)
            if _text(body) not in {entry.body for entry in _find(connection, key, EntryKind.PUBLISH)}:
                self._append(connection, head, EntryKind.PUBLISH, key, body)

        self._write(write)

    def burn(self, key: ReleaseKey) -> None:
        """Record that the artefact of a release is lost: never drawn again, its budget stays spent.

        Raises:
            PrivacyError: The release is not reserved.
        """

        def write(connection: Connection) -> None:
            head = _head(connection)
            if EntryKind.BURN not in _kinds(connection, key):
                self._append(connection, head, EntryKind.BURN, key, {})

        self._write(write)

    def is_burned(self, key: ReleaseKey) -> bool:
        """Whether the release is lost for good."""
        return EntryKind.BURN in self._read(lambda connection: _kinds(connection, key))

    def charges(self) -> tuple[RecordedCharge, ...]:
        """All charges, in the order in which they were booked."""
        return self._read(lambda connection: tuple(_recorded_charges(_entries(connection))))

    def pools(self, caps: Mapping[str, int]) -> tuple[PoolMonth, ...]:
        """The state of every pool in every month that was charged, in order of pool and month.

        Args:
            caps: Cap of each pool, micro-rho a privacy month; 0 for a pool not named.
        """
        months = self._read(lambda connection: connection.execute(_BY_POOL_AND_MONTH).all())
        return tuple(PoolMonth(pool, month, caps.get(pool, 0), int(charged)) for pool, month, charged in months)

    def entries(self) -> tuple[Entry, ...]:
        """The whole chain, oldest first; public fields only."""
        return self._read(_entries)

    def head(self) -> str:
        """Hash of the newest entry; sixty-four zeros where there is none."""
        newest = self._read(_head)
        return newest.entry_hash if newest else GENESIS

    def check(self, *, known_heads: Iterable[str] = ()) -> int:
        """Verify that no entry, charge or seal was altered, added or taken away.

        The newest entries may be cut off without a trace in what is left: pass the heads of published bundles
        to find that too.

        Args:
            known_heads: Chain heads that published bundles carry.

        Returns:
            The number of entries.

        Raises:
            LedgerError: Something was; the message names the first entry that does not hold.
        """
        heads = frozenset(known_heads)

        def verify(connection: Connection) -> int:
            entries = _entries(connection)
            _check_chain(entries)
            _check_turns(entries)
            _check_charges(connection, entries)
            _check_seals(connection, entries)
            _refuse_unknown_heads(connection, heads)
            return len(entries)

        return self._read(verify)

    def _append(
        self,
        connection: Connection,
        head: Entry | None,
        kind: EntryKind,
        key: ReleaseKey,
        body: Mapping[str, JsonValue],
    ) -> Entry:
        """Add a link after `head`, which was read before anything else in the transaction.

        Whatever was written since makes `prev_hash` a duplicate and sends the caller round again.
        """
        _refuse_out_of_turn(kind, key, _kinds(connection, key))
        position, prev_hash = (head.position + 1, head.entry_hash) if head else (1, GENESIS)
        at, text = self._instant(head), _text(body)
        digest = _entry_hash(position, kind, key, at, text, prev_hash)
        entry = Entry(position, kind, key, at, text, prev_hash, digest)
        connection.execute(insert(_ENTRIES), _entry_row(entry))
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
        with _told(self._writer.url):
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
        with _told(self._reader.url), self._reader.begin() as connection:
            return read(connection)


_BY_POOL_AND_MONTH: Final = (
    select(_CHARGES.c.pool, _CHARGES.c.privacy_month, func.sum(_CHARGES.c.micro_rho))
    .group_by(_CHARGES.c.pool, _CHARGES.c.privacy_month)
    .order_by(_CHARGES.c.pool, _CHARGES.c.privacy_month)
)

_TURNS: Final[Mapping[EntryKind, tuple[frozenset[EntryKind], frozenset[EntryKind]]]] = {
    EntryKind.RESERVE: (frozenset(), frozenset({EntryKind.RESERVE, EntryKind.BURN})),
    EntryKind.SEAL: (frozenset({EntryKind.RESERVE}), frozenset({EntryKind.SEAL, EntryKind.BURN})),
    EntryKind.PUBLISH: (frozenset({EntryKind.SEAL}), frozenset({EntryKind.BURN})),
    EntryKind.BURN: (frozenset({EntryKind.RESERVE}), frozenset({EntryKind.BURN})),
}
"""What a release's earlier entries must hold before an entry of a kind, and must not hold."""


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except ArgumentError:
        raise _unusable("The ledger's address is not a URL.") from None  # it may hold a password
    if address.get_backend_name() not in _WRITER_LOCK:
        raise _unusable(f"The ledger's address names the database {address.get_backend_name()!r}.")
    if _is_sqlite(address) and address.database in {None, "", ":memory:"}:
        raise _unusable("The ledger's address names a database in memory, which forgets its charges.")
    return address


def _unusable(found: str) -> ConfigError:
    return ConfigError(
        found,
        expected="sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE",
        remedy="correct the ledger's address in whimbrel.toml",
    )


def _provide_file(path: Path, *, create: bool) -> None:
    """Make an empty file that its owner alone can read; SQLite would make it readable by all."""
    if create:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    elif not path.is_file():
        raise LedgerError(
            f"There is no ledger at {path}.",
            expected="the ledger that earlier releases were charged to",
            remedy="correct the ledger's address in whimbrel.toml, or restore the newest copy",
        )


def _engine(url: URL) -> Engine:
    if not _is_sqlite(url):
        try:
            engine = create_engine(url)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            raise _unusable(f"The ledger's database has no driver here: {error}.") from None
    else:
        # no pool: a connection must not survive into a forked process
        engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  # a driver's own connection
    connection.isolation_level = None  # the driver would begin by itself, and too late
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    if statement := connection.get_execution_options().get("begin"):
        connection.exec_driver_sql(statement)


def _snapshots(engine: Engine) -> Engine:
    return engine.execution_options(isolation_level="REPEATABLE READ")


@contextmanager
def _told(url: URL) -> Iterator[None]:
    """Tell a database's failure as ours: its own message quotes the statement with its values."""
    try:
        yield
    except DBAPIError as error:
        raise LedgerError(
            f"The ledger {url.render_as_string()} failed: {str(error.orig).partition(chr(10))[0]}.",
            expected="a ledger database that can be read and written",
            remedy="check disk, permissions and address, then repeat: a repeat is never charged twice",
        ) from None


def _text(body: Mapping[str, JsonValue]) -> str:
    return canonical_json(body).decode("utf-8")


def _entry_hash(position: int, kind: EntryKind, key: ReleaseKey, at: str, body: str, prev_hash: str) -> str:
    return sha256_hex(canonical_json([1, position, str(kind), str(key), at, body, prev_hash]))


def _require_digests(*digests: str) -> None:
    if wrong := [digest for digest in digests if not is_sha256_hex(digest)]:
        raise PrivacyError(
            f"{len(wrong)} of the digests to be recorded is none.",
            expected="64 lower-case hexadecimal digits",
            remedy="pass what the vault returned",
        )


def _key_row(key: ReleaseKey) -> dict[str, Any]:
    return {"product": key.product, "period": key.period, "revision": key.revision}


def _charge_row(key: ReleaseKey, charge: Charge) -> dict[str, Any]:
    return _key_row(key) | {
        "pool": charge.pool,
        "privacy_month": charge.privacy_month,
        "micro_rho": charge.micro_rho,
    }


def _entry_row(entry: Entry) -> dict[str, Any]:
    return _key_row(entry.key) | {
        "position": entry.position,
        "kind": str(entry.kind),
        "at": entry.at,
        "body": entry.body,
        "prev_hash": entry.prev_hash,
        "entry_hash": entry.entry_hash,
    }


def _key(row: Row[Any]) -> ReleaseKey:
    return ReleaseKey(row.product, row.period, row.revision)


def _as_entry(row: Row[Any]) -> Entry:
    try:
        kind, key = EntryKind(row.kind), _key(row)
    except (ValueError, TypeError, ConfigError):
        raise _tampered(f"Entry {row.position} names no release or says nothing known.") from None
    return Entry(row.position, kind, key, row.at, row.body, row.prev_hash, row.entry_hash)


def _as_seal(entry: Entry) -> Seal:
    artefact = str(json.loads(entry.body)["artefact_sha256"])
    return Seal(entry.key, artefact, ledger_head=entry.entry_hash, sealed_at=entry.at)


def _of_release(table: Table, key: ReleaseKey) -> Select[Any]:
    columns = table.c
    return select(table).where(
        columns.product == key.product, columns.period == key.period, columns.revision == key.revision
    )


def _entries(connection: Connection) -> tuple[Entry, ...]:
    rows = connection.execute(select(_ENTRIES).order_by(_ENTRIES.c.position))
    return tuple(_as_entry(row) for row in rows)


def _head(connection: Connection) -> Entry | None:
    row = connection.execute(select(_ENTRIES).order_by(_ENTRIES.c.position.desc()).limit(1)).first()
    return _as_entry(row) if row else None


def _find(connection: Connection, key: ReleaseKey, kind: EntryKind) -> tuple[Entry, ...]:
    rows = connection.execute(_of_release(_ENTRIES, key).where(_ENTRIES.c.kind == str(kind)))
    return tuple(_as_entry(row) for row in rows)


def _kinds(connection: Connection, key: ReleaseKey) -> frozenset[EntryKind]:
    return frozenset(_as_entry(row).kind for row in connection.execute(_of_release(_ENTRIES, key)))


def _seal_of(connection: Connection, key: ReleaseKey) -> Seal | None:
    return next((_as_seal(entry) for entry in _find(connection, key, EntryKind.SEAL)), None)


def _repeats(connection: Connection, spec: Specification) -> bool:
    """Whether the release is reserved already, as specified here."""
    kinds = _kinds(connection, spec.key)
    if EntryKind.RESERVE not in kinds:
        return False
    if EntryKind.BURN in kinds:
        raise _burned(spec.key)
    (reservation,) = _find(connection, spec.key, EntryKind.RESERVE)
    if reservation.body != _text(spec.body):
        raise SpecificationChangedError(
            f"{spec.key} is reserved under another specification.",
            expected=f"that of {reservation.at}, entry {reservation.position} of the ledger",
            remedy=f"restore the earlier policy, or release revision {spec.key.revision + 1} at its own cost",
        )
    return True


def _refuse_orphan(connection: Connection, key: ReleaseKey) -> None:
    if key.revision == 1:
        return
    before = ReleaseKey(key.product, key.period, key.revision - 1)
    if EntryKind.RESERVE not in _kinds(connection, before):
        raise PrivacyError(
            f"{key} revises a release that does not exist.",
            expected=f"{before} in the ledger",
            remedy=f"release {before} first",
        )


def _refuse_overrun(connection: Connection, key: ReleaseKey, charge: Charge, caps: Mapping[str, int]) -> None:
    if charge.pool not in caps:
        raise PrivacyError(
            f"{key} charges the pool {charge.pool!r}.",
            expected=f"one of {', '.join(sorted(caps))}",
            remedy="declare the pool in the policy",
        )
    spent = _charged(connection, charge.pool, charge.privacy_month)
    if spent + charge.micro_rho > caps[charge.pool]:
        raise BudgetExceededError(
            f"{key} needs {charge.micro_rho} micro-rho of pool {charge.pool} in {charge.privacy_month}, "
            f"where {spent} of {caps[charge.pool]} are spent.",
            expected=f"at most {max(caps[charge.pool] - spent, 0)}",
            remedy="leave this release out: a pool is never refilled; nothing was charged",
        )


def _charged(connection: Connection, pool: str, privacy_month: str) -> int:
    columns = _CHARGES.c
    total = select(func.sum(columns.micro_rho)).where(columns.pool == pool, columns.privacy_month == privacy_month)
    return int(connection.execute(total).scalar() or 0)


def _refuse_unknown_heads(connection: Connection, heads: frozenset[str]) -> None:
    known = select(_ENTRIES.c.entry_hash).where(_ENTRIES.c.entry_hash.in_(sorted(heads)))
    if unknown := sorted(heads - set(connection.execute(known).scalars())):
        raise LedgerError(
            f"{len(unknown)} published bundles carry a head that this ledger does not know: {unknown[0]}.",
            expected="the ledger that they were charged to",
            remedy="bring back the newest ledger: a restored backup has forgotten charges",
        )


def _refuse_out_of_turn(kind: EntryKind, key: ReleaseKey, past: frozenset[EntryKind]) -> None:
    needed, barred = _TURNS[kind]
    if EntryKind.BURN in past & barred:
        raise _burned(key)
    if missing := needed - past:
        raise PrivacyError(
            f"{kind} of {key} comes before its {', '.join(sorted(missing))}.",
            expected="RESERVE, then SEAL, then PUBLISH",
            remedy=f"run `whimbrel release {key.product} {key.period}` first",
        )
    if past & barred:
        raise PrivacyError(f"{kind} of {key} is there already.", expected="one", remedy="use the first")


def _burned(key: ReleaseKey) -> SealLostError:
    return SealLostError(
        f"{key} is burned: its sealed artefact was lost, and its budget stays spent.",
        expected="a release that is not burned",
        remedy=f"release revision {key.revision + 1}, at its own cost",
    )


def _recorded_charges(entries: Iterable[Entry]) -> Iterator[RecordedCharge]:
    for entry in entries:
        if entry.kind is EntryKind.RESERVE:
            for charge in json.loads(entry.body)["charges"]:
                yield RecordedCharge(entry.key, Charge(**charge))


def _check_chain(entries: tuple[Entry, ...]) -> None:
    prev_hash, prev_at = GENESIS, ""
    for position, entry in enumerate(entries, start=1):
        if entry.position != position or entry.prev_hash != prev_hash or entry.at < prev_at:
            raise _tampered(f"Entry {entry.position} does not follow from the entry before it.")
        if entry.entry_hash != entry.computed_hash:
            raise _tampered(f"Entry {entry.position} is not what its hash was taken of.")
        prev_hash, prev_at = entry.entry_hash, entry.at


def _check_turns(entries: tuple[Entry, ...]) -> None:
    past: dict[ReleaseKey, frozenset[EntryKind]] = {}
    for entry in entries:
        try:
            _refuse_out_of_turn(entry.kind, entry.key, past.get(entry.key, frozenset()))
        except PrivacyError as error:
            raise _tampered(f"Entry {entry.position} is out of turn: {error.found}") from None
        past[entry.key] = past.get(entry.key, frozenset()) | {entry.kind}


def _check_charges(connection: Connection, entries: tuple[Entry, ...]) -> None:
    reserved = {
        (str(entry.key), charge["pool"], charge["privacy_month"], charge["micro_rho"])
        for entry in entries
        if entry.kind is EntryKind.RESERVE
        for charge in json.loads(entry.body)["charges"]
    }
    booked = {
        (str(_key(row)), row.pool, row.privacy_month, row.micro_rho) for row in connection.execute(select(_CHARGES))
    }
    if reserved != booked:
        raise _tampered(f"The charges booked for {min(reserved ^ booked)[0]} are not those of its reservation.")


def _check_seals(connection: Connection, entries: tuple[Entry, ...]) -> None:
    sealed = {(entry.position, str(entry.key)) for entry in entries if entry.kind is EntryKind.SEAL}
    recorded = {(row.position, str(_key(row))) for row in connection.execute(select(_SEALS))}
    if sealed != recorded:
        raise _tampered(f"The seal of {min(key for _, key in sealed ^ recorded)} has lost its entry or its record.")


def _tampered(found: str) -> LedgerError:
    return LedgerError(
        found,
        expected="the ledger as Whimbrel wrote it",
        remedy="stop releasing, keep the ledger for the inquiry, restore the newest copy that passes",
    )
