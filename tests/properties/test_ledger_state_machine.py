"""Whatever the order of operations, restarts and refusals, the ledger does what a dictionary would."""

import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from privacy.canonical import sha256_hex
from privacy.ledger import Charge, Ledger, ReleaseKey, Specification
from schemas.errors import BudgetExceededError, PrivacyError, SealLostError, SpecificationChangedError

CAPS = {"routine": 30, "emergency": 12}
KEYS = st.builds(ReleaseKey, st.sampled_from(["od_trips", "presence"]), st.just("2026-W10"), st.integers(1, 3))
CHARGES = st.lists(
    st.builds(
        Charge,
        st.sampled_from(sorted(CAPS)),
        st.sampled_from(["2026-02", "2026-03"]),
        st.sampled_from([5, 9]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda charge: (charge.pool, charge.privacy_month),
).map(tuple)
DIGESTS = st.sampled_from([sha256_hex(bytes([n])) for n in range(3)])


class LedgerMachine(RuleBasedStateMachine):
    """The ledger beside a model of it: four dictionaries and the rules of docs/architecture.md."""

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{Path(self.folder.name)}/ledger.db"
        self.ledger = Ledger.open(self.url)
        self.reserved, self.seals, self.published, self.burned = {}, {}, set(), set()

    def teardown(self):
        self.folder.cleanup()

    def spent(self):
        total = Counter()
        for charges in self.reserved.values():
            total.update({(charge.pool, charge.privacy_month): charge.micro_rho for charge in charges})
        return total

    def refusal_to_reserve(self, key, charges):
        if key in self.burned:
            return SealLostError
        if key in self.reserved:
            return None if set(self.reserved[key]) == set(charges) else SpecificationChangedError
        if key.revision > 1 and ReleaseKey(key.product, key.period, key.revision - 1) not in self.reserved:
            return PrivacyError
        spent = self.spent()
        overrun = any(spent[c.pool, c.privacy_month] + c.micro_rho > CAPS[c.pool] for c in charges)
        return BudgetExceededError if overrun else None

    def refusal_after(self, key, needed):
        if key in self.burned:
            return SealLostError
        return None if key in needed else PrivacyError

    @rule(key=KEYS, charges=CHARGES)
    def reserve(self, key, charges):
        def act():
            heads = [seal.ledger_head for seal in self.seals.values()]
            self.ledger.reserve(Specification(key, charges, {}), caps=CAPS, known_heads=heads)

        if succeeds(act, self.refusal_to_reserve(key, charges)):
            self.reserved.setdefault(key, charges)

    @rule(key=KEYS, digest=DIGESTS)
    def seal(self, key, digest):
        def act():
            winner = self.ledger.seal(key, artefact_sha256=digest, inputs_sha256=digest)
            assert winner == self.seals.setdefault(key, winner)
            assert winner.key == key

        first = key not in self.seals
        if succeeds(act, self.refusal_after(key, self.reserved)) and first:
            assert self.seals[key].artefact_sha256 == digest

    @rule(key=KEYS, digest=DIGESTS)
    def publish(self, key, digest):
        if succeeds(lambda: self.ledger.publish(key, bundle_sha256=digest), self.refusal_after(key, self.seals)):
            self.published.add((key, digest))

    @rule(key=KEYS)
    def burn(self, key):
        if succeeds(lambda: self.ledger.burn(key), None if key in self.reserved else PrivacyError):
            self.burned.add(key)

    @rule()
    def restart(self):
        self.ledger = Ledger.open(self.url, create=False)

    @invariant()
    def charges_are_those_of_the_model_and_within_the_caps(self):
        pools = self.ledger.pools(CAPS)

        assert {(p.pool, p.privacy_month): p.charged_micro_rho for p in pools} == dict(self.spent())
        assert all(pool.left_micro_rho >= 0 for pool in pools)

    @invariant()
    def releases_are_as_the_model_has_them(self):
        for key in self.reserved:
            assert self.ledger.sealed(key) == self.seals.get(key)
            assert self.ledger.is_burned(key) == (key in self.burned)

    @invariant()
    def the_chain_holds_one_entry_for_each_thing_that_happened(self):
        happened = len(self.reserved) + len(self.seals) + len(self.published) + len(self.burned)

        assert self.ledger.check() == happened


def succeeds(act, refusal):
    """Whether the act succeeds; where the model refuses it, the ledger has to refuse it in the same way."""
    if refusal is None:
        act()
        return True
    with pytest.raises(refusal) as raised:
        act()
    assert raised.type is refusal
    return False


LedgerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_the_ledger_does_what_a_dictionary_would = LedgerMachine.TestCase
