"""How times seem to be written, from a sample of them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import pyarrow as pa

from jobs.inspection.sample import Certainty

_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?")
_OFFSET: Final = re.compile(r"(Z|[+-]\d{2}(:?\d{2})?)$", re.IGNORECASE)
_COMPACT: Final = re.compile(r"(19|20)\d{2}[01]\d[0-3]\d[0-2]\d[0-5]\d[0-5]\d")
_PARTED: Final = re.compile(
    r"(\d{1,4})([./-])(\d{1,2}|[A-Za-z]{3})\2(\d{2,4})([ T]+)(\d{1,2})([:.])(\d{2})"
    r"(?:\7(\d{2})([.,]\d+)?)?( [AaPp][Mm])?"
)
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{4}|(19|20)\d{6}")
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")
_NAMED_DAY: Final = re.compile(r"(20\d{2})[-_]?([01]\d)[-_]?([0-3]\d)")
_SINCE, _UNTIL = datetime(2000, 1, 1, tzinfo=UTC).timestamp(), datetime(2060, 1, 1, tzinfo=UTC).timestamp()
_MOST: Final = 0.8
_MONTHS: Final = 12


@dataclass(frozen=True)
class TimeGuess:
    """How a column's times are written.

    Args:
        time_format: As in the mapping.
        certainty: How sure that is.
        reason: Why.
        says_instant: Whether each tells its own offset from UTC.
    """

    time_format: str
    certainty: Certainty
    reason: str
    says_instant: bool = False


def time_of(values: Sequence[Any], kind: pa.DataType | None, names: Sequence[str]) -> TimeGuess | None:
    """Guess how a column's times are written; nothing where they are no times.

    Args:
        values: Of the column.
        kind: Its type in Parquet.
        names: Names of the files, which may tell a day.
    """
    if kind is not None and pa.types.is_timestamp(kind):
        known = kind.tz is not None
        return TimeGuess("iso", Certainty.CERTAIN, "its type is a timestamp" + (" in UTC" if known else ""), known)
    texts = [str(value).strip() for value in values if value is not None and str(value).strip()]
    if not texts:
        return None
    return _epoch(texts) or _iso(texts) or _compact(texts) or _parted(texts, names)


def _epoch(texts: Sequence[str]) -> TimeGuess | None:
    for name, per_second in {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}.items():
        if _share(texts, lambda text, n=per_second: _is_counted(text, n)) >= _MOST:
            return TimeGuess(name, Certainty.CERTAIN, "numbers that count from 1970 into our time", says_instant=True)
    return None


def _is_counted(text: str, per_second: int) -> bool:
    whole = text.partition(".")[0]
    return whole.isascii() and whole.isdigit() and not _COMPACT.fullmatch(whole) and (
        _SINCE <= int(whole) / per_second <= _UNTIL
    )  # fmt: skip


def _share(texts: Sequence[str], test: Any) -> float:  # noqa: ANN401  a predicate, or a match
    return sum(bool(test(text)) for text in texts) / len(texts)


def _iso(texts: Sequence[str]) -> TimeGuess | None:
    if _share(texts, _ISO.match) < _MOST:
        return None
    if _share(texts, lambda text: _OFFSET.search(text) and len(text) > len("2026-03-02 10:00")) >= _MOST:
        return TimeGuess("iso_offset", Certainty.CERTAIN, "ISO 8601, each with its offset", says_instant=True)
    return TimeGuess("iso", Certainty.CERTAIN, "ISO 8601 without an offset")


def _compact(texts: Sequence[str]) -> TimeGuess | None:
    if _share(texts, _COMPACT.fullmatch) < _MOST:
        return None
    return TimeGuess("yyyyMMddHHmmss", Certainty.CERTAIN, "fourteen digits that are a date and a time")


def _parted(texts: Sequence[str], names: Sequence[str]) -> TimeGuess | None:
    matches = [match for match in map(_PARTED.fullmatch, texts) if match]
    if len(matches) < _MOST * len(texts):
        return None
    order, certainty, reason = _order(matches, names)
    return TimeGuess(_mask(matches, order), certainty, reason)


def _order(matches: Sequence[re.Match[str]], names: Sequence[str]) -> tuple[str, Certainty, str]:
    """Which comes first: day or month."""
    if all(len(match[1]) == len("2026") for match in matches):
        return "yMd", Certainty.CERTAIN, "the year comes first"
    if any(match[3].isalpha() for match in matches):
        return "dMy", Certainty.CERTAIN, "months are written as words"
    firsts, seconds = ({int(match[n]) for match in matches} for n in (1, 3))
    if max(firsts) > _MONTHS >= max(seconds):
        return "dMy", Certainty.CERTAIN, "a first number above 12 can only be a day"
    if max(seconds) > _MONTHS >= max(firsts):
        return "Mdy", Certainty.CERTAIN, "a second number above 12 can only be a day"
    return _order_by_name(matches, names)


def _order_by_name(matches: Sequence[re.Match[str]], names: Sequence[str]) -> tuple[str, Certainty, str]:
    days = {found for name in names if (found := _day_in(name))}
    if any(day.month != day.day for day in days):
        day_first = sum(_is_of(match, 1, 3, days) for match in matches)
        month_first = sum(_is_of(match, 3, 1, days) for match in matches)
        if max(day_first, month_first) > len(matches) / 2:
            order = "dMy" if day_first > month_first else "Mdy"
            return order, Certainty.LIKELY, "so most rows are of the day that a file's name tells"
    return "dMy", Certainty.CANNOT_TELL, "day first or month first: no number above 12 was seen; day first is assumed"


def _is_of(match: re.Match[str], day: int, month: int, days: set[date]) -> bool:
    return any((int(match[day]), int(match[month])) == (one.day, one.month) for one in days)


def _day_in(name: str) -> date | None:
    found = _NAMED_DAY.search(name)
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None


def _mask(matches: Sequence[re.Match[str]], order: str) -> str:
    """The mask in whose letters all of them are written."""
    match = matches[0]
    day, month, hour = {"dMy": (1, 3, 6), "Mdy": (3, 1, 6), "yMd": (4, 3, 6)}[order]
    is_loose = any(len(m[place]) == 1 for m in matches for place in (day, month, hour))  # elsewhere it may be, too
    letters = {
        "d": _letters("d", is_loose=is_loose),
        "M": "MMM" if match[month].isalpha() else _letters("M", is_loose=is_loose),
        "y": "yyyy" if len(match[1] if order == "yMd" else match[4]) == len("2026") else "yy",
    }
    clock = _letters("h" if match[11] else "H", is_loose=is_loose) + f"{match[7]}mm"
    clock += f"{match[7]}ss" if match[9] else ""
    clock += f"{match[10][0]}{'S' * (len(match[10]) - 1)}" if match[10] else ""
    return match[2].join(letters[one] for one in order) + match[5] + clock + (" a" if match[11] else "")


def _letters(letter: str, *, is_loose: bool) -> str:
    return letter if is_loose else 2 * letter


def is_day(values: Sequence[Any], kind: pa.DataType | None = None) -> bool:
    """Whether a column holds dates without a time."""
    if kind is not None and pa.types.is_date(kind):
        return True
    texts = [str(value).strip() for value in values if value is not None and str(value).strip()]
    return bool(texts) and _share(texts, _DAY.fullmatch) >= _MOST


def is_clock(values: Sequence[Any]) -> bool:
    """Whether a column holds times of day without a date."""
    texts = [str(value).strip() for value in values if value is not None and str(value).strip()]
    return bool(texts) and _share(texts, _CLOCK.fullmatch) >= _MOST
