"""What a run is for, what its parameters may be, and what is retried."""

from copy import deepcopy
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    ParamValidationError,
)
from airflow.serialization.serialized_objects import DagSerialization
from pendulum import datetime
from whimbrel_tasks import DeliverySensor, RefusalsFail, SubmittedVerb, closing_of, day_of, month_of, week_of

NO_PARTITION = SimpleNamespace(partition_key=None)


def of(key):
    return SimpleNamespace(partition_key=key)


def test_a_run_is_for_its_partition_or_for_the_day_it_was_called_with():
    assert day_of(of("2026-03-02"), {}) == "2026-03-02"
    assert day_of(NO_PARTITION, {"day": "2026-03-05"}) == "2026-03-05"
    assert month_of(of("2026-03"), {"month": None}) == "2026-03"
    assert week_of(of("2026-03-02"), {}) == week_of(NO_PARTITION, {"day": "2026-03-08"}) == "2026-W10"
    assert week_of(of("2026-12-28"), {}) == "2026-W53"


@pytest.mark.parametrize("key", [None, "", "2026-W10", "2026-03-02; rm -rf /", "$(id)", "2026-03-02\n"])
def test_a_run_for_anything_else_fails_at_once_and_says_how_to_start_it(key):
    with pytest.raises(AirflowFailException, match=r"Remedy: trigger it with a partition key.*2026-03-02"):
        day_of(of(key), {})


def test_a_week_closes_once_the_last_delivery_with_rows_of_it_has_been_waited_for():
    closing = "2026-03-19T00:00:00+00:00"  # Sunday the 8th, late rows until the 15th, whose delivery has three days
    assert closing_of(of("2026-03-02"), {}) == closing_of(NO_PARTITION, {"day": "2026-03-08"}) == closing


def timetable(dags, name):
    """The schedule as the scheduler has it."""
    return DagSerialization.from_dict(DagSerialization.to_dict(dags[name])).timetable


@pytest.mark.parametrize(
    ("dag", "started", "key"),
    [
        ("cdr_daily", (2026, 3, 3), "2026-03-02"),
        ("cdr_daily", (2026, 1, 1), "2025-12-31"),
        ("monthly_release", (2026, 4, 14), "2026-03"),
        ("monthly_release", (2026, 1, 14), "2025-12"),
    ],
)
def test_a_run_that_starts_by_itself_is_for_the_day_or_month_that_has_ended(dags, dag, started, key):
    assert timetable(dags, dag)._get_partition_info(datetime(*started))[1] == key


def test_a_week_starts_with_its_seventh_day_and_not_before(dags):
    mapper = timetable(dags, "weekly_release").default_partition_mapper
    week = {f"2026-03-0{n}" for n in range(2, 9)}
    assert {mapper.to_downstream(day) for day in week} == {"2026-03-02"}
    assert set(mapper.to_upstream("2026-03-02")) == week


@pytest.mark.parametrize(
    ("task", "connection"),
    [
        (SubmittedVerb(task_id="aggregate", application="x.py"), "spark_default"),
        (DeliverySensor(task_id="wait", filepath="x", fs_conn_id="whimbrel_deliveries"), "whimbrel_deliveries"),
    ],
)
def test_a_missing_connection_is_no_yarn_and_no_root_folder_but_a_failure_that_names_the_command(
    monkeypatch, task, connection
):
    def missing(name):
        raise AirflowNotFoundException(name)

    monkeypatch.setattr("whimbrel_tasks.BaseHook.get_connection", missing)
    with pytest.raises(AirflowFailException, match=f"Remedy: airflow connections add {connection} --conn-type"):
        task.execute({})


@pytest.mark.parametrize(
    ("told", "action"),
    [
        ("Bash command failed. The command returned a non-zero exit code 2.", "fail"),
        ("Cannot execute: spark-submit --master x. Error code is: 2.", "fail"),
        ("Cannot execute: spark-submit --master x. Error code is: 2. Kubernetes spark exit code is: 2", "fail"),
        ("Bash command failed. The command returned a non-zero exit code 1.", "default"),
        ("Bash command failed. The command returned a non-zero exit code 137.", "default"),
        ("Bash command failed. The command returned a non-zero exit code 25.", "default"),
        ("Cannot execute: spark-submit --master x. Error code is: 1.", "default"),
    ],
)
def test_a_refusal_is_not_tried_again_and_anything_else_is(told, action):
    decision = RefusalsFail().evaluate(AirflowException(told), 1, 3)
    assert decision.action.value == action


EMERGENCY = {
    "event": "cyclone-ana",
    "onset": "2026-03-10",
    "area": "ab" * 32,
    "signatures": ["12" * 8, "34" * 8],
}


def validated(dag, given):
    params = deepcopy(dag.params)
    params.update(given)
    params.validate()


def test_an_emergency_is_started_with_its_event_onset_area_and_two_signatures(dags):
    validated(dags["emergency_displacement"], EMERGENCY)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event", "Cyclone Ana"),
        ("event", "../../etc"),
        ("event", "ana; id"),
        ("onset", "10 March"),
        ("onset", "2026-3-1"),
        ("area", "the south"),
        ("signatures", ["12" * 8]),
        ("signatures", ["12" * 8, "12" * 8]),
        ("signatures", ["12" * 8, "34" * 8, "56" * 8]),
        ("signatures", ["yes", "indeed"]),
    ],
)
def test_parameters_outside_their_schema_are_refused(dags, name, value):
    with pytest.raises(ParamValidationError):
        validated(dags["emergency_displacement"], {**EMERGENCY, name: value})


@pytest.mark.parametrize("missing", list(EMERGENCY))
def test_no_parameter_of_an_emergency_has_a_default(dags, missing):
    with pytest.raises(ParamValidationError):
        validated(dags["emergency_displacement"], {k: v for k, v in EMERGENCY.items() if k != missing})


@pytest.mark.parametrize("day", ["2026-W10", "yesterday", "2026-03-02 "])
def test_the_plain_date_of_a_run_by_hand_is_a_date(dags, day):
    for dag in ("cdr_daily", "weekly_release"):
        with pytest.raises(ParamValidationError):
            validated(dags[dag], {"day": day})
        validated(dags[dag], {"day": "2026-03-02"})
