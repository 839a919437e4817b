"""The quality report of an installation: the same whatever the order of deliveries, and nobody in it."""

import gzip
import json
import re
from datetime import date, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs.config import CellsConfig
from jobs.ingest.cells import read_cells
from jobs.quality import store
from jobs.quality.run import write_quality
from jobs.quality.thresholds import QualityConfig
from jobs.storage import Storage
from schemas.errors import InputError
from schemas.subscriber_days import SUBSCRIBER_DAYS
from tests.installations import FIRST, KEY, deliver, files_of, installation, run_whimbrel

TUESDAYS = [date(2026, 3, 3) + timedelta(weeks=n) for n in range(3)]
"""Three days of one weekday: the last is compared with the first two."""

DIGEST = "d2a84f4b8b65ab37ec8f73cd8be2c74a"
"""What stands in a cell's place where columns are shifted and numbers are hashed."""

NUMBERS = [f"2305712{n:05}" for n in range(60)]

CELLS = """cell_id,latitude,longitude,valid_from,valid_to
north-1,-13.80,66.19,2025-01-01,
north-2,-13.80,66.19,2025-01-01,
south-1,-14.60,66.19,2025-01-01,
never-1,-15.40,66.19,2025-01-01,
north-1,-13.80,66.19,2025-01-01,
"""

SETTINGS = """
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[engine]
shuffle_partitions = 2
[pseudonyms]
key_file = "key"
[cells]
path = "cells.csv"
[sources.own]
format = "csv"
header = false
fields = 3
columns = { subscriber = 0, time = 1, cell = 2 }
time_format = "dd/MM/yyyy HH:mm:ss"
time_zone = "local"
"""


def rows(day, *, subscribers=NUMBERS, cells=("north-1", "south-1"), until=24):
    """An event an hour of every subscriber, in turn at each cell."""
    return [
        f"{number},{day:%d/%m/%Y} {hour:02}:{n % 60:02}:00,{cells[(n + hour // 8) % len(cells)]}"
        for n, number in enumerate(subscribers)
        for hour in range(until)
    ]


def written(folder, name, lines):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder / name


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory):
    """Three days, late rows of the second with unknown cells, and the third once more, all but the same."""
    folder = tmp_path_factory.mktemp("files")
    late = [*rows(TUESDAYS[1], subscribers=NUMBERS[:9], cells=("south-1",)), f"{NUMBERS[0]},never,north-1"]
    unknown = rows(TUESDAYS[1], subscribers=NUMBERS[:3], cells=("gone-1", DIGEST))
    again = [*rows(TUESDAYS[2])[:-20], *rows(TUESDAYS[2], subscribers=NUMBERS[:9], cells=("south-1",), until=1)]
    gone = rows(TUESDAYS[2], subscribers=NUMBERS[:1], cells=("gone-2",), until=6)
    again += gone
    files = {
        "first": (written(folder, "first", rows(TUESDAYS[0])), TUESDAYS[0]),
        "second": (written(folder, "second", [*rows(TUESDAYS[1]), *unknown]), TUESDAYS[1]),
        "third": (written(folder, "third", [*rows(TUESDAYS[2]), *gone]), TUESDAYS[2]),
        "late": (written(folder, "late", late), TUESDAYS[1] + timedelta(1)),
        "again": (written(folder, "again", again), TUESDAYS[2]),
    }
    return folder, files


def ingested(session, root, deliveries, order):
    """An installation whose report was written after each delivery, in this order of deliveries."""
    folder, files = deliveries
    cells = written(folder, "cells.csv", CELLS.splitlines())
    config = installation(root, cells=cells).model_copy(update={"quality": QualityConfig(baseline_days=2)})
    for name in order:
        file, day = files[name]
        deliver(session, config, [file], layout="world_bank", first=day, last=day)
        write_quality(config, Storage.of(config.storage), [day])
    return config


@pytest.fixture(scope="module")
def reported(engines, deliveries, tmp_path_factory):
    with engines("sail") as session:
        return ingested(session, tmp_path_factory.mktemp("in_order"), deliveries, list(deliveries[1]))


def report(config):
    """Every file of the report but the kept measures, which also say of what files they were made."""
    root = Storage.of(config.storage).quality
    files = (path for path in root.rglob("*") if path.is_file() and path.parent.name != "measures")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def record(config, day):
    return json.loads((Storage.of(config.storage).quality / "days" / f"{day}.json").read_text())


def found(config, day):
    return {finding["check"]: finding for finding in record(config, day)["findings"]}


@pytest.mark.parametrize(
    "order", [["again", "late", "third", "second", "first"], ["late", "third", "first", "again", "second"]]
)
def test_a_days_report_is_the_same_whatever_the_order_of_deliveries(sail, tmp_path, deliveries, reported, order):
    assert report(ingested(sail, tmp_path, deliveries, order)) == report(reported)


