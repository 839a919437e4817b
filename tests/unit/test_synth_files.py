import csv
import functools
import gzip
import hashlib
import itertools
import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import h3
import pyarrow.parquet as pq
import pytest

from jobs.synth import Dirt, Reason, synthesise
from jobs.synth.country import TIME_ZONE
from jobs.synth.people import numbers
from schemas.errors import ConfigError, InputError

FIRST_DAY, DAYS, PEOPLE = date(2026, 3, 2), 6, 400
ARGUMENTS = {"seed": 5, "subscribers": PEOPLE, "first_day": FIRST_DAY, "days": DAYS}
LAYOUTS = ("whimbrel", "world_bank")
ZONE = ZoneInfo(TIME_ZONE)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return synthesise(tmp_path_factory.mktemp("synth") / "country", layouts=LAYOUTS, **ARGUMENTS)


@pytest.fixture(scope="module")
def cells(made):
    with (made.folder / "cells.csv").open() as file:
        return list(csv.DictReader(file))


def digests(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def read_whimbrel(path):
    """Rows as (number, local time, cell) as they stand; what is missing is None."""
    for row in pq.read_table(path).to_pylist():
        local = row["event_at"] and row["event_at"].astimezone(ZONE).replace(tzinfo=None)
        yield row["msisdn"], local, row["cell_id"]


def read_world_bank(path):
    with gzip.open(path, "rt") as file:
        for fields in csv.reader(file):
            yield tuple(fields)


def normalised(number):
    return (number or "").strip().lstrip("+0")


def local_time(text):
    try:
        return datetime.strptime(text, "%d/%m/%Y %H:%M:%S")
    except ValueError:
        return None


def reason(fields, cells):
    """A naive reader: the first check that a row fails, or None."""
    if len(fields) != 3:
        return Reason.MALFORMED_ROW
    number, when, cell = fields
    known = [row for row in cells if row["cell_id"] == cell]
    checks = {
        Reason.MISSING_SUBSCRIBER: lambda: not normalised(number),
        Reason.UNREADABLE_TIME: lambda: when is None,
        Reason.TIME_OUTSIDE_DELIVERY: lambda: not FIRST_DAY <= when.date() < FIRST_DAY + timedelta(days=DAYS),
        Reason.MISSING_CELL: lambda: not cell,
        Reason.UNKNOWN_CELL: lambda: not known,
        Reason.CELL_OUT_OF_SERVICE: lambda: (
            not any(row["valid_from"] <= when.date().isoformat() < (row["valid_to"] or "9999") for row in known)
        ),
    }
    return next((reason for reason, fails in checks.items() if fails()), None)


@pytest.fixture(scope="module")
def rows_of(made):
    """Rows of a delivered file, with local date-times; malformed ones with the fields they have."""
    return functools.cache(lambda name: read(made.folder / name))


def read(path):
    if path.suffix == ".parquet":
        return list(read_whimbrel(path))
    rows = read_world_bank(path)
    return [(row[0], local_time(row[1]), row[2]) if len(row) == 3 else row for row in rows]


def test_the_number_of_processes_does_not_change_a_byte(made, tmp_path):
    again = synthesise(tmp_path / "again", layouts=LAYOUTS, processes=2, **ARGUMENTS)
    assert digests(again.folder) == digests(made.folder)


def test_another_seed_gives_other_events(made, tmp_path):
    other = synthesise(tmp_path / "other", **{**ARGUMENTS, "seed": 6, "days": 1})
    assert not set(digests(other.folder).values()) & set(digests(made.folder).values())


def test_a_layout_is_the_same_with_and_without_the_other(made, tmp_path):
    alone = synthesise(tmp_path / "alone", **ARGUMENTS)
    name = "whimbrel/2026-03-04.parquet"
    assert digests(alone.folder)[name] == digests(made.folder)[name]


def test_both_layouts_tell_the_same_events_row_by_row(rows_of):
    for day in range(DAYS):
        name = (FIRST_DAY + timedelta(days=day)).isoformat()
        ours = rows_of(f"whimbrel/{name}.parquet")
        theirs = [row for row in rows_of(f"world_bank/{name}.csv.gz") if len(row) == 3]
        assert [(n or "", when, cell or "") for n, when, cell in ours] == theirs


def test_a_naive_reader_quarantines_exactly_what_was_planted(made, cells, rows_of):
    expected = json.loads((made.folder / "truth/expected_quarantine.json").read_text())
    assert sorted(expected) == list(made.files)
    for name in made.files:
        rows = rows_of(name)
        found = Counter(reason(row, cells) for row in rows)
        assert expected[name]["rows"] == len(rows)
        assert expected[name]["quarantined"] == {reason.value: found[reason] for reason in Reason}
        assert found[Reason.MISSING_CELL] > 0


def test_late_rows_stand_in_the_next_days_file(made, rows_of):
    expected = json.loads((made.folder / "truth/expected_quarantine.json").read_text())
    for name in made.files:
        day = date.fromisoformat(name.split("/")[1][:10])
        times = [row[1].date() for row in rows_of(name) if len(row) == 3 and row[1]]
        late = sum(time == day - timedelta(days=1) for time in times)
        assert late == expected[name]["late"]
        assert day != FIRST_DAY or late == 0
    assert sum(expected[name]["late"] for name in made.files) > 0


def test_repeated_rows_follow_their_original_letter_by_letter(made, rows_of):
    expected = json.loads((made.folder / "truth/expected_quarantine.json").read_text())
    for name in made.files:
        rows = rows_of(name)
        repeated = sum(one == two for one, two in itertools.pairwise(rows))
        assert repeated >= expected[name]["repeated"] > 0


def test_kept_rows_stand_in_order_of_time(made, cells, rows_of):
    for name in made.files:
        times = [row[1] for row in rows_of(name) if reason(row, cells) is None]
        assert times == sorted(times)


def test_numbers_are_spelled_in_several_ways_and_mean_known_sims(made, rows_of):
    spelled = {row[0] for name in made.files for row in rows_of(name) if row[0] and len(row) == 3}
    assert {normalised(number) for number in spelled} <= set(numbers(0, PEOPLE + 1))
    assert {number[0] for number in spelled} == {"2", "+", "0"}
    assert any(number.endswith(" ") for number in spelled)


def test_the_same_version_gives_the_same_events_for_ever(made):
    text = gzip.decompress((made.folder / "world_bank/2026-03-04.csv.gz").read_bytes())
    assert hashlib.sha256(text).hexdigest()[:16] == "a7dfff84bf96412b", (
        "other events for the same arguments: raise VERSION"
    )


def test_parquet_columns_have_their_declared_types(made):
    schema = pq.read_schema(made.folder / made.files[0])
    assert [(field.name, str(field.type)) for field in schema] == [
        ("msisdn", "string"),
        ("event_at", "timestamp[us, tz=UTC]"),
        ("cell_id", "string"),
        ("sex", "string"),
        ("age_band", "string"),
    ]


def test_some_cells_moved_opened_and_closed_but_most_did_not(cells):
    start = FIRST_DAY.isoformat()
    names = Counter(row["cell_id"] for row in cells)
    assert max(names.values()) == 2
    assert any(row["valid_from"] > start for row in cells)
    assert any("" < row["valid_to"] <= start for row in cells)
    assert any(row["valid_to"] > start for row in cells)
    assert sum(row["valid_to"] == "" for row in cells) > 0.9 * len(cells)


def test_the_truth_stays_in_zones_where_cells_stand(made, cells):
    zones = {h3.latlng_to_cell(float(row["latitude"]), float(row["longitude"]), 6) for row in cells}
    for path in (made.folder / "truth/trips").iterdir():
        table = pq.read_table(path)
        assert set(table["origin_h3"].to_pylist()) | set(table["destination_h3"].to_pylist()) <= zones
    assert made.true_trips > 0


def test_the_folder_is_marked_as_synthetic(made):
    mark = json.loads((made.folder / "SYNTHETIC").read_text())
    assert mark["synthetic"] is True
    assert (mark["seed"], mark["subscribers"], mark["days"], mark["first_day"]) == (
        5,
        PEOPLE,
        DAYS,
        "2026-03-02",
    )
    assert mark["files"] == {name: sha256 for name, sha256 in digests(made.folder).items() if name in made.files}


def test_the_map_shows_coast_roads_and_towns(made):
    features = json.loads((made.folder / "geography.geojson").read_text())["features"]
    kinds = Counter(feature["properties"]["kind"] for feature in features)
    assert kinds["coast"] == 1
    assert kinds["town"] - 1 <= kinds["road"]
    ring = features[0]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]


