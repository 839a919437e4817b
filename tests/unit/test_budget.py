"""Two years of the policy fit their pools, to the last micro-rho; a policy that does not fit is refused."""

from dataclasses import replace

import pytest

from privacy.budget import five_week_ceiling, plan, simulate
from privacy.policy import Policy, PoolPolicy
from privacy.unit import PeriodKind, PrivacyMonth
from schemas.errors import BudgetExceededError

JANUARY = PrivacyMonth(2026, 1)


def test_the_ceiling_of_a_five_week_month_is_the_designs_table():
    ceiling = five_week_ceiling(Policy.load())

    assert {(charge.product, charge.kind): charge.micro_rho for charge in ceiling} == {
        ("od_trips", "week"): 115_000,
        ("od_trips", "day"): 35_000,
        ("presence", "week"): 25_000,
        ("home_visits", "week"): 30_000,
        ("residents", "month"): 10_000,
        ("relocations", "month"): 16_000,
        ("migration", "month"): 12_000,
        ("active_subscribers", "day"): 3_500,
        ("contribution_histogram", "month"): 1_250,
    }
    assert sum(charge.micro_rho for charge in ceiling) == 247_750


def test_a_five_week_month_serves_as_home_to_the_four_weeks_after_it():
    january = plan(Policy.load(), JANUARY)[0]

    assert january.n_weeks == 5
    assert {c.product: c.micro_rho for c in january.charges}["home_visits"] == 5 * 2_000 + 4 * 4_000
    assert january.pools[0].charged_micro_rho == 243_750


def test_a_four_week_month_before_a_five_week_month_serves_as_home_to_five_weeks():
    march = plan(Policy.load(), PrivacyMonth(2026, 3))[0]

    assert march.n_weeks == 4
    assert {c.product: c.micro_rho for c in march.charges}["home_visits"] == 4 * 2_000 + 5 * 4_000


@pytest.mark.parametrize("year", [2024, 2030, 2040])
def test_no_month_exceeds_the_ceiling(year):
    ceiling = [charge.micro_rho for charge in five_week_ceiling(Policy.load())]

    for month in plan(Policy.load(), PrivacyMonth(year, 1), months=36):
        routine = [charge.micro_rho for charge in month.charges if charge.pool == "routine"]
        assert all(charged <= most for charged, most in zip(routine, ceiling, strict=True))


def test_the_plan_shows_twenty_four_months_in_order():
    calendar = plan(Policy.load(), JANUARY)

    assert [month.month for month in calendar] == [JANUARY.next(n) for n in range(24)]
    assert {month.n_weeks for month in calendar} == {4, 5}


def test_the_last_month_is_charged_for_releases_after_the_calendar():
    last, before = (plan(Policy.load(), JANUARY, months=n)[-1].charges for n in (1, 13))

    assert {c.product: c.micro_rho for c in last}["migration"] == 12_000
    assert {c.product: c.micro_rho for c in before}["relocations"] == 16_000


def test_an_event_at_its_worst_date_fits_the_emergency_pool():
    for month in plan(Policy.load(), JANUARY):
        emergency = month.pools[1]
        assert (emergency.pool, emergency.charged_micro_rho) == ("emergency", 247_000)


def test_a_policy_over_the_cap_is_refused_by_pool_and_month():
    policy = Policy.load()
    tight = replace(policy, pools={**policy.pools, "routine": PoolPolicy(cap_micro_rho=243_749)})

    with pytest.raises(BudgetExceededError, match="routine of 2026-01") as refusal:
        plan(tight, JANUARY)

    assert "243750" in refusal.value.found
    assert "243749" in refusal.value.expected
    assert refusal.value.remedy


def test_a_policy_exactly_at_the_cap_is_not():
    policy = Policy.load()
    exact = replace(policy, pools={**policy.pools, "routine": PoolPolicy(cap_micro_rho=243_750)})

    assert plan(exact, JANUARY)[0].pools[0].left_micro_rho == 0


def test_a_refused_policy_can_still_be_shown():
    policy = Policy.load()
    tight = replace(policy, pools={**policy.pools, "emergency": PoolPolicy(cap_micro_rho=1)})

    assert simulate(tight, JANUARY, months=1)[0].pools[1].left_micro_rho == 1 - 247_000


def test_the_simulation_charges_what_each_release_will_charge():
    policy = Policy.load()
    weekly = policy.product("home_visits", PeriodKind.WEEK)
    by_hand = sum(
        charge.micro_rho
        for month in (JANUARY, JANUARY.next())
        for period in weekly.periods(month)
        for charge in weekly.charges(period)
        if charge.privacy_month == str(JANUARY)
    )

    assert {c.product: c.micro_rho for c in plan(policy, JANUARY)[0].charges}["home_visits"] == by_hand
