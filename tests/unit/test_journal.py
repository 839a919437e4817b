"""What a run leaves for those who operate Whimbrel: lines of a log and metrics, without a count or an identifier."""

import json
import re
import stat
from datetime import UTC, datetime

import pytest

from jobs import metrics
from jobs.config import Config
from jobs.storage import Storage
from privacy.ledger import Ledger
from tests.installations import installation, run_whimbrel
from tests.ledgers import CAPS, specification

AT = datetime(2026, 3, 20, 12, tzinfo=UTC)


@pytest.fixture
def installed(tmp_path):
    """An installation in a folder, with its `whimbrel.toml`."""
    cells = tmp_path / "cells.csv"
    cells.write_text("cell_id,latitude,longitude,valid_from,valid_to\na,-20.2,57.5,2026-01-01,\n")
    config = installation(tmp_path, cells=cells)
    (tmp_path / "whimbrel.toml").write_text(
        '[country]\nname = "Numenia"\ntimezone = "Indian/Mauritius"\n'
        '[pseudonyms]\nkey_file = "key"\n[cells]\npath = "cells.csv"\n'
        '[approval]\ntrust = "trust.toml"\npublisher_key = "keys/gate.pem"\n'
        '[sources.own]\nformat = "parquet"\ncolumns = {subscriber = "a", time = "b", cell = "c"}\n'
    )
    assert Config.load(tmp_path / "whimbrel.toml").storage == config.storage
    return tmp_path


def lines_of(told):
    return [json.loads(line) for line in told.splitlines()]


def test_a_refusal_is_a_line_that_names_verb_product_period_and_remedy(installed, monkeypatch, capsys):
    monkeypatch.setenv("WHIMBREL_LOG", "json")
    toml = installed / "whimbrel.toml"
    code, _, told = run_whimbrel(f"publish od_trips 2026-W10 --config {toml}", monkeypatch, capsys)

    refusal, end = lines_of(told)[-2:]
    about = {"verb": "publish", "product": "od_trips", "period": "2026-W10", "revision": "1"}
    assert refusal.items() >= {**about, "level": "error", "event": "PrivacyError"}.items()
    assert "whimbrel release od_trips 2026-W10" in refusal["message"]
    assert end.items() >= {**about, "event": "ended", "exit_code": code}.items()
    assert code == 2


def test_without_being_asked_nothing_is_logged(installed, monkeypatch, capsys):
    monkeypatch.delenv("WHIMBREL_LOG", raising=False)
    toml = installed / "whimbrel.toml"
    _, _, told = run_whimbrel(f"publish od_trips 2026-W10 --config {toml}", monkeypatch, capsys)
    assert '"event"' not in told


def test_each_verb_leaves_how_it_ended_and_keeps_when_it_last_went_well(installed, monkeypatch, capsys):
    Storage.of(Config.load(installed / "whimbrel.toml").storage)
    for verb in ("ledger", "publish od_trips 2026-W10"):
        run_whimbrel(f"{verb} --config {installed / 'whimbrel.toml'}", monkeypatch, capsys)

    told = read(installed)
    assert told['whimbrel_verb_last_exit_code{verb="ledger"}'] == 0
    assert told['whimbrel_verb_last_exit_code{verb="publish"}'] == 2
    assert 'whimbrel_verb_last_success_timestamp_seconds{verb="ledger"}' in told
    assert 'whimbrel_verb_last_success_timestamp_seconds{verb="publish"}' not in told


def read(root):
    """Metrics by their name and labels, read as Prometheus does."""
    text = (root / "confidential" / "metrics" / metrics.FILE).read_text()
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})?', name) for name, _ in rows)
    return {name: float(value) for name, value in rows}


def test_a_success_is_remembered_over_later_failures(installed):
    config = Config.load(installed / "whimbrel.toml")
    Storage.of(config.storage)
    metrics.record(config, "ingest", 0, AT)
    metrics.record(config, "ingest", 1, AT.replace(hour=13))
    told = read(installed)
    assert told['whimbrel_verb_last_success_timestamp_seconds{verb="ingest"}'] == AT.timestamp()
    assert told['whimbrel_verb_last_run_timestamp_seconds{verb="ingest"}'] == AT.timestamp() + 3600
    assert told['whimbrel_verb_last_exit_code{verb="ingest"}'] == 1


def test_what_is_left_of_a_pool_is_the_ledgers(installed):
    config = Config.load(installed / "whimbrel.toml")
    Storage.of(config.storage)
    Ledger.open(config.storage.ledger_url).reserve(specification(), caps=CAPS)
    metrics.record(config, "release", 0, AT)
    told = read(installed)
    assert told['whimbrel_pool_left_micro_rho{pool="routine",month="2026-03"}'] == 227_000
    assert told['whimbrel_releases{state="reserve"}'] == 1
    assert told["whimbrel_ledger_readable"] == 1


def test_a_ledger_that_cannot_be_read_is_a_metric_and_no_failure(installed):
    config = Config.load(installed / "whimbrel.toml")
    Storage.of(config.storage)
    (config.storage.confidential / "ledger.sqlite").write_text("no ledger")
    metrics.record(config, "release", 2, AT)
    assert read(installed)["whimbrel_ledger_readable"] == 0


def test_before_the_first_release_no_ledger_is_missed_and_after_it_one_is(installed):
    config = Config.load(installed / "whimbrel.toml")
    storage = Storage.of(config.storage)
    metrics.record(config, "ingest", 0, AT)
    assert "whimbrel_ledger_readable" not in read(installed)

    (storage.release / "od_trips_2026-W10_r1").mkdir()
    (storage.release / "od_trips_2026-W10_r1" / "card.json").touch()
    metrics.record(config, "ingest", 0, AT)
    assert read(installed)["whimbrel_ledger_readable"] == 0


def test_metrics_are_their_owners_alone(installed):
    config = Config.load(installed / "whimbrel.toml")
    Storage.of(config.storage)
    metrics.record(config, "ledger", 0, AT)
    folder = config.storage.confidential / "metrics"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / metrics.FILE).stat().st_mode) == 0o600


def test_where_there_is_no_confidential_root_none_is_made_for_metrics(installed):
    config = Config.load(installed / "whimbrel.toml")
    metrics.record(config, "ledger", 0, AT)
    assert not config.storage.confidential.exists()


def test_metrics_that_cannot_be_written_fail_nothing(installed):
    config = Config.load(installed / "whimbrel.toml")
    Storage.of(config.storage)
    (config.storage.confidential / "metrics").write_text("a file in the folder's place")
    metrics.record(config, "ledger", 0, AT)


def test_every_metric_says_what_it_is(installed):
    config = Config.load(installed / "whimbrel.toml")
    Storage.of(config.storage)
    Ledger.open(config.storage.ledger_url)
    metrics.record(config, "ledger", 0, AT)
    assert {name.partition("{")[0] for name in read(installed)} <= metrics.HELP.keys()
