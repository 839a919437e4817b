"""Where everything stands: the only module that knows paths.

    confidential/
      deliveries/<delivery>.json          committed deliveries: the parts they brought, what was read and kept
      subscriber_day_parts/v=<delivery>/day=<date>/*.parquet
      subscriber_days/v=<version>/day=<date>/*.parquet    days of several parts; a day of one part is that part
      manifests/subscriber_days/<date>.json     where a reader of that day finds it
      nights/month=<month>/v=<version>/*.parquet    made of the month's days; the version names what it was made of
      manifests/nights/<month>.json       where a reader of that month finds it
      quarantine/v=<delivery>/*.parquet
      keys.json                           register of the key under which each privacy month was pseudonymised
      retention/<instant>.json            deletion records: which days of which table expired, by which policy
      zones.json                          register of H3 cells; positions are given once
      units.json                          register of the administrative unit of each H3 cell; decided once a layer
      quality/                            a day's measures, record and page; a year's calendar (jobs/quality/store.py)
      exact/<release>/*.parquet           gone once sealed
      approvals/<sha256>.json             signed statements; append-only, each under its own digest
      vault/, ledger.sqlite
    release/<bundle>/, release/<bundle>.zip

A writer fills a folder that nobody reads and then swaps one small file; a reader sees the old or the new, never a half.
"""

import errno
import fcntl
import hashlib
import json
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, JsonValue, model_validator
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config import StorageConfig
from privacy.durable import flush_tree, write_whole
from privacy.unit import PrivacyMonth
from schemas.contract import Contract
from schemas.errors import ConfigError, InputError, StorageError, WhimbrelError
from schemas.nights import NIGHTS
from schemas.subscriber_days import SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS

DAY_FOLDER = "day"
"""Partition folder of a day; the date also stands in the file, so that engines never have to guess its type."""


_DAY_TABLES = {contract.name: contract for contract in (SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS)}

Place = tuple[Contract, str, date]
"""Where a day stands: table, version, day."""


