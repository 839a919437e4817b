"""When an event was, by the wall clock of the country, whatever its layout writes (ADR 4)."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F

from jobs.layouts import EPOCHS, INSTANTS, SourceConfig, TimeMask

_SHORTEST_ISO: Final = "yyyy-MM-dd HH:mm"
_MOST: Final = 1e17
"""More than any epoch counts, in microseconds too: one engine makes a number of infinity."""

_MONTHS: Final = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC"


@dataclass(frozen=True)
class Clock:
    """A zone's offsets from UTC over a delivery, from this machine's time zone data.

    Adding an offset costs an engine a twentieth of a time-zone conversion, and both engines add alike.

    Args:
        offsets: (instant in seconds since 1970 from which it holds, offset in seconds), in order of time.
    """

    offsets: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, timezone: str, first: date, last: date) -> "Clock":
        """Find every change of the offset, to the hour, from a day before `first` to a day after `last`."""
        zone = ZoneInfo(timezone)
        start = datetime.combine(first - timedelta(1), time(), UTC)
        hours = [start + timedelta(hours=n) for n in range(24 * ((last - first).days + 3))]
        offsets = [(int(at.timestamp()), int(_offset(zone, at).total_seconds())) for at in hours]
        changes = [later for earlier, later in pairwise(offsets) if later[1] != earlier[1]]
        return cls((offsets[0], *changes))

    def offset_at(self, seconds: Column) -> Column:
        """Offset that holds at an instant."""
        return self._offset_from(seconds, [since for since, _ in self.offsets])

    def offset_by_wall(self, seconds: Column) -> Column:
        """Offset that holds at a time by the wall clock: of an hour that comes twice the first, as Python has it.

        A time that the clock leaps over is read by the offset before the leap.
        """
        later = [since + max(before, after) for (_, before), (since, after) in pairwise(self.offsets)]
        return self._offset_from(seconds, [0, *later])

    def _offset_from(self, seconds: Column, since: list[int]) -> Column:
        offset = F.lit(self.offsets[0][1])
        for begins, (_, seconds_east) in zip(since[1:], self.offsets[1:], strict=True):
            offset = F.when(seconds >= begins, seconds_east).otherwise(offset)
        return offset


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def wall_clock_seconds(source: SourceConfig, clock: Clock, *, is_text: bool, abroad: Clock | None = None) -> Column:
    """Seconds since 1970-01-01 00:00 by the wall clock of the country; missing where unreadable.

    Args:
        source: The layout: how times are written, and by which clock.
        clock: The country's.
        is_text: Whether times are text; otherwise they are instants, or numbers.
        abroad: The clock of the source's own zone, where it has one.
    """
    written = F.col("time")
    if source.time_format in EPOCHS:
        seconds = _counted(written, EPOCHS[source.time_format], is_text=is_text)
    elif is_text:
        seconds = _read(F.trim(written), source).try_cast("timestamp").cast("bigint")
    else:
        seconds = written.cast("timestamp").cast("bigint")
    if source.time_zone == "local" and source.time_format not in INSTANTS:
        return seconds
    if abroad is not None:
        seconds = seconds - abroad.offset_by_wall(seconds)
    return seconds + clock.offset_at(seconds)


def _counted(written: Column, per_second: int, *, is_text: bool) -> Column:
    """Whole seconds of a number, or of a number's text: what stands behind a decimal point is no second."""
    number = _whole(written) if is_text else written.cast("bigint")
    return F.floor(number / per_second).cast("bigint") if per_second > 1 else number


def _whole(text: Column) -> Column:
    """The whole part of a number's text; of JSON, one engine writes large numbers as 1.7724456E9."""
    plain = F.substring_index(text, ".", 1).try_cast("bigint")
    number = text.try_cast("double")
    counted = F.floor(F.when(F.abs(number) < _MOST, number)).try_cast("bigint")
    return F.when(~F.contains(F.upper(text), F.lit("E")), plain).otherwise(counted)


