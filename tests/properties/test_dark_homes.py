"""A phone whose towers are down has not left: it is served from farther off, and the operator's feed says so."""

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from jobs.events import event_cells
from schemas.displacement import AWAY, HOME, SIGHTS
from tests.properties import test_displacement as followed
from tests.properties.test_displacement import BASELINE, FIRST, NEXT_DOOR, naive, people, statuses_of
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

    def reaching(zones, names, plan):
        reach = np.full((len(names), LOOKED_AT), followed.POLICY.away.min_away_km)
        reach[:, list(dark_nights)] = DARK_KM
        return event_cells(zones, names, plan).append_column("reach_km", pa.array(list(reach), pa.list_(pa.float64())))

    monkeypatch.setattr(followed, "event_cells", reaching)


def told(sail, days=None):
    ((*_, now, sight),) = statuses_of(sail, days or stayed_but_served_from_next_door(), FIRST).values()
    return now, SIGHTS[sight]


def test_without_a_feed_it_is_taken_for_away(sail):
    assert told(sail) == (AWAY, "seen_away")


def test_where_the_feed_has_its_towers_down_that_night_it_is_at_home(sail, monkeypatch):
    cells_in_the_dark(monkeypatch, dark_nights=[LOOKED_AT - 1])
    assert told(sail) == (HOME, "dark_seen_home")


def test_who_keeps_silent_in_the_dark_is_told_from_who_keeps_silent_elsewhere(sail, monkeypatch):
    quiet = {key: points for key, points in stayed_but_served_from_next_door().items() if key[1] in BASELINE.days}
    assert told(sail, quiet) == (HOME, "not_seen")
    cells_in_the_dark(monkeypatch, dark_nights=[LOOKED_AT - 1])
    assert told(sail, quiet) == (HOME, "dark_not_seen")


def test_towers_that_were_down_in_another_night_excuse_nothing(sail, monkeypatch):
    cells_in_the_dark(monkeypatch, dark_nights=[0, LOOKED_AT - 3])
    assert told(sail) == (AWAY, "seen_away")


@pytest.mark.parametrize("seed", [1, 2])
def test_in_the_dark_statuses_and_sights_are_those_of_the_definition(sail, monkeypatch, seed):
    dark_nights = [1, LOOKED_AT - 3, LOOKED_AT - 1]
    cells_in_the_dark(monkeypatch, dark_nights=dark_nights)
    first = FIRST.first_day - timedelta(LOOKED_AT - 1)
    days = people(seed, 40)
    told = naive(days, FIRST, reach_km={first + timedelta(night): DARK_KM for night in dark_nights})
    assert statuses_of(sail, days, FIRST) == told
    assert {SIGHTS[sight] for *_, sight in told.values()} == set(SIGHTS[3:])
    assert told != naive(days, FIRST)
