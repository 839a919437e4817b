"""From zones to other areas, by a table of weights that says how it was made; noise is carried through.

A row of an area is the sum of w times value over the zones in it, and its variance the sum of w squared times theirs:
rows of one breakdown have noise of their own. The interval is of the noise; how far people spread in a zone as the
weights assume is not in it.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from jobs.publish.export.breakdowns import Breakdown, breakdowns_of
from jobs.publish.export.plain import printable, unmarked
from jobs.publish.export.source import Source
from jobs.publish.tables import DECIMALS
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.intervals import Z_95, uncertain
from schemas.errors import ConfigError, InputError
from schemas.published import PUBLISHED, REMAINDER

COLUMNS: Final = ("zone", "area", "weight", "source")

TOLERANCE: Final = 1e-6
"""By how much the weights of a zone may exceed 1: they were written with so many decimals."""

_MOST_BYTES: Final = 256 * 2**20
"""A country of 100,000 zones in 10 areas each takes a tenth of it."""


@dataclass(frozen=True)
class Weights:
    """Which share of each zone lies in which area.

    Args:
        table: One row a zone and area: `zone`, `area`, `weight` above 0 and at most 1.
        source: How they were made, as the table's column `source` says.
        sha256: Digest of the file.
    """

    table: pd.DataFrame
    source: str
    sha256: str


def read_weights(path: Path) -> Weights:
    """Read a table of weights: CSV with the columns zone, area, weight and source.

    Raises:
        InputError: It cannot be read, has other columns, a weight that is none, a pair twice, a zone of more than 1, or
            does not say how it was made.
    """
    content = _content(path)
    try:
        lines = csv.DictReader(content.decode("utf-8-sig").splitlines())
        rows = [{name: line[name] for name in COLUMNS} for line in lines]
        table = pd.DataFrame(rows, columns=list(COLUMNS)).assign(weight=lambda rows: rows["weight"].astype(float))
    except (UnicodeDecodeError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise _wrong(path, f"cannot be read as the columns {', '.join(COLUMNS)}") from error
    _check(table, path)
    made = "; ".join(sorted(set(table["source"])))
    return Weights(table[["zone", "area", "weight"]], unmarked(made), sha256(content).hexdigest())


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _wrong(path, f"is larger than {_MOST_BYTES} bytes")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read.", "a table of weights", "check the path") from error


def _check(table: pd.DataFrame, path: Path) -> None:
    if table.empty or not table[["zone", "area", "source"]].fillna("").apply(lambda c: c.str.strip() != "").all(None):
        raise _wrong(path, "has no row, or a row without zone, area or source")
    if not ((table["weight"] > 0) & (table["weight"] <= 1 + TOLERANCE)).all():
        raise _wrong(path, "has a weight that is not above 0 and at most 1")
    if table.duplicated(["zone", "area"]).any():
        twice = table[table.duplicated(["zone", "area"])].iloc[0]
        raise _wrong(path, f"has zone {printable(twice['zone'])} and area {printable(twice['area'])} twice")
    sums = table.groupby("zone")["weight"].sum()
    if (sums > 1 + TOLERANCE).any():
        raise _wrong(path, f"gives zone {printable(str(sums.idxmax()))} the weight {sums.max():.6g} in all")


def _wrong(path: Path, found: str) -> InputError:
    return InputError(
        f"The weights {path.name}: the table {found}.",
        f"CSV with {', '.join(COLUMNS)}; each zone and area once; the weights of a zone at most 1 in all",
        "correct the table; docs/formats.md shows one",
    )


def apportioned(source: Source, weights: Weights) -> Source:
    """Return a bundle's rows by area; its zones, and with them all maps, are gone.

    Of flows, published rows between zones with weights are apportioned; everything else, residual rows too, goes into
    the remainder, so that the rows still add up to the national total. Of flat tables, the breakdowns at the level of
    the weights' zones are; rows of the whole country stay, other levels are left out.

    Raises:
        ConfigError: No zone of the weights is one of the bundle's, or they are of several levels.
    """
    level = _level(source, weights)
    made, covered, whole = [], 0.0, 0.0
    for breakdown in breakdowns_of(source):
        rows = _at_level(breakdown, level)
        areas = _by_area(rows, breakdown.places, weights)
        made.append(areas)
        if breakdown.places and len(rows):
            covered += float(areas["value"].sum())
            whole += float(breakdown.rows["value"].sum())
        if source.has_flows:
            made.append(_remainder(breakdown.rows, rows, areas, weights))
    told = f"apportioned by weights {weights.sha256[:12]} ({weights.source}); {_share(covered, whole)}"
    return replace(source, rows=_completed(pd.concat(made), source), zones=None, by_areas=told)


def _level(source: Source, weights: Weights) -> int:
    """The one level that the weights' zones are of."""
    zones = source.zones
    if zones is None:
        raise ConfigError(f"{source.card.product} has no zones.", "a product with zones", "export it without --areas")
    levels = set(zones["level"].reindex(weights.table["zone"]).dropna().astype(int))
    if len(levels) != 1:
        found = f"of levels {sorted(levels)}" if levels else "none of the bundle's"
        raise ConfigError(
            f"The zones of the weights are {found}.",
            "zones of the bundle, of one level: a zone and one inside it would be counted twice",
            "give weights for zones of one level of zones.geojson",
        )
    return int(levels.pop())


