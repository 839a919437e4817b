"""Flows between zones as the page holds them: rows of each period, sums by zone, and the national total."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import h3
import numpy as np
import numpy.typing as npt
import pandas as pd

from jobs.publish.drawn_zones import DrawnZones, drawn_zones
from jobs.publish.explorer.compact import compact, compact_sd, compacted
from jobs.publish.explorer.inputs import Series, Source
from jobs.publish.explorer.places import Places
from jobs.publish.pair_errors import PairErrors, pair_errors
from jobs.publish.zones import members_of, outline_of
from privacy.zoning import Zoning
from schemas.published import PUBLISHED, REMAINDER, RESIDUAL

MOST_ROWS: Final = 24_000
"""Rows of a product that a page holds, over all periods: about half a megabyte."""

LEAST_ROWS: Final = 300
"""Rows of a period that are held however many periods there are."""

STATUS_LETTERS: Final = {PUBLISHED: "p", RESIDUAL: "r"}

SIDES: Final = (("out", "origin", "destination"), ("in", "destination", "origin"))
"""What is added up of a zone: its name, the end that lies in the zone, and the end that lies elsewhere."""

Flags = npt.NDArray[np.bool_]
Number = tuple[float, float]
"""A value and the standard deviation of its error."""


@dataclass(frozen=True)
class Pairs:
    """The rows of one period, with what is needed to add them up.

    Args:
        source: The release.
        zones: Its zones as a tree.
    """

    source: Source
    zones: DrawnZones

    @property
    def rows(self) -> pd.DataFrame:
        """Its rows."""
        return self.source.rows

    @cached_property
    def errors(self) -> PairErrors:
        """The errors of its rows."""
        return pair_errors(self.source, self.zones)

    @cached_property
    def values(self) -> npt.NDArray[np.float64]:
        """Their values."""
        values: npt.NDArray[np.float64] = self.rows["value"].to_numpy(np.float64)
        return values

    @property
    def total(self) -> Number:
        """All rows together, the remainder too: the measured national total."""
        return float(self.values.sum()), self.errors.total_sd

    def sum_of(self, chosen: Flags) -> Number:
        """Return the sum of some rows."""
        return float(self.values[chosen].sum()), self.errors.sd_of(chosen.astype(np.float64))

    def ends_at(self, column: str, level: int) -> npt.NDArray[np.object_]:
        """Return the zone of a level in which an end of each row lies; nothing of a coarser row, or the remainder."""
        above = {zone: self.zones.ancestor(zone, level) for zone in self.rows[column].dropna().unique()}
        return np.array([above.get(zone) for zone in self.rows[column]], dtype=np.object_)


def pairs_block(series: Series, places: Places) -> dict[str, Any]:
    """Return the flows of a series: its rows, and what leaves and reaches each zone."""
    told = list(_pairs(series.sources))
    most = max(LEAST_ROWS, MOST_ROWS // len(told))
    return {
        "flows": [_flows(one.rows, places, most) for one in told],
        "total": _numbers(one.total for one in told),
        "published": _numbers(one.sum_of(_published(one.rows)) for one in told),
        "within": _numbers(one.sum_of(_within(one.rows)) for one in told),
        "layers": [_layer(name, here, there, told, places) for name, here, there in SIDES],
    }


def coarser_features(series: Series) -> list[Mapping[str, Any]]:
    """Return the H3 zones of a series' levels that its bundles do not draw, for no row names them.

    Finer rows lie in them all the same, so they have sums.
    """
    missing = {
        zone: cells for source in _one_a_layer(series.sources).values() for zone, cells in _undrawn(source).items()
    }
    return [
        {
            "properties": {"zone": zone, "resolution": h3.get_resolution(zone)},
            "geometry": {"coordinates": outline_of(cells)},
        }
        for zone, cells in sorted(missing.items())
    ]


def _undrawn(source: Source) -> dict[str, list[str]]:
    if source.card.zoning is Zoning.ADMIN:
        return {}
    drawn = {str(feature["properties"]["zone"]) for feature in source.features}
    cells = sorted(source.base_zones)
    zones = {str(h3.cell_to_parent(cell, level)) for level in source.card.resolutions for cell in cells}
    return members_of(cells, zones - drawn)


Layer = tuple[frozenset[str], tuple[int, ...]]
"""Base zones and levels: releases that have them in common have one tree of zones."""


def _layer_of(source: Source) -> Layer:
    return source.base_zones, tuple(source.card.resolutions)


def _one_a_layer(sources: Iterable[Source]) -> dict[Layer, Source]:
    return {_layer_of(source): source for source in sources}


def _pairs(sources: Sequence[Source]) -> Iterator[Pairs]:
    trees = {layer: drawn_zones([source]) for layer, source in _one_a_layer(sources).items()}
    return (Pairs(source, trees[_layer_of(source)]) for source in sources)


def _published(rows: pd.DataFrame) -> Flags:
    found: Flags = (rows["status"] == PUBLISHED).to_numpy()
    return found


def _within(rows: pd.DataFrame) -> Flags:
    """Published flows that begin and end in one zone."""
    found: Flags = _published(rows) & (rows["origin"] == rows["destination"]).to_numpy()
    return found


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
        "published": int(_published(rows).sum()),
        "rest": _pair(float(rest["value"].sum()), float(rest["noise_sd"].max())) if len(rest) else None,
    }


def _numbers(pairs: Iterable[Number]) -> dict[str, list[Any]]:
    listed = list(pairs)
    return {"v": [compact(*pair) for pair in listed], "s": [compact_sd(sd) for _, sd in listed]}


def _layer(name: str, here: str, there: str, told: Sequence[Pairs], places: Places) -> dict[str, Any]:
    """What leaves each zone, or reaches it, from level to level: rows of that level and of finer ones, rests too."""
    levels = sorted({level for one in told for level in one.source.card.resolutions})
    by_level = [[_sums(one, here, there, level) for one in told] for level in levels]
    cells = [_cell(sums, places) for sums in by_level]
    return {
        "id": name,
        "sort": "flow",
        "cut": True,
        "combos": [{"id": "", "parts": []}],
        "cells": {"": {places.places[cell["z"][0]].level: cell for cell in cells if cell["z"]}},
    }


def _sums(pairs: Pairs, here: str, there: str, level: int) -> dict[str, Number]:
    """Rows with one end in a zone and the other elsewhere, added up for each zone of a level."""
    mine, other = pairs.ends_at(here, level), pairs.ends_at(there, level)
    crossing = np.flatnonzero(mine != other)
    sums = {}
    for zone, positions in pd.Series(crossing).groupby(mine[crossing]):
        chosen = np.zeros(len(mine), dtype=np.bool_)
        chosen[positions] = True
        sums[str(zone)] = pairs.sum_of(chosen)
    return sums


def _cell(sums: Sequence[Mapping[str, Number]], places: Places) -> dict[str, Any]:
    zones = sorted({zone for one in sums for zone in one}, key=lambda zone: places.numbers[zone])
    return {
        "z": [places.numbers[zone] for zone in zones],
        "v": [[compact(*one[zone]) if zone in one else None for zone in zones] for one in sums],
        "s": [[compact_sd(one[zone][1]) if zone in one else None for zone in zones] for one in sums],
    }


def _pair(value: float, sd: float) -> list[Any]:
    return [compact(value, sd), compact_sd(sd)]
