"""Opening the emergency pool: two people, the whole schedule at once, and not one release beyond it."""

import io
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from jobs.console import ledger_view
from privacy.budget import plan
from privacy.ledger import Charge, EntryKind, Opening, ReleaseKey, ScheduledRelease, Specification
from privacy.policy import Policy
from privacy.unit import Period, PrivacyMonth
from schemas.errors import (
    BudgetExceededError,
    ConfigError,
    LedgerError,
    PrivacyError,
    SpecificationChangedError,
)
from tests.ledgers import (
    BUNDLE,
    CAPS,
    DRAW,
    EVENT_POOLS,
    INPUTS,
    TWO_PEOPLE,
    approval,
    event_release,
    kinds,
    opening,
    spent,
)

FLOOD = opening()


def test_opening_an_event_reserves_its_whole_schedule_on_every_month_at_once(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)

    assert kinds(ledger) == [EntryKind.OPEN]
    assert spent(ledger) == {("emergency", "2026-02"): 40, ("emergency", "2026-03"): 20}
    assert {(booked.event, booked.charge) for booked in ledger.charges()} == {("flood", c) for c in FLOOD.charges}
    assert ledger.openings() == (FLOOD,)
    assert ledger.check() == 1


def test_a_release_of_an_open_event_is_charged_with_the_opening_and_not_again(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)
    booked = spent(ledger)
    for number in range(2):
        spec = event_release(FLOOD, number)
        for _ in range(2):
            ledger.reserve(spec, caps={}, event_pools=EVENT_POOLS)
        ledger.seal(spec.key, artefact_sha256=DRAW, inputs_sha256=INPUTS)
        ledger.approve(spec.key, approval())
        ledger.publish(spec.key, bundle_sha256=BUNDLE)

    assert spent(ledger) == booked
    assert len(ledger.charges()) == len(FLOOD.charges)
    assert ledger.check() == 9


def test_a_release_of_an_event_that_is_not_open_is_refused(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)

    with pytest.raises(PrivacyError, match="'cyclone', which is not open"):
        ledger.reserve(replace(event_release(FLOOD), event="cyclone"), caps=CAPS)

    assert kinds(ledger) == [EntryKind.OPEN]


@pytest.mark.parametrize(
    "beyond",
    [
        event_release(opening(days=3), 2),  # a day after the last
        replace(event_release(FLOOD), key=ReleaseKey("presence", "2026-03-10")),
        replace(event_release(FLOOD), charges=(Charge("emergency", "2026-03", 10),)),  # leaves a month out
        replace(event_release(FLOOD), charges=(Charge("emergency", "2026-02", 20), Charge("emergency", "2026-03", 11))),
        replace(event_release(FLOOD), charges=(Charge("routine", "2026-02", 20), Charge("routine", "2026-03", 10))),
    ],
)
def test_what_the_schedule_does_not_hold_at_that_cost_is_refused(ledger, beyond):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)

    with pytest.raises(PrivacyError, match="not in the schedule"):
        ledger.reserve(beyond, caps=CAPS)

    assert kinds(ledger) == [EntryKind.OPEN]


def test_a_revision_of_an_events_release_is_beyond_its_schedule_even_after_a_burn(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)
    ledger.reserve(event_release(FLOOD), caps=CAPS)
    ledger.burn(event_release(FLOOD).key)

    with pytest.raises(PrivacyError, match="not in the schedule"):
        ledger.reserve(event_release(FLOOD, revision=2), caps=CAPS)


def test_the_first_release_of_the_onset_day_and_its_opening_do_not_disturb_each_other(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)
    first = event_release(FLOOD)

    assert first.key == FLOOD.key
    assert ledger.reserved(first.key) is None
    ledger.reserve(first, caps=CAPS)
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)
    assert kinds(ledger) == [EntryKind.OPEN, EntryKind.RESERVE]
    assert ledger.check() == 2


@pytest.mark.parametrize("people", [(), (approval(),), (approval(a=1), approval(a=2))])
def test_one_person_alone_opens_nothing_however_often_they_sign(ledger, people):
    with pytest.raises(PrivacyError, match="signers"):
        ledger.open_event(FLOOD, approvals=people, caps=CAPS)

    assert (kinds(ledger), spent(ledger)) == ([], {})


def test_a_signature_that_is_none_does_not_count(ledger):
    with pytest.raises(PrivacyError, match="approval"):
        ledger.open_event(FLOOD, approvals=[approval(), {"signer": "director"}], caps=CAPS)


def test_an_event_opened_again_on_the_same_terms_changes_nothing_whoever_signs(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)
    ledger.open_event(opening(), approvals=TWO_PEOPLE, caps={})
    ledger.open_event(opening(), approvals=[approval("third"), approval("fourth")], caps=CAPS)

    assert kinds(ledger) == [EntryKind.OPEN]


@pytest.mark.parametrize("other", [opening(days=3), opening(micro_rho=11), opening(onset=date(2026, 4, 10))])
def test_an_event_is_not_opened_again_on_other_terms(ledger, other):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)

    with pytest.raises(SpecificationChangedError, match="flood is open on other terms"):
        ledger.open_event(other, approvals=TWO_PEOPLE, caps=CAPS)

    assert ledger.openings() == (FLOOD,)


