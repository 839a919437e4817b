"""`whimbrel evaluate` on a synthetic country: every design side by side, nothing charged, and never on real data."""

import csv
import json
import shutil
import subprocess
import sys
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.evaluation.contributions import scaled_to_l2
from jobs.evaluation.designs import DESIGNS
from jobs.evaluation.report import figures, write
from jobs.evaluation.run import contributions, evaluate
from jobs.releases import Desk
from jobs.storage import Storage
from privacy.hierarchy import PairTree
from schemas.errors import ConfigError, InputError, PrivacyError
from tests.installations import FIRST, WEEK, deliver, exact_totals, files_of, installation

WHIMBREL = Path(sys.executable).parent / "whimbrel"
CONFIG = """\
[country]
name = "Numenia"
timezone = "Indian/Mauritius"
[engine]
shuffle_partitions = 2
[pseudonyms]
key_file = "key"
[cells]
path = "cells.csv"
[sources.whimbrel]
format = "parquet"
columns = { subscriber = "msisdn", time = "event_at", cell = "cell_id" }
"""
MUCH = 500_000_000
"""Micro-rho at which the flows of three hundred people stand out of the noise."""


@pytest.fixture(scope="module")
def installed(engines, tiny_country, tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluated")
    config = installation(root, cells=tiny_country.folder / "cells.csv")
    with engines("sail") as session:
        deliver(session, config, files_of(tiny_country, "whimbrel")[:7], last=FIRST + timedelta(6))
    shutil.copy(tiny_country.folder / "cells.csv", root / "cells.csv")
    (root / "whimbrel.toml").write_text(CONFIG, encoding="utf-8")
    return config


@pytest.fixture
def real(installed, tmp_path):
    """The same installation after one delivery that bears no synthetic mark."""
    root = tmp_path / "real"
    shutil.copytree(installed.storage.confidential.parent, root)
    for record in (root / "confidential" / "deliveries").glob("*.json"):
        told = json.loads(record.read_text(encoding="utf-8"))
        record.write_text(json.dumps({**told, "synthetic": False}), encoding="utf-8")
    return installation(root, cells=root / "cells.csv")


def run(arguments, folder):
    return subprocess.run([WHIMBREL, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def no_session():
    raise AssertionError("an engine was opened")


def test_every_design_is_scored_at_every_budget_and_nothing_is_charged(sail, installed, tmp_path):
    desk = Desk.of(installed)
    made = evaluate(desk, "od_trips", WEEK, [23_000, MUCH], lambda: nullcontext(sail))

    assert len(made) == 2 * len(DESIGNS)
    assert [one.budget.micro_rho for one in made] == [23_000] * len(DESIGNS) + [MUCH] * len(DESIGNS)
    rows = {(one.design, one.budget.micro_rho): one.scores for one in made}
    ours = rows["top-down (ours)", MUCH]
    assert ours.share > 0.9
    assert ours.false_pairs <= 0.05 * ours.levels[-1].rows, "a cut at two standard deviations lets a few pass"
    assert 0.9 < ours.coverage < 0.99
    field = [rows["k = 15 suppression", budget] for budget in (23_000, MUCH)]
    assert field[0].share == field[1].share > 0, "it draws no noise"
    assert field[0].noise_bias == 0
    assert desk.ledger.entries() == ()
    assert not desk.storage.vault.exists()
    root = installed.storage.confidential
    assert [path for path in (root / "scratch", root / "exact") if path.exists() and any(path.iterdir())] == []

    files = write([figures(one) for one in made], tmp_path)
    read, table = json.loads(files[0].read_text()), list(csv.DictReader(files[1].read_text().splitlines()))
    assert [row["design"] for row in read] == [row["design"] for row in table] == [one.design for one in made]
    assert read[0]["coverage"] is None


def test_what_the_designs_read_is_bounded_to_what_a_release_measures(sail, installed):
    desk = Desk.of(installed)
    plan = desk.od_plan(WEEK)
    entries = contributions(desk.contributions_for_evaluation(plan, sail), days=7)

    pairs, totals = scaled_to_l2(entries, PairTree(plan.zones), plan.bounds).totals()
    assert dict(zip(pairs.tolist(), totals.tolist(), strict=True)) == exact_totals(sail, installed)


def test_real_data_are_refused_before_an_engine_is_opened(real):
    with pytest.raises(PrivacyError, match="synthetic country"):
        evaluate(Desk.of(real), "od_trips", WEEK, [], no_session)


def test_contributions_of_real_data_are_refused_though_evaluate_was_passed_by(sail, real):
    desk = Desk.of(real)
    plan = desk.od_plan(WEEK)
    for give in (desk.contributions_for_evaluation, desk.exact_for_evaluation):
        with pytest.raises(PrivacyError, match="synthetic country"):
            give(plan, sail)


def test_one_real_delivery_among_synthetic_ones_is_enough_to_refuse(sail, installed, tiny_country, tmp_path):
    root = tmp_path / "mixed"
    shutil.copytree(installed.storage.confidential.parent, root)
    config = installation(root, cells=root / "cells.csv")
    unmarked = tmp_path / "unmarked.parquet"
    shutil.copy(files_of(tiny_country, "whimbrel")[7], unmarked)
    deliver(sail, config, [unmarked], first=FIRST + timedelta(7))

    with pytest.raises(PrivacyError, match="synthetic country"):
        evaluate(Desk.of(config), "od_trips", WEEK, [], no_session)


@pytest.mark.parametrize("mark", ["", '{"files": 7}', "its own"])
def test_a_mark_beside_files_that_it_does_not_list_opens_nothing(sail, tiny_country, tmp_path, mark):
    marked = tmp_path / "marked"
    shutil.copytree(tiny_country.folder / "whimbrel", marked / "whimbrel")
    shutil.copy(tiny_country.folder / "SYNTHETIC", marked)
    if mark != "its own":
        (marked / "SYNTHETIC").write_text(mark, encoding="utf-8")
    synthetic, real = sorted((marked / "whimbrel").iterdir())[:2]
    pq.write_table(pq.read_table(real).slice(1), real)
    config = installation(tmp_path / "root", cells=tiny_country.folder / "cells.csv")
    storage = Storage.of(config.storage)

    deliver(sail, config, [synthetic], last=FIRST)
    assert storage.is_synthetic == (mark == "its own"), "a file that the mark lists is synthetic, alone as with others"
    deliver(sail, config, [real], first=FIRST + timedelta(1), last=FIRST + timedelta(1))
    assert not storage.is_synthetic
    with pytest.raises(PrivacyError, match="synthetic country"):
        evaluate(Desk.of(config), "od_trips", WEEK, [], no_session)


def test_the_command_refuses_real_data_with_code_2_and_writes_nothing(real):
    root = real.storage.confidential.parent
    (root / "whimbrel.toml").write_text(CONFIG, encoding="utf-8")
    done = run(["evaluate", "od_trips", "2026-W10"], root)

    assert done.returncode == 2
    assert "PrivacyError" in done.stderr
    assert "Remedy" in done.stderr
    assert done.stdout == ""
    assert not (root / "evaluation").exists()


def test_a_week_not_delivered_is_refused_by_name(sail, installed):
    from privacy.unit import Period

    with pytest.raises(InputError, match="2026-03-09"):
        evaluate(Desk.of(installed), "od_trips", Period.parse("2026-W11"), [], lambda: nullcontext(sail))


def test_a_budget_of_nothing_is_refused(sail, installed):
    with pytest.raises(ConfigError, match="budget"):
        evaluate(Desk.of(installed), "od_trips", WEEK, [0], lambda: nullcontext(sail))


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_prints_the_designs_and_writes_them(installed, tmp_path, as_json):
    config = installed.storage.confidential.parent / "whimbrel.toml"
    options = ["--json"] if as_json else []
    done = run(["evaluate", "od_trips", "2026-W10", "--config", str(config), "--budgets", "23000", *options], tmp_path)

    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert len(written) == len(DESIGNS)
    if as_json:
        assert [row["design"] for row in json.loads(done.stdout)] == [row["design"] for row in written]
    else:
        assert "top-down (ours)" in done.stdout
        assert "evaluation.csv" in done.stdout