def write_json(path: Path, value: object) -> None:
    """Write a small file so that a reader sees all of it or nothing, and a crash cannot undo it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(value, indent=1, sort_keys=True).encode())


@dataclass(frozen=True)
class Storage:
    """The two storage roots.

    Args:
        confidential: Root of everything that depends on subscribers.
        release: Root of published bundles.
    """

    confidential: Path
    release: Path

    @classmethod
    def of(cls, config: StorageConfig) -> "Storage":
        """Create the roots where they are missing; the confidential one is readable by its owner only.

        Raises:
            ConfigError: The confidential one is there, and others may enter it: what engines write in it would be
                theirs to read.
        """
        config.confidential.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_owner_only(config.confidential)
        config.release.mkdir(parents=True, exist_ok=True)
        return cls(config.confidential, config.release)

    @property
    def vault(self) -> Path:
        """Folder of sealed measurements."""
        return self.confidential / "vault"

    @property
    def approvals(self) -> Path:
        """Folder of signed statements."""
        return self.confidential / "approvals"

    @property
    def zones(self) -> Path:
        """Register of the country's H3 cells."""
        return self.confidential / "zones.json"

    @property
    def units(self) -> Path:
        """Register of the administrative units of the country's H3 cells."""
        return self.confidential / "units.json"

    @property
    def quality(self) -> Path:
        """Folder of the quality records of days."""
        return self.confidential / "quality"

    def version(self, contract: Contract, version: str) -> Path:
        """Folder of one version of a table."""
        return self.confidential / contract.name / f"v={version}"

    def exact(self, release: str) -> Path:
        """Folder of a release's aggregate before noise."""
        return self.confidential / "exact" / release

    @property
    def keys(self) -> Path:
        """Register of the keys under which months were pseudonymised."""
        return self.confidential / "keys.json"

    @property
    def retention(self) -> Path:
        """Folder of deletion records."""
        return self.confidential / "retention"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other writers of the confidential root waiting; ends with the process, however that ends.

        Raises:
            StorageError: The disk was full, or may not be written to: whether we or an engine met it.
        """
        try:
            with (self.confidential / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except Exception as error:
            if cause := _refusal_of_the_disk(error):
                raise _refused(self.confidential, cause) from error
            raise

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder of the confidential root that is gone afterwards; call it `alone`.

        What an interrupted run left there goes first: it may hold the pseudonym key.
        """
        folder = self.confidential / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def write_days(self, table: DataFrame, contract: Contract, version: str) -> None:
        """Write a version of a table by `local_date`, in place of what an interrupted run left of it."""
        folder = self.version(contract, version)
        shutil.rmtree(folder, ignore_errors=True)
        partitioned = contract.conform(table).withColumn(DAY_FOLDER, F.col("local_date").cast("string"))
        partitioned.write.partitionBy(DAY_FOLDER).parquet(str(folder))
        if folder.is_dir():  # an engine may write no folder at all where there are no rows
            flush_tree(folder)

    def days_in(self, contract: Contract, version: str) -> tuple[date, ...]:
        """Return the days that a written version holds rows of."""
        folders = self.version(contract, version).glob(f"{DAY_FOLDER}=*")
        return tuple(sorted(date.fromisoformat(folder.name.removeprefix(f"{DAY_FOLDER}=")) for folder in folders))

    def read_days(self, session: SparkSession, places: Iterable[Place]) -> DataFrame:
        """Read days where they stand; a version without rows of its day reads as none."""
        if found := [str(folder) for folder in self._day_folders(places) if folder.is_dir()]:
            return session.read.schema(SUBSCRIBER_DAYS.schema).parquet(*found)
        return _without_rows(session, SUBSCRIBER_DAYS)

    def bytes_of_days(self, places: Iterable[Place]) -> int:
        """Return the size of days where they stand."""
        return _bytes_in(self._day_folders(places))

    def _day_folders(self, places: Iterable[Place]) -> list[Path]:
        return [self.version(contract, version) / f"{DAY_FOLDER}={day}" for contract, version, day in places]

    def commit_delivery(self, delivery: str, record: "DeliveryRecord") -> None:
        """Make a delivery's parts visible."""
        write_json(self.confidential / "deliveries" / f"{delivery}.json", record.model_dump(mode="json"))

    def deliveries(self) -> dict[str, "DeliveryRecord"]:
        """Return the records of all committed deliveries."""
        files = sorted((self.confidential / "deliveries").glob("[!.]*.json"))
        return {file.stem: DeliveryRecord.model_validate_json(file.read_bytes()) for file in files}

    def standing(self) -> dict[str, "DeliveryRecord"]:
        """Return the records of the deliveries that no other one replaces: what days are made of."""
        every = self.deliveries()
        replaced = {record.replaces for record in every.values()}
        return {name: record for name, record in every.items() if name not in replaced}

    def states(self, days: Iterable[date]) -> dict[date, "DayState"]:
        """Return what days should be made of, as deliveries stand."""
        standing = self.standing()
        return {
            day: DayState(
                parts=tuple(sorted(name for name, record in standing.items() if day in record.days)),
                delivered=_is_delivered(day, standing.values()),
            )
            for day in days
        }

    def require_merged(self, days: Iterable[date]) -> None:
        """Refuse days of which an interrupted run committed a delivery and did not switch all readers.

        Raises:
            InputError: There are such days.
        """
        states = self.states(tuple(days))
        if stale := [day for day, state in states.items() if not self._shows(day, state)]:
            raise InputError(
                f"An ingest was interrupted before {_listed(stale)} showed what was delivered.",
                "days that are merged with all their deliveries",
                "repeat the last `whimbrel ingest`: it reads nothing again, and finishes",
            )

    def _shows(self, day: date, state: "DayState") -> bool:
        shown = self.day_state(SUBSCRIBER_DAYS, day)
        return shown == state or (shown is None and not (state.parts or state.delivered))

    @property
    def delivered_until(self) -> date | None:
        """The last day that any delivery was for; nothing where there is none. Operators say it: no record does."""
        return max((delivery.last for delivery in self.standing().values()), default=None)

    def keep_record(self, record: "DeletionRecord") -> None:
        """Write a deletion record under the instant at which its run began."""
        write_json(self.retention / f"{record.begun_at:%Y%m%dT%H%M%S%fZ}.json", record.model_dump(mode="json"))

    def deletion_records(self) -> list["DeletionRecord"]:
        """Return all deletion records, in order of time."""
        files = sorted(self.retention.glob("[!.]*.json"))
        return [DeletionRecord.model_validate_json(file.read_bytes()) for file in files]

    def expired_until(self, *tables: str) -> date | None:
        """Return the last day that expired in any of some tables; nothing where none did. It never goes back."""
        days = (one.until for record in self.deletion_records() for one in record.expired if one.table in tables)
        return max(days, default=None)

    @property
    def is_synthetic(self) -> bool:
        """Whether every delivery bears the mark of the synthetic country."""
        deliveries = self.deliveries().values()
        return bool(deliveries) and all(delivery.synthetic for delivery in deliveries)

    def _manifest(self, contract: Contract, day: date) -> Path:
        return self.confidential / "manifests" / contract.name / f"{day}.json"

    def swap(self, contract: Contract, day: date, state: "DayState", held_by: Contract, version: str) -> None:
        """Let readers of a day see another version from now on."""
        manifest = _Manifest(table=held_by.name, version=version, state=state)
        write_json(self._manifest(contract, day), manifest.model_dump(mode="json"))

    def shown(self, contract: Contract, day: date) -> Place | None:
        """Return where the version of a day stands that readers see, delivered or not; nothing where there is none."""
        manifest = self._read_manifest(contract, day)
        return (_DAY_TABLES[manifest.table], manifest.version, day) if manifest else None

    def day_state(self, contract: Contract, day: date) -> "DayState | None":
        """Return what the version of a day was made from, or nothing where there is none."""
        manifest = self._read_manifest(contract, day)
        return manifest.state if manifest else None

    def _read_manifest(self, contract: Contract, day: date) -> "_Manifest | None":
        path = self._manifest(contract, day)
        return _Manifest.model_validate_json(path.read_bytes()) if path.exists() else None

    def current(self, contract: Contract, days: Iterable[date]) -> "list[Place]":
        """Return where the version of each day stands that readers see now.

        Raises:
            InputError: A day was never delivered; late rows that another delivery brought do not make it so. Or it
                has expired.
        """
        wanted = tuple(days)
        self.require_kept(wanted)
        found = self.delivered(contract, wanted)
        if missing := sorted(set(wanted) - {day for _, _, day in found}):
            raise InputError(
                f"No delivery for {', '.join(map(str, missing))}.",
                "every day of the period, empty days included",
                "ingest the missing deliveries with `whimbrel ingest --days ...`",
            )
        return found

    def require_kept(self, days: Iterable[date]) -> None:
        """Refuse days whose rows were deleted by policy: they would read as days without anybody.

        Raises:
            InputError: There are such days.
        """
        until = self.expired_until(SUBSCRIBER_DAYS.name)
        if until is not None and (gone := sorted(day for day in days if day <= until)):
            raise InputError(
                f"{_listed(gone)} cannot be read any more: subscriber days up to {until} have expired.",
                "days that [retention] in whimbrel.toml still keeps",
                "choose a later period; to release such periods from now on, raise `subscriber_days` in [retention]",
            )

    def delivered(self, contract: Contract, days: Iterable[date]) -> "list[Place]":
        """Return where the version of each day stands that readers see now; days never delivered are left out."""
        manifests = {day: self._read_manifest(contract, day) for day in days}
        found = {day: manifest for day, manifest in manifests.items() if manifest and manifest.state.delivered}
        return [(_DAY_TABLES[manifest.table], manifest.version, day) for day, manifest in found.items()]

    def write_nights(self, nights: DataFrame, month: PrivacyMonth, version: str) -> None:
        """Write a version of a month's nights, in place of what an interrupted run left of it, and switch its readers.

        Call it `alone`. Killed at any point, it leaves the old nights or the new.
        """
        folder = self._nights(month, version)
        shutil.rmtree(folder, ignore_errors=True)
        NIGHTS.conform(nights).write.parquet(str(folder))
        if folder.is_dir():
            flush_tree(folder)
        write_json(self._nights_manifest(month), {"version": version})

    def remove_other_nights(self, month: PrivacyMonth, version: str) -> None:
        """Remove a month's nights but for one version; call it `alone`, once that is what readers see."""
        kept = self._nights(month, version)
        for other in kept.parent.glob("v=*"):
            if other != kept:
                shutil.rmtree(other)

    def remove_nights(self, month: PrivacyMonth) -> None:
        """Remove all nights of a month, after their manifest, so that nobody reads none of them as nobody's."""
        self._nights_manifest(month).unlink(missing_ok=True)
        shutil.rmtree(self._nights(month, "").parent, ignore_errors=True)

    def nights_version(self, month: PrivacyMonth) -> str | None:
        """Return which version of a month's nights readers see; nothing where there is none."""
        path = self._nights_manifest(month)
        return str(json.loads(path.read_bytes())["version"]) if path.exists() else None

    def read_nights(self, session: SparkSession, versions: Mapping[PrivacyMonth, str]) -> DataFrame:
        """Read the nights of months in given versions; a month in which nobody was seen at night reads as none."""
        folders = self._night_folders(versions)
        if found := [str(folder) for folder in folders if any(folder.glob("*.parquet"))]:
            return session.read.schema(NIGHTS.schema).parquet(*found)
        return _without_rows(session, NIGHTS)

    def bytes_of_nights(self, versions: Mapping[PrivacyMonth, str]) -> int:
        """Return the size of the nights of months in given versions."""
        return _bytes_in(self._night_folders(versions))

    def _night_folders(self, versions: Mapping[PrivacyMonth, str]) -> list[Path]:
        return [self._nights(month, version) for month, version in versions.items()]

    def _nights(self, month: PrivacyMonth, version: str) -> Path:
        return self.confidential / NIGHTS.name / f"month={month}" / f"v={version}"

    def _nights_manifest(self, month: PrivacyMonth) -> Path:
        return self.confidential / "manifests" / NIGHTS.name / f"{month}.json"


