"""What a day's rows say, in numbers: one pass over `subscriber_days`, a batch at a time.

No engine: everything here is arithmetic on sorted points, and costs a third of what the engines need for it (ADR 18).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Final

import h3
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.quality.thresholds import QualityConfig
from schemas.subscriber_days import CELL_MASK, SECOND_SHIFT

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DAY_S: Final = 86_400
HOURS: Final = 24

_EARTH_RADIUS_KM: Final = 6_371.0088  # mean radius, IUGG
_ROWS_AT_A_TIME: Final = 65_536
_FEWEST_INTERVALS: Final = 23  # a device of the check is seen in most hours: with fewer, it was not


@dataclass(frozen=True)
class Sims:
    """Subscriber-days of one kind.

    Args:
        sims: How many.
        events: Their rows.
    """

    sims: int = 0
    events: int = 0

    def __add__(self, other: "Sims") -> "Sims":
        return Sims(self.sims + other.sims, self.events + other.events)


@dataclass(frozen=True)
class Figures:
    """Sums over rows of `subscriber_days`; figures of parts of a day add up to those of the day.

    Args:
        subscribers: Subscribers with a row.
        events: Rows kept.
        repeated: Rows that repeat the one before: same subscriber, second and place.
        two_places: Rows of another place than the one before, in the same second.
        too_fast: Rows that could be reached from the one before at an impossible speed only.
        machines: SIMs above the daily limit.
        still: Of them, those that never moved and are no devices: what a SIM box looks like.
        devices: SIMs that report by themselves: one place, all hours, regular intervals.
        seconds: Rows by second of the day.
        presences: By place and hour, subscribers seen there; who comes back within the hour counts again. No machines.
    """

    subscribers: int
    events: int
    repeated: int
    two_places: int
    too_fast: int
    machines: Sims
    still: Sims
    devices: Sims
    seconds: Ints
    presences: Ints

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    @property
    def hours(self) -> Ints:
        """Rows by hour of the day."""
        hours: Ints = self.seconds.reshape(HOURS, -1).sum(axis=1)
        return hours

    @classmethod
    def none(cls, places: int) -> "Figures":
        """Return the figures of no row."""
        seconds, presences = np.zeros(DAY_S, np.int64), np.zeros((places, HOURS), np.int64)
        return cls(0, 0, 0, 0, 0, Sims(), Sims(), Sims(), seconds, presences)


def figures_of(files: Iterable[Path], centres: Floats, limits: QualityConfig) -> Figures:
    """Return the figures of a day's files.

    Args:
        files: Parquet files of the contract `subscriber_days`.
        centres: From `centres_of`: one row a cell index.
        limits: What is impossible, and who is a machine.
    """
    batches = (figures_of_batch(batch, centres, limits) for batch in _batches(files))
    return reduce(Figures.__add__, batches, Figures.none(len(centres)))


def _batches(files: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    for file in files:
        yield from pq.ParquetFile(file).iter_batches(batch_size=_ROWS_AT_A_TIME, columns=["points", "events"])


def centres_of(zones: Sequence[str]) -> Floats:
    """Return where the centres of H3 cells stand in space, kilometres: one row a cell, three coordinates."""
    latitude, longitude = np.radians(np.array([h3.cell_to_latlng(zone) for zone in zones]).reshape(-1, 2)).T
    flat = np.cos(latitude)
    return _EARTH_RADIUS_KM * np.column_stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)])


@dataclass(frozen=True)
class _Walk:
    """The points of a batch, one after the other.

    Args:
        row: Row of the batch that a point belongs to.
        point: The points.
        second: Second of the day.
        place: Cell index.
    """

    row: Ints
    point: Ints
    second: Ints
    place: Ints

    @classmethod
    def of(cls, points: pa.ListArray) -> "_Walk":
        """Unpack the points."""
        lengths = pc.list_value_length(points).to_numpy(zero_copy_only=False)
        flat = points.flatten().to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
        row = np.repeat(np.arange(len(lengths)), lengths)
        return cls(row, flat, flat >> SECOND_SHIFT, flat & CELL_MASK)

    @property
    def goes_on(self) -> Bools:
        """Whether the point after each one, the last left out, is the same subscriber's."""
        same: Bools = self.row[1:] == self.row[:-1]
        return same