def _at_level(breakdown: Breakdown, level: int) -> pd.DataFrame:
    """The rows that can be apportioned: of flows those published whole; all of whose zones are of the level."""
    rows = breakdown.rows
    if "status" in rows and "is_residual" in rows:
        rows = rows[rows["status"] == PUBLISHED]
    for place in breakdown.places:
        rows = rows[(rows[LEVEL_COLUMNS[place]] == level).fillna(value=False)]
    return rows


def _by_area(rows: pd.DataFrame, places: tuple[str, ...], weights: Weights) -> pd.DataFrame:
    """The sums by area of each place and by every label, with their variances."""
    if not places:
        return rows
    joined, shares = rows.assign(share=1.0), weights.table.add_prefix("weighed_")
    for place in places:
        joined = joined.merge(shares, left_on=place, right_on="weighed_zone")
        joined[place], joined["share"] = joined["weighed_area"], joined["share"] * joined["weighed_weight"]
        joined = joined.drop(columns=list(shares.columns))
    joined["variance"] = (joined["share"] * joined["noise_sd"]) ** 2
    joined["value"] *= joined["share"]
    same = [name for name in rows.columns if name not in _SUMMED and name not in LEVEL_COLUMNS.values()]
    summed = joined.groupby(same, sort=True, dropna=False)[["value", "variance"]].sum().reset_index()
    return summed.assign(noise_sd=np.sqrt(summed["variance"]))


_SUMMED: Final = ("value", "noise_sd", "ci_low", "ci_high", "quality")


def _remainder(whole: pd.DataFrame, used: pd.DataFrame, areas: pd.DataFrame, weights: Weights) -> pd.DataFrame:
    """The national row of what is in no area: the old remainder, residual rows, and shares without a weight.

    Its standard deviation is at most the root of the sum of the variances: errors of a residual row and of its finer
    rows offset each other.
    """
    rest = whole.drop(index=used.index)
    placed = weights.table.groupby("zone")["weight"].sum()
    shares = [placed.reindex(used[place]).fillna(0.0).to_numpy() for place in ("origin", "destination")]
    left = 1 - shares[0] * shares[1]
    variance = (rest["noise_sd"] ** 2).sum() + ((left * used["noise_sd"]) ** 2).sum()
    value = float(whole["value"].sum() - areas["value"].sum())
    row: Mapping[str, Any] = {**rest[rest["status"] == REMAINDER].iloc[0], "value": value, "noise_sd": variance**0.5}
    return pd.DataFrame([row])


def _completed(rows: pd.DataFrame, source: Source) -> pd.DataFrame:
    """The rows in the contract's columns: rounded, with interval, grade and a definition that says what was done."""
    value, sd = (np.rint(rows[name].to_numpy(float) * 10**DECIMALS) / 10**DECIMALS for name in ("value", "noise_sd"))
    found = rows.assign(
        value=value,
        noise_sd=sd,
        ci_low=np.round(value - Z_95 * sd, DECIMALS),
        ci_high=np.round(value + Z_95 * sd, DECIMALS),
        definition_id=f"{source.card.definition_id} apportioned",
    )
    if "quality" in source.rows:
        found["quality"] = [uncertain(*pair)["quality"] for pair in zip(value, sd, strict=True)]
    levels = [column for column in LEVEL_COLUMNS.values() if column in source.rows]
    found = found.assign(**{level: pd.array([pd.NA] * len(found), dtype="Int32") for level in levels})
    return found[list(source.rows.columns)].reset_index(drop=True)


def _share(covered: float, whole: float) -> str:
    return f"areas hold {covered / whole:.1%} of the published total" if whole > 0 else "of no published total"
