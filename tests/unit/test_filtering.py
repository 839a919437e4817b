"""A second estimate from earlier weeks: sharper in normal times, gone where a disaster strikes."""

import numpy as np
import pytest

from privacy.filtering import Pairs, filtered_weeks

SIDE = 12
ZONES = SIDE * SIDE
SIGMA = 4.0


def grid():
    """All pairs of a square of zones; those within one step of each other are near."""
    x, y = np.divmod(np.arange(ZONES), SIDE)
    near = (np.abs(np.subtract.outer(x, x)) <= 1) & (np.abs(np.subtract.outer(y, y)) <= 1)
    origin, destination = np.divmod(np.arange(ZONES**2), ZONES)
    return Pairs(origin, destination, near)


PAIRS = grid()


def weeks_of(random, *, number=14, change=0.1, factor=None):
    """True and noisy weeks of flows over three orders of magnitude; the last week is multiplied by `factor`."""
    pull = random.lognormal(0, 1, ZONES)
    base = np.outer(pull, pull).ravel() * random.lognormal(0, 1, ZONES**2) * (PAIRS.origin != PAIRS.destination) * 4
    true = [base * np.exp(random.normal(0, change, len(base))) for _ in range(number)]
    if factor is not None:
        true[-1] = true[-1] * factor
    return true, [week + random.normal(0, SIGMA, len(week)) for week in true]


def last(noisy, **options):
    return [*filtered_weeks(noisy, PAIRS, sigma=SIGMA, **options)][-1]


@pytest.fixture(scope="module")
def normal():
    true, noisy = weeks_of(np.random.default_rng(1))
    return true[-1], noisy, last(noisy)


def test_the_first_week_is_what_was_measured():
    _, noisy = weeks_of(np.random.default_rng(2), number=1)
    only = last(noisy)

    assert np.array_equal(only.values, noisy[0])
    assert only.is_raw.all()
    assert (only.sd == SIGMA).all()
    assert np.array_equal(only.is_shown, noisy[0] >= 4 * SIGMA)


def test_earlier_weeks_make_middling_pairs_more_exact_and_show_more_of_them(normal):
    true, noisy, found = normal
    middling = (true >= 8) & (true < 40)

    assert np.abs(found.values - true)[middling].mean() < 0.7 * np.abs(noisy[-1] - true)[middling].mean()
    assert true[found.is_shown].sum() > 1.05 * true[noisy[-1] >= 4 * SIGMA].sum()
    assert not (true[found.is_shown] == 0).any()


def test_intervals_of_what_is_shown_cover_95_times_in_100(normal):
    """More than 2,000 pairs: a standard error below 0.005."""
    true, _, found = normal
    shown = found.is_shown

    assert shown.sum() > 2_000
    assert 0.93 <= np.mean((np.abs(found.values - true) <= found.half_width)[shown]) <= 0.98


def test_a_normal_week_alarms_nobody(normal):
    assert not normal[2].alarms.any()


def test_a_week_is_judged_without_the_weeks_after_it(normal):
    _, noisy, _ = normal
    shorter = [*filtered_weeks(noisy[:10], PAIRS, sigma=SIGMA)]
    longer = [*filtered_weeks(noisy, PAIRS, sigma=SIGMA)]

    for one, other in zip(shorter, longer[:10], strict=True):
        assert np.array_equal(one.values, other.values)
        assert one.width == other.width


def test_zones_that_are_emptied_forget_their_history_in_the_same_week():
    gone = np.zeros(ZONES, dtype=bool)
    gone[[0, 1, 2, SIDE, SIDE + 1, SIDE + 2]] = True
    _, noisy = weeks_of(np.random.default_rng(3), factor=np.where(PAIRS.touching(gone), 0.0, 1.0))
    found, before = last(noisy), last(noisy[:-1])
    touched = PAIRS.touching(gone)

    assert found.alarms[gone].mean() >= 0.5
    assert (found.is_shown & touched).sum() < 0.05 * (before.is_shown & touched).sum()
    assert found.is_raw[PAIRS.touching(found.alarms)].all()
    assert np.array_equal(found.values[found.is_raw], noisy[-1][found.is_raw])


def test_a_whole_country_that_moves_much_more_is_no_disaster():
    true, noisy = weeks_of(np.random.default_rng(4), factor=1.8)
    found = last(noisy)
    large = true[-1] > 50

    assert not found.alarms.any()
    assert np.mean((np.abs(found.values - true[-1]) <= found.half_width)[large]) > 0.9


def test_zones_of_a_declared_event_forget_their_history_alarmed_or_not(normal):
    _, noisy, _ = normal
    declared = np.zeros(ZONES, dtype=bool)
    declared[5] = True
    found = last(noisy, declared=declared)

    assert found.alarms[5]
    assert np.array_equal(found.values[PAIRS.touching(declared)], noisy[-1][PAIRS.touching(declared)])
