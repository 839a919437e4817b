"""SIMs over a week, and rows that two deliveries share: what a day alone does not tell."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pydantic import BaseModel, ConfigDict

from jobs.quality.figures import Ints
from jobs.quality.thresholds import QualityConfig

_ROWS_IN_MEMORY: Final = 20_000_000
"""Rows looked at together; beyond, subscribers are taken in as many shares as it needs."""

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
"""An odd number that spreads a subscriber's bits, so that subscriber and point make one number."""


class Week(BaseModel):
    """The SIMs of an ISO week's delivered days.

    Args:
        days: Days delivered.
        sims: SIMs seen.
        few: Of them, those with too few events to tell anything.
        machines: Of them, those with too many a day, in the mean of the days delivered.
    """

    model_config = ConfigDict(frozen=True)

    days: int
    sims: int
    few: int
    machines: int


def week_of(files: Sequence[Path], days: int, limits: QualityConfig) -> Week:
    """Return the figures of a week.

    Args:
        files: Files of its delivered days.
        days: How many days were delivered.
        limits: What few and many events are.
    """
    sims = few = machines = 0
    for rows in _by_subscriber(files, ["subscriber", "events"]):
        events = rows.group_by("subscriber").aggregate([("events", "sum")])["events_sum"].to_numpy()
        sims += len(events)
        few += int(np.count_nonzero(events < limits.few_events))
        machines += int(np.count_nonzero(events > limits.machine_mean_a_day * days))
    return Week(days=days, sims=sims, few=few, machines=machines)


def shared_rows(files: Sequence[Path], others: Sequence[Path]) -> tuple[int, int, int]:
    """Return how many different rows two parts of a day have in common, and how many each has."""
    common = mine = theirs = 0
    shares = _shares(files) + _shares(others) - 1
    for one, other in zip(_in_shares(files, shares), _in_shares(others, shares), strict=True):
        rows, other_rows = _different_rows(one), _different_rows(other)
        common += len(np.intersect1d(rows, other_rows, assume_unique=True))
        mine, theirs = mine + len(rows), theirs + len(other_rows)
    return common, mine, theirs


def _different_rows(table: pa.Table) -> Ints:
    points = table["points"].combine_chunks()
    lengths = pc.list_value_length(points).to_numpy(zero_copy_only=False)
    subscribers = np.repeat(table["subscriber"].to_numpy().view(np.uint64), lengths)
    flat = points.flatten().to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return np.unique((subscribers * _MIX).view(np.int64) ^ flat)


def _by_subscriber(files: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.Table]:
    yield from _in_shares(files, _shares(files), columns)


def _shares(files: Sequence[Path]) -> int:
    return 1 + _dataset(files).count_rows() // _ROWS_IN_MEMORY if files else 1


def _in_shares(
    files: Sequence[Path], shares: int, columns: Sequence[str] = ("subscriber", "points")
) -> Iterator[pa.Table]:
    """Yield the rows so that all of a subscriber come together; pseudonyms are spread evenly."""
    borders = [-(1 << 63) + n * ((1 << 64) // shares) for n in range(shares)]
    for low, high in zip(borders, [*borders[1:], None], strict=True):
        subscriber = pc.field("subscriber")
        inside = subscriber >= low if high is None else (subscriber >= low) & (subscriber < high)
        yield _dataset(files).to_table(columns=list(columns), filter=inside if shares > 1 else None)


def _dataset(files: Sequence[Path]) -> ds.Dataset:
    return ds.dataset([str(file) for file in files], format="parquet", partitioning=None)
