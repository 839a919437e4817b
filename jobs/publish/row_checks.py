"""What the rows of a bundle must be, given its card; each check allows for rounding."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from jobs.publish.card import Card
from jobs.publish.tables import DECIMALS
from schemas.contract import Contract
from schemas.errors import BundleError
from schemas.published import PUBLISHED, REMAINDER, RESIDUAL

HALF_UNIT: Final = 0.5 * 10.0**-DECIMALS
"""The most that rounding moves a number."""

Z_95: Final = 1.96
"""Half width of a 95 % interval in standard deviations: 1.95996, rounded as usual."""

_LEAST_SHARE: Final = 0.25
"""Of the least noise of unbiased values. What is known of like pairs sharpens estimates near the cut; on simulated
countries to 0.46 of it at the least."""

_REMEDY: Final = "do not use the bundle; ask its publisher"


def check_key(table: pa.Table, contract: Contract, card: Card) -> None:
    """Check that the contract's key identifies a row, and that period and definition are the card's.

    Raises:
        BundleError: A key occurs twice, or a row is of something else.
    """
    rows = table.select([*contract.key, "definition_id"]).to_pandas()
    _refuse(rows.duplicated(list(contract.key)), "two rows share a key", f"one row per {', '.join(contract.key)}")
    _refuse(rows["period"] != card.period, "a row is of another period", card.period)
    _refuse(rows["definition_id"] != card.definition_id, "a row has another definition", card.definition_id)


def check_statuses(table: pa.Table) -> None:
    """Check that statuses are known, residuals marked, and that one remainder row has no zones.

    Raises:
        BundleError: A status contradicts its row.
    """
    rows = table.select(["status", "is_residual", "origin", "destination"]).to_pandas()
    known = [PUBLISHED, RESIDUAL, REMAINDER]
    _refuse(~rows["status"].isin(known), "a row has an unknown status", ", ".join(known))
    _refuse(rows["is_residual"] == (rows["status"] == PUBLISHED), "is_residual contradicts status", "agreement")
    remainder = rows["status"] == REMAINDER
    if (count := int(remainder.sum())) != 1:
        raise _contradiction(f"it has {count} remainder rows", "exactly one")
    zoned = rows[["origin", "destination"]].notna()
    _refuse(zoned.any(axis=1) & remainder, "the remainder row names a zone", "none")
    _refuse(~zoned.all(axis=1) & ~remainder, "a row lacks a zone", "origin and destination")


def check_levels_of_rows(table: pa.Table, card: Card, levels: Mapping[str, int]) -> None:
    """Check that each zone is of the resolution or admin level that its row states, and that the card names it.

    Args:
        table: The rows.
        card: The card.
        levels: The level of each zone; a name that is not in it is no zone.

    Raises:
        BundleError: A zone is none, or of another resolution.
    """
    for zone_column, resolution_column in (("origin", "res_from"), ("destination", "res_to")):
        rows = table.select([zone_column, resolution_column]).to_pandas().drop_duplicates()
        actual = rows[zone_column].map(lambda zone: zone and levels.get(zone, -1)).astype("Int32")
        stated = rows[resolution_column].astype("Int32")
        same = (actual == stated).fillna(actual.isna() & stated.isna())
        _refuse(~same.astype(bool), f"{resolution_column} is not the resolution of {zone_column}", "agreement")
        allowed = stated.isin(card.resolutions) | stated.isna()
        _refuse(~allowed, f"{resolution_column} is not a resolution of the card", f"one of {card.resolutions}")


def check_cut(table: pa.Table, card: Card) -> None:
    """Check that every published row stands at least `publish_sigma` standard deviations above zero.

    Raises:
        BundleError: A published row lies below the cut.
    """
    rows = table.select(["value", "noise_sd", "status"]).to_pandas()
    cut = card.cut * (rows["noise_sd"] - HALF_UNIT)
    below = (rows["status"] == PUBLISHED) & (rows["value"] + HALF_UNIT < cut)
    _refuse(below, "a published row lies below the cut", f"at least {card.cut:g} noise_sd")


def check_noise(table: pa.Table, card: Card) -> None:
    """Check that no row states much less noise than all levels of the card can leave together.

    However rows are combined, a measurement of sigma tells at most 1 / sigma^2 about any sum of pairs that it
    contains or is contained in, so that unbiased values keep a variance of at least 1 / sum(1 / sigma^2). Estimates
    that are corrected for the cut state somewhat less, by what is expected of a pair beside its measurements.

    Raises:
        BundleError: A row states less: the card's sigmas, or the row's, are not those of the release.
    """
    rows = table.select(["noise_sd", "value", "status"]).to_pandas()
    least = _LEAST_SHARE * sum(level.sigma**-2 for level in card.privacy.levels) ** -0.5
    empty_rest = (rows["status"] == REMAINDER) & (rows["value"] == 0)
    too_sure = (rows["noise_sd"] + HALF_UNIT < least) & ~empty_rest
    _refuse(too_sure, "a row states less noise than the card's sigmas leave", f"a noise_sd of at least {least:.3g}")


def check_intervals(table: pa.Table) -> None:
    """Check that numbers are finite, noise positive, intervals value -+ 1.96 sd, and grades as defined.

    Raises:
        BundleError: A row's interval or grade does not follow from its value and noise.
    """
    rows = table.select(["value", "noise_sd", "ci_low", "ci_high", "quality"]).to_pandas()
    numbers = rows.drop(columns=["quality"])
    _refuse(~np.isfinite(numbers).all(axis=1), "a row holds a number that is none", "finite numbers")
    # Where every pair is published, nothing remains, and nothing has no noise.
    is_remainder = table["status"].to_pandas() == REMAINDER if "status" in table.schema.names else False
    noiseless = (rows["noise_sd"] <= 0) & ~(is_remainder & (rows["value"] == 0))
    _refuse(noiseless, "a row states no noise", "noise_sd above zero")
    half = Z_95 * rows["noise_sd"]
    # Three numbers were rounded, one of them multiplied; 1.96 and 1.95996 differ by 4e-5 standard deviations.
    slack = (2 + Z_95) * HALF_UNIT + 1e-4 * rows["noise_sd"]
    for bound, expected in (("ci_low", rows["value"] - half), ("ci_high", rows["value"] + half)):
        _refuse(
            (rows[bound] - expected).abs() > slack,
            f"{bound} does not follow from value and noise_sd",
            "1.96 sd",
        )
    _check_grades(rows)


def _check_grades(rows: pd.DataFrame) -> None:
    best = _grades(rows["value"] + HALF_UNIT, rows["noise_sd"] - HALF_UNIT)
    worst = _grades(rows["value"] - HALF_UNIT, rows["noise_sd"] + HALF_UNIT)
    odd = (rows["quality"] != best) & (rows["quality"] != worst)
    _refuse(odd, "a grade does not follow from value and noise_sd", "A below 5 %, B below 15 %, C above")


def _grades(values: pd.Series, noise: pd.Series) -> pd.Series:
    grades = np.select([noise < 0.05 * values, noise < 0.15 * values], ["A", "B"], "C")
    return pd.Series(grades, index=values.index)


def _refuse(wrong: pd.Series, found: str, expected: str) -> None:
    if wrong.any():
        raise _contradiction(f"{found} (row {int(np.argmax(wrong.to_numpy())) + 1})", expected)


def _contradiction(found: str, expected: str) -> BundleError:
    return BundleError(f"The table contradicts itself: {found}.", expected, _REMEDY)