def test_no_period_of_a_product_belongs_to_two_events(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)

    with pytest.raises(PrivacyError, match="displacement 2026-03-11, which flood releases") as refused:
        ledger.open_event(opening("cyclone", date(2026, 3, 11)), approvals=TWO_PEOPLE, caps=CAPS)
    assert "a second area only in periods that flood does not use" in refused.value.remedy

    ledger.open_event(opening("cyclone", date(2026, 3, 12)), approvals=TWO_PEOPLE, caps=CAPS)
    assert len(ledger.openings()) == 2


def test_an_event_that_the_pool_cannot_pay_to_its_end_is_not_opened_at_all(ledger):
    with pytest.raises(BudgetExceededError, match="emergency in 2026-02"):
        ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps={"emergency": 39})

    assert (kinds(ledger), spent(ledger)) == ([], {})
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps={"emergency": 40})


def test_a_second_event_over_the_same_months_is_refused_by_the_shipped_policy(ledger):
    policy = Policy.load()
    for event, onset, refused in (("flood", date(2026, 5, 12), False), ("cyclone", date(2026, 12, 1), True)):
        (rule,) = policy.events
        opened = Opening(event, rule.product, onset, rule.schedule(onset))
        if refused:
            with pytest.raises(BudgetExceededError, match="emergency in 2026-11"):
                ledger.open_event(opened, approvals=TWO_PEOPLE, caps=policy.caps)
        else:
            ledger.open_event(opened, approvals=TWO_PEOPLE, caps=policy.caps)

    assert [opened.event for opened in ledger.openings()] == ["flood"]


@given(onset=st.dates(date(2026, 1, 1), date(2027, 12, 31)))
@settings(max_examples=15)
def test_the_ledger_books_what_the_plan_foresees_for_an_event_on_any_day(ledger_places, onset):
    policy = Policy.load()
    (rule,) = policy.events
    ledger = ledger_places("sqlite").open()
    ledger.open_event(
        Opening("flood", rule.product, onset, rule.schedule(onset)), approvals=TWO_PEOPLE, caps=policy.caps
    )
    foreseen = plan(policy, PrivacyMonth.of(onset).next(-1), months=9)

    booked = {pool.privacy_month: pool.charged_micro_rho for pool in ledger.pools(policy.caps)}
    worst = {str(month.month): month.pools[1].charged_micro_rho for month in foreseen}
    assert booked == {charge.privacy_month: charge.micro_rho for charge in rule.charges(onset)}
    assert all(charged <= worst[month] for month, charged in booked.items())


def test_a_restored_ledger_opens_no_event(ledger):
    head = "ab" * 32

    with pytest.raises(LedgerError, match="restored backup"):
        ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS, known_heads=[head])

    assert kinds(ledger) == []


def test_what_two_people_sign_is_the_whole_opening(ledger):
    terms = {FLOOD.digest, opening("cyclone").digest, opening(days=1).digest, opening(micro_rho=9).digest}
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)

    assert len(terms) == 4
    assert Opening.of(FLOOD.body) == FLOOD
    assert ledger.entries()[0].says["approvals"] == list(TWO_PEOPLE)


@pytest.mark.parametrize("name", ["", "Flood", "2026-flood", "flood 1", "f" * 65])
def test_an_event_has_a_name_that_a_command_can_carry(name):
    with pytest.raises(ConfigError, match="cannot name an event"):
        replace(FLOOD, event=name)


@pytest.mark.parametrize("schedule", [(), FLOOD.schedule * 2])
def test_a_schedule_holds_each_period_once_and_one_at_least(schedule):
    with pytest.raises(PrivacyError, match="schedule"):
        replace(FLOOD, schedule=schedule)


def test_a_product_released_without_an_event_may_not_hold_the_onsets_place(ledger):
    ledger.reserve(Specification(FLOOD.key, (Charge("routine", "2026-03", 1),), {}), caps=CAPS)

    with pytest.raises(PrivacyError, match="OPEN of displacement 2026-03-10 r1"):
        ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)


def test_a_plain_release_in_an_events_schedule_is_not_taken_for_one_of_the_event(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)
    ledger.reserve(Specification(FLOOD.key, (Charge("routine", "2026-03", 1),), {}), caps=CAPS)

    with pytest.raises(SpecificationChangedError):
        ledger.reserve(event_release(FLOOD), caps=CAPS)
    assert spent(ledger)["routine", "2026-03"] == 1


def test_an_event_charges_each_pool_that_its_schedule_names():
    day = Period.parse("2026-03-10")
    schedule = (ScheduledRelease(day, (Charge("a", "2026-03", 1), Charge("b", "2026-03", 2))),)
    two_pools = Opening("flood", "displacement", day.first_day, schedule)

    assert two_pools.charges == (Charge("a", "2026-03", 1), Charge("b", "2026-03", 2))


def test_a_reader_of_the_ledger_sees_which_event_a_charge_was_booked_for(ledger):
    ledger.open_event(FLOOD, approvals=TWO_PEOPLE, caps=CAPS)
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(ledger_view(ledger.pools(CAPS), ledger.charges()))

    assert console.export_text().count("displacement after flood, all releases") == 2
