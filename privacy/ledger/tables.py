"""The ledger's tables in either dialect, the triggers that make them append-only, and the reading of rows."""

from typing import Any, Final

from sqlalchemy import (
    DDL,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
    select,
)

from privacy.ledger.entries import Entry, EntryKind, Opening, ReleaseKey, Seal, Share, as_seal
from privacy.unit import Charge
from schemas.errors import ConfigError, LedgerError

METADATA: Final = MetaData()


def _release_columns() -> tuple[Column[str], Column[str], Column[int]]:
    return (
        Column("product", String(64), nullable=False),
        Column("period", String(10), nullable=False),
        Column("revision", Integer, nullable=False),
    )


ENTRIES: Final = Table(
    "ledger_entries",
    METADATA,
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("kind", String(8), nullable=False),
    *_release_columns(),
    Column("at", String(20), nullable=False),
    Column("body", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False, unique=True),
    Column("entry_hash", String(64), nullable=False, unique=True),
    Index("ledger_entries_release", "product", "period", "revision"),
)
CHARGES: Final = Table(
    "ledger_charges",
    METADATA,
    *_release_columns(),
    Column("pool", String(64), nullable=False),
    Column("privacy_month", String(7), nullable=False),
    Column("micro_rho", Integer, nullable=False),
    PrimaryKeyConstraint("product", "period", "revision", "pool", "privacy_month"),
    CheckConstraint("micro_rho > 0"),
    Index("ledger_charges_month", "pool", "privacy_month"),
)
SEALS: Final = Table(
    "ledger_seals",
    METADATA,
    *_release_columns(),
    Column("position", Integer, ForeignKey(ENTRIES.c.position), nullable=False, unique=True),
    Column("inputs_sha256", String(64), nullable=False),  # confidential: depends on the data
    Column("nonce", String(64), nullable=False),  # confidential: without it the chain's commitment says nothing
    PrimaryKeyConstraint("product", "period", "revision"),
)

BY_POOL_AND_MONTH: Final = (
    select(CHARGES.c.pool, CHARGES.c.privacy_month, func.sum(CHARGES.c.micro_rho))
    .group_by(CHARGES.c.pool, CHARGES.c.privacy_month)
    .order_by(CHARGES.c.pool, CHARGES.c.privacy_month)
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
        # also where a session calls itself a replica, which switches ordinary triggers off
        f"ALTER TABLE {table.name} ENABLE ALWAYS TRIGGER {table.name}_no_change",
    ]
    for dialect, statements in (("sqlite", sqlite), ("postgresql", postgresql)):
        for statement in statements:
            ddl = DDL(statement)  # type: ignore[no-untyped-call]  # SQLAlchemy annotates no context
            event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


def _unique_keys(table: Table) -> list[list[str]]:
    unique = [c for c in table.constraints if isinstance(c, PrimaryKeyConstraint | UniqueConstraint)]
    return sorted([column.name for column in constraint.columns] for constraint in unique)


for _table in (ENTRIES, CHARGES, SEALS):
    _refuse_changes(_table)


def key_row(key: ReleaseKey) -> dict[str, Any]:
    """The columns that name a release."""
    return {"product": key.product, "period": key.period, "revision": key.revision}


def charge_row(key: ReleaseKey, charge: Charge) -> dict[str, Any]:
    """A row of `ledger_charges`."""
    return key_row(key) | {
        "pool": charge.pool,
        "privacy_month": charge.privacy_month,
        "micro_rho": charge.micro_rho,
    }


def entry_row(entry: Entry) -> dict[str, Any]:
    """A row of `ledger_entries`."""
    return key_row(entry.key) | {
        "position": entry.position,
        "kind": str(entry.kind),
        "at": entry.at,
        "body": entry.body,
        "prev_hash": entry.prev_hash,
        "entry_hash": entry.entry_hash,
    }


def row_key(row: Row[Any]) -> ReleaseKey:
    """The release that a row names."""
    return ReleaseKey(row.product, row.period, row.revision)


def read_entries(connection: Connection) -> tuple[Entry, ...]:
    """The whole chain, oldest first."""
    rows = connection.execute(select(ENTRIES).order_by(ENTRIES.c.position))
    return tuple(_as_entry(row) for row in rows)


def read_head(connection: Connection) -> Entry | None:
    """The newest entry."""
    row = connection.execute(select(ENTRIES).order_by(ENTRIES.c.position.desc()).limit(1)).first()
    return _as_entry(row) if row else None


def find(connection: Connection, key: ReleaseKey, kind: EntryKind) -> tuple[Entry, ...]:
    """A release's entries of one kind, oldest first."""
    of_kind = _of_release(key).where(ENTRIES.c.kind == str(kind)).order_by(ENTRIES.c.position)
    return tuple(_as_entry(row) for row in connection.execute(of_kind))


def kinds(connection: Connection, key: ReleaseKey) -> frozenset[EntryKind]:
    """What a release's entries say."""
    return frozenset(_as_entry(row).kind for row in connection.execute(_of_release(key)))


def seal_of(connection: Connection, key: ReleaseKey) -> Seal | None:
    """A release's seal, if it has one."""
    return next((as_seal(entry) for entry in find(connection, key, EntryKind.SEAL)), None)


def read_artefacts(connection: Connection) -> frozenset[str]:
    """Digests of all artefacts that were ever sealed, of burned releases too."""
    sealed = connection.execute(select(ENTRIES).where(ENTRIES.c.kind == str(EntryKind.SEAL)))
    return frozenset(as_seal(_as_entry(row)).artefact_sha256 for row in sealed)


def read_openings(connection: Connection) -> tuple[Opening, ...]:
    """All events that were opened, in that order."""
    rows = connection.execute(select(ENTRIES).where(ENTRIES.c.kind == str(EntryKind.OPEN)).order_by(ENTRIES.c.position))
    return tuple(Opening.of(_as_entry(row).says) for row in rows)


def read_shares(connection: Connection) -> tuple[Share, ...]:
    """All that was shared, in that order."""
    shared = select(ENTRIES).where(ENTRIES.c.kind == str(EntryKind.SHARE))
    rows = connection.execute(shared.order_by(ENTRIES.c.position))
    return tuple(Share.of(_as_entry(row)) for row in rows)


def charged(connection: Connection, pool: str, privacy_month: str) -> int:
    """What a pool was charged in a month, micro-rho."""
    columns = CHARGES.c
    total = select(func.sum(columns.micro_rho)).where(columns.pool == pool, columns.privacy_month == privacy_month)
    return int(connection.execute(total).scalar() or 0)


def _of_release(key: ReleaseKey) -> Select[Any]:
    columns = ENTRIES.c
    return select(ENTRIES).where(
        columns.product == key.product, columns.period == key.period, columns.revision == key.revision
    )


def _as_entry(row: Row[Any]) -> Entry:
    try:
        entry = Entry(row.position, EntryKind(row.kind), row_key(row), row.at, row.body, row.prev_hash, row.entry_hash)
        holds = entry.entry_hash == entry.computed_hash
    except (ValueError, TypeError, ConfigError):
        raise tampered(f"Entry {row.position} names no release or says nothing known.") from None
    if not holds:
        raise tampered(f"Entry {row.position} is not what its hash was taken of.")
    return entry


def tampered(found: str) -> LedgerError:
    """The refusal of a ledger that somebody else wrote to."""
    return LedgerError(
        found,
        expected="the ledger as Whimbrel wrote it",
        remedy="stop releasing, keep the ledger for the inquiry, restore the newest copy that passes",
    )
