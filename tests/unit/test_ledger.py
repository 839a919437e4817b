"""The ledger: one charge, one seal, nothing undone, and nothing altered unnoticed."""

import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateTable

import privacy.ledger
from privacy.canonical import sha256_hex
from privacy.ledger import GENESIS, Charge, EntryKind, Ledger, ReleaseKey, Specification
from schemas.errors import (
    BudgetExceededError,
    ConfigError,
    LedgerError,
    PrivacyError,
    SealLostError,
    SpecificationChangedError,
)

CAPS = {"routine": 250_000, "emergency": 250_000}
W10, W11 = ReleaseKey("od_trips", "2026-W10"), ReleaseKey("od_trips", "2026-W11")
DRAW, OTHER_DRAW, INPUTS, BUNDLE = (sha256_hex(name.encode()) for name in ("draw", "other", "inputs", "bundle"))
REPOSITORY = Path(privacy.ledger.__file__).parents[1]
PROCESSES = Path(__file__).with_name("ledger_processes.py")
TABLES = ("ledger_entries", "ledger_charges", "ledger_seals")


class Clock:
    """A clock that the test sets."""

    def __init__(self):
        self.now = datetime(2026, 3, 9, 6, 0, tzinfo=UTC)

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/ledger.db"


@pytest.fixture
def ledger(url, clock):
    return Ledger.open(url, clock=clock)


def specification(key=W10, micro_rho=23_000, **parameters):
    return Specification(key, (Charge("routine", "2026-03", micro_rho),), parameters)


def sealed_release(ledger, key=W10):
    ledger.reserve(specification(key), caps=CAPS)
    return ledger.seal(key, artefact_sha256=DRAW, inputs_sha256=INPUTS)


def kinds(ledger):
    return [entry.kind for entry in ledger.entries()]


def spent(ledger):
    return {(pool.pool, pool.privacy_month): pool.charged_micro_rho for pool in ledger.pools(CAPS)}


def test_a_release_is_reserved_sealed_and_published(ledger):
    seal = sealed_release(ledger)
    ledger.publish(W10, bundle_sha256=BUNDLE)

    assert kinds(ledger) == [EntryKind.RESERVE, EntryKind.SEAL, EntryKind.PUBLISH]
    assert (seal.key, seal.artefact_sha256) == (W10, DRAW)
    assert seal.ledger_head == ledger.entries()[1].entry_hash
    assert seal.sealed_at == "2026-03-09T06:00:00Z"
    assert ledger.sealed(W10) == seal
    assert ledger.head() == ledger.entries()[-1].entry_hash
    assert ledger.check() == 3


def test_an_empty_ledger_has_nothing_charged(ledger):
    assert (ledger.head(), ledger.entries(), ledger.pools(CAPS), ledger.check()) == (GENESIS, (), (), 0)


def test_a_reservation_charges_every_pool_and_month(ledger):
    charges = (
        Charge("routine", "2026-03", 5),
        Charge("routine", "2026-02", 7),
        Charge("emergency", "2026-03", 9),
    )
    ledger.reserve(Specification(W10, charges, {}), caps=CAPS)

    assert spent(ledger) == {
        ("emergency", "2026-03"): 9,
        ("routine", "2026-02"): 7,
        ("routine", "2026-03"): 5,
    }
    assert {recorded.charge for recorded in ledger.charges()} == set(charges)


def test_an_equal_specification_is_charged_once(ledger):
    charges = Charge("routine", "2026-03", 5), Charge("routine", "2026-02", 7)
    ledger.reserve(Specification(W10, charges, {"a": 1, "b": [0.75]}), caps=CAPS)
    ledger.reserve(Specification(W10, charges[::-1], {"b": (0.75,), "a": 1}), caps=CAPS)

    assert sum(spent(ledger).values()) == 12
    assert kinds(ledger) == [EntryKind.RESERVE]


