"""The shipped policy says what the design says, and a policy that contradicts itself is refused."""

import hashlib
from collections import Counter
from datetime import date, timedelta

import pytest

from privacy.policy import SHIPPED, Policy
from privacy.unit import Charge, Period, PeriodKind, PrivacyMonth
from schemas.errors import ConfigError, PrivacyError

SHIPPED_TEXT = SHIPPED.read_text(encoding="utf-8")


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        path = tmp_path / "policy.toml"
        path.write_text(text, encoding="utf-8")
        return Policy.load(path)

    return load_text


def changed(old, new):
    assert SHIPPED_TEXT.count(old) == 1, old
    return SHIPPED_TEXT.replace(old, new)


def charges(name, period):
    product = Policy.load().product(name, Period.parse(period).kind)
    return {charge.privacy_month: charge.micro_rho for charge in product.charges(Period.parse(period))}


def test_the_weekly_od_splits_its_loss_and_bounds_over_three_levels():
    weekly = Policy.load().product("od_trips", PeriodKind.WEEK)

    assert weekly.micro_rho == 23_000
    assert [(level.resolution, level.micro_rho, level.c2) for level in weekly.levels] == [
        (4, 2_300, 6.0),
        (5, 3_450, 3.0),
        (6, 17_250, 1.0),
    ]
    assert (weekly.expand_sigma, weekly.publish_sigma) == (3.0, 2.0)


def test_the_digest_is_that_of_the_files_bytes(load):
    assert Policy.load().sha256 == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert load(SHIPPED_TEXT + "# one more comment\n").sha256 != Policy.load().sha256


def test_every_product_of_the_design_is_released():
    policy = Policy.load()

    assert {p.product for p in policy.products if p.releases} == {
        "od_trips",
        "contribution_histogram",
        "presence",
        "roaming",
        "home_visits",
        "residents",
        "relocations",
        "churn",
        "migration",
        "active_subscribers",
    }
    assert [event.product for event in policy.events] == ["displacement"]
    assert policy.caps == {"routine": 250_000, "emergency": 250_000}


def test_a_product_that_is_not_released_needs_no_way_of_measuring_and_keeps_its_share(load):
    presence = SHIPPED_TEXT.split('product = "presence"')[1].split("[[products]]")[0]
    unbuilt = presence[: presence.index("tables = [")].replace("releases = true", "releases = false")
    policy = load(SHIPPED_TEXT.replace(presence, unbuilt))

    assert policy.product("presence", PeriodKind.WEEK).charges(Period.parse("2026-W10")) == (
        Charge("routine", "2026-03", 5_000),
    )


def test_a_release_charges_every_month_that_it_depends_on():
    assert charges("od_trips", "2026-W10") == {"2026-03": 23_000}
    assert charges("home_visits", "2026-W10") == {"2026-03": 1_800, "2026-02": 3_600}
    assert charges("relocations", "2026-03") == {"2026-03": 8_000, "2026-02": 8_000}
    assert charges("churn", "2026-03") == {"2026-03": 1_000, "2026-02": 1_000}


def test_the_most_that_a_month_is_charged_is_that_of_the_charges():
    policy = Policy.load()

    for product in policy.products:
        (period, *_) = product.periods(PrivacyMonth(2027, 12))
        assert product.most_micro_rho == max(charge.micro_rho for charge in product.charges(period))
    assert policy.product("home_visits", PeriodKind.WEEK).most_micro_rho == 3_600


def test_a_yearly_migration_charges_two_years_twice():
    migration = charges("migration", "2027-12")

    assert migration == {str(PrivacyMonth(2026, 1).next(n)): 6_000 for n in range(24)}


def test_products_are_scheduled_by_day_week_month_and_year():
    policy, march, december = Policy.load(), PrivacyMonth(2026, 3), PrivacyMonth(2026, 12)

    assert len(policy.product("od_trips", PeriodKind.DAY).periods(december)) == 35
    assert policy.product("od_trips", PeriodKind.WEEK).periods(march) == march.weeks
    assert policy.product("migration", PeriodKind.MONTH).periods(march) == ()
    assert policy.product("migration", PeriodKind.MONTH).periods(december) == (december.period,)


def test_an_event_charges_its_baseline_once_a_release_and_its_follow_up_twice():
    (displacement,) = Policy.load().events
    onset = PrivacyMonth(2026, 4).first_day  # five weeks: 14 days, 3 weeks, and two weeks of the next month look back

    by_month = {charge.privacy_month: charge for charge in displacement.charges(onset)}

    assert by_month["2026-03"] == Charge("emergency", "2026-03", 39 * 6_400)
    assert by_month["2026-04"] == Charge("emergency", "2026-04", 19 * 2 * 6_400)
    assert len(displacement.periods(onset)) == 39
    assert displacement.periods(onset)[1].first_day == date(2026, 3, 30)


