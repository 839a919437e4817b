"""The doctor: a sound installation passes, and each fault that is planted is found, named, and given a remedy."""

import json
import os
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from jobs import doctor
from jobs.config import Config, EngineConfig
from jobs.doctor import Finding, State, examine, is_fit
from jobs.storage import Storage
from privacy.ledger import Ledger
from privacy.vault import Vault
from tests.approvals import key_of, standing_plan, with_keys
from tests.installations import installation, run_whimbrel
from tests.ledgers import CAPS, specification

TOML = """\
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[pseudonyms]
key_file = "key"
[cells]
path = "cells.csv"
[approval]
trust = "trust.toml"
publisher_key = "keys/gate.pem"
[sources.own]
format = "parquet"
columns = { subscriber = "a", time = "b", cell = "c" }
"""


@pytest.fixture
def toml(tmp_path, monkeypatch):
    """A sound installation, whose engine is not started: that is tried apart."""
    cells = tmp_path / "cells.csv"
    cells.write_text("cell_id,latitude,longitude,valid_from,valid_to\na,-20.2,57.5,2026-01-01,\n")
    installation(tmp_path, cells=cells)
    (tmp_path / "whimbrel.toml").write_text(TOML)
    config = Config.load(tmp_path / "whimbrel.toml")
    Storage.of(config.storage)
    Ledger.open(config.storage.ledger_url).reserve(specification(), caps=CAPS)
    monkeypatch.setattr(
        doctor, "_engine_apart", lambda engine: [Finding(f"engine {engine.name}", State.OK, "not tried")]
    )
    return tmp_path / "whimbrel.toml"


def found(toml, check):
    return [one for one in examine(toml) if one.check == check]


def state(toml, check):
    """The worst that a check says."""
    return max((one.state for one in found(toml, check)), key=list(State).index)


def test_a_sound_installation_is_fit_and_every_line_that_is_not_ok_has_a_remedy(toml):
    lines = examine(toml)
    assert is_fit(lines)
    assert {one.check for one in lines} >= {
        *("configuration", "Java", "storage", "file system", "zones", "disk", "pseudonym key", "signing keys"),
        *(
            "gate's key",
            "standing plan",
            "policy",
            "ledger",
            "pools",
            "clock",
            "time zone",
            "cell table",
            "engine sail",
        ),
    }
    assert [one for one in lines if one.state is not State.OK and not one.remedy] == []


def test_one_identity_with_both_roots_is_told_that_zones_are_not_separated(toml):
    (line,) = found(toml, "zones")
    assert (line.state, line.found.partition(":")[0]) == (State.WARN, "zones not separated")


def others_may_enter(root):
    (root / "confidential").chmod(0o750)


def anybody_may_release(root):
    (root / "release").chmod(0o777)


def key_is_shown(root):
    (root / "key").chmod(0o644)


def key_is_short(root):
    (root / "key").write_text("ab")


def key_is_gone(root):
    (root / "key").unlink()


def gate_is_a_stranger(root):
    shutil.copy(root / "keys" / "Amina.pem", root / "keys" / "gate.pem")


def gate_is_revoked(root):
    _revoke(root, "gate")


def all_officers_are_revoked(root):
    _revoke(root, "Amina", "Bao")


def _revoke(root, *names):
    blocks = [
        f'[[revocations]]\nkey_id = "{key_of(name).public.id}"\nrevoked_at = 2026-01-01T00:00:00Z\n' for name in names
    ]
    (root / "trust.toml").write_text((root / "trust.toml").read_text() + "\n" + "\n".join(blocks))


def trust_is_broken(root):
    (root / "trust.toml").write_text("version = 2")


