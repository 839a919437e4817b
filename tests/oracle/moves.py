"""Visits from home, moves and SIM churn by their definition alone: plain Python, nothing shared with the job."""


def home_visits(visited, homes):
    """Every (subscriber, cell of its home, other cell in which it was seen).

    Args:
        visited: {(subscriber, cell)}.
        homes: {subscriber: cell}.
    """
    return {(who, homes[who], cell) for who, cell in visited if who in homes and cell != homes[who]}


def moves(before, now, zone_of):
    """Every (subscriber, cell before, cell now) whose two homes lie in different zones of the finest level.

    Args:
        before: {subscriber: cell} of the earlier window.
        now: {subscriber: cell} of the later one.
        zone_of: {cell: its zone of the finest level}.
    """
    both = before.keys() & now.keys()
    return {(who, before[who], now[who]) for who in both if zone_of[before[who]] != zone_of[now[who]]}


def churn(before, now):
    """Every (subscriber, cell, whether it has appeared) with a home in one of two windows only."""
    gone = {(who, before[who], False) for who in before.keys() - now.keys()}
    return gone | {(who, now[who], True) for who in now.keys() - before.keys()}
