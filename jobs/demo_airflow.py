"""The main job through the DAGs of a real Airflow, as it runs in an operator's network every night."""

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from jobs.airflow_services import Airflow, airflow_environment, running
from jobs.console import ERR, OUT, Steps, steps
from jobs.demo import WEEK, installed, sign_as_dpo
from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from jobs.synth import synthesise
from jobs.synthetic_mark import MARK
from privacy.approval import Trust
from privacy.ledger import ReleaseKey
from privacy.unit import Period
from schemas.errors import WhimbrelError

DAILY, WEEKLY = "cdr_daily", "weekly_release"
KEY: Final = ReleaseKey("od_trips", WEEK)
_LOOK_S: Final = 2
_GIVE_UP_S: Final = 1800
"""A machine that needs longer has a fault that waiting does not mend."""

_APPROVAL: Final = """\
The week is drawn and sealed; nothing has left. In Airflow the task approval waits. A DPO would now look at the
release and sign its digest with a key of their own:
  whimbrel approve release {product} {period} --key {key} --config {config}
The demo does so itself, and then presses Approve. Only the signature counts: marked as a success by an
administrator, the approval publishes nothing, because publish verifies the signature.
"""


def run_demo_airflow(out: Path, *, subscribers: int, seed: int, leave: bool) -> None:
    """Run a week through the DAGs, sign it, publish it, and show Airflow's pages until Ctrl-C.

    Args:
        out: Folder of the demo.
        subscribers: Size of the country.
        seed: Which country.
        leave: End at once instead of showing the pages.

    Raises:
        ConfigError: There is no Airflow on this machine.
        WhimbrelError: A task failed; its log is named.
    """
    environment, out = airflow_environment(), out.absolute()
    with _ended_properly(), steps() as progress:
        week = Period.parse(WEEK)
        progress(f"synthesising a country of {subscribers:,} subscribers, 7 days")
        synthesise(out / "country", seed=seed, subscribers=subscribers, first_day=week.first_day, days=7)
        desk = Desk.of(installed(out))
        _deliver(out)
        progress("starting Airflow: API server, scheduler, DAG processor, triggerer")
        with running(Airflow(out / "airflow", environment, _variables(out))) as airflow:
            _say(ERR, _pages(airflow))
            _run_week(airflow, desk, out, progress)
            verify_bundle(desk.storage.release / KEY.slug, trust=Trust.load(out / "trust.toml"))
            progress.finish()
            _say(OUT, {**_where(out), **_pages(airflow)})
            if not leave:
                _show_until_interrupted()
            progress("stopping Airflow")


def _deliver(out: Path) -> None:
    """Lay each day's file where its delivery is awaited; the marker comes last."""
    (out / "deliveries").mkdir(exist_ok=True)
    (out / "deliveries" / MARK).write_bytes((out / "country" / MARK).read_bytes())
    for file in sorted((out / "country" / "whimbrel").glob("*.parquet")):
        folder = out / "deliveries" / file.stem
        folder.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            (folder / file.name).hardlink_to(file)
        (folder / "_SUCCESS").touch()


def _variables(out: Path) -> dict[str, str]:
    """What the DAGs read, for an installation in a folder; the schedule itself ended with the week."""
    deliveries = {"conn_type": "fs", "extra": {"path": str(out / "deliveries")}}
    return {
        "WHIMBREL_COMMAND": str(Path(sys.executable).parent / "whimbrel"),
        "WHIMBREL_CONFIG": str(out / "whimbrel.toml"),
        "WHIMBREL_SOURCE": "whimbrel",
        "WHIMBREL_TIMEZONE": "Indian/Mauritius",
        "WHIMBREL_WEEKLY": KEY.product,
        "WHIMBREL_LAST_DAY": "2026-03-09",
        "WHIMBREL_APPROVERS": "dpo",
        "AIRFLOW_CONN_WHIMBREL_DELIVERIES": json.dumps(deliveries),
    }


def _run_week(airflow: Airflow, desk: Desk, out: Path, progress: Steps) -> None:
    """Seven days through the daily DAG, which start the weekly one; sign, answer, wait for the bundle."""
    if _up_to_the_approval(airflow, progress):
        _approve(airflow, desk, out)
    progress(f"{WEEKLY}: publish")
    _reached(airflow, "publish", ("success",))


