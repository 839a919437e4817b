"""Whatever is killed, whenever: repeated, it ends as if nothing had happened, and nobody saw a half."""

import hashlib
import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from jobs.storage import Storage
from privacy.ledger import EntryKind
from privacy.unit import PrivacyMonth
from schemas.errors import InputError
from tests.installations import FIRST, deliver, files_of, installation, quarantine, rows_of, subscriber_days
from tests.populations import cells_file, events_file, population

ROOT = Path(__file__).parents[2]
KILLED, MANY = -9, 60


@pytest.fixture(scope="module")
def processes():
    """Asks a program that forks processes for each command and tells how they ended."""
    command = [sys.executable, "-m", "tests.end_to_end.processes"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:

        def ask(verb, *arguments, **options):
            command = {"verb": verb, "arguments": list(map(str, arguments)), **options}
            program.stdin.write(json.dumps(command) + "\n")
            program.stdin.flush()
            return json.loads(program.stdout.readline())

        yield ask
        program.stdin.close()


def killed_at_every_step(processes, *command):
    """Repeat a command, killed each time at the first step at which it was not killed yet, until it ends by itself.

    Yields the name of each such step, after the kill.
    """
    spared = []
    while True:
        (run,) = processes(*command, spared=spared)
        if run["ended"] != KILLED:
            assert run["ended"] == 0
            return
        spared.append(run["steps"][-1])
        assert len(spared) == len(set(spared)) < MANY, f"steps without end: {spared}"
        yield spared[-1]


def some_rows(country, day, folder, *, seed=None):
    """A twentieth of a day's file, late rows of the day before among them."""
    rows = pq.read_table(files_of(country, "whimbrel")[day])
    folder.mkdir(parents=True)
    late = np.arange(100)  # a file begins with them
    some = np.union1d(late, np.random.default_rng(seed or day).choice(len(rows), len(rows) // 20, replace=False))
    pq.write_table(rows.take(pa.array(some)), folder / f"{day}.parquet")
    return folder


@pytest.fixture(scope="module")
def two_deliveries(tiny_country, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deliveries")
    return [some_rows(tiny_country, day, folder / str(day)) for day in (3, 4)]


def seen(storage):
    """What readers see: the days, or that the second is not there yet."""
    first, second = FIRST + timedelta(3), FIRST + timedelta(4)
    try:
        days = subscriber_days(storage, first, second)
    except InputError:
        days = subscriber_days(storage, first, first)
    return days, sorted(storage.deliveries())


@pytest.fixture(scope="module")
def old_and_new(engines, tiny_country, two_deliveries, tmp_path_factory):
    """What is seen before and after the second delivery, where nothing is killed."""
    config = installation(tmp_path_factory.mktemp("undisturbed"), cells=tiny_country.folder / "cells.csv")
    states = []
    with engines("sail") as session:
        for number, folder in enumerate(two_deliveries, start=3):
            day = FIRST + timedelta(number)
            deliver(session, config, [folder], first=day, last=day)
            states.append(seen(Storage.of(config.storage)))
    return *states, quarantine(Storage.of(config.storage))


@pytest.mark.slow
def test_an_ingest_killed_at_each_step_in_turn_shows_each_day_old_or_new_and_ends_the_same(
    sail, processes, tiny_country, two_deliveries, old_and_new, tmp_path
):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    storage, days = Storage.of(config.storage), [FIRST + timedelta(n) for n in (3, 4)]
    deliver(sail, config, [two_deliveries[0]], first=days[0], last=days[0])
    old, new, set_aside = old_and_new
    command = ("ingest", tmp_path, config.cells.path, two_deliveries[1], days[1], days[1])

    steps = []
    for step in killed_at_every_step(processes, *command):
        steps.append(step)
        assert_each_day_is_old_or_new(storage, old, new)

    assert seen(storage) == new
    assert quarantine(storage) == set_aside
    assert not (storage.confidential / "scratch").exists()
    assert {"table subscriber_day_parts", "table subscriber_days", f"rename to {days[1]}.json"} <= set(steps)


@pytest.mark.slow
def test_corrected_files_killed_at_each_step_in_turn_show_the_old_day_or_the_new_and_end_the_same(
    sail, processes, tiny_country, two_deliveries, tmp_path
):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    storage, day = Storage.of(config.storage), FIRST + timedelta(3)
    deliver(sail, config, [two_deliveries[0]], first=day, last=day)
    (wrong,), old = storage.deliveries(), subscriber_days(storage, day, day)
    right = some_rows(tiny_country, 3, tmp_path / "right", seed=33)
    command = ("ingest", tmp_path, config.cells.path, right, day, day, wrong)

    steps, between = [], []
    for step in killed_at_every_step(processes, *command):
        steps.append(step)
        between.append(subscriber_days(storage, day, day))

    new = subscriber_days(storage, day, day)
    assert new != old
    assert all(seen in (old, new) for seen in between)
    assert [record.replaces for record in storage.standing().values()] == [wrong]
    assert {"table subscriber_day_parts", "flush subscriber_day_parts", "rename to artefact.json"} <= set(steps)


@pytest.mark.slow
def test_a_retention_killed_at_each_step_in_turn_refuses_what_it_announced_and_ends_the_same(
    sail, processes, tiny_country, two_deliveries, tmp_path
):
    """From its record on, an expired day is refused, whether its rows are gone or not; no other day is touched."""
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    storage, days = Storage.of(config.storage), [FIRST + timedelta(n) for n in (3, 4)]
    for day, folder in zip(days, two_deliveries, strict=True):
        deliver(sail, config, [folder], first=day, last=day)
    kept = subscriber_days(storage, days[1], days[1])
    command = ("retention", tmp_path, config.cells.path, days[0] + timedelta(45))
    with_nights = {days[0], days[1]}

    steps = []
    for step in killed_at_every_step(processes, *command):
        steps.append(step)
        gone = {day for day in with_nights if (until := storage.expired_until("subscriber_days")) and day <= until}
        for day in gone:
            with pytest.raises(InputError, match="have expired"):
                subscriber_days(storage, day, day)
        assert gone or subscriber_days(storage, days[1], days[1]) == kept

    records = storage.deletion_records()
    assert len(records) == 1
    assert records[0].finished_at is not None
    assert not list(storage.confidential.glob("subscriber_day*/v=*"))
    assert not list(storage.confidential.glob("quarantine/v=*"))
    assert len(storage.deliveries()) == 2
    assert {"rename to record.json"} <= set(steps)
    assert any(step.startswith("removal of subscriber_day_parts") for step in steps)


def assert_each_day_is_old_or_new(storage, old, new):
    """A reader of one day sees one version of it, whole."""
    days, deliveries = seen(storage)
    assert deliveries in (old[1], new[1])
    for day in {day for day, _ in days}:
        rows = {key: row for key, row in days.items() if key[0] == day}
        assert rows in [{key: row for key, row in state[0].items() if key[0] == day} for state in (old, new)]
    for manifest in (storage.confidential / "manifests").rglob("[!.]*.json"):
        json.loads(manifest.read_text())


MARCH = PrivacyMonth.parse("2026-03")


@pytest.mark.slow
def test_nights_killed_at_each_step_in_turn_are_old_or_new_and_end_the_same(sail, processes, tmp_path):
    """Nights stand, then late records change the month; a reader sees the old nights or the new, each whole."""
    config = installation(tmp_path, cells=cells_file(tmp_path / "cells.csv"))
    desk = Desk.of(config)
    days, strata = population(5, people=20, months=(MARCH,))
    late = {key: points for key, points in days.items() if key[0] == 1}
    on_time = {key: points for key, points in days.items() if key[0] != 1}
    march = {"first": MARCH.first_day, "last": MARCH.last_day}
    deliver(sail, config, [events_file(on_time, strata, tmp_path / "on time.parquet")], **march)
    desk.build_nights(MARCH, lambda: nullcontext(sail))
    old = nights_seen(desk.storage)
    deliver(sail, config, [events_file(late, strata, tmp_path / "late.parquet")], **march)

    steps, between = [], []
    for step in killed_at_every_step(processes, "nights", tmp_path, config.cells.path, MARCH):
        steps.append(step)
        between.append(nights_seen(desk.storage))

    new = nights_seen(desk.storage)
    assert new != old
    assert all(seen in (old, new) for seen in between)
    assert {"first file of a table", f"rename to {MARCH}.json", "removal of nights"} <= set(steps)
    assert len(list((desk.storage.confidential / "nights").glob("month=*/v=*"))) == 1


def nights_seen(storage):
    """The nights of March that a reader finds."""
    folder = storage.confidential / "nights" / f"month={MARCH}" / f"v={storage.nights_version(MARCH)}"
    return rows_of(folder)


@pytest.fixture
def desk(week_ingested, tiny_country, tmp_path):
    """A copy of an installation with a week ingested, nothing released."""
    shutil.copytree(week_ingested, tmp_path, dirs_exist_ok=True)
    return Desk.of(installation(tmp_path, cells=tiny_country.folder / "cells.csv"))


def assert_nothing_is_seen_twice_or_by_half(desk):
    """One charge and one seal at most, a ledger that holds, and whole bundles only."""
    desk.ledger.check()
    kinds = [entry.kind for entry in desk.ledger.entries()]
    assert [kind for kind in kinds if kind in {EntryKind.RESERVE, EntryKind.SEAL}] in (
        [],
        [EntryKind.RESERVE],
        [EntryKind.RESERVE, EntryKind.SEAL],
    )
    assert len(desk.ledger.charges()) <= 1
    for folder in desk.storage.release.glob("[!.]*"):
        verify_bundle(folder)


def bundle_digests(desk):
    """What a consumer finds: names that begin with a dot are nobody's yet."""
    visible = [path for found in desk.storage.release.glob("[!.]*") for path in (found, *found.rglob("*"))]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in visible if path.is_file()}


@pytest.mark.slow
def test_a_release_killed_at_each_step_in_turn_is_one_draw_one_charge_and_the_same_bytes(processes, desk):
    root, cells = desk.config.storage.confidential.parent, desk.config.cells.path
    command = ("release", root, cells)

    steps = []
    for step in killed_at_every_step(processes, *command):
        steps.append(step)
        assert_nothing_is_seen_twice_or_by_half(desk)
    once = bundle_digests(desk)
    assert [run["ended"] for run in processes(*command)] == [0]

    assert {"reserve", "draw 1", "draw 3", "flush vault", "seal", "approve", "publish"} <= set(steps)
    assert {"rename to artefact.pending", "rename to artefact"} <= set(steps)
    assert {file.name for file in desk.vault._root.iterdir()} == desk.vault.kept() == desk.ledger.artefacts()
    assert {"flush bundle", "rename to od_trips_2026-W10_r1", "rename to od_trips_2026-W10_r1.zip"} <= set(steps)
    assert bundle_digests(desk) == once
    assert_nothing_is_seen_twice_or_by_half(desk)
    assert [entry.kind for entry in desk.ledger.entries()] == ["RESERVE", "SEAL", "APPROVE", "PUBLISH"]
    assert not (desk.storage.confidential / "exact").exists() or not any(desk.storage.exact("").iterdir())


@pytest.mark.slow
def test_a_release_in_three_steps_killed_in_each_and_between_them_is_one_draw_and_one_charge(processes, desk):
    """As an orchestrator does it; what else a release does is killed at each point above."""
    command = ("steps", desk.config.storage.confidential.parent, desk.config.cells.path)
    totals = desk.storage.exact("od_trips_2026-W10_r1")

    for step in (
        "reserve",
        "first file of a table",
        "flush ._made_of.json",
        "rename to _made_of.json",
        "draw 1",
        "seal",
    ):
        assert [run["ended"] for run in processes(*command, at=step)] == [KILLED], step
        assert_nothing_is_seen_twice_or_by_half(desk)
        # Nothing half-written can be taken for the whole; the whole stays until it is sealed.
        assert (totals / "_made_of.json").exists() == (step in {"rename to _made_of.json", "draw 1", "seal"}), step
    assert [run["ended"] for run in processes(*command)] == [0]

    assert [entry.kind for entry in desk.ledger.entries()] == ["RESERVE", "SEAL"]
    assert {file.name for file in desk.vault._root.iterdir()} == desk.ledger.artefacts()
    assert not totals.exists()


@pytest.mark.slow
def test_two_processes_at_once_give_one_draw_one_charge_and_one_bundle(processes, desk):
    root, cells = desk.config.storage.confidential.parent, desk.config.cells.path

    assert [run["ended"] for run in processes("release", root, cells, workers=2)] == [0, 0]

    assert [entry.kind for entry in desk.ledger.entries()] == ["RESERVE", "SEAL", "APPROVE", "PUBLISH"]
    assert len(list(desk.vault._root.iterdir())) == 1
    assert_nothing_is_seen_twice_or_by_half(desk)
