"""The command line: help with an example, exit codes, and errors on standard error that expose nobody."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from jobs.cli import app

WHIMBREL = Path(sys.executable).parent / "whimbrel"


def verbs(command, path=()):
    """Every verb, with its subcommands."""
    if not getattr(command, "commands", None):
        yield path, command
        return
    if path and command.invoke_without_command:
        yield path, command
    for name, child in command.commands.items():
        yield from verbs(child, (*path, name))


VERBS = dict(verbs(get_command(app)))


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_every_verb_explains_itself_and_has_an_example(path):
    command = VERBS[path]
    assert command.help
    assert command.epilog.startswith(f"Example:  whimbrel {' '.join(path)}")


def run(arguments, folder):
    return subprocess.run([WHIMBREL, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["release", "od_trips", "2026-W10"], "There is no configuration at whimbrel.toml"),
        (["budget", "plan", "--first", "March"], "'March' is not a month"),
        (["verify", "nothing-here"], "nothing-here"),
        (["ingest", "somewhere", "--days", "2026-W10"], "There is no configuration"),
    ],
)
def test_a_users_mistake_ends_with_code_2_and_one_message_on_standard_error(arguments, told, tmp_path):
    done = run(arguments, tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Remedy" in done.stderr or "Expected" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_defect_of_ours_ends_with_code_1_and_shows_no_value_of_the_data(monkeypatch, capsys):
    from jobs import cli

    def broken(**_):
        raise ValueError("could not convert 250788123456")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as ended:
        cli.run()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert "250788123456" not in told


def test_a_policy_that_overruns_is_shown_and_refused(tmp_path):
    from privacy.policy import SHIPPED

    greedy = SHIPPED.read_text(encoding="utf-8").replace("cap_micro_rho = 250_000", "cap_micro_rho = 100_000", 1)
    (tmp_path / "policy.toml").write_text(greedy, encoding="utf-8")
    done = run(["budget", "plan", "--policy", "policy.toml", "--first", "2026-03", "--months", "3"], tmp_path)
    assert done.returncode == 2
    assert "BudgetExceededError" in done.stderr
    assert "routine" in done.stdout


def test_an_empty_ledger_prints_as_json(tmp_path):
    (tmp_path / "whimbrel.toml").write_text(
        '[country]\nname = "X"\ntimezone = "UTC"\n[pseudonyms]\nkey_file = "key"\n[cells]\npath = "cells.csv"\n'
        '[sources.own]\nformat = "parquet"\ncolumns = { subscriber = "a", time = "b", cell = "c" }\n'
    )
    done = run(["ledger", "--json"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"pools": [], "charges": [], "shares": []}
