"""The DAGs on a real Airflow with the embedded engine: what people and accidents do to them."""

import json
import os
import re
import shutil
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError

import pytest

from jobs.airflow_services import Airflow, airflow_environment, running
from jobs.config import Config
from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from tests.approvals import approve
from tests.e2e.installed import install
from tests.installations import WEEK

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(2_000)]  # its processes share a machine with whatever else runs

DAILY, WEEKLY, EMERGENCY = "cdr_daily", "weekly_release", "emergency_displacement"
EVERY_NIGHT = ("retention", "ledger_audit")
ANA = {"event": "ana", "onset": "2026-03-10", "area": "ab" * 32, "signatures": ["12" * 8, "34" * 8]}
MONDAY, SUNDAY = map(str, (WEEK.first_day, WEEK.last_day))
NEVER, HALF = "2026-03-20", "2026-03-21"
CONNECTION = "whimbrel_deliveries"
PATIENCE_S = 900


@pytest.fixture(scope="module")
def desk(country, tmp_path_factory):
    toml = install(tmp_path_factory.mktemp("operator"), cells=country.folder / "cells.csv", ledger="sqlite:///l.sqlite")
    text = toml.read_text().replace('name = "spark"', 'name = "sail"')
    text = text.replace("sqlite:///l.sqlite", f"sqlite:///{toml.parent / 'ledger.sqlite'}")
    toml.write_text(f"{text}\n[retention]\nquarantine_days = 4000\n")
    return Desk.of(Config.load(toml))


@pytest.fixture(scope="module")
def deliveries(country, tmp_path_factory):
    """Seven whole deliveries, each with its marker, and one that is still being written."""
    folder = tmp_path_factory.mktemp("deliveries")
    files = sorted((country.folder / "whimbrel").glob("*.parquet"))
    for day, file in [*((file.stem, file) for file in files), (HALF, files[0])]:
        (folder / day).mkdir()
        shutil.copy(file, folder / day)
        if day != HALF:
            (folder / day / "_SUCCESS").touch()
    return folder


@pytest.fixture(scope="module")
def airflow(desk, tmp_path_factory):
    """A running Airflow whose connection to the deliveries nobody has made yet."""
    variables = {
        "WHIMBREL_COMMAND": str(Path(sys.executable).with_name("whimbrel")),
        "WHIMBREL_CONFIG": str(desk.storage.confidential.parent / "whimbrel.toml"),
        "WHIMBREL_CLOSE_DAYS": "0",
        "WHIMBREL_WEEKLY": "od_trips",
        "WHIMBREL_LAST_DAY": "2020-01-02",
        "WHIMBREL_POKE_SECONDS": "2",
        "WHIMBREL_RETRY_SECONDS": "2",
        "WHIMBREL_ALERT_HOURS": "0.001",
        "WHIMBREL_WAIT_HOURS": "0.005",
    }
    settings = {
        "scheduler__task_instance_heartbeat_timeout": "20",
        "scheduler__task_instance_heartbeat_timeout_detection_interval": "5",
        "scheduler__orphaned_tasks_check_interval": "10",
    }
    made = Airflow(tmp_path_factory.mktemp("home") / "af", airflow_environment(), variables, settings)
    with running(made) as up:
        for dag in (DAILY, WEEKLY, EMERGENCY, *EVERY_NIGHT):
            up.unpause(dag)
        yield up


def wait_until(reached, what):
    """Give what is reached once it is something."""
    give_up = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up:
        if found := reached():
            return found
        time.sleep(0.2)  # a task of a small country runs for seconds
    raise AssertionError(f"waited in vain: {what}")


def over(airflow, dag, run):
    """Task states of a run, once it is over."""
    ended = {"success", "failed"}
    return wait_until(
        lambda: (
            any(one["dag_run_id"] == run and one["state"] in ended for one in airflow.runs(dag))
            and airflow.tasks(dag, run)
        ),
        f"{dag} {run} to end",
    )


def in_state(airflow, dag, run, task, *states):
    return wait_until(lambda: airflow.tasks(dag, run).get(task) in states, f"{task} to be {states}")


def mark_as_success(airflow, dag, run, task):
    """Press Mark as success, as an administrator."""
    path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
    airflow.call("PATCH", path, {"new_state": "success"}, user="admin")


def kill_the_scheduler(airflow):
    """Kill it and its workers, as a machine does that loses its power, and start it again."""
    killed = airflow.services["scheduler"]
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    airflow.start_service("scheduler")


def entries(desk):
    """What the ledger says of the week's trips, in order."""
    return [str(entry.kind) for entry in desk.ledger.entries() if entry.key.product == "od_trips"]


def charged_once_each(desk):
    """Whether the week's trips, and the seven counts that the gate judges by, were charged, each once."""
    counted = Counter(str(entry.key) for entry in desk.ledger.charges())
    days = {f"active_subscribers {day} r1" for day in WEEK.days}
    return counted == dict.fromkeys(days | {f"od_trips {WEEK} r1"}, 1)


