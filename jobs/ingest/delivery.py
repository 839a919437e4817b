"""One delivery: read once into parts, counted, quarantined, merged into days."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property, partial, reduce
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config import Config, EngineConfig, SourceConfig
from jobs.ingest.arrival import Arrived
from jobs.ingest.cells import Cell, ZoneRegister, cell_stretches, days_of_change, read_cells
from jobs.ingest.countries import country_stretches, write_country_codes
from jobs.ingest.damage import first_unreadable, unreadable, with_valid_text
from jobs.ingest.days import subscriber_days
from jobs.ingest.event_places import place_stretches, written_places
from jobs.ingest.events import Window, masked_name, placed, quarantined, subscriber_day_parts
from jobs.ingest.exclusions import excluded_subscribers, without_excluded
from jobs.ingest.files import event_files, files_of_days
from jobs.ingest.key_register import KeyRegister
from jobs.ingest.pseudonyms import fingerprint, load_key, write_key_row
from jobs.ingest.sources import FILE_NUMBER, Span, read_events, rows_in
from jobs.ingest.times import Clock
from jobs.ingest.transcoding import as_utf8
from jobs.key_epochs import PseudonymConfig
from jobs.storage import DeliveryRecord, Storage, digest, write_json
from jobs.synthetic_mark import are_synthetic
from privacy.unit import PrivacyMonth
from schemas.cells import CELL_STRETCHES
from schemas.errors import ConfigError, InputError
from schemas.subscriber_days import QUARANTINE, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS

Progress = Callable[[str], None]

_EPOCH: Final = date(1970, 1, 1)
_BYTES_A_WRITER: Final = 16_000_000
"""Of the delivery's files, to a task that groups and writes subscriber days."""


@dataclass(frozen=True)
class DatedKey:
    """A pseudonym key and the local days of a delivery's window for which it holds.

    Args:
        first: First of them.
        last: Last of them.
        key: The key.
    """

    first: date
    last: date
    key: bytes = field(repr=False)

    @property
    def months(self) -> set[PrivacyMonth]:
        """The privacy months that they lie in."""
        return {PrivacyMonth.of(self.first + timedelta(n)) for n in range((self.last - self.first).days + 1)}

    def row_in(self, scratch: Path) -> Path:
        """File from which the engine reads it."""
        return scratch / f"key_{self.first}.parquet"


