"""Whatever a mapping says, both engines read it alike; and what does not fit it is set aside, never guessed."""

import base64
import gzip
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import h3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.config import CellsConfig, ColumnMapping, SourceConfig
from jobs.ingest.cells import ZoneRegister, read_cells
from jobs.ingest.damage import with_valid_text
from jobs.ingest.event_places import place_stretches
from jobs.ingest.files import event_files, files_of_days
from jobs.ingest.public_area import base_cells_of_area
from jobs.ingest.sources import read_events, rows_in
from jobs.ingest.times import Clock, clock_of_source, wall_clock_seconds
from jobs.ingest.transcoding import as_utf8
from schemas.errors import InputError

NAMED = {"subscriber": "who", "time": "at", "cell": "cell"}
DIGEST = bytes.fromhex("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
FIRST = date(2026, 3, 2)


def source(**keys):
    return SourceConfig.model_validate({"format": "csv", "columns": NAMED, **keys})


def read(session, files, mapping):
    with TemporaryDirectory() as scratch:
        rows = read_events(session, files, mapping, Path(scratch)).select("number", "time", "cell", "malformed")
        return sorted((tuple(row) for row in rows.collect()), key=repr)


def written(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode(encoding)
    packed = {".gz": gzip.compress, ".zst": lambda raw: pa.Codec("zstd").compress(raw, asbytes=True)}
    path.write_bytes(packed.get(path.suffix, bytes)(content))
    return path


QUOTED = [
    ('"1","t","a, b"', ("1", "t", "a, b", False)),
    ("1,t,a", ("1", "t", "a", False)),
    ('1,t,""', ("1", "t", "", False)),
    ('1,"t",say ""a""', ("1", "t", "say a", False)),
]


def test_quotes_hide_separators_and_an_open_quote_is_malformed(engine, tmp_path):
    file = written(tmp_path / "e.csv", "\r\n".join(['"who","at","cell"', *(line for line, _ in QUOTED), '1,"t,a', ""]))
    found = read(engine, [file], source(quoting=True))

    assert [row for row in found if not row[3]] == sorted((row for _, row in QUOTED), key=repr)
    assert [row[3] for row in found].count(True) == 1
    assert rows_in(engine, [file], source(quoting=True)) == len(QUOTED) + 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("name", ["e.csv", "e.csv.gz", "e.csv.zst"])
def test_any_encoding_and_packing_is_read_with_columns_in_any_order(sail, tmp_path, encoding, name):
    files = [
        written(tmp_path / "a" / name, "who\tat\tcell\n1\tt\tSociété\n", encoding),
        written(tmp_path / "b" / name, "cell\tmore\twho\tat\nSociété\tx\t2\tt\n", encoding),
    ]
    mapping = source(separator="\t", encoding=encoding.removesuffix("-sig"))
    found = read(sail, as_utf8(files, mapping, tmp_path / "copies"), mapping)

    assert found == [("1", "t", "Société", False), ("2", "t", "Société", False)]


def test_spark_reads_zstd_and_byte_order_marks_too(engines, tmp_path):
    files = [written(tmp_path / name, "who,at,cell\n1,t,a\n", "utf-8-sig") for name in ("e.csv", "e.csv.zst")]
    with engines("spark") as spark:
        assert read(spark, files, source()) == [("1", "t", "a", False)] * 2


def test_json_lines_are_read_whole_or_are_malformed(engine, tmp_path):
    good = {"u": {"id": 26377}, "at": 1772445600123, "cell": "a"}
    lines = [json.dumps(good), json.dumps(good)[:-1], "[1]", "", "null", json.dumps({**good, "more": None})]
    file = written(tmp_path / "e.jsonl", "\n".join([*lines, ""]))
    mapping = source(format="json", columns={**NAMED, "subscriber": "u.id"}, time_format="epoch_ms")
    found = read(engine, [file], mapping)

    assert [row for row in found if not row[3]] == [("26377", "1772445600123", "a", False)] * 2
    assert sum(row[3] for row in found) == rows_in(engine, [file], mapping) - 2 == 4


def test_one_identifier_is_one_text_however_it_is_written(engine, tmp_path):
    texts = {"hex": DIGEST.hex().upper(), "base64": base64.b64encode(DIGEST).decode()}
    found = []
    for how, text in texts.items():
        file = written(tmp_path / f"{how}.csv", f"who,at,cell\n{text},t,a\n#!,t,a\n")
        found.append([row[0] for row in read(engine, [file], source(subscriber_is="hash", subscriber_written=how))])
    pq.write_table(pa.table({"who": [DIGEST, None], "at": ["t", "t"], "cell": ["a", "a"]}), tmp_path / "e.parquet")
    mapping = source(format="parquet", subscriber_is="hash", subscriber_written="bytes")
    found.append([row[0] for row in read(engine, [tmp_path / "e.parquet"], mapping)])

    assert found == [[DIGEST.hex(), None]] * 3


def test_bytes_and_decimals_and_floats_that_are_numbers_are_read_as_their_digits(engine, tmp_path):
    kinds = {"bytes": pa.array([b"26377", b"\xff\x01"]), "float": pa.array([26377.0, None])}
    for name, column in kinds.items():
        pq.write_table(pa.table({"who": column, "at": ["t", "t"], "cell": [7.0, 8.0]}), tmp_path / f"{name}.parquet")
        found = read(engine, [tmp_path / f"{name}.parquet"], source(format="parquet"))
        assert [(row[0], row[2]) for row in found] == [("26377", "7"), (None, "8")], name


def test_added_columns_and_other_types_in_some_files_are_tolerated(engine, tmp_path):
    tables = [{"who": [1], "at": ["t"], "cell": ["a"]}, {"cell": ["a"], "more": [1], "at": ["t"], "who": ["1"]}]
    for n, table in enumerate(tables):
        pq.write_table(pa.table(table), tmp_path / f"{n}.parquet")

    assert read(engine, sorted(tmp_path.glob("*")), source(format="parquet")) == [("1", "t", "a", False)] * 2


TEXTS = {
    "d/M/yyyy H:mm": (
        {"2/3/2026 9:05": "2026-03-02 09:05:00", "12/11/2026 19:05": "2026-11-12 19:05:00"},
        ["2/3/2026"],
    ),
    "dd-MMM-yy hh.mm.ss.SSS a": (
        {"02-MAR-26 12.15.30.000 AM": "2026-03-02 00:15:30", "29-Feb-24 01.00.00.999 pm": "2024-02-29 13:00:00"},
        ["02-MRZ-26 01.15.30.000 AM", "02-MAR-26 13.15.30.000 PM", "29-FEB-25 01.00.00.000 AM"],
    ),
    "yyyy-MM-ddTHH:mm": ({"2026-03-02T23:59": "2026-03-02 23:59:00"}, ["2026-03-02T24:00", "2026-03-02"]),
    "iso_offset": (
        {"2026-03-02T01:00:00+05:30": "2026-03-01 19:30:00", "2026-03-02T01:00:00Z": "2026-03-02 01:00:00"},
        ["2026-03-02T01:00:00", "2026-03-02"],
    ),
    "epoch_s": ({"1772445600": "2026-03-02 10:00:00", "1772445600.9": "2026-03-02 10:00:00"}, ["soon", "", "NaN"]),
    "epoch_ms": ({"1772445600999": "2026-03-02 10:00:00", "1.772445600999E12": "2026-03-02 10:00:00"}, ["x", "1e400"]),
}


def seconds(session, texts, mapping, clock, abroad=None):
    table = session.createDataFrame(list(enumerate(texts)), "n int, time string")
    told = wall_clock_seconds(mapping, clock, is_text=True, abroad=abroad)
    return [row[1] for row in table.select("n", told.alias("s")).orderBy("n").collect()]


def test_times_are_read_by_their_format_and_what_does_not_fit_is_missing(engine):
    utc = Clock.of("UTC", FIRST, FIRST)
    for mask, (good, bad) in TEXTS.items():
        expected = [int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) for text in good.values()]
        found = seconds(engine, [*good, *bad], source(time_format=mask), utc)
        assert found == expected + [None] * len(bad), mask


def test_a_local_time_with_an_offset_is_not_taken_as_the_wall_clock(sail):
    mapping = source(time_zone="local")

    assert seconds(
        sail, ["2026-03-02T10:00:00+04:00", "2026-03-02T10:00:00Z"], mapping, Clock.of("UTC", FIRST, FIRST)
    ) == [
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("zone", "day"),
    [("Europe/Berlin", date(2026, 3, 29)), ("Europe/Berlin", date(2026, 10, 25)), ("Africa/Juba", date(2021, 2, 1)),
     ("Asia/Kolkata", date(2024, 2, 29))],
)  # fmt: skip
def test_a_source_s_own_zone_is_read_as_the_standard_library_reads_it(sail, zone, day):
    """Every quarter of an hour of three days about a change of clocks, of a change of zone, and of a leap day."""
    start = datetime.combine(day - timedelta(1), datetime.min.time())
    texts = [start + timedelta(minutes=15 * n) for n in range(96 * 3)]
    mapping, home = source(time_zone=zone), ZoneInfo("Indian/Mauritius")
    first, last = day - timedelta(1), day + timedelta(1)
    clock, abroad = Clock.of(str(home), first, last), clock_of_source(mapping, first, last)

    found = seconds(sail, [f"{text:%Y-%m-%d %H:%M:%S}" for text in texts], mapping, clock, abroad)

    for text, second in zip(texts, found, strict=True):
        local = text.replace(tzinfo=ZoneInfo(zone)).astimezone(home)
        assert second == int(local.replace(tzinfo=UTC).timestamp()), text


def test_folders_choose_the_files_of_a_day_and_lend_their_values(engine, tmp_path):
    for hour in ("dt=2026-03-01/hh=19", "dt=2026-03-01/hh=20", "dt=2026-03-02/hh=19", "dt=2026-03-02/hh=20"):
        written(tmp_path / hour / "e.csv", "who,minute,cell\n1,05:30,a\n")
    mapping = source(folders="dt=yyyy-MM-dd/hh=HH", columns={**NAMED, "time": ["dt", "hh", "minute"]},
                     time_format="yyyy-MM-dd HH mm:ss")  # fmt: skip
    chosen = files_of_days(event_files([tmp_path], mapping), mapping, FIRST, FIRST, "Indian/Mauritius")

    assert [file.parts[-3:-1] for file in chosen] == [("dt=2026-03-01", "hh=20"), ("dt=2026-03-02", "hh=19")]
    assert [row[1] for row in read(engine, chosen, mapping)] == ["2026-03-01 20 05:30", "2026-03-02 19 05:30"]


def test_a_copy_of_valid_text_stands_in_folders_that_lend_the_same_values(engine, tmp_path):
    mapping = source(folders="dt=yyyy-MM-dd", columns={**NAMED, "time": ["dt", "at"]})
    whole = written(tmp_path / "dt=2026-03-01" / "e.csv", "who,at,cell\n1,05:30,a\n")
    broken = written(tmp_path / "dt=2026-03-02" / "e.csv", "who,at,cell\n2,05:30,\xe9\n", "latin-1")

    copies = with_valid_text([whole, broken], mapping, tmp_path / "repaired")

    assert copies[0] == whole
    assert [row[1:] for row in read(engine, copies, mapping)] == [
        ("2026-03-01 05:30", "a", False),
        ("2026-03-02 05:30", "\ufffd", True),
    ]


def test_folders_of_other_names_or_other_days_are_refused(tmp_path):
    mapping = source(folders="dt=yyyy-MM-dd")
    other, later = (written(tmp_path / name / "e.csv", "x") for name in ("day=2026-03-02", "dt=2026-03-09"))
    with pytest.raises(InputError, match=r"stands in no folders like dt=yyyy-MM-dd\. Expected"):
        files_of_days([other], mapping, FIRST, FIRST, "UTC")
    with pytest.raises(InputError, match=r"No folder .* is of 2026-03-02 .*correct --days"):
        files_of_days([later], mapping, FIRST, FIRST, "UTC")


def test_an_event_with_coordinates_has_the_zone_of_its_place_if_it_is_of_the_public_domain(engine, tmp_path):
    columns = {"subscriber": "who", "time": "at", "latitude": "lat", "longitude": "lon"}
    lines = ["-20.2,57.5", "-20,2;57,5", "91.0,57.5", "10.0,10.0", ",57.5", "x,y"]
    file = written(
        tmp_path / "e.csv",
        "who;at;lat;lon\n"
        + "".join(f"1;t;{line.replace(',', ';', 1) if ';' not in line else line}\n" for line in lines),
    )
    places = [row[2] for row in read(engine, [file], source(separator=";", columns=columns))]
    zone = h3.latlng_to_cell(-20.2, 57.5, 6)
    found = place_stretches([place for place in places if place], ZoneRegister((zone,)), resolution=6, stretches=2)

    assert places.count(None) == 2
    assert set(found) == {("-2020000,5750000", 0, 0), ("-2020000,5750000", 1, 0)}


def test_the_zones_of_an_area_are_all_cells_that_touch_it_whoever_calls_there(tmp_path):
    area = tmp_path / "country.geojson"
    ring = [[57.3, -20.5], [57.8, -20.5], [57.8, -20.0], [57.3, -20.0], [57.3, -20.5]]
    area.write_text(json.dumps({"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}}]}))  # fmt: skip
    cells = read_cells(CellsConfig(path=area))

    assert [cell.cell_id for cell in cells] == base_cells_of_area(area, 6)
    assert {cell.h3(6) for cell in cells} == {cell.cell_id for cell in cells}
    assert {h3.latlng_to_cell(lat, lon, 6) for lon, lat in ring} <= {cell.cell_id for cell in cells}
    area.write_text("{}")
    with pytest.raises(InputError, match=r"country\.geojson cannot be used"):
        read_cells(CellsConfig(path=area))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"time_zone": "Kinshasa"}, "neither utc, local nor an IANA zone"),
        ({"time_format": "epoch_ms", "time_zone": "local"}, "says the instant itself"),
        ({"format": "table"}, "give `table`"),
        ({"format": "table", "table": "db.events"}, "needs `folders`"),
        ({"format": "table", "table": "db.events; drop", "folders": "dt=yyyy-MM-dd"}, "table"),
        ({"subscriber_written": "bytes"}, "text holds no bytes"),
        ({"separator": '"'}, "neither a quote"),
        ({"folders": "hh=HH"}, "name no day"),
        ({"header": False, "fields": 2, "columns": {"subscriber": 0, "time": 1, "cell": 2}}, "positions 0 to 1"),
        ({"columns": {**NAMED, "latitude": "a"}}, "latitude and longitude together"),
        ({"columns": {**NAMED, "latitude": "a", "longitude": "b"}}, "exactly one of cell"),
        ({"time_format": "hh:mm dd/MM/yyyy"}, "needs hh and a"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(keys, message):
    with pytest.raises(ValueError, match=message):
        source(**keys)


def test_a_mapping_has_one_place_for_each_field():
    mapping = ColumnMapping(subscriber="who", time=("day", "clock"), cell="cell")

    assert mapping.places == ("who", "cell", "day", "clock")
