"""What the checks cost beside the ingest that they follow: `python -m tests.benchmarks.quality`.

Each engine ingests the days in a fresh process, and then writes their quality report; both are measured in CPU
seconds of the process tree, which other work on the machine hardly changes. Promised: the report costs at most 15 % of
the ingest.
"""

import argparse
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final, Literal

from jobs.ingest.delivery import ingest
from jobs.quality.run import write_quality
from jobs.session import open_session
from jobs.storage import Storage
from jobs.synth import synthesise
from tests.benchmarks.main_job import FIRST_DAY, OUT
from tests.benchmarks.meter import Stopwatch, measured
from tests.benchmarks.ours import SOURCE, Work

PROMISED: Final = 0.15
ENGINES: Final = ("sail", "spark")

Engine = Literal["sail", "spark"]


@dataclass(frozen=True)
class Costs:
    """What an engine's ingest and the checks after it took.

    Args:
        engine: The engine.
        ingest_cpu_s: CPU seconds of the ingest, session start excluded.
        quality_cpu_s: CPU seconds of the report, imports included.
        quality_gb: Largest resident memory of the report's process.
        share: The second over the first.
    """

    engine: str
    ingest_cpu_s: float
    quality_cpu_s: float
    quality_gb: float
    share: float


def ingest_job(stopwatch: Stopwatch, root: Path, engine: Engine, work: Work) -> None:
    """Ingest the delivery, without checks."""
    config = work.config(root, engine)
    with open_session(config.engine) as session:
        stopwatch.start()
        storage = Storage.of(config.storage)
        ingest(session, config, storage, work.files, source=SOURCE, first=work.first, last=work.last)
        stopwatch.stop()


def quality_job(stopwatch: Stopwatch, root: Path, work: Work) -> None:
    """Measure and judge every day of it, and write all pages."""
    config = work.config(root)
    days = [work.first + timedelta(n) for n in range(work.days)]
    stopwatch.start()
    write_quality(config, Storage.of(config.storage), days)
    stopwatch.stop()


def costs_of(engine: Engine, work: Work) -> Costs:
    """Run both, one after the other."""
    root = (OUT / f"quality-{engine}").resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        read, _ = measured(ingest_job, root, engine, work)
        checked, _ = measured(quality_job, root, work)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return Costs(engine, read.cpu_s, checked.cpu_s, checked.peak_gb, checked.cpu_s / read.cpu_s)


def main() -> int:
    """Print a line an engine, write `out/bench/quality.json`; exit code 1 where the promise is broken."""
    parser = argparse.ArgumentParser(prog="quality", description="Measure what the checks of a day cost.")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--subscribers", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=14)
    options = parser.parse_args()
    folder = OUT / f"country-{options.subscribers}x{options.days}"
    synthesise(folder, subscribers=options.subscribers, first_day=FIRST_DAY, days=options.days)
    work = Work(folder.resolve(), FIRST_DAY, options.days)
    found = [costs_of(engine, work) for engine in ENGINES if engine in options.engines.split(",")]
    for costs in found:
        print(
            f"{costs.engine}: ingest {costs.ingest_cpu_s:.1f} CPU s, report {costs.quality_cpu_s:.1f} CPU s "
            f"({costs.share:.1%}; promised {PROMISED:.0%}), {costs.quality_gb:.2f} GB"
        )
    (OUT / "quality.json").write_text(json.dumps([asdict(costs) for costs in found], indent=1) + "\n")
    return int(any(costs.share > PROMISED for costs in found))


if __name__ == "__main__":
    sys.exit(main())
