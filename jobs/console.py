"""What the command line shows: progress while it works, tables when it is done."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc
from rich import box
from rich.console import Console, Group
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from jobs import journal
from privacy.clipping import Clipping
from privacy.ledger import PoolMonth, RecordedCharge
from privacy.release import Release

if TYPE_CHECKING:
    from jobs.storage import Expired

OUT: Final = Console()
ERR: Final = Console(stderr=True)

_NOT_LABELS: Final = frozenset(
    {"period", "event", "value", "noise_sd", "ci_low", "ci_high", "quality", "definition_id"}
)
"""Columns of flat tables that do not say which row it is."""


class Steps:
    """The steps of a long run: the current one turns, the finished ones stay with their time.

    Args:
        progress: Where they are drawn.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._current: TaskID | None = None
        self._step = ""

    def __call__(self, step: str) -> None:
        """Finish the current step and begin another."""
        self.finish()
        self._step = step
        self._current = self._progress.add_task(step, total=1)

    def note(self, how_far: str) -> None:
        """Say how far the current step is; nothing of it stays once the step is finished."""
        if self._current is not None:
            self._progress.update(self._current, description=f"{self._step}: {how_far}")

    def finish(self) -> None:
        """Finish the current step."""
        if self._current is not None:
            self._progress.update(self._current, completed=1, description=self._step)


class ToldSteps(Steps):
    """The steps of a long run as lines, where nothing can turn: in a log, or in a file.

    Args:
        tell: What is done with a step that has begun (no duration yet), and again once it is finished (in seconds).
    """

    def __init__(self, tell: Callable[[str, float | None], None]) -> None:
        self._tell = tell
        self._step, self._began_s = "", 0.0

    def __call__(self, step: str) -> None:
        """Finish the current step and begin another."""
        self.finish()
        self._step, self._began_s = step, time.monotonic()
        self._tell(step, None)

    def note(self, how_far: str) -> None:
        """Nothing: a log tells of steps."""

    def finish(self) -> None:
        """Finish the current step."""
        if self._step:
            self._tell(self._step, time.monotonic() - self._began_s)
        self._step = ""


def _log_step(step: str, duration_s: float | None) -> None:
    if duration_s is not None:
        journal.tell("info", "step", step=step, duration_s=round(duration_s, 3))


def _print_step(step: str, duration_s: float | None) -> None:
    lasted = "" if duration_s is None else f"  {timedelta(seconds=round(duration_s))}"
    ERR.print(f"{'·' if duration_s is None else '✓'} {step}{lasted}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def steps(**about: object) -> Iterator[Steps]:
    """Show steps on standard error, so that standard output holds results only; as a log where one is asked for.

    Where standard error is no terminal, such as in a task of Airflow's, a step is a line as it begins and as it ends.

    Args:
        about: What the run is about, such as its product and period: for the log.
    """
    journal.present().about |= {name: str(value) for name, value in about.items()}
    if journal.is_on() or not ERR.is_terminal:
        told = ToldSteps(_log_step if journal.is_on() else _print_step)
        yield told
        told.finish()
        return
    columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=ERR) as progress:
        shown = Steps(progress)
        yield shown
        shown.finish()


def release_view(release: Release, rows: int) -> Group:
    """A release on a screen: the largest flows and what stands at each level; the largest rows; or a histogram."""
    if release.key.product == "contribution_histogram":
        return Group(histogram_view(release), _cost(release))
    if "origin" not in release.table.column_names:
        return Group(rows_view(release, rows), _cost(release))
    return Group(flows_view(release, rows), _levels(release), _cost(release))


