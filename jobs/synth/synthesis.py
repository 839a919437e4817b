"""The job: a synthetic country's deliveries, with the planted truth beside them."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.synth.boundaries import admin_layers
from jobs.synth.country import TIME_ZONE, Country, build_country, check_size
from jobs.synth.dirt import Dirt, Planted, Reason, Rows, rows_of_file
from jobs.synth.events import NO_EVENTS, Events, Observed, events_of_day, late_events_of_day, machine_count
from jobs.synth.history import History, build_history
from jobs.synth.itineraries import Journeys, Stays, journeys_of, stays_of_day
from jobs.synth.layouts import LAYOUTS, Vocabulary, build_vocabulary, file_name, holds_malformed_rows
from jobs.synth.maps import geojson, write_cells
from jobs.synth.people import People, build_people
from jobs.synth.planted import write_planted
from jobs.synth.randomness import Ints, stream
from jobs.synth.registrants import Registrants, build_registrants
from jobs.synth.roamers import write_roamers
from jobs.synth.scenario import Scenario, Timeline, parameters
from jobs.synth.truth import homes, registered_people, true_trips, write_json, write_table
from jobs.synthetic_mark import MARK, write_mark
from schemas.errors import ConfigError, InputError

VERSION: Final = 3
"""Raised whenever the same arguments give other files."""

EXPECTED: Final = "truth/expected_quarantine.json"

_MOST_DAYS: Final = 366

_SMALL: Final = 300_000
"""Subscriber-days below which a second process costs more to start than it saves."""

_RUN_DAYS: Final = 8
"""Most days in a row that a process takes: of a run's days, all but the first find the day before worked out."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Plan:
    """What to synthesise.

    Args:
        seed: Seed of the country.
        subscribers: People with a SIM.
        first_day: First local day.
        days: Number of days, 1 to 366.
        layouts: Names of the layouts, sorted.
        dirt: Shares of dirty rows.
        scenario: What happens beside ordinary days; by default nothing.
        roamers: Whether visitors from abroad and residents abroad have deliveries of their own.
    """

    seed: int
    subscribers: int
    first_day: date
    days: int
    layouts: tuple[str, ...]
    dirt: Dirt
    scenario: Scenario | None = None
    roamers: bool = False

    def __post_init__(self) -> None:
        check_size(self.seed, self.subscribers)
        if not 1 <= self.days <= _MOST_DAYS:
            raise ConfigError(f"{self.days} days.", f"1 to {_MOST_DAYS}", "give another --days")
        if not self.layouts or (unknown := sorted(set(self.layouts) - set(LAYOUTS))):
            found = f"Layouts {', '.join(unknown)}." if self.layouts else "No layout."
            raise ConfigError(found, f"some of {', '.join(LAYOUTS)}", "give another --layout")
        if self.scenario is not None:
            Timeline.of(self.scenario, self.first_day, self.days)

    def day(self, offset: int) -> date:
        """Return a local day, counted from the first."""
        return self.first_day + timedelta(days=offset)

    @property
    def mark(self) -> dict[str, object]:
        """What the mark of the finished folder says, beside its files."""
        return {
            "synthetic": True,
            "version": VERSION,
            "seed": self.seed,
            "subscribers": self.subscribers,
            "machines": machine_count(self.subscribers),
            "first_day": self.first_day.isoformat(),
            "days": self.days,
            "time_zone": TIME_ZONE,
            "layouts": list(self.layouts),
            "dirt": self.dirt.shares,
            "scenario": None if self.scenario is None else parameters(self.scenario),
            **({"roamers": True} if self.roamers else {}),
        }


@dataclass(frozen=True)
class SynthesisReport:
    """What a finished folder holds.

    Args:
        folder: The folder.
        layouts: Names of its layouts.
        files: Delivered files, relative to the folder, in order of layout and day.
        rows: Rows in those files, malformed lines included.
        quarantined: Rows planted to be refused, by reason, over those files.
        true_trips: Trips that people really made.
    """

    folder: Path
    layouts: tuple[str, ...]
    files: tuple[str, ...]
    rows: int
    quarantined: dict[str, int]
    true_trips: int


@dataclass(frozen=True)
class World:
    """Everything that the days of a plan have in common.

    Args:
        plan: What to synthesise.
        country: The country.
        people: Its people.
        registrants: To whom their SIMs are registered.
        journeys: Their nights on journeys.
        history: What a scenario plants among them, if there is one.
    """

    plan: Plan
    country: Country
    people: People
    registrants: Registrants
    journeys: Journeys
    history: History | None

    def people_on(self, day: int) -> People:
        """Return the people with their habits of a day, counted from the first."""
        return self.people if self.history is None else self.history.people(day)

    def sleeps(self, night: int) -> Ints:
        """Return where everybody sleeps in a night; night d is the one before day d."""
        if self.history is None:
            return self.journeys.laid_over(self.people.home, night)
        return self.history.slept(self.journeys, night)[0]

    def stays(self, day: int) -> Stays:
        """Return where people stay on a day, counted from the first."""
        wakes, sleeps = self.sleeps(day), self.sleeps(day + 1)
        return stays_of_day(self.country, self.people_on(day), wakes, sleeps, self.plan.first_day, day)

    def observed(self, stays: Stays, day: int) -> Observed:
        """Return what a day's events are sampled from."""
        outages = None if self.history is None else self.history.outages
        return Observed(self.country, self.people_on(day), stays, self.plan.first_day, day, outages)


