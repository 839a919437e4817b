"""`whimbrel quality`: measure days, judge them and those that look back at them, write their pages."""

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.config import Config
from jobs.ingest.cells import Cell, CellTable, ZoneRegister, days_of_change, read_cell_table
from jobs.quality.baseline import Baseline, baseline_days
from jobs.quality.checks import Judged, later_days, month_so_far, record_of
from jobs.quality.figures import Figures, Floats, Ints, Sims, centres_of, figures_of
from jobs.quality.names import masked_cell
from jobs.quality.record import (
    FORMAT,
    DeliveryFigures,
    Kept,
    Measures,
    Remark,
    SameDelivery,
    SilentPlace,
    SimCount,
    UnknownCell,
)
from jobs.quality.silence import silent_places
from jobs.quality.sims import Week, shared_rows, week_of
from jobs.quality.store import QualityStore
from jobs.storage import DAY_FOLDER, DeliveryRecord, Place, Storage, digest
from schemas.contract import Contract
from schemas.subscriber_days import QUARANTINE, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS

Progress = Callable[[str], None]

_LISTED_CELLS: Final = 100
_LEAST_ROWS: Final = 5
"""Rows that name an unknown cell before it is listed: what stands in a cell's column once may be anything."""


def write_quality(
    config: Config, storage: Storage, days: Sequence[date], *, progress: Progress = lambda _: None
) -> tuple[Path, ...]:
    """Bring the records of delivered days up to date, with earlier ones that late rows came for; return the pages.

    Days that look back at them are judged anew. Safe to run again after any interruption: a day is measured where what
    it is made of has changed, files are written whole, and the same state of the storage gives the same bytes, in
    whatever order it came about.

    Args:
        config: The installation.
        storage: Its two roots.
        days: Days that have to be delivered, in order.
        progress: Told what begins.

    Returns:
        The page of a single day; of several, the calendars of their years.

    Raises:
        InputError: A day was never delivered, or the cell table cannot be used.
    """
    storage.current(SUBSCRIBER_DAYS, days)
    late = [days[0] - timedelta(n) for n in range(config.ingest.late_days, 0, -1)]
    with storage.alone():
        run = _QualityRun(config, storage)
        progress("measuring days")
        for day in run.to_measure([*late, *days]):
            run.measure(day)
        progress("judging days, writing the report")
        pages = run.write(days[0] - timedelta(config.ingest.late_days), days[-1])
    return (pages[days[0]],) if len(days) == 1 else run.store.calendars({day.year for day in days})


@dataclass(frozen=True)
class Network:
    """The cells in service on a day.

    Args:
        cells: Their names, by place.
        digest: Short name of all that.
    """

    cells: Mapping[str, Sequence[str]]
    digest: str

    @classmethod
    def on(cls, day: date, places: Iterable[tuple[Cell, str]]) -> "Network":
        """Return those of some cells, with the places that they stand in, that serve on a day."""
        found: dict[str, list[str]] = defaultdict(list)
        for cell, zone in places:
            if cell.serves(day):
                found[zone].append(cell.cell_id)
        cells = {zone: sorted(names) for zone, names in sorted(found.items())}
        return cls(cells, digest(cells))