def _bytes_in(folders: Iterable[Path]) -> int:
    return sum(file.stat().st_size for folder in folders for file in folder.glob("*.parquet"))


def _without_rows(session: SparkSession, contract: Contract) -> DataFrame:
    """An empty table of a contract; made by the engine, because rows from Python want a Python on every executor."""
    columns = (F.lit(None).cast(column.type).alias(column.name) for column in contract.columns)
    return session.range(0).select(*columns)


def _listed(days: Iterable[date]) -> str:
    first, *others = sorted(days)
    return f"{first} to {others[-1]}" if others else str(first)


_FULL: Final = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the quota is used up", errno.EROFS: "it is read-only"}
_FULL_TEXTS: Final = {
    "no space left on device": _FULL[errno.ENOSPC],
    "storagefull": _FULL[errno.ENOSPC],
    "disk quota exceeded": _FULL[errno.EDQUOT],
    "quotaexceeded": _FULL[errno.EDQUOT],
    "read-only file system": _FULL[errno.EROFS],
}
"""What engines say of it, in small letters: the system's own words, or the name of the kind of error in Rust."""


def _refusal_of_the_disk(error: BaseException | None) -> str | None:
    """Say how a disk refused, where that is at the root of an error; an engine's text is looked into, never shown."""
    if error is None or isinstance(error, WhimbrelError):
        return None
    if isinstance(error, OSError) and error.errno in _FULL:
        return _FULL[error.errno]
    said = str(error).lower()
    of_engine = next((cause for text, cause in _FULL_TEXTS.items() if text in said), None)
    return of_engine or _refusal_of_the_disk(error.__cause__)


