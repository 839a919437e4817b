"""Operators' layouts, read into one shape; and local time, whatever the clocks do."""

import gzip
from contextlib import redirect_stdout
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from jobs.config import ColumnMapping, SourceConfig
from jobs.ingest.files import event_files
from jobs.ingest.sources import FILE_NUMBER, read_events, rows_in
from jobs.ingest.times import Clock, wall_clock_seconds
from schemas.errors import InputError

CSV = SourceConfig(
    format="csv",
    columns=ColumnMapping(subscriber="msisdn", time="at", cell="cell", sex="sex"),
    separator="|",
    time_format="iso",
)
HEADERLESS = SourceConfig(
    format="csv", header=False, fields=4, columns=ColumnMapping(subscriber=2, time=0, cell=1), separator="|"
)
UTC_CLOCK = Clock.of("UTC", date(2026, 3, 2), date(2026, 3, 2))


def write(tmp_path, text, name="events.csv"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def read(session, files, source, *, numbered=False):
    with TemporaryDirectory() as scratch:
        rows = read_events(session, files, source, Path(scratch), numbered=numbered)
        names = ("number", "time", "cell", "sex", "malformed", FILE_NUMBER)
        return sorted((tuple(row) for row in rows.select(*[n for n in names if n in rows.columns]).collect()), key=repr)


@pytest.mark.parametrize("name", ["events.csv", "events.csv.gz", "events.txt"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_with_a_header_is_read_by_its_names_in_any_order(engine, tmp_path, name, end):
    text = end.join(
        ["more|at|cell|sex|msisdn", "x|2026-03-02 10:00:00|a|f|26377", "y|2026-03-02 11:00:00|b||26378", ""]
    )
    file = write(tmp_path, text, name)

    assert event_files([tmp_path], CSV) == (file,)
    assert read(engine, [file], CSV) == [
        ("26377", "2026-03-02 10:00:00", "a", "f", False),
        ("26378", "2026-03-02 11:00:00", "b", "", False),
    ]
    assert rows_in(engine, [file], CSV) == 2


def test_a_file_without_a_header_is_read_by_position_and_rows_of_another_length_are_malformed(engine, tmp_path):
    file = write(tmp_path, "10:00|a|26377|\n10:00|a\n10:00|a|26377|x|y\n\n", "events.gz")

    assert read(engine, [file], HEADERLESS) == [
        ("26377", "10:00", "a", False),
        ("26377", "10:00", "a", True),
        (None, "", None, True),
        (None, "10:00", "a", True),
    ]
    assert rows_in(engine, [file], HEADERLESS) == 4


def test_several_files_have_a_header_each(engine, tmp_path):
    files = [write(tmp_path, "msisdn|at|cell|sex\n1|t|a|f\n", f"{n}.csv") for n in range(3)]

    assert rows_in(engine, files, CSV) == len(read(engine, files, CSV)) == 3


def test_every_row_tells_its_file_whatever_groups_the_files_are_read_in(engine, tmp_path):
    texts = {"b.csv": "msisdn|at|cell|sex\n0|t|a|f\n", "a.csv.gz": "msisdn|at|cell|sex\n1|t|a|f\n1|t|b|f\n",
             "c.csv": "cell|at|msisdn|sex\na|t|2|f\nbroken\n", "d.csv": "msisdn|at|cell|sex\n3|t|a|f\n"}  # fmt: skip
    files = [write(tmp_path, text, name) for name, text in texts.items()]

    found = read(engine, files, CSV, numbered=True)

    assert [row[-1] for row in found if not row[4]] == [int(row[0]) for row in found if not row[4]]
    assert [row[-1] for row in found if row[4]] == [2]
    assert [row[:-1] for row in found] == read(engine, files, CSV)


@pytest.fixture
def hours(tmp_path):
    """Four hundred files, each in the folder of an hour."""
    for n in range(400):
        hour = tmp_path / f"dt=2026-03-{2 + n // 24:02d}" / f"hh={n % 24:02d}"
        hour.mkdir(parents=True)
        (hour / "events.csv").write_text(f"{n},05:30,a\n")
    return tmp_path


def hourly(time):
    columns = {"subscriber": 0, "time": time, "cell": 2}
    return SourceConfig.model_validate(
        {"format": "csv", "header": False, "columns": columns, "fields": 3, "folders": "dt=yyyy-MM-dd/hh=HH"}
    )


def test_hundreds_of_files_and_folders_are_read_by_an_engine_that_breaks_down_over_hundreds_of_scans(sail, hours):
    source = hourly(["dt", "hh", 1])
    files = event_files([hours], source)

    found = read(sail, files, source, numbered=True)

    assert sorted((row[-1], int(row[0])) for row in found) == [(n, n) for n in range(400)]
    assert {row[1] for row in found} == {f"{file.parts[-3][3:]} {file.parts[-2][3:]} 05:30" for file in files}


@pytest.mark.parametrize("time", [1, ["dt", "hh", 1]])
@pytest.mark.parametrize("numbered", [False, True])
def test_hundreds_of_files_and_folders_are_one_scan_of_the_engine_that_plans_each_for_long(
    spark, hours, time, numbered
):
    source = hourly(time)
    rows = read_events(spark, event_files([hours], source), source, hours / "scratch", numbered=numbered)

    assert plan_of(rows).count("FileScan") == 1


def test_what_a_writer_notes_of_a_parquet_file_parts_no_scan(spark, tmp_path):
    source = SourceConfig(format="parquet", columns=ColumnMapping(subscriber="who", time="when", cell="where"))
    files = [tmp_path / f"{n}.parquet" for n in range(3)]
    for n, file in enumerate(files):
        table = pa.table({"who": ["1"], "when": [datetime(2026, 3, 2, tzinfo=UTC)], "where": ["A"]})
        pq.write_table(table.replace_schema_metadata({"rows": str(n)}), file)

    assert plan_of(read_events(spark, files, source, tmp_path)).count("FileScan") == 1


def plan_of(rows):
    with redirect_stdout(StringIO()) as text:
        rows.explain()
    return text.getvalue()


def test_identifiers_of_any_type_are_text(engine, tmp_path):
    source = SourceConfig(format="parquet", columns=ColumnMapping(subscriber="imsi", time="at", cell="lac"))
    at = datetime(2026, 3, 2, 10, tzinfo=UTC)
    table = pa.table({"imsi": pa.array([26377, None]), "lac": pa.array([7, 8], pa.int32()), "at": [at, at]})
    pq.write_table(table, tmp_path / "events.parquet")

    found = read_events(engine, [tmp_path / "events.parquet"], source, tmp_path).select("number", "cell").collect()

    assert sorted((tuple(row) for row in found), key=repr) == [("26377", "7"), (None, "8")]


@pytest.mark.parametrize("header", ["msisdn|at|sex", "msisdn,at,cell,sex", ""])
def test_a_missing_column_is_named_with_the_file_that_lacks_it(sail, tmp_path, header):
    good = write(tmp_path, "msisdn|at|cell|sex\n", "good.csv")
    bad = write(tmp_path, f"{header}\n1|2|3|4\n", "bad.csv")

    with pytest.raises(InputError, match=r"bad.csv lacks .*cell.*Expected: .*Remedy: correct `columns`"):
        read_events(sail, [good, bad], CSV, tmp_path)


def test_a_parquet_time_that_is_a_number_is_refused_because_nobody_says_what_it_counts(sail, tmp_path):
    file = tmp_path / "events.parquet"
    pq.write_table(pa.table({"who": ["1"], "when": [1_772_445_600_000], "where": ["A"]}), file)
    source = SourceConfig(format="parquet", columns=ColumnMapping(subscriber="who", time="when", cell="where"))
    with pytest.raises(InputError, match="times as int64 in when"):
        read_events(sail, [file], source, tmp_path)


def test_hidden_files_and_other_formats_are_left_out(tmp_path):
    for name in ("b.csv", "a.csv.gz", ".c.csv", "_SUCCESS", "d.parquet"):
        (tmp_path / name).touch()

    assert [file.name for file in event_files([tmp_path], CSV)] == ["a.csv.gz", "b.csv"]


TIMES = {
    "02/03/2026 10:15:30": datetime(2026, 3, 2, 10, 15, 30),
    "29/02/2024 23:59:59": datetime(2024, 2, 29, 23, 59, 59),
    " 02/03/2026 10:15:30 ": datetime(2026, 3, 2, 10, 15, 30),
    "31/02/2026 10:15:00": None,
    "03/13/2026 10:15:30": None,
    "02/03/2026 24:15:30": None,
    "02/03/2026 10:15": None,
    "02/03/2026T10:15:30": datetime(2026, 3, 2, 10, 15, 30),
    "2026-03": None,
    "unknown": None,
    "": None,
    None: None,
}
"""Only the digits count; what stands between them is the mask's."""

ISO = {
    "2026-03-02 10:15:30": datetime(2026, 3, 2, 10, 15, 30),
    "2026-03-02T10:15:30": datetime(2026, 3, 2, 10, 15, 30),
    "2026-03-02 10:15:30.999": datetime(2026, 3, 2, 10, 15, 30),
    "2026-03-02T10:15:30Z": datetime(2026, 3, 2, 10, 15, 30),
    "2026-03-02T14:15:30+04:00": datetime(2026, 3, 2, 10, 15, 30),
    "2026-02-30 10:15:30": None,
    "10:15:30": None,
    "2026": None,
    "2026-03": None,
    "2026-03-02": None,
    "unknown": None,
    "": None,
    None: None,
}


"""A time without its day is not today's, and a day without its time is not midnight."""


def seconds(session, texts, source, clock=UTC_CLOCK):
    table = session.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, time string")
    local = wall_clock_seconds(source, clock, is_text=True)
    return [row[1] for row in table.select("n", local.alias("s")).orderBy("n").collect()]


def as_seconds(moments):
    return [moment and int(moment.replace(tzinfo=UTC).timestamp()) for moment in moments]


@pytest.mark.parametrize(("mask", "table"), [("dd/MM/yyyy HH:mm:ss", TIMES), ("iso", ISO)])
def test_times_are_read_by_their_mask_and_what_does_not_fit_it_is_missing(engine, mask, table):
    source = HEADERLESS.model_copy(update={"time_format": mask})

    assert dict(zip(table, seconds(engine, table, source), strict=True)) == dict(
        zip(table, as_seconds(table.values()), strict=True)
    )


def test_a_mask_without_separators_is_read_too(engine):
    source = HEADERLESS.model_copy(update={"time_format": "yyyyMMddHHmmss"})

    assert seconds(engine, ["20260302101530", "2026030210153"], source) == [
        *as_seconds([datetime(2026, 3, 2, 10, 15, 30)]),
        None,
    ]


def test_local_times_are_taken_as_written_and_utc_gets_the_countrys_offset(sail):
    clock = Clock.of("Indian/Mauritius", date(2026, 3, 2), date(2026, 3, 3))
    text = ["2026-03-02 22:00:00"]
    local, utc = (
        seconds(sail, text, HEADERLESS.model_copy(update={"time_zone": zone}), clock) for zone in ("local", "utc")
    )

    assert utc[0] - local[0] == 4 * 3600


CHANGES = {
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/Santiago": (date(2026, 4, 4), date(2026, 9, 5)),
    "Africa/Casablanca": (date(2026, 2, 15), date(2026, 3, 22)),
    "Indian/Mauritius": (date(2026, 3, 2),),
    "Asia/Kolkata": (date(2026, 3, 2),),
}


@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days])
def test_an_instant_falls_on_the_local_day_and_second_that_the_standard_library_says(sail, zone, day):
    """Every half hour from a day before a change of the clocks to a day after, both ways."""
    start = datetime.combine(day - timedelta(1), datetime.min.time(), UTC)
    instants = [start + timedelta(minutes=30 * n) for n in range(48 * 3)]
    clock = Clock.of(zone, day, day)
    table = sail.createDataFrame([(int(at.timestamp()),) for at in instants], "s bigint")

    found = dict(tuple(row) for row in table.select("s", F.col("s") + clock.offset_at(F.col("s"))).collect())

    for at in instants:
        offset = at.astimezone(ZoneInfo(zone)).utcoffset()
        assert found[int(at.timestamp())] == int((at + offset).timestamp())


def test_a_fixed_offset_is_one_number():
    assert len(Clock.of("Indian/Mauritius", date(2026, 1, 1), date(2026, 12, 31)).offsets) == 1
    assert len(Clock.of("Europe/Berlin", date(2026, 1, 1), date(2026, 12, 31)).offsets) == 3