def test_rows_read_are_rows_kept_and_rows_set_aside(reported):
    (delivery,) = record(reported, TUESDAYS[1])["measures"]["deliveries"]

    assert delivery["read"] == delivery["kept"] + sum(delivery["quarantined"].values())
    assert delivery["quarantined"] == {"unknown_cell": 72}
    assert found(reported, TUESDAYS[1])["unknown_cell"]["found"] == "72 rows set aside, 4.76 % of those read"


def test_cells_in_events_that_the_table_lacks_are_named_and_what_may_be_a_number_is_masked(reported):
    assert record(reported, TUESDAYS[1])["measures"]["unknown_cells"] == [
        {"cell": "gone-1", "rows": 40},
        {"cell": "#######", "rows": 32},
    ]


def test_unknown_cells_are_counted_over_all_deliveries_of_a_day(reported):
    assert record(reported, TUESDAYS[2])["measures"]["unknown_cells"] == [{"cell": "gone-2", "rows": 12}]


def test_cells_in_the_table_that_nobody_was_seen_at_are_named(reported):
    measures = record(reported, TUESDAYS[0])["measures"]

    assert measures["unseen_cells"] == ["never-1"]
    assert measures["cells"] == 4
    assert found(reported, TUESDAYS[0])["cell_table"]["found"].startswith("1 cell: stands twice")


def test_a_delivery_that_holds_almost_all_of_another_is_told(reported):
    (pair,) = record(reported, TUESDAYS[2])["measures"]["same"]

    assert 0.95 < pair["share"] < 1
    assert found(reported, TUESDAYS[2])["same_delivery"]["verdict"] == "warning"
    assert found(reported, TUESDAYS[1])["same_delivery"]["verdict"] == "ok", "late rows repeat some, not all"


def test_late_rows_bring_their_days_report_up_to_date(reported):
    assert record(reported, TUESDAYS[1])["measures"]["events"] == 60 * 24 + 9 * 24
    assert found(reported, TUESDAYS[1])["repeated"]["verdict"] == "warning"


def test_a_day_is_compared_with_earlier_days_of_its_weekday(reported):
    assert record(reported, TUESDAYS[2])["baseline_days"] == [str(day) for day in TUESDAYS[:2]]
    assert found(reported, TUESDAYS[2])["rows"]["verdict"] == "warning"
    assert found(reported, TUESDAYS[1])["rows"]["verdict"] == "not judged"


def test_nobody_is_in_the_report_by_number_or_pseudonym(reported):
    storage = Storage.of(reported.storage)
    pseudonyms = {
        str(who)
        for contract, version, day in storage.current(SUBSCRIBER_DAYS, TUESDAYS)
        for who in pq.read_table(storage.version(contract, version) / f"day={day}", partitioning=None)[
            "subscriber"
        ].to_pylist()
    }
    everything = b"".join(path.read_bytes() for path in storage.quality.rglob("*") if path.is_file()).decode(
        errors="replace"
    )

    assert len(pseudonyms) == len(NUMBERS)
    assert not [who for who in (*NUMBERS, *pseudonyms, KEY) if who in everything]
    assert pq.read_schema(storage.quality / "zones" / f"{TUESDAYS[0]}.parquet").names == ["zone", "hour", "presences"]


def test_the_report_is_its_owners_only(reported):
    root = Storage.of(reported.storage).quality

    assert {path.stat().st_mode & 0o777 for path in (root, *root.iterdir()) if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in root.rglob("*") if path.is_file()} == {0o600}


def test_a_report_that_is_up_to_date_is_not_written_again(reported):
    root = Storage.of(reported.storage).quality
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    write_quality(reported, Storage.of(reported.storage), [TUESDAYS[2]])

    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


class KilledError(Exception):
    """The process is no more."""


def test_killed_after_each_file_in_turn_the_report_ends_the_same(reported, monkeypatch):
    storage, whole = Storage.of(reported.storage), store.write_whole
    expected = report(reported)
    for path in [path for path in storage.quality.rglob("*") if path.is_file()]:
        path.unlink()
    kills = 0
    while run_until_killed(reported, monkeypatch, whole):
        kills += 1
        assert kills < 100, "no run gets any further"

    assert report(reported) == expected
    assert kills > len(expected)


def run_until_killed(config, monkeypatch, whole):
    """Write the report in a process that is killed at its second file; whether it was."""
    written_so_far = []

    def write(path, content):
        if written_so_far:
            raise KilledError
        written_so_far.append(path)
        whole(path, content)

    monkeypatch.setattr(store, "write_whole", write)
    try:
        for day in TUESDAYS:
            write_quality(config, Storage.of(config.storage), [day])
    except KilledError:
        return True
    return False


