"""One subscriber's weight by the definition alone, in exact arithmetic."""

from collections import Counter
from fractions import Fraction
from math import floor, isqrt

ONE = 1024


def weight(contributions, squared_bounds):
    """Largest w of at most 1024 with w^2 (sum of squared totals) <= bound at every level.

    Args:
        contributions: [(keys of the levels, amount), ...] of one subscriber.
        squared_bounds: Bound of each level.
    """
    levels = zip(norms(contributions), squared_bounds, strict=True)
    return min([ONE, *(isqrt(floor(Fraction(bound, norm))) for norm, bound in levels)])


def norms(contributions):
    """Sum of squared totals at each level."""
    for level in range(len(contributions[0][0])):
        totals = Counter()
        for keys, amount in contributions:
            totals[keys[level]] += amount
        yield sum(total * total for total in totals.values())


def totals(by_subscriber, squared_bounds):
    """Sum of all subscribers' weighted contributions by key of the finest level."""
    result = Counter()
    for contributions in by_subscriber.values():
        w = weight(contributions, squared_bounds)
        for keys, amount in contributions:
            result[keys[-1]] += w * amount
    return dict(result)
