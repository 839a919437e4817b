import csv
import hashlib
import json
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import h3
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from jobs.events import EventRegistry
from jobs.synth import FLOOD, Dirt, Scenario, read_scenario, synthesise
from jobs.synth.country import UTC_OFFSET_S
from jobs.synth.history import REASONS
from jobs.synth.itineraries import DAY_S
from jobs.synth.lives import LIVES, MIGRANT, NEVER, SEASONAL, STUDENT, WEEKLY_COMMUTER
from jobs.synth.planted import AWAY_KM, Chronicle, Zoning, displaced
from jobs.synth.registrants import AGE_BANDS, NOT_AVAILABLE, SEXES, STUDENT_AGE
from jobs.synth.residences import Spells, residences
from jobs.synth.scenario import Timeline
from jobs.synth.synthesis import Plan, build_world
from privacy.policy import Policy
from privacy.unit import PrivacyMonth
from schemas import subscriber_days
from schemas.errors import ConfigError

FIRST_DAY, DAYS, PEOPLE = date(2026, 3, 2), 63, 400
LARGE = replace(FLOOD, area_share=0.2, drill_share=0.1, onset=date(2026, 4, 8))
"""The flood of the small country that all suites share."""

SOME = Dirt(*[0.002] * 9)
ARGUMENTS = {"seed": 5, "subscribers": PEOPLE, "first_day": FIRST_DAY, "days": DAYS, "dirt": SOME}


@pytest.fixture(scope="module")
def made(flooded_country):
    """Folder of the small country."""
    return flooded_country.folder


@pytest.fixture(scope="module")
def truth(made):
    """`truth("nights")`: rows of a table."""
    return lambda name: pq.read_table(made / f"truth/{name}.parquet").to_pylist()


@pytest.fixture(scope="module")
def world():
    """A larger country, with nothing written."""
    return build_world(Plan(3, 12_000, FIRST_DAY, 120, ("whimbrel",), Dirt(), FLOOD))


