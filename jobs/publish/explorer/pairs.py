"""Flows between zones as the page holds them: rows of each period, sums by zone, and the national total."""

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any, Final

import pandas as pd

from jobs.publish.explorer.compact import compact, compact_sd, compacted
from jobs.publish.explorer.inputs import Series
from jobs.publish.explorer.places import Places
from schemas.published import PUBLISHED, REMAINDER, RESIDUAL

MOST_ROWS: Final = 24_000
"""Rows of a product that a page holds, over all periods: about half a megabyte."""

LEAST_ROWS: Final = 300
"""Rows of a period that are held however many periods there are."""

STATUS_LETTERS: Final = {PUBLISHED: "p", RESIDUAL: "r"}

_COLUMNS: Final = ["origin", "destination", "value", "noise_sd", "status"]


def pairs_block(series: Series, places: Places) -> dict[str, Any]:
    """Return the flows of a series: its rows, and what leaves and reaches each zone in published rows."""
    tables = [source.table.select(_COLUMNS).to_pandas() for source in series.sources]
    most = max(LEAST_ROWS, MOST_ROWS // len(tables))
    sides = (("out", "origin"), ("in", "destination"))
    return {
        "flows": [_flows(rows, places, most) for rows in tables],
        "total": _totals(tables),
        "layers": [_sums(name, column, tables, places) for name, column in sides],
    }


def _flows(rows: pd.DataFrame, places: Places, most: int) -> dict[str, Any]:
    """The rows of one period, the largest lower ends first, without the remainder, which is no flow of zones."""
    of_zones = rows[rows["status"] != REMAINDER]
    lowest = of_zones["value"] - 2 * of_zones["noise_sd"]
    kept = of_zones.assign(lowest=-lowest).sort_values(["lowest", "origin", "destination"]).head(most)
    rest = rows[rows["status"] == REMAINDER]
    return {
        "o": [places.numbers[zone] for zone in kept["origin"]],
        "d": [places.numbers[zone] for zone in kept["destination"]],
        "v": compacted(kept["value"], kept["noise_sd"]),
        "s": [compact_sd(sd) for sd in kept["noise_sd"]],
        "t": "".join(kept["status"].map(STATUS_LETTERS)),
        "all": len(of_zones),
        "rest": _pair(float(rest["value"].sum()), float(rest["noise_sd"].max())) if len(rest) else None,
    }


def _totals(tables: Sequence[pd.DataFrame]) -> dict[str, list[Any]]:
    """All rows of a period together: the measured national total."""
    pairs = [(float(rows["value"].sum()), _total_sd(rows)) for rows in tables]
    return {"v": [compact(*pair) for pair in pairs], "s": [compact_sd(sd) for _, sd in pairs]}


def _total_sd(rows: pd.DataFrame) -> float:
    """An upper limit: the stated error of the remainder holds that of the total and that of the rows together."""
    rest = rows.loc[rows["status"] == REMAINDER, "noise_sd"]
    stated = float(rest.max()) if len(rest) else 0.0
    return stated if stated > 0 else sqrt(float((rows["noise_sd"] ** 2).sum()))


def _sums(name: str, column: str, tables: Sequence[pd.DataFrame], places: Places) -> dict[str, Any]:
    """Published rows that begin or end in a zone, added up; their errors are taken to be independent."""
    by_zone = [_summed(rows, column) for rows in tables]
    zones = sorted({places.numbers[zone] for sums in by_zone for zone in sums.index})
    by_level: dict[str, list[int]] = {}
    for number in zones:
        by_level.setdefault(places.places[number].level, []).append(number)
    return {
        "id": name,
        "sort": "flow",
        "cut": True,
        "combos": [{"id": "", "parts": []}],
        "cells": {"": {level: _cell(numbers, by_zone, places) for level, numbers in by_level.items()}},
    }


def _summed(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    published = rows[rows["status"] == PUBLISHED]
    squared = published.assign(noise_sd=published["noise_sd"] ** 2)
    sums = squared.groupby(column)[["value", "noise_sd"]].sum()
    return sums.assign(noise_sd=sums["noise_sd"] ** 0.5)


def _cell(numbers: Sequence[int], by_zone: Sequence[pd.DataFrame], places: Places) -> Mapping[str, Any]:
    codes = [places.places[number].code for number in numbers]
    found = [sums.reindex(codes) for sums in by_zone]
    return {
        "z": list(numbers),
        "v": [compacted(sums["value"], sums["noise_sd"].fillna(0)) for sums in found],
        "s": [[compact_sd(sd) for sd in sums["noise_sd"]] for sums in found],
    }


def _pair(value: float, sd: float) -> list[Any]:
    return [compact(value, sd), compact_sd(sd)]
