"""The door, for tables and pairs of every product: drawn once, charged once, the same bytes after every kill."""

import io
from collections import Counter
from unittest.mock import patch

import numpy as np
import pytest
from rich.console import Console

from jobs.approval_views import approval_view
from privacy import mechanisms
from privacy.approval import applicant
from privacy.ledger import Ledger
from privacy.policy import Policy
from privacy.release import release, sealed_release
from privacy.vault import Vault
from schemas.errors import PrivacyError
from schemas.published import PUBLIC_TABLE
from tests.ledgers import TWO_PEOPLE
from tests.plans import PERIODS, n_keys, opening_of, plan_of, possible, totals_of

PRODUCTS = sorted(PERIODS)
INPUTS = "ab" * 32


class KilledError(BaseException):
    """Stands for the end of a process: nothing that handles errors sees it."""


@pytest.fixture(params=PRODUCTS)
def plan(request):
    return plan_of(request.param)


@pytest.fixture
def doors(tmp_path, plan):
    policy, ledger = Policy.load(), Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite")
    if plan.paid_by:
        ledger.open_event(opening_of(plan), approvals=TWO_PEOPLE, caps=policy.caps)
    return {"ledger": ledger, "vault": Vault(tmp_path / "vault"), "policy": policy}


def exact_of(plan):
    keys = [key for key in range(n_keys(plan)) if possible(plan, key)][:: max(1, n_keys(plan) // 12)]
    return totals_of(plan, dict.fromkeys(keys, 2_000 * plan.fixed_point)), INPUTS


def refuse():
    raise AssertionError("the exact totals were asked for")


def charged(doors):
    total = Counter()
    for booked in doors["ledger"].charges():
        total[booked.charge.pool, booked.charge.privacy_month] += booked.charge.micro_rho
    return total


def owed(plan):
    """What a release costs by itself, or all releases of its event together."""
    charges = opening_of(plan).charges if plan.paid_by else plan.charges
    return Counter({(charge.pool, charge.privacy_month): charge.micro_rho for charge in charges})


def test_a_second_call_gives_the_same_release_and_charges_and_draws_nothing(plan, doors):
    first = release(plan, exact=lambda: exact_of(plan), **doors)
    with patch.object(mechanisms, "discrete_gaussian", side_effect=AssertionError):
        again = release(plan, exact=refuse, **doors)

    assert again.table.equals(first.table)
    assert (again.card, again.seal) == (first.card, first.seal)
    assert charged(doors) == owed(plan)
    assert first.table.schema == PUBLIC_TABLE[plan.key.product].arrow_schema


@pytest.mark.parametrize("plan", ["presence", "relocations", "displacement"], indirect=True)
@pytest.mark.parametrize("step", ["seal", "get"])
def test_a_release_that_was_killed_ends_with_one_charge_and_one_sealed_draw(plan, doors, step):
    owner = Ledger if step == "seal" else Vault
    with patch.object(owner, step, side_effect=KilledError), pytest.raises(KilledError):
        release(plan, exact=lambda: exact_of(plan), **doors)
    kept_before = doors["ledger"].sealed(plan.key)
    doors["vault"].sweep(doors["ledger"].artefacts())

    made = release(plan, exact=lambda: exact_of(plan) if step == "seal" else refuse(), **doors)

    assert (kept_before is None) == (step == "seal")
    assert kept_before in (None, made.seal)
    assert charged(doors) == owed(plan)
    assert doors["vault"].kept() == {made.seal.artefact_sha256}
    looked_at = sealed_release(plan.key, ledger=doors["ledger"], vault=doors["vault"])
    assert looked_at.table.equals(made.table)


def test_a_release_of_an_event_that_nobody_opened_is_refused(tmp_path):
    plan = plan_of("displacement")
    doors = {"ledger": Ledger.open(f"sqlite:///{tmp_path}/l.sqlite"), "vault": Vault(tmp_path), "policy": Policy.load()}

    with pytest.raises(PrivacyError, match="flood-2026-04', which is not open"):
        release(plan, exact=refuse, **doors)


def test_totals_bounded_otherwise_are_refused_without_a_draw(plan, doors):
    other = plan_of("presence" if plan.key.product != "presence" else "residents")

    with patch.object(mechanisms, "discrete_gaussian", side_effect=AssertionError), pytest.raises(PrivacyError):
        release(plan, exact=lambda: (totals_of(other, {}), INPUTS), **doors)


def test_a_standing_plan_is_asked_for_the_finest_zones_that_are_measured(plan, doors):
    release(plan, exact=lambda: exact_of(plan), **doors)

    assert applicant(plan.key, doors["ledger"].entries()).finest_resolution == max(plan.product.resolutions)


def test_what_a_card_claims_is_the_most_that_one_month_is_charged(plan):
    privacy, most = plan.card["privacy"], max(charge.micro_rho for charge in plan.charges)

    assert privacy.get("most_micro_rho", privacy["micro_rho"]) == most
    assert [told["epsilon"] for told in privacy["epsilon"]] == [
        mechanisms.epsilon(most, told["delta"]) for told in privacy["epsilon"]
    ]
    assert ("or in another privacy month" in plan.card["unit_of_privacy"]) == (len(plan.charges) > 1)


def test_who_approves_a_release_is_told_the_most_that_a_month_is_charged(plan, doors):
    made = release(plan, exact=lambda: exact_of(plan), **doors)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(approval_view(made, applicant(plan.key, doors["ledger"].entries()), rows=3))

    assert f"{max(charge.micro_rho for charge in plan.charges):,} micro-rho: epsilon" in console.export_text()


@pytest.mark.parametrize("product", ["relocations", "migration"])
def test_moves_count_each_subscriber_once_and_in_full(product):
    plan = plan_of(product)

    assert {bound.squared for bound in plan.bounds} == {plan.fixed_point**2}
    assert plan.card["privacy"]["clipping_bias"].startswith("nothing")
    assert np.isclose(plan.sigma(0) / plan.fixed_point, (2e-6 * plan.product.levels[0].micro_rho) ** -0.5)