@pytest.mark.parametrize("other", [specification(micro_rho=22_999), specification(c2=0.5)])
def test_another_specification_for_the_same_release_is_refused(ledger, other):
    ledger.reserve(specification(), caps=CAPS)

    with pytest.raises(SpecificationChangedError, match="od_trips 2026-W10 r1"):
        ledger.reserve(other, caps=CAPS)

    assert spent(ledger) == {("routine", "2026-03"): 23_000}


def test_a_pool_can_be_spent_to_its_last_micro_rho_and_no_further(ledger):
    ledger.reserve(specification(W10, 249_999), caps=CAPS)
    ledger.reserve(specification(W11, 1), caps=CAPS)

    with pytest.raises(BudgetExceededError, match="routine in 2026-03") as refusal:
        ledger.reserve(specification(ReleaseKey("presence", "2026-W10"), 1), caps=CAPS)

    assert refusal.value.expected == "at most 0"
    assert ledger.pools(CAPS)[0].left_micro_rho == 0


def test_a_refused_release_charges_none_of_its_months(ledger):
    charges = Charge("routine", "2026-02", 1), Charge("routine", "2026-03", 250_001)

    with pytest.raises(BudgetExceededError):
        ledger.reserve(Specification(W10, charges, {}), caps=CAPS)

    assert (spent(ledger), kinds(ledger)) == ({}, [])


def test_an_unknown_pool_is_refused(ledger):
    with pytest.raises(PrivacyError, match="routine"):
        ledger.reserve(specification(), caps={"emergency": 1})


def test_the_first_seal_wins(ledger):
    first = sealed_release(ledger)

    assert ledger.seal(W10, artefact_sha256=OTHER_DRAW, inputs_sha256=INPUTS) == first
    assert kinds(ledger) == [EntryKind.RESERVE, EntryKind.SEAL]


def test_nothing_is_sealed_before_it_is_reserved_nor_published_before_it_is_sealed(ledger):
    with pytest.raises(PrivacyError, match="RESERVE"):
        ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=INPUTS)
    with pytest.raises(PrivacyError, match="RESERVE"):
        ledger.burn(W10)

    ledger.reserve(specification(), caps=CAPS)
    with pytest.raises(PrivacyError, match="SEAL"):
        ledger.publish(W10, bundle_sha256=BUNDLE)

    assert kinds(ledger) == [EntryKind.RESERVE]


def test_a_bundle_is_published_once_and_another_of_the_same_release_too(ledger):
    sealed_release(ledger)
    for bundle in (BUNDLE, BUNDLE, sha256_hex(b"restricted bundle")):
        ledger.publish(W10, bundle_sha256=bundle)

    assert Counter(kinds(ledger))[EntryKind.PUBLISH] == 2


def test_a_burned_release_is_refused_everything_and_stays_charged(ledger):
    seal = sealed_release(ledger)
    ledger.burn(W10)
    ledger.burn(W10)

    for refused in (
        lambda: ledger.reserve(specification(), caps=CAPS),
        lambda: ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=INPUTS),
        lambda: ledger.publish(W10, bundle_sha256=BUNDLE),
    ):
        with pytest.raises(SealLostError, match="burned"):
            refused()

    assert ledger.is_burned(W10)
    assert ledger.sealed(W10) == seal
    assert spent(ledger) == {("routine", "2026-03"): 23_000}
    assert ledger.check() == 3


def test_a_revision_is_another_release_at_its_own_cost(ledger):
    sealed_release(ledger)
    ledger.reserve(specification(ReleaseKey("od_trips", "2026-W10", 2)), caps=CAPS)

    assert spent(ledger) == {("routine", "2026-03"): 46_000}


def test_a_revision_of_nothing_is_refused(ledger):
    with pytest.raises(PrivacyError, match="2026-W10 r1"):
        ledger.reserve(specification(ReleaseKey("od_trips", "2026-W10", 2)), caps=CAPS)


def test_a_ledger_that_does_not_know_a_published_bundle_refuses_to_reserve(ledger, tmp_path):
    seal = sealed_release(ledger)
    ledger.reserve(specification(W11), caps=CAPS, known_heads=[seal.ledger_head])
    restored = Ledger.open(f"sqlite:///{tmp_path}/restored.db")

    for refused in (
        lambda: restored.reserve(specification(), caps=CAPS, known_heads=[seal.ledger_head]),
        lambda: restored.check(known_heads=[seal.ledger_head]),
    ):
        with pytest.raises(LedgerError, match="restored backup"):
            refused()

    assert restored.entries() == ()


