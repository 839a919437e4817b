"""Deliveries that change while they are read or replace others, and disks that are full: a day is whole or absent."""

import errno
import gzip
import os
import subprocess
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from jobs import storage as storage_module
from jobs.ingest.delivery import _DeliveryRun
from jobs.releases import Desk
from jobs.storage import DayState, Storage
from privacy.unit import Period
from schemas.errors import ConfigError, InputError, StorageError
from schemas.subscriber_days import QUARANTINE, SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS
from tests.installations import FIRST, deliver, files_of, installation, subscriber_days

SECOND = FIRST + timedelta(1)
LINE = "26377123456{n},{day:%d/%m/%Y} 1{n}:00:00,SYN-00000-1\n"


@pytest.fixture
def config(tiny_country, tmp_path):
    return installation(tmp_path / "root", cells=tiny_country.folder / "cells.csv")


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.csv").write_text(LINE.format(n=n, day=FIRST))
    return folder


def shown(config):
    """All that a reader, or a run after this one, could find."""
    storage = Storage.of(config.storage)
    tables = [storage.confidential / contract.name for contract in (SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS, QUARANTINE)]
    rows = [path for table in tables for path in table.rglob("*.parquet")]
    return storage.deliveries(), rows, list((storage.confidential / "manifests").rglob("*.json"))


NOTHING = ({}, [], [])


def after_reading(monkeypatch, happens):
    """Let something happen to the files once an engine has read them."""
    real = _DeliveryRun._write

    def write(run, delivery):
        quarantined = real(run, delivery)
        happens()
        return quarantined

    monkeypatch.setattr(_DeliveryRun, "_write", write)


