"""The ledger on each database: one charge, one seal, approved before it leaves, and nothing undone."""

import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy.exc import DBAPIError

import privacy.ledger.ledger
import privacy.ledger.tables
from privacy.canonical import canonical_json, sha256_hex
from privacy.ledger import GENESIS, Charge, EntryKind, ReleaseKey, Specification
from privacy.ledger.entries import commitment, entry_hash
from schemas.errors import (
    BudgetExceededError,
    ConfigError,
    LedgerError,
    PrivacyError,
    SealLostError,
    SpecificationChangedError,
)
from tests.benchmarks.ledger_check import write_chain
from tests.ledgers import (
    BUNDLE,
    CAPS,
    DRAW,
    EVENT_POOLS,
    INPUTS,
    OTHER_DRAW,
    TABLES,
    TWO_PEOPLE,
    W10,
    W11,
    approval,
    approved_release,
    kinds,
    opening,
    sealed_release,
    specification,
    spent,
)


def test_a_release_is_reserved_sealed_approved_and_published(ledger):
    seal = approved_release(ledger)
    ledger.publish(W10, bundle_sha256=BUNDLE)

    assert kinds(ledger) == [EntryKind.RESERVE, EntryKind.SEAL, EntryKind.APPROVE, EntryKind.PUBLISH]
    assert (seal.key, seal.artefact_sha256) == (W10, DRAW)
    assert seal.ledger_head == ledger.entries()[1].entry_hash
    assert seal.sealed_at == "2026-03-09T06:00:00Z"
    assert ledger.sealed(W10) == seal
    assert ledger.head() == ledger.entries()[-1].entry_hash
    assert ledger.check() == 4


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


def test_a_cap_lowered_since_shows_as_an_overdraft_and_refuses_every_further_charge(ledger):
    ledger.reserve(specification(W10, 200), caps={"routine": 250})
    lowered = {"routine": 150}

    assert ledger.pools(lowered)[0].left_micro_rho == -50
    with pytest.raises(BudgetExceededError) as refusal:
        ledger.reserve(specification(W11, 1), caps=lowered)
    assert refusal.value.expected == "at most 0"

    ledger.reserve(specification(W10, 200), caps=lowered)  # what was charged before may still be finished
    assert ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=INPUTS).artefact_sha256 == DRAW


def test_an_unknown_pool_is_refused(ledger):
    with pytest.raises(PrivacyError, match="routine"):
        ledger.reserve(specification(), caps={"emergency": 1})


def test_a_pool_for_events_is_refused_to_a_release_that_names_none(ledger):
    spec = Specification(W10, (Charge("emergency", "2026-03", 1),), {})

    with pytest.raises(PrivacyError, match="declared events"):
        ledger.reserve(spec, caps=CAPS, event_pools=EVENT_POOLS)

    assert kinds(ledger) == []


def test_the_first_seal_wins(ledger):
    first = sealed_release(ledger)

    assert ledger.seal(W10, artefact_sha256=OTHER_DRAW, inputs_sha256=INPUTS) == first
    assert kinds(ledger) == [EntryKind.RESERVE, EntryKind.SEAL]


def test_nothing_happens_before_its_turn(ledger):
    with pytest.raises(PrivacyError, match="RESERVE"):
        ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=INPUTS)
    with pytest.raises(PrivacyError, match="RESERVE"):
        ledger.burn(W10)

    ledger.reserve(specification(), caps=CAPS)
    with pytest.raises(PrivacyError, match="SEAL"):
        ledger.approve(W10, approval())
    with pytest.raises(PrivacyError, match="APPROVE, SEAL") as refusal:
        ledger.publish(W10, bundle_sha256=BUNDLE)

    assert refusal.value.remedy == "run `whimbrel release od_trips 2026-W10` first"
    assert kinds(ledger) == [EntryKind.RESERVE]


