"""Towers that are down at night, and how far off a phone that never moved is then served."""

from dataclasses import replace
from datetime import date, datetime

import h3
import pytest

from jobs.ingest.cells import Cell
from jobs.mobility.dark import reach_by_night
from jobs.mobility.network import STILL_DOWN, Outage
from privacy.policy import Policy

RESIDENCE = Policy.load().residence
HOME = h3.latlng_to_cell(-14.06, 66.13, 6)
RING = sorted(h3.grid_ring(HOME, 1))
FAR = sorted(h3.grid_ring(HOME, 4))[0]
NIGHTS = [date(2026, 4, day) for day in (1, 2, 3)]
NEAR_KM = 10.0


def cell(name, zone, **validity):
    latitude, longitude = h3.cell_to_latlng(zone)
    return Cell(name, latitude, longitude, **{"valid_from": date(2026, 1, 1), "valid_to": None, **validity})


def reach(cells, *outages, zones=(HOME,)):
    return reach_by_night(zones, NIGHTS, cells, outages, residence=RESIDENCE, near_km=NEAR_KM).tolist()


def km(zone, other):
    return h3.great_circle_distance(h3.cell_to_latlng(zone), h3.cell_to_latlng(other), unit="km")


def outage(name, start, end):
    return Outage(name, datetime.fromisoformat(start), datetime.fromisoformat(end))


HOME_DOWN = outage("home", "2026-04-01T20:00", "2026-04-02T03:00")


def test_where_all_stand_the_limit_is_that_of_the_policy():
    assert reach([cell("home", HOME)]) == [[NEAR_KM] * 3]


def test_a_home_in_the_dark_reaches_as_far_as_the_nearest_zone_that_stands():
    cells = [cell("home", HOME), cell("near", RING[0]), cell("far", FAR)]

    ((before, during, after),) = reach(cells, HOME_DOWN)

    assert (before, after) == (NEAR_KM, NEAR_KM)
    assert during == pytest.approx(NEAR_KM + km(HOME, RING[0]), rel=1e-6)


def test_a_home_that_is_still_down_is_in_the_dark_from_then_on():
    cells = [cell("home", HOME), cell("near", RING[0])]

    ((before, *since),) = reach(cells, Outage("home", datetime(2026, 4, 1, 20), STILL_DOWN))

    assert before == NEAR_KM
    assert since == pytest.approx([NEAR_KM + km(HOME, RING[0])] * 2, rel=1e-6)


def test_a_neighbour_in_the_dark_serves_nobody():
    cells = [cell("home", HOME), cell("near", RING[0]), cell("far", FAR)]

    ((_, during, _),) = reach(cells, HOME_DOWN, replace(HOME_DOWN, cell_id="near"))

    assert during == pytest.approx(NEAR_KM + km(HOME, FAR), rel=1e-6)


@pytest.mark.parametrize("second", [cell("second", HOME), cell("moved", HOME, valid_from=date(2026, 4, 2))])
def test_a_home_with_another_cell_is_not_in_the_dark(second):
    assert reach([cell("home", HOME), second, cell("far", FAR)], HOME_DOWN) == [[NEAR_KM] * 3]


@pytest.mark.parametrize(
    ("start", "end"), [("2026-04-01T08:00", "2026-04-01T19:00"), ("2026-04-02T07:00", "2026-04-02T18:00")]
)
def test_what_is_down_by_day_only_changes_no_night(start, end):
    assert reach([cell("home", HOME), cell("far", FAR)], outage("home", start, end)) == [[NEAR_KM] * 3]


def test_where_nothing_stands_nobody_is_served_anywhere():
    assert reach([cell("home", HOME)], HOME_DOWN) == [[NEAR_KM] * 3]


def test_a_zone_without_a_tower_is_as_it_always_was():
    assert reach([cell("home", HOME), cell("far", FAR)], HOME_DOWN, zones=(RING[1],)) == [[NEAR_KM] * 3]
