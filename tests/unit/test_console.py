from rich.progress import Progress

from jobs.console import Steps


def test_a_step_says_how_far_it_is_while_it_lasts_and_nothing_of_it_once_it_is_finished():
    shown = Progress(disable=True)
    step = Steps(shown)
    step.note("unheard: nothing has begun")

    step("synthesising")
    step.note("day 3 of 14")
    assert [task.description for task in shown.tasks] == ["synthesising: day 3 of 14"]

    step("releasing")
    assert [(task.description, task.finished) for task in shown.tasks] == [("synthesising", True), ("releasing", False)]
