"""Bad input: its own clear error, which says found, expected and remedy, and nothing half-written is left visible."""

import csv
import gzip
from collections import Counter
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.config import ColumnMapping, PseudonymConfig
from jobs.ingest.delivery import ingest
from jobs.storage import Storage
from schemas.errors import ConfigError, InputError
from tests.installations import FIRST, SOURCES, deliver, files_of, installation, parts, quarantine, subscriber_days


@pytest.fixture
def config(tiny_country, tmp_path):
    return installation(tmp_path / "root", cells=tiny_country.folder / "cells.csv")


def refused(session, config, paths, error, message, *, source="whimbrel", mapping=None):
    """Deliver for the first day; the error has all three parts, and nothing became visible."""
    storage, before = Storage.of(config.storage), visible(config)
    source = mapping or SOURCES[source]
    with pytest.raises(error, match=message) as caught:
        ingest(session, config, storage, paths, source=source, first=FIRST, last=FIRST)
    assert caught.value.found
    assert caught.value.expected
    assert caught.value.remedy
    assert visible(config) == before


def visible(config):
    storage = Storage.of(config.storage)
    assert not (storage.confidential / "scratch").exists()
    manifests = sorted((storage.confidential / "manifests").rglob("[!.]*.json"))
    return storage.deliveries(), {path: path.read_bytes() for path in manifests}


def cut_short(file, folder, *, share=0.5):
    folder.mkdir(exist_ok=True)
    whole = file.read_bytes()
    short = folder / file.name
    short.write_bytes(whole[: int(len(whole) * share)])
    return short


def test_a_truncated_parquet_file_is_named(engine, config, tiny_country, tmp_path):
    file = cut_short(files_of(tiny_country, "whimbrel")[0], tmp_path / "cut")

    refused(engine, config, [file], InputError, f"{file} is not a readable Parquet file")


def test_a_parquet_file_damaged_inside_is_named(engine, config, tiny_country, tmp_path):
    good, other = files_of(tiny_country, "whimbrel")[:2]
    data = bytearray(other.read_bytes())
    data[1000:9000] = bytes(8000)
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(data)

    refused(engine, config, [good, damaged], InputError, f"{damaged} cannot be read to its end")


def test_a_truncated_gzip_file_is_named_among_good_ones(engine, config, tiny_country, tmp_path):
    good, other = files_of(tiny_country, "world_bank")[:2]
    file = cut_short(other, tmp_path / "cut")

    refused(engine, config, [good, file], InputError, f"{file} cannot be read to its end", source="world_bank")


def test_a_gzip_file_damaged_inside_is_named(engine, config, tiny_country, tmp_path):
    data = bytearray(files_of(tiny_country, "world_bank")[0].read_bytes())
    data[1000:1100] = bytes(100)
    damaged = tmp_path / "damaged.csv.gz"
    damaged.write_bytes(data)

    refused(engine, config, [damaged], InputError, f"{damaged} cannot be read to its end", source="world_bank")


LINES = [b"263771234567,02/03/2026 10:00:00,SYN-00000-1", b"263771234568,02/03/2026 11:00:00,SYN-00000-1"]
BROKEN = [
    b"26377123\xff4569,02/03/2026 10:00:00,SYN-00000-1",
    b"263771234569,02/03/2026 10:00:00,SYN-\xf0\x9f00000-1",
    "2637\ufffd71234569,02/03/2026 10:00:00,SYN-00000-1".encode(),
]
"""Bytes that are no UTF-8, in a number and in a cell; and what another program once put in place of such bytes."""


def delivered_lines(session, config, file, lines, source):
    header = [b"who,when,where"] if source.header else []
    text = b"\r\n".join([*header, *lines, b""])
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(gzip.compress(text) if file.suffix == ".gz" else text)
    storage = Storage.of(config.storage)
    ingest(session, config, storage, [file.parent], source=source, first=FIRST, last=FIRST)
    return storage


@pytest.mark.parametrize(("name", "header"), [("events.csv", True), ("events.csv.gz", False)])
def test_a_line_that_is_not_utf_8_is_set_aside_and_the_rest_is_kept(engine, config, tmp_path, name, header):
    names = ColumnMapping(subscriber="who", time="when", cell="where")
    source = SOURCES["world_bank"].model_copy(
        update={"header": True, "fields": None, "columns": names} if header else {}
    )
    file = tmp_path / "inbox" / name
    (good := tmp_path / "inbox" / "good.csv").parent.mkdir()
    good.write_bytes(b"\n".join([*([b"who,when,where"] if header else []), LINES[1].replace(b"68", b"99"), b""]))

    storage = delivered_lines(engine, config, file, [LINES[0], *BROKEN, LINES[1]], source)

    (record,) = storage.deliveries().values()
    assert (record.read, record.kept, record.quarantined) == (6, 3, {"malformed_row": 3})
    assert len(parts(storage)) == 3
    assert Counter(row[1] for row in quarantine(storage)) == {name: 3}
    assert not (storage.confidential / "scratch").exists()


