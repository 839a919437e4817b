"""The rows of a bundle, parted into what may be looked at together: one measurement, of one level of zones."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pandas as pd

from jobs.publish.export.plain import unmarked
from jobs.publish.export.source import Source
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.zoning import Zoning
from schemas.published import ALL

_SHORT: Final = {Zoning.H3: "res", Zoning.ADMIN: "adm"}
"""What a level is called in the name of a layer."""


@dataclass(frozen=True)
class Breakdown:
    """Rows of one measurement; those of flows stand at the finest level that is clear of noise, all together.

    Args:
        name: Name of its layer.
        title: What it is, for a legend.
        places: Columns that say where: none, of the whole country or area; one; or from where and to where.
        labels: Columns that break it down further.
        rows: The rows, as they were published.
    """

    name: str
    title: str
    places: tuple[str, ...]
    labels: tuple[str, ...]
    rows: pd.DataFrame

    def parts(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Yield the rows of each value of its labels, in order, under what they are called; all where it has none."""
        if not self.labels:
            yield "", self.rows
            return
        for values, rows in self.rows.groupby(list(self.labels), sort=True):
            yield ", ".join(map(label_text, self.labels, values)), rows


def breakdowns_of(source: Source) -> list[Breakdown]:
    """Return the breakdowns of a bundle: rows of two of them are never added to each other."""
    if source.has_flows:
        return [Breakdown(source.card.product, source.card.title, source.places, _varied(source), source.rows)]
    levels = [LEVEL_COLUMNS[place] for place in source.places]
    broken = pd.DataFrame({name: _is_broken_down(source.rows[name]) for name in (*source.places, *source.labels)})
    signature = [broken[name] for name in broken] + [source.rows[level] for level in levels]
    groups = source.rows.groupby(signature, sort=True, dropna=False)
    return [_flat(source, rows, broken.loc[rows.index[0]]) for _, rows in groups]


def _flat(source: Source, rows: pd.DataFrame, is_broken: "pd.Series[bool]") -> Breakdown:
    places = tuple(name for name in source.places if is_broken[name])
    labels = tuple(name for name in source.labels if is_broken[name])
    levels = [int(rows[LEVEL_COLUMNS[place]].iloc[0]) for place in places]
    by = [*places, *labels] or ["total"]
    name = "_".join([source.card.product, *by, *(f"{_SHORT[source.card.zoning]}{level}" for level in levels)])
    by_words = " and ".join(by).replace("_", " ")
    where = ", ".join(dict.fromkeys(source.card.zoning.place(level) for level in levels))
    title = f"{source.card.title}: by {by_words}" if places or labels else f"{source.card.title}: as a whole"
    return Breakdown(name, f"{title}, {where}" if where else title, places, labels, rows)


def _varied(source: Source) -> tuple[str, ...]:
    return tuple(name for name in source.labels if (source.rows[name] != ALL).any())


def _is_broken_down(column: "pd.Series[object]") -> "pd.Series[bool]":
    return column.notna() & (column != ALL)


def label_text(column: str, value: object) -> str:
    """Return what a label is called."""
    match column:
        case "bin_start_h":
            return f"{value:02d}:00 to {int(str(value)) + 4:02d}:00"
        case "trips_a_day":
            return f"{value:g} trips a day"
        case _:
            return unmarked(str(value)).replace("_", " ")
