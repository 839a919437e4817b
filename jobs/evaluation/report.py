"""The designs side by side: as two tables that fit a screen, as JSON and as CSV."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Group
from rich.table import Table

from jobs.evaluation.designs import Budget, Guarantee
from jobs.evaluation.scores import FLOORS, Scores


@dataclass(frozen=True)
class Evaluated:
    """One design at one budget, on one set of synthetic data.

    Args:
        design: Its name.
        budget: What it was allowed.
        guarantee: What it proves.
        scores: What it shows, and how right it is.
        wall_s: Seconds from contributions in memory to published values: bounds, noise, estimates.
        cpu_s: Processor seconds of the same.
    """

    design: str
    budget: Budget
    guarantee: Guarantee
    scores: Scores
    wall_s: float
    cpu_s: float


Figures = Mapping[str, str | float]
"""One design in one row: names and texts or numbers; NaN where it has none."""


def figures(evaluated: Evaluated) -> Figures:
    """Return everything about one design that fits a row."""
    scores, budget = evaluated.scores, evaluated.budget
    return {
        "design": evaluated.design,
        "micro_rho": budget.micro_rho,
        "releases": budget.releases,
        "composed_epsilon": budget.epsilon,
        "composed_delta": budget.delta,
        **asdict(evaluated.guarantee),
        **{f"share_res{level.resolution}": level.share for level in scores.levels},
        "share": scores.share,
        **{f"rows_res{level.resolution}": level.rows for level in scores.levels},
        "false_pairs": scores.false_pairs,
        **{f"error_from_{error.floor}": error.median_relative_error for error in scores.errors},
        **{f"shown_from_{error.floor}": error.shown for error in scores.errors},
        **{f"cpc_res{level.resolution}": level.cpc for level in scores.levels},
        "clipping_bias": scores.clipping_bias,
        "noise_bias": scores.noise_bias,
        "coverage": scores.coverage,
        **{f"coverage_from_{size.at_least:g}": size.coverage for size in scores.coverage_by_size},
        "coverage_published": scores.coverage_published,
        "coverage_published_exact": scores.coverage_published_exact,
        "wall_s": evaluated.wall_s,
        "cpu_s": evaluated.cpu_s,
    }


def mean_figures(rows: Sequence[Figures]) -> Figures:
    """Return one row for several of the same design: numbers by their mean, texts as in the first."""
    return {
        name: value if isinstance(value, str) else sum(float(row[name]) for row in rows) / len(rows)
        for name, value in rows[0].items()
    }


def view(rows: Sequence[Figures], title: str) -> Group:
    """Return designs side by side, in tables that fit 80 columns: what they show, at what cost, and how right it is."""
    resolutions = _resolutions(rows[0])
    shares = {f"res {n}": (f"share_res{n}", ".1%") for n in resolutions}
    errors = {f">= {floor}": (f"error_from_{floor}", ".3f") for floor in FLOORS}
    return Group(
        _table(
            rows, f"{title}\n\nshare of the flow shown", {"loss": ("loss", ""), **shares, "in all": ("share", ".1%")}
        ),
        _table(rows, f"rows at res {resolutions[0]}, and what making them took", _rows_and_cost(resolutions[0])),
        _table(rows, f"median relative error of shown flows at res {resolutions[0]}, by trips a day", errors),
        _table(rows, "bias; coverage of 95 % intervals: measured, shown, exact", _BIAS_AND_COVERAGE),
    )


def to_json(rows: Sequence[Figures]) -> str:
    """Return rows as JSON; null where a design has no such number."""
    finite = [{name: None if _is_nan(value) else value for name, value in row.items()} for row in rows]
    return json.dumps(finite, indent=1)


def to_csv(rows: Sequence[Figures]) -> str:
    """Return rows as CSV; empty where a design has no such number."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if _is_nan(value) else value for name, value in row.items()} for row in rows)
    return text.getvalue()


def write(rows: Sequence[Figures], folder: Path) -> tuple[Path, Path]:
    """Write `evaluation.json` and `evaluation.csv`; return where."""
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "evaluation.json", folder / "evaluation.csv"
    for file, text in zip(files, (to_json(rows) + "\n", to_csv(rows)), strict=True):
        file.write_text(text, encoding="utf-8")
    return files


Columns = Mapping[str, tuple[str, str]]
"""Heading of a column, name of its figure, format of a number."""

_BIAS_AND_COVERAGE: Final[Columns] = {
    "clip": ("clipping_bias", "+.1%"),
    "noise": ("noise_bias", "+.1%"),
    "covers": ("coverage", ".1%"),
    "shown": ("coverage_published", ".1%"),
    "+ clip": ("coverage_published_exact", ".1%"),
}


def _rows_and_cost(finest: int) -> Columns:
    return {
        "rows": (f"rows_res{finest}", ",.0f"),
        "false": ("false_pairs", ",.0f"),
        "CPC": (f"cpc_res{finest}", ".2f"),
        "wall s": ("wall_s", ".1f"),
        "CPU s": ("cpu_s", ".1f"),
    }


def _table(rows: Sequence[Figures], title: str, columns: Columns) -> Table:
    table = Table(title=title, box=box.SIMPLE, pad_edge=False)
    table.add_column("design", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(str(row["design"]), *(_text(row[name], form) for name, form in columns.values()))
    return table


def _resolutions(row: Figures) -> list[int]:
    """Resolutions of a row, finest first."""
    names = (name.removeprefix("share_res") for name in row if name.startswith("share_res"))
    return sorted(map(int, names), reverse=True)


def _text(value: str | float, form: str) -> str:
    if isinstance(value, str):
        return value
    return "-" if _is_nan(value) else format(float(value), form)


def _is_nan(value: str | float) -> bool:
    return isinstance(value, float) and math.isnan(value)
