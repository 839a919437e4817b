"""Parts of a paper, ready to be set: every text worded, every picture drawn."""

from dataclasses import dataclass

from jobs.publish.paper.drawing import Drawing


@dataclass(frozen=True)
class KeyFigure:
    """One large number.

    Args:
        label: What it is.
        value: The number, or why there is none.
        range: Its interval; empty where there is no number.
        trust: How sure, in words.
    """

    label: str
    value: str
    range: str
    trust: str


@dataclass(frozen=True)
class MapView:
    """A map with its legend.

    Args:
        drawing: The map.
        more: How to read it.
        legend: Small drawings; the title of each is its meaning.
    """

    drawing: Drawing
    more: str
    legend: tuple[Drawing, ...]


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Args:
        title: What it lists.
        more: How to read it.
        heads: Heads of the columns.
        rows: Texts, in the order of the heads.
        empty: What is said where there is no row.
        numbers: Positions of the columns of numbers, which are set to the right.
        names: Positions of the columns of names of zones, which may be long.
        on_paper: Positions of the columns that there is room for on a sheet of paper.
        cut_title: What it lists where only its first rows are shown; the same where it does not say.
        note: What has to be known of what it does not hold, below it.
    """

    title: str
    more: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str
    numbers: frozenset[int]
    names: frozenset[int]
    on_paper: tuple[int, ...]
    cut_title: str = ""
    note: str = ""