def digests(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def within_sampling_error(found, chances, share):
    """Whether a count is a draw of its share: within four standard deviations."""
    return abs(found - chances * share) <= 4 * np.sqrt(chances * share * (1 - share)) + 1e-9


def test_the_number_of_processes_does_not_change_a_byte(made, tmp_path):
    alone = synthesise(tmp_path / "alone", scenario=LARGE, processes=1, **ARGUMENTS).folder
    assert digests(alone) == digests(made)


def test_a_scenario_changes_neither_the_land_nor_the_network_nor_what_people_are(made, tmp_path):
    ordinary = synthesise(tmp_path / "ordinary", **{**ARGUMENTS, "days": 2}).folder
    for name in ("cells.csv", "geography.geojson", "truth/homes.parquet"):
        assert (ordinary / name).read_bytes() == (made / name).read_bytes()
    without, with_flood = (pq.read_table(folder / "truth/people.parquet").drop(["life"]) for folder in (ordinary, made))
    assert without.equals(with_flood)
    assert not any((ordinary / name).exists() for name in ("outages.csv", "events.toml", "truth/nights.parquet"))


def test_the_mark_lists_the_scenario(made):
    mark = json.loads((made / "SYNTHETIC").read_text())
    assert mark["scenario"]["area_share"] == 0.2
    assert mark["scenario"]["onset"] == "2026-04-08"
    before = digests(made)
    assert synthesise(made, scenario=LARGE, **ARGUMENTS).folder == made
    assert digests(made) == before


def test_strata_are_those_of_the_policy_and_of_the_tables():
    strata = Policy.load().strata
    assert (strata.sex, strata.age_bands) == (SEXES, AGE_BANDS)
    assert subscriber_days.NOT_AVAILABLE == NOT_AVAILABLE


def test_a_row_bears_the_stratum_of_its_sims_registrant_or_none(made, truth):
    held = {row["msisdn"]: (row["sex"], row["age_band"]) for row in truth("people")}
    seen = Counter()
    for row in pq.read_table(made / "whimbrel/2026-03-05.parquet").to_pylist():
        known = held.get((row["msisdn"] or "").strip().lstrip("+0"), (NOT_AVAILABLE, NOT_AVAILABLE))
        assert (row["sex"] or NOT_AVAILABLE, row["age_band"] or NOT_AVAILABLE) == known
        seen.update(known)
    assert {*SEXES, *AGE_BANDS[1:], NOT_AVAILABLE} <= set(seen)


def test_planted_shares_hold_within_sampling_error(world):
    history, people = world.history, world.people.count
    lives = np.bincount(history.lives.life, minlength=len(LIVES))
    young = world.registrants.age_band == STUDENT_AGE
    others = people - lives[STUDENT]
    assert within_sampling_error(lives[STUDENT], young.sum(), FLOOD.students)
    assert within_sampling_error(lives[MIGRANT], others, FLOOD.migrants_a_year * 120 / 365)
    assert within_sampling_error(lives[SEASONAL], others, FLOOD.seasonal)
    assert within_sampling_error(lives[WEEKLY_COMMUTER], others, FLOOD.weekly_commuters)
    flood, silence = history.flood, history.silence
    assert within_sampling_error(flood.is_evacuated.sum(), flood.is_resident.sum(), FLOOD.evacuated)
    assert within_sampling_error((flood.back == NEVER)[flood.is_evacuated].sum(), flood.is_evacuated.sum(), 0.12)
    assert within_sampling_error((silence.lost < NEVER).sum(), flood.is_resident.sum(), FLOOD.sims_lost)
    assert within_sampling_error((silence.begins > 0).sum(), people, FLOOD.sims_new_a_year * 120 / 365)
    assert within_sampling_error((silence.ends < NEVER).sum(), people, FLOOD.sims_gone_a_year * 120 / 365)
    assert not flood.is_evacuated[~flood.is_resident].any()
    assert set(np.unique(world.registrants.age_band[history.lives.life == STUDENT])) == {STUDENT_AGE}


def test_the_area_is_contiguous_and_holds_the_share_of_people_asked_for(world):
    flood, names = world.history.flood, world.country.places.zone_names
    for area, share in ((flood.area, FLOOD.area_share), (flood.drill, FLOOD.drill_share)):
        zones = {names[zone] for zone in area.zones}
        reached, border = set(), {next(iter(sorted(zones)))}
        while border:
            reached |= border
            border = {near for zone in border for near in h3.grid_ring(zone, 1)} & zones - reached
        assert reached == zones
        dwelling = world.country.places.zone[world.history.lives.dwelling(world.history.timeline.onset)]
        assert share <= np.isin(dwelling, area.zones).mean() < 2 * share
    assert not set(flood.area.zones) & set(flood.drill.zones)


def test_hosts_lie_more_than_15_km_from_home_and_outside_the_flood(world):
    flood, places = world.history.flood, world.country.places
    who = np.flatnonzero(flood.is_evacuated)
    home = world.history.lives.dwelling(world.history.timeline.onset)[who]
    names = np.array(places.zone_names)
    apart = [
        h3.great_circle_distance(h3.cell_to_latlng(a), h3.cell_to_latlng(b))
        for a, b in zip(names[places.zone[home]], names[places.zone[flood.host[who]]], strict=True)
    ]
    assert min(apart) > 14.9  # the map is flat, and H3 is not
    assert np.hypot(*(places.xy[home] - places.xy[flood.host[who]]).T).min() > 15
    assert not np.isin(places.zone[flood.host[who]], flood.area.zones).any()
    at_camp = (flood.host[who] == flood.camp).sum()
    assert within_sampling_error(at_camp, len(who), FLOOD.to_camp)


def test_everybody_sleeps_at_home_in_the_night_of_the_onset_and_evacuees_leave_in_three_days(world):
    flood, onset = world.history.flood, world.history.timeline.onset
    assert not flood.is_away(onset).any()
    leaves = np.bincount(flood.first_away[flood.is_evacuated] - onset)
    assert leaves[0] == 0
    assert len(leaves) == 1 + len(FLOOD.leaves_on_day)
    for found, share in zip(leaves[1:], FLOOD.leaves_on_day, strict=True):
        assert within_sampling_error(found, flood.is_evacuated.sum(), share)


@pytest.mark.parametrize("weeks", [1, 2, 4, 8])
def test_evacuees_return_with_the_declared_half_life_and_some_never(world, weeks):
    flood = world.history.flood
    evacuated = flood.is_evacuated.sum()
    stay = (flood.back - flood.first_away)[flood.is_evacuated]
    nights = 7 * weeks
    # who stays n nights or less left for home during the n-th day at the latest
    still = FLOOD.never_return + (1 - FLOOD.never_return) * 0.5 ** (nights / FLOOD.half_life_days)
    assert within_sampling_error((stay > nights).sum(), evacuated, still)


def test_who_returned_lives_as_before_and_who_never_does_sleeps_at_the_hosts(world):
    history, last = world.history, 119
    place, reason = history.slept(world.journeys, last)
    flood, dwelling = history.flood, history.lives.dwelling(last)
    returned = flood.is_evacuated & (flood.back <= last) & (reason != REASONS.index("journey"))
    assert returned.sum() > 50
    assert np.array_equal(place[returned], dwelling[returned])
    stays = flood.back == NEVER
    assert np.array_equal(place[stays & flood.is_evacuated], flood.host[stays & flood.is_evacuated])


def test_nobody_is_in_two_places_and_a_day_begins_where_the_night_was_slept(world):
    for day in (world.history.timeline.onset, world.history.timeline.onset + 1, 60):
        stays = world.stays(day)
        same = stays.subscriber[1:] == stays.subscriber[:-1]
        assert np.all(stays.departure_s[:-1][same] <= stays.arrival_s[1:][same])
        assert np.all(stays.departure_s > stays.arrival_s)
        slept = world.history.slept(world.journeys, day)[0]
        assert np.array_equal(stays.place[stays.arrival_s == 0], slept)
        next_night = world.history.slept(world.journeys, day + 1)[0]
        assert np.array_equal(stays.place[np.append(~same, True)], next_night)


def test_weekly_commuters_sleep_at_their_second_dwelling_after_monday_to_thursday(world):
    lives = world.history.lives
    weekly = lives.life == WEEKLY_COMMUTER
    there = [np.array_equal(lives.dwelling(night)[weekly], lives.there.home[weekly]) for night in range(7)]
    assert there == [False, True, True, True, True, False, False]  # nights bear the date on which they end


@pytest.mark.parametrize("name", ["residence", "nights", "by_tower/residence", "by_tower/nights"])
def test_spells_of_a_person_cover_every_night_once(truth, name):
    nights = Counter()
    for row in truth(name):
        first, last = ((row[end] - FIRST_DAY).days for end in ("first_night", "last_night"))
        assert row["reason"] in REASONS
        nights.update((row["msisdn"], night) for night in range(first, last + 1))
    assert len(nights) == PEOPLE * DAYS
    assert set(nights.values()) == {1}
    assert {night for _, night in nights} == set(range(DAYS))


def test_who_lives_elsewhere_works_and_runs_errands_there(world):
    lives, xy = world.history.lives, world.country.places.xy
    busy = np.isin(lives.life, (STUDENT, SEASONAL, WEEKLY_COMMUTER))
    assert lives.there.works[busy].mean() > 0.95
    moved = lives.life == MIGRANT
    assert lives.there.works[moved].mean() == pytest.approx(world.people.works[moved].mean(), abs=0.1)
    for place in (lives.there.work, lives.there.errands[:, 0]):
        from_there, from_here = (np.hypot(*(xy[place] - xy[home]).T) for home in (lives.there.home, lives.here.home))
        assert (from_there < from_here)[busy].mean() > 0.85


def spans(rows):
    """Zone and reason of each person and night."""
    return {
        (row["msisdn"], row["first_night"] + timedelta(n)): (row["h3"], row["reason"])
        for row in rows
        for n in range((row["last_night"] - row["first_night"]).days + 1)
    }


def test_displaced_people_are_where_they_slept_and_away_from_10_km_on(made, truth):
    slept, area = spans(truth("nights")), set(json.loads((made / "truth/scenario.json").read_text())["area"])
    homes = {row["msisdn"]: row["h3"] for row in truth("homes_by_month") if row["month"] == "2026-03"}
    for day in (date(2026, 4, 8), date(2026, 4, 12)):
        rows = truth(f"displaced/{day}")
        assert {row["msisdn"]: row["home_h3"] for row in rows} == {m: h for m, h in homes.items() if h in area}
        for row in rows:
            assert (row["h3"], row["reason"]) == slept[row["msisdn"], day]
            km = h3.great_circle_distance(h3.cell_to_latlng(row["home_h3"]), h3.cell_to_latlng(row["h3"]))
            assert (
                row["status"] == "home"
                if row["reason"] == "second_dwelling"
                else (row["status"] == ("away" if km >= AWAY_KM else "home"))
            )
    assert any(row["status"] == "away" and row["reason"] == "evacuated" for row in truth("displaced/2026-04-12"))


def test_a_weekly_commuter_is_at_home_at_either_dwelling_and_nobody_else_that_far_away(world):
    chronicle = Chronicle(world.country, world.journeys, world.history, Zoning.by_place(world.country))
    life = dict(zip(chronicle.msisdns.tolist(), world.history.lives.life.tolist(), strict=True))
    sunday = world.history.timeline.onset - 3
    far_at_home = [
        row["msisdn"]
        for row in displaced(chronicle, sunday).to_pylist()
        if row["status"] == "home"
        and h3.great_circle_distance(h3.cell_to_latlng(row["home_h3"]), h3.cell_to_latlng(row["h3"])) >= AWAY_KM
    ]
    assert {life[msisdn] for msisdn in far_at_home} == {WEEKLY_COMMUTER}
    assert Policy.load().away.min_away_km == AWAY_KM


def test_the_stock_of_people_away_is_that_of_the_day_before_plus_newly_away_less_returned(made, truth):
    days = [FIRST_DAY + timedelta(offset) for offset in range(37 - 14, DAYS)]
    stock = Counter()
    for row in truth("displaced_stock"):
        stock[row["day"]] += row["people"] * (row["status"] == "away")
    before = None
    for day in days:
        away = {row["msisdn"] for row in truth(f"displaced/{day}") if row["status"] == "away"}
        assert len(away) == stock[day]
        if before is not None:
            assert stock[day] == stock[day - timedelta(1)] + len(away - before) - len(before - away)
        before = away
    assert len(list((made / "truth/displaced").iterdir())) == len(days)


def test_residence_is_decided_from_coarse_zones_to_fine():
    centre = h3.latlng_to_cell(-14, 66, 4)
    city = sorted(h3.cell_to_children(h3.cell_to_center_child(centre, 5), 6))[:2]
    far = h3.cell_to_center_child(next(iter(h3.grid_ring(centre, 3))), 6)
    names = [far, *city]
    person = {
        "four nights far away are fewer than five in two zones of one city": [0, 0, 0, 0, 1, 1, 1, 2, 2],
        "of three nights each, the latest decides": [1, 2, 0, 1, 2, 0, 0, 1, 2],
        "the other way round": [2, 1, 0, 2, 1, 0, 0, 2, 1],
    }
    nights = np.array(list(person.values())).T
    found = residences(Spells.of((zone, np.zeros(3, dtype=np.int64)) for zone in nights), names)
    assert [names[zone] for zone in found.zone] == [city[0], city[1], city[0]]
    assert found.nights.tolist() == [3, 3, 3]


def test_by_tower_the_truth_is_told_in_the_zones_of_the_nearest_sites(made, truth):
    with (made / "cells.csv").open() as file:
        stood = {h3.latlng_to_cell(float(row["latitude"]), float(row["longitude"]), 6) for row in csv.DictReader(file)}
    asleep_by_place, by_tower = (spans(truth(name)) for name in ("nights", "by_tower/nights"))
    assert {zone for zone, _ in by_tower.values()} <= stood
    assert asleep_by_place.keys() == by_tower.keys()
    same = [asleep_by_place[key] == shown for key, shown in by_tower.items()]
    assert 0.5 < np.mean(same) < 1
    reasons = [asleep_by_place[key][1] == shown[1] for key, shown in by_tower.items()]
    assert all(reasons)


def test_migration_counts_people_by_their_residences_of_both_halves(truth):
    rows = truth("migration")
    assert {(row["old_from"], row["old_to"], row["new_from"], row["new_to"]) for row in rows} == {
        (*(PrivacyMonth(2026, 3).days[n] for n in (0, -1)), *(PrivacyMonth(2026, 4).days[n] for n in (0, -1)))
    }
    homes = {(row["month"], row["msisdn"]): row for row in truth("homes_by_month")}
    counted = Counter()
    for msisdn in {msisdn for _, msisdn in homes}:
        old, new = homes["2026-03", msisdn], homes["2026-04", msisdn]
        if 28 - old["silent_days"] >= 28 * 2 / 3 and 35 - new["silent_days"] >= 35 * 2 / 3:
            counted[old["h3"], new["h3"]] += 1
    assert {(row["old_h3"], row["new_h3"]): row["people"] for row in rows} == counted
    assert any(old != new for old, new in counted)


@pytest.fixture(scope="module")
def events(made):
    """Columns number, local time and cell of the rows that have all three; the period's days only."""
    rows = pa.concat_tables([pq.read_table(path) for path in sorted((made / "whimbrel").iterdir())])
    number = pc.utf8_ltrim(pc.utf8_trim_whitespace(rows["msisdn"]), "+0").to_numpy(zero_copy_only=False)
    cell = rows["cell_id"].to_numpy(zero_copy_only=False)
    local = (rows["event_at"].to_numpy() + np.timedelta64(UTC_OFFSET_S, "s")).astype("datetime64[s]")
    first = np.datetime64(FIRST_DAY)
    whole = (number != None) & (cell != None) & (first <= local) & (local < first + DAYS)  # noqa: E711 - elementwise
    return number[whole].astype(str), local[whole], cell[whole].astype(str)


def test_no_event_is_served_by_a_cell_while_it_is_down(made, events, truth):
    with (made / "outages.csv").open() as file:
        feed = list(csv.DictReader(file))
    assert len({row["cell_id"] for row in feed}) == len(feed) == len(truth("outages"))
    _, local, cell = events
    for row in feed:
        served = local[cell == row["cell_id"]]
        assert not ((np.datetime64(row["down_from"]) <= served) & (served < np.datetime64(row["down_to"]))).any()
    assert np.isin(cell, [row["cell_id"] for row in feed]).sum() > 1_000


def test_the_outage_only_day_covers_a_night_and_moves_nobody(world):
    history, names = world.history, np.array(world.country.places.zone_names)
    outages, drill = history.outages, history.timeline.drill
    down = outages.down_s == (drill - 1) * DAY_S + 18 * 3_600
    assert down.sum() > 5
    assert np.all(outages.up_s[down] - outages.down_s[down] == DAY_S)
    assert not history.flood.is_away(drill).any()
    residents = np.isin(world.country.places.zone[history.lives.dwelling(drill)], history.flood.drill.zones)
    place, reason = history.slept(world.journeys, drill)
    travels = reason == REASONS.index("journey")
    assert np.array_equal(place[~travels], history.lives.dwelling(drill)[~travels])
    assert travels[residents].mean() < 0.15
    assert len(names) > len(history.flood.drill.zones)


def test_calls_where_sites_are_down_go_to_the_nearest_standing_one_in_reach_or_are_lost(world):
    history, network, places = world.history, world.country.network, world.country.places
    drill = history.timeline.drill
    touched = np.flatnonzero(history.outages.row >= 0)
    touched = touched[np.isin(places.zone[touched], history.flood.drill.zones)]
    cell = network.serve(np.random.default_rng(1), touched, drill)
    noon = np.full(len(touched), 12 * 3_600)
    served, by = history.outages.served(network, touched, cell, noon, drill)
    site, second = network.sites_of_cells(drill), drill * DAY_S + 12 * 3_600
    down = (history.outages.down_s <= second) & (second < history.outages.up_s)
    km = np.hypot(*(network.sites[:, None] - places.xy[touched]).transpose(2, 0, 1))
    km[down] = np.inf
    rerouted = np.flatnonzero(down[site[cell]])
    assert len(rerouted) > 20
    for row in rerouted:
        if row in served:
            assert km[site[by[row]], row] == km[:, row].min() <= FLOOD.reach_km
        else:
            assert km[:, row].min() > FLOOD.reach_km
    assert np.array_equal(np.delete(by, rerouted), np.delete(cell, rerouted))


def test_a_silent_sim_makes_no_event_and_its_owner_sleeps_somewhere(truth, events):
    silent = {
        (row["msisdn"], row["silent_from"] + timedelta(n))
        for row in truth("churn")
        for n in range((row["silent_to"] - row["silent_from"]).days + 1)
    }
    assert {row["reason"] for row in truth("churn")} == {"appears_later", "gone", "sim_lost"}
    number, local, _ = events
    called = set(zip(number.tolist(), local.astype("datetime64[D]").tolist(), strict=True))
    assert len(called) > 0.5 * PEOPLE * DAYS
    assert not called & silent
    assert silent <= set(spans(truth("nights")))
    in_use = {(row["msisdn"], row["day"]): row["sim_in_use"] for row in truth("displaced/2026-04-12")}
    assert all(used == (key not in silent) for key, used in in_use.items())


def test_the_event_can_be_registered_and_its_area_is_that_of_the_truth(made):
    facts = json.loads((made / "truth/scenario.json").read_text())
    every = sorted({row["h3"] for row in pq.read_table(made / "truth/homes_by_month.parquet").to_pylist()})
    for file, area, onset in (
        ("events.toml", facts["area"], "2026-04-08"),
        ("truth/outage_only.toml", facts["outage_only"]["area"], "2026-04-02"),
    ):
        (event,) = EventRegistry.load(made / file).events
        assert event.onset.isoformat() == onset
        assert event.homes(every) == tuple(zone for zone in every if zone in area)


@pytest.mark.parametrize("days", [63, 120, 365])
def test_the_flood_comes_after_a_whole_privacy_month_and_before_the_end(days):
    timeline = Timeline.of(FLOOD, FIRST_DAY, days)
    onset = timeline.day(timeline.onset)
    assert onset.weekday() == 2
    assert timeline.baseline.first_day >= FIRST_DAY
    assert PrivacyMonth.of(timeline.day(timeline.drill)) == PrivacyMonth.of(onset)
    assert timeline.onset + 14 <= days


def test_a_file_of_parameters_is_a_scenario(tmp_path):
    file = tmp_path / "wet.toml"
    file.write_text('name = "wet"\nevacuated = 0.9\nonset = 2026-05-06\nleaves_on_day = [1.0]\n')
    assert read_scenario(str(file)) == Scenario(name="wet", evacuated=0.9, onset=date(2026, 5, 6), leaves_on_day=(1.0,))
    assert read_scenario("flood") == FLOOD


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("evacuation = 0.5", "evacuation"),
        ("evacuated = 1.5", "evacuated"),
        ("leaves_on_day = [0.5, 0.2]", "add up to one"),
        ("sim_lost_days = [9.0, 3.0]", "longer than the longest"),
        ("seasonal = 0.9\nweekly_commuters = 0.9", "more people"),
        ("evacuated = ", "wet.toml"),
    ],
)
def test_a_file_that_is_no_scenario_is_refused(tmp_path, text, found):
    file = tmp_path / "wet.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=found):
        read_scenario(str(file))