def _read(text: Column, source: SourceConfig) -> Column:
    """Reorder a time into ISO 8601: a cast reads that faster than any pattern (ADR 4)."""
    if source.time_format == "iso_offset":
        return F.when(_has_offset(text), text)
    if source.time_format == "iso":  # an engine reads a bare time as today's, and a bare date as its midnight
        long_enough = F.length(text) >= len(_SHORTEST_ISO)
        return F.when(long_enough if source.time_zone == "utc" else long_enough & ~_has_offset(text), text)
    mask = TimeMask(source.time_format)
    return _iso(mask, _cut(mask, text) if mask.is_fixed else _split(mask, text))


def _has_offset(text: Column) -> Column:
    return text.rlike(r"([zZ]|[+-][0-9]{2}(:?[0-9]{2})?)$") & (F.length(text) > len(_SHORTEST_ISO))


@dataclass(frozen=True)
class _Pieces:
    """A time in pieces, each with its digits.

    Args:
        piece: Gives the text of a unit, and its token; nothing where the mask has none.
        is_whole: Whether the text has the pieces of the mask, no more and no fewer.
    """

    piece: Callable[[str], tuple[Column, str] | None]
    is_whole: Column


def _cut(mask: TimeMask, text: Column) -> _Pieces:
    def piece(unit: str) -> tuple[Column, str] | None:
        found = mask.place(unit)
        return found and (F.substring(text, found[0] + 1, len(found[1])), found[1])

    return _Pieces(piece, F.length(text) == len(mask.text))


def _split(mask: TimeMask, text: Column) -> _Pieces:
    """Pieces between whatever is neither a letter nor a digit."""
    parts = F.split(text, "[^0-9A-Za-z]+")

    def piece(unit: str) -> tuple[Column, str] | None:
        number, found = mask.number(unit), mask.place(unit)
        return found and (F.get(parts, F.lit(number)), found[1])

    return _Pieces(piece, F.size(parts) == len(mask.tokens))


def _iso(mask: TimeMask, pieces: _Pieces) -> Column:
    day = [_digits(pieces, unit) for unit in ("year", "month", "day")]
    clock = [_hour(pieces) if mask.is_of_twelve_hours else _digits(pieces, "hour")]
    clock += [_digits(pieces, unit) for unit in ("minute", "second")]
    text = F.concat(day[0], F.lit("-"), day[1], F.lit("-"), day[2], F.lit(" "),
                    clock[0], F.lit(":"), clock[1], F.lit(":"), clock[2])  # fmt: skip
    return F.when(pieces.is_whole, text)


def _digits(pieces: _Pieces, unit: str) -> Column:
    """A unit's digits, as many as ISO 8601 has of it."""
    found = pieces.piece(unit)
    if found is None:
        return F.lit("00")
    text, letters = found
    if letters == "MMM":
        place = F.position(F.upper(text), F.lit(_MONTHS))
        return F.when((F.length(text) == len(letters)) & (place % 3 == 1), _two((place + 2) / 3))
    if letters == "yy":
        return F.concat(F.lit("20"), text)
    return F.when(F.length(text) <= 2, F.lpad(text, 2, "0")) if len(letters) == 1 else text


def _hour(pieces: _Pieces) -> Column:
    """The hour of a day of 24, from one of 12: 12 AM is midnight."""
    hour, half = pieces.piece("hour"), pieces.piece("half")
    if hour is None or half is None:  # a mask without both is refused
        return F.lit(None)
    number, after_noon = hour[0].try_cast("int"), F.upper(half[0])
    shown = number % 12 + F.when(after_noon == "PM", 12).when(after_noon == "AM", 0)
    return F.when(number.between(1, 12), _two(shown))


def _two(number: Column) -> Column:
    return F.lpad(number.cast("int").cast("string"), 2, "0")


def clock_of_source(source: SourceConfig, first: date, last: date) -> Clock | None:
    """Return the clock of the zone that a source names; nothing where it is UTC's, or the country's own."""
    if source.time_zone in {"utc", "local"} or source.time_format in INSTANTS:
        return None
    return Clock.of(source.time_zone, first, last)