def test_a_missing_connection_is_a_failed_task_that_says_how_to_make_it(airflow, deliveries):
    run = airflow.trigger(DAILY, partition=MONDAY)
    assert over(airflow, DAILY, run)["wait_for_delivery"] == "failed"
    told = airflow.log(DAILY, run, "wait_for_delivery")
    assert f"airflow connections add {CONNECTION}" in told
    assert airflow.tasks(DAILY, run)["ingest"] == "upstream_failed"

    path = {"connection_id": CONNECTION, "conn_type": "fs", "extra": json.dumps({"path": str(deliveries)})}
    airflow.call("POST", "/api/v2/connections", path)
    airflow.clear(DAILY, run, "wait_for_delivery")
    assert set(over(airflow, DAILY, run).values()) == {"success"}


def test_a_delivery_that_never_comes_or_half_of_one_is_told_and_ends_in_a_clear_state(airflow):
    runs = {day: airflow.trigger(DAILY, partition=day) for day in (NEVER, HALF)}
    for day, run in runs.items():
        states = over(airflow, DAILY, run)
        assert (states["wait_for_delivery"], states["ingest"]) == ("failed", "upstream_failed")
        told = airflow.log(DAILY, run, "wait_for_delivery")
        assert f"No complete delivery came: {day}/_SUCCESS is not there" in told
        assert "Remedy: ask whoever delivers" in told
        wait_until(lambda day=day: told_late(airflow, day), f"the deadline of {day} to be told")


def told_late(airflow, day):
    """Whether the scheduler's log says that a day is late, and which."""
    lines = (airflow.home / "scheduler.log").read_text().splitlines()
    return any("The day is late" in line and f"day={day}" in line for line in lines)


@pytest.mark.parametrize(
    ("dag", "conf"),
    [
        (DAILY, {"day": "yesterday"}),
        (EMERGENCY, {}),
        (EMERGENCY, {**ANA, "signatures": ANA["signatures"][:1]}),
        (EMERGENCY, {**ANA, "onset": "10 March"}),
    ],
)
def test_parameters_outside_their_schema_start_nothing(airflow, dag, conf):
    before = len(airflow.runs(dag))
    with pytest.raises(HTTPError) as refused:
        airflow.trigger(dag, conf=conf)
    assert refused.value.code in {400, 422}
    assert len(airflow.runs(dag)) == before


def test_an_emergency_that_nobody_opened_is_refused_before_anything_is_read(airflow):
    run = airflow.trigger(EMERGENCY, conf=ANA)
    states = over(airflow, EMERGENCY, run)
    assert states.pop("check_opening") == "failed"
    assert set(states.values()) == {"upstream_failed"}
    assert "whimbrel emergency open ana" in airflow.log(EMERGENCY, run, "check_opening")
    assert airflow.tries(EMERGENCY, run, "check_opening") == 1


def test_a_backfill_a_rerun_and_a_scheduler_killed_leave_one_release_and_one_charge(airflow, desk):
    airflow.backfill(DAILY, MONDAY, SUNDAY)
    wait_until(lambda: "running" in states_of(airflow, DAILY, "ingest"), "an ingest to run")
    kill_the_scheduler(airflow)
    week = wait_until(lambda: next((run["dag_run_id"] for run in airflow.runs(WEEKLY)), None), "the week to begin")
    in_state(airflow, WEEKLY, week, "od_trips.aggregate", "running")
    kill_the_scheduler(airflow)
    in_state(airflow, WEEKLY, week, "od_trips.approval", "awaiting_input")

    wait_until(lambda: no_backfill_goes_on(airflow), "the backfill to end")
    assert announced(airflow) == 7
    airflow.backfill(DAILY, "2026-03-04", "2026-03-04", again=True)
    wait_until(lambda: announced(airflow) == 8 and no_backfill_goes_on(airflow), "the day to be redone")

    assert len(airflow.runs(WEEKLY)) == 1
    assert entries(desk) == ["RESERVE", "SEAL"]
    assert charged_once_each(desk)
    assert not any(desk.storage.release.iterdir())


def states_of(airflow, dag, task):
    return [airflow.tasks(dag, run["dag_run_id"]).get(task) for run in airflow.runs(dag)]


def no_backfill_goes_on(airflow):
    found = airflow.call("GET", f"/api/v2/backfills?dag_id={DAILY}")["backfills"]
    return all(backfill["completed_at"] for backfill in found)


def announced(airflow):
    return states_of(airflow, DAILY, "announce").count("success")


def the_week(airflow):
    return airflow.runs(WEEKLY)[0]["dag_run_id"]


