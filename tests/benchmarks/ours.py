"""Whimbrel's main job on one of its engines: Parquet to subscriber days to exact origin-destination totals."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from jobs.config import (
    CellsConfig,
    ColumnMapping,
    Config,
    CountryConfig,
    EngineConfig,
    IngestConfig,
    PseudonymConfig,
    SourceConfig,
    StorageConfig,
)
from jobs.ingest.delivery import ingest
from jobs.releases import Desk
from jobs.session import open_session
from privacy.unit import Period
from tests.benchmarks.meter import Stopwatch

SOURCE = SourceConfig(format="parquet", columns=ColumnMapping(subscriber="msisdn", time="event_at", cell="cell_id"))
LATE = timedelta(IngestConfig().late_days)


@dataclass(frozen=True)
class Work:
    """What every engine has to do.

    Args:
        country: Folder of a synthetic country.
        first: First local day of the delivery.
        days: Number of days.
        memory: Java heap of Spark.
    """

    country: Path
    first: date
    days: int
    memory: str = "3g"

    @property
    def last(self) -> date:
        """Last local day of the delivery."""
        return self.first + timedelta(self.days - 1)

    @property
    def files(self) -> list[Path]:
        """One file a day."""
        return [self.country / "whimbrel" / f"{self.first + timedelta(n)}.parquet" for n in range(self.days)]

    @property
    def periods(self) -> list[Period]:
        """Whole weeks where there are any, otherwise the single days."""
        days = [self.first + timedelta(n) for n in range(self.days)]
        weeks = [Period.parse(f"{day:%G-W%V}") for day in days if day.weekday() == 0 and self.days >= 7]
        return [week for week in weeks if week.last_day <= self.last] or [Period.parse(str(day)) for day in days]

    def config(self, root: Path, engine: Literal["sail", "spark"] = "sail") -> Config:
        """Return an installation in a folder of its own."""
        root.mkdir(exist_ok=True)
        key = root / "key"
        key.write_text("5e" * 32)
        key.chmod(0o600)
        return Config(
            country=CountryConfig(name="Synthetica", timezone="Indian/Mauritius"),
            storage=StorageConfig(confidential=root / "confidential", release=root / "release"),
            engine=EngineConfig(name=engine, master="local[2]", memory=self.memory),
            pseudonyms=PseudonymConfig(key_file=key),
            cells=CellsConfig(path=self.country / "cells.csv"),
            sources={"own": SOURCE},
        )


@dataclass(frozen=True)
class Outcome:
    """What an engine found, to be the same whoever looked.

    Args:
        rows: What became of the rows read: `kept`, and the reasons of the others.
        totals: Exact totals of each period, sorted by key.
    """

    rows: dict[str, int]
    totals: dict[str, pa.Table]


def main_job(stopwatch: Stopwatch, root: Path, engine: Literal["sail", "spark"], work: Work) -> Outcome:
    """Ingest the delivery, then aggregate its weeks."""
    config = work.config(root, engine)
    with open_session(config.engine) as session:
        stopwatch.start()
        outcome = _done(session, config, work)
        stopwatch.stop()
    return outcome


def again_job(stopwatch: Stopwatch, root: Path, engine: Literal["sail", "spark"], work: Work) -> Outcome:
    """Do the main job, uncounted, and then once more from nothing: what it costs an engine that runs."""
    once, again = (work.config(root / name, engine) for name in ("once", "again"))
    with open_session(once.engine) as session:
        _done(session, once, work)
        stopwatch.start()
        outcome = _done(session, again, work)
        stopwatch.stop()
    return outcome


def next_day_job(stopwatch: Stopwatch, root: Path, engine: Literal["sail", "spark"], work: Work) -> Outcome:
    """Ingest two days and aggregate them, uncounted, and then the third: what a day costs an engine that runs.

    Each but the first brings late rows of the day before, which are merged.
    """
    config = work.config(root, engine)
    *before, third = (replace(work, first=work.first + timedelta(n)) for n in range(3))
    with open_session(config.engine) as session:
        for day in before:
            _done(session, config, day)
        stopwatch.start()
        outcome = _done(session, config, third)
        stopwatch.stop()
    return outcome


def _done(session: SparkSession, config: Config, work: Work) -> Outcome:
    desk = Desk.of(config)
    before = set(desk.storage.deliveries())
    ingest(session, config, desk.storage, work.files, source=SOURCE, first=work.first, last=work.last)
    plans = [desk.plan("od_trips", period, 1) for period in work.periods]
    for plan in plans:
        desk._aggregate(plan, desk._inputs(plan), session)
    [record] = (record for name, record in desk.storage.deliveries().items() if name not in before)
    return Outcome(
        {"kept": record.kept, **record.quarantined},
        {str(plan.period): pq.read_table(desk.storage.exact(plan.key.slug)).sort_by("key") for plan in plans},
    )
