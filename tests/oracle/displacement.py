"""Displacement by its definition alone: plain Python, one subscriber and day at a time, nothing shared with the job."""

from collections import Counter
from datetime import timedelta

from tests.oracle.trips import distance_km

HOME, AWAY, SILENT = range(3)
SEEN_AWAY, SEEN_HOME, NOT_SEEN, DARK_SEEN_AWAY = range(4)


def statuses(
    spent, *, homes, baseline_days, days, places, carry_forward_nights, min_away_km, min_weekday_nights, reach_km=None
):
    """Where every resident is on every day: {(subscriber, day): (home, location, status before, status, sight)}.

    Args:
        spent: {(subscriber, day on which the night ends): cell}, of all nights seen.
        homes: {subscriber: cell}, of the residents.
        baseline_days: Days of the month from which habits are known.
        days: Days to tell of.
        places: {cell: (latitude, longitude)}.
        carry_forward_nights, min_away_km, min_weekday_nights: The limits.
        reach_km: {day on which a night ends: kilometres}, of the nights in which all homes were in the dark.
    """
    reach_km = reach_km or {}

    def location(who, day):
        """The most recent night that counts: (the day on which it ended, its cell)."""
        back = (day - timedelta(n) for n in range(carry_forward_nights))
        return next(((night, spent[who, night]) for night in back if (who, night) in spent), None)

    def usual(who, weekday):
        nights = [spent[who, d] for d in baseline_days if d.weekday() == weekday and (who, d) in spent]
        for cell, n in Counter(nights).items():
            if n >= min_weekday_nights and 2 * n > len(nights):
                return cell
        return None

    def status(who, day):
        if (last := location(who, day)) is None:
            return SILENT
        night, cell = last
        limits = {usual(who, night.weekday()): min_away_km}
        limits[homes[who]] = reach_km.get(night, min_away_km)  # never nearer than the limit of the usual place
        limits.pop(None, None)
        near = any(distance_km(places[cell], places[place]) < limit for place, limit in limits.items())
        return HOME if near else AWAY

    def sight(who, day):
        there = SEEN_AWAY if status(who, day) == AWAY else SEEN_HOME
        seen = there if (who, day) in spent else NOT_SEEN
        return seen + (DARK_SEEN_AWAY if day in reach_km else 0)

    return {
        (who, day): (
            homes[who],
            (location(who, day) or (None, None))[1],
            status(who, day - timedelta(1)),
            status(who, day),
            sight(who, day),
        )
        for who in homes
        for day in days
    }
