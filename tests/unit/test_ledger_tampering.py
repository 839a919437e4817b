"""Whoever changes any cell, takes a row or adds one is found; and a ledger that was touched charges nothing more."""

import shutil
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

import privacy.ledger.rules
from privacy.canonical import sha256_hex
from privacy.ledger import Charge, Entry, EntryKind, Ledger, ReleaseKey
from privacy.ledger.entries import body_text, entry_hash
from privacy.ledger.tables import METADATA, entry_row
from schemas.errors import LedgerError
from tests.conftest import LEDGERS
from tests.ledgers import (
    BUNDLE,
    CAPS,
    DRAW,
    INPUTS,
    TWO_PEOPLE,
    W10,
    W11,
    approval,
    approved_release,
    event_release,
    opening,
    sealed_release,
    share_of,
    specification,
)

R2 = ReleaseKey("od_trips", "2026-W10", 2)


def write_everything(ledger):
    """Entries of every kind, and rows in every table."""
    flood = opening()
    approved_release(ledger, W10)
    ledger.publish(W10, bundle_sha256=BUNDLE)
    ledger.share(share_of(W10))
    sealed_release(ledger, W11)
    ledger.burn(W11)
    sealed_release(ledger, R2)
    ledger.open_event(flood, approvals=TWO_PEOPLE, caps=CAPS)
    ledger.reserve(event_release(flood), caps=CAPS)
    ledger.seal(flood.key, artefact_sha256=DRAW, inputs_sha256=INPUTS)
    ledger.approve(flood.key, approval())


class Exhibit:
    """A ledger without its triggers, which can be changed and put back."""

    def __init__(self, place):
        self.ledger, self.engine, self.tables = place.open(), place.engine(), METADATA.sorted_tables
        write_everything(self.ledger)
        place.tamper()
        with self.engine.connect() as connection:
            self.content = self._read(connection)

    @contextmanager
    def changed(self, *statements):
        """The ledger after some statements; examples that the database itself refuses are left out."""
        try:
            with self.engine.begin() as connection:
                touched = sum(connection.execute(statement).rowcount for statement in statements)
                now = self._read(connection)
        except DBAPIError:
            assume(False)
        assume(touched and now != self.content)
        try:
            yield self.ledger
        finally:
            with self.engine.begin() as connection:
                for table in reversed(self.tables):
                    connection.execute(table.delete())
                for table in self.tables:
                    connection.execute(table.insert(), [dict(row) for row in self.content[table]])

    def _read(self, connection):
        return {
            table: connection.execute(table.select().order_by(*table.columns)).mappings().all() for table in self.tables
        }

    def row(self, data):
        table = data.draw(st.sampled_from(self.tables))
        row = data.draw(st.sampled_from(self.content[table]))
        return table, row, [column == row[column.name] for column in table.primary_key]


@pytest.fixture(scope="module", params=LEDGERS)
def exhibit(request, ledger_places):
    return Exhibit(ledger_places(request.param))


def another_value(rows, column):
    """Something else for a cell: what stands in the column elsewhere, or anything of its type."""
    elsewhere = st.sampled_from(sorted({row[column.name] for row in rows}))
    if column.type.python_type is int:
        return elsewhere | st.integers(-(2**31), 2**31 - 1)
    return elsewhere | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=20)


@given(data=st.data())
@settings(max_examples=120)
def test_a_change_to_any_cell_of_any_table_is_found(exhibit, data):
    table, _, identity = exhibit.row(data)
    column = data.draw(st.sampled_from(list(table.columns)))
    value = data.draw(another_value(exhibit.content[table], column))

    with exhibit.changed(table.update().where(*identity).values({column.name: value})) as ledger:
        with pytest.raises(LedgerError):
            ledger.check()
        with pytest.raises(LedgerError):
            ledger.reserve(specification(ReleaseKey("presence", "2026-W10")), caps=CAPS)


@given(data=st.data())
@settings(max_examples=40)
def test_a_row_taken_from_any_table_is_found_unless_it_is_the_newest_entry(exhibit, data):
    table, row, identity = exhibit.row(data)
    newest = max(entry["position"] for entry in exhibit.content[exhibit.tables[1]])
    assume((table.name, row.get("position")) != ("ledger_entries", newest))

    with exhibit.changed(table.delete().where(*identity)) as ledger, pytest.raises(LedgerError):
        ledger.check()


