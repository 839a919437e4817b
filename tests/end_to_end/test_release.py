"""From an ingested week to a release: the values, what is left behind, and what a later change does to it."""

import json
import shutil
from datetime import date, timedelta

import pyarrow.parquet as pq
import pytest

from jobs.publish.verify import verify_bundle
from jobs.releases import Desk
from privacy import mechanisms
from privacy.ledger import Charge, Opening, ReleaseKey, Specification
from privacy.policy import SHIPPED
from privacy.unit import Period
from schemas.errors import BudgetExceededError, InputError, LedgerError, PrivacyError, SealLostError
from tests.approvals import approve, publish
from tests.installations import FIRST, WEEK, deliver, exact_totals, files_of, installation, release_week


@pytest.fixture
def copy(week_ingested, tiny_country, tmp_path):
    """An installation of one's own: `copy(policy=...)`."""
    shutil.copytree(week_ingested, tmp_path, dirs_exist_ok=True)
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
    changed = copy(policy=policy_with(tmp_path / "policy.toml", cut=("publish_sigma = 2.0", "publish_sigma = 1.0")))

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


def test_a_ledger_that_forgot_a_release_draws_nothing_again_and_what_was_sealed_stays(sail, copy, tmp_path):
    config = copy()
    ledger = config.storage.confidential / "ledger.sqlite"
    Desk.of(config)
    shutil.copy(ledger, tmp_path / "older.sqlite")
    made = release_week(sail, config)

    for file in ("older.sqlite", "another.sqlite"):
        address = {"ledger": f"sqlite:///{tmp_path / file}", "release": tmp_path / "elsewhere"}
        other = Desk.of(config.model_copy(update={"storage": config.storage.model_copy(update=address)}))
        with pytest.raises(LedgerError, match="has forgotten a release"):
            other.release(other.plan("od_trips", WEEK, 1), no_session)
        assert other.ledger.entries() == ()

    assert Desk.of(config).sealed(made.key).table.equals(made.table)


def test_a_week_with_a_day_not_delivered_is_refused_by_name_and_costs_nothing(copy):
    desk = Desk.of(copy())

    with pytest.raises(InputError, match=r"No delivery for 2026-03-09.*2026-03-15\. Expected: .*Remedy: ingest"):
        desk.release(desk.plan("od_trips", Period.parse("2026-W11"), 1), no_session)
    assert desk.ledger.entries() == ()


def test_an_exhausted_budget_is_refused_and_leaves_no_trace(copy):
    desk = Desk.of(copy())
    spent = Charge("routine", "2026-03", desk.policy.caps["routine"] - 20_000)
    desk.ledger.reserve(Specification(ReleaseKey("presence", "2026-W11"), (spent,), {}), caps=desk.policy.caps)
    before = desk.ledger.entries()

    with pytest.raises(BudgetExceededError, match=r"needs 23000 .* at most 20000"):
        desk.release(desk.plan("od_trips", WEEK, 1), no_session)
    assert desk.ledger.entries() == before
    assert not desk.storage.vault.exists()


def test_nothing_is_charged_under_a_policy_that_would_overrun_a_month(copy, tmp_path):
    policy = policy_with(tmp_path / "policy.toml", cap=("cap_micro_rho = 250_000", "cap_micro_rho = 200_000"))
    desk = Desk.of(copy(policy=policy))

    with pytest.raises(BudgetExceededError, match="The policy would charge"):
        desk.release(desk.plan("od_trips", WEEK, 1), no_session)
    assert desk.ledger.entries() == ()


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


def places(path, rule):
    """A list with one sensitive place: the base cell with the first tower of the country."""
    (cell, *_) = json.loads((path / "confidential" / "zones.json").read_text())
    entry = f'id = "x"\nkind = "camp"\nreason = "hidden"\nreview_by = 2030-01-01\ncells = ["{cell}"]\n{rule}\n'
    (path / "places.toml").write_text(f"version = 1\n[[places]]\n{entry}", encoding="utf-8")
    return {"places": path / "places.toml"}, cell


def test_a_place_delays_what_may_leave_and_nothing_is_lost(sail, copy, tmp_path):
    config = copy()
    listed, _ = places(tmp_path, 'rule = "delay"\ndays = 3650')
    config = config.model_copy(update=listed)
    made = release_week(sail, config)
    approve(config, made.key)

    with pytest.raises(PrivacyError, match=r"may not leave before 2036-03-05\. .*Remedy: publish it then"):
        Desk.of(config).publish(made.key)
    assert list(config.storage.release.iterdir()) == []
    assert made.card["not_before"] == "2036-03-05"


def test_a_withheld_place_is_in_no_row_and_no_file_tells_it_from_another(sail, copy, tmp_path):
    config = copy()
    listed, cell = places(tmp_path, 'rule = "withhold"')
    config = config.model_copy(update=listed)
    made = release_week(sail, config)

    bundle = publish(config, made.key)

    verify_bundle(bundle.folder)
    assert cell not in {*made.table["origin"].to_pylist(), *made.table["destination"].to_pylist()}
    cells = {zone["id"] for zone in json.loads((bundle.folder / "zones.geojson").read_text())["features"]}
    assert cell in cells
    digest = Desk.of(config).places.sha256
    assert not [file for file in bundle.folder.iterdir() if digest.encode() in file.read_bytes()]
    assert "a reviewed list of sensitive places was applied" in (bundle.folder / "README.md").read_text()


def test_an_internal_release_stays_inside(sail, copy, tmp_path):
    inside = policy_with(tmp_path / "policy.toml", level=('sensitivity = "public"', 'sensitivity = "internal"'))
    config = copy(policy=inside)
    made = release_week(sail, config)
    approve(config, made.key)

    with pytest.raises(PrivacyError, match="of class internal"):
        Desk.of(config).publish(made.key)


def test_a_declared_event_makes_its_weeks_restricted_without_changing_their_terms(copy):
    desk = Desk.of(copy())
    before = desk.od_plan(Period.parse("2026-03-03"))
    (displacement,) = desk.policy.events
    onset = date(2026, 3, 1)
    opening = Opening("flood-x", displacement.product, onset, displacement.schedule(onset))
    approvals = [{"statement": opening.body, "signer": name, "signature": "ab" * 64} for name in ("a", "b")]
    desk.ledger.open_event(opening, approvals=approvals, caps=desk.policy.caps)

    after = desk.od_plan(Period.parse("2026-03-03"))

    assert before.card["sensitivity"]["then"] == "public"
    assert after.card["sensitivity"]["then"] is None
    assert after.has_the_terms_of(before.card)
    assert after.specification == before.specification
