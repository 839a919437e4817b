"""Verbs on a real Spark cluster: a master and two workers as processes of their own, one of them lost at work.

Tests run in their order: each goes on with what the one before left, as a cluster does.
"""

import json
import stat

import pytest

from jobs.config import Config
from jobs.releases import Desk
from jobs.storage import Storage
from tests.e2e.cluster import LOST, free_port
from tests.e2e.installed import TOTALS, ended
from tests.installations import FIRST, WEEK, quarantine, subscriber_days

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_500)]  # its processes share a machine with whatever else runs


def test_an_ingest_that_loses_a_worker_at_work_writes_the_days_of_the_embedded_engine(
    cluster, drivers, toml, country, embedded
):
    cluster.fill()
    process, log = drivers.start("ingest", country.folder / "whimbrel", "--days", WEEK, "--config", toml)
    assert cluster.lose_a_worker_at_work(lambda: process.poll() is not None), "it was over too soon"

    assert ended(process, log) == 0
    assert LOST in log.read_text()
    ours, theirs = Storage.of(Config.load(toml).storage), embedded[0]
    assert subscriber_days(ours, FIRST, WEEK.last_day) == subscriber_days(theirs, FIRST, WEEK.last_day)
    assert quarantine(ours) == quarantine(theirs)
    assert not (ours.confidential / "scratch").exists()
    assert stat.S_IMODE(ours.confidential.stat().st_mode) == 0o700


def test_exact_totals_are_those_of_the_embedded_engine_where_a_worker_is_lost_at_work(
    cluster, drivers, toml, embedded, tmp_path
):
    cluster.fill()
    process, log = drivers.start_program(TOTALS, toml, WEEK, tmp_path / "totals.json")
    assert cluster.lose_a_worker_at_work(lambda: process.poll() is not None)

    assert ended(process, log) == 0
    assert LOST in log.read_text()
    found = json.loads((tmp_path / "totals.json").read_text())
    assert {int(key): total for key, total in found.items()} == embedded[1]
    assert sum(found.values()) > 0


def test_a_release_that_loses_a_worker_at_work_is_one_charge_one_draw_and_the_same_when_repeated(
    cluster, drivers, toml
):
    cluster.fill()
    process, log = drivers.start("release", "od_trips", WEEK, "--config", toml)
    assert cluster.lose_a_worker_at_work(lambda: process.poll() is not None)
    assert ended(process, log) == 0
    assert LOST in log.read_text()
    desk = Desk.of(Config.load(toml))
    sealed = desk.ledger.sealed(desk.plan("od_trips", WEEK, 1).key)

    process, log = drivers.start("release", "od_trips", WEEK, "--config", toml)

    assert ended(process, log) == 0
    assert [entry.kind for entry in desk.ledger.entries()] == ["RESERVE", "SEAL"]
    assert len(desk.ledger.charges()) == 1
    assert desk.ledger.sealed(desk.plan("od_trips", WEEK, 1).key) == sealed
    assert desk.vault.kept() == {sealed.artefact_sha256}
    assert not any(desk.storage.exact("").glob("*"))


def test_a_master_that_is_not_there_is_a_refusal_that_names_the_remedy(drivers, toml, country):
    nobody = f"spark://127.0.0.1:{free_port()}"
    process, log = drivers.start("ingest", country.folder / "whimbrel", "--days", WEEK, "--config", toml, master=nobody)

    assert ended(process, log) == 2
    assert "Spark did not start" in log.read_text()
    assert "correct --master" in log.read_text()
