"""Places that fell silent while the area around them did not."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final

import h3
import numpy as np

from jobs.quality.figures import HOURS, Floats, Ints
from jobs.quality.record import SilentPlace
from jobs.quality.thresholds import QualityConfig

_LEVELS_UP: Final = 2
"""An area is the H3 cell so many resolutions coarser: 49 places."""

Zones = Mapping[str, Ints]
"""Presences by H3 cell: 24 numbers a cell."""


def silent_places(
    today: Zones, earlier: Sequence[Zones], cells: Mapping[str, Sequence[str]], limits: QualityConfig
) -> tuple[SilentPlace, ...]:
    """Return places without anybody for longer than the limit, where many were expected, the longest silence first.

    Expected is the place's own median of that hour on earlier days, times what the rest of its area has today of
    its own.

    Args:
        today: Presences of the day.
        earlier: Those of the baseline's days.
        cells: Cells in service today, by place.
        limits: How long, and how many.
    """
    usual = {zone: np.median([_of(day, zone) for day in earlier], axis=0) for zone in cells}
    ratios = _ratios(today, usual)
    found = [
        SilentPlace(zone=zone, cells=tuple(sorted(cells[zone])), first_hour=start, hours=length, expected=round(due, 1))
        for zone, of_zone in usual.items()
        for start, length, due in _silences(_of(today, zone), of_zone * ratios[zone])
        if length > limits.silent_hours and due >= limits.silent_expected
    ]
    return tuple(sorted(found, key=lambda place: (-place.hours, -place.expected, place.zone, place.first_hour)))


def _of(zones: Zones, zone: str) -> Ints:
    return zones.get(zone, np.zeros(HOURS, np.int64))


def _ratios(today: Zones, usual: Mapping[str, Floats]) -> dict[str, Floats]:
    """By place and hour, what the rest of its area has today of what it usually has; at most as usual."""
    now: dict[str, Floats] = defaultdict(lambda: np.zeros(HOURS))
    then: dict[str, Floats] = defaultdict(lambda: np.zeros(HOURS))
    for zone, of_zone in usual.items():
        now[_area(zone)] += _of(today, zone)
        then[_area(zone)] += of_zone
    ratios = {}
    for zone, of_zone in usual.items():
        others_now, others_then = now[_area(zone)] - _of(today, zone), then[_area(zone)] - of_zone
        # a place alone in its area has nobody to be compared with: it is measured by itself
        ratios[zone] = np.where(others_then > 0, np.minimum(others_now / np.maximum(others_then, 1e-9), 1.0), 1.0)
    return ratios


def _area(zone: str) -> str:
    return str(h3.cell_to_parent(zone, max(0, h3.get_resolution(zone) - _LEVELS_UP)))


def _silences(seen: Ints, expected: Floats) -> list[tuple[int, int, float]]:
    """Runs of hours without anybody: first hour, length, presences expected."""
    found = []
    for is_silent, run in groupby(enumerate(seen == 0), key=itemgetter(1)):
        hours = [hour for hour, _ in run]
        if is_silent:
            found.append((hours[0], len(hours), float(expected[hours].sum())))
    return found
