import pytest
from rich.progress import Progress

from jobs.console import Steps, steps
from schemas.errors import ConfigError


def test_a_step_says_how_far_it_is_while_it_lasts_and_nothing_of_it_once_it_is_finished():
    shown = Progress(disable=True)
    step = Steps(shown)
    step.note("unheard: nothing has begun")

    step("synthesising")
    step.note("day 3 of 14")
    assert [task.description for task in shown.tasks] == ["synthesising: day 3 of 14"]

    step("releasing")
    assert [(task.description, task.finished) for task in shown.tasks] == [("synthesising", True), ("releasing", False)]


def test_where_standard_error_is_no_terminal_a_step_is_told_as_it_begins_and_as_it_ends(capsys):
    with pytest.raises(ConfigError), steps(product="od_trips") as progress:
        progress("ingesting [2026-03-02]")
        progress.note("unheard")
        assert lines(capsys) == ["· ingesting [2026-03-02]"]
        progress("merging")
        assert lines(capsys) == ["✓ ingesting [2026-03-02] 0:00:00", "· merging"]
        raise ConfigError("found", "expected", "remedy")
    assert lines(capsys) == []  # what did not end is not told as if it had


def lines(capsys):
    told = capsys.readouterr()
    assert told.out == ""
    return [" ".join(line.split()) for line in told.err.splitlines()]
