"""The main job against the clock: `python -m tests.benchmarks.main_job`, or `make bench`.

Each engine does the whole of it in a fresh process, one after the other: raw Parquet with dirty rows to subscriber
days (pseudonyms, checks, quarantine, accounting) to exact weekly origin-destination totals. Starting the session is
not counted. What the engines found must be the same, DuckDB's included, or there is no result.

Spark is measured twice: in a fresh JVM, much of whose time goes into compiling (`spark`, and one day of it,
`spark-day`), and in one that has done such work before, as a database that always runs would (`spark-again`, the same
once more from nothing; `spark-next-day`, the third of three days).
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from jobs.synth import synthesise
from tests.benchmarks.meter import Cost, measured
from tests.benchmarks.ours import Outcome, Work, again_job, main_job, next_day_job
from tests.benchmarks.yardstick import duckdb_job

OUT: Final = Path("out/bench")
FIRST_DAY: Final = date(2026, 3, 2)  # a Monday that begins a privacy month
CORES: Final = 2
IN_A_RUNNING_SESSION: Final = {"spark-again": again_job, "spark-next-day": next_day_job}
ENGINES: Final = ("sail", "spark", "spark-again", "duckdb", "spark-day", "spark-next-day")


@dataclass(frozen=True)
class Run:
    """The median run of an engine.

    Args:
        engine: One of `ENGINES`.
        events: Rows read.
        cost: What it took.
        targets: What was promised, and whether it was kept.
    """

    engine: str
    events: int
    cost: Cost
    targets: dict[str, bool]


def main() -> int:
    """Run the engines asked for, print one table, write `out/bench/bench.json`."""
    options = _options()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # the promise is for two cores
    work = Work(_country(options), FIRST_DAY, options.days)
    runs, outcomes = [], {}
    for engine in options.engines:
        one_day = engine.endswith("-day")
        todo = replace(work, days=1) if one_day else work
        cost, outcomes[engine] = _median(engine, todo, options.repeat)
        runs.append(Run(engine, sum(outcomes[engine].rows.values()), cost, {}))
    _refuse_differences({engine: outcome for engine, outcome in outcomes.items() if not engine.endswith("-day")})
    runs = [replace(run, targets=_targets(run, runs)) for run in runs]
    Console(width=120).print(_table(runs))  # as wide as the table, wherever it goes
    (OUT / "bench.json").write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="main_job", description="Time the main job against DuckDB.")
    parser.add_argument("--engines", type=_engines, default=ENGINES, help=f"default: {','.join(ENGINES)}")
    parser.add_argument("--subscribers", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--repeat", type=int, default=1, help="runs an engine; the median by wall time counts")
    return parser.parse_args()


def _engines(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if unknown := sorted(set(names) - set(ENGINES)):
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}; choose from {', '.join(ENGINES)}")
    return names


def _country(options: argparse.Namespace) -> Path:
    """Make the synthetic country, or find it made."""
    folder = OUT / f"country-{options.subscribers}x{options.days}"
    synthesise(folder, subscribers=options.subscribers, first_day=FIRST_DAY, days=options.days)
    return folder.resolve()


def _median(engine: str, work: Work, repeat: int) -> tuple[Cost, Outcome]:
    """Run an engine several times; return the run of median wall time."""
    runs = sorted((_one_run(engine, work) for _ in range(repeat)), key=lambda run: run[0].wall_s)
    return runs[(len(runs) - 1) // 2]


def _one_run(engine: str, work: Work) -> tuple[Cost, Outcome]:
    root = (OUT / f"run-{engine}").resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        if engine == "duckdb":
            return measured(duckdb_job, root, work)
        job = IN_A_RUNNING_SESSION.get(engine, main_job)
        return measured(job, root, "sail" if engine == "sail" else "spark", work)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _refuse_differences(outcomes: dict[str, Outcome]) -> None:
    """Stop where two engines did not find the same.

    Raises:
        SystemExit: Naming the engines, never a number.
    """
    if outcomes:
        (first, expected), *others = outcomes.items()
        if different := [engine for engine, outcome in others if outcome != expected]:
            raise SystemExit(f"{', '.join(different)} did not find what {first} found: there is nothing to compare.")


def _targets(run: Run, runs: Sequence[Run]) -> dict[str, bool]:
    """Return what is promised of a run at full size, and whether it was kept."""
    rate, peak = run.events / run.cost.wall_s / 1e6, run.cost.peak_gb
    if run.engine == "sail":
        promises = {">= 2.2 M events/s": rate >= 2.2, "<= 4 GB": peak <= 4}
        for other in runs:
            if other.engine == "duckdb":
                promises["<= 0.8 x DuckDB's wall"] = run.cost.wall_s <= 0.8 * other.cost.wall_s
        return promises
    if run.engine in {"spark", "spark-again"}:
        return {">= 0.55 M events/s": rate >= 0.55, "<= 5 GB": peak <= 5}
    return {"<= 18 CPU s": run.cost.cpu_s <= 18} if run.engine.endswith("-day") else {}


def _table(runs: Sequence[Run]) -> Table:
    table = Table(title=f"The main job on {CORES} cores, session start excluded")
    for heading in ("engine", "M events", "wall s", "M events/s", "CPU s", "session CPU s", "peak GB"):
        table.add_column(heading, justify="left" if heading == "engine" else "right")
    table.add_column("promised")
    for run in runs:
        cost, millions = run.cost, run.events / 1e6
        figures = (millions, cost.wall_s, millions / cost.wall_s, cost.cpu_s, cost.session_cpu_s, cost.peak_gb)
        promised = (f"[{'green' if kept else 'red'}]{text}[/]" for text, kept in run.targets.items())
        table.add_row(run.engine, *[f"{figure:.2f}" for figure in figures], "\n".join(promised))
    return table


if __name__ == "__main__":
    sys.exit(main())
