"""Whatever a DAG calls is a verb that there is, with options that it has; read from the files, without Airflow."""

import ast
from pathlib import Path

import pytest
import typer

from jobs.cli import app

FILES = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))
MAKERS = {"verb", "engine_verb", "published"}


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
                made = said if node.func.id == "published" else said[1:]
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
    assert len(CALLED) >= 14


@pytest.mark.parametrize(("said", "maker"), CALLED)
def test_a_dag_calls_a_verb_that_there_is(said, maker):
    command, rest = typer.main.get_command(app), list(said)
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    assert not getattr(command, "commands", {}) or command.name == "ledger", f"{said} is no verb"
    assert "--config" in options
    assert {word for word in rest if word and word.startswith("--")} <= options
    assert maker != "engine_verb" or "--engine" in options, "it could not be sent to a cluster"