def test_times_in_nanoseconds_are_refused_wherever_they_stand(engine, config, tiny_country, tmp_path):
    table = pq.read_table(files_of(tiny_country, "whimbrel")[0])
    stamp = pa.timestamp("ns", tz="UTC")
    for name, fine in {
        "in_use": table.set_column(1, "event_at", table["event_at"].cast(stamp)),
        "aside": table.append_column("loaded_at", table["event_at"].cast(stamp)),
    }.items():
        file = tmp_path / f"{name}.parquet"
        pq.write_table(fine, file)
        refused(engine, config, [file], InputError, f"{file.name} holds times in nanoseconds, in (event|loaded)_at")


def test_old_96_bit_times_are_read_as_any(engine, config, tiny_country, tmp_path):
    table = pq.read_table(files_of(tiny_country, "whimbrel")[0])
    pq.write_table(table, tmp_path / "old.parquet", use_deprecated_int96_timestamps=True)

    deliver(engine, config, [tmp_path / "old.parquet"], last=FIRST)

    (record,) = Storage.of(config.storage).deliveries().values()
    assert record.kept > 0.9 * record.read


def test_a_parquet_text_that_is_not_utf_8_is_named_where_it_stops_an_engine(sail, config, tiny_country, tmp_path):
    table = pq.read_table(files_of(tiny_country, "whimbrel")[0])
    cells = pa.chunked_array([pa.array([b"\xff"] * len(table), pa.binary()).view(pa.string())])
    file = tmp_path / "texts.parquet"
    pq.write_table(table.set_column(2, "cell_id", cells), file)

    refused(sail, config, [file], InputError, f"{file} cannot be read to its end")


def test_a_file_that_is_no_gzip_is_named(engine, config, tmp_path):
    file = tmp_path / "plain.csv.gz"
    file.write_text("263771234567,02/03/2026 10:00:00,SYN-00000-1\n")

    refused(engine, config, [file], InputError, f"{file} cannot be read to its end", source="world_bank")


def test_a_missing_column_is_named_with_those_that_are_there(sail, config, tiny_country):
    source = SOURCES["whimbrel"].model_copy(
        update={"columns": ColumnMapping(subscriber="imsi", time="event_at", cell="cell_id")}
    )
    there = "age_band, cell_id, event_at, msisdn, sex"
    message = rf"lacks imsi; it has the columns {there}\. Expected: .*mapping.*Remedy: correct"

    refused(sail, config, files_of(tiny_country, "whimbrel")[:1], InputError, message, mapping=source)


def test_a_mapping_under_which_no_row_can_be_kept_is_refused(sail, config, tiny_country):
    source = SOURCES["world_bank"].model_copy(update={"columns": ColumnMapping(subscriber=2, time=1, cell=0)})
    message = "No row of the delivery could be kept: .*unknown_cell"

    refused(sail, config, files_of(tiny_country, "world_bank")[:1], InputError, message, mapping=source)


def test_a_delivery_for_the_wrong_days_is_refused(sail, config, tiny_country):
    storage = Storage.of(config.storage)
    with pytest.raises(InputError, match="time_outside_delivery"):
        deliver(
            sail,
            config,
            files_of(tiny_country, "whimbrel")[:1],
            first=FIRST + timedelta(60),
            last=FIRST + timedelta(60),
        )
    assert storage.deliveries() == {}


def test_the_same_delivery_under_another_mapping_is_refused(sail, config, tiny_country):
    files = files_of(tiny_country, "world_bank")[:1]
    deliver(sail, config, files, layout="world_bank", last=FIRST)
    utc = SOURCES["world_bank"].model_copy(update={"time_zone": "utc"})

    refused(sail, config, files, ConfigError, "under another mapping", mapping=utc)


def test_the_same_delivery_for_other_days_is_refused(sail, config, tiny_country):
    """Otherwise a day given by mistake could never be put right, and the second command would seem to have worked."""
    file = files_of(tiny_country, "whimbrel")[0]
    deliver(sail, config, [file], last=FIRST)
    before = visible(config)

    with pytest.raises(ConfigError, match=r"other days.*Expected: .*Remedy: "):
        deliver(sail, config, [file], last=FIRST + timedelta(1))
    assert visible(config) == before