def ingest(  # noqa: PLR0913  a delivery and how it is read, in one call
    session: SparkSession,
    config: Config,
    storage: Storage,
    paths: Sequence[Path],
    *,
    source: SourceConfig,
    first: date,
    last: date,
    replaces: str | None = None,
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
        replaces: Name of an earlier delivery whose rows these files stand in for, all of them.
        progress: Told what begins.

    Raises:
        InputError: A file or the cell table cannot be used, changed meanwhile, or no row could be kept; or a day has
            expired.
        ConfigError: A key cannot be used, or the delivery was ingested under another mapping.
        StorageError: A disk is full.
    """
    event_files(paths, source)
    window = replace(window_of(config, storage, first, last), last=last + timedelta(source.early_days))
    keys = dated_keys(config.pseudonyms, window)
    with storage.alone(), storage.scratch() as scratch:
        zone = config.country.timezone
        of_days = partial(files_of_days, source=source, first=first, last=last, timezone=zone)
        arrived = Arrived.of(paths, source, of_days)
        delivery = _name_of(arrived.sha256s or _of_table(source, first, last), storage, first, last)
        if replaces is not None:
            _require_replaceable(storage, replaces, delivery)
        if not _is_committed(storage, delivery, source, first, last):
            register = _registered(storage, keys)
            for dated in keys:
                write_key_row(dated.key, dated.row_in(scratch))
            files = as_utf8(arrived.plainly_named(scratch / "named"), source, scratch / "text")
            run = _DeliveryRun(session, config, storage, scratch, arrived, files, first, last, window, keys)
            progress("reading events into subscriber days, setting aside rows that cannot be used")
            record = run.written(delivery).model_copy(update={"replaces": replaces})
            register.save(storage.keys)
            storage.commit_delivery(delivery, record)
        _replace(storage, delivery, replaces)
        progress("merging days")
        merge_days(session, storage, delivery, engine=config.engine)
    return tuple(first + timedelta(n) for n in range((last - first).days + 1))


def window_of(config: Config, storage: Storage, first: date, last: date) -> Window:
    """Return the local days of which a delivery may hold rows.

    Late rows are accepted `late_days` back, but not of days that have expired, nor of days before the first key.

    Raises:
        InputError: A day that the delivery is for has expired.
        ConfigError: A day that it is for lies before the first key.
    """
    config.pseudonyms.epoch_of(PrivacyMonth.of(first))
    expired = storage.expired_until(SUBSCRIBER_DAYS.name, SUBSCRIBER_DAY_PARTS.name)
    if expired is not None and first <= expired:
        raise InputError(
            f"Rows of days up to {expired} are not accepted any more: they have expired.",
            f"days from {expired + timedelta(1)} on",
            "deliver later days; how long rows are kept stands in [retention]",
        )
    earliest = max(config.pseudonyms.in_order[0].first_day, expired + timedelta(1) if expired else date.min)
    return Window(max(first - timedelta(config.ingest.late_days), earliest), last)


def dated_keys(config: PseudonymConfig, window: Window) -> tuple[DatedKey, ...]:
    """Return the keys of a window's days, one a key epoch that it touches.

    Raises:
        ConfigError: One of them cannot be used.
    """
    touched = [one for one in config.in_order if one.first_day <= window.last and window.first <= one.last_day]
    return tuple(
        DatedKey(max(one.first_day, window.first), min(one.last_day, window.last), load_key(one.place))
        for one in touched
    )


def _registered(storage: Storage, keys: Sequence[DatedKey]) -> KeyRegister:
    """Return the register of keys with those of a delivery, none of whose months may have another one."""
    known = KeyRegister.load(storage.keys)
    return reduce(lambda register, dated: register.with_months(dated.months, fingerprint(dated.key)), keys, known)


def _require_replaceable(storage: Storage, replaced: str, delivery: str) -> None:
    """Refuse to replace what is not there, what something else replaced, or what cannot be merged without it."""
    records = storage.deliveries()
    if replaced not in records or replaced == delivery:
        raise InputError(
            f"{replaced!r} cannot be replaced: it is no delivery, or holds the same files.",
            "the name of an earlier delivery: that of its record in confidential/deliveries, without .json",
            "find the record by its `first`, `last` and `files`",
        )
    if others := {record.replaces for name, record in records.items() if name != delivery} & {replaced}:
        raise InputError(
            f"{', '.join(map(str, others))} was replaced already.",
            "a delivery that stands",
            "replace the one whose record names it in `replaces`",
        )
    expired = storage.expired_until(SUBSCRIBER_DAYS.name, SUBSCRIBER_DAY_PARTS.name)
    if expired is not None and records[replaced].touched[0] <= expired:
        raise InputError(
            f"{replaced} cannot be replaced any more: rows of days up to {expired} have expired.",
            "a delivery all of whose days are kept",
            "deliver corrected files of later days as a delivery of their own",
        )


def _replace(storage: Storage, delivery: str, replaces: str | None) -> None:
    """Enter what a committed delivery replaces, where it was ingested before without saying so."""
    record = storage.deliveries()[delivery]
    if replaces is None or record.replaces == replaces:
        return
    if record.replaces is not None:
        raise ConfigError(
            f"This delivery replaces {record.replaces}.",
            "one delivery that it replaces",
            "put the files of both into one delivery",
        )
    storage.commit_delivery(delivery, record.model_copy(update={"replaces": replaces}))


def _name_of(sha256s: Sequence[str], storage: Storage, first: date, last: date) -> str:
    """Name a delivery by the content of its files, so that a copy is recognised under any name.

    Files without rows are alike on any day: a second such delivery is named by its days too.
    """
    content = digest(sorted(sha256s))
    known = storage.deliveries().get(content)
    if known is not None and known.read == 0 and (known.first, known.last) != (first, last):
        return digest([content, str(first), str(last)])
    return content


def _of_table(source: SourceConfig, first: date, last: date) -> list[str]:
    """What a delivery from a table is known by, which has no files: the table and the days."""
    return [digest(["table", source.table, str(first), str(last)])] if source.table else []


def _is_committed(storage: Storage, delivery: str, source: SourceConfig, first: date, last: date) -> bool:
    record = storage.deliveries().get(delivery)
    if record is not None and (record.first, record.last) != (first, last):
        raise ConfigError(
            f"This delivery was ingested for other days: {record.first} to {record.last}.",
            "the same days as the first time",
            "repeat it with these days, or deliver corrected files",
        )
    if record is not None and record.mapping != source.model_dump(mode="json", exclude={"required"}):
        raise ConfigError(
            "This delivery was ingested under another mapping.",
            "the same source as the first time",
            "restore the mapping in whimbrel.toml, or deliver corrected files",
        )
    if record is not None and delivery not in storage.standing():
        raise InputError(
            "This delivery was replaced by a later one, and is in no day any more.",
            "files that were not replaced",
            "nothing has to be done; to return to these files, deliver them in another packing with --replaces",
        )
    return record is not None


@dataclass(frozen=True)
class _DeliveryRun:
    """What the steps of reading one delivery share."""

    session: SparkSession
    config: Config
    storage: Storage
    scratch: Path
    arrived: Arrived
    files: tuple[Path, ...]
    first: date
    last: date
    window: Window
    keys: tuple[DatedKey, ...]

    @property
    def source(self) -> SourceConfig:
        """The layout."""
        return self.arrived.source

    def written(self, delivery: str) -> DeliveryRecord:
        """Write the parts and the quarantine, and account for every row; where that fails, nothing of them is left."""
        try:
            record = self._repeated(delivery)
            self.arrived.require_unchanged()
        except BaseException:
            for contract in (SUBSCRIBER_DAY_PARTS, QUARANTINE):
                shutil.rmtree(self.storage.version(contract, delivery), ignore_errors=True)
            raise
        return record

    def _repeated(self, delivery: str) -> DeliveryRecord:
        """Write and account; over copies of valid text, where text that is none stopped an engine."""
        try:
            return self._record(delivery, self._write(delivery))
        except (PySparkException, Py4JJavaError) as error:  # classic Spark wraps a failed task in py4j's own
            self.arrived.require_unchanged()
            return self._repaired(error)._repeated(delivery)
        except InputError:
            self.arrived.require_unchanged()
            raise

    def _write(self, delivery: str) -> dict[str, int]:
        """Write parts and quarantine, and count the quarantine by reason.

        Side by side: while one is planned, or its last tasks run, cores would be idle. What fails is told when both
        have ended, so that neither writes on into a folder that is cleared.
        """
        parts, rejected = self._parts(), self._rejected()
        with ThreadPoolExecutor(max_workers=1) as beside:
            quarantined_rows = beside.submit(self._write_quarantine, rejected, delivery)
            self.storage.write_days(parts, SUBSCRIBER_DAY_PARTS, delivery)
        return quarantined_rows.result()

    def _parts(self) -> DataFrame:
        events = self._placed(self._read())
        return reduce(DataFrame.unionAll, [self._parts_under(dated, events) for dated in self.keys])

    def _parts_under(self, dated: DatedKey, events: DataFrame) -> DataFrame:
        """The parts of one key epoch's days; files are read once an epoch, which is twice about once in two years."""
        key_row = self.session.read.parquet(str(dated.row_in(self.scratch)))
        if len(self.keys) > 1:
            first, last = (dated.first - _EPOCH).days, (dated.last - _EPOCH).days
            events = events.filter(F.col("local_day").between(first, last))
        parts = subscriber_day_parts(
            events,
            key_row,
            partitions=self._partitions,
            country_codes=self._country_codes,
            abroad=self._is_abroad,
        )
        if not self.config.ingest.exclusions:
            return parts
        listed = excluded_subscribers(self.session, self.config.ingest.exclusions, key_row, self.scratch)
        return without_excluded(parts, listed)

    def _record(self, delivery: str, quarantined_rows: dict[str, int]) -> DeliveryRecord:
        read = rows_in(self.session, self.files, self.source, span=self._span)
        kept = self._usable(read, self._kept(delivery), quarantined_rows)
        if read and not kept:
            raise InputError(
                f"No row of the delivery could be kept: {', '.join(sorted(quarantined_rows))}.",
                "a mapping, days and a cell table that fit the files",
                "compare `columns`, `time_format` and --days with the first lines of a file",
            )
        return DeliveryRecord(
            mapping=self.source.model_dump(mode="json", exclude={"required"}),
            source=self.config.name_of(self.source),
            required=self.config.required_sources,
            first=self.first,
            last=self.last,
            days=self.storage.days_in(SUBSCRIBER_DAY_PARTS, delivery),
            files=tuple(masked_name(file.name) for file in self.arrived.files),
            read=read,
            kept=kept,
            quarantined=quarantined_rows,
            synthetic=are_synthetic(self.arrived.files, self.arrived.sha256s),
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

    def _rejected(self) -> DataFrame:
        """The rows that are not kept, with the file they stood in."""
        return quarantined(self._placed(self._read(numbered=True)), self._file_names(), window=self.window)

    def _write_quarantine(self, rejected: DataFrame, delivery: str) -> dict[str, int]:
        folder = self.storage.version(QUARANTINE, delivery)
        rejected.write.mode("overwrite").parquet(str(folder))
        counts: Counter[str] = Counter()
        for file in _written(folder):
            for reason in pq.read_table(file, columns=["reason"])["reason"].value_counts():
                counts[reason["values"].as_py()] += reason["counts"].as_py()
        return dict(counts)

    def _file_names(self) -> DataFrame:
        """The names under which rows of the files may be kept, by number; of a table, its own."""
        names = [masked_name(file.name) for file in self.arrived.files] or [str(self.source.table)]
        table = pa.table({FILE_NUMBER: pa.array(range(len(names)), pa.int64()), "file": names})
        pq.write_table(table, file := self.scratch / "file_names.parquet")
        return self.session.read.parquet(str(file))

    def _read(self, *, numbered: bool = False) -> DataFrame:
        links = self.scratch / ("numbered" if numbered else "plain")  # one would clear the other's
        return read_events(self.session, self.files, self.source, links, span=self._span, numbered=numbered)

    @property
    def _partitions(self) -> int:
        """Tasks that write the parts; a table does not tell its size."""
        engine = self.config.engine
        size = sum(file.stat().st_size for file in self.files)
        return engine.partitions_for(size, each=_BYTES_A_WRITER) if self.files else engine.shuffle_partitions

    @property
    def _span(self) -> Span:
        return self.first, self.last, self.config.country.timezone

    def _placed(self, events: DataFrame) -> DataFrame:
        window = self.window
        cells = self._cells
        changes = days_of_change(cells, window.first, window.last)
        stretches = self._cell_stretches(cells, (window.first, *changes))
        return placed(events, stretches, changes=changes, source=self.source, clock=self._clock, window=window)

    @property
    def _clock(self) -> Clock:
        return Clock.of(self.config.country.timezone, self.window.first, self.window.last)

    @cached_property
    def _cells(self) -> tuple[Cell, ...]:
        return () if self._is_abroad else read_cells(self.config.cells)

    @property
    def _is_abroad(self) -> bool:
        return self.source.columns.visited_country is not None

    @property
    def _country_codes(self) -> DataFrame | None:
        """The codes, from scratch as any table, where the source holds the country of the SIM."""
        if self.source.columns.sim_country is None:
            return None
        write_country_codes(file := self.scratch / "country_codes.parquet")
        return self.session.read.parquet(str(file))

    def _cell_stretches(self, cells: Sequence[Cell], starts: Sequence[date]) -> DataFrame:
        """Write where the cells stand to scratch, from where every engine reads it as it reads any table."""
        file = self.scratch / "cell_stretches.parquet"
        if not file.exists():
            resolution = self.config.country.base_resolution
            register = ZoneRegister.load(self.storage.zones).extended(cell.h3(resolution) for cell in cells)
            write_json(self.storage.zones, register.zones)
            if self._is_abroad:
                rows = country_stretches(len(starts))
            elif self.source.columns.latitude is not None:
                rows = place_stretches(self._places(), register, resolution=resolution, stretches=len(starts))
            else:
                rows = cell_stretches(cells, register, resolution=resolution, starts=starts)
            fields = zip(CELL_STRETCHES.names, (pa.string(), pa.int64(), pa.int64()), range(3), strict=True)
            columns = {name: pa.array([row[n] for row in rows], kind) for name, kind, n in fields}
            pq.write_table(pa.table(columns), file)
        return self.session.read.schema(CELL_STRETCHES.schema).parquet(str(file))

    def _places(self) -> Iterator[str]:
        """Where events with coordinates were, each place once: what it takes to find their zones."""
        folder = self.scratch / "places"
        self._read().select("cell").distinct().write.mode("overwrite").parquet(str(folder))
        return written_places(folder)

    def _repaired(self, error: Exception) -> "_DeliveryRun":
        """Return the run over text that every engine reads, or name the file that stopped this one.

        What is not a file's fault stays the engine's.
        """
        if file := first_unreadable(self.arrived.files, self.source):
            raise unreadable(file) from error
        if file := self._first_refused():
            raise _unusable(file, sorted(map(str, self.source.columns.places))) from error
        files = (
            with_valid_text(self.files, self.source, self.scratch / "repaired") if self.source.is_text else self.files
        )
        if files == self.files:
            raise error
        return replace(self, files=files)

    def _first_refused(self) -> Path | None:
        """Search a Parquet file that is whole and that an engine cannot read, whatever we do with its rows."""
        if self.source.format != "parquet":
            return None
        named = zip(self.files, self.arrived.files, strict=True)
        return next((named for file, named in named if not self._is_read_alone(file)), None)

    def _is_read_alone(self, file: Path) -> bool:
        inside = [place for place in self.source.columns.places if place not in self.source.of_folders]
        columns = [F.col(f"`{place}`").cast("string") for place in inside]
        try:
            self.session.read.parquet(str(file)).agg(F.max(F.xxhash64(*columns))).collect()
        except (PySparkException, Py4JJavaError):
            return False
        return True


def _unusable(file: Path, columns: Sequence[str]) -> InputError:
    return InputError(
        f"{file} is whole, but an engine cannot read {', '.join(columns)} in it.",
        "columns whose names occur once in any spelling, of text, whole numbers or timestamps",
        "have the file written anew, or correct `columns` of the source",
    )


def _written(folder: Path) -> list[Path]:
    """Return the files that an engine wrote; counting in them ourselves spares it a job for one number."""
    return sorted(folder.rglob("*.parquet"))


def merge_days(session: SparkSession, storage: Storage, delivery: str, *, engine: EngineConfig) -> None:
    """Bring the days that a delivery touches up to date, in one job, and switch their readers.

    Those of a delivery that it replaces are among them. Days that have expired stay as they are.
    """
    states = storage.states(_touched(storage, delivery))
    stale = {day: state for day, state in states.items() if storage.day_state(SUBSCRIBER_DAYS, day) != state}
    late = {day: state.parts for day, state in stale.items() if len(state.parts) > 1}
    merged_version = _write_merged(session, storage, late, engine) if late else ""
    for day, state in stale.items():
        where = (SUBSCRIBER_DAYS, merged_version) if day in late else (SUBSCRIBER_DAY_PARTS, "".join(state.parts))
        storage.swap(SUBSCRIBER_DAYS, day, state, *where)


def _touched(storage: Storage, delivery: str) -> list[date]:
    records = storage.deliveries()
    record = records[delivery]
    replaced = records[record.replaces].touched if record.replaces else ()
    expired = storage.expired_until(SUBSCRIBER_DAYS.name, SUBSCRIBER_DAY_PARTS.name)
    return sorted(day for day in {*record.touched, *replaced} if expired is None or expired < day)


def _write_merged(
    session: SparkSession, storage: Storage, parts: Mapping[date, Sequence[str]], engine: EngineConfig
) -> str:
    """Write the days that have several parts as a version of their own, in one job."""
    version = digest({"parts": {str(day): names for day, names in parts.items()}, "table": SUBSCRIBER_DAYS.version})
    places = [(SUBSCRIBER_DAY_PARTS, name, day) for day, names in parts.items() for name in names]
    partitions = engine.partitions_for(storage.bytes_of_days(places))
    days = subscriber_days(storage.read_days(session, places), partitions=partitions)
    storage.write_days(days, SUBSCRIBER_DAYS, version)
    return version
