"""A Spark standalone cluster of separate processes on loopback: a master and workers, each of which can be killed.

Its properties are those of infra/spark/standalone.conf, with less memory and a secret of its own. Executors have no
Python: whatever a stage wants of one fails.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyspark

ROOT = Path(__file__).parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
CLASSES = "org.apache.spark.deploy.{0}.{1}"
PATIENCE_S = 90
NO_PYTHON = "/nonexistent/python"

LOST = "Lost executor"
"""What Spark's driver tells of an executor that went without a word."""


@dataclass
class Worker:
    """A worker, in a process group of its own with its executors: a machine that can be lost.

    Args:
        process: The worker.
        local: Where its executors keep what they shuffle.
    """

    process: subprocess.Popen
    local: Path

    def kill(self):
        """Lose the machine: worker and executors at once, without a word."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def shuffled(self):
        """Files that its executors have ready for the next stage."""
        return set(self.local.rglob("shuffle_*.data"))


@dataclass
class Cluster:
    """A running cluster.

    Args:
        home: Its folder.
        port: The master's.
        workers: Those alive.
    """

    home: Path
    port: int
    workers: list[Worker] = field(default_factory=list)
    started: int = 0

    @property
    def master(self):
        """The master's address."""
        return f"spark://127.0.0.1:{self.port}"

    @property
    def properties(self):
        """Spark's properties, for master, workers and drivers."""
        return self.home / "spark.conf"

    def fill(self):
        """Have two workers again, whatever was lost before: with the last one a job would lose its cluster."""
        while len(self.workers) < 2:
            self._add_worker()

    def _add_worker(self):
        """Start a worker of one core and wait until the master knows it."""
        self.started += 1
        local, log = self.home / f"local-{self.started}", self.home / f"worker-{self.started}.log"
        local.mkdir()
        environment = {"SPARK_WORKER_DIR": str(self.home / "work"), "SPARK_LOCAL_DIRS": str(local)}
        arguments = ["--host", "127.0.0.1", "--webui-port", "0", "-c", "1", "-m", "1g"]
        process = self.daemon("worker.Worker", [*arguments, self.master], log, environment)
        self.workers.append(Worker(process, local))
        wait_for(lambda: "Successfully registered with master" in log.read_text(), process, log)

    def daemon(self, name, arguments, log, environment=None):
        """Start one of Spark's daemons in a process group of its own."""
        command = [SPARK_HOME / "bin/spark-class", CLASSES.format(*name.split("."))]
        with log.open("wb") as told:
            return subprocess.Popen(
                [*command, "--properties-file", self.properties, *arguments],
                cwd=self.home,
                env=spark_environment(environment or {}),
                stdout=told,
                stderr=told,
                start_new_session=True,
            )

    def lose_a_worker_at_work(self, is_over):
        """Kill the worker whose executor first has something ready for the next stage; tell whether there was one.

        The other one goes on: fill the cluster before the job begins.

        Args:
            is_over: Whether the job ended, so that there is nothing to wait for any more.
        """
        before = {id(worker): worker.shuffled for worker in self.workers}
        while not is_over():
            for _ in range(100):  # a second: asking whether it is over may cost more than a look at the disk
                for worker in self.workers:
                    if worker.shuffled - before[id(worker)]:
                        worker.kill()
                        self.workers.remove(worker)
                        return True
                time.sleep(0.01)
        return False


def spark_environment(more):
    """What a daemon or a driver sees: loopback only, no configuration of this machine's, no Python for executors."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    loopback = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1"}
    return {**known, **loopback, "SPARK_HOME": str(SPARK_HOME), "PYSPARK_PYTHON": NO_PYTHON, **more}


@contextmanager
def standalone(home):
    """Start a master and two workers; stop them in the end."""
    home.mkdir(parents=True)
    cluster = Cluster(home, free_port())
    write_properties(cluster.properties)
    log = home / "master.log"
    arguments = ["--host", "127.0.0.1", "--port", str(cluster.port), "--webui-port", "0"]
    master = cluster.daemon("master.Master", arguments, log)
    try:
        wait_for(lambda: "New state: ALIVE" in log.read_text(), master, log)
        cluster.fill()
        yield cluster
    finally:
        for process in [master, *(worker.process for worker in cluster.workers)]:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(home / "work", ignore_errors=True)


def write_properties(path):
    """The shipped properties, for a small machine, with a secret."""
    small = {
        "spark.driver.memory": "1g",
        "spark.executor.memory": "700m",
        "spark.executor.cores": "1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.authenticate.secret": secrets.token_hex(32),
    }
    shipped = (ROOT / "infra/spark/standalone.conf").read_text(encoding="utf-8")
    path.touch(mode=0o600)
    path.write_text("\n".join([shipped, *(f"{name} {value}" for name, value in small.items())]), encoding="utf-8")


def wait_for(happened, process, log):
    """Wait until something happened to a process, and say what it told if it did not."""
    deadline = time.monotonic() + PATIENCE_S
    while not happened():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text(errors="replace")[-4000:])
        time.sleep(0.05)


def free_port():
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
