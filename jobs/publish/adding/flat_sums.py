"""Sums over zones of rows of flat tables: variances add, because every row has noise of its own.

A breakdown (what a table is by, and at which level) counts everybody once, so rows of two breakdowns are never added.
"""

from collections.abc import Callable, Iterable
from typing import Final

import pandas as pd

from jobs.publish.adding.asked import Asked, RowSum, Sums
from jobs.publish.drawn_zones import DrawnZones, some_of
from jobs.publish.flat_checks import COLUMNS
from jobs.publish.released import Released
from jobs.publish.zones import LEVEL_COLUMNS
from schemas.errors import ConfigError
from schemas.published import ALL

STATUSES: Final = ("status_before", "status")
"""Columns that follow from a transition or a sight: rows are chosen by them too."""

NOT_ADDED: Final = {
    "bin_start_h": "who is seen in two bins of a day would count twice",
    "location": "zones are added with --zones or --by",
    "home": "zones are added with --zones or --by",
}
"""Columns over which nothing is added, and why."""


def flat_sums(bundle: Released, zones: DrawnZones, asked: Asked) -> Sums:
    """Add rows of flat tables up over zones; each combination of labels of each breakdown has a sum of its own.

    Raises:
        ConfigError: What is asked would add rows of two breakdowns, or names what is not there.
    """
    column, labels = _columns(bundle, asked)
    rows = bundle.rows[bundle.rows[column].notna()]
    _require_labels(rows, labels, asked)
    for name, label in asked.where.items():
        rows = rows[rows[name].astype(str) == label]
    for name in asked.over:
        rows = rows[_is_broken_down(rows[name])]
    if rows.empty:
        raise ConfigError(
            "No row is left to add.", "labels that occur together in one breakdown", "look at the bundle's table"
        )
    level, group = _grouping(rows, column, zones, asked)
    rows = rows[rows[LEVEL_COLUMNS[column]] == level]
    kept = [name for name in labels if name not in asked.over]
    return Sums(
        tuple(_sums(rows.assign(**{column: rows[column].map(group)}), [*kept, column], labels)),
        _notes(bundle, asked, column),
    )


def _columns(bundle: Released, asked: Asked) -> tuple[str, list[str]]:
    """The column of zones that is added over, and the others that say which row it is."""
    every = list(COLUMNS[bundle.product].values())
    of_zones = [name for name in every if name in LEVEL_COLUMNS]
    column = asked.column or of_zones[0]
    if column not in of_zones:
        raise ConfigError(f"{bundle.product} has no zones in {column!r}.", f"one of {', '.join(of_zones)}")
    return column, [name for name in every if name != column]


def _require_labels(rows: pd.DataFrame, labels: list[str], asked: Asked) -> None:
    told = [name for name in (*labels, *STATUSES) if name in rows.columns]
    for name in (*asked.where, *asked.over):
        if name not in (told if name in asked.where else labels):
            raise ConfigError(f"There is no column {name!r} to choose by.", f"one of {', '.join(told) or 'none'}")
    for name, label in asked.where.items():
        if label not in (found := sorted(set(rows[name].dropna().astype(str)))):
            raise ConfigError(f"No row has {name} {label!r}.", f"one of {', '.join(found)}")
    for name in asked.over:
        if name in NOT_ADDED:
            raise ConfigError(
                f"Rows are not added over {name}: {NOT_ADDED[name]}.", "a sum for each", "leave --over out"
            )


def _grouping(
    rows: pd.DataFrame, column: str, zones: DrawnZones, asked: Asked
) -> tuple[int, Callable[[str], str | None]]:
    """The level whose rows are added, and the name of the sum that each zone belongs to."""
    measured = sorted({int(level) for level in rows[LEVEL_COLUMNS[column]].dropna()})
    if asked.zones:
        return _level_of_zones(asked.zones, measured, zones), dict.fromkeys(asked.zones, _joined(asked.zones)).get
    if asked.level is None:
        raise ConfigError("It is not said what to add.", "--zones or --by", "name zones, or a level to add up to")
    wanted = asked.level
    coarser = [level for level in zones.levels if level < measured[-1]]
    if wanted not in coarser:
        raise ConfigError(
            f"Rows of {zones.zoning.place(measured[-1])} do not add up to {zones.zoning.place(wanted)}.",
            f"a coarser level: {' or '.join(map(str, coarser)) or 'there is none'}",
            "choose it with --by" if coarser else "read the rows as they are",
        )
    return measured[-1], lambda zone: zones.ancestor(zone, wanted)


def _level_of_zones(asked: tuple[str, ...], measured: list[int], zones: DrawnZones) -> int:
    zones.require(asked, "--zones")
    levels = sorted({zones.level_of[zone] for zone in asked})
    if len(levels) > 1:
        raise ConfigError(
            f"The zones are of {zones.zoning.place(levels[0])} and of {zones.zoning.place(levels[1])}: two breakdowns, "
            "each with everybody in it, so that some would count twice.",
            "zones of one level",
            "name the finer zones instead of the coarser one",
        )
    if levels[0] not in measured:
        raise ConfigError(
            f"No row is of {zones.zoning.place(levels[0])}, as {some_of(asked)}.",
            f"zones of level {' or '.join(map(str, measured))}",
            "name those that the bundle has rows of",
        )
    return levels[0]


def _joined(zones: Iterable[str]) -> str:
    return "+".join(sorted(set(zones)))


def _sums(rows: pd.DataFrame, by: list[str], labels: list[str]) -> Iterable[RowSum]:
    """A sum for each combination of labels, breakdown by breakdown."""
    kinds = {f"_{name}": _is_broken_down(rows[name]) for name in labels}
    told = rows.dropna(subset=by[-1]).assign(_squared=rows["noise_sd"] ** 2, **kinds)
    for key, group in told.groupby([*kinds, *by], dropna=False, sort=True):
        found = zip(by, key[len(kinds) :], strict=True)
        shown = {name: "" if pd.isna(label) else label for name, label in found}
        yield RowSum(shown, float(group["value"].sum()), float(group["_squared"].sum() ** 0.5), len(group))


def _is_broken_down(column: "pd.Series[str]") -> "pd.Series[bool]":
    return column.notna() & (column != ALL)


def _notes(bundle: Released, asked: Asked, column: str) -> tuple[str, ...]:
    """Say so where the level that is added up to has a table by the same as a finer one."""
    of_zones = [
        note for note in bundle.card.privacy.levels if note.resolution is not None and column in (note.by or ())
    ]
    kinds = [frozenset(n.by or ()) for n in of_zones if asked.level is not None and (n.resolution or 0) > asked.level]
    if not any(n.resolution == asked.level and frozenset(n.by or ()) in kinds for n in of_zones):
        return ()
    return (
        f"{bundle.product} was also measured at {bundle.card.zoning.place(asked.level or 0)} itself: those rows have "
        "less noise than these sums.",
    )