def _up_to_the_approval(airflow: Airflow, progress: Steps) -> bool:
    """Tell whether a person is asked; in a folder in which the demo ran before, the release is published already."""
    week = Period.parse(WEEK)
    for dag in (DAILY, WEEKLY):
        airflow.unpause(dag)
    progress(f"{DAILY}: a backfill of seven days")
    airflow.backfill(DAILY, str(week.first_day), str(week.last_day))
    for done in _days_done(airflow):
        progress.note(f"{done} of {len(week.days)}")
        if done == len(week.days):
            break
    progress(f"{WEEKLY}: reserve, aggregate, draw and seal, once seven days are announced")
    asked = _reached(airflow, "approval", ("awaiting_input", "success")) == "awaiting_input"
    progress(f"{WEEKLY}: approval")
    return asked


def _approve(airflow: Airflow, desk: Desk, out: Path) -> None:
    """Sign as the DPO does where their key is, and answer as they do in Airflow."""
    signer = out / "keys" / "dpo.pem"
    told = _APPROVAL.format(product=KEY.product, period=WEEK, key=signer, config=out / "whimbrel.toml")
    ERR.print(told, markup=False, highlight=False, soft_wrap=True)
    sign_as_dpo(desk, KEY, signer)
    airflow.answer(WEEKLY, _week_run(airflow), f"{KEY.product}.approval", "Approve")


def _days_done(airflow: Airflow) -> Iterator[int]:
    """How many days are through, again and again."""
    for _ in _patiently():
        runs = airflow.runs(DAILY)
        for run in runs:
            if run["state"] == "failed":
                raise _failed(airflow, DAILY, run["dag_run_id"])
        yield sum(run["state"] == "success" for run in runs)


def _reached(airflow: Airflow, task: str, states: Sequence[str]) -> str:
    """Wait until a task of the week's release is in one of these states, and tell in which."""
    for _ in _patiently():
        if run := _week_run(airflow):
            found = airflow.tasks(WEEKLY, run)
            if (state := found[f"{KEY.product}.{task}"]) in states:
                return str(state)
            if "failed" in found.values():
                raise _failed(airflow, WEEKLY, run)
    raise AssertionError  # `_patiently` never ends by itself


def _week_run(airflow: Airflow) -> str:
    """The run of the week, once there is one."""
    return next((str(run["dag_run_id"]) for run in airflow.runs(WEEKLY)), "")


def _patiently() -> Iterator[None]:
    give_up = time.monotonic() + _GIVE_UP_S
    while time.monotonic() < give_up:
        yield
        time.sleep(_LOOK_S)
    raise WhimbrelError("Airflow did not finish in half an hour.", "two or three minutes", "look at its logs")


def _failed(airflow: Airflow, dag: str, run: str) -> WhimbrelError:
    task = next(name for name, state in airflow.tasks(dag, run).items() if state == "failed")
    log = airflow.home / "logs" / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task}"
    return WhimbrelError(f"The task {task} of {dag} failed.", "", f"read its log in {log}")


def _pages(airflow: Airflow) -> dict[str, str]:
    """Where Airflow's pages are, and who may see them."""
    return {
        "Pages": f"{airflow.address}/dags/{WEEKLY}",
        "Login": f"admin, password {airflow.passwords['admin']}; or dpo, password {airflow.passwords['dpo']}",
    }


def _where(out: Path) -> dict[str, str]:
    """What was published, and the commands to go on with."""
    return {
        "Bundle": f"{out / 'release' / KEY.slug}",
        "Check": f"whimbrel verify {out / 'release' / KEY.slug} --trust {out / 'trust.toml'}",
        "Cost": f"whimbrel ledger --config {out / 'whimbrel.toml'}",
    }


def _say(console: Console, lines: Mapping[str, str]) -> None:
    """Print lines that can be copied: none is broken where the screen ends."""
    for name, line in lines.items():
        console.print(f"{name:7} {line}", markup=False, highlight=False, soft_wrap=True)


def _show_until_interrupted() -> None:
    ERR.print("Airflow goes on until Ctrl-C.")
    with suppress(KeyboardInterrupt):
        signal.pause()


@contextmanager
def _ended_properly() -> Iterator[None]:
    """Make a request to end, and a terminal that is closed, what Ctrl-C is: nothing of Airflow stays behind."""

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupted) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
