"""Dirty rows, as operators deliver them; planted in stated numbers, to check a reader's accounting with."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np

from jobs.synth.country import UTC_OFFSET_S
from jobs.synth.events import Events
from jobs.synth.itineraries import DAY_S
from jobs.synth.randomness import Ints, as_ints
from schemas.errors import ConfigError


class Reason(StrEnum):
    """Why a row cannot be kept."""

    MALFORMED_ROW = "malformed_row"
    MISSING_SUBSCRIBER = "missing_subscriber"
    UNREADABLE_TIME = "unreadable_time"
    TIME_OUTSIDE_DELIVERY = "time_outside_delivery"
    MISSING_CELL = "missing_cell"
    UNKNOWN_CELL = "unknown_cell"
    CELL_OUT_OF_SERVICE = "cell_out_of_service"


@dataclass(frozen=True)
class Dirt:
    """Shares of dirty rows, each of the events delivered on time; about 1 % together.

    Args:
        malformed_row: Lines with a field too few or too many, added to a CSV file; Parquet cannot hold them.
        missing_subscriber: Rows whose subscriber is null or empty.
        unreadable_time: Rows whose time is null, or text that is no time.
        time_outside_delivery: Rows dated years away.
        missing_cell: Rows whose cell is null or empty.
        unknown_cell: Rows whose cell is not in the cell table.
        cell_out_of_service: Rows whose cell stood nowhere that day.
        repeated: Clean rows that stand in the file twice.
        late: Clean events that stand in the next day's file.
    """

    malformed_row: float = 0.0010
    missing_subscriber: float = 0.0010
    unreadable_time: float = 0.0010
    time_outside_delivery: float = 0.0010
    missing_cell: float = 0.0010
    unknown_cell: float = 0.0015
    cell_out_of_service: float = 0.0005
    repeated: float = 0.0015
    late: float = 0.0015

    def __post_init__(self) -> None:
        if min(self.shares.values()) < 0 or sum(self.shares.values()) > 0.5:
            raise ConfigError(
                f"Shares of dirty rows {self.shares}.", "none below 0, together at most 0.5", "lower them"
            )

    @property
    def shares(self) -> dict[str, float]:
        """Share by kind of dirt."""
        return asdict(self)


MISSING: Final = -1
"""A missing subscriber or cell."""

EMPTY: Final = -2
"""A missing subscriber or cell that a layout with text writes as empty text instead of null."""

UNREADABLE_TEXTS: Final = ("", "00/00/0000 00:00:00", "31/02/2026 10:15:00", "unknown", "2026-03")
"""What stands where a time should; Parquet holds a null for all of them."""

UNREADABLE: Final = -(1 << 60)
"""Local seconds that mean `UNREADABLE_TEXTS[0]`; one more means the second text, and so on."""

UNKNOWN_CELL_IDS: Final = ("SYN-99999-1", "SYN-99999-2", "OLD-00017", "0")
"""Cells that no table holds; they follow the known cells in the order of indices."""

_FAR_DATES_S: Final = (-8 * 365 * DAY_S, 400 * DAY_S)
"""Clocks set wrongly, relative to the true time."""

_FALLBACK_INSTANTS: Final = (DAY_S // 2, 4_102_401_600)
"""Instants that devices fall back to: noon of 1970-01-01 and of 2099-12-31 on the local clock."""

_SPELLING_SHARES: Final = (0.90, 0.95, 0.995, 1.0)
"""Cumulative shares of numbers written as plain digits, with "+", with "00", with a space after."""


@dataclass(frozen=True)
class Rows:
    """The rows of one day's file, in order.

    Args:
        subscriber: Index of the SIM, MISSING or EMPTY.
        spelling: Index of the way its number is written.
        local_s: Seconds of the local clock since 1970-01-01 00:00, or UNREADABLE plus the index of a text.
        cell: Index of the cell; MISSING, EMPTY; from the number of cells on: unknown.
        malformed_after: Rows after which the CSV layout has a malformed line made of that row.
    """

    subscriber: Ints
    spelling: Ints
    local_s: Ints
    cell: Ints
    malformed_after: Ints

    def __post_init__(self) -> None:
        if not len(self.subscriber) == len(self.spelling) == len(self.local_s) == len(self.cell):
            raise ConfigError("Rows whose columns have different lengths.")

    @property
    def count(self) -> int:
        """Number of rows, malformed lines not counted."""
        return len(self.subscriber)

    def parts(self, size: int) -> Iterator["Rows"]:
        """Yield the rows in order, at most `size` at a time."""
        for start in range(0, self.count, size):
            yield self._between(start, start + size)

    def _between(self, start: int, end: int) -> "Rows":
        low, high = np.searchsorted(self.malformed_after, [start, end])
        return Rows(
            self.subscriber[start:end],
            self.spelling[start:end],
            self.local_s[start:end],
            self.cell[start:end],
            self.malformed_after[low:high] - start,
        )


@dataclass(frozen=True)
class Planted:
    """How many rows of each kind one day's file holds.

    Args:
        quarantined: Rows that cannot be kept, by reason; malformed lines stand in the CSV layout only.
        late: Rows of the day before.
        repeated: Rows that repeat another.
    """

    quarantined: dict[str, int]
    late: int
    repeated: int


def rows_of_file(
    rng: np.random.Generator, dirt: Dirt, on_time: Events, late: Events, *, epoch_day: int, dead_cells: Ints,
    n_cells: int
) -> tuple[Rows, Planted]:  # fmt: skip
    """Return the rows of one day's file: late events of the day before, then the day's, some made dirty.

    Every dirty row has one fault only; but no cell stood anywhere in the years of rows dated outside the
    delivery, so a reader checks times before cells.

    Args:
        rng: Random stream of the file.
        dirt: Shares of dirty rows.
        on_time: The day's events.
        late: Events of the day before.
        epoch_day: The local day, in days since 1970-01-01.
        dead_cells: Cells that stand nowhere on the day.
        n_cells: Number of cells in the cell table.
    """
    count = len(on_time.second)
    hit = _hit_rows(rng, dirt, count)
    dirty = _with_faults(rng, _clean_rows(rng, on_time, epoch_day), hit, dead_cells, n_cells)
    rows = _joined(_clean_rows(rng, late, epoch_day - 1), _repeated(dirty, hit["repeated"]))
    malformed = rng.permutation(rows.count)[: len(hit[Reason.MALFORMED_ROW])]
    quarantined = {reason.value: len(hit[reason]) for reason in Reason}
    planted = Planted(quarantined, late=len(late.second), repeated=len(hit["repeated"]))
    return replace(rows, malformed_after=np.sort(malformed)), planted


def _hit_rows(rng: np.random.Generator, dirt: Dirt, count: int) -> dict[str, Ints]:
    """Return, for each kind of dirt but lateness, the rows hit; no row twice."""
    shares = {kind: share for kind, share in dirt.shares.items() if kind != "late"}
    sizes = [round(share * count) for share in shares.values()]
    drawn = rng.choice(count, size=sum(sizes), replace=False)
    return dict(zip(shares, np.split(drawn, np.cumsum(sizes)[:-1]), strict=True))


def _clean_rows(rng: np.random.Generator, events: Events, epoch_day: int) -> Rows:
    spelling = as_ints(np.searchsorted(_SPELLING_SHARES, rng.random(len(events.second)), side="right"))
    no_rows = np.zeros(0, dtype=np.int64)
    return Rows(events.subscriber, spelling, epoch_day * DAY_S + events.second, events.cell, no_rows)


def _with_faults(rng: np.random.Generator, rows: Rows, hit: dict[str, Ints], dead_cells: Ints, n_cells: int) -> Rows:
    subscriber, local_s, cell = rows.subscriber.copy(), rows.local_s.copy(), rows.cell.copy()
    subscriber[hit[Reason.MISSING_SUBSCRIBER]] = _either(rng, hit[Reason.MISSING_SUBSCRIBER])
    cell[hit[Reason.MISSING_CELL]] = _either(rng, hit[Reason.MISSING_CELL])
    unknown, dead = hit[Reason.UNKNOWN_CELL], hit[Reason.CELL_OUT_OF_SERVICE]
    cell[unknown] = n_cells + rng.integers(len(UNKNOWN_CELL_IDS), size=len(unknown))
    cell[dead] = rng.choice(dead_cells, size=len(dead))
    unreadable, outside = hit[Reason.UNREADABLE_TIME], hit[Reason.TIME_OUTSIDE_DELIVERY]
    local_s[unreadable] = UNREADABLE + rng.integers(len(UNREADABLE_TEXTS), size=len(unreadable))
    local_s[outside] = _far_times(rng, local_s[outside])
    return replace(rows, subscriber=subscriber, local_s=local_s, cell=cell)


def _either(rng: np.random.Generator, hit: Ints) -> Ints:
    return np.where(rng.random(len(hit)) < 0.5, MISSING, EMPTY)


def _far_times(rng: np.random.Generator, local_s: Ints) -> Ints:
    shifted = [local_s + shift for shift in _FAR_DATES_S]
    fixed = [np.full(len(local_s), instant) for instant in _FALLBACK_INSTANTS]
    return np.column_stack(shifted + fixed)[np.arange(len(local_s)), rng.integers(4, size=len(local_s))]


def _repeated(rows: Rows, again: Ints) -> Rows:
    """Return the rows with some standing twice, one after the other."""
    times = np.ones(rows.count, dtype=np.int64)
    times[again] = 2
    order = np.repeat(np.arange(rows.count), times)
    return replace(
        rows,
        subscriber=rows.subscriber[order],
        spelling=rows.spelling[order],
        local_s=rows.local_s[order],
        cell=rows.cell[order],
    )


def _joined(first: Rows, second: Rows) -> Rows:
    return Rows(
        np.concatenate([first.subscriber, second.subscriber]),
        np.concatenate([first.spelling, second.spelling]),
        np.concatenate([first.local_s, second.local_s]),
        np.concatenate([first.cell, second.cell]),
        second.malformed_after,
    )


def utc_s(local_s: Ints) -> Ints:
    """Return seconds since the epoch in UTC from seconds of the local clock."""
    return local_s - UTC_OFFSET_S
