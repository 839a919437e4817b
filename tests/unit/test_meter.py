"""The meter of the benchmarks: a peak of memory is what programs hold, and no page of it counts twice."""

import os
import time

import pytest

from tests.benchmarks.meter import measured

PAGE = os.sysconf("SC_PAGE_SIZE")
HELD = 300_000_000 // PAGE * PAGE
LONGER_THAN_A_SAMPLE_S = 0.6


def hold(stopwatch, *, beside):
    stopwatch.start()
    held = bytearray(HELD)
    held[::PAGE] = b"x" * len(held[::PAGE])  # a page that nobody has written to is not resident
    if child := beside():
        os.waitpid(child, 0)
    else:
        time.sleep(LONGER_THAN_A_SAMPLE_S)
    stopwatch.stop()
    return len(held)


def nobody():
    return 0


def fork():
    """A child that has not begun a program of its own, such as stands beside a JVM that starts one."""
    if child := os.fork():
        return child
    time.sleep(LONGER_THAN_A_SAMPLE_S)
    os._exit(0)


def program():
    held = f"import time; held = bytearray({HELD}); held[::{PAGE}] = b'x' * {HELD // PAGE}"
    return os.posix_spawnp("python3", ["python3", "-c", f"{held}; time.sleep({LONGER_THAN_A_SAMPLE_S})"], os.environ)


@pytest.mark.parametrize(("beside", "times"), [(nobody, 1), (fork, 1), (program, 2)])
def test_a_peak_counts_the_memory_of_programs_once(beside, times):
    cost, held = measured(hold, beside=beside)

    assert times * held <= cost.peak_gb * 1e9 < (times + 0.5) * held
