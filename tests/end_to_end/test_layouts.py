"""A new user's way: inspect a file, take the draft or the documented mapping, ingest; and all layouts say the same."""

import tomllib
from datetime import timedelta

import pytest

from jobs.config import SourceConfig
from jobs.ingest.delivery import ingest
from jobs.inspection.verb import draft, inspect
from jobs.storage import Storage
from schemas.errors import ConfigError, InputError
from tests.installations import FIRST, installation, run_whimbrel, subscriber_days
from tests.layouts import blocks, events_of, mappings, write_all

LAST = FIRST + timedelta(1)
HIVE = ("west", "east")
LAYOUTS = ("own", "world_bank", "flowkit", "multimno", "ssciwr", HIVE)
NOT_TOLD = {"west": {"time_zone", "required"}, "east": {"time_zone", "required"}}
"""Keys that no file can tell: by whose clock folders are named, and what a day needs."""


@pytest.fixture(scope="module")
def events(tiny_country):
    return events_of(tiny_country, FIRST, LAST)


@pytest.fixture(scope="module")
def folders(events, tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("layouts"), events)


def ingested(session, root, country, folders, names):
    """Each source as one delivery of both days."""
    config = installation(root, cells=country.folder / "cells.csv")
    config = config.model_copy(update={"sources": {name: mappings()[name] for name in names}})
    storage = Storage.of(config.storage)
    for name in names:
        ingest(session, config, storage, [folders[name]], source=config.source(name), first=FIRST, last=LAST)
    return storage


@pytest.fixture(scope="module")
def straight(engines, tiny_country, folders, tmp_path_factory):
    with engines("sail") as session:
        storage = ingested(session, tmp_path_factory.mktemp("straight"), tiny_country, folders, ["own"])
    return subscriber_days(storage, last=LAST)


def test_six_layouts_of_one_country_give_the_same_subscriber_days(
    sail, tiny_country, folders, events, straight, tmp_path
):
    assert sum(count for _, count, *_ in straight.values()) == len(events) > 1_000
    for layout in LAYOUTS[1:]:
        names = [layout] if isinstance(layout, str) else layout
        storage = ingested(sail, tmp_path / names[0], tiny_country, folders, names)

        assert subscriber_days(storage, last=LAST) == straight, layout
        assert {name: record.quarantined for name, record in storage.deliveries().items() if record.quarantined} == {}


@pytest.mark.parametrize("names", [["ssciwr"], ["flowkit"], HIVE], ids=["ssciwr", "flowkit", "hive"])
def test_spark_reads_the_trickiest_of_them_alike(engines, tiny_country, folders, straight, tmp_path, names):
    with engines("spark") as session:
        storage = ingested(session, tmp_path, tiny_country, folders, names)

    assert subscriber_days(storage, last=LAST) == straight


@pytest.mark.parametrize("name", [*LAYOUTS[:-1], *HIVE])
def test_the_draft_of_inspect_is_the_documented_mapping(folders, name):
    drafted = tomllib.loads(draft(inspect([folders[name]]), "new"))["sources"]["new"]
    told = SourceConfig.model_validate(drafted).model_dump()
    documented = mappings()[name].model_dump()

    assert {key for key in told if told[key] != documented[key]} == NOT_TOLD.get(name, set())


def test_every_documented_mapping_is_short_and_valid():
    assert len(mappings()) == 8
    assert all(len(block.strip().splitlines()) <= 25 for block in blocks())


def test_a_day_counts_as_delivered_once_every_required_source_delivered_it(sail, tiny_country, folders, tmp_path):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    config = config.model_copy(update={"sources": {name: mappings()[name] for name in HIVE}})
    storage = Storage.of(config.storage)
    ingest(sail, config, storage, [folders["west"]], source=config.source("west"), first=FIRST, last=LAST)
    with pytest.raises(InputError, match="No delivery for 2026-03-02, 2026-03-03"):
        subscriber_days(storage, last=LAST)

    ingest(sail, config, storage, [folders["east"]], source=config.source("east"), first=FIRST, last=LAST)

    assert subscriber_days(storage, last=LAST)


def test_of_folders_only_the_hours_of_the_delivery_s_local_days_are_read(sail, tiny_country, folders, tmp_path):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    storage, source = Storage.of(config.storage), mappings()["west"].model_copy(update={"required": False})
    ingest(sail, config, storage, [folders["west"]], source=source, first=FIRST, last=FIRST)

    (record,) = storage.deliveries().values()
    assert record.days == (FIRST,)
    assert record.quarantined == {}


def test_an_engine_without_the_table_says_so(sail, tiny_country, tmp_path):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    with pytest.raises(ConfigError, match=r"has no table telecom.events\. Expected: .*Remedy: .*--engine spark"):
        ingest(sail, config, Storage.of(config.storage), [], source=mappings()["lake"], first=FIRST, last=FIRST)


def test_a_table_of_the_catalogue_is_read_by_its_days(sail, tiny_country, folders, straight, tmp_path):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    rows = sail.read.parquet(str(folders["own"] / "events.parquet"))
    rows.selectExpr("*", "substring(cast(event_at + interval 4 hours as string), 1, 10) AS dt").createOrReplaceTempView(
        "ev"
    )
    source = mappings()["lake"].model_copy(update={"table": "ev"})
    ingest(sail, config, Storage.of(config.storage), [], source=source, first=FIRST, last=FIRST)

    found = subscriber_days(Storage.of(config.storage), last=FIRST)
    assert found == {key: row for key, row in straight.items() if key[0] == FIRST}


def test_a_dry_run_shows_the_plan_and_leaves_no_trace(tiny_country, folders, tmp_path, monkeypatch, capsys):
    mapping = next(block for block in blocks() if "[sources.multimno]" in block)
    (tmp_path / "whimbrel.toml").write_text(
        f'[country]\nname = "Numenia"\ntimezone = "Indian/Mauritius"\n[pseudonyms]\nkey_file = "key"\n'
        f'[cells]\npath = "{tiny_country.folder / "cells.csv"}"\n{mapping}'
    )
    line = f"ingest {folders['multimno']} --days 2026-03-02 --dry-run --config {tmp_path / 'whimbrel.toml'}"
    code, out, _ = run_whimbrel(line, monkeypatch, capsys)

    assert code == 0
    assert "1: part-0.parquet" in out
    assert "year=yyyy/month=M/day=d" in out
    assert [path.name for path in tmp_path.iterdir()] == ["whimbrel.toml"]
