"""A phone whose towers are down has not left: it is served from farther off, and the operator's feed says so."""

from datetime import timedelta

import numpy as np
import pyarrow as pa

from jobs.events import event_cells
from schemas.displacement import AWAY, HOME
from tests.properties import test_displacement as followed
from tests.properties.test_displacement import BASELINE, FIRST, NEXT_DOOR, statuses_of
from tests.properties.walks import A

EVENING_S = 22 * 3_600
DARK_KM = 60.0
LOOKED_AT = 9
"""Nights before the released day that its release looks at."""


def stayed_but_served_from_next_door():
    """One subscriber at home all month; on the evening before the released day another zone's tower served it."""
    at_home = {(1, day): [(EVENING_S, A)] for day in BASELINE.days}
    return at_home | {(1, FIRST.first_day - timedelta(1)): [(EVENING_S, NEXT_DOOR)]}


def cells_in_the_dark(monkeypatch, *, dark_nights):
    """Let cells reach as far as the feed says, in nights counted from the first that is looked at."""

    def told(zones, names, plan):
        reach = np.full((len(names), LOOKED_AT), followed.POLICY.away.min_away_km)
        reach[:, list(dark_nights)] = DARK_KM
        return event_cells(zones, names, plan).append_column("reach_km", pa.array(list(reach), pa.list_(pa.float64())))

    monkeypatch.setattr(followed, "event_cells", told)


def status(sail):
    ((*_, now),) = statuses_of(sail, stayed_but_served_from_next_door(), FIRST).values()
    return now


def test_without_a_feed_it_is_taken_for_away(sail):
    assert status(sail) == AWAY


def test_where_the_feed_has_its_towers_down_that_night_it_is_at_home(sail, monkeypatch):
    cells_in_the_dark(monkeypatch, dark_nights=[LOOKED_AT - 1])
    assert status(sail) == HOME


def test_towers_that_were_down_in_another_night_excuse_nothing(sail, monkeypatch):
    cells_in_the_dark(monkeypatch, dark_nights=[0, LOOKED_AT - 3])
    assert status(sail) == AWAY
