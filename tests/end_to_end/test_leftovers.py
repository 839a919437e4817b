"""What engines write besides tables, rows of subscribers shuffled and spilt, is gone after a run or the next one."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.installations import FIRST, KEY, files_of

CONFIG = """\
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[engine]
shuffle_partitions = 2
memory = "1g"
master = "local[2]"
[pseudonyms]
key_file = "key"
[cells]
path = "{cells}"
[sources.own]
format = "parquet"
columns = {{ subscriber = "msisdn", time = "event_at", cell = "cell_id" }}
"""


@pytest.fixture
def machine(tiny_country, tmp_path):
    """An installation, and a folder for temporary files of its own."""
    (tmp_path / "whimbrel.toml").write_text(CONFIG.format(cells=tiny_country.folder / "cells.csv"))
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def begun(machine, engine, file):
    """A command line in a process of its own."""
    line = ["ingest", str(file), "--days", str(FIRST), "--engine", engine, "--config", str(machine / "whimbrel.toml")]
    program = "import sys; from jobs.cli import run; sys.argv = ['whimbrel', *sys.argv[1:]]; run()"
    # The mode is what a shell that speaks Spark Connect leaves behind: neither engine may mind.
    environment = {
        **os.environ,
        "TMPDIR": str(machine / "tmp"),
        "_JAVA_OPTIONS": f"-Djava.io.tmpdir={machine / 'tmp'}",
        "SPARK_CONNECT_MODE_ENABLED": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-c", program, *line], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def killed_while_it_writes(run, machine):
    while run.poll() is None and not list(machine.glob("confidential/subscriber_day_parts/**/*.parquet")):
        time.sleep(0.001)
    left = [path for path in (machine / "tmp").glob("whimbrel-engine-*") if path.is_dir()]
    ended = run.poll()
    run.send_signal(signal.SIGKILL)
    said = run.communicate()
    assert ended is None, said
    return left


def files_left(machine):
    return [path for path in (machine / "tmp").rglob("*") if path.is_file() and "hsperfdata" not in str(path)]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sail", "spark"])
def test_neither_a_run_nor_a_killed_run_and_the_next_leave_a_temporary_file(machine, tiny_country, engine):
    first = files_of(tiny_country, "whimbrel")[0]
    left = killed_while_it_writes(begun(machine, engine, first), machine)
    assert left, "the kill fell into a run with a folder of its own"
    assert (machine / "confidential" / "scratch").exists(), "the kill fell into the middle"

    again = begun(machine, engine, first)
    said = again.communicate()

    assert again.returncode == 0, said
    assert not (machine / "confidential" / "scratch").exists()
    assert not [path for path in left if path.exists()]
    assert files_left(machine) == []


def test_the_folder_of_a_process_that_still_runs_is_left_alone(tmp_path):
    program = "import sys; from jobs.engine_folder import engine_folder; print(engine_folder(), flush=True); {then}"
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", program.format(then="sys.stdin.read()")]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        running.stdout.readline()
        (folder,) = tmp_path.iterdir()
        (foreign := tmp_path / "whimbrel-engine-of-somebody").mkdir()
        subprocess.run(
            [sys.executable, "-c", program.format(then="pass")], env=environment, check=True, capture_output=True
        )

        assert sorted(tmp_path.iterdir()) == sorted([folder, foreign])
        assert folder.stat().st_mode & 0o077 == 0
