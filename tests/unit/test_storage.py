"""A reader of a day sees one version of it, and only of a day that was delivered."""

import os
from datetime import date
from threading import Event, Thread

import pytest

from jobs.config import StorageConfig
from jobs.storage import DayState, DeliveryRecord, Storage, digest, write_json
from schemas.errors import ConfigError, InputError
from schemas.subscriber_days import SUBSCRIBER_DAY_PARTS, SUBSCRIBER_DAYS

DAY, NEXT = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture
def storage(tmp_path):
    return Storage.of(StorageConfig(confidential=tmp_path / "inside", release=tmp_path / "outside"))


def record(**changes):
    return DeliveryRecord(
        **{
            "mapping": {},
            "first": DAY,
            "last": NEXT,
            "days": (DAY,),
            "files": ("a",),
            "read": 3,
            "kept": 2,
            "quarantined": {"unknown_cell": 1},
        }
        | changes
    )


def swap(storage, version, *, day=DAY, delivered=True):
    storage.swap(SUBSCRIBER_DAYS, day, DayState(parts=("a",), delivered=delivered), SUBSCRIBER_DAY_PARTS, version)


def test_readers_see_the_version_that_was_swapped_in_last(storage):
    for version in ("old", "new"):
        swap(storage, version)

        assert storage.current(SUBSCRIBER_DAYS, [DAY]) == [(SUBSCRIBER_DAY_PARTS, version, DAY)]


def test_days_that_were_not_delivered_are_refused_by_name_late_rows_or_not(storage):
    swap(storage, "late", day=NEXT, delivered=False)

    with pytest.raises(InputError, match=r"No delivery for 2026-03-02, 2026-03-03\. Expected: .*Remedy: ingest"):
        storage.current(SUBSCRIBER_DAYS, [DAY, NEXT])


def test_a_day_delivered_without_rows_reads_as_an_empty_day(engine, storage):
    swap(storage, "nothing")
    rows = storage.read_days(engine, storage.current(SUBSCRIBER_DAYS, [DAY]))

    assert rows.collect() == []
    assert rows.columns == list(SUBSCRIBER_DAYS.names)


@pytest.mark.parametrize("counts", [{"read": 4}, {"kept": 3}, {"quarantined": {}}])
def test_a_delivery_that_does_not_account_for_every_row_cannot_be_recorded(counts):
    with pytest.raises(InputError, match="not the rows kept and quarantined together"):
        record(**counts)


def test_a_delivery_touches_the_days_it_is_for_and_those_it_brought_late_rows_of():
    early = date(2026, 2, 27)

    assert record(days=(early, NEXT)).touched == (early, DAY, NEXT)


def test_a_record_reads_back_as_it_was_written(storage):
    storage.commit_delivery("d", record())

    assert storage.deliveries() == {"d": record()}


def test_data_count_as_synthetic_only_when_every_delivery_is(storage):
    assert not storage.is_synthetic
    storage.commit_delivery("a", record(synthetic=True))
    assert storage.is_synthetic
    storage.commit_delivery("b", record())
    assert not storage.is_synthetic


def test_scratch_is_emptied_before_and_after_and_also_when_the_work_fails(storage):
    left = storage.confidential / "scratch" / "key.parquet"
    left.parent.mkdir()
    left.touch()

    with pytest.raises(ZeroDivisionError), storage.scratch() as folder:
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "key.parquet").touch()
        raise ZeroDivisionError
    assert not left.parent.exists()


def test_a_second_writer_waits_until_the_first_is_done(storage):
    order, inside = [], Event()

    def second():
        inside.wait()
        with storage.alone():
            order.append("second")

    waiting = Thread(target=second)
    waiting.start()
    with storage.alone():
        inside.set()
        waiting.join(timeout=0.2)
        order.append("first")
    waiting.join()

    assert order == ["first", "second"]


def test_a_small_file_is_whole_or_old_when_the_disk_fails(tmp_path, monkeypatch):
    path = tmp_path / "manifest.json"
    write_json(path, {"version": "old"})

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_json(path, {"version": "new"})

    assert path.read_text() == '{\n "version": "old"\n}'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701])
def test_a_confidential_root_that_others_may_enter_is_refused_and_left_as_it_is(tmp_path, mode):
    config = StorageConfig(confidential=tmp_path / "inside", release=tmp_path / "outside")
    config.confidential.mkdir()
    config.confidential.chmod(mode)

    with pytest.raises(ConfigError, match=rf"its mode is {mode:o}\. Expected: mode 700\. Remedy: run `chmod 700"):
        Storage.of(config)
    assert config.confidential.stat().st_mode & 0o777 == mode

    config.confidential.chmod(0o700)
    assert Storage.of(config).confidential == config.confidential


def test_the_confidential_root_is_its_owners_alone(storage):
    assert storage.confidential.stat().st_mode & 0o777 == 0o700


def test_a_digest_depends_on_the_value_and_not_on_the_order_of_its_keys():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
