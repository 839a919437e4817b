"""An installation whose jobs run on a cluster: its code a zip, the driver's Python without it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from jobs.submission import Cluster as Kind
from jobs.submission import submit_line, write_code
from tests.e2e.cluster import ROOT, SPARK_HOME, spark_environment
from tests.installations import KEY, installation

_CONFIG = """\
[country]
name = "Numenia"
timezone = "Indian/Mauritius"

[storage]
ledger = {ledger}

[engine]
name = "spark"
shuffle_partitions = 4

[pseudonyms]
key_file = "key"

[cells]
path = {cells}

[approval]
trust = "trust.toml"
publisher_key = "keys/gate.pem"

[sources.whimbrel]
format = "parquet"
columns = {{ subscriber = "msisdn", time = "event_at", cell = "cell_id", sex = "sex", age_band = "age_band" }}
"""


def install(root, *, cells, ledger):
    """Write `whimbrel.toml` and keys under a folder; return the file."""
    installation(root, cells=cells)
    assert (root / "key").read_text() == KEY
    file = root / "whimbrel.toml"
    file.write_text(_CONFIG.format(ledger=json.dumps(ledger), cells=json.dumps(str(cells))))
    return file


class Drivers:
    """Starts drivers for a cluster with the lines that `whimbrel submit-line` prints.

    Args:
        cluster: Where executors run.
        home: Folder for the code's zip, the driver's Python and logs.
    """

    def __init__(self, cluster, home):
        self.cluster, self.home, self.count = cluster, home, 0
        self.code = home / "whimbrel.zip"
        write_code(self.code)
        self.environment = spark_environment(
            {
                "PATH": f"{SPARK_HOME / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "PYSPARK_DRIVER_PYTHON": str(self._python()),
                "NO_COLOR": "1",
            }
        )

    def _python(self):
        """A Python with our dependencies and without us: what an editable installation adds is not read from here."""
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", self.home / "python"], check=True)
        (folder,) = (self.home / "python/lib").glob("python3*/site-packages")
        (folder / "dependencies.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
        return self.home / "python/bin/python"

    def knows_our_code(self):
        """Whether the driver's Python finds our code where nothing is submitted."""
        look = "import typer, pyspark; from importlib.util import find_spec; print(find_spec('jobs') is not None)"
        command = [self.environment["PYSPARK_DRIVER_PYTHON"], "-c", look]
        found = subprocess.run(command, env=self.environment, cwd=self.home, capture_output=True, text=True, check=True)
        return found.stdout.strip() == "True"

    def start(self, *verb, master=None):
        """Submit a verb; return its driver's process and log."""
        line = submit_line(
            [str(word) for word in verb],
            Kind.STANDALONE,
            master=master or self.cluster.master,
            code=self.code,
            source=ROOT,
        )
        return self.start_line(line.replace(str(ROOT / "infra/spark/standalone.conf"), str(self.cluster.properties)))

    def start_program(self, program, *arguments):
        """Submit a program of the tests' own."""
        words = ["spark-submit", "--master", self.cluster.master, "--properties-file", self.cluster.properties]
        return self.start_line(" ".join(map(str, [*words, "--py-files", self.code, program, *arguments])))

    def start_line(self, line):
        """Run a line in a shell's stead."""
        self.count += 1
        log = self.home / f"driver-{self.count}.log"
        with log.open("wb") as told:
            process = subprocess.Popen(line.split(), cwd=self.home, env=self.environment, stdout=told, stderr=told)
        return process, log


def ended(process, log, *, timeout=600):
    """The exit code of a driver, which is killed if it takes too long; what it told is shown if a test then fails."""
    try:
        return process.wait(timeout)
    finally:
        process.kill()
        print(log.read_text(errors="replace")[-3000:])


TOTALS = Path(__file__).with_name("exact_totals.py")
"""A program for spark-submit: the exact totals of a week of the synthetic country."""