def rows_view(release: Release, rows: int) -> Table:
    """The largest rows of each resolution of a release of flat tables, with their intervals; the country first."""
    labels = [name for name in release.table.column_names if name not in _NOT_LABELS]
    caption = f"{release.card['unit_of_value']}; 95 % intervals, noise only; every zone has a row in the bundle"
    table = Table(title=str(release.card["title"]), caption=caption, box=box.SIMPLE, pad_edge=False)
    for heading in labels:
        table.add_column(heading.replace("_", "\n"), no_wrap=True)  # in short lines: numbers need their room
    for heading in ("value", "from", "to"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("")
    resolutions = [name for name in labels if name.endswith("resolution")]
    for _, largest in groupby(_by_resolution(release, resolutions), key=itemgetter(*resolutions)):
        for row in islice(largest, rows):
            numbers = (f"{row[name]:,.0f}" for name in ("value", "ci_low", "ci_high"))
            table.add_row(*("" if row[name] is None else str(row[name]) for name in labels), *numbers, row["quality"])
        table.add_section()
    return table


def _by_resolution(release: Release, resolutions: Sequence[str]) -> list[dict[str, Any]]:
    """Rows from coarse to fine, the largest of each resolution first."""

    def coarse_and_large_first(row: dict[str, Any]) -> tuple[float, ...]:
        return (*(-1 if row[name] is None else row[name] for name in resolutions), -row["value"])

    return sorted(release.table.to_pylist(), key=coarse_and_large_first)


def histogram_view(release: Release) -> Table:
    """The bins of a contribution histogram, and what follows from them."""
    note = release.card["clipping"]
    finding = Clipping.of_note(note).sentence if isinstance(note, Mapping) else "too few trips to tell"
    table = Table(title=str(release.card["title"]), caption=finding, box=box.SIMPLE, pad_edge=False)
    for heading in ("trips a day", "subscribers", "from", "to"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for row in release.table.to_pylist():
        numbers = (f"{row[name]:,.0f}" for name in ("value", "ci_low", "ci_high"))
        table.add_row(f"{row['trips_a_day']:g}", *numbers, row["part"])
    return table


def flows_view(release: Release, rows: int) -> Table:
    """The largest flows of a release with their intervals."""
    unit = "means a day" if release.key.product == "od_trips" else str(release.card["unit_of_value"])
    table = Table(
        title=str(release.card["title"]),
        caption=f"{unit}; 95 % intervals, noise only",
        box=box.SIMPLE,
        pad_edge=False,
    )
    for heading in ("origin", "destination", "res"):
        table.add_column(heading, no_wrap=True)
    for heading in ("a day" if release.key.product == "od_trips" else "value", "from", "to"):
        table.add_column(heading, justify="right")
    table.add_column("")
    flows = release.table.filter(pc.is_valid(release.table["origin"])).sort_by([("value", "descending")])
    for row in flows.slice(0, rows).to_pylist():
        table.add_row(
            row["origin"],
            row["destination"],
            str(row["res_from"]),
            *(f"{row[name]:,.1f}" for name in ("value", "ci_low", "ci_high")),
            row["quality"],
        )
    return table


def _levels(release: Release) -> Table:
    counted = "trips" if release.key.product == "od_trips" else str(release.card["unit_of_value"])
    table = Table(title=f"Where the {counted} stand: the finest level at which they can be told from noise")
    for heading in ("status", "resolution"):
        table.add_column(heading)
    for heading in ("rows", str(release.card["unit_of_value"]), "share"):
        table.add_column(heading, justify="right")
    total = pc.sum(release.table["value"]).as_py()
    grouped = release.table.group_by(["res_from", "status"]).aggregate([("value", "sum"), ("value", "count")])
    for row in grouped.sort_by([("res_from", "descending"), ("status", "ascending")]).to_pylist():
        share = row["value_sum"] / total if total > 0 else 0.0
        table.add_row(
            row["status"],
            str(row["res_from"] or ""),
            str(row["value_count"]),
            f"{row['value_sum']:,.0f}",
            f"{share:.0%}",
        )
    return table


def _cost(release: Release) -> str:
    return (
        f"[bold]{release.key}[/bold], sealed {release.seal.sealed_at}\n"
        f"measurements {release.seal.artefact_sha256[:16]}…  ledger head {release.seal.ledger_head[:16]}…"
    )


def ledger_view(pools: Sequence[PoolMonth], charges: Sequence[RecordedCharge]) -> Group:
    """Pools by month, and every charge."""
    spent = Table(title="Pools, micro-rho a privacy month")
    for heading in ("pool", "month"):
        spent.add_column(heading)
    for heading in ("charged", "cap", "left"):
        spent.add_column(heading, justify="right")
    for pool in pools:
        numbers = (pool.charged_micro_rho, pool.cap_micro_rho, pool.left_micro_rho)
        spent.add_row(pool.pool, pool.privacy_month, *(f"{number:,}" for number in numbers))
    booked = Table(title="Charges")
    for heading in ("release", "pool", "month"):
        booked.add_column(heading)
    booked.add_column("micro-rho", justify="right")
    for entry in charges:
        charge = entry.charge
        name = str(entry.key) if entry.event is None else f"{entry.key.product} after {entry.event}, all releases"
        booked.add_row(name, charge.pool, charge.privacy_month, f"{charge.micro_rho:,}")
    return Group(spent, booked)


def retention_view(expired: "Sequence[Expired]", title: str) -> Table:
    """Up to which day each table expires, by which line of the configuration; no counts."""
    table = Table(title=title)
    for heading in ("table", "up to", "by [retention]"):
        table.add_column(Text(heading))
    for one in expired:
        table.add_row(one.table, str(one.until), one.policy)
    return table
