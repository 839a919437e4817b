"""What a job costs: wall time, CPU time and memory of a fresh process and all its children, a JVM included."""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

_TICKS_A_S: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_SAMPLE_S: Final = 0.2  # often enough to see a peak, seldom enough to cost nothing
_PARENT, _CPU, _RESIDENT, _STACK = 1, slice(11, 15), 21, 25  # fields of /proc/<pid>/stat behind the name, see proc(5)


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Args:
        wall_s: From start to stop of the stopwatch.
        cpu_s: User and system time of the process tree in between.
        session_cpu_s: The same before the start: interpreter, imports, session.
        peak_gb: Largest resident memory of the tree, summed over its programs, from its birth to the stop.
    """

    wall_s: float
    cpu_s: float
    session_cpu_s: float
    peak_gb: float


class Stopwatch:
    """Lets a job say when its work begins and ends; the process that measures looks at both moments."""

    def __init__(self, observer: Connection) -> None:
        self._observer = observer

    def start(self) -> None:
        """Say that the session stands and the work begins."""
        self._be_seen()

    def stop(self) -> None:
        """Say that the work is done; closing the session is not part of it."""
        self._be_seen()

    def _be_seen(self) -> None:
        self._observer.send(None)
        self._observer.recv()


def measured(job: Callable[Concatenate[Stopwatch, P], R], *args: P.args, **kwargs: P.kwargs) -> tuple[Cost, R]:
    """Run a job in a fresh interpreter; return what it cost and what it returned."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=_work, args=(there, job, args, kwargs))
    process.start()
    there.close()
    root = int(process.pid or 0)
    session_peak = _peak_bytes(here, root)
    begun, session_cpu = time.perf_counter(), cpu_s(root)
    here.send(None)
    peak = max(session_peak, _peak_bytes(here, root))
    wall, cpu = time.perf_counter() - begun, cpu_s(root)
    here.send(None)
    result: R = here.recv()
    process.join()
    return Cost(wall, cpu - session_cpu, session_cpu, peak / 1e9), result


def _work(observer: Connection, job: Callable[..., R], args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    observer.send(job(Stopwatch(observer), *args, **kwargs))


def _peak_bytes(job: Connection, root: int) -> int:
    """Watch a tree's memory until its job says something."""
    peak = 0
    while not job.poll(_SAMPLE_S):
        peak = max(peak, _resident_bytes(_tree(root)))
    job.recv()
    return peak


def _resident_bytes(tree: Iterable[Sequence[str]]) -> int:
    """Memory of processes; that of a child which has not begun a program of its own yet is its parent's, told once.

    Such a child has its parent's stack. A JVM has one for a moment whenever it starts a program.
    """
    pages: dict[str, int] = {}
    for process in tree:
        pages[process[_STACK]] = max(pages.get(process[_STACK], 0), int(process[_RESIDENT]))
    return sum(pages.values()) * _PAGE_BYTES


def cpu_s(root: int) -> float:
    """CPU time of the living, and of the dead whom somebody of the tree has waited for."""
    return sum(int(ticks) for process in _tree(root) for ticks in process[_CPU]) / _TICKS_A_S


def _tree(root: int) -> list[list[str]]:
    """Return the fields of a process and all its descendants."""
    everybody = {int(folder.name): _fields(folder) for folder in Path("/proc").glob("[0-9]*")}
    tree, front = [], {root}
    while front:
        tree += [everybody[pid] for pid in front if everybody.get(pid)]
        front = {pid for pid, fields in everybody.items() if fields and int(fields[_PARENT]) in front}
    return tree


def _fields(folder: Path) -> list[str]:
    try:
        return (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:  # it has ended since the folder was listed
        return []
