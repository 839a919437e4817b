"""Whatever the order of operations, restarts and refusals, in two hands, a ledger does what a dictionary would."""

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from privacy.canonical import sha256_hex
from privacy.ledger import Charge, ReleaseKey, Specification
from schemas.errors import BudgetExceededError, PrivacyError, SealLostError, SpecificationChangedError
from tests.conftest import LEDGERS
from tests.ledgers import EVENT_POOLS, approval, event_release, opening, share_of

CAPS = {"routine": 20, "emergency": 12}
EXAMPLES = {"sqlite": 30, "postgresql": 6}
"""A connection to a server takes longer than one to a file."""

KEYS = st.builds(
    ReleaseKey, st.sampled_from(["od_trips", "presence"]), st.just("2026-W10"), st.sampled_from([1, 1, 2, 3])
)
CHARGES = st.lists(
    st.builds(
        Charge,
        st.sampled_from([*["routine"] * 9, "emergency"]),
        st.sampled_from(["2026-02", "2026-03"]),
        st.sampled_from([5, 9]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda charge: (charge.pool, charge.privacy_month),
).map(tuple)
OPENINGS = [
    opening("flood", micro_rho=1),
    opening("flood", micro_rho=2),  # the same event on other terms
    opening("cyclone", date(2026, 3, 11), micro_rho=1),  # shares a day with the flood
    opening("quake", date(2026, 3, 20), micro_rho=2),
    opening("drought", date(2026, 3, 24), micro_rho=3),  # the whole pool
]
EVENT_RELEASES = st.builds(
    event_release, st.sampled_from(OPENINGS), st.sampled_from([0, 1]), st.sampled_from([1, 1, 1, 2])
) | st.builds(replace, st.just(event_release(OPENINGS[0])), event=st.sampled_from(["quake", "never"]))
EVENT_KEYS = [event_release(opened, number).key for opened in OPENINGS for number in (0, 1)]
ALL_KEYS = KEYS | st.sampled_from(EVENT_KEYS)
DIGESTS = st.sampled_from([sha256_hex(bytes([n])) for n in range(3)])
TWO = st.just(["officer", "director"])
PEOPLE = TWO | TWO | st.lists(st.sampled_from(["officer", "director"]), max_size=2)
ANY = st.integers(0, 59)
"""Picks one of what is there: its remainder by their number."""

HANDS = st.sampled_from([0, 1])


class LedgerMachine(RuleBasedStateMachine):
    """A ledger in two hands beside a model of it: dictionaries, and the rules of docs/architecture.md."""

    def __init__(self, place):
        super().__init__()
        self.place = place
        self.ledgers = [place.open(), place.open()]
        self.specs, self.seals, self.openings = {}, {}, {}
        self.approvals, self.published, self.burned = set(), set(), set()
        self.shares = {}

    def spent(self):
        charged = [charge for spec in self.specs.values() if spec.event is None for charge in spec.charges]
        charged += [charge for opened in self.openings.values() for charge in opened.charges]
        total = Counter()
        for charge in charged:
            total[charge.pool, charge.privacy_month] += charge.micro_rho
        return total

    def overruns(self, charge):
        return self.spent()[charge.pool, charge.privacy_month] + charge.micro_rho > CAPS[charge.pool]

    def refusal_to_reserve(self, spec):
        key = spec.key
        if key in self.burned:
            return SealLostError
        if key in self.specs:
            return None if self.specs[key].digest == spec.digest else SpecificationChangedError
        if key.revision > 1 and replace(key, revision=key.revision - 1) not in self.specs:
            return PrivacyError
        return self.refusal_of_charges(spec) if spec.event is None else self.refusal_by_event(spec)

    def refusal_of_charges(self, spec):
        for charge in spec.charges:
            if charge.pool in EVENT_POOLS:
                return PrivacyError
            if self.overruns(charge):
                return BudgetExceededError
        return None

    def refusal_by_event(self, spec):
        opened = self.openings.get(spec.event)
        paid = {event_release(opened, number).digest for number in (0, 1)} if opened else ()
        return None if spec.digest in paid else PrivacyError

    def refusal_to_open(self, opened, people):
        if len(set(people)) < 2:
            return PrivacyError
        for other in self.openings.values():
            if other.event == opened.event:
                return None if other.digest == opened.digest else SpecificationChangedError
            if other.periods & opened.periods:
                return PrivacyError
        return BudgetExceededError if any(map(self.overruns, opened.charges)) else None

    def refusal_after(self, key, *needed):
        if key in self.burned:
            return SealLostError
        return None if all(key in steps for steps in needed) else PrivacyError

    def heads(self):
        return [seal.ledger_head for seal in self.seals.values()]

    @initialize(hand=HANDS)
    def begin_with_a_release(self, hand):
        self.reserve(hand, ReleaseKey("od_trips", "2026-W10"), (Charge("routine", "2026-03", 5),))

    @rule(hand=HANDS, key=KEYS, charges=CHARGES)
    def reserve(self, hand, key, charges):
        self.reserve_as_specified(hand, Specification(key, charges, {}))

    @precondition(lambda self: self.openings)
    @rule(hand=HANDS, spec=EVENT_RELEASES)
    def reserve_of_an_event(self, hand, spec):
        self.reserve_as_specified(hand, spec)

    def reserve_as_specified(self, hand, spec):
        def act():
            self.ledgers[hand].reserve(spec, caps=CAPS, event_pools=EVENT_POOLS, known_heads=self.heads())

        if succeeds(act, self.refusal_to_reserve(spec)):
            self.specs.setdefault(spec.key, spec)

    @rule(hand=HANDS, opened=st.sampled_from(OPENINGS), people=PEOPLE)
    def open_event(self, hand, opened, people):
        def act():
            approvals = [approval(person, of=opened.digest) for person in people]
            self.ledgers[hand].open_event(opened, approvals=approvals, caps=CAPS, known_heads=self.heads())

        if succeeds(act, self.refusal_to_open(opened, people)):
            self.openings.setdefault(opened.event, opened)

    @precondition(lambda self: self.openings)
    @rule(hand=HANDS, pick=ANY, number=st.sampled_from([0, 1]), revision=st.sampled_from([1, 2]))
    def reserve_of_an_open_event(self, hand, pick, number, revision):
        opened = list(self.openings.values())[pick % len(self.openings)]
        self.reserve_as_specified(hand, event_release(opened, number, revision))

    @precondition(lambda self: self.specs)
    @rule(hand=HANDS, pick=ANY, stray=ALL_KEYS, digest=DIGESTS)
    def seal(self, hand, pick, stray, digest):
        key = self.one_of(self.specs, pick, stray)

        def act():
            winner = self.ledgers[hand].seal(key, artefact_sha256=digest, inputs_sha256=digest)
            assert winner == self.seals.setdefault(key, winner)
            assert winner.key == key

        first = key not in self.seals
        if succeeds(act, self.refusal_after(key, self.specs)) and first:
            assert self.seals[key].artefact_sha256 == digest

    @precondition(lambda self: self.seals)
    @rule(hand=HANDS, pick=ANY, stray=ALL_KEYS, signer=st.sampled_from(["officer", "director"]))
    def approve(self, hand, pick, stray, signer):
        key = self.one_of(self.seals, pick, stray)
        if succeeds(lambda: self.ledgers[hand].approve(key, approval(signer)), self.refusal_after(key, self.seals)):
            self.approvals.add((key, signer))

    @precondition(lambda self: self.seals)
    @rule(hand=HANDS, pick=ANY, stray=ALL_KEYS, digest=DIGESTS)
    def publish(self, hand, pick, stray, digest):
        approved = {key: None for key, _ in sorted(self.approvals)}
        key = self.one_of(approved if pick % 2 else self.seals, pick, stray)
        refusal = self.refusal_after(key, self.seals, approved)
        if succeeds(lambda: self.ledgers[hand].publish(key, bundle_sha256=digest), refusal):
            self.published.add((key, digest))

    @precondition(lambda self: self.published)
    @rule(hand=HANDS, pick=ANY, stray=ALL_KEYS, agreement=st.sampled_from(["town", "bank"]), digest=DIGESTS)
    def share(self, hand, pick, stray, agreement, digest):
        left = {key: None for key, _ in sorted(self.published)}
        key = self.one_of(left, pick, stray)
        shared = replace(share_of(key, agreement=agreement), bundle_sha256=digest)
        refusal = self.refusal_after(key, self.seals, left)
        if self.shares.get((key, agreement), shared) != shared:
            refusal = SpecificationChangedError
        if succeeds(lambda: self.ledgers[hand].share(shared), refusal):
            self.shares[key, agreement] = shared

    @precondition(lambda self: len(self.specs) > len(self.burned) + 1)
    @rule(hand=HANDS, pick=ANY, stray=ALL_KEYS)
    def burn(self, hand, pick, stray):
        key = self.one_of(self.specs, pick, stray)
        if succeeds(lambda: self.ledgers[hand].burn(key), None if key in self.specs else PrivacyError):
            self.burned.add(key)

    @precondition(lambda self: self.specs)
    @rule(hand=HANDS, pick=ANY, digest=DIGESTS)
    def go_on(self, hand, pick, digest):
        """Take the next step of a release that is under way, so that some get to their end."""
        key = self.one_of(self.specs, pick, list(self.specs)[-1])
        if key not in self.seals:
            self.seal(hand, pick, key, digest)
        elif key not in {key for key, _ in self.approvals}:
            self.approve(hand, pick, key, "officer")
        else:
            self.publish(hand, pick, key, digest)

    def one_of(self, likely, pick, stray):
        """A release that the step suits, most of the time."""
        return list(likely)[pick % len(likely)] if likely and pick % 5 != 4 else stray

    @rule(hand=HANDS)
    def restart(self, hand):
        self.ledgers[hand] = self.place.open(create=False)

    @invariant()
    def charges_are_those_of_the_model_and_within_the_caps(self):
        pools = self.ledgers[0].pools(CAPS)

        assert {(p.pool, p.privacy_month): p.charged_micro_rho for p in pools} == dict(self.spent())
        assert all(pool.left_micro_rho >= 0 for pool in pools)

    @invariant()
    def releases_are_as_the_model_has_them(self):
        for key in self.specs:
            assert self.ledgers[1].sealed(key) == self.seals.get(key)
            assert self.ledgers[1].is_burned(key) == (key in self.burned)
            signers = {given["signer"] for given in self.ledgers[0].approvals(key)}
            assert signers == {signer for of, signer in self.approvals if of == key}
        assert list(self.ledgers[1].openings()) == list(self.openings.values())
        assert list(self.ledgers[1].shares()) == list(self.shares.values())

    @invariant()
    def the_chain_holds_one_entry_for_each_thing_that_happened(self):
        happened = (self.specs, self.seals, self.openings, self.approvals, self.published, self.burned, self.shares)

        assert self.ledgers[0].check() == sum(map(len, happened))
        assert self.ledgers[0].entries() == self.ledgers[1].entries()


def succeeds(act, refusal):
    """Whether the act succeeds; where the model refuses it, the ledger has to refuse it in the same way."""
    if refusal is None:
        act()
        return True
    with pytest.raises(refusal) as raised:
        act()
    assert raised.type is refusal
    return False


@pytest.mark.slow
@pytest.mark.parametrize("database", LEDGERS)
def test_the_ledger_does_what_a_dictionary_would(ledger_places, database):
    run_state_machine_as_test(
        lambda: LedgerMachine(ledger_places(database)),
        settings=settings(max_examples=EXAMPLES[database], stateful_step_count=40, deadline=None),
    )
