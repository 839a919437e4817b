"""Two years of the policy fit their pools, to the last micro-rho; a policy that does not fit is refused."""

import io
import json
from dataclasses import replace
from datetime import date
from functools import cache

import h3
import pytest
from rich.console import Console

from jobs.budget_calendar import calendar_json, calendar_view
from jobs.releases import Desk
from privacy.budget import five_week_ceiling, months_to_show, plan, simulate, tightest
from privacy.policy import SHIPPED, Policy, PoolPolicy
from privacy.unit import PeriodKind, PrivacyMonth
from schemas.errors import BudgetExceededError
from tests.installations import installation, plan_over

CELLS = h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 1)
JANUARY = PrivacyMonth(2026, 1)


def test_the_ceiling_of_a_five_week_month_is_the_designs_table():
    ceiling = five_week_ceiling(Policy.load())

    assert {(charge.product, charge.kind): charge.micro_rho for charge in ceiling} == {
        ("od_trips", "week"): 115_000,
        ("od_trips", "day"): 35_000,
        ("presence", "week"): 25_000,
        ("roaming", "week"): 3_000,
        ("home_visits", "week"): 27_000,
        ("residents", "month"): 10_000,
        ("relocations", "month"): 16_000,
        ("churn", "month"): 2_000,
        ("migration", "month"): 12_000,
        ("active_subscribers", "day"): 3_500,
        ("contribution_histogram", "month"): 1_250,
    }
    assert sum(charge.micro_rho for charge in ceiling) == 249_750


def test_a_five_week_month_serves_as_home_to_the_four_weeks_after_it():
    january = plan(Policy.load(), JANUARY)[0]

    assert january.n_weeks == 5
    assert {c.product: c.micro_rho for c in january.charges}["home_visits"] == 5 * 1_800 + 4 * 3_600
    assert january.pools[0].charged_micro_rho == 246_150


def test_a_four_week_month_before_a_five_week_month_serves_as_home_to_five_weeks():
    march = plan(Policy.load(), PrivacyMonth(2026, 3))[0]

    assert march.n_weeks == 4
    assert {c.product: c.micro_rho for c in march.charges}["home_visits"] == 4 * 1_800 + 5 * 3_600


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
        assert (emergency.pool, emergency.charged_micro_rho) == ("emergency", 249_600)


def test_a_policy_over_the_cap_is_refused_by_pool_and_month():
    policy = Policy.load()
    tight = replace(policy, pools={**policy.pools, "routine": PoolPolicy(cap_micro_rho=246_149)})

    with pytest.raises(BudgetExceededError, match="routine of 2026-01") as refusal:
        plan(tight, JANUARY)

    assert "246150" in refusal.value.found
    assert "246149" in refusal.value.expected
    assert refusal.value.remedy


def test_a_policy_exactly_at_the_cap_is_not():
    policy = Policy.load()
    exact = replace(policy, pools={**policy.pools, "routine": PoolPolicy(cap_micro_rho=246_150)})

    assert plan(exact, JANUARY)[0].pools[0].left_micro_rho == 0


def test_a_refused_policy_can_still_be_shown():
    policy = Policy.load()
    tight = replace(policy, pools={**policy.pools, "emergency": PoolPolicy(cap_micro_rho=1)})

    assert simulate(tight, JANUARY, months=1)[0].pools[1].left_micro_rho == 1 - 249_600


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


def test_an_event_of_a_day_charges_the_calendar_what_the_ledger_books_when_it_is_opened():
    policy, onset = Policy.load(), date(2026, 5, 12)
    calendar = plan(policy, *months_to_show(policy, JANUARY, 12, [onset]), [onset])
    booked = {charge.privacy_month: charge.micro_rho for charge in policy.events[0].charges(onset)}

    assert {str(m.month): m.pools[1].charged_micro_rho for m in calendar if m.pools[1].charged_micro_rho} == booked
    assert booked["2026-04"] == 39 * 6_400  # the baseline: every release


