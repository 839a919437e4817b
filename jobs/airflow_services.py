"""A real Airflow on this machine: its four services in one process group, on loopback ports of their own."""

import json
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from schemas.errors import ConfigError

ENVIRONMENT: Final = "WHIMBREL_AIRFLOW"
"""Variable that names the folder of Airflow's own Python environment."""

DAGS: Final = Path(__file__).parents[1] / "dags"

_SERVICES: Final = {
    "api-server": ("api-server", "--workers", "1", "--host", "127.0.0.1"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
"""Nothing serves logs over the network: the API server reads the files."""

_START_S: Final = 300
_STOP_S: Final = 20
_ANSWER_S: Final = 300
"""A busy machine answers late; that is no reason to end a run."""

_REACTION_S: Final = 10
"""Some turns of the scheduler, on a busy machine too."""

_ENDED: Final = ("success", "failed", "skipped", "upstream_failed", "removed")
"""States of a task that is over."""


def airflow_environment() -> Path:
    """Folder of the Python environment that holds Airflow: it has dependencies that ours cannot share.

    Raises:
        ConfigError: There is none.
    """
    named = os.environ.get(ENVIRONMENT)
    found = Path(named) if named else DAGS.parent / "build" / "airflow"
    if not (found / "bin" / "airflow").exists():
        raise ConfigError(
            f"There is no Airflow in {found}.",
            "an environment made of requirements-airflow.lock",
            f"run `make demo-airflow`, which makes it; or name your own in {ENVIRONMENT}",
        )
    return found.absolute()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Airflow:
    """One Airflow with its metadata, logs and login in a folder.

    Args:
        home: Its folder.
        environment: Folder of its Python environment.
        variables: What its processes are told besides: connections, and what the DAGs read.
        settings: Airflow's own settings that differ, as `section__key`.
        dags: Folder of the DAGs.
        port: Of the API server and the pages; a free one unless told.
    """

    home: Path
    environment: Path
    variables: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    dags: Path = DAGS
    port: int = field(default_factory=_free_port)
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def passwords(self) -> dict[str, str]:
        """Password by user: `admin` may do everything, `dpo` may answer."""
        file = self.home / "passwords.json"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(json.dumps({user: secrets.token_urlsafe(9) for user in ("admin", "dpo")}))
        return dict(json.loads(file.read_text()))

    def start(self) -> None:
        """Make the metadata where there are none, start the services, wait until they work.

        Raises:
            ConfigError: A service did not start; its log is named.
        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._airflow("db", "migrate")
        self._airflow("pools", "import", str(self.dags / "pools.json"))
        for name in _SERVICES:
            self.start_service(name)
        self._wait_for("the API server", lambda: self.call("GET", "/api/v2/version") is not None)
        self._wait_for("the DAGs", lambda: self.call("GET", "/api/v2/dags")["total_entries"] >= len(self._dag_files))

    def start_service(self, name: str) -> None:
        """Start one service, in the group of the others; the first one leads it."""
        port = ("--port", str(self.port)) if name == "api-server" else ()
        with (self.home / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603  its own commands
                [self._binary, *_SERVICES[name], *port],
                env=self._environ,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=self._group if self._running else 0,
            )

    @property
    def _group(self) -> int:
        return next(iter(self._running.values())).pid

    def stop(self) -> None:
        """End all services and whatever they started; who does not end by itself is killed, at a second Ctrl-C all."""
        try:
            self._signal(signal.SIGTERM)
            self._wait_for_end()
        finally:
            self._signal(signal.SIGKILL)
            self._running.clear()

    def _signal(self, number: signal.Signals) -> None:
        if self._running:
            for process in _family({service.pid for service in self._running.values()}, self._group):
                with suppress(ProcessLookupError):
                    os.kill(process, number)

    @property
    def services(self) -> Mapping[str, "subprocess.Popen[bytes]"]:
        """The running services by name."""
        return self._running

    def call(self, method: str, path: str, body: object = None, *, user: str = "admin") -> Any:  # noqa: ANN401  JSON
        """Ask its REST API; nothing comes back where the answer is empty.

        Raises:
            HTTPError: It refuses; the reason stands in the error's text.
        """
        headers = {"Content-Type": "application/json"}
        if not path.startswith("/auth/"):
            headers["Authorization"] = f"Bearer {self._token(user)}"
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.address + path, data, headers, method=method)  # noqa: S310  loopback, http
        try:
            with urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310
                text = answer.read()
        except HTTPError as error:
            error.msg = f"{error.msg}: {error.read().decode()[:2000]}"
            raise
        return json.loads(text) if text else None

    def unpause(self, dag: str) -> None:
        """Let a DAG's runs begin."""
        self.call("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str, *, partition: str | None = None, conf: Mapping[str, object] | None = None) -> str:
        """Start a run by hand and give its id."""
        body = {"logical_date": None, "conf": dict(conf or {}), "partition_key": partition}
        return str(self.call("POST", f"/api/v2/dags/{dag}/dagRuns", body)["dag_run_id"])

    def backfill(self, dag: str, first: str, last: str, *, again: bool = False, at_once: int = 3) -> None:
        """Start a run for each partition from the first day to the last."""
        body = {
            "dag_id": dag,
            "from_date": f"{first}T00:00:00Z",
            "to_date": f"{last}T00:00:00Z",
            "reprocess_behavior": "completed" if again else "none",
            "max_active_runs": at_once,
        }
        self.call("POST", "/api/v2/backfills", body)

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Runs of a DAG, the oldest first."""
        return list(self.call("GET", f"/api/v2/dags/{dag}/dagRuns?limit=100&order_by=id")["dag_runs"])

    def tasks(self, dag: str, run: str) -> dict[str, str | None]:
        """State of each task of a run."""
        found = self.call("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def tries(self, dag: str, run: str, task: str) -> int:
        """How often a task was tried."""
        return int(self.call("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}")["try_number"])

    def clear(self, dag: str, run: str, *tasks: str) -> None:
        """Have tasks, and what follows them, run again."""
        body = {"task_ids": list(tasks), "dag_run_id": run, "dry_run": False, "only_failed": False}
        options = {"include_downstream": True, "reset_dag_runs": True}
        self.call("POST", f"/api/v2/dags/{dag}/clearTaskInstances", body | options)

    def log(self, dag: str, run: str, task: str) -> str:
        """Log of the last attempt of a task, as its page shows it."""
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}"
        lines = self.call("GET", f"{path}/logs/{self.tries(dag, run, task)}?full_content=true")["content"]
        return "\n".join(json.dumps(line) if isinstance(line, dict) else str(line) for line in lines)

    def answer(self, dag: str, run: str, task: str, option: str, *, user: str = "dpo") -> None:
        """Answer a task that waits for a person, as slowly as one, and again where it asks again; return once it ended.

        An answer within a turn of the scheduler costs the task a try in Airflow 3.3.2: it has the task queued to go on
        before it hears that the process that asked has ended, and takes that for the end of the one to come.
        """
        path = f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"
        give_up = time.monotonic() + _ANSWER_S
        while self.tasks(dag, run)[task] not in _ENDED and time.monotonic() < give_up:
            if not self.call("GET", path)["response_received"]:
                time.sleep(_REACTION_S)
                self.call("PATCH", path, {"chosen_options": [option], "params_input": {}}, user=user)
            time.sleep(1)

    def _token(self, user: str) -> str:
        if user not in self._tokens:
            login = {"username": user, "password": self.passwords[user]}
            self._tokens[user] = self.call("POST", "/auth/token", login)["access_token"]
        return self._tokens[user]

    @property
    def _dag_files(self) -> list[Path]:
        return [file for file in self.dags.glob("*.py") if file.name != "whimbrel_tasks.py"]

    @property
    def _binary(self) -> str:
        return str(self.environment / "bin" / "airflow")

    def _airflow(self, *words: str) -> None:
        with (self.home / "setup.log").open("ab") as log:
            ended = subprocess.run(  # noqa: S603
                [self._binary, *words], env=self._environ, cwd=self.home, stdout=log, stderr=log, check=False
            )
        if ended.returncode:
            raise self._failed(f"`airflow {' '.join(words)}`", "setup.log")

    def _wait_for(self, what: str, is_there: Callable[[], bool]) -> None:
        give_up = time.monotonic() + _START_S
        while time.monotonic() < give_up:
            with suppress(URLError, ConnectionError, TimeoutError):
                if is_there():
                    return
            if ended := [name for name, process in self._running.items() if process.poll() is not None]:
                raise self._failed(ended[0], f"{ended[0]}.log")
            time.sleep(0.5)
        raise self._failed(what, "api-server.log and dag-processor.log")

    def _wait_for_end(self) -> None:
        give_up = time.monotonic() + _STOP_S
        for process in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, give_up - time.monotonic()))

    def _failed(self, what: str, log: str) -> ConfigError:
        return ConfigError(f"{what} of Airflow did not work.", "services that start", f"look at {self.home / log}")

    @property
    def _environ(self) -> dict[str, str]:
        own = {f"AIRFLOW__{name.upper()}": value for name, value in (self._settings | dict(self.settings)).items()}
        path = f"{self.environment / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
        return {**kept, **self.variables, **own, "AIRFLOW_HOME": str(self.home), "PATH": path}

    @property
    def _settings(self) -> dict[str, str]:
        _ = self.passwords
        return {
            "core__executor": "LocalExecutor",
            "core__parallelism": "4",
            "core__dags_folder": str(self.dags),
            "core__load_examples": "False",
            "core__execution_api_server_url": f"{self.address}/execution/",
            "core__simple_auth_manager_users": "admin:admin,dpo:user",
            "core__simple_auth_manager_passwords_file": str(self.home / "passwords.json"),
            "database__sql_alchemy_conn": f"sqlite:///{self.home / 'airflow.db'}",
            "api__base_url": self.address,
            "api__secret_key": self._secret,
            "api_auth__jwt_secret": self._secret,
            "dag_processor__refresh_interval": "5",
            # A busy laptop answers late; the default of 5 s costs a task one of its tries.
            "workers__execution_api_timeout": "60",
            # It would tell its makers which versions run here.
            "usage_data_collection__enabled": "False",
            # Lineage would name files and rows to whoever collects it.
            "openlineage__disabled": "True",
        }

    @property
    def _secret(self) -> str:
        file = self.home / "secret"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(32))
        return file.read_text()


@contextmanager
def running(airflow: Airflow) -> Iterator[Airflow]:
    """Give a running Airflow and end it afterwards, however that comes."""
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()


def _family(roots: set[int], group: int) -> list[int]:
    """Processes of a group, and whatever these or the roots started, children first.

    A service that is ended, or killed, leaves its children behind; they keep its group, and some begin another.
    """
    kin = {int(stat.parent.name): _parent_and_group(stat) for stat in Path("/proc").glob("[0-9]*/stat")}
    found = [process for process, (_, of) in kin.items() if process in roots or of == group]
    for process in found:
        found.extend(child for child, (parent, _) in kin.items() if parent == process and child not in found)
    return found[::-1]


def _parent_and_group(stat: Path) -> tuple[int, int]:
    with suppress(OSError):
        state, parent, group = stat.read_text().rpartition(")")[2].split()[:3]
        if state != "Z":  # whoever has ended and is still listed can be ended no more
            return int(parent), int(group)
    return 0, 0
