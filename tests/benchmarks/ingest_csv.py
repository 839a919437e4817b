"""CSV to subscriber days against the clock: `python -m tests.benchmarks.ingest_csv`; writes out/bench/ingest_csv.json.

Five million rows, some of them unusable, in four files packed with gzip (or as many as `--files` says) are read,
checked, pseudonymised, grouped and written. The yardstick is DuckDB, which reads the same files, groups them by
subscriber and day and writes as much. Starting the session is not counted. Judge by CPU seconds where others use the
machine.
"""

import argparse
import gzip
import json
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from jobs.config import ColumnMapping, SourceConfig
from jobs.ingest.delivery import ingest
from jobs.releases import Desk
from jobs.session import open_session
from jobs.synth import synthesise
from tests.benchmarks.meter import Cost, Stopwatch, measured
from tests.benchmarks.ours import Work

OUT: Final = Path("out/bench")
FIRST: Final = date(2026, 3, 2)
LOCAL: Final = timedelta(hours=4)  # of the synthetic country, all year
CORES: Final = 2
SOURCE: Final = SourceConfig(
    format="csv",
    header=False,
    fields=3,
    columns=ColumnMapping(subscriber=0, time=1, cell=2),
    time_format="dd/MM/yyyy HH:mm:ss",
    time_zone="local",
)
_YARDSTICK: Final = """
COPY (
    SELECT sha256('key' || number) AS subscriber, day, list_sort(list((s << 32) | (hash(cell) >> 48)::BIGINT)) AS points
    FROM (
        SELECT number, cell, strptime(written, '%d/%m/%Y %H:%M:%S') AS t, t::DATE AS day, epoch(t)::BIGINT % 86400 AS s
        FROM read_csv(
            {files}, header = false, columns = {{'number': 'VARCHAR', 'written': 'VARCHAR', 'cell': 'VARCHAR'}}
        )
        WHERE written <> '' AND try_strptime(written, '%d/%m/%Y %H:%M:%S') IS NOT NULL
    ) GROUP BY number, day
) TO '{out}' (FORMAT parquet)
"""


@dataclass(frozen=True)
class Run:
    """One run.

    Args:
        engine: `sail`, `spark` or `duckdb`.
        rows: Rows read.
        cost: What it took.
        of_yardstick: CPU time over DuckDB's.
    """

    engine: str
    rows: int
    cost: Cost
    of_yardstick: float


def main() -> int:
    """Run the engines asked for beside the yardstick and print one table."""
    parser = argparse.ArgumentParser(prog="ingest_csv", description="Time CSV to subscriber days.")
    parser.add_argument("--engines", default="sail,spark")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--files", type=int, default=4, help="1: what memory one file takes; 400: what many cost")
    options = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # the promise is for two cores
    files, work = _delivery(options.rows, options.files)
    yardstick, _ = measured(duckdb_job, files)
    runs = [Run("duckdb", options.rows, yardstick, 1.0)]
    for engine in options.engines.split(","):
        cost, rows = measured(ingest_job, engine, files, work)
        runs.append(Run(engine, rows, cost, cost.cpu_s / yardstick.cpu_s))
    Console(width=100).print(_table(runs))
    (OUT / "ingest_csv.json").write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n")
    return 0


def _delivery(rows: int, n_files: int) -> tuple[list[Path], Work]:
    """Write the first rows of a synthetic country as CSV, once."""
    country = OUT / "country_of_csv"
    if not country.exists():
        synthesise(country, seed=7, subscribers=200_000, first_day=FIRST, days=3)
    work = Work(country, FIRST, 3)
    folder = OUT / f"csv_{rows}_{n_files}"
    if not folder.exists():
        folder.mkdir(parents=True)
        lines = _lines(work, rows)
        size = -(-len(lines) // n_files)
        for n in range(n_files):
            text = "\n".join([*lines.slice(n * size, size).to_pylist(), ""])
            (folder / f"{n}.csv.gz").write_bytes(gzip.compress(text.encode(), compresslevel=6))
    return sorted(folder.glob("*.csv.gz")), work


def _lines(work: Work, rows: int) -> pa.Array:
    columns = ["msisdn", "event_at", "cell_id"]
    table = pa.concat_tables([pq.read_table(file, columns=columns) for file in work.files]).slice(0, rows)
    local = pc.add(table["event_at"].cast(pa.timestamp("s")), pa.scalar(LOCAL, pa.duration("s")))
    texts = (table["msisdn"], pc.strftime(local, "%d/%m/%Y %H:%M:%S"), table["cell_id"])
    return pc.binary_join_element_wise(*(pc.fill_null(text, "") for text in texts), ",").combine_chunks()


def ingest_job(stopwatch: Stopwatch, engine: Literal["sail", "spark"], files: list[Path], work: Work) -> int:
    """Ingest the files; return the rows read."""
    root = OUT / f"ingest_{engine}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    config = work.config(root, engine)
    with open_session(config.engine) as session:
        desk = Desk.of(config)
        stopwatch.start()
        ingest(session, config, desk.storage, files, source=SOURCE, first=work.first, last=work.last)
        stopwatch.stop()
    (record,) = desk.storage.deliveries().values()
    return record.read


def duckdb_job(stopwatch: Stopwatch, files: list[Path]) -> int:
    """Group the same rows by subscriber and day in DuckDB: no pseudonyms, no checks, no quarantine."""
    database = duckdb.connect()
    database.execute("SET threads = 2; SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    stopwatch.start()
    database.execute(_YARDSTICK.format(files=list(map(str, files)), out=OUT / "yardstick.parquet"))
    stopwatch.stop()
    return 0


def _table(runs: list[Run]) -> Table:
    table = Table(title="CSV.gz to subscriber days, 2 cores")
    for heading in ("engine", "rows", "wall s", "CPU s", "of DuckDB", "peak GB"):
        table.add_column(heading, justify="right")
    for run in runs:
        cost = run.cost
        table.add_row(run.engine, f"{run.rows:,}", f"{cost.wall_s:.1f}", f"{cost.cpu_s:.1f}", f"{run.of_yardstick:.1f}",
                      f"{cost.peak_gb:.2f}")  # fmt: skip
    return table


if __name__ == "__main__":
    sys.exit(main())