def test_a_sealed_release_that_nobody_approved_is_not_published(ledger):
    sealed_release(ledger)

    with pytest.raises(PrivacyError, match="PUBLISH of od_trips 2026-W10 r1 comes before its APPROVE") as refusal:
        ledger.publish(W10, bundle_sha256=BUNDLE)

    assert refusal.value.remedy == "run `whimbrel approve release od_trips 2026-W10` first"
    assert EntryKind.PUBLISH not in kinds(ledger)


def test_the_approval_of_one_release_does_not_publish_another(ledger):
    approved_release(ledger, W10)
    sealed_release(ledger, W11)

    with pytest.raises(PrivacyError, match="APPROVE"):
        ledger.publish(W11, bundle_sha256=BUNDLE)


def test_an_equal_approval_is_recorded_once_and_others_beside_it(ledger):
    sealed_release(ledger)
    given = [approval("officer", a=1, b=[2]), approval("officer", a=2), approval("director", a=1, b=[2])]
    for one in [*given, {**given[0], "statement": {"b": (2,), "a": 1}}]:
        ledger.approve(W10, one)

    assert list(ledger.approvals(W10)) == given
    assert ledger.approvals(W11) == ()
    assert Counter(kinds(ledger))[EntryKind.APPROVE] == 3


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"statement": "yes", "signer": "officer", "signature": "00"},
        {"statement": {}, "signer": "", "signature": "00"},
        {"statement": {}, "signer": "officer", "signature": ""},
        {"statement": {}, "signer": "officer", "signature": "0G"},
        {"statement": {}, "signer": "officer", "signature": "000"},
        {"statement": {}, "signer": "officer", "signature": "00", "note": "more"},
    ],
)
def test_what_is_no_approval_is_not_recorded(ledger, broken):
    sealed_release(ledger)

    with pytest.raises(PrivacyError, match="approval"):
        ledger.approve(W10, broken)

    assert kinds(ledger) == [EntryKind.RESERVE, EntryKind.SEAL]


def test_a_bundle_is_published_once_and_another_of_the_same_release_too(ledger):
    approved_release(ledger)
    for bundle in (BUNDLE, BUNDLE, sha256_hex(b"restricted bundle")):
        ledger.publish(W10, bundle_sha256=bundle)

    assert Counter(kinds(ledger))[EntryKind.PUBLISH] == 2


def test_a_burned_release_is_refused_everything_and_stays_charged(ledger):
    seal = approved_release(ledger)
    ledger.burn(W10)
    ledger.burn(W10)

    for refused in (
        lambda: ledger.reserve(specification(), caps=CAPS),
        lambda: ledger.seal(W10, artefact_sha256=DRAW, inputs_sha256=INPUTS),
        lambda: ledger.approve(W10, approval("director")),
        lambda: ledger.approve(W10, approval(artefact_sha256=DRAW)),  # given before, refused all the same
        lambda: ledger.publish(W10, bundle_sha256=BUNDLE),
    ):
        with pytest.raises(SealLostError, match="burned"):
            refused()

    assert ledger.is_burned(W10)
    assert ledger.sealed(W10) == seal
    assert ledger.approvals(W10) == (approval(artefact_sha256=DRAW),)
    assert spent(ledger) == {("routine", "2026-03"): 23_000}
    assert ledger.check() == 4


def test_a_burned_release_is_made_good_by_a_revision_that_is_charged_and_approved_itself(ledger):
    sealed_release(ledger)
    ledger.burn(W10)
    again = ReleaseKey("od_trips", "2026-W10", 2)
    approved_release(ledger, again)
    ledger.publish(again, bundle_sha256=BUNDLE)

    assert spent(ledger) == {("routine", "2026-03"): 46_000}
    assert (ledger.is_burned(W10), ledger.is_burned(again)) == (True, False)
    assert kinds(ledger)[:3] == [EntryKind.RESERVE, EntryKind.SEAL, EntryKind.BURN]
    assert ledger.check() == 7