def test_a_scenario_that_does_not_exist_or_fit_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match="No scenario drought"):
        read_scenario("drought")
    for scenario, days in ((FLOOD, 30), (replace(LARGE, onset=date(2026, 3, 25)), DAYS)):
        with pytest.raises(ConfigError, match="the whole privacy month"):
            synthesise(tmp_path / "out", scenario=scenario, **{**ARGUMENTS, "days": days})
    with pytest.raises(ConfigError, match="500 km apart"):
        synthesise(tmp_path / "out", scenario=replace(LARGE, host_min_km=500.0), **ARGUMENTS)
    assert list(tmp_path.iterdir()) == []


def test_the_methods_page_states_the_parameters_of_the_flood():
    page = " ".join((Path(__file__).parents[2] / "docs/methods/synthetic_country.md").read_text("utf-8").split())
    back = FLOOD.half_life_days * np.log2((1 - FLOOD.never_return) / (0.5 - FLOOD.never_return))
    for stated in (
        f"until {FLOOD.area_share:.0%} of all people sleep there",
        f"{FLOOD.evacuated:.0%} of who sleeps in the area leave: half have",
        f"relatives ({FLOOD.to_relatives:.0%} wish to",
        f"one camp ({FLOOD.to_camp:.0%})",
        f"over {FLOOD.host_min_km:g} km from home",
        f"{FLOOD.never_return:.0%} never",
        f"within {FLOOD.half_life_days:g} nights",
        f"= {back:.0f} nights",
        f"{FLOOD.sims_lost:.0%} of the area's people lose theirs",
        f"{FLOOD.sites_down:.0%} of the area's sites",
        f"{FLOOD.drill_sites_down:.0%} of the sites around",
        f"up to {FLOOD.reach_km:g} km from the caller",
        f"| migrant | {FLOOD.migrants_a_year:.0%} a year |",
        f"| seasonal | {FLOOD.seasonal:.1%} |",
        f"| student | {FLOOD.students:.0%} of registrants",
        f"| weekly commuter | {FLOOD.weekly_commuters:.0%} |",
        f"{FLOOD.sims_new_a_year:.0%} of SIMs a year",
    ):
        assert stated.replace("%", " %") in page
