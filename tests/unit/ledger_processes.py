"""Real processes on one ledger, for the tests of races and crashes: run as a program, never imported.

`race URL N`: N processes reserve and seal the same release at the same time.
`crash_at URL`: a process is killed at each statement in turn, first while it reserves, then while it seals.
`crash_any URL N SEED`: N processes in turn, each killed at a random moment of its work.

It forks from a process with one thread, which is safe, and prints what it was acknowledged, one line each.
"""

import os
import random
import signal
import sys
import time

from sqlalchemy import event

from privacy.canonical import sha256_hex
from privacy.ledger import Charge, Ledger, ReleaseKey, Specification

CAPS = {"routine": 250_000}
KEY = ReleaseKey("od_trips", "2026-W10")


def specification(key):
    return Specification(key, (Charge("routine", "2026-03", 10),), {"c2": 0.75})


def tell(*words):
    """Print a line in one system call, which a kill cannot cut in two."""
    os.write(sys.stdout.fileno(), f"{' '.join(map(str, words))}\n".encode())


def fork(work):
    """Start a process that works and exits; an exception ends it with status 1."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def killed(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL


def reserve_and_seal(ledger, key, draw):
    ledger.reserve(specification(key), caps=CAPS)
    digest = sha256_hex(draw.encode())
    seal = ledger.seal(key, artefact_sha256=digest, inputs_sha256=sha256_hex(b"inputs"))
    tell("sealed", key.slug, seal.artefact_sha256, seal.ledger_head)


def race(url, workers):
    start = time.monotonic() + 0.3

    def work():
        time.sleep(start - time.monotonic())
        reserve_and_seal(Ledger.open(url), KEY, f"draw of {os.getpid()}")

    pids = [fork(work) for _ in range(workers)]
    sys.exit(sum(os.waitpid(pid, 0)[1] for pid in pids))


def kill_at_statement(ledger, n):
    """Kill this process instead of its n-th statement; commits count, as the last of a transaction's."""
    left = [n]

    def count(*_arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(ledger._writer, "before_cursor_execute", count)
    event.listen(ledger._writer, "commit", count)


def crash_at(url):
    Ledger.open(url)
    for step in ("reserve", "seal"):
        n = 0
        while True:
            n += 1

            def work(step=step, n=n):
                ledger = Ledger.open(url)
                if step == "seal":
                    ledger.reserve(specification(KEY), caps=CAPS)
                kill_at_statement(ledger, n)
                if step == "reserve":
                    ledger.reserve(specification(KEY), caps=CAPS)
                else:
                    reserve_and_seal(ledger, KEY, f"draw {n}")

            if not killed(fork(work)):
                break
            ledger = Ledger.open(url)
            ledger.check()
            tell("killed", step, n, len(ledger.charges()), ledger.sealed(KEY) is not None)


def crash_any(url, processes, seed):
    chance = random.Random(seed)
    for process in range(processes):
        at_work, begins = os.pipe()

        def work(process=process, begins=begins):
            ledger = Ledger.open(url)
            reserve_and_seal(ledger, KEY, f"draw {process}")
            os.write(begins, b"!")
            while True:
                revise(ledger, process)

        pid = fork(work)
        os.read(at_work, 1)
        time.sleep(chance.uniform(0, 0.05))
        os.kill(pid, signal.SIGKILL)
        tell("killed" if killed(pid) else "finished")
        os.close(at_work)
        os.close(begins)


def revise(ledger, process):
    """Finish the newest revision of one product where a kill cut it short, or else make the next one."""
    made = [recorded.key for recorded in ledger.charges() if recorded.key.product == "presence"]
    newest = max(made, default=ReleaseKey("presence", "2026-W10"))
    done = ledger.sealed(newest) is not None
    reserve_and_seal(ledger, ReleaseKey("presence", "2026-W10", newest.revision + done), f"draw {process}")


if __name__ == "__main__":
    verb, url, *numbers = sys.argv[1:]
    {"race": race, "crash_at": crash_at, "crash_any": crash_any}[verb](url, *map(int, numbers))
