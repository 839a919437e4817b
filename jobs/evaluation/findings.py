"""One figure of an evaluation a line: what is told of products that are compared with a planted truth."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from rich import box
from rich.table import Table

from jobs.evaluation.report import Figures

EXACT: Final = "exact"
"""Data of a finding that no noise has touched: after contribution bounds, before noise."""

_DIGITS: Final = 4


@dataclass(frozen=True)
class Finding:
    """One figure.

    Args:
        measure: What was measured, against what.
        of: The table, level or day that it is of.
        data: `exact`, or the loss of the release that was drawn.
        value: The figure; NaN where there is none.
    """

    measure: str
    of: str
    data: str
    value: float

    @property
    def name(self) -> tuple[str, str, str]:
        """What tells it from every other of an evaluation."""
        return self.measure, self.of, self.data


def released_at(micro_rho: int) -> str:
    """Name the data of a release at a price."""
    return f"released at {micro_rho:,} micro-rho"


def rows_of(findings: Iterable[Finding]) -> list[Figures]:
    """Return findings as rows for JSON and CSV."""
    return [asdict(finding) for finding in findings]


def findings_view(findings: Sequence[Finding], title: str) -> Table:
    """Return findings as a table that fits a screen: a measure and what it is of a row, the data side by side."""
    data = list(dict.fromkeys(finding.data for finding in findings))
    table = Table(title=title, box=box.SIMPLE, pad_edge=False)
    table.add_column("measure")
    table.add_column("of")
    for name in data:
        table.add_column(name, justify="right")
    found = {one.name: one.value for one in findings}
    for measure, of in dict.fromkeys((one.measure, one.of) for one in findings):
        table.add_row(measure, of, *(_text(found.get((measure, of, name))) for name in data))
    return table


def _text(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "-"
    return f"{value:,.{_DIGITS}g}" if abs(value) < 10**_DIGITS else f"{value:,.0f}"