@given(data=st.data())
@settings(max_examples=40)
def test_a_row_copied_under_another_name_is_found(exhibit, data):
    table, row, _ = exhibit.row(data)
    changes = {
        column.name: data.draw(another_value(exhibit.content[table], column), label=column.name)
        for column in table.columns
        if column.primary_key or column.unique
    }

    with exhibit.changed(table.insert().values({**row, **changes})) as ledger, pytest.raises(LedgerError):
        ledger.check()


def test_a_second_successor_of_an_entry_cannot_be_written(place):
    ledger = place.open()
    sealed_release(ledger)
    last = ledger.entries()[-1]
    fork = replace(last, body=last.body.replace(DRAW, sha256_hex(b"another")))
    forged = {**entry_row(replace(fork, position=3)), "entry_hash": fork.computed_hash}

    with pytest.raises(DBAPIError), place.engine().begin() as connection:
        connection.execute(METADATA.tables["ledger_entries"].insert(), forged)

    assert ledger.check() == 2


def test_an_entry_rewritten_with_a_hash_of_its_own_does_not_fit_its_successor(place):
    ledger = place.open()
    approved_release(ledger)
    seal = ledger.entries()[1]
    forged = replace(seal, body=seal.body.replace(DRAW, sha256_hex(b"another")))
    place.tamper(
        f"UPDATE ledger_entries SET body = '{forged.body}', entry_hash = '{forged.computed_hash}' WHERE position = 2"
    )

    with pytest.raises(LedgerError, match="Entry 3 does not follow"):
        ledger.check()


def test_what_is_told_of_a_tampered_row_is_where_it_is(place):
    ledger = place.open()
    sealed_release(ledger)
    place.tamper("UPDATE ledger_entries SET period = '2026-W12' WHERE position = 2")

    for refused in (ledger.check, ledger.entries, lambda: ledger.approve(W10, approval()), ledger.head):
        with pytest.raises(LedgerError, match="Entry 2 is not what its hash was taken of"):
            refused()


def rewritten(entries, position, **changes):
    """The chain that somebody with time writes: one entry changed, and every hash from it on computed anew."""
    chain, prev_hash = [], entries[0].prev_hash
    for entry in entries:
        fields = entry.__dict__ | {"prev_hash": prev_hash} | (changes if entry.position == position else {})
        fields.pop("entry_hash")
        prev_hash = entry_hash(**fields)
        chain.append(Entry(**fields, entry_hash=prev_hash))
    return chain


def rewrite(place, chain, *statements):
    place.tamper(*statements)
    entries, seals = METADATA.tables["ledger_entries"], METADATA.tables["ledger_seals"]
    with place.engine().begin() as connection:
        kept = [dict(row) for row in connection.execute(seals.select()).mappings()]
        connection.execute(seals.delete())
        connection.execute(entries.delete())
        connection.execute(entries.insert(), [entry_row(entry) for entry in chain])
        connection.execute(seals.insert(), kept)


def test_a_chain_rewritten_with_less_charged_is_found_by_the_head_of_a_published_bundle(place):
    ledger = place.open()
    head = approved_release(ledger).ledger_head
    first = ledger.entries()[0]
    less = first.body.replace("23000", "1")
    rewrite(place, rewritten(ledger.entries(), 1, body=less), "UPDATE ledger_charges SET micro_rho = 1")

    assert ledger.check() == 3  # consistent in itself: only what left can tell
    for refused in (
        lambda: ledger.check(known_heads=[head]),
        lambda: ledger.reserve(specification(W11), caps=CAPS, known_heads=[head]),
    ):
        with pytest.raises(LedgerError, match=head):
            refused()


