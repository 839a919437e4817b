"""What tables that follow from bundles carry on: whether people are real, and who should hold the bundles."""

from collections.abc import Iterable
from typing import Final

from jobs.publish.card import SensitivityNote
from jobs.publish.plain_csv import Cell
from jobs.publish.released import Released
from privacy.sensitivity import SensitivityClass

MARKS: Final = ("synthetic", "sensitivity")
"""Columns of each table that follows from bundles."""

_WIDEST_FIRST: Final = tuple(SensitivityClass)


def marks_of(bundles: Iterable[Released]) -> dict[str, Cell]:
    """Return what a row says of the bundles that its table follows from: at least one, all synthetic or none.

    What follows from several is as sensitive as the most sensitive of them.
    """
    every = list(bundles)
    return {"synthetic": every[0].card.synthetic, "sensitivity": narrowest(every).now}


def narrowest(bundles: Iterable[Released]) -> SensitivityNote:
    """Return the sensitivity of the bundle that the fewest should hold, and for longest."""
    return max((one.card.sensitivity for one in bundles), key=_narrowness)


def _narrowness(note: SensitivityNote) -> tuple[int, bool, str]:
    return _WIDEST_FIRST.index(SensitivityClass(note.now)), note.until is None, note.until or ""
