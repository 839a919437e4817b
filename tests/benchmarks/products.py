"""The products that count subscribers against the clock: `python -m tests.benchmarks.products`.

Each engine ingests a country of 14 days in a fresh process, which is not counted, and then aggregates each product from
its subscriber days. The country's two weeks stand a second time a month later, so that there are two months to compare.
Migration is of another country: a year of generated subscriber days, from days to nights to totals.
"""

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final, Literal, TypeVar

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from jobs.ingest.delivery import ingest
from jobs.releases import Desk
from jobs.session import open_session
from jobs.storage import DAY_FOLDER, DayState, DeliveryRecord, Storage, write_json
from jobs.synth import synthesise
from privacy.policy import SHIPPED
from privacy.unit import Period, PrivacyMonth
from schemas.subscriber_days import NOT_AVAILABLE, SECOND_SHIFT, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS
from tests.benchmarks.main_job import CORES, FIRST_DAY, OUT
from tests.benchmarks.meter import Cost, Stopwatch, cpu_s, measured
from tests.benchmarks.ours import SOURCE, Work

Engine = Literal["sail", "spark"]
R = TypeVar("R")

MOST_S: Final = {"sail": 3.0, "spark": 15.0}
"""Promised seconds a product, at full size."""
MOST_MIGRATION_S: Final = 60.0
MOST_MIGRATION_GB: Final = 4.0

A_MONTH_LATER: Final = timedelta(28)
"""From the first privacy month's first Monday to the next one's."""

POLICY_CHANGES: Final = {
    "min_day_share = 0.6": "min_day_share = 0.4",
    "max_gap_days = 6": "max_gap_days = 21",  # two weeks have to do for a month
    "months_back = [0, 23]": "months_back = [0, 11]",  # a year: six months against six
}

MIGRATION: Final = Period.parse("2026-12")


@dataclass(frozen=True)
class Timing:
    """What one product took.

    Args:
        engine: Which engine.
        product: What was aggregated, from which days.
        wall_s: Seconds; for migration with the nights.
        cpu_s: CPU seconds of the process and its children meanwhile: what a busy machine does not change.
        peak_gb: Largest memory of the process and its children; of the ingest too, where there was one.
        kept: Whether what is promised was kept.
    """

    engine: str
    product: str
    wall_s: float
    cpu_s: float
    peak_gb: float
    kept: bool


