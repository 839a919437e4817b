"""What is kept of the events does not depend on how they were delivered."""

from collections import Counter
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.ingest import delivery
from jobs.ingest.sources import FILE_NUMBER
from jobs.storage import Storage
from schemas.subscriber_days import NOT_AVAILABLE, SECOND_SHIFT
from tests.installations import (
    FIRST,
    LAST,
    deliver,
    exact_totals,
    files_of,
    installation,
    parts,
    planted,
    quarantine,
    subscriber_days,
)

CUT = 5
"""Days in the first of two deliveries: the second brings late rows of the first one's last day."""

ZONE = ZoneInfo("Indian/Mauritius")


def ingested(session, root, country, layout):
    """Both deliveries of a layout; the configuration and the storage."""
    config, files = installation(root, cells=country.folder / "cells.csv"), files_of(country, layout)
    middle = FIRST + timedelta(CUT)
    deliver(session, config, files[:CUT], layout=layout, last=middle - timedelta(1))
    deliver(session, config, files[CUT:], layout=layout, first=middle)
    return config, Storage.of(config.storage)


@pytest.fixture(scope="module")
def everywhere(engines, tiny_country, tmp_path_factory):
    """Each layout on each engine."""
    made = {}
    for engine in ("sail", "spark"):
        with engines(engine) as session:
            for layout in ("whimbrel", "world_bank"):
                root = tmp_path_factory.mktemp(f"{engine}_{layout}")
                made[engine, layout] = ingested(session, root, tiny_country, layout)
    return made


@pytest.mark.parametrize("engine", ["sail", "spark"])
@pytest.mark.parametrize("layout", ["whimbrel", "world_bank"])
def test_every_row_read_is_kept_or_quarantined_for_the_reason_that_was_planted(
    everywhere, tiny_country, engine, layout
):
    records = everywhere[engine, layout][1].deliveries().values()
    read, reasons = planted(tiny_country, layout)
    found = sum((Counter(record.quarantined) for record in records), Counter())

    assert found == reasons
    assert sum(record.read for record in records) == read
    assert sum(record.kept for record in records) == read - sum(reasons.values())


def test_both_layouts_of_the_same_days_give_the_same_subscriber_days(everywhere):
    parquet, csv = (subscriber_days(everywhere["sail", layout][1]) for layout in ("whimbrel", "world_bank"))

    assert {key: events for key, (*events, _, _) in parquet.items()} == {
        key: events for key, (*events, _, _) in csv.items()
    }


def test_the_registrants_sex_and_age_band_are_kept_where_a_layout_holds_them(everywhere, tiny_country):
    parquet, csv = (subscriber_days(everywhere["sail", layout][1]) for layout in ("whimbrel", "world_bank"))
    strata = {(who, sex, age) for (_, who), (_, _, sex, age) in parquet.items()}
    registered = pq.read_table(tiny_country.folder / "truth/people.parquet", columns=["sex", "age_band"]).to_pylist()
    unseen = Counter((row["sex"], row["age_band"]) for row in registered)
    unseen.subtract((sex, age) for _, sex, age in strata)

    assert {(sex, age) for _, _, sex, age in csv.values()} == {(NOT_AVAILABLE, NOT_AVAILABLE)}
    assert len(strata) == len({who for who, _, _ in strata}), "a subscriber has one stratum"
    assert 0 <= sum(count for stratum, count in unseen.items() if stratum != (NOT_AVAILABLE, NOT_AVAILABLE)) < 15
    assert min(count for stratum, count in unseen.items() if stratum != (NOT_AVAILABLE, NOT_AVAILABLE)) >= 0


def test_the_subscriber_days_hold_every_kept_event_once(everywhere):
    storage = everywhere["sail", "whimbrel"][1]
    days = subscriber_days(storage)

    assert sum(events for _, events, *_ in days.values()) == sum(r.kept for r in storage.deliveries().values())
    assert all(len(points) == events and list(points) == sorted(points) for points, events, *_ in days.values())


@pytest.mark.parametrize("layout", ["whimbrel", "world_bank"])
def test_spark_and_sail_write_the_same_parts_days_and_quarantine(everywhere, layout):
    sail, spark = (everywhere[engine, layout][1] for engine in ("sail", "spark"))

    assert parts(sail) == parts(spark)
    assert subscriber_days(sail) == subscriber_days(spark)
    assert quarantine(sail) == quarantine(spark)
    assert sail.deliveries() == spark.deliveries()


def test_spark_and_sail_find_the_same_exact_totals_in_what_either_wrote(engines, everywhere):
    totals = {}
    for reader in ("sail", "spark"):
        with engines(reader) as session:
            for writer in ("sail", "spark"):
                totals[reader, writer] = exact_totals(session, everywhere[writer, "whimbrel"][0])

    expected = totals["sail", "sail"]
    assert totals == dict.fromkeys(totals, expected)
    assert len(expected) > 100


def test_ingesting_a_delivery_again_changes_nothing(sail, everywhere, tiny_country):
    config, storage = everywhere["sail", "world_bank"]
    before = fingerprint(storage)

    deliver(sail, config, files_of(tiny_country, "world_bank")[CUT:], layout="world_bank", first=FIRST + timedelta(CUT))

    assert fingerprint(storage) == before