def test_instants_never_decrease(ledger, clock):
    ledger.reserve(specification(), caps=CAPS)
    clock.now -= timedelta(seconds=59)
    ledger.reserve(specification(W11), caps=CAPS)

    assert [entry.at for entry in ledger.entries()] == ["2026-03-09T06:00:00Z"] * 2


def test_a_clock_set_back_is_refused(ledger, clock):
    ledger.reserve(specification(), caps=CAPS)
    clock.now -= timedelta(seconds=61)

    with pytest.raises(LedgerError, match="clock"):
        ledger.reserve(specification(W11), caps=CAPS)

    assert len(ledger.entries()) == 1


def test_what_depends_on_the_data_is_recorded_but_never_returned(ledger, url):
    seal = sealed_release(ledger)
    ledger.publish(W10, bundle_sha256=BUNDLE)

    returned = repr([seal, ledger.entries(), ledger.charges(), ledger.pools(CAPS), ledger.sealed(W10)])
    assert INPUTS not in returned
    with create_engine(url).connect() as connection:
        assert connection.execute(text("SELECT inputs_sha256 FROM ledger_seals")).scalars().all() == [INPUTS]


def test_the_inputs_do_not_show_in_the_chain(tmp_path, clock):
    heads = set()
    for name in ("one", "two"):
        ledger = Ledger.open(f"sqlite:///{tmp_path}/{name}.db", clock=clock)
        ledger.reserve(specification(), caps=CAPS)
        heads.add(ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=sha256_hex(name.encode())).ledger_head)

    assert len(heads) == 1


@pytest.mark.parametrize("digest", ["", "draw", DRAW.upper(), DRAW + "0"])
def test_only_digests_are_recorded(ledger, digest):
    ledger.reserve(specification(), caps=CAPS)

    with pytest.raises(PrivacyError, match="digest"):
        ledger.seal(W10, artefact_sha256=digest, inputs_sha256=INPUTS)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET product = 'presence'",
        "DELETE FROM {table}",
        "INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        "UPDATE OR REPLACE {table} SET revision = 2",
    ],
)
def test_the_database_refuses_to_change_or_delete(ledger, url, table, statement):
    sealed_release(ledger)

    with pytest.raises(IntegrityError, match="append-only"), create_engine(url).begin() as connection:
        connection.execute(text(statement.format(table=table)))

    assert ledger.check() == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET at = '2026-03-10T06:00:00Z' WHERE position = 4",
        "UPDATE ledger_entries SET body = replace(body, '23000', '22000') WHERE position = 1",
        "UPDATE ledger_entries SET product = 'presence' WHERE position = 2",
        "UPDATE ledger_entries SET period = 'no period' WHERE position = 2",
        "UPDATE ledger_entries SET kind = 'ERASE' WHERE position = 2",
        "UPDATE ledger_entries SET entry_hash = lower(hex(randomblob(32))) WHERE position = 4",
        "DELETE FROM ledger_entries WHERE position = 1",
        "DELETE FROM ledger_entries WHERE position = 3",
        "UPDATE ledger_charges SET micro_rho = 1",
        "DELETE FROM ledger_charges WHERE period = '2026-W11'",
        "INSERT INTO ledger_charges VALUES ('presence', '2026-W10', 1, 'routine', '2026-03', 1)",
        "DELETE FROM ledger_seals WHERE period = '2026-W11'",
        "UPDATE ledger_seals SET period = '2026-W12' WHERE period = '2026-W11'",
    ],
)
def test_tampering_with_any_row_is_found(ledger, url, statement):
    sealed_release(ledger, W10)
    sealed_release(ledger, W11)
    tamper(url, statement)

    with pytest.raises(LedgerError):
        ledger.check()


