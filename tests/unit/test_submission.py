"""How a verb reaches a cluster: the code's zip, the spark-submit line, and what a session may say under it."""

import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jobs.config import EngineConfig
from jobs.session import ONE_MACHINE_SETTINGS, SPARK_SETTINGS, spark_settings
from jobs.submission import Cluster, submit_line, write_code
from schemas.errors import ConfigError
from tests.installations import run_whimbrel

ROOT = Path(__file__).parents[2]

LINES = [
    ("--on standalone --master spark://m:7077", "spark://m:7077", "infra/spark/standalone.conf"),
    ("--on yarn", "yarn", "infra/yarn/whimbrel.conf"),
    ("--on kubernetes --master k8s://https://m:6443", "k8s://https://m:6443", "infra/kubernetes/base/spark.conf"),
]


@pytest.mark.parametrize(("options", "master", "properties"), LINES)
def test_a_line_names_master_properties_code_and_verb(options, master, properties, monkeypatch, capsys):
    verb = "ingest deliveries/a --days 2026-03-02"
    code, line, _ = run_whimbrel(f"submit-line {options} --code w.zip {verb}", monkeypatch, capsys)

    assert code == 0
    assert shlex.split(line) == [
        *["spark-submit", "--master", master, "--deploy-mode", "client", "--properties-file", properties],
        *["--py-files", "w.zip", "infra/spark/whimbrel_job.py", *verb.split(), "--engine", "spark"],
    ]
    assert (ROOT / properties).is_file()


def test_words_with_blanks_reach_the_verb_whole():
    line = submit_line(["ingest", "a delivery"], Cluster.YARN, master=None, code=None)
    assert "a delivery" in shlex.split(line)


@pytest.mark.parametrize("cluster", [Cluster.STANDALONE, Cluster.KUBERNETES])
@pytest.mark.parametrize("master", [None, "local[*]", "yarn"])
def test_a_master_of_another_kind_is_refused(cluster, master):
    with pytest.raises(ConfigError, match=cluster.scheme):
        submit_line(["nights", "2026-03"], cluster, master=master, code=None)


def test_a_verb_that_opens_no_engine_is_not_submitted(monkeypatch, capsys):
    """What approves and publishes runs under the gate's identity, never on a cluster."""
    code, _, told = run_whimbrel("submit-line --on yarn publish od_trips 2026-W10", monkeypatch, capsys)
    assert (code, "no verb that runs on a cluster" in told) == (2, True)


def test_a_mistake_in_the_verb_is_told_before_a_cluster_is_asked(monkeypatch, capsys):
    code, _, told = run_whimbrel("submit-line --on yarn ingest a --dais 2026-03-02", monkeypatch, capsys)
    assert (code, "--dais" in told) == (2, True)


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    path = tmp_path_factory.mktemp("code") / "whimbrel.zip"
    write_code(path)
    return path


def test_the_zip_runs_without_the_source_folder(code, tmp_path):
    """Data files too are read from the zip: the shipped policy, and the situation page's."""
    dependencies = [path for path in sys.path if path.endswith("-packages")]
    program = (
        f"import sys; sys.path[:0] = {[str(code), *dependencies]!r}\n"
        "from privacy.policy import Policy; import jobs.cli, jobs.publish.situation.page as page\n"
        f"assert jobs.cli.__file__.startswith({str(code)!r})\n"
        "print(Policy.load().sha256)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    from privacy.policy import Policy

    assert done.stdout.strip() == Policy.load().sha256, done.stderr


def test_the_same_code_is_the_same_zip_and_nothing_else_is_in_it(code, tmp_path):
    write_code(tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == code.read_bytes()
    names = zipfile.ZipFile(code).namelist()
    assert {name.partition("/")[0] for name in names} == {"jobs", "privacy", "schemas"}
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


CONFIG = EngineConfig(name="spark", master="local[2]", memory="1g", shuffle_partitions=3)


def test_one_machine_keeps_to_itself():
    settings = spark_settings(CONFIG, submitted=False)
    assert settings["spark.master"] == "local[2]"
    assert settings.items() >= ONE_MACHINE_SETTINGS.items()


def test_a_submitted_job_leaves_to_the_deployment_what_is_the_deployments():
    settings = spark_settings(CONFIG, submitted=True)
    assert not settings.keys() & {"spark.master", "spark.driver.memory", "spark.local.dir", *ONE_MACHINE_SETTINGS}
    assert settings["spark.sql.shuffle.partitions"] == "3"
    assert settings["spark.speculation"] == "false"
    assert settings["spark.ui.enabled"] == settings["spark.eventLog.enabled"] == "false"


def test_a_cluster_that_is_not_submitted_to_is_not_bound_to_this_machine():
    settings = spark_settings(CONFIG.model_copy(update={"master": "spark://m:7077"}), submitted=False)
    assert settings["spark.master"] == "spark://m:7077"
    assert not settings.keys() & ONE_MACHINE_SETTINGS.keys()


def test_the_deployment_s_own_settings_win_but_not_over_what_results_rest_on():
    config = EngineConfig(settings={"spark.eventLog.enabled": "true"})
    assert spark_settings(config, submitted=True)["spark.eventLog.enabled"] == "true"
    for name in ("spark.sql.session.timeZone", "spark.speculation"):
        assert name in SPARK_SETTINGS
        with pytest.raises(ValueError, match=name):
            EngineConfig(settings={name: "x"})
