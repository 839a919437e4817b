"""Real processes on one ledger and one vault, for the tests of races and crashes: run as a program, never imported.

`race URL VAULT N SEED`: N processes release the same four weeks at the same time, each in an order of its own.
`kill_at URL`: a process is killed at each statement in turn, in each of the ledger's operations in turn.
`kill_any URL VAULT N SEED`: two processes at a time release, approve and publish without end, open events and release
those; N of them are killed at a random moment; then one finishes what they left.

Releases go through the real door with a small real draw. It forks from a process with one thread, which is safe, and
prints what a process was told, one line each.
"""

import hashlib
import os
import random
import signal
import sys
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import h3
import numpy as np
import pyarrow as pa
from sqlalchemy import event

from privacy.bounding import Bounded
from privacy.canonical import sha256_hex
from privacy.ledger import EntryKind, Ledger, Opening, ReleaseKey, ScheduledRelease
from privacy.policy import Policy, PoolPolicy
from privacy.release import release
from privacy.unit import Charge, Period
from privacy.vault import Vault
from tests.installations import plan_over
from tests.ledgers import CAPS, TWO_PEOPLE, approval, opening, share_of, specification

KEY = ReleaseKey("od_trips", "2026-W10")
CELLS = h3.grid_disk(h3.latlng_to_cell(-14.06, 66.13, 6), 1)
WEEKS = [Period.parse(f"2026-W{week}") for week in (10, 11, 12, 13)]
WEEK = plan_over(CELLS)
ROOM = PoolPolicy(cap_micro_rho=10**9)
"""As much budget as hundreds of revisions of one week need."""

POLICY = replace(Policy.load(), pools={"routine": ROOM, "emergency": ROOM})
FIRST_ONSET = date(2026, 1, 1)
STEPS = 7
"""Steps of a turn of `produce`: a process is killed after as many of them, or fewer, whatever the machine's load."""

STEP_S = 0.02
"""A step takes about as long, so that a kill falls anywhere in it."""


def tell(*words):
    """Print a line in one system call, which a kill cannot cut in two."""
    os.write(sys.stdout.fileno(), f"{' '.join(map(str, words))}\n".encode())


