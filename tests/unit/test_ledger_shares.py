"""Shares in the ledger, on each database: after PUBLISH, within their term, once, for nothing, and checked."""

import sqlite3
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from privacy.canonical import sha256_hex
from privacy.ledger import EntryKind, Ledger, ReleaseKey, Share
from privacy.ledger.entries import body_text
from schemas.errors import LedgerError, PrivacyError, SealLostError, SpecificationChangedError
from tests.ledgers import BUNDLE, W10, W11, approved_release, kinds, sealed_release, spent
from tests.unit.test_ledger_tampering import rewrite, rewritten

TODAY = date(2026, 3, 9)
"""The day of the tests' clock."""

TOWN = Share(
    W10, "town-2026", sha256_hex(b"agreement"), "Town of Numenia", "Bus lines", "Contract", date(2026, 1, 1),
    date(2026, 12, 31), TODAY, sha256_hex(b"part"),
)  # fmt: skip


def published(ledger, key=W10):
    approved_release(ledger, key)
    ledger.publish(key, bundle_sha256=BUNDLE)


def test_a_published_release_is_shared_once_however_often_it_is_told(ledger):
    published(ledger)
    before = spent(ledger)
    for _ in range(3):
        ledger.share(TOWN)

    assert kinds(ledger)[-2:] == [EntryKind.PUBLISH, EntryKind.SHARE]
    assert ledger.shares() == (TOWN,)
    assert ledger.published(W10) == (BUNDLE,)
    assert spent(ledger) == before
    assert ledger.check() == 5


def test_one_release_goes_to_several_recipients_and_several_releases_to_one(ledger):
    for key in (W10, W11):
        published(ledger, key)
    shares = (TOWN, replace(TOWN, agreement="bank-2026", recipient="Bank"), replace(TOWN, key=W11))
    for share in shares:
        ledger.share(share)
    assert ledger.shares() == shares


def test_what_was_not_published_is_not_shared(ledger):
    for step, missing in ((sealed_release, "APPROVE, PUBLISH"), (approved_release, "PUBLISH")):
        step(ledger)
        with pytest.raises(PrivacyError, match=f"comes before its {missing}") as refused:
            ledger.share(TOWN)
        assert "whimbrel" in refused.value.remedy
    assert ledger.shares() == ()


def test_what_is_burned_is_not_shared_not_even_again(ledger):
    published(ledger)
    ledger.share(TOWN)
    ledger.burn(W10)
    for share in (TOWN, replace(TOWN, agreement="bank-2026")):
        with pytest.raises(SealLostError):
            ledger.share(share)
    assert ledger.shares() == (TOWN,)


@pytest.mark.parametrize(
    "change",
    [
        {"bundle_sha256": BUNDLE},
        {"agreement_sha256": BUNDLE},
        {"recipient": "Other"},
        {"valid_until": date(2027, 1, 1)},
    ],
)
def test_a_release_is_shared_in_one_way_under_one_agreement(ledger, change):
    published(ledger)
    ledger.share(TOWN)
    with pytest.raises(SpecificationChangedError, match="in another way"):
        ledger.share(replace(TOWN, **change))
    assert ledger.shares() == (TOWN,)


@pytest.mark.parametrize(
    ("term", "complaint"),
    [
        ({"valid_until": TODAY - timedelta(1)}, "does not hold on 2026-03-09"),
        ({"valid_from": TODAY + timedelta(1)}, "does not hold on 2026-03-09"),
        ({"shared_on": TODAY - timedelta(1)}, "says 2026-03-08, and is recorded on 2026-03-09"),
    ],
)
def test_the_ledger_s_own_clock_decides_whether_an_agreement_holds(ledger, term, complaint):
    published(ledger)
    with pytest.raises(PrivacyError, match=complaint):
        ledger.share(replace(TOWN, **term))
    assert kinds(ledger)[-1] is EntryKind.PUBLISH


def test_a_share_told_again_on_another_day_is_the_share_of_then(ledger, clock):
    published(ledger)
    ledger.share(TOWN)
    clock.now += timedelta(days=400)
    ledger.share(TOWN)
    assert ledger.check() == 5


