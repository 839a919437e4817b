"""Real processes that work on an installation and are killed at a chosen step: run as a program, never imported.

It reads one command a line as JSON, does it in a process of its own, forked before any thread is started, and answers
with one line: how the process ended and which steps it passed. With `spared`, the process is killed at the first step
whose name is not among those, with `at` at the first of that name; without either, never.

`ingest root cells folder first last [replaces]`: ingest a delivery, in place of an earlier one if it is named.
`retention root cells day`: let expire what is due on a day.
`nights root cells month`: build the nights of a privacy month.
`steps root cells`: release a week step by step: reserve, aggregate, seal.
`release root cells`: release a week, approve it and publish its bundle; with `workers`, in several processes at once.
"""

import json
import os
import re
import shutil
import signal
import sys
from contextlib import nullcontext
from datetime import UTC, date, datetime, time
from pathlib import Path
from threading import Thread
from time import sleep

import matplotlib.pyplot  # noqa: F401  imported before the fork, so that no child pays for it
import pyspark.sql.connect.session  # noqa: F401  as above

from jobs.config import RetentionConfig
from jobs.releases import Desk
from jobs.retention import expire
from jobs.session import open_session
from jobs.storage import Storage
from privacy import mechanisms
from privacy.ledger import Ledger
from privacy.unit import PrivacyMonth
from tests.approvals import approve
from tests.installations import WEEK, deliver, installation

TABLE_FILES = "subscriber_day*/v=*/**/*"
NIGHTS_FILES = "nights/**/v=*/*"
TOTALS_FILES = "exact/*/*.parquet"
TABLES = {"subscriber_day_parts", "subscriber_days", "nights", "quarantine"}


class Steps:
    """Tells what has durable effects, and kills this process at the first of them that is not spared."""

    def __init__(self, spared, told):
        self.spared, self.told, self.draws = spared, told, 0

    def __call__(self, name):
        os.write(self.told, f"{name}\n".encode())
        if self.spared is not None and name not in self.spared:
            os.kill(os.getpid(), signal.SIGKILL)

    def after(self, owner, name, label):
        real = getattr(owner, name)

        def wrapped(*arguments, **options):
            result = real(*arguments, **options)
            self(label(*arguments))
            return result

        setattr(owner, name, wrapped)

    def watch(self):
        """Take as steps: files flushed but not yet named, renames, tables written, draws, entries of the ledger."""
        self.after(os, "fsync", lambda descriptor: f"flush {_flushed(descriptor)}")
        self.after(Path, "rename", lambda _, target: f"rename to {_named(Path(target))}")
        self.after(Path, "replace", lambda _, target: f"rename to {_named(Path(target))}")
        self.after(Storage, "write_days", lambda _, _table, contract, _version: f"table {contract.name}")
        self.after(mechanisms, "discrete_gaussian", self._draw)
        for verb in ("reserve", "seal", "approve", "publish"):
            self.after(Ledger, verb, lambda *_, verb=verb: verb)

    def watch_for_first_file(self, folder, files=TABLE_FILES):
        """Take as a step that an engine has begun to write a table: the kill then falls into the middle of it."""
        before = set(folder.glob(files))

        def look():
            while set(folder.glob(files)) <= before:
                sleep(0.0005)
            self("first file of a table")

        Thread(target=look, daemon=True).start()

    def _draw(self, *_):
        self.draws += 1
        return f"draw {self.draws}"


def _flushed(descriptor):
    """The file or folder by its kind: those of a bundle are one kind, and those of a table."""
    path = Path(f"/proc/self/fd/{descriptor}").readlink()
    tables = [part for part in path.parts if part in TABLES]
    return tables[0] if tables else "bundle" if path.parent.name == "bundle" else _named(path)


def _named(path):
    """A name without what is random in it, or depends on noise or on the clock."""
    name = re.sub(r"^\.?[0-9a-f]{16,64}", "artefact", re.sub(r"^\.?\d{8}T\d{9,}Z?", "record", path.name))
    return re.sub(r"-\w{8}$", "", name)


def ingest(steps, root, cells, folder, first, last, replaces=None):
    config = installation(Path(root), cells=Path(cells))
    with open_session(config.engine) as session:
        steps.watch()
        steps.watch_for_first_file(config.storage.confidential)
        span = {"first": date.fromisoformat(first), "last": date.fromisoformat(last)}
        deliver(session, config, [Path(folder)], progress=steps, replaces=replaces, **span)


def retention(steps, root, cells, day):
    config = installation(Path(root), cells=Path(cells))
    kept = RetentionConfig(quarantine_days=1, parts_days=8, subscriber_days=9, nights_months=30)
    desk = Desk.of(config.model_copy(update={"retention": kept}))
    steps.watch()
    steps.after(shutil, "rmtree", lambda folder, **_: f"removal of {_relative(folder, config.storage.confidential)}")
    expire(desk, datetime.combine(date.fromisoformat(day), time(6), UTC))


def _relative(folder, root):
    return str(Path(folder).relative_to(root)) if Path(folder).is_relative_to(root) else "something else"


def nights(steps, root, cells, month):
    config = installation(Path(root), cells=Path(cells))
    with open_session(config.engine) as session:
        steps.watch()
        steps.after(shutil, "rmtree", lambda folder, **_: "removal of nights" if "v=" in str(folder) else "removal")
        steps.watch_for_first_file(config.storage.confidential, NIGHTS_FILES)
        Desk.of(config).build_nights(PrivacyMonth.parse(month), lambda: nullcontext(session), steps)


def release(steps, root, cells):
    config = installation(Path(root), cells=Path(cells))
    desk = Desk.of(config)
    plan = desk.plan("od_trips", WEEK, 1)
    steps.watch()
    desk.release(plan, lambda: open_session(config.engine), steps)
    approve(config, plan.key)
    desk.publish(plan.key)


def release_steps(steps, root, cells):
    config = installation(Path(root), cells=Path(cells))
    desk = Desk.of(config)
    plan = desk.plan("od_trips", WEEK, 1)
    steps.watch()
    steps.watch_for_first_file(config.storage.confidential, TOTALS_FILES)
    desk.reserve(plan)
    desk.aggregate(plan, lambda: open_session(config.engine), steps)
    desk.seal(plan)


class AllBut:
    """Spares every step but one."""

    def __init__(self, step):
        self.step = step

    def __contains__(self, name):
        return name != self.step


VERBS = {"ingest": ingest, "nights": nights, "release": release, "steps": release_steps, "retention": retention}


def start(work, arguments, *, spared):
    """Fork; the child works and exits. Gives its id and where it tells its steps."""
    heard, told = os.pipe()
    if pid := os.fork():
        os.close(told)
        return pid, heard
    status = 1
    try:
        os.close(heard)
        work(Steps(spared, told), *arguments)
        status = 0
    finally:
        os._exit(status)


def end(pid, heard):
    with os.fdopen(heard) as told:
        steps = told.read().splitlines()
    return {"ended": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), "steps": steps}


def main():
    for line in sys.stdin:
        command = json.loads(line)
        work, workers = (
            VERBS[command["verb"]],
            command.get("workers", 1),
        )
        spared = AllBut(command["at"]) if "at" in command else command.get("spared")
        running = [start(work, command["arguments"], spared=spared) for _ in range(workers)]
        print(json.dumps([end(*process) for process in running]), flush=True)


if __name__ == "__main__":
    main()
