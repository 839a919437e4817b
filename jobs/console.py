"""What the command line shows: progress while it works, tables when it is done."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import pyarrow.compute as pc
from rich import box
from rich.console import Console, Group
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from privacy.clipping import Clipping
from privacy.ledger import PoolMonth, RecordedCharge
from privacy.release import Release

OUT: Final = Console()
ERR: Final = Console(stderr=True)


class Steps:
    """The steps of a long run: the current one turns, the finished ones stay with their time.

    Args:
        progress: Where they are drawn.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._current: TaskID | None = None

    def __call__(self, step: str) -> None:
        """Finish the current step and begin another."""
        self.finish()
        self._current = self._progress.add_task(step, total=1)

    def finish(self) -> None:
        """Finish the current step."""
        if self._current is not None:
            self._progress.update(self._current, completed=1)


@contextmanager
def steps() -> Iterator[Steps]:
    """Show steps on standard error, so that standard output holds results only."""
    columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=ERR) as progress:
        shown = Steps(progress)
        yield shown
        shown.finish()


def release_view(release: Release, rows: int) -> Group:
    """A release on a screen: the largest flows and what stands at each level; or the bins of a histogram."""
    if release.key.product == "contribution_histogram":
        return Group(histogram_view(release), _cost(release))
    return Group(flows_view(release, rows), _levels(release), _cost(release))


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
    table = Table(
        title=str(release.card["title"]),
        caption="means a day; 95 % intervals, noise only",
        box=box.SIMPLE,
        pad_edge=False,
    )
    for heading in ("origin", "destination", "res"):
        table.add_column(heading, no_wrap=True)
    for heading in ("a day", "from", "to"):
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
    table = Table(title="Where the trips stand: the finest level at which they can be told from noise")
    for heading in ("status", "resolution"):
        table.add_column(heading)
    for heading in ("rows", "trips a day", "share"):
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