def test_a_finished_folder_is_returned_untouched(made):
    before = digests(made.folder)
    assert synthesise(made.folder, layouts=LAYOUTS, **ARGUMENTS) == made
    assert synthesise(made.folder, layouts=("world_bank",), **ARGUMENTS).layouts == ("world_bank",)
    assert digests(made.folder) == before


def test_a_folder_that_holds_anything_else_is_refused(made, tmp_path):
    with pytest.raises(InputError, match="another synthetic country"):
        synthesise(made.folder, **{**ARGUMENTS, "seed": 6})
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="something else"):
        synthesise(tmp_path, **ARGUMENTS)
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_failure_leaves_nothing_behind(tmp_path):
    def fail(what, *_):
        if what == "day":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesise(tmp_path / "out", progress=fail, **ARGUMENTS)
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_the_days(tmp_path):
    seen = []
    synthesise(tmp_path / "out", progress=lambda *step: seen.append(step), **{**ARGUMENTS, "days": 2})
    assert seen == [("country", 1, 1), ("day", 1, 2), ("day", 2, 2)]


def test_a_clean_country_has_no_dirty_rows(tmp_path):
    spotless = Dirt(*[0.0] * 9)
    made = synthesise(tmp_path / "out", dirt=spotless, layouts=LAYOUTS, **ARGUMENTS)
    assert set(made.quarantined.values()) == {0}


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"layouts": ("excel",)}, {"layouts": ()}, {"subscribers": 3}, {"seed": -2}]
)
def test_wrong_arguments_are_refused_before_anything_is_written(tmp_path, wrong):
    with pytest.raises(ConfigError):
        synthesise(tmp_path / "out", **{**ARGUMENTS, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_shares_of_dirt_must_be_shares():
    with pytest.raises(ConfigError):
        Dirt(late=-0.1)
    with pytest.raises(ConfigError):
        Dirt(unknown_cell=0.6)


def test_instants_are_utc_and_files_local_days(made):
    table = pq.read_table(made.folder / "whimbrel/2026-03-03.parquet").to_pylist()
    instants = [row["event_at"] for row in table if row["event_at"]]
    start = datetime(2026, 3, 2, 20, tzinfo=UTC)
    inside = [start <= instant < start + timedelta(days=1) for instant in instants]
    assert sum(inside) > 0.99 * len(inside)
