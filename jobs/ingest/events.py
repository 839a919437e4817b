"""From events to subscriber-day parts: what is checked, what is kept, and why the rest was not."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.ingest.countries import with_sim_country
from jobs.ingest.days import PIECES
from jobs.ingest.pseudonyms import normalised_number, pseudonymised, tagged
from jobs.ingest.sources import FILE_NUMBER
from jobs.ingest.times import Clock, clock_of_source, wall_clock_seconds
from jobs.layouts import SourceConfig
from schemas.subscriber_days import NOT_AVAILABLE, QUARANTINE, SECOND_SHIFT, STRATA, SUBSCRIBER_DAY_PARTS

_EPOCH: Final = date(1970, 1, 1)
_DAY_S: Final = 86_400
_MASKED_DIGITS: Final = r"[0-9]{7,}"  # shorter than any subscriber number, longer than most cell names' digits
_MASK: Final = "#######"


@dataclass(frozen=True)
class Window:
    """The local days that a delivery may hold rows of.

    Args:
        first: First day accepted, late rows included.
        last: Last day of the delivery.
    """

    first: date
    last: date

    @property
    def day_numbers(self) -> tuple[int, int]:
        """First and last as days since 1970-01-01."""
        return (self.first - _EPOCH).days, (self.last - _EPOCH).days


def placed(
    events: DataFrame,
    cell_stretches: DataFrame,
    *,
    changes: Sequence[date],
    source: SourceConfig,
    clock: Clock,
    window: Window,
) -> DataFrame:
    """One row per event with its wall-clock time, local day and cell index, and whether it `is_kept`.

    Stability: rows are judged one by one; no row decides about another.

    Args:
        events: Fields as written.
        cell_stretches: Where each cell stands between two changes.
        changes: Days of change inside the window.
        source: The layout.
        clock: Local time.
        window: Days accepted.
    """
    is_text = dict(events.dtypes)["time"] == "string"
    abroad = clock_of_source(source, window.first, window.last)
    seconds = wall_clock_seconds(source, clock, is_text=is_text, abroad=abroad)
    number = normalised_number(F.col("number")) if source.subscriber_is == "number" else F.trim(F.col("number"))
    timed = events.withColumn("number", number).withColumn("local_s", seconds)
    dated = timed.withColumn("local_day", F.expr(f"local_s div {_DAY_S}"))
    # One long: a name and a number take an engine twice the time. That a name outside a table of 100,000 has the digest
    # of one in it, by chance, is as likely as 1 in 10^14.
    standing = F.xxhash64("cell_id", "stretch").alias("standing")
    known = cell_stretches.select(standing, "cell_index", F.lit(True).alias("known"))
    stretched = dated.withColumnRenamed("cell", "cell_id").withColumn("stretch", _stretch(changes))
    located = stretched.withColumn("standing", standing).join(F.broadcast(known), "standing", "left")
    return located.withColumn("is_kept", _is_kept(window))


def _stretch(changes: Sequence[date]) -> Column:
    """How many days of change lie behind a local day."""
    behind = (F.col("local_day") >= (day - _EPOCH).days for day in changes)
    return sum((passed.cast("bigint") for passed in behind), F.lit(0).cast("bigint"))


def _is_kept(window: Window) -> Column:
    """True for a usable event, otherwise false or missing: no reason is worked out for the many that have none."""
    return (
        ~F.col("malformed")
        & (F.col("number") != "")
        & F.col("local_day").between(*window.day_numbers)
        & F.col("cell_index").isNotNull()
    )


def _reason(window: Window) -> Column:
    """The first check that an event fails, in a fixed order."""
    return (
        F.when(F.col("malformed"), "malformed_row")
        .when(_absent("number"), "missing_subscriber")
        .when(F.col("local_day").isNull(), "unreadable_time")
        .when(~F.col("local_day").between(*window.day_numbers), "time_outside_delivery")
        .when(_absent("cell_id"), "missing_cell")
        .when(F.col("known").isNull(), "unknown_cell")
        .otherwise("cell_out_of_service")
    )


def _absent(name: str) -> Column:
    return F.col(name).isNull() | (F.col(name) == "")


def subscriber_day_parts(
    placed_events: DataFrame,
    key_row: DataFrame,
    *,
    partitions: int,
    country_codes: DataFrame | None = None,
    abroad: bool = False,
) -> DataFrame:
    """One row per subscriber and local day of a delivery: contract `subscriber_day_parts`.

    One exchange: by tag, before the grouping, because `collect_list` does not shrink what it groups. Its number of
    partitions is named, because an engine that chooses takes one. An event crosses it as two longs: who, and when
    and where.

    Args:
        placed_events: From `placed`.
        key_row: The derived keys.
        partitions: Of the result; the exchange by tag has `PIECES` times as many.
        country_codes: Public codes of countries; needed where the source holds the SIM's.
        abroad: Whether the points are countries visited instead of cells.

    Stability: a row depends on one subscriber's events only.
    """
    held = [name for name in STRATA if name in placed_events.columns]
    # No filter: an engine would push it below what it looks at, and work everything out once more for every mention.
    point = F.when(F.col("is_kept"), F.shiftleft("local_s", SECOND_SHIFT).bitwiseOR(F.col("cell_index")))
    kept = placed_events.select("number", point.alias("point"), *held)
    if country_codes is not None:
        kept = with_sim_country(kept, country_codes)
    day = F.expr(f"shiftrightunsigned(point, {SECOND_SHIFT}) div {_DAY_S}")  # unsigned: past 2038 too
    of_day = F.col("point") - F.shiftleft(F.col("local_day") * _DAY_S, SECOND_SHIFT)
    by_subscriber = tagged(kept, key_row).repartition(partitions * PIECES, "tag").withColumn("local_day", day)
    grouped = (
        # What is collected is worked out before: Spark interprets, value by value, what stands inside collect_list.
        by_subscriber.select("tag", "local_day", of_day.alias("point"), *held)
        .groupBy("tag", "local_day")
        .agg(
            F.sort_array(F.collect_list("point")).alias("points"),
            *[F.min(name).alias(name) for name in held],  # the least, as where parts of a day are merged
        )
        .filter(F.size("points") > 0)
    )  # rows that are not kept have no point
    nowhere = F.array().cast("array<bigint>")
    days = grouped.withColumns(
        {
            "points": nowhere if abroad else F.col("points"),
            "abroad": F.col("points") if abroad else nowhere,
            "local_date": F.date_from_unix_date(F.col("local_day").cast("int")),
            "events": F.size("points").cast("bigint"),
            **{name: _stratum(name, held=name in held) for name in STRATA},
        }
    )
    return SUBSCRIBER_DAY_PARTS.conform(pseudonymised(days, key_row)).coalesce(partitions)


def _stratum(name: str, *, held: bool) -> Column:
    return F.coalesce(F.col(name).cast("string"), F.lit(NOT_AVAILABLE)) if held else F.lit(NOT_AVAILABLE)


def quarantined(placed_events: DataFrame, file_names: DataFrame, *, window: Window) -> DataFrame:
    """One row per event that was not kept, with the reason: contract `quarantine`.

    Args:
        placed_events: From `placed`, of events that tell their file.
        file_names: The `file` of each `FILE_NUMBER`.
        window: Days accepted.
    """
    rejected = placed_events.filter(~F.coalesce("is_kept", F.lit(False))).select(
        _reason(window).alias("reason"),
        FILE_NUMBER,
        _masked("time").alias("time_text"),
        _masked("cell_id").alias("cell_text"),
    )
    return QUARANTINE.conform(F.broadcast(file_names).join(rejected, FILE_NUMBER))


def _masked(name: str) -> Column:
    return F.regexp_replace(F.substring(F.col(name).cast("string"), 1, 40), _MASKED_DIGITS, _MASK)


def masked_name(name: str) -> str:
    """A file's name as it may be kept: an operator that delivers a file a subscriber names it by the number."""
    return re.sub(_MASKED_DIGITS, _MASK, name)