def test_a_revision_is_another_release_at_its_own_cost(ledger):
    sealed_release(ledger)
    ledger.reserve(specification(ReleaseKey("od_trips", "2026-W10", 2)), caps=CAPS)

    assert spent(ledger) == {("routine", "2026-03"): 46_000}


def test_a_revision_that_the_pool_cannot_pay_is_refused_like_any_release(ledger):
    ledger.reserve(specification(W10, 150_000), caps=CAPS)

    with pytest.raises(BudgetExceededError, match="2026-W10 r2"):
        ledger.reserve(specification(ReleaseKey("od_trips", "2026-W10", 2), 150_000), caps=CAPS)


@pytest.mark.parametrize("revision", [2, 3])
def test_a_revision_of_nothing_is_refused(ledger, revision):
    with pytest.raises(PrivacyError, match=f"2026-W10 r{revision - 1} in the ledger"):
        ledger.reserve(specification(ReleaseKey("od_trips", "2026-W10", revision)), caps=CAPS)


def test_a_ledger_that_does_not_know_a_published_bundle_refuses_to_charge_anything(ledger, place, ledger_places):
    seal = sealed_release(ledger)
    ledger.reserve(specification(W11), caps=CAPS, known_heads=[seal.ledger_head])
    restored = ledger_places("sqlite" if place.is_sqlite else "postgresql").open()

    for refused in (
        lambda: restored.reserve(specification(), caps=CAPS, known_heads=[seal.ledger_head]),
        lambda: restored.check(known_heads=[seal.ledger_head]),
    ):
        with pytest.raises(LedgerError, match="restored backup"):
            refused()

    assert restored.entries() == ()


def test_a_ledger_that_never_sealed_what_the_vault_keeps_refuses_to_charge_anything(ledger, place, ledger_places):
    kept = {sealed_release(ledger).artefact_sha256}
    ledger.reserve(specification(W11), caps=CAPS, artefacts=kept)
    ledger.burn(W10)
    assert ledger.check(artefacts=kept) == 4
    other = ledger_places("sqlite" if place.is_sqlite else "postgresql").open()

    for refused in (
        lambda: other.reserve(specification(), caps=CAPS, artefacts=kept),
        lambda: other.open_event(opening(), approvals=TWO_PEOPLE, caps=CAPS, artefacts=kept),
        lambda: other.check(artefacts=kept),
    ):
        with pytest.raises(LedgerError, match=r"has forgotten a release: the vault keeps 1 artefacts.*Remedy"):
            refused()

    assert other.entries() == ()


def test_instants_never_decrease(ledger, clock):
    ledger.reserve(specification(), caps=CAPS)
    clock.now -= timedelta(seconds=59)
    ledger.reserve(specification(W11), caps=CAPS)

    assert [entry.at for entry in ledger.entries()] == ["2026-03-09T06:00:00Z"] * 2


def test_a_clock_set_back_is_refused_whatever_would_be_written(ledger, clock):
    sealed_release(ledger)
    clock.now -= timedelta(seconds=61)

    for refused in (
        lambda: ledger.reserve(specification(W11), caps=CAPS),
        lambda: ledger.approve(W10, approval()),
        lambda: ledger.burn(W10),
    ):
        with pytest.raises(LedgerError, match="The clock says 2026-03-09T05:58:59Z"):
            refused()
    ledger.reserve(specification(W10), caps=CAPS)  # there already: nothing is written

    assert ledger.check() == 2


def test_what_depends_on_the_data_is_recorded_but_never_returned(ledger, place):
    seal = approved_release(ledger)
    ledger.publish(W10, bundle_sha256=BUNDLE)

    returned = repr([seal, ledger.entries(), ledger.charges(), ledger.pools(CAPS), ledger.sealed(W10)])
    assert INPUTS not in returned
    assert place.rows("SELECT inputs_sha256 FROM ledger_seals") == [(INPUTS,)]


