"""A flood in a tiny country: declared, opened by two people, released day by day, killed and repeated, published."""

import json
import re
import shutil
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime, time, timedelta

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import emergency, emergency_steps
from jobs.config import Config
from jobs.ingest.cells import ZoneRegister
from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from jobs.storage import write_json
from privacy.approval import Trust
from privacy.ledger import EntryKind, Ledger, ReleaseKey
from privacy.unit import Period
from privacy.vault import Vault
from schemas.errors import InputError, PrivacyError, SpecificationChangedError
from tests.approvals import approve, publish
from tests.installations import deliver, installation, run_whimbrel
from tests.properties.walks import AWAY as FAR
from tests.properties.walks import PLACES, A, B, C

PEOPLE, LEAVE = 1_500, 600
"""Of the area's residents; and of them, who leave on the day after the onset and come back two days later."""

FIRST, LAST = date(2026, 2, 2), date(2026, 3, 8)
ONSET = date(2026, 3, 4)
GONE = (date(2026, 3, 5), date(2026, 3, 7))
"""Nights away: from the one to the day before the other."""

CONFIG = """\
events = "events.toml"
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[pseudonyms]
key_file = "key"
[cells]
path = "cells.csv"
[engine]
shuffle_partitions = 2
[approval]
publisher_key = "keys/gate.pem"
[sources.whimbrel]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id" }
"""
EVENTS = """\
[[events]]
id = "flood"
name = "Flood of the lower river"
hazard = "flood"
onset = 2026-03-04
source = "a test"
area = { geojson = "flood.geojson" }
"""


def area_around(cells, *, reach=0.03):
    """A polygon about the centres of some cells, as GeoJSON."""
    places = [PLACES[cell] for cell in cells]
    south, west = (min(place[n] for place in places) - reach for n in (0, 1))
    north, east = (max(place[n] for place in places) + reach for n in (0, 1))
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}


def events():
    """Everybody is seen every night, at eleven in the evening, local time; some leave, and come back."""
    people = np.arange(PEOPLE)
    homes = np.array([A, B, C])[people % 3]
    rows = []
    for n in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(n)
        night = day + timedelta(1)
        places = np.where((people < LEAVE) & (GONE[0] <= night < GONE[1]), FAR, homes)
        at = datetime.combine(day, time(19))  # UTC: eleven in the evening on Mauritius
        rows.append(
            pa.table(
                {
                    "msisdn": pa.array([f"2305{1_000_000 + who}" for who in people]),
                    "event_at": pa.array([at] * PEOPLE, pa.timestamp("us", tz="UTC")),
                    "cell_id": pa.array([f"cell-{place}" for place in places]),
                    "sex": pa.array(["female"] * PEOPLE),
                    "age_band": pa.nulls(PEOPLE, pa.string()),
                }
            )
        )
    return pa.concat_tables(rows)


@pytest.fixture(scope="module")
def delivered(engines, tmp_path_factory):
    """Five weeks ingested; an event declared and not opened."""
    root = tmp_path_factory.mktemp("flooded")
    lines = [f"cell-{n},{lat},{lng},2020-01-01," for n, (lat, lng) in PLACES.items()]
    (root / "cells.csv").write_text("\n".join(["cell_id,latitude,longitude,valid_from,valid_to", *lines]))
    pq.write_table(events(), root / "events.parquet")
    with engines("sail") as session:
        deliver(
            session, installation(root, cells=root / "cells.csv"), [root / "events.parquet"], first=FIRST, last=LAST
        )
    (root / "whimbrel.toml").write_text(CONFIG)
    (root / "events.toml").write_text(EVENTS)
    (root / "flood.geojson").write_text(json.dumps(area_around([A, B, C])))
    return root