def test_a_second_event_over_the_same_months_is_refused_and_one_long_after_is_not():
    policy, may = Policy.load(), date(2026, 5, 12)

    with pytest.raises(BudgetExceededError, match="emergency of 2026-11") as refusal:
        plan(policy, JANUARY, 24, [may, date(2026, 12, 1)])
    assert "second event" in refusal.value.remedy
    assert plan(policy, JANUARY, 24, [may, date(2027, 3, 1)])


@pytest.mark.parametrize("month", range(1, 13))
def test_no_event_charges_a_month_more_than_the_worst_that_the_plan_shows(month):
    policy, onset = Policy.load(), date(2026, month, 28)
    worst = {m.month: m.pools[1].charged_micro_rho for m in simulated_once()}

    for shown in simulate(policy, JANUARY, 24, [onset]):
        assert shown.pools[1].charged_micro_rho <= worst[shown.month]


@cache
def simulated_once():
    return simulate(Policy.load(), JANUARY, 24)


def test_a_calendar_shows_every_month_that_an_event_charges():
    policy = Policy.load()

    assert months_to_show(policy, JANUARY, 3, []) == (JANUARY, 3)
    assert months_to_show(policy, PrivacyMonth(2026, 5), 1, [date(2026, 5, 12)]) == (PrivacyMonth(2026, 4), 8)


def test_the_tightest_month_is_the_one_with_least_left_by_pool():
    calendar = simulate(Policy.load(), JANUARY, 12, [date(2026, 5, 12)])

    assert tightest(calendar) == {"routine": JANUARY, "emergency": PrivacyMonth(2026, 4)}
    assert tightest(calendar[1:]) == {"routine": PrivacyMonth(2026, 4), "emergency": PrivacyMonth(2026, 4)}


def test_the_calendar_fits_eighty_columns_and_marks_the_tightest_months():
    calendar = simulated_once()
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(calendar_view(calendar, [("routine", 250_000, 1e-6, 3.54)], None))
    lines = console.export_text().splitlines()

    assert all(f"{month.month}" in " ".join(lines) for month in calendar)
    assert sum(line.count("◄") for line in lines) == 2 + 1  # one a pool, and the legend
    assert not [line for line in lines if "…" in line]


def test_the_calendar_as_json_says_the_same():
    onset = date(2026, 5, 12)
    calendar = simulate(Policy.load(), JANUARY, 12, [onset])
    told = json.loads(json.dumps(calendar_json(calendar, [("routine", 250_000, 1e-6, 3.54)], [onset])))

    assert told["events"] == ["2026-05-12"]
    assert told["tightest"] == {"routine": "2026-01", "emergency": "2026-04"}
    assert [month["month"] for month in told["months"]] == [str(month.month) for month in calendar]
    assert told["months"][3]["pools"][1] == {
        "pool": "emergency",
        "charged_micro_rho": 249_600,
        "cap_micro_rho": 250_000,
        "left_micro_rho": 400,
    }
    assert sum(p["micro_rho"] for p in told["months"][0]["products"]) == 246_150


def test_nothing_is_released_under_a_policy_whose_pools_do_not_add_up(tiny_country, tmp_path):
    shipped = SHIPPED.read_text()
    greedy = tmp_path / "policy.toml"
    residents = shipped.replace("micro_rho = 10_000", "micro_rho = 20_000")
    greedy.write_text(residents.replace("resolution = 6, micro_rho = 4_500,", "resolution = 6, micro_rho = 14_500,"))
    assert greedy.read_text() != shipped
    config = installation(tmp_path / "operator", cells=tiny_country.folder / "cells.csv", policy=greedy)
    desk = Desk.of(config)

    with pytest.raises(BudgetExceededError, match=r"routine of 2026-04"):
        desk.release(plan_over(CELLS), refuse_to_open)
    assert desk.ledger.entries() == ()


def refuse_to_open():
    raise AssertionError("an engine was asked for")
