"""How long a release takes, from exact totals to what is sealed.

Run: `python -m tests.benchmarks.release_speed`. With the mechanism, the ledger and the vault that release; only the
people are simulated. Processor seconds, over all cores, tell what a machine costs that has other work too.
"""

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h3
import numpy as np
from rich.console import Console
from rich.table import Table

from privacy.hierarchy import PairTree, ZoneTree
from privacy.ledger import Ledger
from privacy.measurements import Measurements
from privacy.mechanisms import discrete_gaussian
from privacy.policy import Policy
from privacy.release import release
from privacy.topdown import LevelMeasurements
from privacy.unit import PeriodKind
from privacy.vault import Vault
from tests.benchmarks.od_release import Case
from tests.benchmarks.simulator import simulate
from tests.installations import plan_over

VALUES = 5_000_000
ZONES = 2_237
"""Their pairs are five million."""


def many_values(root: Path) -> Callable[[], None]:
    """Draw all pairs of 2,237 zones, seal them and write them to the vault."""
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(-1.95, 30.06, 6), 28))[:ZONES]
    tree = PairTree(ZoneTree(tuple(cells), (6,)))
    pairs = tree.roots()[:VALUES]

    def run() -> None:
        values, sigma = discrete_gaussian(np.zeros(len(pairs), np.int64), l2_sensitivity=7_168.0, micro_rho=18_400)
        sealed = Measurements(tree.zones, (LevelMeasurements(pairs, values, sigma),), 7_168, 2.0, {})
        Vault(root / "many").put(sealed.to_bytes())

    return run


def national_week(root: Path) -> Callable[[], None]:
    """Release the simulated week: 500,000 subscribers, 817 zones, three levels; from exact totals to its rows."""
    week, policy = simulate(), Policy.load()
    case = Case(week, PairTree(ZoneTree(week.cells, (4, 5, 6))), policy.product("od_trips", PeriodKind.WEEK))
    bounded, plan = case.bounded(), plan_over(week.cells)
    ledger = Ledger.open(f"sqlite:///{root}/ledger.sqlite")

    def run() -> None:
        release(plan, ledger=ledger, vault=Vault(root / "week"), policy=policy, exact=lambda: (bounded, "ab" * 32))

    return run


def main() -> None:
    """Print one row a task."""
    table = Table("task", "seconds", "at most", "processor seconds", "peak memory so far, MB", title="Release speed")
    with tempfile.TemporaryDirectory() as root:
        for name, limit, prepare in (
            ("a national week, 817 zones: charged, measured, sealed, rows", 20, national_week),
            (f"{VALUES:,} noisy values drawn, sealed and written", 60, many_values),
        ):
            run = prepare(Path(root))
            start, worked = time.perf_counter(), time.process_time()
            run()
            seconds, worked = time.perf_counter() - start, time.process_time() - worked
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            table.add_row(name, f"{seconds:.1f}", str(limit), f"{worked:.1f}", f"{peak:,.0f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