def fork(work):
    """Start a process that works and exits; an exception ends it with status 1 and its traceback."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    except Exception as error:
        os.write(sys.stderr.fileno(), f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def exact(plan):
    """Trips from the first zone to every other."""
    keys = np.arange(1, len(CELLS))
    return Bounded(keys, np.full(len(keys), 40 * plan.fixed_point, np.int64), plan.bounds), sha256_hex(b"inputs")


def release_and_tell(ledger, vault, plan):
    """Release a plan; tell the seal and the rows that a reader would get."""
    made = release(plan, ledger=ledger, vault=vault, policy=POLICY, exact=lambda: exact(plan))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, made.table.schema) as stream:
        stream.write_table(made.table)
    rows = hashlib.sha256(sink.getvalue()).hexdigest()
    tell("released", plan.key.slug, made.seal.artefact_sha256, made.seal.ledger_head, rows)
    return rows


def race(url, vault, workers, seed):
    waiting, start = os.pipe()

    def work(worker):
        os.close(start)
        weeks = random.Random(f"{seed} {worker}").sample(WEEKS, len(WEEKS))
        os.read(waiting, 1)  # until the parent closes its end
        for week in weeks:
            release_and_tell(Ledger.open(url), Vault(Path(vault)), plan_over(CELLS, period=week))

    pids = [fork(lambda worker=worker: work(worker)) for worker in range(workers)]
    os.close(start)
    sys.exit(sum(ended(pid) != 0 for pid in pids))


def operations(ledger):
    """Every operation that writes, in the order in which one release and one event meet them."""
    draw, inputs = sha256_hex(b"draw"), sha256_hex(b"inputs")
    return {
        "reserve": lambda: ledger.reserve(specification(KEY), caps=CAPS),
        "seal": lambda: ledger.seal(KEY, artefact_sha256=draw, inputs_sha256=inputs),
        "approve": lambda: ledger.approve(KEY, approval()),
        "publish": lambda: ledger.publish(KEY, bundle_sha256=draw),
        "share": lambda: ledger.share(share_of(KEY)),
        "open": lambda: ledger.open_event(opening(), approvals=TWO_PEOPLE, caps=CAPS),
        "burn": lambda: ledger.burn(KEY),
    }


def kill_at_statement(ledger, n):
    """Kill this process instead of its n-th statement; commits count, as the last of a transaction's."""
    left = [n]

    def count(*_arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(ledger._writer, "before_cursor_execute", count)
    event.listen(ledger._writer, "commit", count)


def kill_at(url):
    """Repeat each operation, killed one statement later each time, until it ends; tell what each kill left."""
    for name in operations(Ledger.open(url)):
        before, n = Ledger.open(url).entries(), 0
        while True:
            n += 1

            def work(name=name, n=n):
                ledger = Ledger.open(url)
                kill_at_statement(ledger, n)
                operations(ledger)[name]()

            status = ended(fork(work))
            if status == -signal.SIGKILL:
                left = Ledger.open(url)
                left.check()
                tell("killed", name, left.entries() == before)
                continue
            if status != 0:
                tell("failed", name, status)
            break


def kill_any(url, vault, kills, seed):
    chance = random.Random(seed)
    Ledger.open(url)
    for _ in range(kills // 2):
        running = [begin(lambda step: produce_for_ever(Ledger.open(url), Vault(Path(vault)), step)) for _ in range(2)]
        for pid, at_work in running:
            for _ in range(chance.randint(1, STEPS)):
                os.read(at_work, 1)
            time.sleep(chance.uniform(0, STEP_S))
            os.kill(pid, signal.SIGKILL)
            tell("killed" if ended(pid) == -signal.SIGKILL else "failed")
            os.close(at_work)
        tell("newest", *(entry.kind for entry in Ledger.open(url).entries()[-1:]))
    finish(Ledger.open(url), Vault(Path(vault)))


def begin(work):
    """Start a process that tells its steps; gives its id and where to hear them."""
    at_work, steps = os.pipe()

    def begun():
        os.close(at_work)
        work(lambda: os.write(steps, b"!"))

    pid = fork(begun)
    os.close(steps)
    return pid, at_work


def produce_for_ever(ledger, vault, step):
    """One revision of a week after the other, and with each an event of its own."""
    while True:
        revision = max((entry.key.revision for entry in ledger.entries()), default=1)
        produce(ledger, vault, revision, step)
        produce(ledger, vault, revision + 1, step)


def produce(ledger, vault, revision, step=lambda: None):
    """Release a revision, approve and publish it; open an event, and reserve and seal its release."""
    step()
    plan = replace(WEEK, key=replace(KEY, revision=revision))
    rows = release_and_tell(ledger, vault, plan)
    step()
    ledger.approve(plan.key, approval(rows=rows))
    step()
    ledger.publish(plan.key, bundle_sha256=rows)
    tell("published", plan.key.slug, rows)
    step()
    happened = event_number(revision)
    ledger.open_event(happened, approvals=TWO_PEOPLE, caps=POLICY.caps)
    step()
    spec = replace(specification(happened.key), charges=happened.schedule[0].charges, event=happened.event)
    ledger.reserve(spec, caps=POLICY.caps, event_pools=POLICY.event_pools)
    step()
    seal = ledger.seal(spec.key, artefact_sha256=sha256_hex(os.urandom(8)), inputs_sha256=sha256_hex(b"inputs"))
    tell("released", spec.key.slug, seal.artefact_sha256, seal.ledger_head, "-")


def event_number(revision):
    """An event of one day, charged to its month and to the one before."""
    day = Period.parse((FIRST_ONSET + timedelta(revision)).isoformat())
    months = (day.privacy_month.next(-1), day.privacy_month)
    charges = tuple(Charge("emergency", str(month), 1) for month in months)
    return Opening(f"event-{revision}", "displacement", day.first_day, (ScheduledRelease(day, charges),))


def finish(ledger, vault):
    """Repeat what every process may have left half done."""
    revisions = {entry.key.revision for entry in ledger.entries() if entry.kind is EntryKind.RESERVE}
    for revision in sorted(revisions | {1}):
        produce(ledger, vault, revision)
    vault.sweep(ledger.artefacts())


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    numbers = [int(word) if word.isdigit() else word for word in arguments]
    {"race": race, "kill_at": kill_at, "kill_any": kill_any}[verb](*numbers)
