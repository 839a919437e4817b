"""`whimbrel demo --airflow` before any Airflow runs: what it says where there is none, and what it tells one."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from jobs.airflow_services import DAGS, Airflow, _family, airflow_environment
from jobs.demo_airflow import _deliver, _ended_properly, _variables
from schemas.errors import ConfigError
from tests.installations import run_whimbrel


def test_without_an_airflow_the_demo_says_how_to_get_one_and_begins_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WHIMBREL_AIRFLOW", str(tmp_path / "nowhere"))
    code, _, told = run_whimbrel(f"demo --airflow --out {tmp_path / 'out'}", monkeypatch, capsys)
    assert code == 2
    assert "There is no Airflow in" in told
    assert "make demo-airflow" in told
    assert not (tmp_path / "out").exists()


def test_the_environment_is_the_one_that_is_named(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "airflow").touch()
    monkeypatch.setenv("WHIMBREL_AIRFLOW", str(tmp_path))
    assert airflow_environment() == tmp_path
    (tmp_path / "bin" / "airflow").unlink()
    with pytest.raises(ConfigError):
        airflow_environment()


def airflow(tmp_path, **variables):
    (tmp_path / "af").mkdir()
    return Airflow(tmp_path / "af", tmp_path, variables, {"core__parallelism": "2"})


def test_airflow_listens_on_loopback_reports_to_nobody_and_keeps_its_passwords_to_its_owner(tmp_path):
    made = airflow(tmp_path, WHIMBREL_CONFIG="w.toml")
    told = made._environ
    assert made.address.startswith("http://127.0.0.1:")
    assert told["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"
    assert told["AIRFLOW__OPENLINEAGE__DISABLED"] == "True"
    assert told["AIRFLOW__CORE__PARALLELISM"] == "2"
    assert told["WHIMBREL_CONFIG"] == "w.toml"
    assert {file.stat().st_mode & 0o777 for file in made.home.iterdir()} == {0o600}
    assert made.passwords == made.passwords
    assert set(made.passwords) == {"admin", "dpo"}


def test_airflow_is_told_nothing_of_another_airflow_or_python(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "Another")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    told = airflow(tmp_path)._environ
    assert told["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "PYTHONPATH" not in told


def test_a_delivery_is_laid_down_once_with_its_marker(tmp_path):
    files = tmp_path / "country" / "whimbrel"
    files.mkdir(parents=True)
    (tmp_path / "country" / "SYNTHETIC").write_text("{}")
    (files / "2026-03-02.parquet").write_text("rows")
    for _ in range(2):
        _deliver(tmp_path)
    assert {file.name for file in (tmp_path / "deliveries" / "2026-03-02").iterdir()} == {
        "2026-03-02.parquet",
        "_SUCCESS",
    }
    connection = json.loads(_variables(tmp_path)["AIRFLOW_CONN_WHIMBREL_DELIVERIES"])
    assert connection["extra"]["path"] == str(tmp_path / "deliveries")


def test_the_pools_of_the_dags_are_a_file_beside_them():
    assert set(json.loads((DAGS / "pools.json").read_text())) == {"whimbrel_engine", "whimbrel_gate", "whimbrel_wait"}


def wait_until(reached):
    give_up = time.monotonic() + 20
    while not reached() and time.monotonic() < give_up:
        time.sleep(0.05)
    return reached()


def test_whoever_a_service_started_is_found_children_first_and_also_when_it_was_killed(tmp_path):
    """A service that starts one child in its own group and one that begins another."""
    line = f"setsid sleep 60 & sleep 60 & echo $! > {tmp_path / 'child'}; wait"
    parent = subprocess.Popen(["sh", "-c", line], process_group=0)
    found = []
    try:
        assert wait_until(lambda: len(_family({parent.pid}, parent.pid)) == 3 and (tmp_path / "child").exists())
        found = _family({parent.pid}, parent.pid)
        assert found[-1] == parent.pid

        parent.kill()
        parent.wait()
        assert _family({parent.pid}, parent.pid) == [int((tmp_path / "child").read_text())]
    finally:
        for process in found:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        parent.wait()


def test_a_second_interrupt_while_services_end_kills_them_at_once(tmp_path, monkeypatch):
    made = airflow(tmp_path)
    line = f"trap '' TERM; touch {tmp_path / 'deaf'}; sleep 60 & wait; wait"
    deaf = subprocess.Popen(["sh", "-c", line], process_group=0)
    assert wait_until((tmp_path / "deaf").exists)
    made._running["deaf"] = deaf

    def interrupted(_airflow):
        raise KeyboardInterrupt

    monkeypatch.setattr(Airflow, "_wait_for_end", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.stop()
    assert deaf.wait(timeout=20) == -signal.SIGKILL
    assert wait_until(lambda: not _family({deaf.pid}, deaf.pid))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_and_a_closed_terminal_are_what_an_interrupt_is(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), _ended_properly():
        os.kill(os.getpid(), number)
        time.sleep(5)
    assert signal.getsignal(number) == before


def test_tasks_run_the_command_of_this_environment(tmp_path):
    assert _variables(tmp_path)["WHIMBREL_COMMAND"].startswith(sys.prefix)