def build_world(plan: Plan) -> World:
    """Return a plan's country and people; the same for the same plan.

    Raises:
        ConfigError: The country is too small for the plan's scenario.
    """
    country = build_country(plan.seed, plan.subscribers)
    people, registrants = build_people(country), build_registrants(plan.seed, plan.subscribers)
    journeys = journeys_of(country, people, plan.first_day, plan.days)
    if plan.scenario is None:
        return World(plan, country, people, registrants, journeys, None)
    timeline = Timeline.of(plan.scenario, plan.first_day, plan.days)
    history = build_history(country, people, registrants, plan.scenario, timeline)
    return World(plan, country, people, registrants, journeys, history)


def synthesise(  # noqa: PLR0913 - one parameter a thing to choose, all but the folder by name
    out: Path,
    *,
    seed: int = 7,
    subscribers: int = 200_000,
    first_day: date = date(2026, 3, 2),
    days: int = 14,
    layouts: Sequence[str] = ("whimbrel",),
    processes: int | None = None,
    progress: Progress | None = None,
    dirt: Dirt | None = None,
    scenario: Scenario | None = None,
    roamers: bool = False,
) -> SynthesisReport:
    """Write a synthetic country's deliveries, cell table, map and planted truth.

    The same arguments give the same bytes, whatever the number of processes. Nothing is left behind when it
    fails. A folder that already holds the same is returned as it is. More than one process starts fresh
    interpreters, so a script that calls this must guard its main part with `if __name__ == "__main__"`.

    Args:
        out: Folder to make; absent, empty, or made earlier with the same arguments.
        seed: Seed of the country, 0 or more.
        subscribers: People with a SIM, 100 to 5,000,000; each makes 12 events a day on average.
        first_day: First local day.
        days: Number of days, 1 to 366.
        layouts: Any of "whimbrel" and "world_bank".
        processes: Processes at work; by default one a core, or a single one where there is little to do.
        progress: Called with what was finished, how many, of how many.
        dirt: Shares of dirty rows; about 1 % by default.
        scenario: What happens beside ordinary days; by default nothing.
        roamers: Whether visitors from abroad and residents abroad have deliveries of their own, which change no other.

    Raises:
        ConfigError: An argument is out of range, or the country or period too small for the scenario.
        InputError: The folder holds something else.
    """
    plan = Plan(seed, subscribers, first_day, days, tuple(sorted(set(layouts))), dirt or Dirt(), scenario, roamers)
    if not _is_finished(out, plan):
        with _new_folder(out) as folder:
            _write_country(folder, plan, processes, progress or _silent)
    return _report(out, plan)


def _silent(what: str, done: int, total: int) -> None:
    """Take no notice of progress."""


