"""Whatever a DAG calls is a verb that there is, with options that it has; read from the files, without Airflow."""

import ast
import re
from pathlib import Path

import pytest
import typer

from jobs.cli import app

FILES = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))
MAKERS = {"verb", "engine_verb", "published", "sealed_steps"}
OF_AN_ENGINE = {"engine_verb", "sealed_steps"}


def called():
    """Words of each verb, as far as the files say them; what is filled in at run time is None."""
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        tuples = {
            node.targets[0].id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Tuple)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MAKERS:
                said = list(words(node.args, tuples))
                made = said if node.func.id in {"published", "sealed_steps"} else said[1:]
                made += ["--step"] if node.func.id == "sealed_steps" else []
                if made and made[0] is not None:
                    yield pytest.param(made, node.func.id, id=f"{file.stem}-{' '.join(filter(None, made))}")


def words(arguments, tuples):
    for argument in arguments:
        if isinstance(argument, ast.Starred):
            inside = argument.value
            known = tuples.get(inside.id) if isinstance(inside, ast.Name) else inside
            yield from words(known.elts, tuples) if known else [None]
        else:
            yield argument.value if isinstance(argument, ast.Constant) else None


CALLED = list(called())


def test_the_files_call_verbs():
    assert len(CALLED) >= 15


@pytest.mark.parametrize(("said", "maker"), CALLED)
def test_a_dag_calls_a_verb_that_there_is(said, maker):
    command, rest = typer.main.get_command(app), list(said)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    options = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
    assert not getattr(command, "commands", {}) or command.name == "ledger", f"{said} is no verb"
    assert "--config" in options
    assert {word for word in rest if word and word.startswith("--")} <= options
    assert maker not in OF_AN_ENGINE or "--engine" in options, "it could not be sent to a cluster"


def test_every_setting_of_the_dags_stands_in_their_document_with_its_default():
    text = (FILES[0].parents[1] / "docs" / "airflow.md").read_text(encoding="utf-8")
    rows = {
        name: given
        for line in text.splitlines()
        if line.startswith("| `WHIMBREL_")
        for names, given in [line.strip("| ").split(" | ")[:2]]
        for name in names.replace("`", "").split(", ")
    }
    code = FILES[0].with_name("whimbrel_tasks.py").read_text(encoding="utf-8")
    settings = dict(re.findall(r'_setting\("(\w+)", "([^"]*)"\)', code))
    settings |= dict(re.findall(r'\("(WEEKLY|MONTHLY)", "([^"]*)"\)', code))
    assert {name.removeprefix("WHIMBREL_") for name in rows} == settings.keys()
    for name, default in settings.items():
        said = rows[f"WHIMBREL_{name}"].replace("`", "")
        assert said.startswith("|") if default == "" else default in {said, *said.split(", ")}, name