def figures_of_batch(batch: pa.RecordBatch, centres: Floats, limits: QualityConfig) -> Figures:
    """Return the figures of some rows; arguments as in `figures_of`."""
    events = batch.column("events").to_numpy(zero_copy_only=False)
    walk = _Walk.of(batch.column("points"))
    goes_on = walk.goes_on
    moved = goes_on & (walk.place[1:] != walk.place[:-1])
    gap_s = walk.second[1:] - walk.second[:-1]
    never_moved = np.bincount(walk.row[1:][moved], minlength=len(events)) == 0
    is_machine = events > limits.machine_events_a_day
    is_device = _devices(batch.column("points"), never_moved, limits)
    is_still = never_moved & ~is_device & (events > limits.sim_box_events)
    return Figures(
        subscribers=len(events),
        events=int(events.sum()),
        repeated=int(np.count_nonzero(goes_on & (walk.point[1:] == walk.point[:-1]))),
        two_places=int(np.count_nonzero(moved & (gap_s == 0))),
        too_fast=_too_fast(walk, np.flatnonzero(moved & (gap_s > 0)), gap_s, centres, limits),
        machines=_sims(is_machine, events),
        still=_sims(is_still, events),
        devices=_sims(is_device, events),
        seconds=np.bincount(walk.second, minlength=DAY_S),
        presences=_presences(walk, goes_on, ~is_machine, len(centres)),
    )


def _sims(chosen: Bools, events: Ints) -> Sims:
    return Sims(int(np.count_nonzero(chosen)), int(events[chosen].sum()))


def _too_fast(walk: _Walk, moves: Ints, gap_s: Ints, centres: Floats, limits: QualityConfig) -> int:
    """Count moves over the distance and the speed that are looked at.

    Distances are straight lines between centres, less than 0.1 % short of the great circle at 1,000 km.
    """
    squared_km = ((centres[walk.place[moves]] - centres[walk.place[moves + 1]]) ** 2).sum(axis=1)
    reach_km = np.maximum(limits.fast_km, gap_s[moves] * (limits.fast_m_s / 1000))
    return int(np.count_nonzero(squared_km > reach_km**2))


def _devices(points: pa.ListArray, never_moved: Bools, limits: QualityConfig) -> Bools:
    """Whether a row is that of a device: one place, events in most hours, at intervals that vary little.

    Worked out for the few rows that may be.
    """
    lengths = pc.list_value_length(points).to_numpy(zero_copy_only=False)
    is_device = np.asarray(never_moved & (lengths > _FEWEST_INTERVALS), dtype=np.bool_)
    rows = np.flatnonzero(is_device)
    is_device[rows] = _is_regular(_Walk.of(points.take(pa.array(rows))), len(rows), limits)
    return is_device


def _is_regular(walk: _Walk, rows: int, limits: QualityConfig) -> Bools:
    goes_on, hour = walk.goes_on, walk.second // 3600
    row, gaps = walk.row[1:][goes_on], (walk.second[1:] - walk.second[:-1])[goes_on].astype(np.float64)
    count, total, squares = (np.bincount(row, weights, minlength=rows) for weights in (None, gaps, gaps**2))
    hours = np.bincount(walk.row[_firsts(goes_on, hour)], minlength=rows)
    varies = count * squares / np.maximum(total, 1) ** 2 - 1  # squared coefficient of variation
    return np.asarray((hours >= limits.device_hours) & (varies <= limits.device_spread**2), dtype=np.bool_)


def _firsts(goes_on: Bools, key: Ints) -> Bools:
    """Whether a point is not of the same row and key as the point before."""
    firsts = np.concatenate([[True], ~(goes_on & (key[1:] == key[:-1]))])
    return np.asarray(firsts[: len(key)], dtype=np.bool_)


def _presences(walk: _Walk, goes_on: Bools, counted: Bools, places: int) -> Ints:
    key = walk.place * HOURS + walk.second // 3600
    return np.bincount(key[_firsts(goes_on, key) & counted[walk.row]], minlength=places * HOURS).reshape(places, HOURS)
