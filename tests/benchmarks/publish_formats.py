"""A national week of trips, to its bundle and every format of it: `python -m tests.benchmarks.publish_formats`.

The country and its noise are those of the tests, at the size of a nation: 800 zones, about 10,000 rows. Each step is
timed in one process; imports are not counted.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from jobs.publish.bundle import publish
from jobs.publish.export.formats import ALL, FORMATS, export_files
from jobs.publish.export.run import write_exports
from jobs.publish.export.source import Source, read_source
from privacy.bounding import Bounded
from privacy.release import Release
from tests.approvals import clearance_for
from tests.unit.test_bundle_example import coast, exact_flows, plan_for
from tests.unit.test_product_bundles import released_from

OUT: Final = Path("out/bench")
R = TypeVar("R")

ZONES: Final = 800
TRIPS: Final = 700_000
"""Trips a day: so many leave about 10,000 rows."""

MOST_S: Final = 30.0
"""Promised seconds for the bundle and all formats."""


@dataclass(frozen=True)
class Step:
    """What one step took.

    Args:
        step: What was done.
        wall_s: Seconds.
        cpu_s: CPU seconds of this process meanwhile: what a busy machine does not change.
        bytes: Of the files that came of it.
    """

    step: str
    wall_s: float
    cpu_s: float
    bytes: int


def main() -> int:
    """Time it, print a table, write JSON; 1 where it takes longer than promised."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zones", type=int, default=ZONES)
    parser.add_argument("--trips", type=int, default=TRIPS)
    asked = parser.parse_args()
    release = national_release(asked.zones, asked.trips)
    steps = [*timed_steps(release)]
    whole = sum(step.cpu_s for step in steps if not step.step.startswith("of which"))
    Console().print(_view(steps, release, whole))
    OUT.mkdir(parents=True, exist_ok=True)
    told = {"rows": release.table.num_rows, "zones": asked.zones, "cpu_s": whole, "steps": [asdict(s) for s in steps]}
    (OUT / "publish_formats.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return int(whole > MOST_S)


def national_release(zones: int, trips: int) -> Release:
    """A week of trips between so many zones, through the door."""
    cells = coast(2 + round(np.sqrt(zones / 2)))[:zones]
    plan = plan_for(cells)
    flows = exact_flows(cells, trips=trips)["trips"].to_numpy()
    keys = np.flatnonzero(flows)
    totals = Bounded(keys, np.rint(flows[keys] * plan.fixed_point).astype(np.int64), plan.bounds)
    return released_from(plan, totals)


def timed_steps(release: Release) -> Iterator[Step]:
    """Publish, verify, write all formats; then each of them alone."""
    with TemporaryDirectory() as root:
        bundle, step = _timed("publish", lambda: publish(release, clearance_for(release), Path(root) / "release"))
        yield _sized(step, bundle.folder)
        source, step = _timed("verify and read", lambda: read_source(bundle.archive))
        yield step
        _, step = _timed("write all formats", lambda: write_exports(source, [ALL], Path(root) / "formats"))
        yield _sized(step, Path(root) / "formats")
    yield from (_of_one(source, name) for name in FORMATS)


def _of_one(source: Source, name: str) -> Step:
    files, step = _timed(f"of which {name}", lambda: export_files(source, [name]))
    return Step(step.step, step.wall_s, step.cpu_s, sum(map(len, files.values())))


def _timed(step: str, work: Callable[[], R]) -> tuple[R, Step]:
    wall, cpu = time.perf_counter(), time.process_time()
    made = work()
    return made, Step(step, time.perf_counter() - wall, time.process_time() - cpu, 0)


def _sized(step: Step, folder: Path) -> Step:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Step(step.step, step.wall_s, step.cpu_s, size)


def _view(steps: list[Step], release: Release, whole_cpu_s: float) -> Table:
    title = f"{release.table.num_rows:,} rows of od_trips; {whole_cpu_s:.1f} CPU s in all, at most {MOST_S:g} promised"
    table = Table(title=title)
    for heading in ("step", "wall s", "CPU s", "MB"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    for step in steps:
        table.add_row(step.step, f"{step.wall_s:.2f}", f"{step.cpu_s:.2f}", f"{step.bytes / 1e6:.2f}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
