"""`--help` shows what is written: a word in square brackets is not taken for a colour, and no sentence is cut."""

import inspect
import re

import pytest
import typer
from click.testing import CliRunner

from jobs.cli import app


def tree(command, *words):
    """Every command below one, itself included, with the words that call it."""
    yield words, command
    for name, below in getattr(command, "commands", {}).items():
        yield from tree(below, *words, name)


COMMANDS = list(tree(typer.main.get_command(app)))


def shown(command, words, monkeypatch):
    """A page of help on a line as wide as it likes, its spaces and frames left out."""
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 4000)
    ended = CliRunner().invoke(command, ["--help"], prog_name=" ".join(["whimbrel", *words]))
    assert ended.exit_code == 0, ended.output
    return one_line(re.sub(r"[│╭╮╰╯─]", " ", ended.output))


def one_line(text):
    return " ".join(text.split())


def as_read(text):
    """A text as its reader is to see it: `\\[` is how a bracket is written that is none of rich's."""
    return one_line(text.replace("\\[", "["))


def written(command):
    """What is written about a command and each of its parameters, where it is written."""
    if command.callback is not None and command.callback.__doc__ and not hasattr(command, "commands"):
        yield from inspect.cleandoc(command.callback.__doc__).split("\n\n")
    yield from [text for text in (command.help, command.epilog) if text and "\n\n" not in text]
    yield from [help_ for parameter in command.params if (help_ := getattr(parameter, "help", None))]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[" ".join(words) or "whimbrel" for words, _ in COMMANDS])
def test_help_shows_every_sentence_that_is_written(words, command, monkeypatch):
    page = shown(command, words, monkeypatch)
    assert [text for text in written(command) if as_read(text) not in page] == []


@pytest.mark.parametrize("group", [command for _, command in COMMANDS if hasattr(command, "commands")], ids=str)
def test_a_list_of_verbs_shows_the_first_sentence_of_each(group, monkeypatch):
    page = shown(group, (), monkeypatch)
    firsts = [as_read(verb.help.split("\n\n")[0]) for verb in group.commands.values() if not verb.hidden]
    assert [first for first in firsts if first not in page] == []


def test_a_word_in_brackets_that_is_not_escaped_would_be_noticed(monkeypatch):
    """The defect that this is about, planted."""
    other = typer.Typer(rich_markup_mode="rich")

    @other.command()
    def verb():
        """Delete what is over by [retention]."""

    command = typer.main.get_command(other)
    page = shown(command, ("verb",), monkeypatch)
    assert [text for text in written(command) if as_read(text) not in page] == [command.help] * 2
