"""A ledger is restored from a copy: the newest goes on, an older one is refused, on both databases."""

import sqlite3
import subprocess

import pytest

from privacy.ledger import Ledger
from schemas.errors import LedgerError
from tests import postgres
from tests.conftest import LEDGERS
from tests.ledgers import BUNDLE, CAPS, W10, W11, approval, sealed_release, specification


def sqlite_copies(tmp_path, _request):
    """What docs/operator-guide.md does with SQLite: its own backup, put in the file's place."""
    place = tmp_path / "ledger.sqlite"

    def backup(name):
        with sqlite3.connect(place) as source, sqlite3.connect(tmp_path / name) as copy:
            source.backup(copy)

    def restore(name):
        (tmp_path / name).replace(place)
        return Ledger.open(f"sqlite:///{place}", create=False)

    return Ledger.open(f"sqlite:///{place}"), backup, restore


def postgresql_copies(tmp_path, request):
    """What docs/operator-guide.md does with PostgreSQL: a dump, restored into an empty database."""
    server = request.getfixturevalue("postgres_server")
    database = server.new_ledger()

    def run(program, *arguments):
        address = ["-h", "127.0.0.1", "-p", str(server.port), "-U", postgres.OWNER]
        subprocess.run([postgres.programs() / program, *address, *arguments], check=True, capture_output=True)

    def backup(name):
        run("pg_dump", "--format=custom", f"--file={tmp_path / name}", database)

    def restore(name):
        empty = server.new_database()
        run("pg_restore", f"--dbname={empty}", tmp_path / name)
        return Ledger.open(server.url(empty), create=False)

    return Ledger.open(server.url(database)), backup, restore


@pytest.fixture(params=LEDGERS)
def copies(request, tmp_path):
    """A ledger, how it is backed up, and how a backup is opened in its place."""
    return {"sqlite": sqlite_copies, "postgresql": postgresql_copies}[request.param](tmp_path, request)


def test_the_newest_copy_passes_the_check_and_takes_the_next_charge(copies):
    ledger, backup, restore = copies
    head = published(ledger, W10)
    backup("newest")

    restored = restore("newest")

    assert restored.check(known_heads=[head]) == len(restored.entries()) == len(ledger.entries())
    restored.reserve(specification(W11), caps=CAPS, known_heads=[head])
    assert [pool.charged_micro_rho for pool in restored.pools(CAPS)] == [46_000]


def test_an_older_copy_has_forgotten_a_release_and_charges_nothing(copies):
    ledger, backup, restore = copies
    published(ledger, W10)
    backup("older")
    head = published(ledger, W11)

    restored = restore("older")

    with pytest.raises(LedgerError, match="forgotten"):
        restored.check(known_heads=[head])
    with pytest.raises(LedgerError, match="forgotten"):
        restored.reserve(specification(W11), caps=CAPS, known_heads=[head])
    assert len(restored.charges()) == 1


def test_a_restored_ledger_takes_nothing_back(copies):
    """The triggers came along: nobody changes or deletes a row of the copy either."""
    ledger, backup, restore = copies
    published(ledger, W10)
    backup("newest")
    restored = restore("newest")
    with pytest.raises(Exception, match=r"append-only|permission denied"), restored._writer.begin() as connection:
        connection.exec_driver_sql("DELETE FROM ledger_charges")
    assert len(restored.charges()) == 1


def published(ledger, key):
    """Charge, seal, approve and publish a release; its bundle carries this head."""
    head = sealed_release(ledger, key).ledger_head
    ledger.approve(key, approval())
    ledger.publish(key, bundle_sha256=BUNDLE)
    return head