def main() -> int:
    """Time the products, print one table, write `out/bench/products.json`."""
    options = _options()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])  # the promise is for two cores
    timings = [timing for engine in options.engines for timing in _products(engine, options)]
    if options.migrants:
        timings.append(_migration(options.migrants))
    Console(width=100).print(_table(timings))
    (OUT / "products.json").write_text(json.dumps([asdict(timing) for timing in timings], indent=1) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="products", description="Time the products that count subscribers.")
    parser.add_argument("--engines", type=lambda text: tuple(filter(None, text.split(","))), default=("sail", "spark"))
    parser.add_argument("--subscribers", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--migrants", type=int, default=50_000, help="subscribers of the year; 0: no migration")
    return parser.parse_args()


def _products(engine: Engine, options: argparse.Namespace) -> Iterator[Timing]:
    country = OUT / f"country-{options.subscribers}x{options.days}"
    synthesise(country, subscribers=options.subscribers, first_day=FIRST_DAY, days=options.days)
    work = Work(country.resolve(), FIRST_DAY, options.days)
    cost, seconds = _in_a_folder(engine, products_job, engine, work)
    for product, (wall_s, spent_s) in seconds.items():
        yield Timing(engine, product, wall_s, spent_s, cost.peak_gb, wall_s <= MOST_S[engine])


def _migration(subscribers: int) -> Timing:
    cost, _ = _in_a_folder("sail", migration_job, "sail", subscribers)
    kept = cost.wall_s <= MOST_MIGRATION_S and cost.peak_gb <= MOST_MIGRATION_GB
    product = f"migration of {subscribers:,} over {MIGRATION}'s twelve months"
    return Timing("sail", product, cost.wall_s, cost.cpu_s, cost.peak_gb, kept)


def _in_a_folder(engine: Engine, job: Callable[..., R], *arguments: object) -> tuple[Cost, R]:
    root = (OUT / f"run-products-{engine}").resolve()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        return measured(job, root, *arguments)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def products_job(stopwatch: Stopwatch, root: Path, engine: Engine, work: Work) -> dict[str, tuple[float, float]]:
    """Ingest, then time each product; give its seconds, by the clock and of the CPU."""
    config = work.config(root, engine).model_copy(update={"policy": _policy(root)})
    with open_session(config.engine) as session:
        desk = Desk.of(config)
        stopwatch.start()
        ingest(session, config, desk.storage, work.files, source=SOURCE, first=work.first, last=work.last)
        days = [work.first + timedelta(n) for n in range(work.days)]
        _repeat_a_month_later(desk.storage, days)
        later = [day + A_MONTH_LATER for day in days]
        seconds = {
            "presence": _seconds(desk, session, "presence", _weeks(days)),
            "active_subscribers": _seconds(desk, session, "active_subscribers", map(str, days)),
            "residents, with their nights": _seconds(desk, session, "residents", [_month(days)]),
            "home_visits": _seconds(desk, session, "home_visits", _weeks(later)),
            "relocations, with one month's nights": _seconds(desk, session, "relocations", [_month(later)]),
        }
        stopwatch.stop()
    return seconds


def migration_job(stopwatch: Stopwatch, root: Path, engine: Engine, subscribers: int) -> None:
    """Aggregate a migration over a year of generated days."""
    config = Work(root, FIRST_DAY, 0).config(root, engine).model_copy(update={"policy": _policy(root)})
    desk = Desk.of(config)
    _generate(desk.storage, [MIGRATION.privacy_month.next(-back) for back in reversed(range(12))], subscribers)
    with open_session(config.engine) as session:
        stopwatch.start()
        _seconds(desk, session, "migration", [str(MIGRATION)])
        stopwatch.stop()


def _seconds(desk: Desk, session: SparkSession, product: str, periods: Iterable[str]) -> tuple[float, float]:
    begun, spent = time.perf_counter(), cpu_s(os.getpid())
    for period in periods:
        plan = desk.plan(product, Period.parse(period), 1)
        desk._aggregate(plan, desk._inputs(plan), session)
    return time.perf_counter() - begun, cpu_s(os.getpid()) - spent


def _weeks(days: Iterable[date]) -> list[str]:
    return [f"{day:%G-W%V}" for day in days if day.weekday() == 0]


def _month(days: Iterable[date]) -> str:
    return str(PrivacyMonth.of(min(days)))


def _policy(root: Path) -> Path:
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in POLICY_CHANGES.items():
        if text.count(old) != 1:
            raise SystemExit(f"{SHIPPED.name} does not say {old} once.")
        text = text.replace(old, new)
    path = root / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _repeat_a_month_later(storage: Storage, days: Iterable[date]) -> None:
    """Let the same days stand a month later too."""
    days = list(days)
    repeated = [day + A_MONTH_LATER for day in days]
    _deliver(storage, "later", min(days), PrivacyMonth.of(max(repeated)).last_day, holding=repeated)
    for contract, version, day in storage.current(SUBSCRIBER_DAYS, days):
        later = day + A_MONTH_LATER
        rows = pq.read_table(storage.version(contract, version) / f"{DAY_FOLDER}={day}", partitioning=None)
        column = rows.schema.get_field_index("local_date")
        rows = rows.set_column(column, "local_date", pa.array([later] * len(rows), pa.date32()))
        _write_day(storage, rows.select(SUBSCRIBER_DAYS.names), "later", later)


def _deliver(storage: Storage, name: str, first: date, last: date, *, holding: Iterable[date]) -> None:
    """Say that all days of a span are delivered, those without rows too, and show these."""
    told = {"mapping": {}, "files": (), "read": 0, "kept": 0, "quarantined": {}}
    storage.commit_delivery(name, DeliveryRecord(first=first, last=last, days=tuple(holding), **told))
    span = [first + timedelta(n) for n in range((last - first).days + 1)]
    for day, state in storage.states(span).items():
        if not state.parts:
            storage.swap(SUBSCRIBER_DAYS, day, state, SUBSCRIBER_DAY_PARTS, "")


def _write_day(storage: Storage, rows: pa.Table, version: str, day: date) -> None:
    folder = storage.version(SUBSCRIBER_DAY_PARTS, version) / f"{DAY_FOLDER}={day}"
    folder.mkdir(parents=True)
    # An engine reads a list by the name that it gave to its elements itself.
    pq.write_table(rows, folder / "0.parquet", compression="zstd", use_compliant_nested_type=False)
    storage.swap(SUBSCRIBER_DAYS, day, DayState(parts=(version,), delivered=True), SUBSCRIBER_DAY_PARTS, version)


def _generate(storage: Storage, months: Iterable[PrivacyMonth], subscribers: int) -> None:
    """Write days of people who sleep in three places, are seen on seven days of ten, and move now and then."""
    cells = sorted(h3.grid_disk(h3.latlng_to_cell(-14.0, 34.0, 6), 16))  # 817 cells
    write_json(storage.zones, cells)
    chance = np.random.default_rng(4)
    pseudonyms = chance.permutation(np.arange(subscribers, dtype=np.int64) * 7_919_999_983)
    places = chance.integers(0, len(cells), (subscribers, 3))
    months = list(months)
    days = [day for month in months for day in month.days]
    _deliver(storage, "year", days[0], days[-1], holding=days)
    for month in months:
        moving = chance.random(subscribers) < 0.02
        places[moving, 0] = chance.integers(0, len(cells), int(moving.sum()))
        for day in month.days:
            seen = np.flatnonzero(chance.random(subscribers) < 0.7)
            _write_day(storage, _a_day(chance, pseudonyms[seen], places[seen], day), "year", day)


_POINTS_A_DAY: Final = 8


def _a_day(chance: np.random.Generator, people: np.ndarray, places: np.ndarray, day: date) -> pa.Table:
    size = (len(people), _POINTS_A_DAY)
    cells = np.take_along_axis(places, chance.choice(3, size, p=[0.8, 0.15, 0.05]), axis=1)
    points = np.sort(chance.integers(0, 86_400, size) << SECOND_SHIFT | cells, axis=1)
    offsets = np.arange(0, points.size + 1, _POINTS_A_DAY, dtype=np.int32)
    stratum = pa.array([NOT_AVAILABLE] * len(people))
    columns = {
        "subscriber": people,
        "local_date": pa.array([day] * len(people), pa.date32()),
        "points": pa.ListArray.from_arrays(offsets, points.ravel()),
        "events": np.full(len(people), _POINTS_A_DAY, dtype=np.int64),
        "sex": stratum,
        "age_band": stratum,
        "sim_country": stratum,
        "abroad": pa.ListArray.from_arrays(np.zeros(len(people) + 1, dtype=np.int32), pa.array([], pa.int64())),
    }
    return pa.table(columns)


def _table(timings: Iterable[Timing]) -> Table:
    table = Table(title="From subscriber days to exact totals, two cores")
    table.add_column("engine")
    table.add_column("product")
    for heading in ("wall s", "CPU s", "peak GB"):
        table.add_column(heading, justify="right")
    table.add_column("as promised")
    for timing in timings:
        numbers = (f"{timing.wall_s:.1f}", f"{timing.cpu_s:.1f}", f"{timing.peak_gb:.1f}")
        table.add_row(timing.engine, timing.product, *numbers, "yes" if timing.kept else "[red]no")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
