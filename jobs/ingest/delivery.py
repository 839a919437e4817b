"""One delivery: read once into parts, counted, quarantined, merged into days."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property, reduce
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config import Config, SourceConfig
from jobs.ingest.cells import Cell, ZoneRegister, cell_stretches, days_of_change, read_cells
from jobs.ingest.damage import first_unreadable, unreadable, with_valid_text
from jobs.ingest.days import subscriber_days
from jobs.ingest.events import Window, masked_name, placed, quarantined, subscriber_day_parts
from jobs.ingest.exclusions import excluded_subscribers, without_excluded
from jobs.ingest.pseudonyms import load_key, write_key_row
from jobs.ingest.sources import Clock, event_files, read_events, rows_in
from jobs.storage import DayState, DeliveryRecord, Storage, digest, write_json
from jobs.synthetic_mark import are_synthetic, sha256_of
from schemas.cells import CELL_STRETCHES
from schemas.errors import ConfigError, InputError
from schemas.subscriber_days import QUARANTINE, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS

Progress = Callable[[str], None]

_KEY_ROW: Final = "key.parquet"
"""File of the scratch folder from which the engine reads the key."""


def ingest(
    session: SparkSession,
    config: Config,
    storage: Storage,
    paths: Sequence[Path],
    *,
    source: SourceConfig,
    first: date,
    last: date,
    progress: Progress = lambda _: None,
) -> tuple[date, ...]:
    """Read a delivery into parts and merge the days it touches; the days it delivers are returned.

    Safe to run again after any interruption: a delivery is known by its content, its parts become visible all at
    once, and a day's readers are switched to a new version all at once.

    Args:
        session: An engine.
        config: The installation.
        storage: Its two roots.
        paths: Event files, or folders of them.
        source: Their layout.
        first: First local day that the delivery is for.
        last: Last local day that the delivery is for.
        progress: Told what begins.

    Raises:
        InputError: A file or the cell table cannot be used, or no row could be kept.
        ConfigError: The key cannot be used, or the delivery was ingested under another mapping.
    """
    files = event_files(paths, source)
    key = load_key(config.pseudonyms)
    with storage.alone(), storage.scratch() as scratch:
        sha256s = _sha256s(files)
        delivery = _name_of(sha256s, storage, first, last)
        if not _is_committed(storage, delivery, source, first, last):
            write_key_row(key, scratch / _KEY_ROW)
            synthetic = are_synthetic(files, sha256s)
            run = _DeliveryRun(session, config, storage, scratch, files, source, first, last, synthetic)
            progress("reading events into subscriber days")
            run.commit(delivery, progress)
        progress("merging days")
        merge_days(session, storage, delivery, partitions=config.engine.shuffle_partitions)
    return tuple(first + timedelta(n) for n in range((last - first).days + 1))


def _sha256s(files: Sequence[Path]) -> list[str]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(_sha256, files))


def _sha256(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise unreadable(file) from error


def _name_of(sha256s: Sequence[str], storage: Storage, first: date, last: date) -> str:
    """Name a delivery by the content of its files, so that a copy is recognised under any name.

    Files without rows are alike on any day: a second such delivery is named by its days too.
    """
    content = digest(sorted(sha256s))
    known = storage.deliveries().get(content)
    if known is not None and known.read == 0 and (known.first, known.last) != (first, last):
        return digest([content, str(first), str(last)])
    return content


def _is_committed(storage: Storage, delivery: str, source: SourceConfig, first: date, last: date) -> bool:
    record = storage.deliveries().get(delivery)
    if record is not None and (record.first, record.last) != (first, last):
        raise ConfigError(
            f"This delivery was ingested for other days: {record.first} to {record.last}.",
            "the same days as the first time",
            "repeat it with these days, or deliver corrected files",
        )
    if record is not None and record.mapping != source.model_dump(mode="json"):
        raise ConfigError(
            "This delivery was ingested under another mapping.",
            "the same source as the first time",
            "restore the mapping in whimbrel.toml, or deliver corrected files",
        )
    return record is not None


@dataclass(frozen=True)
class _DeliveryRun:
    """What the steps of reading one delivery share."""

    session: SparkSession
    config: Config
    storage: Storage
    scratch: Path
    files: tuple[Path, ...]
    source: SourceConfig
    first: date
    last: date
    synthetic: bool

    def commit(self, delivery: str, progress: Progress) -> None:
        """Write the parts and the quarantine, account for every row, and only then make the delivery visible."""
        try:
            self._write_parts(delivery)
            record = self._record(delivery, progress)
        except (PySparkException, Py4JJavaError) as error:  # classic Spark wraps a failed task in py4j's own
            self._repaired(error).commit(delivery, progress)
        else:
            self.storage.commit_delivery(delivery, record)

    def _write_parts(self, delivery: str) -> None:
        key_row = self.session.read.parquet(str(self.scratch / _KEY_ROW))
        events = self._placed(read_events(self.session, self.files, self.source))
        parts = subscriber_day_parts(events, key_row, partitions=self.config.engine.shuffle_partitions)
        if self.config.ingest.exclusions:
            listed = excluded_subscribers(self.session, self.config.ingest.exclusions, key_row, self.scratch)
            parts = without_excluded(parts, listed)
        self.storage.write_days(parts, SUBSCRIBER_DAY_PARTS, delivery)

    def _record(self, delivery: str, progress: Progress) -> DeliveryRecord:
        read = rows_in(self.session, self.files, self.source)
        kept = self._kept(delivery)
        progress("setting aside rows that cannot be used")  # always: whether there are any is confidential
        quarantined_rows = self._write_quarantine(delivery) if kept != read else {}
        kept = self._usable(read, kept, quarantined_rows)
        if read and not kept:
            raise InputError(
                f"No row of the delivery could be kept: {', '.join(sorted(quarantined_rows))}.",
                "a mapping, days and a cell table that fit the files",
                "compare `columns`, `time_format` and --days with the first lines of a file",
            )
        return DeliveryRecord(
            mapping=self.source.model_dump(mode="json"),
            first=self.first,
            last=self.last,
            days=self.storage.days_in(SUBSCRIBER_DAY_PARTS, delivery),
            files=tuple(masked_name(file.name) for file in self.files),
            read=read,
            kept=kept,
            quarantined=quarantined_rows,
            synthetic=self.synthetic,
        )

    def _usable(self, read: int, stored: int, quarantined_rows: Mapping[str, int]) -> int:
        """Rows that are kept in the books: those stored; with a list of exclusions, those of its subscribers too.

        So the books hold no number that depends on the list.
        """
        usable = read - sum(quarantined_rows.values())
        return usable if self.config.ingest.exclusions and stored <= usable else stored

    def _kept(self, delivery: str) -> int:
        folder = self.storage.version(SUBSCRIBER_DAY_PARTS, delivery)
        columns = (pq.read_table(file, columns=["events"])["events"] for file in _written(folder))
        return sum(pc.sum(events).as_py() or 0 for events in columns)

    def _write_quarantine(self, delivery: str) -> dict[str, int]:
        """Write the rows that were not kept, with the file they stood in, and count them by reason."""
        one_by_one = [
            read_events(self.session, [file], self.source).withColumn("file", F.lit(masked_name(file.name)))
            for file in self.files
        ]
        events = reduce(DataFrame.unionAll, one_by_one)
        folder = self.storage.version(QUARANTINE, delivery)
        quarantined(self._placed(events), window=self._window).write.mode("overwrite").parquet(str(folder))
        counts: Counter[str] = Counter()
        for file in _written(folder):
            for reason in pq.read_table(file, columns=["reason"])["reason"].value_counts():
                counts[reason["values"].as_py()] += reason["counts"].as_py()
        return dict(counts)

    def _placed(self, events: DataFrame) -> DataFrame:
        window = self._window
        cells = self._cells
        changes = days_of_change(cells, window.first, window.last)
        stretches = self._cell_stretches(cells, (window.first, *changes))
        return placed(events, stretches, changes=changes, source=self.source, clock=self._clock, window=window)

    @property
    def _window(self) -> Window:
        return Window(self.first - timedelta(self.config.ingest.late_days), self.last)

    @property
    def _clock(self) -> Clock:
        return Clock.of(self.config.country.timezone, self._window.first, self._window.last)

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        return read_cells(self.config.cells.path)

    def _cell_stretches(self, cells: Sequence[Cell], starts: Sequence[date]) -> DataFrame:
        """Write where the cells stand to scratch, from where every engine reads it as it reads any table."""
        file = self.scratch / "cell_stretches.parquet"
        if not file.exists():
            resolution = self.config.country.base_resolution
            register = ZoneRegister.load(self.storage.zones).extended(cell.h3(resolution) for cell in cells)
            write_json(self.storage.zones, register.zones)
            rows = cell_stretches(cells, register, resolution=resolution, starts=starts)
            columns = [pa.array(column) for column in zip(*rows, strict=True)]
            pq.write_table(pa.table(dict(zip(CELL_STRETCHES.names, columns, strict=True))), file)
        return self.session.read.schema(CELL_STRETCHES.schema).parquet(str(file))

    def _repaired(self, error: Exception) -> "_DeliveryRun":
        """Return the run over text that every engine reads, or name the file that stopped this one.

        What is not a file's fault stays the engine's.
        """
        if file := first_unreadable(self.files, self.source):
            raise unreadable(file) from error
        is_text = self.source.format == "csv"
        files = with_valid_text(self.files, self.scratch / "repaired") if is_text else self.files
        if files == self.files:
            raise error
        return replace(self, files=files)


def _written(folder: Path) -> list[Path]:
    """Return the files that an engine wrote; counting in them ourselves spares it a job for one number."""
    return sorted(folder.rglob("*.parquet"))


def merge_days(session: SparkSession, storage: Storage, delivery: str, *, partitions: int) -> None:
    """Bring the days that a delivery touches up to date, in one job, and switch their readers."""
    deliveries = storage.deliveries()
    states = {
        day: DayState(
            parts=tuple(sorted(name for name, other in deliveries.items() if day in other.days)),
            delivered=any(other.first <= day <= other.last for other in deliveries.values()),
        )
        for day in deliveries[delivery].touched
    }
    stale = {day: state for day, state in states.items() if storage.day_state(SUBSCRIBER_DAYS, day) != state}
    late = {day: state.parts for day, state in stale.items() if len(state.parts) > 1}
    merged_version = _write_merged(session, storage, late, partitions) if late else ""
    for day, state in stale.items():
        where = (SUBSCRIBER_DAYS, merged_version) if day in late else (SUBSCRIBER_DAY_PARTS, "".join(state.parts))
        storage.swap(SUBSCRIBER_DAYS, day, state, *where)


def _write_merged(session: SparkSession, storage: Storage, parts: Mapping[date, Sequence[str]], partitions: int) -> str:
    """Write the days that have several parts as a version of their own, in one job."""
    version = digest({"parts": {str(day): names for day, names in parts.items()}, "table": SUBSCRIBER_DAYS.version})
    places = [(SUBSCRIBER_DAY_PARTS, name, day) for day, names in parts.items() for name in names]
    days = subscriber_days(storage.read_days(session, places), partitions=partitions)
    storage.write_days(days, SUBSCRIBER_DAYS, version)
    return version