CHANGES = {
    "arrived": lambda inbox: (inbox / "3.csv").write_text(LINE.format(n=3, day=FIRST)),
    "changed": lambda inbox: (inbox / "1.csv").open("a").write(LINE.format(n=4, day=FIRST)),
    "vanished": lambda inbox: (inbox / "2.csv").unlink(),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_delivery_that_changes_while_it_is_read_is_refused_by_its_file_and_its_day_is_absent(
    sail, config, inbox, monkeypatch, what
):
    after_reading(monkeypatch, lambda: CHANGES[what](inbox))

    with pytest.raises(InputError, match=rf"\d\.csv {what}\. Expected: files that are complete .*Remedy: wait"):
        deliver(sail, config, [inbox], layout="world_bank", last=FIRST)

    assert shown(config) == NOTHING
    monkeypatch.undo()
    deliver(sail, config, [inbox], layout="world_bank", last=FIRST)
    (record,) = Storage.of(config.storage).deliveries().values()
    assert record.read == record.kept == len(subscriber_days(Storage.of(config.storage), FIRST, FIRST))


def test_a_file_that_vanishes_before_an_engine_reads_it_is_named(engine, config, inbox, monkeypatch):
    real = _DeliveryRun._write

    def write(run, delivery):
        (inbox / "2.csv").unlink(missing_ok=True)
        return real(run, delivery)

    monkeypatch.setattr(_DeliveryRun, "_write", write)

    with pytest.raises(InputError, match=r"2\.csv vanished"):
        deliver(engine, config, [inbox], layout="world_bank", last=FIRST)
    assert shown(config) == NOTHING


def test_a_file_that_was_only_touched_is_the_file_that_it_was(sail, config, inbox, monkeypatch):
    after_reading(monkeypatch, lambda: os.utime(inbox / "1.csv", (1, 1)))

    deliver(sail, config, [inbox], layout="world_bank", last=FIRST)

    assert len(Storage.of(config.storage).deliveries()) == 1


def test_one_broken_block_in_two_hundred_files_is_named_and_the_day_is_absent(sail, config, tmp_path):
    inbox = tmp_path / "many"
    inbox.mkdir()
    for n in range(200):
        lines = "".join(f"2637{n:03}{m:05},{FIRST:%d/%m/%Y} 10:00:00,SYN-00000-1\n" for m in range(200))
        (inbox / f"{n:03}.csv.gz").write_bytes(gzip.compress(lines.encode()))
    broken = inbox / "137.csv.gz"
    data = bytearray(broken.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    broken.write_bytes(data)

    with pytest.raises(InputError, match=rf"{broken} cannot be read to its end"):
        deliver(sail, config, [inbox], layout="world_bank", last=FIRST)

    assert shown(config) == NOTHING


# A full disk.


def small_disk(folder, size):
    """Mount a small disk of memory; tell whether this machine lets us."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "whimbrel", folder]
    return subprocess.run(mount, capture_output=True, check=False).returncode == 0


@pytest.fixture
def full_disk(config, monkeypatch):
    """Make the confidential root a disk that is too small; gives a function that makes room.

    Where no disk may be mounted, our own writer meets the same error of the system instead.
    """
    root = config.storage.confidential
    if small_disk(root, "160k"):
        yield lambda: subprocess.run(["mount", "-o", "remount,size=64m", root], check=True)
        subprocess.run(["umount", "-l", root], check=True)
        return

    def refuse(path, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(storage_module, "write_json", refuse)
    yield monkeypatch.undo


def test_a_full_disk_is_told_as_such_and_once_there_is_room_the_same_command_goes_through(
    engine, config, tiny_country, full_disk
):
    files = files_of(tiny_country, "whimbrel")[:7]
    week = FIRST + timedelta(6)

    with pytest.raises(StorageError, match=r"cannot be written to: the disk is full\. Expected: .*Remedy: make room"):
        deliver(engine, config, files, last=week)
    assert shown(config) == NOTHING

    full_disk()
    deliver(engine, config, files, last=week)
    (record,) = Storage.of(config.storage).deliveries().values()
    assert record.kept == sum(
        events for _, events, *_ in subscriber_days(Storage.of(config.storage), last=week).values()
    )


# Replacing a delivery.


def lines(file, day, numbers):
    file.write_text("".join(f"26377123456{n},{day:%d/%m/%Y} 10:00:00,SYN-00000-1\n" for n in numbers))
    return file


def people(config, day):
    return len(subscriber_days(Storage.of(config.storage), day, day))


@pytest.fixture
def delivered(sail, config, tmp_path):
    """Two days of three people; on the first, two are wrong."""
    for day, numbers in ((FIRST, [1, 8, 9]), (SECOND, [1, 2, 3])):
        file = lines(tmp_path / f"{day}.csv", day, numbers)
        deliver(sail, config, [file], layout="world_bank", first=day, last=day)
    return config


def replace(session, config, file, replaced, day=FIRST):
    deliver(session, config, [file], layout="world_bank", first=day, last=day, replaces=replaced)


def name_of(config, day):
    return next(name for name, record in Storage.of(config.storage).standing().items() if record.first == day)


def test_corrected_files_replace_a_delivery_and_no_row_of_it_is_left_in_a_day(sail, delivered, tmp_path):
    wrong = name_of(delivered, FIRST)

    replace(sail, delivered, lines(tmp_path / "right.csv", FIRST, [1, 2, 3, 4]), wrong)

    storage = Storage.of(delivered.storage)
    assert (people(delivered, FIRST), people(delivered, SECOND)) == (4, 3)
    assert wrong in storage.deliveries()
    assert wrong not in storage.standing()
    assert storage.deliveries()[name_of(delivered, FIRST)].replaces == wrong


def test_corrected_files_without_the_word_add_their_rows_until_it_is_said(sail, delivered, tmp_path):
    wrong, file = name_of(delivered, FIRST), lines(tmp_path / "right.csv", FIRST, [2, 3, 4])
    deliver(sail, delivered, [file], layout="world_bank", last=FIRST)
    assert people(delivered, FIRST) == 6

    replace(sail, delivered, file, wrong)
    assert people(delivered, FIRST) == 3
    replace(sail, delivered, file, wrong)
    deliver(sail, delivered, [file], layout="world_bank", last=FIRST)
    assert people(delivered, FIRST) == 3


def test_late_rows_of_the_replaced_delivery_leave_their_day_too(sail, config, tmp_path):
    deliver(sail, config, [lines(tmp_path / "1.csv", FIRST, [1])], layout="world_bank", last=FIRST)
    second = lines(tmp_path / "2.csv", FIRST, [7, 8])
    second.write_text(second.read_text() + lines(tmp_path / "3.csv", SECOND, [1]).read_text())
    deliver(sail, config, [second], layout="world_bank", first=SECOND, last=SECOND)
    assert people(config, FIRST) == 3

    replace(sail, config, lines(tmp_path / "4.csv", SECOND, [2]), name_of(config, SECOND), SECOND)

    assert (people(config, FIRST), people(config, SECOND)) == (1, 1)


def test_what_cannot_be_replaced_is_refused_and_nothing_changes(sail, delivered, tmp_path):
    wrong, right = name_of(delivered, FIRST), lines(tmp_path / "right.csv", FIRST, [2])
    replace(sail, delivered, right, wrong)
    before = shown(delivered)

    for file, replaced, error, message in (
        (lines(tmp_path / "a.csv", FIRST, [3]), "0123456789abcdef", InputError, "it is no delivery"),
        (lines(tmp_path / "b.csv", FIRST, [3]), wrong, InputError, "was replaced already"),
        (right, name_of(delivered, FIRST), InputError, "holds the same files"),
        (right, name_of(delivered, SECOND), ConfigError, "This delivery replaces"),
    ):
        with pytest.raises(error, match=message):
            replace(sail, delivered, file, replaced)
    with pytest.raises(InputError, match=r"was replaced by a later one"):
        deliver(sail, delivered, [tmp_path / f"{FIRST}.csv"], layout="world_bank", last=FIRST)
    assert shown(delivered) == before


def test_a_sealed_release_stays_as_it_was_and_a_revision_sees_the_corrected_days(sail, delivered, tmp_path):
    desk = Desk.of(delivered)
    plan = desk.plan("active_subscribers", Period.parse(str(FIRST)), 1)
    before = desk.release(plan, lambda: nullcontext(sail))
    replace(sail, delivered, lines(tmp_path / "right.csv", FIRST, [1, 2]), name_of(delivered, FIRST))

    assert desk.release(plan, session=None).table == before.table
    revision = desk.release(desk.plan("active_subscribers", plan.period, 2), lambda: nullcontext(sail))
    assert revision.seal.artefact_sha256 != before.seal.artefact_sha256


def test_a_release_waits_for_an_ingest_that_was_interrupted_between_its_record_and_its_days(sail, delivered, tmp_path):
    storage, wrong = Storage.of(delivered.storage), name_of(delivered, FIRST)
    replace(sail, delivered, lines(tmp_path / "right.csv", FIRST, [1, 2]), wrong)
    storage.swap(SUBSCRIBER_DAYS, FIRST, DayState(parts=(wrong,), delivered=True), SUBSCRIBER_DAY_PARTS, wrong)
    desk = Desk.of(delivered)

    with pytest.raises(InputError, match=r"interrupted before 2026-03-02 .*Remedy: repeat the last `whimbrel ingest`"):
        desk.release(desk.plan("active_subscribers", Period.parse(str(FIRST)), 1), session=None)
    assert not desk.ledger.entries()


def test_parts_are_on_the_disk_before_their_delivery_counts(sail, config, inbox, monkeypatch):
    flushed, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda n: (flushed.append(Path(f"/proc/self/fd/{n}").readlink()), real(n))[1])

    deliver(sail, config, [inbox], layout="world_bank", last=FIRST)

    storage = Storage.of(config.storage)
    record = next(n for n, path in enumerate(flushed) if path.parent.name == "deliveries")
    rows = list((storage.confidential / SUBSCRIBER_DAY_PARTS.name).rglob("*.parquet"))
    assert rows
    assert set(rows) <= set(flushed[:record])
