"""Displacement by its definition alone: plain Python, one subscriber and day at a time, nothing shared with the job."""

from collections import Counter
from datetime import timedelta

from tests.oracle.trips import distance_km

HOME, AWAY, SILENT = range(3)


def statuses(spent, *, homes, baseline_days, days, places, carry_forward_nights, min_away_km, min_weekday_nights):
    """Where every resident is on every day: {(subscriber, day): (home, location, status before, status)}.

    Args:
        spent: {(subscriber, day on which the night ends): cell}, of all nights seen.
        homes: {subscriber: cell}, of the residents.
        baseline_days: Days of the month from which habits are known.
        days: Days to tell of.
        places: {cell: (latitude, longitude)}.
        carry_forward_nights, min_away_km, min_weekday_nights: The limits.
    """

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
        expected = [place for place in (homes[who], usual(who, night.weekday())) if place is not None]
        near = any(distance_km(places[cell], places[place]) < min_away_km for place in expected)
        return HOME if near else AWAY

    return {
        (who, day): (
            homes[who],
            (location(who, day) or (None, None))[1],
            status(who, day - timedelta(1)),
            status(who, day),
        )
        for who in homes
        for day in days
    }
