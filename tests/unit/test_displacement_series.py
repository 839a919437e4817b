"""What follows from an event's released figures: excess, stock checks, the curve of return and its half-life."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from jobs.publish.displacement_series import excess, returns, stock_checks
from jobs.publish.situation.estimate import Estimate
from jobs.publish.situation.figures import Moment
from privacy.unit import Period, PeriodKind

NOTHING = Estimate(0.0, 0.0)
FIRST = date(2026, 3, 10)


def moment(day, away, *, before=0.0, sd=0.0, kind=PeriodKind.DAY):
    """People away on a day counted from the first; nothing else of interest."""
    period = Period.of(kind, FIRST + timedelta(day))
    return Moment(
        period=period,
        before=Estimate(before, sd),
        home=NOTHING,
        away=Estimate(away, sd),
        silent=NOTHING,
        newly_away=NOTHING,
        reappeared=NOTHING,
        returned=NOTHING,
        lost=NOTHING,
    )


def test_excess_is_a_difference_of_released_values_whose_variances_add():
    above = excess(moment(0, 500.0, sd=3.0), Estimate(120.0, 4.0))
    assert (above.value, above.sd) == (380.0, 5.0)


def test_a_stock_that_two_releases_measure_agrees_within_noise_or_is_told():
    series = [
        moment(0, 100.0, sd=30.0),
        moment(1, 150.0, before=140.0, sd=30.0),
        moment(2, 90.0, before=400.0, sd=30.0),
    ]
    first, second = stock_checks(series)
    assert (first.difference.value, first.difference.sd) == (40.0, pytest.approx(30 * 2**0.5))
    assert first.holds
    assert not second.holds


def test_days_apart_and_weeks_are_not_compared():
    week = moment(7, 50.0, before=900.0, kind=PeriodKind.WEEK)
    assert (
        stock_checks([moment(0, 100.0), moment(2, 90.0, before=400.0), week, replace(week, period=week.period)]) == ()
    )


def test_the_return_share_falls_from_the_peak_and_its_half_life_lies_between_releases():
    usual = Estimate(100.0, 0.0)
    curve = returns([moment(0, 300.0), moment(1, 1_100.0), moment(2, 900.0), moment(4, 400.0), moment(5, 100.0)], usual)
    assert curve.peak.away.value == 1_100.0
    assert [point.days for point in curve.points] == [0.0, 1.0, 3.0, 4.0]
    assert [round(point.returned.value, 3) for point in curve.points] == [0.0, 0.2, 0.7, 1.0]
    assert curve.half_life.days == pytest.approx(1 + 2 * (0.5 - 0.2) / (0.7 - 0.2))
    assert curve.half_life.earliest == curve.half_life.latest == curve.half_life.days  # nothing is uncertain


def test_a_week_stands_in_its_middle():
    curve = returns([moment(0, 1_000.0), moment(6, 500.0, kind=PeriodKind.WEEK)], NOTHING)
    assert Period.of(PeriodKind.WEEK, FIRST + timedelta(6)).first_day == FIRST + timedelta(6)
    assert curve.points[-1].days == 9.0


def test_half_is_not_yet_back_where_the_curve_does_not_reach_it():
    curve = returns([moment(0, 1_000.0, sd=10.0), moment(1, 700.0, sd=10.0)], NOTHING)
    assert curve.half_life.days is None


def test_no_curve_is_drawn_where_no_release_shows_more_people_away_than_usual():
    assert returns([moment(0, 130.0, sd=30.0)], Estimate(100.0, 30.0)) is None
    assert returns([], NOTHING) is None


def test_intervals_of_the_return_share_cover_the_truth_as_often_as_they_say():
    """Peaks are chosen by noisy values here as in a release; the share that all this covers is near 95 %."""
    rng, sd, usual, true = np.random.default_rng(3), 40.0, 200.0, [2_000.0, 1_500.0, 900.0, 400.0]
    covered, drawn = 0, 400
    for _ in range(drawn):
        noisy = [moment(n, away + rng.normal(0, sd), sd=sd) for n, away in enumerate(true)]
        last = returns(noisy, Estimate(usual + rng.normal(0, sd), sd)).points[-1].returned
        covered += last.ci_low <= 1 - (true[-1] - usual) / (true[0] - usual) <= last.ci_high
    assert 0.92 <= covered / drawn <= 0.98