def _is_finished(out: Path, plan: Plan) -> bool:
    """Tell whether the folder holds the plan already.

    Raises:
        InputError: It holds something else.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    mark = out / MARK
    found = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else {}
    layouts = found.get("layouts", [])
    if {**plan.mark, "layouts": layouts, "files": found.get("files")} == found and set(plan.layouts) <= set(layouts):
        return True
    raise InputError(
        f"{out} is not empty and holds {'another synthetic country' if found else 'something else'}.",
        "an absent or empty folder, or one made with the same arguments",
        "give another folder, or remove this one",
    )


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """Give a folder that takes its name only when it is complete, and vanishes when it fails."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.parent / f".{out.name}.{os.getpid()}.partial"
    folder.mkdir()
    try:
        yield folder
        folder.replace(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _write_country(folder: Path, plan: Plan, processes: int | None, progress: Progress) -> None:
    world = build_world(plan)
    progress("country", 1, 1)
    for layout in plan.layouts:
        (folder / layout).mkdir()
    write_cells(folder / "cells.csv", world.country.network, plan.first_day)
    write_json(folder / "geography.geojson", geojson(world.country))
    for level, layer in admin_layers(world.country).items():
        write_json(folder / f"boundaries_adm{level}.geojson", layer)
    write_table(folder / "truth/homes.parquet", homes(world.country, world.people))
    lives = None if world.history is None else world.history.lives.life
    write_table(folder / "truth/people.parquet", registered_people(world.people, world.registrants, lives))
    if world.history is not None:
        write_planted(folder, world.country, world.journeys, world.history)
        progress("truth", 1, 1)
    (folder / "truth/trips").mkdir()
    expected: dict[str, object] = {}
    for done, files in enumerate(_map_days(world, folder, processes), start=1):
        expected |= files
        progress("day", done, plan.days)
    if plan.roamers:
        for name, rows in write_roamers(folder, world.country, plan.first_day, plan.days):
            expected[name] = {"rows": rows, "quarantined": {reason.value: 0 for reason in Reason}}
    write_json(folder / EXPECTED, expected)
    write_mark(folder, plan.mark, expected)


def _map_days(world: World, folder: Path, processes: int | None) -> Iterator[dict[str, object]]:
    """Yield what each day's files hold, in order of days."""
    plan = world.plan
    workers = processes or (1 if plan.subscribers * plan.days < _SMALL else os.cpu_count() or 1)
    if min(workers, plan.days) == 1:
        yield from map(partial(_write_day, _desk(world), folder), range(plan.days))
        return
    # spawned, not forked: the caller may run threads of an engine, whose locks a fork would copy
    pool = ProcessPoolExecutor(min(workers, plan.days), get_context("spawn"), _sit_down, (world,))
    run = min(_RUN_DAYS, -(-plan.days // (4 * workers)))
    with pool:
        yield from pool.map(partial(_write_day_here, folder), range(plan.days), chunksize=run)


@dataclass(frozen=True)
class _Desk:
    """What a process keeps between days.

    Args:
        world: What all days have in common.
        vocabulary: The texts of their rows.
        stays: `world.stays`, remembered for a day, because the next one's file brings its late events.
    """

    world: World
    vocabulary: Vocabulary
    stays: Callable[[int], Stays]


_DESKS: Final[dict[str, _Desk]] = {}
"""The desk of a spawned process: handed over once, because it is far larger than a task."""


def _desk(world: World) -> _Desk:
    machines = machine_count(world.country.subscribers)
    vocabulary = build_vocabulary(world.registrants, machines, world.country.network.cell_ids)
    return _Desk(world, vocabulary, lru_cache(maxsize=2)(world.stays))


def _sit_down(world: World) -> None:
    _DESKS["here"] = _desk(world)


def _write_day_here(folder: Path, day: int) -> dict[str, object]:
    return _write_day(_DESKS["here"], folder, day)


def _write_day(desk: _Desk, folder: Path, day: int) -> dict[str, object]:
    """Write one day's truth and its file in each layout; return what is planted in those files."""
    world, plan = desk.world, desk.world.plan
    places = world.country.places
    trips = true_trips(desk.stays(day), places.zone, places.zone_names)
    write_table(folder / f"truth/trips/{plan.day(day).isoformat()}.parquet", trips)
    rows, planted = _rows(desk, day)
    expected: dict[str, object] = {}
    for layout in plan.layouts:
        name = file_name(layout, plan.day(day))
        LAYOUTS[layout][1](folder / name, rows, desk.vocabulary)
        expected[name] = _expected(rows, planted, layout)
    return expected


def _rows(desk: _Desk, day: int) -> tuple[Rows, Planted]:
    world, plan, network = desk.world, desk.world.plan, desk.world.country.network
    late = _late_events(desk, day - 1) if day else NO_EVENTS
    return rows_of_file(
        stream(plan.seed, "dirt", day),
        plan.dirt,
        events_of_day(world.observed(desk.stays(day), day), late=plan.dirt.late),
        late,
        epoch_day=(plan.day(day) - date(1970, 1, 1)).days,
        dead_cells=network.out_of_service(day),
        n_cells=len(network.cell_ids),
    )


def _late_events(desk: _Desk, day: int) -> Events:
    """Return the events of a day that are delivered the day after."""
    return late_events_of_day(desk.world.observed(desk.stays(day), day), late=desk.world.plan.dirt.late)


def _expected(rows: Rows, planted: Planted, layout: str) -> dict[str, object]:
    """Return what a reader must find in a file of a layout."""
    malformed = len(rows.malformed_after) if holds_malformed_rows(layout) else 0
    quarantined = planted.quarantined | {Reason.MALFORMED_ROW.value: malformed}
    return {
        "rows": rows.count + malformed,
        "quarantined": quarantined,
        "late": planted.late,
        "repeated": planted.repeated,
    }


def _report(out: Path, plan: Plan) -> SynthesisReport:
    """Return what a finished folder holds, in the layouts that were asked for."""
    expected = json.loads((out / EXPECTED).read_text(encoding="utf-8"))
    files = tuple(name for name in sorted(expected) if name.split("/")[0] in plan.layouts)
    trips = (pq.ParquetFile(path).read(["trips"]) for path in sorted((out / "truth/trips").iterdir()))
    return SynthesisReport(
        folder=out,
        layouts=plan.layouts,
        files=files,
        rows=sum(expected[name]["rows"] for name in files),
        quarantined={
            reason.value: sum(expected[name]["quarantined"][reason.value] for name in files) for reason in Reason
        },
        true_trips=sum(pc.sum(table["trips"]).as_py() for table in trips),
    )
