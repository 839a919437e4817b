"""Products that count subscribers against naive implementations, and what one subscriber or month can change."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.population import months_read, windows
from privacy.bounding import EVERYTHING
from privacy.places import Guard
from privacy.unit import PrivacyMonth
from schemas.subscriber_days import NOT_AVAILABLE
from tests.oracle.population import naive_totals
from tests.populations import MONTHS, PERIODS, PLANS, POLICY, plan_of, population, totals_of
from tests.properties.walks import CELLS, through_the_engine

PRODUCTS = sorted(PLANS)


seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("product", PRODUCTS)
@through_the_engine(3)
@given(seed=seeds)
def test_totals_are_those_of_the_definition(engines, product, seed):
    days, strata = population(seed)
    plan = plan_of(product)
    with engines("sail") as session:
        assert totals_of(session, days, plan, strata=strata) == naive_totals(days, strata, plan, POLICY)


WITHHELD = Guard(withheld=(CELLS[1], CELLS[4]))


@pytest.mark.parametrize("product", PRODUCTS)
def test_both_engines_find_the_totals_of_the_definition_with_places_withheld(engine, product):
    days, strata = population(7, people=40)
    plan = plan_of(product, guard=WITHHELD)

    found = totals_of(engine, days, plan, strata=strata)

    assert found == naive_totals(days, strata, plan, POLICY)
    assert len(found) > 4


def distances(one, other, plan):
    """Squared L2 distance of two vectors of totals under each bound of a plan."""
    moved = {key: one.get(key, 0) - other.get(key, 0) for key in one.keys() | other.keys()}
    for level, bound in enumerate(plan.bounds):
        rolled = {}
        for key, change in moved.items():
            coarse = 0 if bound.key == EVERYTHING else at_level(key, level, plan)
            rolled[coarse] = rolled.get(coarse, 0) + change
        yield sum(change * change for change in rolled.values()), bound


def at_level(key, level, plan):
    """The key of a level in which a finest key lies."""
    if len(plan.keys) == 1:
        return key
    finest = len(plan.zones.levels) - 1
    above = {
        int(f): int(c) for f, c in zip(plan.zones.base_to_level[finest], plan.zones.base_to_level[level], strict=True)
    }
    if plan.key.product == "presence":
        zone, number = divmod(key // plan.n_countries, 6)
        return key if level == len(plan.bounds) - 1 else above[zone] * 6 + number
    n, coarser = len(plan.zones.levels[finest].zones), len(plan.zones.levels[level].zones)
    return above[key // n] * coarser + above[key % n]


def without(days, who, month=None):
    return {key: points for key, points in days.items() if key[0] != who or (month and key[1] not in month.days)}


@pytest.mark.parametrize("product", PRODUCTS)
@through_the_engine(2)
@given(seed=seeds, who=st.integers(1, 6))
def test_removing_any_one_subscriber_moves_the_totals_by_at_most_each_bound(engines, product, seed, who):
    days, strata = population(seed)
    plan = plan_of(product)
    with engines("sail") as session:
        whole, rest = (totals_of(session, kept, plan, strata=strata) for kept in (days, without(days, who)))

    assert [bound.key for moved, bound in distances(whole, rest, plan) if moved > bound.squared] == []


@pytest.mark.parametrize("product", PRODUCTS)
@through_the_engine(2)
@given(seed=seeds, who=st.integers(1, 6), month=st.sampled_from([MONTHS[0].next(-1), *MONTHS]))
def test_removing_a_month_of_a_subscriber_moves_the_totals_by_no_more_than_is_charged(
    engines, product, seed, who, month
):
    """A month charged once may move them by the bound, one charged twice by sqrt(2) times it, and no other at all."""
    days, strata = population(seed, months=[MONTHS[0].next(-1), *MONTHS])
    plan = plan_of(product)
    charged = {charge.privacy_month: charge.micro_rho // plan.product.micro_rho for charge in plan.charges}
    with engines("sail") as session:
        whole, rest = (totals_of(session, kept, plan, strata=strata) for kept in (days, without(days, who, month)))

    most = charged.get(str(month), 0)
    assert [bound.key for moved, bound in distances(whole, rest, plan) if moved > most * bound.squared] == []


def everywhere(who):
    """Somebody who is seen in every cell in every hour of a week, and sleeps in one."""
    april = PrivacyMonth.parse("2026-04")
    march = april.next(-1)
    nights = {(who, day): [(0, 1)] for month in (march, april) for day in month.days}
    return nights | {(who, day): [(h * 3600, c) for h in range(24) for c in range(8)] for day in april.days[7:14]}


def with_narrow_bounds(policy):
    """The policy with bounds that somebody who is everywhere breaks, whatever the shipped ones are."""

    def narrowed(parts):
        return tuple(dataclasses.replace(part, c2=1.5) for part in parts)

    products = tuple(
        dataclasses.replace(product, levels=narrowed(product.levels), tables=narrowed(product.tables))
        if product.product in {"presence", "home_visits"}
        else product
        for product in policy.products
    )
    return dataclasses.replace(policy, products=products)


@pytest.mark.parametrize("product", ["presence", "home_visits"])
def test_who_is_everywhere_is_scaled_down_to_a_bound(sail, product):
    """The properties above can fail: without its weight, this subscriber breaks a bound."""
    plan = plan_of(product, policy=with_narrow_bounds(POLICY))
    found = totals_of(sail, everywhere(1), plan)

    reached = [moved / bound.squared for moved, bound in distances(found, {}, plan)]
    assert 0.98 <= max(reached) <= 1
    assert max(found.values()) % 1024


MORNING, NOON, EVENING = 25_200, 43_200, 68_400
FR, ZA = -250, -710


@pytest.mark.parametrize(
    ("points", "sim", "roams"),
    [
        ([(MORNING, 0), (EVENING, 4)], "FR", ("FR", 4)),  # a visitor, where the day ended
        ([(MORNING, 0)], "BE", ("other", 0)),
        ([(MORNING, 0)], "ZA", None),
        ([(MORNING, 0)], NOT_AVAILABLE, None),  # taken for the operator's own
        ([(MORNING, 0), (EVENING, FR)], "ZA", ("FR", None)),  # left during the day
        ([(EVENING, FR)], NOT_AVAILABLE, ("FR", None)),
        ([(MORNING, FR), (EVENING, 0)], "ZA", None),  # came home
        ([(NOON, FR), (NOON, 0)], "ZA", ("FR", None)),  # in one second: abroad
        ([(MORNING, 0), (EVENING, ZA)], "ZA", None),  # a network abroad that is not abroad
        ([(MORNING, FR), (EVENING, ZA)], "ZA", ("FR", None)),
        ([(MORNING, 0), (EVENING, FR)], "FR", ("FR", 0)),  # a visitor's network at home is none of ours
        ([(EVENING, FR)], "FR", None),
        ([(MORNING, 0)] * 201, "FR", None),  # a machine
    ],
)
def test_a_day_of_roaming_is_where_its_last_record_is(sail, points, sim, roams):
    plan = plan_of("roaming")
    day, n = plan.period.first_day, len(plan.zones.levels[-1].zones)
    strata = {(1, day): (NOT_AVAILABLE, NOT_AVAILABLE, sim)}

    found = totals_of(sail, {(1, day): points}, plan, strata=strata)

    expected = {}
    if roams:
        country, cell = roams
        place = n if cell is None else int(plan.zones.base_to_level[-1][cell])
        expected = {plan.countries.foreign.index(country) * (n + 1) + place: 1024}
    assert found == expected


def test_points_abroad_are_in_no_other_product(sail):
    days, strata = population(11, people=20)
    here = {key: [point for point in points if point[1] >= 0] for key, points in days.items()}
    days = {key: [(0, FR), *points, (86_399, FR)] for key, points in here.items()}
    for product in sorted(set(PRODUCTS) - {"roaming"}):
        plan = plan_of(product)
        assert totals_of(sail, days, plan, strata=strata) == totals_of(sail, here, plan, strata=strata)


def test_whoever_has_a_home_in_two_months_is_in_no_churn_and_without_one_of_them_in_one_row(sail):
    """So a month of it adds or takes one row: distance one, and each month is charged once."""
    march, april = MONTHS[-2:]
    homes = {
        (1, march): 0, (1, april): 0, (2, march): 1, (2, april): 4,  # stayed, moved
        (3, march): 2, (4, april): 3,  # of one month only
    }  # fmt: skip
    plan = plan_of("churn")
    zone = plan.zones.base_to_level[-1]

    def rows(kept):
        days = {(who, day): [(0, kept[who, month])] for who, month in kept for day in month.days}
        return {key: total / 1024 for key, total in totals_of(sail, days, plan).items()}

    appeared, silent = (lambda cell: int(zone[cell]) * 2), (lambda cell: int(zone[cell]) * 2 + 1)
    assert rows(homes) == {silent(2): 1, appeared(3): 1}
    rest = {key: cell for key, cell in homes.items() if key not in {(1, march), (2, april), (4, april)}}
    assert rows(rest) == {silent(2): 1, appeared(0): 1, silent(1): 1}
    assert {charge.micro_rho for charge in plan.charges} == {plan.product.micro_rho}


def test_a_product_reads_the_months_that_it_charges():
    for product in PRODUCTS:
        plan = plan_of(product)
        read = {str(month) for month in months_read(plan)} | {str(plan.period.privacy_month)}
        assert read == {charge.privacy_month for charge in plan.charges}, PERIODS[product]


def test_a_migration_compares_windows_of_half_the_months_charged():
    plan = plan_of("migration", policy=dataclasses.replace(POLICY))
    before, now = windows(plan)

    assert [str(month) for month in before] == ["2026-01", "2026-02"]
    assert [str(month) for month in now] == ["2026-03", "2026-04"]
