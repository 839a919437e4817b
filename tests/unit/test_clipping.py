"""What a histogram says of the trips that bounds cut off: right in the mean, and as sure as it says."""

import json
import math

import numpy as np
import pytest

from privacy.canonical import canonical_json
from privacy.clipping import Class, ClassShare, Clipping, Share, clipping_of
from privacy.policy import PeriodKind, Policy

PRODUCT = Policy.load().product("contribution_histogram", PeriodKind.MONTH)
GRID, SIGMA = np.array(PRODUCT.grid), math.sqrt(1 / 2 / (PRODUCT.micro_rho / 1e6))


def people(random, number):
    """Trips a day of people, and the share of each that some bound cuts off: most of what heavy travellers do."""
    trips = np.minimum(random.lognormal(0.2, 0.9, number), 31.0)
    return trips, np.clip(1 - 1.5 / trips, 0, 1)


def histogram(random, trips, cut, *, sigma=SIGMA):
    """Noisy counts of people who are rounded to the grid at random, right in the mean."""
    points = np.concatenate([[0.0], GRID])
    below = np.searchsorted(points, trips, side="right") - 1
    above = np.minimum(below + 1, len(GRID))
    gap = np.maximum(points[above] - points[below], 1e-9)
    point = np.where(random.random(len(trips)) < (trips - points[below]) / gap, above, below)
    is_cut = random.random(len(trips)) < cut
    counts = [[np.sum((point == n) & (is_cut == part)) for part in (False, True)] for n in range(1, len(points))]
    noisy = np.array(counts) + random.normal(0, sigma, (len(GRID), 2))
    return [Class(float(point), *map(float, row)) for point, row in zip(GRID, noisy, strict=True)]


def found(classes, *, sigma=SIGMA):
    return clipping_of(classes, sigma=sigma, release="contribution_histogram_2026-03_r1", period="2026-03")


@pytest.mark.parametrize("number", [20_000, 100_000])
def test_the_interval_holds_the_share_of_the_people_95_times_in_100(number):
    random = np.random.default_rng(number)
    trips, cut = people(random, number)
    truth = np.sum(trips * cut) / np.sum(trips)

    shares = [found(histogram(random, trips, cut)).national for _ in range(100)]

    covered = np.mean([one.ci_low <= truth <= one.ci_high for one in shares])
    assert 0.90 <= covered <= 0.995
    error = np.mean([one.share for one in shares]) - truth
    assert abs(error) < 4 * np.std([one.share for one in shares]) / math.sqrt(100)


def test_rounding_to_a_grid_alone_leaves_the_interval_narrow_and_right():
    random = np.random.default_rng(3)
    trips, cut = people(random, 50_000)
    truth = np.sum(trips * cut) / np.sum(trips)

    share = found(histogram(random, trips, cut, sigma=0), sigma=1e-6).national

    assert share.ci_low <= truth <= share.ci_high
    assert share.ci_high - share.ci_low < 0.02


def test_heavy_travellers_are_told_apart_where_they_are_clear_of_the_noise():
    random = np.random.default_rng(4)
    result = found(histogram(random, *people(random, 300_000)))

    points = [one.trips_a_day for one in result.classes]
    assert 0.5 in points
    assert 32.0 not in points
    shares = {one.trips_a_day: one.cut.share for one in result.classes}
    assert shares[0.5] < 0.05
    assert shares[8.0] > 0.5
    assert f"near {max(points):g} trips a day" in result.sentence


def test_a_country_too_small_to_be_told_from_noise_gets_no_number():
    random = np.random.default_rng(5)

    assert found(histogram(random, *people(random, 2_000))) is None
    assert found([Class(1.0, 0.0, 0.0)]) is None


def test_a_share_is_never_stated_below_nothing_or_above_everything():
    assert found([Class(1.0, 10_000.0, -30.0)]).national.share == 0.0
    assert found([Class(1.0, -30.0, 10_000.0)]).national.ci_high == 1.0


def test_what_a_card_states_reads_back_as_it_was():
    share = Share(0.1, 0.05, 0.15)
    clipping = Clipping("contribution_histogram_2026-03_r1", "2026-03", share, (ClassShare(8.0, share),))

    assert Clipping.of_note(json.loads(canonical_json(clipping.note))) == clipping
    assert "10.0% (95 % interval 5.0% to 15.0%)" in clipping.sentence