def test_a_day_that_was_never_delivered_is_refused(reported):
    with pytest.raises(InputError, match="No delivery for 2026-03-30"):
        write_quality(reported, Storage.of(reported.storage), [date(2026, 3, 30)])


def configured(root):
    """An installation with a configuration file."""
    root.mkdir(mode=0o700, exist_ok=True)
    for name, text in {"whimbrel.toml": SETTINGS, "cells.csv": CELLS, "key": KEY}.items():
        (root / name).write_text(text)
    (root / "key").chmod(0o600)
    return root / "whimbrel.toml"


def test_what_is_printed_does_not_tell_a_good_day_from_a_bad_one(tmp_path, monkeypatch, capsys):
    day, said = TUESDAYS[0], {}
    for name, lines in {"good": rows(day), "bad": [*rows(day, until=9), *["x,y,z"] * 2_000]}.items():
        settings = configured(tmp_path / name)
        file = written(tmp_path / name, "events", lines)
        options = f"--config {settings}"
        said[name] = [
            run_whimbrel(f"ingest {file} --days {day} --no-quality {options}", monkeypatch, capsys)[:2],
            (settings.parent / "confidential" / "quality").exists(),
            run_whimbrel(f"quality {day} {options}", monkeypatch, capsys)[:2],
            run_whimbrel(f"ingest {file} --days {day} {options}", monkeypatch, capsys)[:2],
        ]
        said[name] = re.sub(str(tmp_path / name), "", str(said[name]))
        page = tmp_path / name / "confidential" / "quality" / "days" / f"{day}.html"
        assert ("</span> error</span>" in page.read_text()) == (name == "bad")

    assert said["good"] == said["bad"]
    assert f"Written:\\n/confidential/quality/days/{day}.html" in said["good"]
    assert "False" in said["good"], "--no-quality leaves it out"


def test_an_ingest_writes_the_report_of_its_days(tmp_path, monkeypatch, capsys):
    settings = configured(tmp_path)
    file = written(tmp_path, "events", rows(TUESDAYS[0]))
    code, *_ = run_whimbrel(f"ingest {file} --days {TUESDAYS[0]} --config {settings}", monkeypatch, capsys)

    assert code == 0
    assert (tmp_path / "confidential" / "quality" / "2026.html").exists()


def measured(session, root, country, lines):
    """What is measured of the synthetic country's first day with these lines."""
    config = installation(root, cells=country.folder / "cells.csv")
    deliver(session, config, [written(root, "events.csv", lines)], layout="world_bank", last=FIRST)
    write_quality(config, Storage.of(config.storage), [FIRST])
    return record(config, FIRST)["measures"]


def planted_oddities(near, far):
    """Rows of SIM boxes, devices, impossible moves and shared numbers, and how many of each."""
    calls = np.random.default_rng(3).permutation(86_400)[:700]
    sims = {
        "still": [[(int(second), near) for second in calls + n] for n in (0, 1)],
        "devices": [[(600 * n + k, near) for n in range(144)] for k in range(3)],
        "too_fast": [[(28_800 + k, near), (29_100 + k, far)] for k in range(4)],
        "two_places": [[(32_400 + k, near), (32_400 + k, far)] for k in range(5)],
    }
    numbers = iter(range(90_000_000, 90_000_100))
    lines = [
        f"{number},{FIRST:%d/%m/%Y} {second % 86_400 // 3600:02}:{second // 60 % 60:02}:{second % 60:02},{cell}"
        for kind in sims.values()
        for number, events in zip(numbers, kind, strict=False)
        for second, cell in events
    ]
    return lines, {kind: len(events) for kind, events in sims.items()}


def test_oddities_planted_in_a_synthetic_day_are_counted_and_nothing_else_changes(sail, tiny_country, tmp_path):
    with gzip.open(files_of(tiny_country, "world_bank")[0], "rt") as file:
        clean = file.read().splitlines()
    towers = read_cells(CellsConfig(path=tiny_country.folder / "cells.csv"))
    standing = sorted((cell for cell in towers if cell.serves(FIRST)), key=lambda cell: (cell.latitude, cell.cell_id))
    odd, counts = planted_oddities(standing[0].cell_id, standing[-1].cell_id)
    before = measured(sail, tmp_path / "clean", tiny_country, clean)
    after = measured(sail, tmp_path / "odd", tiny_country, [*clean, *odd])

    for kind in ("still", "devices"):
        assert after[kind]["sims"] - before[kind]["sims"] == counts[kind]
    for kind in ("too_fast", "two_places"):
        assert after[kind] - before[kind] == counts[kind]
    assert after["still"]["events"] - before["still"]["events"] == 2 * 700
    assert after["devices"]["events"] - before["devices"]["events"] == 3 * 144
    assert after["subscribers"] - before["subscribers"] == sum(counts.values())
    assert after["repeated"] == before["repeated"]