@pytest.fixture
def root(delivered, tmp_path, monkeypatch):
    shutil.copytree(delivered, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def desk_of(root):
    return Desk.of(Config.load(root / "whimbrel.toml"))


def whimbrel(line, monkeypatch, capsys):
    code, out, err = run_whimbrel(line, monkeypatch, capsys)
    return code, out, " ".join(err.split())


def opened(monkeypatch, capsys):
    code, out, _ = whimbrel("emergency open flood --key keys/Amina.pem --key keys/Esi.pem --yes", monkeypatch, capsys)
    assert (code, "Event flood is open" in out) == (0, True)


def released(root, session):
    return emergency.release_event(desk_of(root), "flood", lambda: nullcontext(session), lambda _: None)


def test_a_flood_from_its_opening_to_a_verified_bundle(root, sail, monkeypatch, capsys):
    code, _, told = whimbrel("displacement flood", monkeypatch, capsys)
    assert (code, "'flood' is not open" in told, "whimbrel emergency open flood" in told) == (2, True, True)

    opened(monkeypatch, capsys)
    charged = desk_of(root).ledger.charges()
    figures = released(root, sail)

    days = [str(ONSET + timedelta(n)) for n in range(5)]
    assert [str(moment.period) for moment in figures.all_moments] == ["2026-W09", *days]
    assert len(figures.awaited) == 39 - 6
    by_day = {str(moment.period): moment for moment in figures.all_moments}
    for period, moment in by_day.items():
        away = LEAVE if GONE[0] <= moment.period.last_day < GONE[1] else 0
        assert abs(moment.away.value - away) < 5 * moment.away.sd, period
        assert abs(moment.residents.value - PEOPLE) < 5 * moment.residents.sd, period
    assert abs(by_day["2026-03-05"].newly_away.value - LEAVE) < 5 * by_day["2026-03-05"].newly_away.sd
    assert abs(by_day["2026-03-07"].returned.value - LEAVE) < 5 * by_day["2026-03-07"].returned.sd
    assert figures.disagreements == ()
    assert 0 < figures.returns.half_life.days < 3
    assert figures.is_provisional(by_day["2026-03-08"].period)
    assert not figures.is_provisional(Period.parse("2026-W09"))

    assert desk_of(root).ledger.charges() == charged, "the opening has paid"
    code, first, _ = whimbrel("displacement flood --json", monkeypatch, capsys)  # needs no engine: all is sealed
    assert code == 0
    assert whimbrel("displacement flood --json", monkeypatch, capsys)[1] == first
    told = json.loads(first)
    assert [row["period"] for row in told["periods"]] == ["2026-W09", *days]
    assert told["periods"][2]["away"]["value"] == by_day["2026-03-05"].away.value
    code, table, _ = whimbrel("displacement flood", monkeypatch, capsys)
    assert (code, "provisional" in table, "excess" in table) == (0, True, True)
    assert desk_of(root).ledger.charges() == charged

    bundle = publish(Config.load(root / "whimbrel.toml"), ReleaseKey("displacement", "2026-03-05"))
    verify_bundle(bundle.folder, trust=Trust.load(root / "trust.toml"))


def test_killed_between_any_two_steps_and_run_again_it_goes_on_where_it_was(root, sail, monkeypatch, capsys):
    (root / "events.toml").write_text(EVENTS.replace("2026-03-04", "2026-03-06"))  # fewer releases
    opened(monkeypatch, capsys)
    for place, name in ((Ledger, "reserve"), (Vault, "put"), (Ledger, "seal")):
        with monkeypatch.context() as patched:
            calls, whole = [], getattr(place, name)

            def killed(*arguments, calls=calls, whole=whole, **options):
                calls.append(1)
                if len(calls) == 2:
                    raise KeyboardInterrupt
                return whole(*arguments, **options)

            patched.setattr(place, name, killed)
            with pytest.raises(KeyboardInterrupt):
                released(root, sail)
        before = sealed(root)
    last = emergency.as_json(released(root, sail))
    assert emergency.as_json(released(root, sail)) == last
    after = sealed(root)
    assert {key: after[key] for key in before} == before, "what was sealed stays as it was"
    assert len(after) == len(last["periods"])
    kinds = [entry.kind for entry in desk_of(root).ledger.entries()]
    assert (kinds.count(EntryKind.OPEN), kinds.count(EntryKind.RESERVE)) == (1, len(after))
    desk_of(root).ledger.check()


def test_an_orchestrator_checks_the_opening_goes_step_by_step_and_publishes_what_was_signed(
    root, sail, monkeypatch, capsys
):
    told = "--onset 2026-03-04 --area {area} --signature {first} --signature {second}"
    _, printed, _ = whimbrel("emergency open flood --key keys/Amina.pem --key keys/Esi.pem --yes", monkeypatch, capsys)
    first, second = re.findall(r"key \w+: ([0-9a-f]{16})", printed)
    area = re.search(r"SHA-256 ([0-9a-f]{16})", " ".join(printed.split())).group(1)
    right = {"area": area, "first": first, "second": second}
    assert whimbrel(f"emergency check flood {told.format(**right)}", monkeypatch, capsys)[0] == 0
    for wrong in ({"second": first}, {"second": "ab" * 8}, {"area": "ab" * 8}):
        code, _, refused = whimbrel(f"emergency check flood {told.format(**right | wrong)}", monkeypatch, capsys)
        assert (code, "was not opened with" in refused) == (2, True)

    desk, engine = desk_of(root), lambda: nullcontext(sail)
    emergency_steps.build_baseline(desk, "flood", engine, lambda _: None)
    for step in ("reserve", "aggregate", "seal", "seal"):
        emergency_steps.do_step(desk, "flood", step, engine, lambda _: None)
    kinds = [str(entry.kind) for entry in desk.ledger.entries()]
    assert (kinds.count("RESERVE"), kinds.count("SEAL")) == (6, 6)

    approve(desk.config, ReleaseKey("displacement", "2026-03-05"))
    code, _, refused = whimbrel("emergency publish flood", monkeypatch, capsys)
    assert (code, "whimbrel approve release displacement" in refused) == (2, True)
    assert [found.name for found in (root / "release").glob("*.zip")] == ["displacement_2026-03-05_r1.zip"]


def sealed(root):
    entries = desk_of(root).ledger.entries()
    return {str(entry.key): entry.body for entry in entries if entry.kind is EntryKind.SEAL}


def test_an_event_that_changed_after_its_opening_is_refused(root, sail, monkeypatch, capsys):
    opened(monkeypatch, capsys)
    (root / "flood.geojson").write_text(json.dumps(area_around([A, B, C], reach=0.02)))
    with pytest.raises(SpecificationChangedError, match="area of the event flood changed"):
        released(root, sail)
    (root / "flood.geojson").write_text(json.dumps(area_around([A, B, C])))
    (root / "events.toml").write_text(EVENTS.replace("2026-03-04", "2026-03-05"))
    with pytest.raises(SpecificationChangedError, match="onset of the event flood changed"):
        released(root, sail)
    assert sealed(root) == {}


def test_an_onset_without_enough_baseline_is_refused_and_nothing_is_reserved(root, sail, monkeypatch, capsys):
    (root / "events.toml").write_text(EVENTS.replace("2026-03-04", "2026-02-17"))
    opened(monkeypatch, capsys)
    with pytest.raises(InputError, match="2026-01 cannot tell where people live"):
        released(root, sail)
    assert [entry.kind for entry in desk_of(root).ledger.entries()] == [EntryKind.OPEN]


def test_a_period_that_can_be_released_no_more_holds_up_no_other(root, sail, monkeypatch, capsys):
    (root / "events.toml").write_text(EVENTS.replace("2026-03-04", "2026-03-08"))
    opened(monkeypatch, capsys)
    desk = desk_of(root)
    week, day = (desk.plan("displacement", Period.parse(text), 1) for text in ("2026-W09", "2026-03-08"))
    earlier = {**week.specification.parameters, "of": "an earlier policy"}
    desk.ledger.reserve(replace(week.specification, parameters=earlier), caps=desk.policy.caps)

    figures = released(root, sail)
    assert [str(moment.period) for moment in figures.all_moments] == ["2026-03-08"]
    assert list(figures.stuck) == ["2026-W09"]

    (desk.storage.vault / desk.ledger.sealed(day.key).artefact_sha256).unlink()
    code, out, told = whimbrel("displacement flood --json", monkeypatch, capsys)
    assert (code, json.loads(out)["stuck"]) == (2, ["2026-W09", "2026-03-08"])
    assert "2026-W09 was not released. displacement 2026-W09 r1 is reserved under another specification" in told
    assert "2026-03-08 was not released." in told


def test_a_release_of_displacement_needs_an_open_event(root):
    with pytest.raises(PrivacyError, match="No open event releases displacement for 2026-03-05"):
        desk_of(root).plan("displacement", Period.parse("2026-03-05"), 1)


def test_a_broken_outage_feed_is_refused_before_anything_is_reserved(root, sail, monkeypatch, capsys):
    (root / "whimbrel.toml").write_text(CONFIG + '[network]\noutages = "outages.csv"\n')
    (root / "outages.csv").write_text("cell_id,down_from,down_to\nnone,2026-03-04T01:00:00,2026-03-04T05:00:00\n")
    opened(monkeypatch, capsys)
    with pytest.raises(InputError, match=r"outages\.csv, line 2"):
        released(root, sail)
    assert [entry.kind for entry in desk_of(root).ledger.entries()] == [EntryKind.OPEN]


def test_a_tower_built_after_the_first_release_changes_neither_zones_nor_area(root, sail, monkeypatch, capsys):
    opened(monkeypatch, capsys)
    first, later = Period.parse("2026-W09"), Period.parse("2026-03-05")
    desk = desk_of(root)
    plan = desk.plan("displacement", first, 1)
    desk.release(plan, lambda: nullcontext(sail))
    register = ZoneRegister.load(desk.storage.zones)
    at_home = h3.latlng_to_cell(*PLACES[A], 6)
    nearby = next(cell for cell in h3.grid_disk(at_home, 1) if cell not in register.zones)
    write_json(desk.storage.zones, register.extended([nearby]).zones)

    after = desk_of(root).plan("displacement", later, 1)

    assert nearby in ZoneRegister.load(desk.storage.zones).zones
    assert (after.zones.base_cells, after.homes) == (plan.zones.base_cells, plan.homes)
