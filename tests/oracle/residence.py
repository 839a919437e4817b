"""Nights and residence by their definition alone: plain Python, nothing shared with the job."""

from collections import Counter, defaultdict
from datetime import timedelta
from fractions import Fraction

HOUR_S = 3_600


def nights(days, **definition):
    """The cell of every night of a privacy month on which somebody was seen: {(subscriber, day it ends on): cell}.

    Args are those of `night_points`.
    """
    return {night: max(points)[2] for night, points in night_points(days, **definition).items()}


def last_days(days, **definition):
    """The last day that brought each subscriber one of its nights' records: {subscriber: day}.

    Args are those of `night_points`.
    """
    found = {}
    for (who, _), points in night_points(days, **definition).items():
        found[who] = max([found.get(who, points[0][0]), *(when for when, _, _ in points)])
    return found


def night_points(days, *, month_days, from_h, to_h, max_events_a_day, unseen=()):
    """The records of every night of a privacy month: {(subscriber, day it ends on): [(day, second, cell), ...]}.

    Args:
        days: {(subscriber, day): [(second, cell), ...]}, in any order.
        month_days: The days of the month.
        from_h: Hour at which a night begins.
        to_h: Hour of the next day at which it ends.
        max_events_a_day: More make a machine of that day.
        unseen: Cells without a tower.
    """
    found = {}
    for who in {who for who, _ in days}:
        for day in month_days:
            before = day - timedelta(1)
            points = [
                (when, second, cell)
                for when in (before, day)
                if when in month_days and len(days.get((who, when), ())) <= max_events_a_day
                for second, cell in days.get((who, when), ())
                if cell >= 0
                and cell not in unseen
                and (second >= from_h * HOUR_S if when == before else second < to_h * HOUR_S)
            ]
            if points:
                found[who, day] = points
    return found


def residence(nights_by_month, *, ancestors, min_nights, min_share, min_month_share):
    """The home of every subscriber that has one in a window of months: {subscriber: cell}.

    Args:
        nights_by_month: For each month of the window, {(subscriber, day): cell} as `nights` gives it.
        ancestors: {cell: (its zone at the coarsest level, ..., at the finest)}.
        min_nights: Nights that make a month count as covered.
        min_share: The coarsest zone holds more than this share of all nights.
        min_month_share: Least share of the months that has to be covered.
    """
    spent, covered = defaultdict(dict), Counter()
    for month in nights_by_month:
        for (who, day), cell in month.items():
            spent[who][day] = cell
        for nights_seen in Counter(who for who, _ in month).items():
            covered[nights_seen[0]] += nights_seen[1] >= min_nights
    enough = {who for who in spent if covered[who] >= Fraction(str(min_month_share)) * len(nights_by_month)}
    homes = {who: _home(spent[who], ancestors, Fraction(str(min_share))) for who in enough}
    return {who: cell for who, cell in homes.items() if cell is not None}


def _home(nights_spent, ancestors, min_share):
    """Go down from the coarsest zone: at each level the one with most nights, then that of the most recent night."""
    left = dict(nights_spent)
    for level in range(len(next(iter(ancestors.values()))) + 1):
        zone_of = {day: (*ancestors[cell], cell)[level] for day, cell in left.items()}
        count = Counter(zone_of.values())
        latest = {zone: max(day for day in zone_of if zone_of[day] == zone) for zone in count}
        best = max(count, key=lambda zone: (count[zone], latest[zone]))
        if level == 0 and not count[best] > min_share * len(left):
            return None
        left = {day: cell for day, cell in left.items() if zone_of[day] == best}
    (home,) = set(left.values())
    return home