def test_two_days_without_rows_are_two_deliveries_though_their_files_are_equal(sail, config, tmp_path):
    file = tmp_path / "empty.csv"
    file.touch()
    for day in (FIRST, FIRST + timedelta(1)):
        deliver(sail, config, [file], layout="world_bank", first=day, last=day)

    assert subscriber_days(Storage.of(config.storage), FIRST, FIRST + timedelta(1)) == {}


def test_a_file_without_a_byte_does_not_hide_the_rows_of_others(engine, config, tmp_path):
    empty, day = tmp_path / "empty.csv", tmp_path / "day.csv.gz"
    empty.touch()
    day.write_bytes(gzip.compress(b"no event\n"))

    with pytest.raises(InputError, match=r"No row of the delivery could be kept: malformed_row\."):
        deliver(engine, config, [empty, day], layout="world_bank", last=FIRST)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: [*rows, {**rows[0], "valid_from": "2026-01-01"}], "cell SYN-00000-1 stands in two places from"),
        (lambda rows: [{**rows[0], "latitude": "97"}, *rows[1:]], "line 2: the place 97.0, .* is not on Earth"),
        (lambda rows: [{**rows[0], "valid_from": "2.3.2026"}, *rows[1:]], "line 2: .*2.3.2026"),
        (lambda rows: [{name: row[name] for name in row if name != "valid_to"} for row in rows], "lacks valid_to"),
    ],
)
def test_a_wrong_cell_table_is_refused_with_its_line(sail, tiny_country, tmp_path, change, message):
    with (tiny_country.folder / "cells.csv").open() as file:
        rows = change(list(csv.DictReader(file)))
    cells = tmp_path / "cells.csv"
    with cells.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    config = installation(tmp_path / "root", cells=cells)

    refused(sail, config, files_of(tiny_country, "whimbrel")[:1], InputError, message)


def test_a_missing_cell_table_is_refused(sail, tiny_country, tmp_path):
    config = installation(tmp_path / "root", cells=tmp_path / "nowhere.csv")

    refused(sail, config, files_of(tiny_country, "whimbrel")[:1], InputError, "nowhere.csv cannot be read")


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_key_that_others_can_read_is_refused_before_anything_is_read(config, tmp_path, mode):
    config.pseudonyms.key_file.chmod(mode)

    files = tmp_path / "a.parquet"
    files.touch()
    refused(None, config, [files], ConfigError, "can be read by others. Expected: mode 600. Remedy: chmod 600")


def test_a_key_in_no_place_is_refused(config, tmp_path):
    file = tmp_path / "a.parquet"
    file.touch()
    gone = config.model_copy(update={"pseudonyms": PseudonymConfig(key_file=tmp_path / "gone")})

    refused(None, gone, [file], ConfigError, "There is no pseudonym key at")


def test_files_that_do_not_exist_are_named(config, tmp_path):
    refused(None, config, [tmp_path / "nothing.parquet"], InputError, "There is nothing at .*nothing.parquet")


def test_a_folder_without_files_of_the_format_is_refused(config, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / ".hidden.parquet").touch()

    refused(None, config, [tmp_path / "folder"], InputError, "No parquet file in")


def test_a_day_is_refused_until_a_delivery_is_for_it(sail, config, tiny_country):
    """Late rows that the next day's file brings do not make a day delivered."""
    second = FIRST + timedelta(1)
    deliver(sail, config, files_of(tiny_country, "whimbrel")[1:2], first=second, last=second)
    storage = Storage.of(config.storage)

    with pytest.raises(InputError, match=r"No delivery for 2026-03-02\. Expected: every day"):
        subscriber_days(storage, FIRST, second)
    deliver(sail, config, files_of(tiny_country, "whimbrel")[:1], last=FIRST)
    assert {day for day, _ in subscriber_days(storage, FIRST, second)} == {FIRST, second}


def test_a_damaged_delivery_can_be_delivered_again(sail, config, tiny_country, tmp_path):
    good = files_of(tiny_country, "world_bank")[0]
    refused(sail, config, [cut_short(good, tmp_path / "cut")], InputError, "to its end", source="world_bank")

    deliver(sail, config, [good], layout="world_bank", last=FIRST)

    with gzip.open(good) as lines:
        assert sum(1 for _ in lines) == next(iter(Storage.of(config.storage).deliveries().values())).read


def test_parquet_whose_times_are_text_is_read_like_any_text(sail, config, tiny_country, tmp_path):
    table = pq.read_table(files_of(tiny_country, "whimbrel")[0])
    text = table.set_column(1, "event_at", table["event_at"].cast("string"))
    pq.write_table(text, tmp_path / "text.parquet")

    deliver(sail, config, [tmp_path / "text.parquet"], last=FIRST)

    (record,) = Storage.of(config.storage).deliveries().values()
    assert record.kept > 0.9 * record.read
