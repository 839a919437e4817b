"""The gate as an orchestrator runs it: days released one by one in one go, then judged by what was released."""

import shutil
from contextlib import nullcontext
from datetime import timedelta
from unittest.mock import patch

import pytest

from jobs.completeness import judge_period, released_counts
from jobs.config import Config
from jobs.releases import Desk
from privacy.ledger import ReleaseKey
from privacy.unit import Period
from schemas.errors import PrivacyError
from tests.installations import WEEK, installation, run_whimbrel

PRODUCT = "active_subscribers"


@pytest.fixture(scope="module")
def desk(week_ingested, tiny_country, tmp_path_factory):
    """A copy of the ingested week."""
    root = tmp_path_factory.mktemp("gate")
    shutil.copytree(week_ingested, root, dirs_exist_ok=True)
    return Desk.of(installation(root, cells=tiny_country.folder / "cells.csv"))


def whimbrel(line, desk, monkeypatch, capsys):
    """Run a verb on the installation."""
    with patch.object(Config, "load", return_value=desk.config):
        return run_whimbrel(line, monkeypatch, capsys)


def charged(desk):
    """The days that were charged for their first release."""
    charges = [one.key for one in desk.ledger.charges()]
    return sorted(key.period for key in charges if (key.product, key.revision) == (PRODUCT, 1))


def test_the_gate_asks_for_the_counts_first(desk):
    with pytest.raises(PrivacyError, match="active_subscribers 2026-W11 --daily"):
        judge_period(desk, Period.parse("2026-W11"))


def test_each_day_of_a_week_is_released_once_by_one_command(desk, monkeypatch, capsys):
    for _ in range(2):
        assert whimbrel(f"release {PRODUCT} {WEEK} --daily", desk, monkeypatch, capsys)[0] == 0
        assert charged(desk) == [day.isoformat() for day in WEEK.days]


def test_without_weeks_before_no_day_is_judged_and_the_gate_lets_through(desk, monkeypatch, capsys):
    whimbrel(f"release {PRODUCT} {WEEK} --daily", desk, monkeypatch, capsys)
    code, told, _ = whimbrel(f"gate {WEEK}", desk, monkeypatch, capsys)
    assert (code, told.count("not judged")) == (0, 7)


def test_the_newest_revision_of_a_day_is_what_counts(desk, sail, monkeypatch, capsys):
    day = WEEK.first_day
    whimbrel(f"release {PRODUCT} {WEEK} --daily", desk, monkeypatch, capsys)
    before = released_counts(desk, [day, day - timedelta(1)])
    plan = desk.plan(PRODUCT, Period.parse(day.isoformat()), 2)
    made = desk.release(plan, lambda: nullcontext(sail))
    national = next(row for row in made.table.to_pylist() if row["zone"] is None)
    assert before.keys() == {day}
    assert released_counts(desk, [day])[day].value == national["value"]
    assert desk.ledger.sealed(ReleaseKey(PRODUCT, day.isoformat(), 2))
