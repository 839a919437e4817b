"""Reaching the ledger's database: address, locks, durability, and how its failures are told."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from schemas.errors import ConfigError, LedgerError

BUSY_TIMEOUT_S: Final = 30
"""How long a writer waits for another: a write takes milliseconds."""

_WRITER: Final = {
    "sqlite": ("BEGIN IMMEDIATE",),
    "postgresql": (
        f"SET LOCAL lock_timeout = '{BUSY_TIMEOUT_S}s'",
        "SET LOCAL synchronous_commit = on",  # the draw follows the charge, which a power cut must not take back
        "SELECT pg_advisory_xact_lock(5724117)",  # any number that nothing else locks
    ),
}
"""What makes a write transaction the only one from its beginning, and its commit durable."""

_READER: Final = {"sqlite": ("BEGIN",), "postgresql": ()}


def writer(engine: Engine) -> Engine:
    """The engine for write transactions: one at a time, each seeing all that was written before it."""
    writing = engine.execution_options(begin=_WRITER[engine.dialect.name])
    # a stricter level would keep the snapshot of before the wait for the lock
    return writing if _is_sqlite(engine.url) else writing.execution_options(isolation_level="READ COMMITTED")


def reader(engine: Engine) -> Engine:
    """The engine for read transactions: all that one reads stems from one instant."""
    reading = engine.execution_options(begin=_READER[engine.dialect.name])
    return reading if _is_sqlite(engine.url) else reading.execution_options(isolation_level="REPEATABLE READ")


def address_of(url: str) -> URL:
    """Read the ledger's address.

    Raises:
        ConfigError: It is no address, or one of a database that cannot keep a ledger.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        raise _unusable("The ledger's address is not a URL.") from None  # it may hold a password
    if address.get_backend_name() not in _WRITER:
        raise _unusable(f"The ledger's address names the database {address.get_backend_name()!r}.")
    if _is_sqlite(address) and address.database in {None, "", ":memory:"}:
        raise _unusable("The ledger's address names a database in memory, which forgets its charges.")
    return address


def connect(address: URL, *, create: bool) -> Engine:
    """An engine for an address.

    Args:
        address: Of SQLite or PostgreSQL.
        create: False: a missing SQLite file is refused.

    Raises:
        ConfigError: The driver is missing.
        LedgerError: The file is missing.
    """
    if _is_sqlite(address):
        _provide_file(Path(str(address.database)), create=create)
    try:
        # no pool: a connection must not survive into a forked process, nor a server's restart
        engine = create_engine(address, poolclass=NullPool, connect_args=_arguments(address))
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise _unusable(f"The ledger's database has no driver here: {error}.") from None
    if _is_sqlite(address):
        event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def told(url: URL) -> Iterator[None]:
    """Tell a database's failure as ours: its own message quotes the statement with its values."""
    try:
        yield
    except DBAPIError as error:
        raise LedgerError(
            f"The ledger {url.render_as_string()} failed: {str(error.orig).partition(chr(10))[0]}.",
            expected="a ledger database that can be read and written",
            remedy="check disk, permissions and address, then repeat: a repeat is never charged twice",
        ) from None


def _is_sqlite(url: URL) -> bool:
    return url.get_backend_name() == "sqlite"


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


def _arguments(address: URL) -> dict[str, Any]:
    if _is_sqlite(address):
        return {"timeout": float(BUSY_TIMEOUT_S)}
    return {} if "connect_timeout" in address.query else {"connect_timeout": BUSY_TIMEOUT_S}


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  # a driver's own connection
    connection.isolation_level = None  # the driver would begin by itself, and too late
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    for statement in connection.get_execution_options().get("begin", ()):
        connection.exec_driver_sql(statement)
