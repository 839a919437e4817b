"""At which level a map or a list is told: fine where fine zones stand out from the noise, coarser where they do not."""

from math import nan
from typing import Final

import h3
import pandas as pd

from jobs.publish.situation.estimate import clear_sds
from privacy.zoning import is_cell

ENOUGH_KNOWN: Final = 0.5
"""Share of the people who have to be in zones that can be told from noise, or a coarser level is shown."""


def are_homes(rows: pd.DataFrame) -> pd.Series:
    """Return which rows are of a home zone, wherever its people are."""
    return rows["home"].notna() & rows["location"].isna()


def are_locations(rows: pd.DataFrame) -> pd.Series:
    """Return which rows are of a zone in which people are, wherever their homes are."""
    return rows["home"].isna() & rows["location"].notna()


def are_pairs(rows: pd.DataFrame) -> pd.Series:
    """Return which rows are of a home zone and a zone in which its people are."""
    return rows["home"].notna() & rows["location"].notna()


def with_coarser(rows: pd.DataFrame) -> pd.DataFrame:
    """Add sums of homes over their H3 parents of the level that pairs have, where that level was not measured.

    Sums of released values are released values, and the errors of a table's rows are independent. Administrative units
    stay as they were measured: their names do not tell what they lie in.
    """
    level, homes = rows.loc[are_pairs(rows), "home_resolution"].max(), rows[are_homes(rows)]
    finest = homes["home_resolution"].max()
    measured = bool((homes["home_resolution"] == level).any())
    if measured or not finest > level:
        return rows
    return pd.concat([rows, _summed(homes[homes["home_resolution"] == finest], int(level))], ignore_index=True)


def parent_of(zone: str, level: float) -> str | None:
    """Return the H3 parent of a zone; of an administrative unit, nothing."""
    return str(h3.cell_to_parent(zone, int(level))) if is_cell(zone) else None


def finest_known(rows: pd.DataFrame, resolution: str) -> pd.DataFrame:
    """Return the rows of the finest level of which enough people are in zones clear of noise; else of the coarsest."""
    levels = sorted(rows[resolution].dropna().unique(), reverse=True)
    enough = (level for level in levels if _known_share(rows[rows[resolution] == level]) >= ENOUGH_KNOWN)
    return rows[rows[resolution] == next(enough, levels[-1] if levels else nan)]


def _known_share(rows: pd.DataFrame) -> float:
    known = rows[rows["value"] > clear_sds(len(rows)) * rows["noise_sd"]]
    whole = float(rows["value"].sum())
    return float(known["value"].sum()) / whole if whole > 0 else 0.0


def _summed(homes: pd.DataFrame, level: int) -> pd.DataFrame:
    parents = {zone: parent_of(zone, level) for zone in homes["home"].unique()}
    squared = homes.assign(home=homes["home"].map(parents), noise_sd=homes["noise_sd"] ** 2)
    by = ["period", "home", "status_before", "status", "sight"]
    sums = squared.groupby(by, as_index=False).agg({"value": "sum", "noise_sd": "sum"})
    sums = sums.assign(noise_sd=sums["noise_sd"] ** 0.5, home_resolution=float(level))
    return sums.reindex(columns=homes.columns)
