"""The gate before releases: a day is compared with the released counts of its weekday, noise considered."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.completeness import judged, require_complete
from jobs.publish.situation.estimate import Estimate
from privacy.policy import GatePolicy
from schemas.errors import QualityGateError

DAY = date(2026, 3, 30)
GATE = GatePolicy(least_share=0.7, look_back_weeks=4, least_weeks=2)


def counts(*weeks, sd=10.0):
    """Released counts of a weekday: that of the day itself first, then those of the weeks before; none where None."""
    return {DAY - timedelta(weeks=n): Estimate(value, sd) for n, value in enumerate(weeks) if value is not None}


def word(*weeks, sd=10.0):
    """What the gate says of the first."""
    (verdict,) = judged([DAY], counts(*weeks, sd=sd), GATE)
    return verdict.word


def test_a_day_is_incomplete_where_its_whole_interval_lies_below_the_least_share_of_the_usual():
    assert word(1_000, 1_000, 1_000) == "complete"
    assert word(600, 1_000, 1_000) == "incomplete"
    assert word(690, 1_000, 1_000) == "complete"  # 690 ± 24 reaches 700


def test_the_usual_is_a_median_so_that_one_bad_week_does_not_lower_it():
    assert word(600, 1_000, 5, 1_000, 1_000) == "incomplete"


def test_a_day_with_too_few_released_weeks_before_it_is_not_judged():
    assert word(5, 1_000) == "not judged"
    assert word(5, 1_000, None, None, None) == "not judged"
    assert word(5, 1_000, None, 1_000) == "incomplete"


def test_weeks_beyond_the_look_back_do_not_count():
    assert word(5, None, None, None, 1_000, 1_000) == "not judged"


def test_days_are_compared_with_their_own_weekday_only():
    released = counts(1_000, 1_000, 1_000) | {DAY - timedelta(days=n): Estimate(9_000.0, 1.0) for n in (1, 2, 8, 9)}
    assert [verdict.word for verdict in judged([DAY], released, GATE)] == ["complete"]


def test_the_refusal_names_the_days_and_no_count():
    verdicts = judged([DAY], counts(123, 4_567, 4_567), GATE)
    with pytest.raises(QualityGateError, match="2026-03-30") as refused:
        require_complete(verdicts)
    assert "123" not in str(refused.value) and "567" not in str(refused.value)


@given(st.floats(0, 5_000), st.lists(st.floats(1, 5_000), min_size=2, max_size=4), st.floats(1, 2_000))
def test_more_noise_never_turns_a_complete_day_into_an_incomplete_one(today, before, more):
    if word(today, *before, sd=1.0) == "complete":
        assert word(today, *before, sd=1.0 + more) == "complete"
