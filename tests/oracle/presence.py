"""Presence and active subscribers by their definition alone: plain Python, nothing shared with the job."""

from collections import Counter

HOUR_S = 3_600


def presence(days, *, bin_hours, max_events_a_day, unseen=()):
    """How often each subscriber is in a cell in a bin of the day: Counter of (subscriber, bin, cell).

    Args:
        days: {(subscriber, day): [(second, cell), ...]} of the period, in any order.
        bin_hours: Length of a bin.
        max_events_a_day: More make a machine of that day.
        unseen: Cells without a tower.
    """
    found = Counter()
    for who, points in _of_people(days, max_events_a_day, unseen):
        last = {}
        for second, cell in sorted(points):
            last[second // (bin_hours * HOUR_S)] = cell
        found.update((who, number, cell) for number, cell in last.items())
    return found


def roaming(days, *, home, numeric, max_events_a_day, unseen=()):
    """Where who roams was last on a day: [(subscriber, code of the SIM's country, cell, None)] of visitors,
    [(subscriber, None, None, numeric code)] of residents abroad.

    Args:
        days: {(subscriber, day): (points, country of the SIM)}; a cell below zero is a country, less its numeric code.
        home: Code of the country.
        numeric: Its numeric code.
        max_events_a_day: More make a machine of that day.
        unseen: Cells without a tower.
    """
    found = []
    for (who, _), (points, sim) in days.items():
        if len(points) > max_events_a_day:
            continue
        here = [point for point in points if point[1] >= 0 and point[1] not in unseen]
        abroad = [(second, -cell) for second, cell in points if cell < 0 and -cell != numeric]
        if sim not in {home, "not available"}:
            found += [(who, sim, max(here)[1], None)] if here else []
        elif abroad and max(abroad)[0] >= max((second for second, _ in here), default=0):
            found.append((who, None, None, max(abroad)[1]))
    return found


def active(days, *, max_events_a_day, unseen=()):
    """Where each subscriber of a day was seen last: {subscriber: cell}."""
    return {who: max(points)[1] for who, points in _of_people(days, max_events_a_day, unseen)}


def visited(days, *, max_events_a_day, unseen=()):
    """The cells in which each subscriber was seen: {(subscriber, cell)}."""
    return {(who, cell) for who, points in _of_people(days, max_events_a_day, unseen) for _, cell in points}


def _of_people(days, max_events_a_day, unseen):
    for (who, _), points in days.items():
        seen = [point for point in points if point[1] >= 0 and point[1] not in unseen]
        if seen and len(points) <= max_events_a_day:
            yield who, seen
