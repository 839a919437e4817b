"""What every DAG of ours keeps to, whatever it does."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DAGS = Path(__file__).parents[2] / "dags"
FILES = sorted(DAGS.glob("*.py"))

# DESIGN, section 8.
TASKS = {
    "cdr_daily": ["wait_for_delivery", "ingest", "quality", "announce"],
    "weekly_release": [
        "wait_until_closed",
        "days.reserve",
        "days.aggregate",
        "days.seal",
        "gate",
        *(
            f"{product}.{step}"
            for product in ("od_trips", "presence", "home_visits")
            for step in ("reserve", "aggregate", "seal", "signature_wanted", "approval", "publish")
        ),
    ],
    "monthly_release": [
        "nights",
        *(
            f"{product}.{step}"
            for product in ("residents", "relocations")
            for step in ("reserve", "aggregate", "seal", "signature_wanted", "approval", "publish")
        ),
    ],
    "emergency_displacement": ["check_opening", "baseline", "reserve", "aggregate", "seal", "approval", "publish"],
    "retention": ["expire"],
    "ledger_audit": ["check"],
}
ENGINE_TASKS = {"ingest", "aggregate", "nights", "baseline"}
PYTHON = {"ast", "collections", "datetime", "json", "os", "re", "typing", "zoneinfo"}


def tasks(dags):
    return [task for dag in dags.values() for task in dag.tasks]


def last(task):
    return task.task_id.rpartition(".")[2]


def test_every_dag_of_the_design_is_there_and_no_other(dags):
    assert {
        name: [task.task_id for task in dag.topological_sort()] for name, dag in dags.items()
    }.keys() == TASKS.keys()
    assert {name: sorted(dag.task_ids) for name, dag in dags.items()} == {n: sorted(ids) for n, ids in TASKS.items()}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_dag_file_imports_airflow_and_its_providers_only(file):
    imported = {
        name.partition(".")[0] if not name.startswith("airflow") else ".".join(name.split(".")[:2])
        for node in ast.walk(ast.parse(file.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= {"airflow.sdk", "airflow.providers", "whimbrel_tasks", "structlog"} | PYTHON


def test_every_task_has_an_owner_a_pool_of_ours_retries_with_backoff_and_says_what_it_does(dags):
    pools = json.loads((DAGS / "pools.json").read_text())
    for task in tasks(dags):
        assert task.owner == "whimbrel", task
        assert task.pool in pools, task
        assert task.retries >= 1, task
        assert task.retry_exponential_backoff, task
        assert task.max_retry_delay, task
        assert type(task.retry_policy).__name__ == "RefusalsFail", task
        assert task.doc_md, task
    for dag in dags.values():
        assert dag.doc_md, dag
        assert dag.description, dag
        assert dag.catchup is False


def test_no_task_hands_anything_to_another_through_airflow(dags):
    for task in tasks(dags):
        assert task.do_xcom_push is False, task
    for file in FILES:
        assert not re.search(r"xcom_pull|\bxcom_push", file.read_text()), file


def test_the_engine_works_for_one_at_a_time_and_whoever_waits_takes_no_slot_of_it(dags):
    pools = json.loads((DAGS / "pools.json").read_text())
    assert (pools["whimbrel_engine"]["slots"], pools["whimbrel_gate"]["slots"]) == (1, 1)
    for task in tasks(dags):
        if last(task) in ENGINE_TASKS | {"expire", "quality"}:
            assert task.pool == "whimbrel_engine", task
        elif last(task) in {"wait_for_delivery", "wait_until_closed", "approval", "announce"}:
            assert task.pool == "whimbrel_wait", task
        else:
            assert task.pool == "whimbrel_gate", task


def test_a_shell_reads_no_word_that_a_run_was_called_with(dags):
    """A partition key or a parameter may be any text: it reaches a task through its environment."""
    for task in tasks(dags):
        line = getattr(task, "bash_command", "")
        assert "{{" not in line, task
        words = [name for name in getattr(task, "env", None) or {} if name.startswith("WHIMBREL_WORD_")]
        assert all(f'"${name}"' in line for name in words), task


def test_nothing_is_published_that_was_not_sealed_and_asked_about(dags):
    for dag in dags.values():
        for task in dag.tasks:
            if last(task) == "publish":
                before = {last(other) for other in task.get_flat_relatives(upstream=True)}
                assert {"reserve", "aggregate", "seal", "approval"} <= before, task
                assert task.trigger_rule == "none_failed", task


def test_no_product_of_a_week_is_charged_before_the_gate_has_let_its_released_days_through(dags):
    weekly = dags["weekly_release"]
    gate = weekly.get_task("gate")
    assert gate.upstream_task_ids == {"days.seal"}
    assert weekly.get_task("days.reserve").upstream_task_ids == {"wait_until_closed"}
    assert {task.task_id for task in weekly.tasks if last(task) == "reserve" and "gate" in task.upstream_task_ids} == {
        "od_trips.reserve",
        "presence.reserve",
        "home_visits.reserve",
    }


def test_the_quality_of_a_day_is_reported_once_and_by_its_own_task(dags):
    assert "--no-quality" in words_of(dags["cdr_daily"].get_task("ingest"))


def test_the_approval_waits_for_a_person_without_a_limit_and_answers_nothing_by_itself(dags):
    for task in tasks(dags):
        if last(task) == "approval":
            assert type(task).__name__ == "ApprovalOperator"
            assert (task.response_timeout, task.defaults) == (None, None), task


def words_of(task):
    env = task.env
    return [env[f"WHIMBREL_WORD_{n}"] for n in range(sum(name.startswith("WHIMBREL_WORD_") for name in env))]


def test_each_step_is_one_verb_of_the_command_line(dags):
    weekly, week = dags["weekly_release"], "{{ week_of(dag_run, params) }}"
    for step in ("reserve", "aggregate", "seal"):
        assert words_of(weekly.get_task(f"od_trips.{step}")) == ["release", "od_trips", week, "--step", step]
        days = ["release", "active_subscribers", week, "--daily", "--step", step]
        assert words_of(weekly.get_task(f"days.{step}")) == days
    assert words_of(weekly.get_task("gate")) == ["gate", week]
    assert words_of(weekly.get_task("od_trips.publish")) == ["publish", "od_trips", week]
    month = "{{ month_of(dag_run, params) }}"
    assert words_of(dags["monthly_release"].get_task("nights")) == ["nights", month]
    assert words_of(dags["cdr_daily"].get_task("quality")) == ["quality", "{{ day_of(dag_run, params) }}"]
    assert words_of(dags["retention"].get_task("expire")) == ["retention"]
    assert words_of(dags["ledger_audit"].get_task("check")) == ["ledger", "check"]


def test_a_delivery_is_awaited_without_a_worker_and_its_lateness_is_told(dags):
    dag = dags["cdr_daily"]
    sensor = dag.get_task("wait_for_delivery")
    assert sensor.deferrable
    assert sensor.filepath == "{{ day_of(dag_run, params) }}/_SUCCESS"
    (alert,) = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
    assert alert.callback.path == "whimbrel_tasks.tell_late"
    assert type(alert.callback).__name__ == "SyncCallback", "the triggerer does not find the DAGs' own modules"


CLUSTER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
assert bag.import_errors == {}, bag.import_errors
print(json.dumps([[t.task_id.rpartition(".")[2], type(t).__name__, getattr(t, "application_args", None),
    getattr(t, "run_as_user", None)] for d in bag.dags.values() for t in d.tasks]))
"""


def test_one_setting_sends_the_engines_to_a_cluster_and_another_gives_each_identity_its_own(tmp_path):
    settings = {
        "WHIMBREL_ENGINE": "spark-submit",
        "WHIMBREL_IDENTITIES": json.dumps({"gate": {"run_as_user": "gate"}, "publisher": {"run_as_user": "publisher"}}),
    }
    ended = subprocess.run(
        [sys.executable, "-c", CLUSTER, str(DAGS)],
        env={**os.environ, **settings, "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    for task, kind, arguments, user in json.loads(ended.stdout.splitlines()[-1]):
        assert (kind == "SubmittedVerb") == (task in ENGINE_TASKS), task
        if task in ENGINE_TASKS:
            assert arguments[-2:] == ["--engine", "spark"]
        expected = dict.fromkeys(("reserve", "seal", "gate", "check"), "gate") | {"publish": "publisher"}
        assert user == expected.get(task, user if task in {"signature_wanted", "check_opening"} else None), task