def test_an_entry_rewritten_with_a_hash_of_its_own_does_not_fit_its_successor(ledger, url):
    sealed_release(ledger)
    ledger.publish(W10, bundle_sha256=BUNDLE)
    seal = ledger.entries()[1]
    forged = replace(seal, body=seal.body.replace(DRAW, OTHER_DRAW))
    tamper(
        url,
        f"UPDATE ledger_entries SET body = '{forged.body}', entry_hash = '{forged.computed_hash}' WHERE position = 2",
    )

    with pytest.raises(LedgerError, match="Entry 3 does not follow"):
        ledger.check()


def test_entries_cut_off_at_the_end_are_found_by_the_heads_of_published_bundles(ledger, url):
    head = sealed_release(ledger).ledger_head
    tamper(url, "DELETE FROM ledger_seals; DELETE FROM ledger_entries WHERE position = 2")

    assert ledger.check() == 1
    with pytest.raises(LedgerError, match=head):
        ledger.check(known_heads=[head])


def test_a_well_chained_entry_that_is_out_of_turn_is_found(ledger, monkeypatch):
    sealed_release(ledger)
    monkeypatch.setattr(privacy.ledger, "_refuse_out_of_turn", lambda *_: None)
    ledger.publish(W11, bundle_sha256=BUNDLE)
    monkeypatch.undo()

    with pytest.raises(LedgerError, match="Entry 3 is out of turn"):
        ledger.check()


def test_a_writer_that_lost_the_race_for_the_head_starts_again(ledger, monkeypatch):
    ledger.reserve(specification(), caps=CAPS)
    read_head, stale = privacy.ledger._head, [None, None]
    monkeypatch.setattr(privacy.ledger, "_head", lambda c: stale.pop() if stale else read_head(c))

    ledger.reserve(specification(W11), caps=CAPS)

    assert stale == []
    assert ledger.check() == 2


def test_the_ledger_is_its_owners_alone(ledger, tmp_path):
    assert ledger.head() == GENESIS
    assert (tmp_path / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_a_missing_ledger_is_not_made_where_one_must_exist(url, tmp_path):
    with pytest.raises(LedgerError, match="no ledger"):
        Ledger.open(url, create=False)

    assert not (tmp_path / "ledger.db").exists()


def test_a_file_that_is_no_ledger_is_refused(url, tmp_path):
    (tmp_path / "ledger.db").write_text("not a database, but long enough to be looked at\n" * 100)

    with pytest.raises(LedgerError, match="file is not a database"):
        Ledger.open(url)


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "mysql://h/d", "ledger.db", "oracle+x://h"])
def test_an_address_that_cannot_keep_a_ledger_is_refused(address):
    with pytest.raises(ConfigError, match="ledger's address"):
        Ledger.open(address)


def test_a_password_is_not_told():
    with pytest.raises(ConfigError) as refusal:
        Ledger.open("postgresql+nodriver://whimbrel:secret@host/ledger")

    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("product", "period", "revision"),
    [("", "2026-W10", 1), ("OD", "2026-W10", 1), ("od/trips", "2026-W10", 1), ("od_trips", "W10", 1),
     ("od_trips", "2026-W10", 0)],
)  # fmt: skip
def test_a_key_that_names_no_release_is_refused(product, period, revision):
    with pytest.raises(ConfigError):
        ReleaseKey(product, period, revision)


@pytest.mark.parametrize("charges", [(), (Charge("routine", "2026-03", 1), Charge("routine", "2026-03", 1))])
def test_a_specification_charges_each_month_once_and_one_at_least(charges):
    with pytest.raises(PrivacyError):
        Specification(W10, charges, {})


def test_the_digest_of_a_specification_follows_its_content_and_not_its_order():
    one = Specification(W10, (Charge("a", "2026-03", 1), Charge("b", "2026-03", 1)), {"x": 1, "y": 2})
    same = Specification(W10, (Charge("b", "2026-03", 1), Charge("a", "2026-03", 1)), {"y": 2, "x": 1})

    assert one.digest == same.digest
    assert one.digest != Specification(W11, one.charges, one.parameters).digest