def ledger_is_altered(root):
    with sqlite3.connect(root / "confidential" / "ledger.sqlite") as ledger:
        triggers = [name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
        for name in triggers:
            ledger.execute(f"DROP TRIGGER {name}")
        ledger.execute("UPDATE ledger_charges SET micro_rho = 1")


def ledger_has_forgotten(root):
    vault = Vault(root / "confidential" / "vault")
    vault.get(vault.put(b"what somebody has seen"))


def ledger_is_gone(root):
    ledger_has_forgotten(root)
    (root / "confidential" / "ledger.sqlite").unlink()


def cells_are_nowhere(root):
    (root / "cells.csv").unlink()


@pytest.mark.parametrize(
    ("fault", "check"),
    [
        (others_may_enter, "storage"),
        (anybody_may_release, "storage"),
        (key_is_shown, "pseudonym key"),
        (key_is_short, "pseudonym key"),
        (key_is_gone, "pseudonym key"),
        (gate_is_a_stranger, "gate's key"),
        (gate_is_revoked, "gate's key"),
        (all_officers_are_revoked, "signing keys"),
        (trust_is_broken, "signing keys"),
        (ledger_is_altered, "ledger"),
        (ledger_has_forgotten, "ledger"),
        (ledger_is_gone, "ledger"),
        (cells_are_nowhere, "cell table"),
    ],
)
def test_a_planted_fault_fails_its_check_alone_and_says_what_to_do(toml, fault, check):
    fault(toml.parent)
    failed = [one for one in examine(toml) if one.state is State.FAIL]
    assert {one.check for one in failed} == {check}
    assert all(one.remedy for one in failed)


def test_a_clock_before_the_ledgers_last_entry_fails(toml, monkeypatch):
    behind = SimpleNamespace(now=lambda zone: datetime.now(zone) - timedelta(hours=1))
    monkeypatch.setattr(doctor, "datetime", behind)
    assert state(toml, "clock") is State.FAIL


@pytest.mark.parametrize(("free", "wanted"), [(50, State.OK), (5, State.WARN), (0.5, State.FAIL)])
def test_a_full_disk_warns_and_then_fails(toml, monkeypatch, free, wanted):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=100, free=free))
    assert state(toml, "disk") is wanted


def test_a_release_that_was_charged_and_not_sealed_is_named(toml):
    (line,) = found(toml, "releases")
    assert (line.state, "od_trips 2026-W10" in line.found) == (State.WARN, True)


@pytest.mark.parametrize(("days", "wanted"), [(-2, State.WARN), (5, State.WARN), (200, State.OK)])
def test_a_standing_plan_that_ended_or_ends_soon_is_told(toml, days, wanted):
    from jobs.approvals import sign_and_keep
    from privacy.approval import Trust
    from privacy.policy import Policy

    config, now = Config.load(toml), datetime.now(UTC)
    plan = standing_plan(Policy.load(), days=(-10, days))
    sign_and_keep(
        config.storage.confidential / "approvals", plan, key_of("Amina"), Trust.load(config.approval.trust), now
    )
    assert state(toml, "standing plan") is wanted


def test_where_nothing_was_installed_yet_it_says_what_the_first_run_will_make(tmp_path, toml):
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for name in ("whimbrel.toml", "cells.csv", "key", "trust.toml"):
        shutil.copy(toml.parent / name, fresh)
    with_keys(fresh)
    lines = examine(fresh / "whimbrel.toml")
    assert is_fit(lines)
    assert not (fresh / "confidential").exists(), "the doctor makes nothing"


def test_the_doctor_leaves_nothing_behind(toml):
    before = sorted(path for path in toml.parent.rglob("*"))
    examine(toml)
    assert sorted(path for path in toml.parent.rglob("*")) == before


def test_a_broken_configuration_is_the_only_line_and_the_exit_code_is_2(toml, monkeypatch, capsys):
    toml.write_text(TOML.replace("Indian", "Indean"))
    code, out, _ = run_whimbrel(f"doctor --json --config {toml}", monkeypatch, capsys)
    (line,) = json.loads(out)
    assert (code, line["check"], line["state"]) == (2, "configuration", "fail")
    assert "Indean/Mauritius" in line["found"]


def test_a_sound_installation_ends_with_0(toml, monkeypatch, capsys):
    code, out, _ = run_whimbrel(f"doctor --config {toml}", monkeypatch, capsys)
    assert (code, "not tried" in out) == (0, True)


def test_an_engine_that_does_not_start_is_a_finding(monkeypatch):
    """No Java anywhere: Spark cannot start, which is told, and nothing breaks."""
    monkeypatch.setenv("PATH", os.devnull)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(
        "jobs.session.packaged_java", lambda: (_ for _ in ()).throw(doctor.ConfigError("There is no Java."))
    )
    line = doctor._engine(EngineConfig(name="spark"))
    assert (line.state, line.found) == (State.FAIL, "There is no Java.")


@pytest.mark.slow
def test_the_embedded_engine_is_started_apart_and_counts():
    assert doctor._engine_apart(EngineConfig()) == [Finding("engine sail", State.OK, "it starts and counts")]