@dataclass(frozen=True)
class _QualityRun:
    config: Config
    storage: Storage

    @cached_property
    def store(self) -> QualityStore:
        return QualityStore(self.storage.quality)

    @cached_property
    def deliveries(self) -> Mapping[str, DeliveryRecord]:
        return self.storage.deliveries()

    @cached_property
    def cell_table(self) -> CellTable:
        return read_cell_table(self.config.cells)

    @cached_property
    def zones(self) -> tuple[str, ...]:
        return ZoneRegister.load(self.storage.zones).zones

    @cached_property
    def centres(self) -> Floats:
        return centres_of(self.zones)

    @cached_property
    def _unknown(self) -> dict[str, Counter[str]]:
        return {}

    def to_measure(self, days: Iterable[date]) -> list[date]:
        """Stored days whose measures are not of their present state, and the ends of their weeks."""
        asked = set(days)
        return [
            day for day in sorted(asked | set(map(_week_end, asked))) if self.is_stored(day) and self._is_stale(day)
        ]

    def is_stored(self, day: date) -> bool:
        """Whether a day was delivered and has not expired: an expired one would read as a day without anybody."""
        expired = self.storage.expired_until(SUBSCRIBER_DAYS.name)
        return (expired is None or expired < day) and bool(self.storage.delivered(SUBSCRIBER_DAYS, [day]))

    def _is_stale(self, day: date) -> bool:
        measured = self.store.measured(day)
        return measured is None or measured.made_of != self.made_of(day)

    def made_of(self, day: date) -> str:
        """Digest of all that decides a day's measures."""
        states = [self.storage.day_state(SUBSCRIBER_DAYS, other) for other in self._week(day) or [day]]
        return digest(
            {
                "format": FORMAT,
                "states": [state and state.model_dump(mode="json") for state in states],
                "deliveries": sorted(self._of_day(day)),
                "limits": self.config.quality.model_dump(mode="json"),
                "cells": self._network(day).digest,
                "remarks": [[remark.fault, remark.cell_ids] for remark in self.cell_table.remarks],
                "stored": [self._stamp(other) for other in self._week(day) or [day]],
            }
        )

    def _stamp(self, day: date) -> list[list[object]]:
        """Names and sizes of a day's files: an objection removes rows from a version that keeps its name."""
        return [[file.name, file.stat().st_size] for file in self._files(day)]

    def _network(self, day: date) -> Network:
        """What stood on a day."""
        stretch = bisect(self._changes, day)
        if stretch not in self._networks:
            self._networks[stretch] = Network.on(day, self._places)
        return self._networks[stretch]

    @cached_property
    def _changes(self) -> tuple[date, ...]:
        """Days on which the network changed, in order."""
        return days_of_change(self.cell_table.cells, date.min, date.max)

    @cached_property
    def _networks(self) -> dict[int, Network]:
        """The network between two changes, once it was looked at."""
        return {}

    @cached_property
    def _places(self) -> list[tuple[Cell, str]]:
        """Every cell of the table with the place that it stands in."""
        return [(cell, cell.h3(self.config.country.base_resolution)) for cell in self.cell_table.cells]

    def _of_day(self, day: date) -> dict[str, DeliveryRecord]:
        return {name: record for name, record in self.deliveries.items() if record.first <= day <= record.last}

    def _week(self, day: date) -> list[date]:
        """The stored days of a week, on its last day; none on others."""
        if _week_end(day) != day:
            return []
        return [other for other in (day - timedelta(n) for n in range(6, -1, -1)) if self.is_stored(other)]

    def _files(self, day: date) -> list[Path]:
        return [file for place in self.storage.delivered(SUBSCRIBER_DAYS, [day]) for file in self._stored(place)]

    def _stored(self, place: Place) -> list[Path]:
        return _parquet(self.storage, *place)

    def measure(self, day: date) -> None:
        """Measure a day and keep what was found."""
        limits = self.config.quality
        figures = figures_of(self._files(day), self.centres, limits)
        towers = {} if self.cell_table.is_of_an_area else self._network(day).cells
        seen = {zone for zone, hours in zip(self.zones, figures.presences, strict=True) if hours.any()}
        unknown, others = self._unknown_cells(day)
        week = self._week(day)
        measures = Measures(
            day=day,
            subscribers=figures.subscribers,
            events=figures.events,
            hours=tuple(int(rows) for rows in figures.hours),
            last_second=_last(figures.seconds),
            repeated=figures.repeated,
            two_places=figures.two_places,
            too_fast=figures.too_fast,
            machines=_count(figures.machines),
            still=_count(figures.still),
            devices=_count(figures.devices),
            one_second=int(figures.seconds.max()),
            whole_minutes=int(figures.seconds[::60].sum()),
            week=self._week_figures(week),
            deliveries=tuple(_figures_of(name, record) for name, record in sorted(self._of_day(day).items())),
            same=self._same_deliveries(day, figures),
            unknown_cells=unknown,
            unknown_other_rows=others,
            cells=sum(map(len, towers.values())),
            unseen_cells=tuple(sorted(cell for zone, cells in towers.items() if zone not in seen for cell in cells)),
            remarks=tuple(Remark(fault=r.fault, cells=r.cell_ids) for r in self.cell_table.remarks),
        )
        self.store.keep_measures(Kept(made_of=self.made_of(day), measures=measures), _presences(self.zones, figures))

    def _week_figures(self, week: Sequence[date]) -> Week | None:
        files = [file for day in week for file in self._files(day)]
        return week_of(files, len(week), self.config.quality) if files else None

    def _same_deliveries(self, day: date, figures: Figures) -> tuple[SameDelivery, ...]:
        """Compare the parts of a day that has several; where no row stands twice, there is nothing to compare."""
        state = self.storage.day_state(SUBSCRIBER_DAYS, day)
        parts = {
            name: _parquet(self.storage, SUBSCRIBER_DAY_PARTS, name, day) for name in (state.parts if state else ())
        }
        if not figures.repeated:
            return ()
        pairs = (self._compared(one, other, parts) for one, other in combinations(sorted(parts), 2))
        return tuple(pair for pair in pairs if pair and pair.share >= self.config.quality.same_delivery)

    @staticmethod
    def _compared(one: str, other: str, parts: Mapping[str, list[Path]]) -> SameDelivery | None:
        common, mine, theirs = shared_rows(parts[one], parts[other])
        if not (mine and theirs):
            return None
        smaller, larger = (one, other) if mine <= theirs else (other, one)
        return SameDelivery(delivery=smaller, other=larger, share=round(common / min(mine, theirs), 6))

    def _unknown_cells(self, day: date) -> tuple[tuple[UnknownCell, ...], int]:
        """Cells that the deliveries for a day name and the table lacks; and the rows of those that are not listed."""
        rows: Counter[str] = Counter()
        for name, record in self._of_day(day).items():
            if record.quarantined.get("unknown_cell"):
                rows += self._unknown_in(name)
        listed = [(cell, n) for cell, n in rows.items() if n >= _LEAST_ROWS]
        listed = sorted(listed, key=lambda found: (-found[1], found[0]))[:_LISTED_CELLS]
        cells = tuple(UnknownCell(cell=cell, rows=n) for cell, n in listed)
        return cells, rows.total() - sum(cell.rows for cell in cells)

    def _unknown_in(self, delivery: str) -> Counter[str]:
        """Rows of a delivery's quarantine by unknown cell, as masked as a report needs."""
        if delivery not in self._unknown:
            found: Counter[str] = Counter()
            for file in sorted(self.storage.version(QUARANTINE, delivery).rglob("*.parquet")):
                for batch in pq.ParquetFile(file).iter_batches(columns=["reason", "cell_text"]):
                    unknown = batch.filter(pc.equal(batch.column("reason"), "unknown_cell"))
                    for name, count in _counted(unknown.column("cell_text")):
                        found[masked_cell(name)] += count
            self._unknown[delivery] = found
        return self._unknown[delivery]

    def write(self, first: date, last: date) -> dict[date, Path]:
        """Judge the days of an interval, and those that look back at them; write pages and calendars."""
        around = _neighbours(sorted(self._measured))
        affected = [day for day in later_days(first, last, self.config.quality) if day in self._measured]
        before = around[affected[0]][0] if affected else None  # its page has a link to the first of them
        judged = [before, *affected] if before else affected
        pages = {day: self.store.keep_record(record_of(self._judged(day)), around[day]) for day in judged}
        self.store.keep_calendars()
        return pages

    def _judged(self, day: date) -> Judged:
        earlier = [other for other in baseline_days(day, self.config.quality) if other in self._measured]
        before = Baseline(tuple(self._measured[other] for other in earlier))
        month = month_so_far(day)
        delivered = {other for *_, other in self.storage.delivered(SUBSCRIBER_DAYS, month)} | set(self._measured)
        return Judged(
            self._measured[day], before, self._silent(day, earlier), frozenset(delivered), self.config.quality
        )

    def _silent(self, day: date, earlier: Sequence[date]) -> tuple[SilentPlace, ...]:
        if len(earlier) < self.config.quality.baseline_days:
            return ()
        zones = [self._zones_of(other) for other in earlier]
        return silent_places(self._zones_of(day), zones, self._network(day).cells, self.config.quality)

    @cached_property
    def _measured(self) -> dict[date, Measures]:
        """What was measured of every day, once this run measured its own."""
        kept = {day: self.store.measured(day) for day in self.store.days()}
        return {day: found.measures for day, found in kept.items() if found}

    @cached_property
    def _zones_read(self) -> dict[date, dict[str, Ints]]:
        return {}

    def _zones_of(self, day: date) -> dict[str, Ints]:
        if day not in self._zones_read:
            self._zones_read[day] = self.store.zones(day)
        return self._zones_read[day]


