"""Tables in which every zone has a row, as the page holds them: values by zone and period, each breakdown apart."""

from collections.abc import Sequence
from math import sqrt
from typing import Any, Final

import pandas as pd

from jobs.publish.explorer.compact import compact, compact_sd, compacted
from jobs.publish.explorer.inputs import Series
from jobs.publish.explorer.places import Places
from schemas.published import ALL

BREAKDOWNS: Final = {
    "presence": ("bin_start_h", "sim_country"),
    "roaming": ("sim_country", "visited_country"),
    "active_subscribers": (),
    "residents": ("sex", "age_band"),
    "churn": ("change",),
}
"""Columns of each product that say what a row is broken down by, besides its zone."""

FLOWS: Final = frozenset({"churn"})
"""Products that count what happens in a period; the others count who is there."""


def flat_block(series: Series, places: Places) -> dict[str, Any]:
    """Return the values of a series by breakdown, level, period and zone; and of the country by breakdown."""
    product = series.latest.card.product
    columns = BREAKDOWNS[product]
    tables = [_numbered(source.table.to_pandas(), columns, places) for source in series.sources]
    combos = _combos(tables, columns)
    cells = {combo: _cells([rows[rows["combo"] == combo] for rows in tables], places) for combo, _ in combos}
    layer = {
        "id": product,
        "sort": "flow" if product in FLOWS else "stock",
        "cut": False,
        "combos": [{"id": combo, "parts": parts} for combo, parts in combos],
        "cells": cells,
        "country": {combo: _country([rows[rows["combo"] == combo] for rows in tables]) for combo, _ in combos},
    }
    return {"layers": [layer]}


def _numbered(rows: pd.DataFrame, columns: Sequence[str], places: Places) -> pd.DataFrame:
    """The rows with the number of their zone, -1 of the country, and one word for what they are broken down by."""
    parts = [_texts(rows[column]) for column in columns]
    combo = parts[0].str.cat(parts[1:], sep="|") if parts else pd.Series("", index=rows.index)
    zone = rows["zone"].map(places.numbers).fillna(-1).astype(int)
    return pd.DataFrame({"combo": combo, "zone": zone, "value": rows["value"], "sd": rows["noise_sd"]})


def _texts(column: pd.Series) -> pd.Series:
    return column.map(lambda value: "" if pd.isna(value) else str(value))


def _combos(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> list[tuple[str, list[list[str]]]]:
    """All breakdowns with their columns and values, the whole first; hours of the day in order."""
    found = {combo for rows in tables for combo in rows["combo"].unique()}
    told = [(combo, _parts(combo, columns)) for combo in found]
    return sorted(told, key=lambda one: (len(one[1]), [_sortable(value) for _, value in one[1]]))


def _parts(combo: str, columns: Sequence[str]) -> list[list[str]]:
    values = combo.split("|") if columns else []
    return [[column, value] for column, value in zip(columns, values, strict=True) if value not in ("", ALL)]


def _sortable(value: str) -> tuple[int, str]:
    return (int(value), "") if value.isascii() and value.isdigit() else (-1, value)


def _cells(tables: Sequence[pd.DataFrame], places: Places) -> dict[str, Any]:
    """Values of one breakdown by level: a row a period, in the order of the zones."""
    zones = sorted({int(zone) for rows in tables for zone in rows["zone"].unique()} - {-1})
    by_level: dict[str, list[int]] = {}
    for number in zones:
        by_level.setdefault(places.places[number].level, []).append(number)
    return {level: _cell(numbers, tables) for level, numbers in by_level.items()}


def _cell(numbers: Sequence[int], tables: Sequence[pd.DataFrame]) -> dict[str, Any]:
    found = [rows.set_index("zone").reindex(numbers) for rows in tables]
    return {
        "z": list(numbers),
        "v": [compacted(rows["value"], rows["sd"].fillna(0)) for rows in found],
        "s": [_one_or_all(rows["sd"]) for rows in found],
    }


def _one_or_all(sds: pd.Series) -> Any:  # noqa: ANN401 - a number where it is the same everywhere, a list where not
    """The noise of a table: one number where all its rows share it."""
    told = sds.dropna().unique()
    return compact_sd(float(told[0])) if len(told) == 1 else [compact_sd(sd) for sd in sds]


def _country(tables: Sequence[pd.DataFrame]) -> dict[str, list[Any]]:
    """The country's own row of each period; where there is none, its coarsest zones together."""
    told = [_whole(rows) for rows in tables]
    return {
        "v": [None if one is None else compact(*one) for one in told],
        "s": [None if one is None else compact_sd(one[1]) for one in told],
    }


def _whole(rows: pd.DataFrame) -> tuple[float, float] | None:
    own = rows[rows["zone"] < 0]
    if len(own):
        return float(own["value"].iloc[0]), float(own["sd"].iloc[0])
    return _coarsest(rows)


def _coarsest(rows: pd.DataFrame) -> tuple[float, float] | None:
    """The coarsest zones together: zones of one level share a noise, and numbers run from coarse to fine."""
    if rows.empty:
        return None
    least = rows[rows["sd"] == rows.sort_values("zone")["sd"].iloc[0]]
    return float(least["value"].sum()), sqrt(float((least["sd"] ** 2).sum()))