@pytest.mark.parametrize(
    "change",
    [{"agreement": "Town"}, {"agreement_sha256": "x"}, {"bundle_sha256": ""}, {"recipient": ""}, {"purpose": ""}],
)
def test_what_is_no_share_cannot_be_recorded(change):
    with pytest.raises(PrivacyError, match="is none"):
        replace(TOWN, **change)


FORGED = {
    "after its term": {"valid_until": "2026-03-08"},
    "before its term": {"valid_from": "2026-03-10"},
    "on another day": {"shared_on": "2026-03-08"},
    "with no digest": {"bundle_sha256": "x"},
    "with no recipient": {"recipient": ""},
    "with more than a share says": {"note": "x"},
    "on no day": {"shared_on": "soon"},
}


@pytest.mark.parametrize("how", FORGED)
def test_a_well_chained_share_that_whimbrel_would_not_have_written_is_found(place, clock, how):
    ledger = place.open(clock=clock)
    published(ledger)
    ledger.share(TOWN)
    rewrite(place, rewritten(ledger.entries(), 5, body=body_text(TOWN.body | FORGED[how])))
    with pytest.raises(LedgerError):
        ledger.check()


def test_a_second_share_under_one_agreement_is_found(place, clock):
    ledger = place.open(clock=clock)
    published(ledger)
    ledger.share(TOWN)
    ledger.share(replace(TOWN, agreement="bank-2026"))
    for body in (TOWN.body, TOWN.body | {"recipient": "Other"}):
        rewrite(place, rewritten(ledger.entries(), 6, body=body_text(body)))
        with pytest.raises(LedgerError, match="Entry 6"):
            ledger.check()


def test_a_share_of_what_was_not_published_is_found(place, clock):
    ledger = place.open(clock=clock)
    published(ledger)
    ledger.share(TOWN)
    rewrite(place, rewritten(ledger.entries(), 5, key=W11))
    with pytest.raises(LedgerError, match="Entry 5 is out of turn"):
        ledger.check()


@pytest.mark.parametrize("field", ["body", "kind"])
def test_an_altered_share_is_found(place, clock, field):
    ledger = place.open(clock=clock)
    published(ledger)
    ledger.share(TOWN)
    value = {"body": body_text(TOWN.body | {"recipient": "Nobody"}), "kind": "PUBLISH"}[field]
    place.tamper(f"UPDATE ledger_entries SET {field} = '{value}' WHERE position = 5")
    with pytest.raises(LedgerError, match="Entry 5"):
        ledger.check()


def test_a_share_cannot_be_taken_back(place, clock):
    ledger = place.open(clock=clock)
    published(ledger)
    ledger.share(TOWN)
    for statement in ("DELETE FROM ledger_entries WHERE kind = 'SHARE'", "UPDATE ledger_entries SET body = '{}'"):
        with pytest.raises(Exception, match="append-only"):
            place.run(statement)
    assert ledger.shares() == (TOWN,)


EARLIER = Path(__file__).parent / "ledger_before_shares.sql"
"""A ledger of a version that knew no shares, as `sqlite3 .dump` writes it."""


def test_a_ledger_of_a_version_without_shares_holds_charges_on_and_takes_shares(tmp_path, clock):
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.executescript(EARLIER.read_text())
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock=clock)
    before = ledger.entries()
    assert ledger.check() == 8

    ledger.share(TOWN)
    sealed_release(ledger, ReleaseKey("presence", "2026-W10"))

    assert ledger.entries()[:8] == before
    assert ledger.shares() == (TOWN,)
    assert ledger.check() == 11


def test_tables_and_triggers_are_those_of_a_version_without_shares(tmp_path):
    with sqlite3.connect(tmp_path / "earlier.db") as earlier:
        earlier.executescript(EARLIER.read_text())
    Ledger.open(f"sqlite:///{tmp_path}/present.db")

    said = [
        set(sqlite3.connect(tmp_path / name).execute("SELECT type, name, sql FROM sqlite_master"))
        for name in ("earlier.db", "present.db")
    ]

    assert said[0] == said[1]  # so nothing is migrated, on PostgreSQL neither: its tables are made from the same
