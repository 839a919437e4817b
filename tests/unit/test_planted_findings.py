"""What an evaluation tells of several draws of one event."""

from datetime import date

import pytest

from jobs.evaluation.planted import AwayIn, draw_findings, half_life_findings
from jobs.publish.situation.estimate import Estimate
from privacy.unit import Period

ONSET = date(2026, 4, 8)
DAYS = [Period.parse(f"2026-04-{day:02}") for day in range(7, 15)]
PLANTED = [0.0, 0.0, 1000.0, 900.0, 700.0, 500.0, 300.0, 100.0]


def drawn(*errors):
    """One draw whose released numbers are off by these shares of the planted ones, in order of the days."""
    numbers = zip(DAYS, PLANTED, errors, strict=True)
    return [AwayIn(day, one, one, Estimate(one * (1 + error), 10.0)) for day, one, error in numbers]


def told(findings):
    return {(one.measure, one.of): one.value for one in findings}


def test_errors_are_told_of_every_day_after_the_onset_over_all_draws():
    found = told(draw_findings([drawn(*[0.02] * 8), drawn(*[-0.06] * 8)], ONSET, "people away", "released"))

    assert {of for _, of in found} == {str(day) for day in DAYS[2:]}
    assert found["people away, mean relative error over 2 draws", "2026-04-10"] == pytest.approx(-0.02)
    assert found["people away, standard deviation of the relative error", "2026-04-10"] == pytest.approx(0.04)
    assert found["people away, share of draws within 5% of the planted number", "2026-04-10"] == 0.5


def test_a_half_life_is_compared_with_the_planted_one_draw_by_draw():
    slow = drawn(0, 0, 0, 0, 0, 0.6, 1.7, 7.0)
    name = "days until half were away no longer: people away"
    found = told(half_life_findings([drawn(*[0.0] * 8), slow], ONSET, "people away", "released"))

    assert found[f"{name}, share of draws within 2 days of the planted number", "the event"] == 0.5
