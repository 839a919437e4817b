"""What is PostgreSQL's own: two roles, a lock that is not waited for for ever, durability that a session sets itself.

All other tests of the ledger run on it too, as the role that may only read and add.
"""

import time
from multiprocessing.pool import ThreadPool

import pytest
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

from jobs.cli import app
from privacy.ledger import EntryKind, Ledger, ReleaseKey, postgresql_script
from schemas.errors import ConfigError, LedgerError
from tests import postgres
from tests.ledgers import (
    BUNDLE,
    CAPS,
    DRAW,
    INPUTS,
    TABLES,
    TWO_PEOPLE,
    W10,
    W11,
    approved_release,
    event_release,
    kinds,
    opening,
    sealed_release,
    specification,
)


@pytest.fixture
def place(ledger_places):
    return ledger_places("postgresql")


def database_of(place):
    return place.url.rpartition("/")[2]


def test_postgresql_is_there_where_it_is_asked_for():
    assert postgres.programs() is not None, "apt-get install postgresql"


def test_a_role_that_may_only_read_and_add_does_all_of_the_ledgers_work(place):
    ledger = place.open()
    approved_release(ledger)
    ledger.publish(W10, bundle_sha256=BUNDLE)
    ledger.open_event(opening(), approvals=TWO_PEOPLE, caps=CAPS)
    ledger.reserve(event_release(opening()), caps=CAPS)
    ledger.burn(event_release(opening()).key)

    assert place.url.startswith(f"postgresql+psycopg://{postgres.ROLE}@")
    assert ledger.check(known_heads=[ledger.head()]) == 7
    granted = place.rows(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants "
        f"WHERE grantee = '{postgres.ROLE}' ORDER BY 1, 2"
    )
    assert granted == [(table, right) for table in sorted(TABLES) for right in ("INSERT", "SELECT")]
    assert place.rows(f"SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = '{postgres.ROLE}'") == [
        (False, False)
    ]


def test_the_command_prints_what_the_owner_runs_and_quotes_the_role():
    printed = CliRunner().invoke(app, ["ledger", "sql", "--role", "whim brel"]).output

    assert printed == postgresql_script("whim brel")
    assert 'GRANT SELECT, INSERT ON ledger_seals TO "whim brel";' in printed


NOT_FOR_THE_ROLE = (
    "UPDATE {table} SET revision = 2",
    "DELETE FROM {table}",
    "TRUNCATE {table} CASCADE",
    "DROP TABLE {table} CASCADE",
    "DROP TRIGGER {table}_no_change ON {table}",
    "ALTER TABLE {table} DISABLE TRIGGER ALL",
    "ALTER TABLE {table} OWNER TO whimbrel",
    "CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
    "SET session_replication_role = replica",
    "CREATE TRIGGER undo BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_refuse()",
)


@pytest.mark.parametrize("table", TABLES)
def test_that_role_cannot_change_a_row_nor_what_keeps_it_from_changing_one(place, postgres_server, table):
    for statement in NOT_FOR_THE_ROLE:
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            postgres_server.run(database_of(place), statement.format(table=table), role=postgres.ROLE)


def test_a_role_that_may_not_make_tables_is_told_that_the_ledger_is_missing(postgres_server):
    database = postgres_server.new_database()

    with pytest.raises(LedgerError, match=r"permission denied for schema public"):
        Ledger.open(postgres_server.url(database))
    with pytest.raises(LedgerError, match="ledger_entries"):
        Ledger.open(postgres_server.url(database), create=False)


def test_a_server_that_is_not_there_is_told_without_the_password():
    with pytest.raises(LedgerError, match="failed") as refusal:
        Ledger.open("postgresql+psycopg://whimbrel:secret@127.0.0.1:1/ledger")

    assert "secret" not in str(refusal.value)
    with pytest.raises(ConfigError):
        Ledger.open("postgresql+nodriver://whimbrel:secret@127.0.0.1:1/ledger")


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_server_that_isolates_more_strictly_by_default_loses_no_race(place, postgres_server, level):
    database = database_of(place)
    postgres_server.run(database, f"ALTER DATABASE {database} SET default_transaction_isolation = '{level}'")
    ledger = place.open()

    def write(worker):
        for week in range(10, 20):
            key = ReleaseKey(f"worker_{'abcd'[worker]}", f"2026-W{week}")
            ledger.reserve(specification(key, 1), caps=CAPS)

    with ThreadPool(4) as workers:
        workers.map(write, range(4))

    assert ledger.check() == 40


def test_a_charge_is_flushed_to_the_disk_even_where_the_server_would_not(place, postgres_server):
    database = database_of(place)
    postgres_server.run(database, f"ALTER DATABASE {database} SET synchronous_commit = off")
    ledger, seen = place.open(), []

    def look(connection):
        seen.append(connection.exec_driver_sql("SHOW synchronous_commit").scalar())

    ledger._write(look)
    assert seen == ["on"]


def test_a_writer_that_hangs_does_not_stop_the_others_for_ever(place, monkeypatch):
    ledger = place.open()
    monkeypatch.setattr("privacy.ledger.database._WRITER", shortened_patience())
    hanging = create_engine(place.owner_url, poolclass=NullPool).connect()
    hanging.exec_driver_sql("SELECT pg_advisory_xact_lock(5724117)")

    start = time.monotonic()
    with pytest.raises(LedgerError, match="lock timeout"):
        place.open(create=False).reserve(specification(), caps=CAPS)
    assert time.monotonic() - start < 20

    hanging.close()
    ledger.reserve(specification(), caps=CAPS)
    assert kinds(ledger) == [EntryKind.RESERVE]


def shortened_patience():
    from privacy.ledger import database

    writer = database._WRITER["postgresql"]
    return {"postgresql": tuple(statement.replace("30s", "300ms") for statement in writer)}


def test_a_server_that_ends_a_session_in_the_middle_has_charged_nothing(place):
    ledger = place.open()
    ledger.reserve(specification(), caps=CAPS)

    def interrupted(connection):
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        place.rows(f"SELECT pg_terminate_backend({pid}, 5000)")
        connection.exec_driver_sql("SELECT 1")

    with pytest.raises(LedgerError, match="repeat"):
        ledger._write(interrupted)

    assert ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=INPUTS).artefact_sha256 == DRAW
    sealed_release(ledger, W11)
    assert ledger.check() == 4
