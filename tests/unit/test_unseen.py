"""All people away, reckoned from released sights: right whoever keeps silent, with an error as large as stated."""

from dataclasses import replace

import numpy as np
import pytest

from jobs.publish.displacement_series import excess, returns
from jobs.publish.situation.estimate import Estimate
from jobs.publish.situation.figures import Moment, reckoned
from jobs.publish.situation.unseen import away_of_all, share_seen
from privacy.unit import Period
from schemas.displacement import SIGHTS

SEEN = 0.75
"""Share of the residents whom a night shows where towers stand."""


def sights(*, away, home, dark_away=0.0, dark_home=0.0, seen=SEEN, seen_in_the_dark=SEEN, sd=0.0):
    """Residents by sight: of those away, and of those at home with a tower, a night shows one share; of those at home
    in the dark another."""
    numbers = (
        away * seen, home * seen, (away + home) * (1 - seen),
        dark_away * seen, dark_home * seen_in_the_dark, dark_away * (1 - seen) + dark_home * (1 - seen_in_the_dark),
    )  # fmt: skip
    return {name: Estimate(number, sd) for name, number in zip(SIGHTS, numbers, strict=True)}


def moment(day, told, *, stock=0.0):
    nothing = Estimate(0.0, 0.0)
    return Moment(
        Period.parse(day), nothing, nothing, Estimate(stock, 0.0), nothing, nothing, nothing, nothing, nothing, told
    )


@pytest.mark.parametrize("seen", [1.0, 0.75, 0.4])
def test_those_whom_the_night_did_not_show_are_away_as_often_as_those_it_showed(seen):
    found = away_of_all(sights(away=600, home=400, seen=seen), {})
    assert found.value == pytest.approx(600)


def test_whoever_lost_a_phone_counts_like_the_others():
    told = sights(away=600, home=400)
    lost = {**told, "not_seen": told["not_seen"] + Estimate(100.0, 0.0)}
    assert away_of_all(lost, {}).value == pytest.approx(600 * 1_100 / 1_000)


@pytest.mark.parametrize("seen_in_the_dark", [SEEN, 0.3, 0.0])
def test_silence_in_the_dark_makes_nobody_displaced(seen_in_the_dark):
    """An outage-only day: 20 in 1,000 are away as always, and of nearly half of the homes few or none can call."""
    told = sights(away=12, home=588, dark_away=8, dark_home=392, seen_in_the_dark=seen_in_the_dark)
    assert away_of_all(told, {}).value == pytest.approx(20)


def test_where_nearly_all_are_in_the_dark_the_week_before_says_how_many_a_night_shows():
    told = sights(away=0, home=10, dark_away=300, dark_home=690, seen_in_the_dark=0.1)
    usual = sights(away=20, home=980)
    assert away_of_all(told, usual).value == pytest.approx(300)
    assert away_of_all(told, {}) is None, "nothing says how many of them a night shows"


def test_the_share_seen_is_of_all_homes():
    assert share_seen(sights(away=100, home=500, dark_home=400, seen_in_the_dark=0.0)).value == pytest.approx(0.45)


def test_no_more_people_are_seen_than_there_are_whatever_the_noise():
    told = {**sights(away=600, home=400, seen=1.0, sd=5.0), "not_seen": Estimate(-12.0, 5.0)}
    assert away_of_all(told, {}).value == pytest.approx(600)


def test_nothing_is_reckoned_of_numbers_that_noise_drowns():
    assert away_of_all(sights(away=6, home=4, sd=20.0), {}) is None


@pytest.mark.parametrize("sd", [1.0, 20.0])
@pytest.mark.parametrize("dark", [0, 300, 1_200])
def test_the_error_that_is_stated_is_that_of_noise_and_of_who_happened_to_be_seen(dark, sd):
    """Many draws of both, of people of whom 40 % are away."""
    random, away, home = np.random.default_rng(4), 400, 600
    usual = sights(away=30, home=1_000 + dark - 30)
    found = []
    for _ in range(2_000):
        seen = [random.binomial(n, SEEN) for n in (away, home, dark // 3, dark - dark // 3)]
        exact = (seen[0], seen[1], away + home - seen[0] - seen[1], seen[2], seen[3], dark - seen[2] - seen[3])
        told = {name: Estimate(n + random.normal(0, sd), sd) for name, n in zip(SIGHTS, exact, strict=True)}
        found.append(away_of_all(told, usual))
    scatter = np.std([one.value for one in found])
    assert np.mean([one.value for one in found]) == pytest.approx(away + dark // 3, abs=4 * scatter / 2_000**0.5 + 2)
    assert np.mean([one.sd for one in found]) == pytest.approx(scatter, rel=0.1)


def test_releases_of_one_event_are_reckoned_all_or_none():
    usual, after = moment("2026-W14", sights(away=20, home=980)), [moment("2026-04-09", sights(away=600, home=400))]
    (found,), week = reckoned(after, usual)
    assert (found.people_away.value, week.people_away.value) == (pytest.approx(600), pytest.approx(20))
    assert excess(found, week.people_away).value == pytest.approx(580)

    older = [*after, moment("2026-04-10", {}, stock=555.0)]
    told, week = reckoned(older, usual)
    assert [one.all_away for one in (*told, week)] == [None] * 3
    assert told[-1].people_away.value == 555.0


def test_the_curve_of_return_is_of_all_people_away():
    away = (("2026-04-09", 600), ("2026-04-10", 310))
    days = [moment(day, sights(away=n, home=1_000 - n), stock=-n) for day, n in away]
    told, usual = reckoned(days, moment("2026-W14", sights(away=20, home=980)))
    share = returns(told, usual.people_away).points[-1].returned.value
    assert share == pytest.approx(1 - 290 / 580)
    assert returns([replace(one, all_away=None) for one in told], usual.people_away) is None