def _refused(folder: Path, cause: str) -> StorageError:
    return StorageError(
        f"{folder}, or the folder for temporary files, cannot be written to: {cause}.",
        "room for the parts of a delivery, about a third of its size as gzip, and as much again for what is shuffled",
        "make room (`whimbrel retention` deletes what has expired) and repeat the command: nothing half-written shows",
    )


def _require_owner_only(folder: Path) -> None:
    # Not tightened by ourselves: a folder that is named by mistake may be other people's too.
    if (mode := stat.S_IMODE(folder.stat().st_mode)) & 0o077:
        raise ConfigError(
            f"Others than its owner may enter the confidential root {folder}: its mode is {mode:o}.",
            "mode 700",
            f"run `chmod 700 {folder}`, if it is the right folder, and ask who may have read it",
        )


class DeliveryRecord(BaseModel):
    """What a delivery was and what became of its rows; confidential.

    Args:
        mapping: The source's mapping under which it was read.
        first: First local day that it is for.
        last: Last local day that it is for.
        days: Days that it brought rows of, late ones included.
        files: Names of its files; runs of seven digits or more are masked.
        read: Rows of the files.
        kept: Rows that reached the parts, repeated rows included; and those of subscribers who object, which did not.
        quarantined: Rows that did not, by reason.
        synthetic: Whether the mark of a synthetic country lists every one of its files.
        replaces: The delivery that its corrected files stand in for.
        source: Name of its layout in the configuration, where it has one.
        required: Layouts without whose deliveries its days do not count as delivered.
    """

    model_config = ConfigDict(frozen=True)

    mapping: dict[str, JsonValue]
    first: date
    last: date
    days: tuple[date, ...]
    files: tuple[str, ...]
    read: int
    kept: int
    quarantined: dict[str, int]
    synthetic: bool = False
    replaces: str | None = None
    source: str | None = None
    required: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _accounts_for_every_row(self) -> Self:
        if self.read != self.kept + sum(self.quarantined.values()):
            raise InputError(
                "The rows read are not the rows kept and quarantined together.",
                "files that do not change while they are read",
                "wait until the delivery is complete and ingest it again",
            )
        return self

    @property
    def touched(self) -> tuple[date, ...]:
        """Days that it is for, and days that it brought late rows of."""
        span = (self.last - self.first).days + 1
        return tuple(sorted({self.first + timedelta(n) for n in range(span)} | set(self.days)))