@pytest.mark.parametrize("onset", [date(2026, 3, 30) + timedelta(n) for n in range(7)])
def test_an_events_first_release_is_the_last_week_that_ended_before_it(onset):
    (displacement,) = Policy.load().events

    first, second, *_ = displacement.periods(onset)

    assert first.kind is PeriodKind.WEEK
    assert first.last_day < onset <= first.last_day + timedelta(7)
    assert second.first_day == onset


@pytest.mark.parametrize("first", [date(2025, 12, 1), date(2026, 6, 15), date(2028, 2, 14)])
def test_an_event_charges_every_month_that_any_of_its_releases_can_depend_on(first):
    """By brute force: the months of a release are those of the days that it reads, eight before its own included."""
    policy = Policy.load()
    (displacement,) = policy.events

    for onset in (first + timedelta(n) for n in range(42)):
        baseline, expected = PrivacyMonth.of(onset).next(-1), Counter()
        for release in displacement.schedule(onset):
            read = {release.period.first_day - timedelta(back) for back in range(9)} | {*release.period.days}
            months = {PrivacyMonth.of(day) for day in read}
            expected.update({str(month): 2 * displacement.micro_rho for month in months - {baseline}})
            expected[str(baseline)] += displacement.micro_rho
            assert {charge.privacy_month for charge in release.charges} == {*map(str, months | {baseline})}
        assert {charge.privacy_month: charge.micro_rho for charge in displacement.charges(onset)} == expected
        assert max(expected.values()) <= policy.caps["emergency"]


def test_a_period_that_no_schedule_holds_has_no_charge():
    (displacement,) = Policy.load().events

    with pytest.raises(PrivacyError, match=r"No release of displacement .*Expected: 2026-W13, 2026-03-30"):
        displacement.scheduled(date(2026, 3, 30), Period.parse("2026-W12"))


def test_a_product_after_events_is_found_by_name():
    policy = Policy.load()

    assert policy.event("displacement") is policy.events[0]
    with pytest.raises(PrivacyError, match="Expected: displacement"):
        policy.event("presence")


def test_resolutions_are_those_of_levels_or_tables_from_coarse_to_fine():
    policy = Policy.load()

    assert policy.product("od_trips", PeriodKind.DAY).resolutions == (4, 5)
    assert policy.product("residents", PeriodKind.MONTH).resolutions == (4, 5, 6)
    assert policy.event("displacement").resolutions == (5, 6)
    assert policy.product("contribution_histogram", PeriodKind.MONTH).resolutions == ()


def test_an_unknown_product_is_refused_with_a_list_of_those_that_exist():
    with pytest.raises(PrivacyError, match="od_trips by week"):
        Policy.load().product("od_trips", PeriodKind.MONTH)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("micro_rho = 17_250", "micro_rho = 17_251", "add up to 23001"),
        ("c2 = 3.0", "c2 = 0.0", "greater than 0"),
        ("c2 = 3.0", "c2 = nan", "c2"),
        ("c2 = 3.0", "c2 = inf", "finite"),
        ("c2 = 3.0", 'c2 = "3.0"', "c2"),
        ("c2 = 3.0", "c2 = 3.0, c1 = 1.0", "c1"),
        ("micro_rho = 4_000, c2 = 4.0", "micro_rho = 4_001, c2 = 4.0", "tables' micro_rho add up to 5001"),
        ("micro_rho = 4_500, c2 = 1.0", "micro_rho = 4_500, c2 = 2.0", "residents counts each subscriber once"),
        ("micro_rho = 400, c2 = 1.0", "micro_rho = 400, c2 = 0.5", "migration counts each subscriber once"),
        ('by = ["zone"], resolution = 4, micro_rho = 1_000', 'by = ["zone"], micro_rho = 1_000', "lacks a resolution"),
        ("by = [], micro_rho = 20", "by = [], resolution = 4, micro_rho = 20", "without zones"),
        ('by = ["zone"], resolution = 5, micro_rho = 50', 'by = ["bin"], micro_rho = 50', "no table by bin"),
        ("resolution = 5, micro_rho = 50,", "resolution = 4, micro_rho = 50,", "a table twice"),
        ('by = ["zone", "bin"], resolution = 4', 'by = ["zone"], resolution = 4', "by all of them"),
        ('by = ["zone", "bin", "sim_country"]', 'by = ["zone", "sim_country"]', "is by bin, zone, by all of them"),
        ('by = ["visited_country"], micro', 'by = ["sim_country", "visited_country"], micro', "by nothing else"),
        ("micro_rho = 360, c2 = 1.0", "micro_rho = 360, c2 = 2.0", "roaming counts each subscriber once"),
        ('sim_countries = ["CN",', 'sim_countries = ["C",', "C is no ISO 3166-1 alpha-2 code"),
        ('sim_countries = ["CN",', 'sim_countries = ["CN", "CN",', "a country is listed twice"),
        ('by = ["sex", "age_band"]', 'by = ["sex", "sex"]', "one of them twice"),
        ('by = ["home", "location"]', 'by = ["home", "zone"]', "no table by zone"),
        ("grid = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]\n",
         "grid = [0.25]\ntables = [{ by = [], micro_rho = 1_250, c2 = 1.0 }]\n", "has no table by zones"),
        ('releases = true\ndefinition_id = "presence/1"', 'releases = true\ngrid = [1.0]\ndefinition_id = "presence/1"',
         "presence is measured by tables, not by tables and grid"),
        ("weekly_before = 1", "weekly_before = -1", "weekly_before"),
        ("max_gap_h = 24.0", "max_gap_h = -1.0", "max_gap_h"),
        ("micro_rho = 1_250\n", "micro_rho = 0\n", "micro_rho"),
        ("micro_rho = 1_250\n", "micro_rho = 1250.0\n", "micro_rho"),
        ("[pools.emergency]", "[pools.urgent]", "unknown pool emergency"),
        ('product = "presence"', 'product = "residents"\nkind = "month"', "not TOML"),
        ("calendar_months = [12]", "calendar_months = [13]", "calendar_months"),
        ("months_back = [0, 23]", "months_back = [23, 0]", "months_back"),
        ("months_back = [0, 23]", "months_back = [-1, 0]", "months_back"),
        ("{ months_back = [0, 1], factor = 2 }", "{ months_back = [0, 1], factor = 3 }", "factor"),
        ("{ resolution = 5, micro_rho = 3_450, c2 = 3.0 }", "{ resolution = 4, micro_rho = 3_450, c2 = 3.0 }",
         "coarse to fine"),
        ("grid = [0.25, 0.5,", "grid = [0.5, 0.5,", "multiples of 1/8 that rise"),
        ("grid = [0.25, 0.5,", "grid = [0.25, 0.3,", "multiples of 1/8 that rise"),
        ("grid = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0]\n", "", "needs a grid"),
        ("fresh_days = 30", "fresh_days = -1", "fresh_days"),
        ("[sensitivity]\n", "[sensitivity]\nother = 1\n", "other"),
        ("version = 1\n", "version = 2\n", "version"),
        ("version = 1\n", 'version = 1\nsha256 = "forged"\n', "sha256"),
    ],
)  # fmt: skip
def test_a_policy_that_contradicts_itself_is_refused(load, old, new, complaint):
    with pytest.raises(ConfigError, match=complaint) as refusal:
        load(changed(old, new))

    assert refusal.value.expected
    assert refusal.value.remedy


