import itertools
from collections import Counter
from datetime import date

import numpy as np
import pytest

from jobs.synth.dirt import Dirt
from jobs.synth.events import events_of_day, positions
from jobs.synth.itineraries import DAY_S
from jobs.synth.synthesis import Plan, World, build_world
from jobs.synth.truth import homes, true_trips

DAYS = 7


@pytest.fixture(scope="module")
def world() -> World:
    return build_world(Plan(3, 4_000, date(2026, 3, 2), DAYS, ("whimbrel",), Dirt()))


@pytest.fixture(scope="module")
def week(world):
    return [world.stays(day) for day in range(DAYS)]


@pytest.fixture(scope="module")
def events(world, week):
    return [events_of_day(world.observed(stays, day), late=0.0) for day, stays in enumerate(week)]


def trips(world, stays):
    return true_trips(stays, world.country.places.zone, world.country.places.zone_names)


def test_every_day_begins_where_the_day_before_ended(week):
    for before, after in itertools.pairwise(week):
        last = np.flatnonzero(np.append(before.subscriber[1:] != before.subscriber[:-1], True))
        assert np.array_equal(before.place[last], after.place[after.arrival_s == 0])


def test_stays_follow_each_other_with_time_for_the_way(week):
    for stays in week:
        same = stays.subscriber[1:] == stays.subscriber[:-1]
        assert np.all(stays.departure_s > stays.arrival_s)
        assert np.all(stays.departure_s[:-1][same] <= stays.arrival_s[1:][same])
        assert np.all(stays.place[1:][same] != stays.place[:-1][same])
        assert np.all(stays.departure_s[:-1][~same] == DAY_S)


def test_true_trips_are_the_changes_of_zone_between_consecutive_stays_once_a_person_and_pair(world, week):
    made = set()
    zone, names = world.country.places.zone, world.country.places.zone_names
    visits = list(zip(week[4].subscriber.tolist(), week[4].place.tolist(), strict=True))
    for (someone, origin), (other, destination) in itertools.pairwise(visits):
        pair = names[zone[origin]], names[zone[destination]]
        if someone == other and pair[0] != pair[1]:
            made.add((someone, pair))
    counted = Counter(pair for _, pair in made)
    found = trips(world, week[4]).to_pylist()
    assert {(row["origin_h3"], row["destination_h3"]): row["trips"] for row in found} == counted


def test_people_sleep_at_home_unless_they_are_on_a_journey(world):
    away = [(world.sleeps(night) != world.people.home).mean() for night in range(DAYS + 1)]
    assert away[0] == 0
    assert 0.01 < away[-1] < 0.15


def test_the_first_days_of_a_longer_period_are_those_of_a_shorter_one(week):
    short = build_world(Plan(3, 4_000, date(2026, 3, 2), 3, ("whimbrel",), Dirt()))
    assert np.array_equal(short.stays(2).place, week[2].place)


def test_fewer_people_travel_on_sundays(world, week):
    by_day = [sum(trips(world, stays)["trips"].to_pylist()) for stays in week]
    assert by_day[6] < 0.85 * np.mean(by_day[:5])


def test_workers_are_at_work_on_tuesdays_and_not_on_sundays(world, week):
    def present(stays):
        people = world.people
        place = positions(world.country, stays, np.arange(people.count), np.full(people.count, 11 * 3_600))
        return (place == people.work)[people.works].mean()

    assert present(week[1]) > 4 * present(week[6])


def test_some_people_never_move_in_a_week(week):
    moved = np.unique(np.concatenate([s.subscriber[s.arrival_s > 0] for s in week]))
    assert 0.05 < 1 - len(moved) / 4_000 < 0.25


def test_a_tenth_of_the_people_make_more_than_a_third_of_the_calls(world, events):
    calls = sum(np.bincount(e.subscriber, minlength=world.people.count)[: world.people.count] for e in events)
    assert np.sort(calls)[-400:].sum() > calls.sum() / 3
    assert 11.0 < calls.mean() / DAYS < 13.0


def test_nights_are_sparse(events):
    seconds = np.concatenate([e.second for e in events])
    assert 0.01 < np.mean(seconds < 5 * 3_600) < 5 / 24 / 2


def test_a_few_machines_make_thousands_of_events_a_day(world, events):
    for day in events:
        machine = day.subscriber >= world.people.count
        assert machine.sum() > 1_000
        assert len(np.unique(day.subscriber[machine])) == 1


def test_calls_are_served_near_the_caller(world, week, events):
    network, country = world.country.network, world.country
    caller = np.flatnonzero(events[0].subscriber < world.people.count)
    place = positions(country, week[0], events[0].subscriber[caller], events[0].second[caller])
    standing = dict(zip(network.cell[network.in_service(0)], network.site[network.in_service(0)], strict=True))
    site = np.array([standing[cell] for cell in events[0].cell[caller]])
    km = np.hypot(*(network.sites[site] - country.places.xy[place]).T)
    assert np.median(km) < 2.0
    assert np.all((site == network.near_sites[place, 0]) | (site == network.near_sites[place, 1]))


def test_who_calls_while_travelling_is_seen_on_the_road(world, week):
    stays, places = week[5], world.country.places
    same = np.flatnonzero(stays.subscriber[1:] == stays.subscriber[:-1])
    far = same[places.town[stays.place[same]] != places.town[stays.place[same + 1]]]
    halfway = (stays.departure_s[far] + stays.arrival_s[far + 1]) // 2
    where = positions(world.country, stays, stays.subscriber[far], halfway)
    assert np.all(where >= places.n_neighbourhoods)


def test_homes_lie_in_zones_with_towers_and_have_one_row_a_person(world):
    from jobs.synth.geography import PLANE

    table = homes(world.country, world.people)
    assert len(set(table["msisdn"].to_pylist())) == 4_000
    assert set(table["home_h3"].to_pylist()) <= set(PLANE.zones(world.country.network.sites))
