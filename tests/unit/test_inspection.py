"""`whimbrel inspect`: what a layout seems to be, how sure that is, and nobody's identifier on the terminal."""

import gzip
import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from jobs.inspection.folders import folders_of
from jobs.inspection.sample import Certainty
from jobs.inspection.verb import draft, inspect, view
from jobs.inspection.written_times import time_of
from jobs.layout_schema import layout_schema
from jobs.layouts import SourceConfig
from schemas.errors import InputError
from tests.installations import run_whimbrel

ROOT = Path(__file__).parents[2]
NUMBER, HASH = "230571234567", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
DAY = [f"{day}/03/2026 {hour:02d}:15:30" for day in ("02", "14") for hour in range(5)]


def written(tmp_path, lines, name="events.csv", encoding="utf-8"):
    content = "\n".join([*lines, ""]).encode(encoding)
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return tmp_path / name


def rows(separator=",", at=DAY, who=NUMBER):
    return [separator.join([who, when, f"SITE{n % 3}"]) for n, when in enumerate(at)]


def drafted(file):
    return tomllib.loads(draft(inspect([file]), "new"))["sources"]["new"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("encoding", "said"), [("utf-8", None), ("utf-8-sig", None), ("utf-16", "utf-16")])
def test_separator_header_and_encoding_are_found(tmp_path, separator, header, encoding, said):
    names = [separator.join(["msisdn", "call_datetime", "location_id"])] if header else []
    found = drafted(written(tmp_path, [*names, *rows(separator)], encoding=encoding))

    assert found.get("separator", ",") == separator
    assert found.get("header", True) is header
    assert found.get("encoding") == said
    assert found["time_format"] == "dd/MM/yyyy HH:mm:ss"
    places = ("msisdn", "call_datetime", "location_id") if header else (0, 1, 2)
    assert tuple(found["columns"][name] for name in ("subscriber", "time", "cell")) == places


def test_quotes_are_found_with_separators_in_them(tmp_path):
    lines = ['"msisdn","at","cell","note"', *(f'"{NUMBER}","{at}","A{n % 3}","a, b"' for n, at in enumerate(DAY))]

    assert drafted(written(tmp_path, lines))["quoting"] is True


def test_bytes_that_are_no_utf_8_are_taken_for_cp1252(tmp_path):
    lines = ["msisdn,at,cell", *(f"{NUMBER},{at},Société{n % 3}" for n, at in enumerate(DAY))]

    assert drafted(written(tmp_path, lines, encoding="cp1252"))["encoding"] == "cp1252"


TIMES = {
    "iso": ["2026-03-02 10:15:30", "2026-03-02T10:15:30.123"],
    "iso_offset": ["2026-03-02T10:15:30+01:00", "2026-03-02 10:15:30Z"],
    "epoch_s": ["1772445600", "1772445601.5"],
    "epoch_ms": ["1772445600123"],
    "epoch_us": ["1772445600123456"],
    "yyyyMMddHHmmss": ["20260302101530"],
    "dd/MM/yyyy HH:mm:ss": ["14/03/2026 10:15:30"],
    "MM/dd/yyyy HH:mm": ["03/14/2026 10:15"],
    "d.M.yyyy H:mm": ["14.3.2026 9:05"],
    "dd-MMM-yy hh.mm.ss.SSSSSS a": ["02-MAR-26 10.15.30.000000 AM"],
    "yyyy/MM/dd HH:mm:ss": ["2026/03/02 10:15:30"],
}


@pytest.mark.parametrize("mask", TIMES)
def test_a_time_format_is_found_and_accepted_by_a_mapping(mask):
    found = time_of(TIMES[mask] * 3, None, [])

    assert (found.time_format, found.certainty) == (mask, Certainty.CERTAIN)
    SourceConfig(format="csv", columns={"subscriber": "a", "time": "b", "cell": "c"}, time_format=mask)


def test_day_first_or_month_first_is_said_to_be_unknown_unless_a_file_s_name_tells():
    unclear = ["02/03/2026 10:15:30"] * 3

    assert time_of(unclear, None, ["events.csv"]).certainty is Certainty.CANNOT_TELL
    told = {day: time_of(unclear, None, [f"cdr_{day}.csv"]).time_format for day in ("2026-03-02", "20260203")}
    assert told == {"2026-03-02": "dd/MM/yyyy HH:mm:ss", "20260203": "MM/dd/yyyy HH:mm:ss"}


def test_what_a_file_does_not_tell_stands_as_a_remark_in_the_draft(tmp_path):
    text = draft(inspect([written(tmp_path, rows(at=["02/03/2026 10:15:30"] * 6))]), "new")

    assert "# time_format: day first or month first" in text
    assert "# time_zone: written times do not say" in text