def test_an_approval_marked_as_success_by_an_administrator_publishes_nothing(airflow, desk):
    week = the_week(airflow)
    path = f"/api/v2/dags/{WEEKLY}/dagRuns/{week}/taskInstances/od_trips.approval/xcomEntries"
    with suppress(HTTPError):  # an administrator may write there whatever they like
        airflow.call("POST", path, {"key": "return_value", "value": {"chosen_options": ["Approve"]}, "map_index": -1})
    mark_as_success(airflow, WEEKLY, week, "od_trips.approval")

    states = over(airflow, WEEKLY, week)
    assert (states["od_trips.approval"], states["od_trips.publish"]) == ("success", "failed")
    told = airflow.log(WEEKLY, week, "od_trips.publish")
    assert "ApprovalError" in told
    assert "whimbrel approve release od_trips 2026-W10" in told
    assert "Whimbrel refused (exit code 2)" in told
    assert airflow.tries(WEEKLY, week, "od_trips.publish") == 1
    assert entries(desk) == ["RESERVE", "SEAL"]
    assert not any(desk.storage.release.iterdir())


def test_publish_marked_as_success_writes_nothing_either_and_a_signature_publishes(airflow, desk):
    week, key = the_week(airflow), desk.plan("od_trips", WEEK, 1).key
    mark_as_success(airflow, WEEKLY, week, "od_trips.publish")
    over(airflow, WEEKLY, week)
    assert not any(desk.storage.release.iterdir())

    approve(desk.config, key)
    airflow.clear(WEEKLY, week, "od_trips.publish")
    in_state(airflow, WEEKLY, week, "od_trips.publish", "success")
    verify_bundle(desk.storage.release / key.slug)
    assert entries(desk) == ["RESERVE", "SEAL", "APPROVE", "PUBLISH"]


def test_a_day_redone_after_the_release_was_sealed_changes_nothing_that_was_sealed(airflow, desk, country, deliveries):
    bundle = desk.storage.release / "od_trips_2026-W10_r1"
    before = {file.name: file.read_bytes() for file in bundle.iterdir() if file.is_file()}
    shutil.copy(country.folder / "whimbrel" / f"{MONDAY}.parquet", deliveries / SUNDAY / "late.parquet")
    day = airflow.trigger(DAILY, partition=SUNDAY)
    assert set(over(airflow, DAILY, day).values()) == {"success"}

    again = airflow.trigger(WEEKLY, conf={"day": MONDAY})
    states = over(airflow, WEEKLY, again)
    assert {name: state for name, state in states.items() if state != "success"} == {
        "od_trips.signature_wanted": "skipped",
        "od_trips.approval": "skipped",
    }
    assert {file.name: file.read_bytes() for file in bundle.iterdir() if file.is_file()} == before
    assert entries(desk) == ["RESERVE", "SEAL", "APPROVE", "PUBLISH"]
    assert charged_once_each(desk)


@pytest.mark.parametrize("dag", EVERY_NIGHT)
def test_what_runs_every_night_passes_on_what_the_week_left(airflow, dag):
    run = airflow.trigger(dag)
    assert set(over(airflow, dag, run).values()) == {"success"}


def test_neither_metadata_nor_logs_of_airflow_hold_a_number_of_the_data(airflow, desk):
    """Not one total before noise, of those long enough to be told from other numbers; and nothing in XCom."""
    for dag in (DAILY, WEEKLY, EMERGENCY, *EVERY_NIGHT):
        for run in airflow.runs(dag):
            for task in airflow.tasks(dag, run["dag_run_id"]):
                path = f"/api/v2/dags/{dag}/dagRuns/{run['dag_run_id']}/taskInstances/{task}/xcomEntries"
                kept = {entry["key"] for entry in airflow.call("GET", path)["xcom_entries"]}
                assert kept <= {"skipmixin_key", "return_value"}, (task, kept)
                assert "return_value" not in kept or task == "od_trips.approval"
    announced_days = airflow.call("GET", "/api/v2/assets/events?limit=100")["asset_events"]
    assert len(announced_days) >= 7
    assert all(event["extra"] == {} for event in announced_days), "an event tells more than its day"
    records = [json.loads(file.read_text()) for file in (desk.storage.confidential / "deliveries").glob("*.json")]
    counts = {record[name] for record in records for name in ("read", "kept") if record[name] > 9_999}
    assert counts
    logs = "\n".join(file.read_text() for file in (airflow.home / "logs").rglob("*.log"))
    assert not {count for count in counts if tells(logs, count)}


def tells(text, count):
    """Whether a text tells a number: not as a part of another, of an instant's fraction or of an identifier."""
    return bool(re.search(rf"(?<![\w.])(?:{count}|{count:,})(?!\w)", text))


def test_a_number_is_found_where_it_is_told_and_nowhere_else():
    assert all(
        tells(text, 28624) for text in ("kept 28624 rows", "rows=28,624.", '{"rows": 28624}', "(28624)", "28624")
    )
    assert not any(tells(text, 28624) for text in ("12:00:01.228624Z", "00:01.028624", "128624", "28624f0a", "0.28624"))