def test_the_tables_are_valid_postgresql():
    for table in privacy.ledger._METADATA.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=postgresql.dialect()))


@pytest.mark.parametrize("workers", [4, 8])
def test_workers_that_race_get_one_charge_and_one_seal(url, workers):
    lines = run_processes("race", url, workers)
    ledger = Ledger.open(url, create=False)

    assert len(lines) == workers
    assert len(set(lines)) == 1  # every worker was told the same seal
    assert kinds(ledger) == [EntryKind.RESERVE, EntryKind.SEAL]
    assert spent(ledger) == {("routine", "2026-03"): 10}
    assert ledger.check() == 2


def test_a_process_killed_at_any_statement_leaves_all_or_nothing(url):
    lines = [line.split() for line in run_processes("crash_at", url)]
    kills = {step: [line[2:] for line in lines if line[:2] == ["killed", step]] for step in ("reserve", "seal")}
    ledger = Ledger.open(url, create=False)

    assert len(kills["reserve"]) >= 5  # begin, reads, two inserts, commit
    assert len(kills["seal"]) >= 5
    assert {(charged, sealed) for _, charged, sealed in kills["reserve"]} == {("0", "False")}
    assert {(charged, sealed) for _, charged, sealed in kills["seal"]} == {("1", "False")}
    assert kinds(ledger) == [EntryKind.RESERVE, EntryKind.SEAL]
    assert spent(ledger) == {("routine", "2026-03"): 10}


def test_processes_killed_at_random_lose_nothing_that_was_acknowledged(url):
    lines = [line.split() for line in run_processes("crash_any", url, 24, 7)]
    sealed = {tuple(line[1:]) for line in lines if line[0] == "sealed"}
    ledger = Ledger.open(url, create=False)
    on_record = {(s.key.slug, s.artefact_sha256, s.ledger_head) for s in seals(ledger)}

    assert lines.count(["killed"]) == 24
    assert sealed
    assert sealed <= on_record  # nobody was told a seal that is not there, or two for one release
    assert len(ledger.charges()) == len({recorded.key for recorded in ledger.charges()})
    assert ledger.check() == len(ledger.entries())


def test_a_long_chain_is_checked_in_seconds(ledger, url):
    write_chain(url, n=20_000)

    start = time.perf_counter()
    assert ledger.check() == 20_000
    assert time.perf_counter() - start < 5  # 0.6 on a quiet machine: this notices a collapse, no more


def seals(ledger):
    found = (ledger.sealed(recorded.key) for recorded in ledger.charges())
    return [seal for seal in found if seal]


def tamper(url, statements):
    """Change rows as somebody with write access to the file would: without the triggers."""
    with create_engine(url).begin() as connection:
        triggers = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars()
        for trigger in triggers.all():
            connection.execute(text(f"DROP TRIGGER {trigger}"))
        for statement in statements.split("; "):
            connection.exec_driver_sql(statement)


def write_chain(url, n):
    """Fill an empty ledger with reservations at once: through `reserve` it would take minutes."""
    entries, charges, prev_hash, at = [], [], GENESIS, "2026-03-09T06:00:00Z"
    for position in range(1, n + 1):
        spec = specification(ReleaseKey("od_trips", "2026-W10", position), 1)
        body = privacy.ledger._text(spec.body)
        digest = privacy.ledger._entry_hash(position, EntryKind.RESERVE, spec.key, at, body, prev_hash)
        entry = privacy.ledger.Entry(position, EntryKind.RESERVE, spec.key, at, body, prev_hash, digest)
        entries.append(privacy.ledger._entry_row(entry))
        charges.append(privacy.ledger._charge_row(spec.key, spec.charges[0]))
        prev_hash = digest
    with create_engine(url).begin() as connection:
        connection.execute(privacy.ledger._ENTRIES.insert(), entries)
        connection.execute(privacy.ledger._CHARGES.insert(), charges)


def run_processes(*arguments):
    """Run the program of races and crashes, and return what it printed."""
    done = subprocess.run(
        [sys.executable, str(PROCESSES), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
