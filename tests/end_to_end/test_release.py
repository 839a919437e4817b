"""From an ingested week to a release: the values, what is left behind, and what a later change does to it."""

import shutil
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from jobs.releases import Desk
from privacy import mechanisms
from privacy.policy import SHIPPED
from privacy.unit import Period
from schemas.errors import BudgetExceededError, InputError, SealLostError
from tests.installations import FIRST, WEEK, deliver, exact_totals, files_of, installation, release_week


@pytest.fixture(scope="module")
def ingested(engines, tiny_country, tmp_path_factory):
    root = tmp_path_factory.mktemp("ingested")
    config = installation(root, cells=tiny_country.folder / "cells.csv")
    with engines("sail") as session:
        deliver(session, config, files_of(tiny_country, "whimbrel")[:7], last=FIRST + timedelta(6))
    return root


@pytest.fixture
def copy(ingested, tiny_country, tmp_path):
    """An installation of one's own: `copy(policy=...)`."""
    shutil.copytree(ingested, tmp_path, dirs_exist_ok=True)
    return lambda **options: installation(tmp_path, cells=tiny_country.folder / "cells.csv", **options)


def policy_with(path, **changes):
    """The shipped policy with some of its texts replaced."""
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in changes.values():
        assert text.count(old) >= 1
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path


def test_with_noise_off_the_release_is_the_exact_aggregate(sail, copy, monkeypatch):
    config = copy()
    totals = exact_totals(sail, config)
    zones = Desk.of(config).plan("od_trips", WEEK, 1).zones.levels[-1].zones
    monkeypatch.setattr(mechanisms, "discrete_gaussian", lambda values, **_: (values, 1e-3))

    rows = release_week(sail, config).table.to_pylist()

    found = {(row["origin"], row["destination"]): row["value"] for row in rows[:-1]}
    expected = {(zones[k // len(zones)], zones[k % len(zones)]): total / 7 / 1024 for k, total in totals.items()}
    assert found.keys() == expected.keys()
    assert list(found.values()) == pytest.approx([expected[pair] for pair in found], abs=1e-6)
    assert rows[-1]["value"] == pytest.approx(0, abs=1e-4)
    assert {row["status"] for row in rows[:-1]} == {"published"}


def test_nothing_exact_and_no_key_is_left_once_it_is_sealed(sail, copy):
    config = copy()
    release_week(sail, config)
    root = config.storage.confidential

    assert [str(path) for path in root.glob("exact/*")] == []
    assert not (root / "scratch").exists()


def test_a_changed_policy_does_not_change_what_was_sealed(sail, copy, tmp_path):
    before = release_week(sail, copy())
    changed = copy(policy=policy_with(tmp_path / "policy.toml", cut=("publish_sigma = 4.0", "publish_sigma = 1.0")))

    after = Desk.of(changed).release(Desk.of(changed).plan("od_trips", WEEK, 1), no_session)

    assert after.table.equals(before.table)
    assert after.card == before.card


def no_session():
    raise AssertionError("an engine was opened")


def test_late_rows_after_the_seal_change_nothing(sail, copy, tiny_country):
    config = copy()
    before = release_week(sail, config)
    deliver(sail, config, files_of(tiny_country, "whimbrel")[7:], first=FIRST + timedelta(7))

    after = release_week(sail, config)

    assert after.table.equals(before.table)
    assert len(Desk.of(config).ledger.charges()) == 1


def test_a_lost_artefact_is_never_drawn_again(sail, copy):
    config = copy()
    seal = release_week(sail, config).seal
    (config.storage.confidential / "vault" / seal.artefact_sha256).unlink()

    with pytest.raises(SealLostError):
        Desk.of(config).release(Desk.of(config).plan("od_trips", WEEK, 1), no_session)
    assert len(Desk.of(config).ledger.charges()) == 1


def test_a_week_with_a_day_not_delivered_is_refused_by_name_and_costs_nothing(copy):
    desk = Desk.of(copy())

    with pytest.raises(InputError, match=r"No delivery for 2026-03-09.*2026-03-15\. Expected: .*Remedy: ingest"):
        desk.release(desk.plan("od_trips", Period.parse("2026-W11"), 1), no_session)
    assert desk.ledger.entries() == ()


def test_an_exhausted_budget_is_refused_and_leaves_no_trace(copy, tmp_path):
    policy = policy_with(tmp_path / "policy.toml", cap=("cap_micro_rho = 250_000", "cap_micro_rho = 20_000"))
    desk = Desk.of(copy(policy=policy))

    with pytest.raises(BudgetExceededError, match=r"needs 23000 .* at most 20000"):
        desk.release(desk.plan("od_trips", WEEK, 1), no_session)
    assert desk.ledger.entries() == ()
    assert not desk.storage.vault.exists()


def test_a_week_in_which_nobody_travelled_is_released_like_any_other(engine, tiny_country, tmp_path):
    config = installation(tmp_path, cells=tiny_country.folder / "cells.csv")
    empty = tmp_path / "empty.parquet"
    pq.write_table(pq.read_table(files_of(tiny_country, "whimbrel")[0]).slice(0, 0), empty)
    deliver(engine, config, [empty], last=FIRST + timedelta(6))

    rows = release_week(engine, config).table

    assert rows["status"].to_pylist()[-1] == "remainder"
    assert rows.num_rows < 5


def test_rows_add_up_to_the_remainder_and_carry_their_uncertainty(sail, copy):
    table = release_week(sail, copy()).table
    rows = table.to_pylist()

    assert [row["status"] for row in rows].count("remainder") == 1
    assert rows[-1]["origin"] is None
    for row in rows:
        assert row["ci_low"] < row["value"] < row["ci_high"]
        assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * 1.959964 * row["noise_sd"])
        assert row["is_residual"] == (row["status"] != "published")