def test_a_copy_of_a_delivery_under_other_names_is_recognised(sail, everywhere, tiny_country, tmp_path):
    config, storage = everywhere["sail", "world_bank"]
    before = fingerprint(storage)
    copies = [tmp_path / f"copy_{n}.csv.gz" for n in range(CUT)]
    for copy, file in zip(copies, files_of(tiny_country, "world_bank"), strict=False):
        copy.write_bytes(file.read_bytes())

    deliver(sail, config, [tmp_path], layout="world_bank", last=FIRST + timedelta(CUT - 1))

    assert fingerprint(storage) == before


def test_a_file_named_by_a_subscribers_number_is_kept_under_a_masked_name(
    sail, tiny_country, tmp_path, monkeypatch, capsys
):
    number = "230571234567"
    file = tmp_path / f"user_{number}.csv"
    file.write_text(f"{number},{FIRST:%d/%m/%Y} 10:00:00,SYN-00000-1\n{number},never,SYN-00000-1\n")
    config = installation(tmp_path / "root", cells=tiny_country.folder / "cells.csv")
    monkeypatch.setattr(delivery, "quarantined", explained(delivery.quarantined))

    deliver(sail, config, [file], layout="world_bank", last=FIRST)

    storage = Storage.of(config.storage)
    (record,) = storage.deliveries().values()
    assert record.files == ("user_#######.csv",)
    assert [row[1] for row in quarantine(storage)] == ["user_#######.csv"]
    assert not [path for path, content in fingerprint(storage).items() if number.encode() in content]
    plan = capsys.readouterr().out
    assert FILE_NUMBER in plan
    assert number not in plan, "rows are read through a link, whose name tells nothing of the file's"


def explained(stage):
    """The stage, which tells its plan before it is run."""

    def explaining(*tables, **parameters):
        rows = stage(*tables, **parameters)
        rows.explain(extended=True)
        return rows

    return explaining


def test_a_day_after_the_seconds_of_32_bits_have_run_out_is_a_day(engine, tiny_country, tmp_path):
    config, day = installation(tmp_path / "root", cells=tiny_country.folder / "cells.csv"), date(2040, 3, 2)
    (file := tmp_path / "day.csv").write_text(f"263771234567,{day:%d/%m/%Y} 00:00:05,SYN-00000-1\n")

    deliver(engine, config, [file], layout="world_bank", first=day, last=day)

    [(points, *_)] = subscriber_days(Storage.of(config.storage), day, day).values()
    assert [point >> SECOND_SHIFT for point in points] == [5]


def test_what_is_said_does_not_tell_whether_a_row_was_set_aside(sail, tiny_country, tmp_path):
    lines = [f"2305712345{n},{FIRST:%d/%m/%Y} 10:00:00,SYN-00000-1\n" for n in (10, 11)]
    said = {}
    for name, text in {"all kept": lines, "one set aside": [*lines, "x\n"]}.items():
        root = tmp_path / name
        config = installation(root, cells=tiny_country.folder / "cells.csv")
        (root / "events.csv").write_text("".join(text))
        deliver(
            sail,
            config,
            [root / "events.csv"],
            layout="world_bank",
            last=FIRST,
            progress=said.setdefault(name, []).append,
        )
        (record,) = Storage.of(config.storage).deliveries().values()
        assert bool(record.quarantined) == (name == "one set aside")

    assert said["all kept"] == said["one set aside"]


def fingerprint(storage):
    """Every file of the confidential root with its content."""
    return {path: path.read_bytes() for path in sorted(storage.confidential.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_same_rows_cut_into_other_deliveries_give_the_same_subscriber_days(
    sail, everywhere, tiny_country, tmp_path, seed
):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    deliveries = recut(tiny_country, np.random.default_rng(seed), tmp_path / "cut")

    for folder, first, last in deliveries:
        deliver(sail, config, [folder], first=first, last=last)

    storage, straight = Storage.of(config.storage), everywhere["sail", "whimbrel"][1]
    assert len(storage.deliveries()) == len(deliveries)
    assert subscriber_days(storage) == subscriber_days(straight)


def recut(country, random, folder):
    """The country's rows, shuffled over deliveries that may still bring them; the deliveries in any order.

    Each day has a delivery of its own, and one more is for all days, so that every row may come where it belongs or
    late by up to seven days.
    """
    rows = pa.concat_tables(pq.read_table(file) for file in files_of(country, "whimbrel"))
    days = [FIRST + timedelta(n) for n in range((LAST - FIRST).days + 1)]
    spans = [*((day, day) for day in days), (FIRST, LAST)]
    local = [at and at.astimezone(ZONE).date() for at in rows["event_at"].to_pylist()]
    where = np.array([random.choice(may_bring(day, spans)) for day in local])
    made = []
    for number in random.permutation(len(spans)):
        mine = rows.take(pa.array(random.permutation(np.flatnonzero(where == number))))
        target = folder / str(number)
        target.mkdir(parents=True)
        for half, table in enumerate((mine.slice(0, len(mine) // 2), mine.slice(len(mine) // 2))):
            pq.write_table(table, target / f"{half}.parquet")
        made.append((target, *spans[number]))
    return made


def may_bring(day, spans):
    """Numbers of the deliveries whose window a day lies in; any where it lies in none, or there is no day."""
    inside = [n for n, (first, last) in enumerate(spans) if day and first - timedelta(7) <= day <= last]
    return inside or list(range(len(spans)))
