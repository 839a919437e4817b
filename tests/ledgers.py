"""What the ledger's tests share: a ledger on each database, and the smallest releases and events to write into it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import NullPool, create_engine, text

from privacy.canonical import sha256_hex
from privacy.ledger import Charge, EntryKind, Ledger, Opening, ReleaseKey, ScheduledRelease, Share, Specification
from privacy.unit import Period

ROOT = Path(__file__).parents[1]
CAPS = {"routine": 250_000, "emergency": 250_000}
EVENT_POOLS = {"emergency"}
W10, W11 = ReleaseKey("od_trips", "2026-W10"), ReleaseKey("od_trips", "2026-W11")
DRAW, OTHER_DRAW, INPUTS, BUNDLE = (sha256_hex(name.encode()) for name in ("draw", "other", "inputs", "bundle"))
TABLES = ("ledger_entries", "ledger_charges", "ledger_seals")


@dataclass(frozen=True)
class Place:
    """Where a ledger is kept.

    Args:
        url: Address that Whimbrel uses.
        owner_url: Address of somebody who may do anything to the tables.
    """

    url: str
    owner_url: str

    @property
    def is_sqlite(self):
        return self.url.startswith("sqlite")

    def open(self, **options):
        return Ledger.open(self.url, **options)

    def run(self, *statements):
        """Run SQL as the owner of the tables, triggers and all."""
        with self.engine().begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, query):
        """The rows of a query, read as the owner."""
        with self.engine().connect() as connection:
            return connection.execute(text(query)).all()

    def tamper(self, *statements):
        """Change rows as the owner of the tables could: without triggers and constraints between tables."""
        self.run(*self._disarm(), *statements)

    def engine(self):
        return create_engine(self.owner_url, poolclass=NullPool)

    def _disarm(self):
        if self.is_sqlite:
            triggers = self.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'")
            return [f"DROP TRIGGER {name}" for (name,) in triggers]
        return [f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in TABLES]


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = datetime(2026, 3, 9, 6, 0, tzinfo=UTC)

    def __call__(self):
        return self.now


def specification(key=W10, micro_rho=23_000, **parameters):
    return Specification(key, (Charge("routine", "2026-03", micro_rho),), parameters)


def approval(signer="officer", **statement):
    return {"statement": statement, "signer": signer, "signature": "00ff"}


TWO_PEOPLE = (approval("officer"), approval("director"))


def opening(event="flood", onset=date(2026, 3, 10), days=2, micro_rho=10, pool="emergency"):
    """An event with daily releases, each charged to its month and twice to the month before."""
    periods = [Period.parse(onset.replace(day=onset.day + n).isoformat()) for n in range(days)]
    schedule = tuple(ScheduledRelease(period, _twice_before(period, pool, micro_rho)) for period in periods)
    return Opening(event, "displacement", onset, schedule)


def _twice_before(period, pool, micro_rho):
    month = period.privacy_month
    return (Charge(pool, str(month.next(-1)), 2 * micro_rho), Charge(pool, str(month), micro_rho))


def event_release(opened, number=0, revision=1):
    """The specification of a release of an event's schedule."""
    scheduled = opened.schedule[number]
    key = ReleaseKey(opened.product, str(scheduled.period), revision)
    return Specification(key, scheduled.charges, {}, event=opened.event)


def sealed_release(ledger, key=W10):
    ledger.reserve(specification(key), caps=CAPS)
    return ledger.seal(key, artefact_sha256=DRAW, inputs_sha256=INPUTS)


def approved_release(ledger, key=W10):
    seal = sealed_release(ledger, key)
    ledger.approve(key, approval(artefact_sha256=DRAW))
    return seal


def share_of(key=W10, *, day=None, agreement="town-2026"):
    """A share of a release on a day, today unless told, under an agreement that holds around it."""
    today = day or datetime.now(UTC).date()
    term = (today - timedelta(1), today + timedelta(1))
    return Share(key, agreement, DRAW, "Town of Numenia", "Bus lines", "Contract", *term, today, BUNDLE)


def kinds(ledger):
    return [entry.kind for entry in ledger.entries()]


def spent(ledger):
    return {(pool.pool, pool.privacy_month): pool.charged_micro_rho for pool in ledger.pools(CAPS)}


def seals(ledger):
    found = (ledger.sealed(entry.key) for entry in ledger.entries() if entry.kind is EntryKind.RESERVE)
    return [seal for seal in found if seal]


def run_processes(*arguments, timeout=120):
    """Run the program of races and crashes, and return what it printed, each line in words."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.ledger_processes", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [line.split() for line in done.stdout.splitlines()]