def test_the_chain_is_bound_to_the_inputs_and_does_not_show_them(ledger_places, clock):
    places = [ledger_places("sqlite") for _ in range(2)]
    for place in places:
        sealed_release(place.open(clock=clock))
    shown = [place.open().entries()[1].says["inputs_commitment"] for place in places]
    ((inputs, nonce),) = places[0].rows("SELECT inputs_sha256, nonce FROM ledger_seals")

    assert shown[0] != shown[1]  # equal inputs do not show as equal
    assert shown[0] == commitment(inputs, nonce) != commitment(OTHER_DRAW, nonce)
    assert nonce not in repr(places[0].open().entries())


@pytest.mark.parametrize("digest", ["", "draw", DRAW.upper(), DRAW + "0"])
def test_only_digests_are_recorded(ledger, digest):
    ledger.reserve(specification(), caps=CAPS)

    with pytest.raises(PrivacyError, match="digest"):
        ledger.seal(W10, artefact_sha256=digest, inputs_sha256=INPUTS)


ANYWHERE = ["UPDATE {table} SET product = 'presence'", "DELETE FROM {table}"]
ON_SQLITE = ["INSERT OR REPLACE INTO {table} SELECT * FROM {table}", "UPDATE OR REPLACE {table} SET revision = 2"]
ON_POSTGRESQL = [
    "TRUNCATE {table} CASCADE",
    "SET session_replication_role = replica; DELETE FROM {table}",
    "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT DO NOTHING; UPDATE {table} SET revision = 2",
    "INSERT INTO {table} SELECT * FROM {table} ON CONFLICT (%s) DO UPDATE SET revision = 2",
]
UNIQUE = {
    "ledger_entries": "position",
    "ledger_charges": "product, period, revision, pool, privacy_month",
    "ledger_seals": "position",
}


@pytest.mark.parametrize("table", TABLES)
def test_the_database_refuses_to_change_delete_or_replace_even_for_the_owner_of_the_tables(ledger, place, table):
    approved_release(ledger)

    for statement in [*ANYWHERE, *(ON_SQLITE if place.is_sqlite else ON_POSTGRESQL)]:
        with pytest.raises(DBAPIError, match="append-only"):
            place.run(statement.format(table=table).replace("%s", UNIQUE[table]))

    assert ledger.check() == 3


def test_a_writer_that_lost_the_race_for_the_head_starts_again(ledger, monkeypatch):
    ledger.reserve(specification(), caps=CAPS)
    read_head, stale = privacy.ledger.tables.read_head, [None, None]
    monkeypatch.setattr(privacy.ledger.tables, "read_head", lambda c: stale.pop() if stale else read_head(c))

    ledger.reserve(specification(W11), caps=CAPS)

    assert stale == []
    assert ledger.check() == 2


def test_a_writer_that_loses_every_race_gives_up_and_writes_nothing(ledger, monkeypatch):
    ledger.reserve(specification(), caps=CAPS)
    monkeypatch.setattr(privacy.ledger.tables, "read_head", lambda _: None)

    with pytest.raises(LedgerError, match="refused the same entry 50 times"):
        ledger.reserve(specification(W11), caps=CAPS)

    monkeypatch.undo()
    assert (kinds(ledger), ledger.check()) == ([EntryKind.RESERVE], 1)


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


def test_a_long_chain_is_checked_in_seconds(place):
    entries = write_chain(place.owner_url, 20_000)

    start = time.process_time()
    assert place.open().check() == entries
    assert time.process_time() - start < 4  # 0.7 on a quiet machine: this notices a collapse, no more


def test_the_hash_of_an_entry_is_that_of_the_canonical_text_of_its_fields():
    fields = (3, EntryKind.SEAL, W10, "2026-03-09T06:00:00Z", '{"é":"\\u0001"}', GENESIS)
    position, kind, key, *rest = fields

    assert entry_hash(*fields) == sha256_hex(canonical_json([1, position, str(kind), str(key), *rest]))
