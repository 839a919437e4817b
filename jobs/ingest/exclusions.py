"""Subscribers who object: removed before any table is made, and from the tables that were made before they objected.

The list holds numbers, one a line, in a file of the operator's with mode 600. Its size is nobody's business: nothing
here counts, logs or records what it removed. Releases that were sealed before do not change.
"""

import os
import shutil
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.config import Config
from jobs.ingest.key_register import KeyRegister
from jobs.ingest.pseudonyms import fingerprint, load_key, normalised_number, pseudonymised, tagged, write_key_row
from jobs.storage import Storage
from privacy.durable import write_whole
from privacy.unit import PrivacyMonth
from schemas.errors import ConfigError
from schemas.nights import NIGHTS
from schemas.subscriber_days import SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS

_MARK: Final = "#"
"""What a remark in the list begins with."""


def listed_numbers(path: Path) -> list[str]:
    """Read the list: a number a line, empty lines and remarks left aside.

    Raises:
        ConfigError: It is missing, or can be read by others.
    """
    try:
        is_open, text = bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)), path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The list of exclusions {path} cannot be read.",
            "UTF-8 text, a number a line, with mode 600",
            f"create {path}, empty if nobody objected; chmod 600 {path}",
        ) from error
    if is_open:
        raise ConfigError(f"The list of exclusions {path} can be read by others.", "mode 600", f"chmod 600 {path}")
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith(_MARK)]


def excluded_subscribers(session: SparkSession, numbers: Path, key_row: DataFrame, scratch: Path) -> DataFrame:
    """One row per number of the list: its pseudonym, as ingest makes it: `subscriber`.

    The numbers stand in a file of the scratch folder while the job runs, as the key does: not in a plan, and in no
    exchange, which moves pseudonyms only.
    """
    file = scratch / "exclusions.parquet"
    with os.fdopen(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as stream:
        pq.write_table(pa.table({"number": pa.array(listed_numbers(numbers), pa.string())}), stream)
    number = F.col("number")  # of a hash, which is no number, no zero may go
    spellings = F.explode(F.array(normalised_number(number), F.trim(number))).alias("number")
    listed = session.read.parquet(str(file)).select(spellings)
    return pseudonymised(tagged(listed, key_row), key_row).select("subscriber")


def without_excluded(rows: DataFrame, excluded: DataFrame) -> DataFrame:
    """The rows of everybody else.

    Stability: a row stays or goes by its own subscriber's objection only.
    """
    return rows.join(F.broadcast(excluded), "subscriber", "left_anti").select(*rows.columns)


def exclude_from_stored_days(session: SparkSession, config: Config, storage: Storage) -> None:
    """Remove the listed subscribers from every part, day and month that is stored, superseded versions included.

    File by file, each replaced whole: killed at any point, it is finished by running it again, and a reader sees a file
    as it was or as it will be.

    Raises:
        ConfigError: No list is configured, or it or the key cannot be used.
    """
    if config.ingest.exclusions is None:
        raise ConfigError(
            "No list of exclusions is configured.",
            "`exclusions` in [ingest] of whimbrel.toml",
            "name the file, and put the numbers of those who object into it",
        )
    keys = _keys_of_stored_months(config, storage)
    with storage.alone(), storage.scratch() as scratch:
        listed = [_pseudonyms(session, config.ingest.exclusions, key, scratch) for key in keys]
        pseudonyms = pa.array(sorted({subscriber for one in listed for subscriber in one}), pa.int64())
        # Before the first day changes: what was counted for a release that is not sealed yet still counts them.
        shutil.rmtree(storage.exact(""), ignore_errors=True)
        for contract in (SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS, NIGHTS):
            _exclude_from(storage.confidential / contract.name, pseudonyms)


def _keys_of_stored_months(config: Config, storage: Storage) -> list[bytes]:
    """Return the key of every epoch.

    Raises:
        ConfigError: A key cannot be used, or a month that may be stored was made with none of them: who objects could
            not be found in it.
    """
    keys = [load_key(epoch.place) for epoch in config.pseudonyms.in_order]
    known = {fingerprint(key) for key in keys}
    months = KeyRegister.load(storage.keys).by_month
    if lost := sorted(month for month, mark in months.items() if mark not in known and _is_stored(storage, month)):
        raise ConfigError(
            f"The pseudonym key of {', '.join(lost)} is not configured, so nobody can be found in days of then.",
            "the keys of all months that are stored",
            "restore the epoch in [[pseudonyms.epochs]], or let the days and nights of these months expire first",
        )
    return keys


def _is_stored(storage: Storage, month: str) -> bool:
    """Tell whether days or nights of a month may still stand."""
    expired = storage.expired_until(SUBSCRIBER_DAYS.name)
    days_stand = expired is None or expired < PrivacyMonth.parse(month).last_day
    return days_stand or storage.nights_version(PrivacyMonth.parse(month)) is not None


def _pseudonyms(session: SparkSession, numbers: Path, key: bytes, scratch: Path) -> list[int]:
    """The listed subscribers under one key."""
    file = scratch / f"key_{fingerprint(key)}.parquet"
    write_key_row(key, file)
    excluded = excluded_subscribers(session, numbers, session.read.parquet(str(file)), scratch)
    return [row["subscriber"] for row in excluded.collect()]


def _exclude_from(folder: Path, pseudonyms: Collection[int]) -> None:
    for file in sorted(folder.rglob("*.parquet")):
        table = pq.ParquetFile(file).read()  # one file as it is: no column is made of its folder's name
        kept = table.filter(pc.invert(pc.is_in(table["subscriber"], value_set=pseudonyms)))
        if kept.num_rows != table.num_rows:
            sink = pa.BufferOutputStream()
            # An engine reads a list by the name that it gave to its elements itself.
            pq.write_table(kept, sink, compression="zstd", use_compliant_nested_type=False)
            _checksum_of(file).unlink(missing_ok=True)  # first: an old checksum beside the new file would refuse it
            write_whole(file, sink.getvalue().to_pybytes())


def _checksum_of(file: Path) -> Path:
    """The checksum that Spark writes beside a file."""
    return file.with_name(f".{file.name}.crc")
