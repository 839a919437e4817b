"""A release in three steps, as an orchestrator does it: what each needs, leaves, refuses and repeats."""

import json
import shutil
from contextlib import nullcontext

import pyarrow.parquet as pq
import pytest

from jobs.config import IngestConfig
from jobs.ingest.exclusions import exclude_from_stored_days
from jobs.inputs import Inputs
from jobs.releases import Desk
from privacy.unit import Period
from schemas.errors import InputError, PrivacyError, SpecificationChangedError
from tests.approvals import approve
from tests.installations import WEEK, installation, run_whimbrel


@pytest.fixture
def desk(week_ingested, tiny_country, tmp_path):
    shutil.copytree(week_ingested, tmp_path, dirs_exist_ok=True)
    return Desk.of(installation(tmp_path, cells=tiny_country.folder / "cells.csv"))


@pytest.fixture
def plan(desk):
    return desk.plan("od_trips", WEEK, 1)


def no_engine():
    pytest.fail("an engine was opened where nothing has to be aggregated")


def entries(desk):
    return [str(entry.kind) for entry in desk.ledger.entries()]


def test_three_steps_are_one_release(desk, plan, sail):
    desk.reserve(plan)
    assert entries(desk) == ["RESERVE"]

    desk.aggregate(plan, lambda: nullcontext(sail))
    assert pq.read_table(desk.storage.exact(plan.key.slug)).num_rows > 0

    made = desk.seal(plan)
    assert entries(desk) == ["RESERVE", "SEAL"]
    assert not desk.storage.exact(plan.key.slug).exists(), "exact totals outlived their seal"
    assert desk.release(plan, no_engine).table == made.table


def test_each_step_again_changes_nothing(desk, plan, sail):
    for _ in range(2):
        desk.reserve(plan)
    desk.aggregate(plan, lambda: nullcontext(sail))
    desk.aggregate(plan, no_engine)
    made = desk.seal(plan)
    for again in (desk.reserve, lambda plan: desk.aggregate(plan, no_engine)):
        again(plan)
    assert desk.seal(plan).table == made.table
    assert entries(desk) == ["RESERVE", "SEAL"]
    assert not desk.storage.exact(plan.key.slug).exists()


def test_nothing_is_charged_while_a_day_is_missing(desk):
    with pytest.raises(InputError, match="No delivery for"):
        desk.reserve(desk.plan("od_trips", Period.parse("2026-W11"), 1))
    assert entries(desk) == []


def test_what_was_not_reserved_is_neither_counted_nor_drawn(desk, plan):
    for step in (lambda: desk.aggregate(plan, no_engine), lambda: desk.seal(plan)):
        with pytest.raises(PrivacyError, match=r"not reserved.*--step reserve"):
            step()
    assert entries(desk) == []
    assert not desk.storage.exact(plan.key.slug).exists()


def test_nothing_is_drawn_without_totals(desk, plan):
    desk.reserve(plan)
    with pytest.raises(PrivacyError, match=r"There are no totals.*--step aggregate"):
        desk.seal(plan)
    assert entries(desk) == ["RESERVE"]


def of_other_days(monkeypatch, **_):
    monkeypatch.setattr(Inputs, "sha256", "ab" * 32)


def of_another_network(monkeypatch, **_):
    real = Desk._zone_rows
    monkeypatch.setattr(Desk, "_zone_rows", lambda desk, plan: real(desk, plan).slice(1))


def of_another_plan(desk, plan, **_):
    binding = desk.storage.exact(plan.key.slug) / "_made_of.json"
    binding.write_text(json.dumps({**json.loads(binding.read_text()), "plan_sha256": "ab" * 32}))


def with_a_number_changed(desk, plan, **_):
    (file, *_) = sorted(desk.storage.exact(plan.key.slug).glob("*.parquet"))
    table = pq.read_table(file)
    totals = table["total"].to_pylist()
    pq.write_table(table.set_column(1, table.schema.field("total"), [[totals[0] + 1, *totals[1:]]]), file)


def with_a_file_lost(desk, plan, **_):
    for file in desk.storage.exact(plan.key.slug).glob("*.parquet"):
        file.unlink()


@pytest.mark.parametrize(
    "otherwise", [of_other_days, of_another_network, of_another_plan, with_a_number_changed, with_a_file_lost]
)
def test_totals_made_otherwise_are_refused_and_made_anew(desk, plan, sail, monkeypatch, otherwise):
    desk.reserve(plan)
    desk.aggregate(plan, lambda: nullcontext(sail))
    otherwise(desk=desk, plan=plan, monkeypatch=monkeypatch)
    with pytest.raises(PrivacyError, match=r"The totals were made.*--step aggregate"):
        desk.seal(plan)
    assert entries(desk) == ["RESERVE"]

    opened = []
    desk.aggregate(plan, lambda: opened.append(1) or nullcontext(sail))
    assert opened, "what does not belong to the plan was taken for its totals"


def test_a_plan_that_changed_after_its_reservation_is_refused_at_every_step(desk, plan, sail):
    desk.reserve(plan)
    desk.aggregate(plan, lambda: nullcontext(sail))
    changed = Desk(
        desk.config.model_copy(update={"country": desk.config.country.model_copy(update={"name": "Elsewhere"})}),
        desk.storage,
        desk.policy,
        desk.ledger,
    )
    other = changed.plan("od_trips", WEEK, 1)
    for step in (changed.reserve, lambda plan: changed.aggregate(plan, no_engine), changed.seal):
        with pytest.raises(SpecificationChangedError):
            step(other)


def test_the_verb_does_one_step_and_prints_no_value(desk, tmp_path, monkeypatch, capsys):
    config = f"--config {tmp_path / 'whimbrel.toml'}"
    monkeypatch.setattr("jobs.config.Config.load", lambda _: desk.config)
    for step in ("reserve", "aggregate", "seal"):
        code, out, _ = run_whimbrel(f"release od_trips 2026-W10 --step {step} {config}", monkeypatch, capsys)
        assert (code, out) == (0, "")
    assert entries(desk) == ["RESERVE", "SEAL"]


def test_a_check_tells_by_its_exit_code_whether_a_signature_is_wanted_and_uses_none_up(
    desk, plan, sail, tmp_path, monkeypatch, capsys
):
    config = f"--config {tmp_path / 'whimbrel.toml'}"
    monkeypatch.setattr("jobs.config.Config.load", lambda _: desk.config)
    asked = f"approve check od_trips 2026-W10 {config}"
    assert run_whimbrel(asked, monkeypatch, capsys)[0] == 2  # nothing is sealed
    desk.release(plan, lambda: nullcontext(sail))

    code, told, _ = run_whimbrel(asked, monkeypatch, capsys)
    assert code == 3
    assert "whimbrel approve release od_trips 2026-W10 --key" in told
    approve(desk.config, plan.key)
    assert run_whimbrel(asked, monkeypatch, capsys)[0] == 0
    assert entries(desk) == ["RESERVE", "SEAL"]


def test_who_objects_between_counting_and_drawing_is_not_in_what_was_counted(desk, plan, sail):
    desk.reserve(plan)
    desk.aggregate(plan, lambda: nullcontext(sail))
    exclusions = desk.storage.confidential.parent / "exclusions.txt"
    exclusions.write_text("2305550000001\n", encoding="utf-8")
    exclusions.chmod(0o600)
    config = desk.config.model_copy(update={"ingest": IngestConfig(exclusions=exclusions)})

    exclude_from_stored_days(sail, config, desk.storage)

    with pytest.raises(PrivacyError, match=r"There are no totals.*--step aggregate"):
        desk.seal(plan)