@pytest.mark.parametrize(
    ("position", "changes"),
    [
        (3, {"kind": EntryKind.SEAL}),  # a second seal
        (4, {"kind": EntryKind.RESERVE}),  # a second reservation
        (3, {"key": W11}),  # an approval of something else
        (1, {"body": "{}"}),
        (1, {"body": "no JSON"}),
        (2, {"body": "[]"}),
        (2, {"at": "2020-01-01T00:00:00Z"}),
        (5, {"body": body_text(opening().body | {"approvals": [approval(), approval()]})}),  # one signer
        (5, {"body": body_text(opening(micro_rho=1).body | {"approvals": list(TWO_PEOPLE)})}),  # cheaper than booked
        (5, {"body": body_text(opening("other").body | {"approvals": list(TWO_PEOPLE)})}),  # does not pay for entry 6
        (6, {"body": body_text(event_release(opening(micro_rho=1)).body)}),  # costs another sum than was reserved
    ],
)
def test_a_well_chained_entry_that_whimbrel_would_not_have_written_is_found(place, position, changes):
    ledger = place.open()
    approved_release(ledger)
    ledger.publish(W10, bundle_sha256=BUNDLE)
    ledger.open_event(opening(), approvals=TWO_PEOPLE, caps=CAPS)
    ledger.reserve(event_release(opening()), caps=CAPS)
    assert ledger.check() == 6
    rewrite(place, rewritten(ledger.entries(), position, **changes))

    with pytest.raises(LedgerError):
        ledger.check()


def test_a_well_chained_entry_that_is_out_of_turn_is_found(ledger, monkeypatch):
    sealed_release(ledger)
    monkeypatch.setattr(privacy.ledger.rules, "refuse_out_of_turn", lambda *_: None)
    ledger.publish(W11, bundle_sha256=BUNDLE)
    monkeypatch.undo()

    with pytest.raises(LedgerError, match="Entry 3 is out of turn"):
        ledger.check()


def test_entries_cut_off_at_the_end_are_found_by_the_heads_of_published_bundles(place):
    ledger = place.open()
    head = sealed_release(ledger).ledger_head
    place.tamper("DELETE FROM ledger_seals", "DELETE FROM ledger_entries WHERE position = 2")

    assert ledger.check() == 1
    with pytest.raises(LedgerError, match=head):
        ledger.check(known_heads=[head])


def test_a_restored_backup_that_has_gone_on_since_is_still_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger.open(url)
    before = sealed_release(ledger, W10).ledger_head
    shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    forgotten = sealed_release(ledger, W11).ledger_head

    restored = Ledger.open(f"sqlite:///{tmp_path}/backup.db")
    on_its_own = sealed_release(restored, W11).ledger_head  # with no bundle at hand nothing tells it
    assert restored.check(known_heads=[before, on_its_own]) == 4
    for refused in (
        lambda: restored.check(known_heads=[before, forgotten]),
        lambda: restored.reserve(specification(R2), caps=CAPS, known_heads=[before, forgotten]),
        lambda: restored.open_event(opening(), approvals=TWO_PEOPLE, caps=CAPS, known_heads=[forgotten]),
    ):
        with pytest.raises(LedgerError, match=forgotten):
            refused()
    assert restored.check() == 4


def test_two_ledgers_that_were_one_do_not_take_each_other_for_the_same(tmp_path):
    one = Ledger.open(f"sqlite:///{tmp_path}/one.db")
    sealed_release(one, W10)
    shutil.copy(tmp_path / "one.db", tmp_path / "two.db")
    two = Ledger.open(f"sqlite:///{tmp_path}/two.db")
    heads = [sealed_release(one, W11).ledger_head, sealed_release(two, R2).ledger_head]

    for ledger in (one, two):
        with pytest.raises(LedgerError, match="1 published bundles carry a head that this ledger does not know"):
            ledger.reserve(specification(ReleaseKey("presence", "2026-W10")), caps=CAPS, known_heads=heads)


def test_a_charge_is_refused_where_the_book_of_charges_was_made_shorter(place):
    ledger = place.open()
    ledger.reserve(specification(W10, 250_000), caps=CAPS)
    place.tamper("UPDATE ledger_charges SET micro_rho = 1")

    with pytest.raises(LedgerError, match="not those of its reservation"):
        ledger.reserve(specification(W11), caps=CAPS)
    assert Charge("routine", "2026-03", 250_000) in {booked.charge for booked in ledger.charges()}