def _is_delivered(day: date, records: Iterable[DeliveryRecord]) -> bool:
    """Whether there is a delivery for a day, and one of every layout that those deliveries say it needs."""
    those = [record for record in records if record.first <= day <= record.last]
    needed = {name for record in those for name in record.required}
    return bool(those) and needed <= {record.source for record in those}


class DayState(BaseModel):
    """What a version of a day was made from.

    Args:
        parts: Deliveries whose parts it holds.
        delivered: Whether one of them was for this day; late rows alone do not make a day.
    """

    model_config = ConfigDict(frozen=True)

    parts: tuple[str, ...]
    delivered: bool


class Expired(BaseModel):
    """What a deletion record says of one table: no counts, nothing that depends on anybody.

    Args:
        table: Name of the table, or of a folder of leftovers.
        until: Last day whose rows went.
        policy: The line of [retention] by which they went.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    until: date
    policy: str


class DeletionRecord(BaseModel):
    """One run of `whimbrel retention`: what expired, when, by which policy.

    Args:
        begun_at: Instant before the first deletion, UTC; from then on what it lists counts as gone.
        finished_at: Instant after the last; nothing where the run was interrupted, and a later one finished it.
        expired: What it deleted, by table.
    """

    model_config = ConfigDict(frozen=True)

    begun_at: datetime
    finished_at: datetime | None
    expired: tuple[Expired, ...]


class _Manifest(BaseModel):
    table: str
    version: str
    state: DayState


def digest(value: object) -> str:
    """Return a short name that depends on a JSON value only."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