def test_who_is_counted_as_a_resident_is_followed_after_an_event(load):
    assert load(changed("min_home_nights = 3", "min_home_nights = 7")).away.min_home_nights == 7
    with pytest.raises(ConfigError, match="min_home_nights of away is at most 7, the min_nights of residence"):
        load(changed("min_home_nights = 3", "min_home_nights = 8"))


def test_a_product_declared_twice_is_refused(load):
    residents = SHIPPED_TEXT[SHIPPED_TEXT.index('[[products]]\nproduct = "residents"') :].split("\n# ")[0]

    with pytest.raises(ConfigError, match="declared twice: residents month"):
        load(SHIPPED_TEXT + residents)


def test_levels_without_cuts_are_refused(load):
    with pytest.raises(ConfigError, match="expand_sigma"):
        load(SHIPPED_TEXT.replace("publish_sigma = 2.0\n", ""))


def test_a_missing_policy_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        Policy.load(tmp_path / "none.toml")


HOME_VISITS_CHARGED = "charged = [{ factor = 1 }, { months_back = [1, 1], factor = 2 }]"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (HOME_VISITS_CHARGED, "charged = [{ factor = 1 }]", "home_visits depends on the month 1 back"),
        (HOME_VISITS_CHARGED, "charged = [{ months_back = [1, 1], factor = 2 }]", "home_visits depends on the month 0"),
        ("months_back = [0, 23], factor = 2", "months_back = [0, 23], factor = 1", "charges it 1 times: 2 at least"),
        ("months_back = [0, 23], factor = 2", "months_back = [1, 23], factor = 2", "migration depends on the month 0"),
        ("months_back = [0, 23], factor = 2", "months_back = [0, 22], factor = 2", "an even number of months"),
        ("follow_up_factor = 2", "follow_up_factor = 1", "away becomes silent"),
        ("carry_forward_nights = 7", "carry_forward_nights = 14", "look_back_days of displacement is at least 15"),
    ],
)
def test_a_policy_that_does_not_charge_what_its_products_look_at_is_refused(load, old, new, message):
    with pytest.raises(ConfigError, match=message):
        load(changed(old, new))


def test_an_event_charges_every_month_that_a_long_look_back_crosses(load):
    event = load(changed("look_back_days = 8", "look_back_days = 80")).events[0]
    onset = date(2026, 6, 10)
    release = event.schedule(onset)[-1]

    days = [release.period.last_day - timedelta(n) for n in range(7 + 80)]
    assert {charge.privacy_month for charge in release.charges} == {str(PrivacyMonth.of(day)) for day in days} | {
        str(PrivacyMonth.of(onset).next(-1))
    }
