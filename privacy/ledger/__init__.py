"""The privacy ledger: what was charged, sealed, approved and published; append-only, and transactional.

A release is a product, a period and a revision. `RESERVE` charges it, in one transaction, to every pool and
month that it depends on; `SEAL` fixes the one artefact that was drawn, first come; `APPROVE` records who
signed for it; `PUBLISH` records each bundle that left, and `SHARE` to whom else a part of one went, under which
agreement; `BURN` says that a sealed artefact is lost. `OPEN`
charges the whole schedule of a declared event at once: its releases are reserved against that, and charge
nothing of their own. Nothing is refunded.

What holds it together:

- **One writer at a time**: a write transaction takes the database's lock when it begins, so that caps are
  checked against all that was ever charged.
- **Append-only**: triggers refuse UPDATE, DELETE and replacing; a release is charged once by primary key.
- **A chain**: every entry carries the hash of the one before, which is unique, so a second successor of one
  entry is refused even where locks fail. `check` finds any row altered, added or taken away, but for the
  newest ones; those are found by the heads that published bundles carry and by what the vault keeps, as is a
  restored backup that has forgotten charges, or another ledger over the same data.
- **Public fields only** in entries. The digest of the inputs depends on the data: it stands beside the
  chain, and no method returns it.

SQLite serves one machine; PostgreSQL (with a driver such as psycopg) serves several. SQLite keeps its
rollback journal rather than WAL: the ledger at rest is then one file to back up, and a commit with
synchronous=EXTRA survives a power cut, which a charge must, because the draw follows it.
"""

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
)
from privacy.ledger.ledger import Ledger
from privacy.ledger.rules import refuse_other_share
from privacy.ledger.script import postgresql_script
from privacy.unit import Charge, ScheduledRelease

__all__ = [
    "GENESIS",
    "Charge",
    "Entry",
    "EntryKind",
    "Ledger",
    "Opening",
    "PoolMonth",
    "RecordedCharge",
    "ReleaseKey",
    "ScheduledRelease",
    "Seal",
    "Share",
    "Specification",
    "postgresql_script",
    "refuse_other_share",
]
