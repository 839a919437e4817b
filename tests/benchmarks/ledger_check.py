"""How long `whimbrel ledger check` takes on a long ledger, on SQLite and on PostgreSQL.

Run: `python -m tests.benchmarks.ledger_check [ENTRIES]`; 100,000 unless told. The chain holds every kind of entry, at
the size that a weekly release gives it; it is written at once, because through `reserve` it would take an hour.
"""

import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table
from sqlalchemy import NullPool, create_engine

from privacy.canonical import JsonValue, sha256_hex
from privacy.ledger import GENESIS, Charge, Entry, EntryKind, Ledger, Opening, ReleaseKey, Specification
from privacy.ledger.entries import body_text, booked_charges, commitment, entry_hash
from privacy.ledger.tables import CHARGES, ENTRIES, METADATA, SEALS, charge_row, entry_row, key_row
from privacy.policy import Policy
from tests import postgres

AT = "2026-03-09T06:00:00Z"
RELEASES_AN_EVENT = 38
DIGEST = sha256_hex(b"any")
PARAMETERS: dict[str, JsonValue] = {
    "policy_sha256": DIGEST,
    "base_cells_sha256": DIGEST,
    "levels": [{"resolution": n, "micro_rho": 23_000, "c2": 0.75, "sigma": 12.3456789, "n": n} for n in (4, 5, 6)],
    "definition": {"max_gap_h": 24.0, "max_speed_m_s": 55.0, "min_speed_distance_km": 10.0, "base_resolution": 6},
    "country": "Numenia",
    "synthetic": True,
}

Link = tuple[EntryKind, ReleaseKey, dict[str, JsonValue]]


def approval(signer: str) -> dict[str, JsonValue]:
    """An approval as large as a real one."""
    return {"statement": {"artefact_sha256": DIGEST, "policy_sha256": DIGEST}, "signer": signer, "signature": "ab" * 64}


def release(spec: Specification) -> Iterator[Link]:
    """The four entries of a release."""
    yield EntryKind.RESERVE, spec.key, spec.body
    yield EntryKind.SEAL, spec.key, {"artefact_sha256": DIGEST, "inputs_commitment": commitment(DIGEST, DIGEST)}
    yield EntryKind.APPROVE, spec.key, approval("officer")
    yield EntryKind.PUBLISH, spec.key, {"bundle_sha256": DIGEST}


def event(number: int) -> Iterator[Link]:
    """An event of the shipped policy's schedule, and all its releases."""
    (policy,) = Policy.load().events
    # 1,176 events four weeks apart each, from 1980 on: no two share a period under a product of their own
    onset = date(1980 + number // 12, 1 + number % 12, 10)
    opening = Opening(f"event-{number}", f"displacement_{'abcdefghijkl'[number % 12]}", onset, policy.schedule(onset))
    approvals: list[JsonValue] = [approval("officer"), approval("director")]
    yield EntryKind.OPEN, opening.key, opening.body | {"approvals": approvals}
    for scheduled in opening.schedule:
        key = ReleaseKey(opening.product, str(scheduled.period))
        yield from release(Specification(key, scheduled.charges, PARAMETERS, event=opening.event))


def links(events: int) -> Iterator[Link]:
    """Releases without end, the first of them of events."""
    for number in range(events):
        yield from event(number)
    revision = 0
    while revision := revision + 1:
        key = ReleaseKey("od_trips", "2026-W10", revision)
        yield from release(Specification(key, (Charge("routine", "2026-03", 1),), PARAMETERS))


def chained(n: int) -> Iterator[Entry]:
    """The first n entries of a ledger, a hundredth of them releases of events."""
    prev_hash = GENESIS
    events = n // 100 // (4 * RELEASES_AN_EVENT + 1)
    for position, (kind, key, body) in zip(range(1, n + 1), links(events), strict=False):
        text = body_text(body)
        entry = Entry(position, kind, key, AT, text, prev_hash, entry_hash(position, kind, key, AT, text, prev_hash))
        prev_hash = entry.entry_hash
        yield entry


def write_chain(url: str, n: int) -> int:
    """Fill an empty ledger, and return the number of its entries."""
    entries = list(chained(n))
    charges = [charge_row(booked.key, booked.charge) for entry in entries for booked in booked_charges(entry)]
    seals = [
        key_row(entry.key) | {"position": entry.position, "inputs_sha256": DIGEST, "nonce": DIGEST}
        for entry in entries
        if entry.kind is EntryKind.SEAL
    ]
    engine = create_engine(url, poolclass=NullPool)
    METADATA.create_all(engine)
    with engine.begin() as connection:
        connection.execute(ENTRIES.insert(), [entry_row(entry) for entry in entries])
        connection.execute(CHARGES.insert(), charges)
        connection.execute(SEALS.insert(), seals)
    return len(entries)


def timed(url: str) -> tuple[str, str]:
    """Seconds that a check takes, by the clock and of the processor: the best of three, as machines have neighbours."""
    times = []
    for _ in range(3):
        wall, cpu = time.perf_counter(), time.process_time()
        Ledger.open(url, create=False).check()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    best = min(times)
    return f"{best[0]:.1f}", f"{best[1]:.1f}"


def main(n: int) -> None:
    """Print the table."""
    table = Table("database", "entries", "seconds", "of the processor", title="whimbrel ledger check")
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder)}/ledger.db"
        table.add_row("SQLite", f"{write_chain(url, n):,}", *timed(url))
    if postgres.programs():
        with postgres.serve() as server:
            name = server.new_ledger()
            entries = write_chain(server.url(name, role=postgres.OWNER), n)
            table.add_row("PostgreSQL", f"{entries:,}", *timed(server.url(name)))
    Console().print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
