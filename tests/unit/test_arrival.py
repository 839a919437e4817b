"""What counts as a file of a delivery, under which name an engine reads it, and what is refused before one does."""

import gzip
import os

import pytest

from jobs.ingest.arrival import LONGEST_LINE, Arrived
from jobs.storage import Storage
from schemas.errors import InputError
from tests.installations import FIRST, SOURCES, deliver, installation

SOURCE = SOURCES["world_bank"]
LINE = "26377123456{n},02/03/2026 10:00:00,C0\n"


@pytest.fixture
def config(tmp_path):
    (tmp_path / "cells.csv").write_text("cell_id,latitude,longitude,valid_from,valid_to\nC0,-20,57,2020-01-01,\n")
    return installation(tmp_path / "root", cells=tmp_path / "cells.csv")


@pytest.mark.parametrize(
    "name", ["a*.csv", "[ab].csv", "{a,b}.csv", "a:b.csv", "a\nb.csv", "_a.csv", ".csv", "a%20.csv"]
)
def test_a_file_is_read_under_its_own_name_whatever_an_engine_would_take_it_for(sail, config, tmp_path, name):
    """Engines expand patterns, and pass over names that begin with a dot or an underscore without a word."""
    for n, beside in enumerate((name, "ab.csv", "b.csv")):
        (tmp_path / beside).write_text(LINE.format(n=n))

    deliver(sail, config, [tmp_path / name], layout="world_bank", last=FIRST)

    (record,) = Storage.of(config.storage).deliveries().values()
    assert (record.read, record.kept, record.files) == (1, 1, (name,))


def test_a_file_that_is_named_twice_is_read_once(sail, config, tmp_path):
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "a.csv").write_text(LINE.format(n=1))

    paths = [tmp_path / "inbox", tmp_path / "inbox" / "a.csv", tmp_path / "inbox" / ".." / "inbox" / "a.csv"]
    deliver(sail, config, paths, layout="world_bank", last=FIRST)

    (record,) = Storage.of(config.storage).deliveries().values()
    assert record.read == 1


def test_a_pipe_or_a_device_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")

    for path in (tmp_path / "pipe.csv", "/dev/zero"):
        with pytest.raises(InputError, match="is no file, and no link to one"):
            Arrived.of([type(tmp_path)(path)], SOURCE)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("place", ["at the beginning", "in the middle", "at the end"])
def test_a_line_that_can_be_no_row_is_refused_wherever_it_stands(tmp_path, packed, place):
    line, rows = b"\0" * (LONGEST_LINE + 1), LINE.format(n=1).encode() * 30_000
    data = {
        "at the beginning": line + b"\n" + rows,
        "in the middle": rows + line + b"\n" + rows,
        "at the end": rows + line,
    }
    file = tmp_path / ("a.csv.gz" if packed else "a.csv")
    file.write_bytes(gzip.compress(data[place]) if packed else data[place])

    with pytest.raises(InputError, match=r"holds a line longer than 1 MiB\. Expected: text of one row a line"):
        Arrived.of([file], SOURCE)


def test_many_lines_of_an_ordinary_length_are_no_long_line(tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes((b"x" * 9_999 + b"\n") * 400 + b"y" * LONGEST_LINE)

    assert Arrived.of([file], SOURCE).files == (file,)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.csv.zst"])
def test_a_packed_file_of_no_bytes_is_a_transfer_that_failed_and_a_plain_one_is_a_file_without_rows(tmp_path, name):
    (tmp_path / name).touch()
    (tmp_path / "a.csv").touch()

    with pytest.raises(InputError, match="cannot be read to its end"):
        Arrived.of([tmp_path / name], SOURCE)
    assert Arrived.of([tmp_path / "a.csv"], SOURCE).files == (tmp_path / "a.csv",)