@pytest.mark.parametrize(
    ("who", "keys"),
    [
        (NUMBER, {}),
        (f"+{NUMBER}", {}),
        (HASH, {"subscriber_is": "hash", "subscriber_written": "hex"}),
        ("n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=", {"subscriber_is": "hash", "subscriber_written": "base64"}),
    ],
)
def test_numbers_and_hashes_are_told_apart(tmp_path, who, keys):
    found = drafted(written(tmp_path, ["user_id,at,cell", *rows(who=who)]))

    assert {key: found[key] for key in found if key.startswith("subscriber_")} == keys


@pytest.mark.parametrize("who", [NUMBER, HASH, "077 63 97 57", "077-12-34-56"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("other", ["230570000001", "(230) 570 001"])
def test_no_identifier_is_shown_whatever_is_taken_for_what(tmp_path, who, header, other):
    lines = [f"{who};{other};{at};{n % 3}" for n, at in enumerate(DAY)]
    file = written(tmp_path, (["a;b;c;d"] if header else []) + lines, name=f"{NUMBER}.csv")
    console = Console(width=300, record=True, file=(tmp_path / "out").open("w"))
    console.print(view(inspect([file])))
    shown = console.export_text() + draft(inspect([file]), "new")

    assert not [secret for secret in (who, other, NUMBER) if secret in shown]


def test_no_value_of_a_record_is_shown(tmp_path):
    file = written(tmp_path, ["msisdn,at,cell", *rows()])
    console = Console(width=300, record=True, file=(tmp_path / "out").open("w"))
    console.print(view(inspect([file])))
    shown = console.export_text()

    assert "##/##/#### ##:##:##" in shown and "AAAA#" in shown
    assert not [value for at in DAY for value in (at, "SITE1") if value in shown]


def test_the_command_prints_a_draft_and_masks_what_it_shows(tmp_path, monkeypatch, capsys):
    file = written(tmp_path, ["msisdn,at,cell", *rows()], "events.csv.gz")
    code, out, err = run_whimbrel(f"inspect {file} --name voice", monkeypatch, capsys)

    assert code == 0
    assert tomllib.loads(out)["sources"]["voice"]["columns"]["subscriber"] == "msisdn"
    assert NUMBER not in out + err


def test_date_and_time_in_two_columns_are_joined(tmp_path):
    lines = ["msisdn,day,clock,cell", *(f"{NUMBER},2026-03-02,1{n}:00:00,A{n % 3}" for n in range(9))]
    found = drafted(written(tmp_path, lines))

    assert found["columns"]["time"] == ["day", "clock"]


def test_json_lines_are_read_by_their_paths(tmp_path):
    lines = [json.dumps({"user": {"msisdn": NUMBER}, "ts": 1772445600123 + n, "cell": f"A{n % 3}"}) for n in range(9)]
    found = drafted(written(tmp_path, lines, "events.jsonl"))

    assert found["format"] == "json"
    assert found["columns"] == {"subscriber": "user.msisdn", "time": "ts", "cell": "cell"}
    assert found["time_format"] == "epoch_ms"


def test_bytes_in_parquet_are_a_number_s_digits_or_a_hash(tmp_path):
    at = pa.array([datetime(2026, 3, 2, tzinfo=UTC)] * 3)
    for name, who in {"number": NUMBER.encode(), "hash": bytes.fromhex(HASH)}.items():
        pq.write_table(
            pa.table({"user_id": [who] * 3, "at": at, "cell_id": ["A", "B", "A"]}), tmp_path / f"{name}.parquet"
        )

    assert "subscriber_is" not in drafted(tmp_path / "number.parquet")
    assert drafted(tmp_path / "hash.parquet")["subscriber_written"] == "bytes"


@pytest.mark.parametrize(
    ("folder", "mask"),
    [
        ("dt=2026-03-02/hh=07", "dt=yyyy-MM-dd/hh=HH"),
        ("year=2026/month=3/day=2", "year=yyyy/month=M/day=d"),
        ("year=2026/month=03/day=02", "year=yyyy/month=MM/day=dd"),
        ("day=20260302/region=north", "day=yyyyMMdd/region=*"),
    ],
)
def test_folders_are_read_by_name_and_value(tmp_path, folder, mask):
    found, _ = folders_of([tmp_path / folder / "part.parquet"])

    assert found == {"folders": mask}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "holds no row"),
        ("plain.csv.gz", b"a,b,c\n", "is plain, which its name does not say"),
        ("packed.csv", gzip.compress(b"a,b,c\n"), "is gzip, which its name does not say"),
        ("broken.parquet", b"PAR1broken", "cannot be read"),
        ("broken.csv.gz", b"\x1f\x8b\x08broken-and-more", "cannot be read"),
    ],
)
def test_what_cannot_be_looked_at_is_refused_with_what_to_do(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        inspect([tmp_path / name])
    assert caught.value.remedy


def test_the_committed_schema_is_the_generated_one():
    committed = (ROOT / "docs" / "source-mapping.schema.json").read_text(encoding="utf-8")
    assert committed == layout_schema(), "run `make docs`"