def _week_end(day: date) -> date:
    return day + timedelta(6 - day.weekday())


def _parquet(storage: Storage, contract: Contract, version: str, day: date) -> list[Path]:
    return sorted((storage.version(contract, version) / f"{DAY_FOLDER}={day}").glob("*.parquet"))


def _last(seconds: Ints) -> int | None:
    found = np.flatnonzero(seconds)
    return int(found[-1]) if len(found) else None


def _count(sims: Sims) -> SimCount:
    return SimCount(sims=sims.sims, events=sims.events)


def _figures_of(name: str, record: DeliveryRecord) -> DeliveryFigures:
    return DeliveryFigures(
        delivery=name,
        first=record.first,
        last=record.last,
        files=len(record.files),
        read=record.read,
        kept=record.kept,
        quarantined=record.quarantined,
    )


def _presences(zones: Sequence[str], figures: Figures) -> dict[str, Ints]:
    return {zone: hours for zone, hours in zip(zones, figures.presences, strict=True) if hours.any()}


def _counted(names: pa.Array) -> list[tuple[str, int]]:
    counts = names.value_counts().to_pylist()
    return [(row["values"] or "", row["counts"]) for row in counts]


def _neighbours(days: Sequence[date]) -> dict[date, tuple[date | None, date | None]]:
    """The day before and after each, among those that there are."""
    padded = [None, *days, None]
    return {day: (padded[n], padded[n + 2]) for n, day in enumerate(days)}
