"""Privacy months tile time, and days, weeks and months nest in them."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.unit import Charge, Period, PeriodKind, PrivacyMonth
from schemas.errors import ConfigError, PrivacyError

DAYS = st.dates(date(1990, 1, 1), date(2120, 12, 31))
MONTHS = DAYS.map(PrivacyMonth.of)
PERIODS = st.builds(Period.of, st.sampled_from(PeriodKind), DAYS)


@given(MONTHS)
def test_months_follow_each_other_without_gap_or_overlap(month):
    assert month.next().first_day == month.last_day + timedelta(days=1)


@given(DAYS)
def test_a_day_lies_in_the_month_that_it_belongs_to(day):
    month = PrivacyMonth.of(day)

    assert month.first_day <= day <= month.last_day
    assert day in month.days


@given(MONTHS)
def test_a_month_is_the_iso_weeks_whose_thursday_falls_in_the_calendar_month(month):
    thursdays = [week.first_day + timedelta(days=3) for week in month.weeks]

    assert len(month.weeks) in {4, 5}
    assert {(day.year, day.month) for day in thursdays} == {(month.year, month.month)}
    assert [day for week in month.weeks for day in week.days] == list(month.days)


@given(MONTHS)
def test_two_months_in_a_row_have_nine_weeks_at_most(month):
    assert len(month.weeks) + len(month.next().weeks) <= 9


@given(PERIODS)
def test_a_period_lies_in_one_privacy_month(period):
    assert {PrivacyMonth.of(day) for day in period.days} == {period.privacy_month}


@given(PERIODS)
def test_the_text_of_a_period_reads_back_as_the_same_period(period):
    assert Period.parse(str(period)) == period


@given(PERIODS)
def test_a_period_counts_its_days(period):
    assert period.n_days == len(period.days)
    assert (period.days[0], period.days[-1]) == (period.first_day, period.last_day)


@given(MONTHS, st.integers(-300, 300))
def test_counting_months_there_and_back_ends_where_it_began(month, n):
    assert month.next(n).next(-n) == month
    assert PrivacyMonth.parse(str(month)) == month


@pytest.mark.parametrize(
    ("text", "first_day", "last_day", "month"),
    [
        ("2026-03-02", date(2026, 3, 2), date(2026, 3, 2), "2026-03"),
        ("2026-W10", date(2026, 3, 2), date(2026, 3, 8), "2026-03"),
        ("2026-03", date(2026, 3, 2), date(2026, 3, 29), "2026-03"),
        ("2026-W01", date(2025, 12, 29), date(2026, 1, 4), "2026-01"),  # begins in the year before
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 3), "2026-12"),  # ends in the year after
        ("2027-01-03", date(2027, 1, 3), date(2027, 1, 3), "2026-12"),
        ("2020-W53", date(2020, 12, 28), date(2021, 1, 3), "2020-12"),
        ("2024-02-29", date(2024, 2, 29), date(2024, 2, 29), "2024-02"),
    ],
)
def test_a_period_reads_as_the_calendar_has_it(text, first_day, last_day, month):
    period = Period.parse(text)

    assert (period.first_day, period.last_day) == (first_day, last_day)
    assert str(period.privacy_month) == month


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-00", "2026-W00", "2025-W53", "2026-W54", "2026-02-29", "20260302",
     "2026-W10-1", "2026-3", "2026-03-02 ", "0001-01", "٢٠٢٦-03", "week 10"],
)  # fmt: skip
def test_what_the_calendar_does_not_have_is_refused(text):
    with pytest.raises(ConfigError) as refusal:
        Period.parse(text)

    assert refusal.value.expected
    assert refusal.value.remedy


def test_a_week_that_begins_on_a_tuesday_cannot_be_made():
    with pytest.raises(ConfigError, match="2026-03-02"):
        Period(PeriodKind.WEEK, date(2026, 3, 3))


@pytest.mark.parametrize("micro_rho", [0, -1, 0.5, 1.0, True])
def test_a_charge_is_a_whole_number_above_zero(micro_rho):
    with pytest.raises(PrivacyError):
        Charge("routine", "2026-03", micro_rho)


def test_a_charge_names_a_month_of_the_calendar():
    with pytest.raises(ConfigError):
        Charge("routine", "2026-W10", 1)
