"""A contribution histogram by its definition alone: whole numbers and fractions, one subscriber at a time."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise

from tests.oracle import xxhash
from tests.oracle.bounding import ONE, weight

MILLION = 2**20


def histogram(by_subscriber, squared_bounds, *, grid, first_day, days):
    """Subscribers by bin, {2 * point + (1 where cut): subscribers}.

    Args:
        by_subscriber: {subscriber: {week: [(keys of the levels, amount), ...]}}.
        squared_bounds: Bound of each level for a week.
        grid: Points, trips a day.
        first_day: Of the month.
        days: In the month.
    """
    bins = Counter()
    for subscriber, weeks in by_subscriber.items():
        trips = sum(amount for rows in weeks.values() for _, amount in rows)
        kept = sum(weight(rows, squared_bounds) * amount for rows in weeks.values() for _, amount in rows)
        digest = xxhash.of_longs(subscriber, first_day.toordinal())
        point = rounded(Fraction(trips, days), grid, digest % MILLION)
        is_cut = Fraction((digest >> 20) % MILLION, MILLION) < 1 - Fraction(kept, ONE * trips)
        if point:
            bins[2 * (point - 1) + is_cut] += 1
    return dict(bins)


def rounded(trips_a_day, grid, chance):
    """Number of the point that a chance below 2^20 gives: 0 is below the first."""
    points = [Fraction(0), *map(Fraction, grid)]
    for number, (low, high) in enumerate(pairwise(points), start=1):
        if trips_a_day < high:
            return number if Fraction(chance, MILLION) < (trips_a_day - low) / (high - low) else number - 1
    return len(grid)
