"""Trips by the definition alone: plain Python, one subscriber at a time, nothing shared with the job."""

import math
from collections import Counter
from datetime import timedelta
from itertools import pairwise

DAY_S = 86_400


def trips(days, *, first, last, month_first, places, limits):
    """Every trip that arrives on the days from first to last, as (subscriber, origin, destination, day of arrival).

    Args:
        days: {(subscriber, day): [(second, cell), ...]}, in any order.
        first: First day on which an arrival counts.
        last: Last such day.
        month_first: First day of the privacy month, before which nothing is looked at.
        places: {cell: (latitude, longitude)}.
        limits: max_gap_h, max_speed_m_s, min_speed_distance_km, max_events_a_day.
    """
    return sorted(
        (subscriber, before[1], after[1], after[2])
        for subscriber in {who for who, _ in days}
        for before, after in pairwise(_path(days, subscriber, month_first, last, limits))
        if first <= after[2] <= last and _is_trip(before, after, places, limits)
    )


def counted(made, max_repeats_a_day):
    """How many trips count of each (subscriber, origin, destination, day)."""
    return {one: min(times, max_repeats_a_day) for one, times in Counter(made).items()}


def _path(days, subscriber, month_first, last, limits):
    """The subscriber's points in order of time, then of cell: (second, cell, day)."""
    return sorted(
        ((day - month_first) // timedelta(days=1) * DAY_S + second, cell, day)
        for (who, day), points in days.items()
        if who == subscriber and month_first <= day <= last and len(points) <= limits["max_events_a_day"]
        for second, cell in points
    )


def _is_trip(before, after, places, limits):
    gap_s = after[0] - before[0]
    if before[1] == after[1] or gap_s > limits["max_gap_h"] * 3600:
        return False
    km = distance_km(places[before[1]], places[after[1]])
    return km <= limits["min_speed_distance_km"] or km * 1000 <= limits["max_speed_m_s"] * gap_s


def distance_km(one, other):
    """Great-circle distance by the angle between two unit vectors; not the haversine formula."""
    a, b = _vector(*one), _vector(*other)
    cross = math.hypot(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return 6371.0088 * math.atan2(cross, sum(x * y for x, y in zip(a, b, strict=True)))


def _vector(latitude, longitude):
    phi, lam = math.radians(latitude), math.radians(longitude)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)
