"""What the rows of a contribution histogram must be, given its card; each check allows for rounding."""

from math import isclose

import numpy as np
import pyarrow as pa

from jobs.publish.card import Card, ClippingNote
from jobs.publish.tables import DECIMALS
from privacy.contribution_histogram import PARTS, clipping_in
from privacy.intervals import Z_95
from schemas.errors import BundleError

HALF_UNIT = 0.5 * 10.0**-DECIMALS
"""The most that rounding moves a number."""

SHARE_SLACK = 1e-4
"""Noise is read from the rows, rounded to `DECIMALS`: it moves an interval by less than this."""


def check_bins(table: pa.Table, card: Card) -> None:
    """Check that rows are the grid's points and parts, whole counts, with the noise that the card states.

    Raises:
        BundleError: A row is of no bin, is missing, is no count, or states other noise.
    """
    bins = list(zip(table["trips_a_day"].to_pylist(), table["part"].to_pylist(), strict=True))
    if bins != [(point, part) for point in card.grid or () for part in PARTS]:
        raise _wrong("its rows are not the bins of the card's grid", "each point, kept and cut, in order")
    value, noise = (table[name].to_numpy() for name in ("value", "noise_sd"))
    if not np.all(value == np.rint(value)):
        raise _wrong("a value is no whole number", "counts of subscribers")
    sigma = card.privacy.levels[0].sigma
    if not np.all(np.abs(noise - sigma) <= HALF_UNIT + 1e-9):
        raise _wrong("a row states other noise than the card", f"{sigma:g}")
    for bound, side in (("ci_low", -1), ("ci_high", 1)):
        if not np.all(np.abs(table[bound].to_numpy() - value - side * Z_95 * sigma) <= 2 * HALF_UNIT):
            raise _wrong(f"{bound} does not follow from value and noise_sd", "1.96 sd")


def check_finding(table: pa.Table, card: Card) -> None:
    """Check that the share cut off that the card states follows from the rows.

    Raises:
        BundleError: It is another, or it is stated where the rows do not allow it.
    """
    found = clipping_in(table, release=card.slug, period=card.period)
    expected = ClippingNote.model_validate(found.note) if found else None
    if not _same(card.clipping, expected):
        raise _wrong("what the card says was cut off does not follow from the rows", "their ratio and its interval")


def _same(stated: ClippingNote | None, expected: ClippingNote | None) -> bool:
    if stated is None or expected is None:
        return stated is expected
    sources = (stated.release, stated.period) == (expected.release, expected.period)
    points = [c.trips_a_day for c in stated.classes] == [c.trips_a_day for c in expected.classes]
    if not (sources and points):
        return False
    pairs = zip([stated, *stated.classes], [expected, *expected.classes], strict=True)
    return all(
        isclose(getattr(one, name), getattr(other, name), abs_tol=SHARE_SLACK)
        for one, other in pairs
        for name in ("share", "ci_low", "ci_high")
    )


def _wrong(found: str, expected: str) -> BundleError:
    return BundleError(f"The table contradicts itself: {found}.", expected, "do not use the bundle; ask its publisher")
