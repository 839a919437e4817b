"""What each subscriber did, and the ways in which designs bound it: exact, so of synthetic people only."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from privacy.bounding import FIXED_POINT, Bounded, LevelBound
from privacy.hierarchy import PairTree
from schemas.errors import PrivacyError

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_HASH: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio (Knuth, The Art of Computer Programming 3, 6.4): spreads the pairs of equal size."""


@dataclass(frozen=True)
class Contributions:
    """The trips of each subscriber over a period, by pair of the finest level; one entry a subscriber and pair.

    Args:
        subscriber: Number of the subscriber, ascending; which one is which is not told.
        pair: Pair number of the finest level, ascending within a subscriber.
        trips: Trips over the whole period, above 0.
        days: Days of the period.
    """

    subscriber: Integers
    pair: Integers
    trips: Integers
    days: int

    def __post_init__(self) -> None:
        step, rise = np.diff(self.subscriber), np.diff(self.pair)
        if not (bool(np.all((step > 0) | ((step == 0) & (rise > 0)))) and bool(np.all(self.trips > 0))):
            raise PrivacyError(
                "Contributions are not sorted, stand twice, or are not above zero.",
                "one entry a subscriber and pair, in order",
                "make them with Contributions.of",
            )

    @classmethod
    def of(cls, subscriber: Integers, pair: Integers, trips: Integers, *, days: int) -> "Contributions":
        """Sort entries by subscriber and pair, and add those of equal ones up."""
        order = np.lexsort((pair, subscriber))
        subscriber, pair, trips = (column[order].astype(np.int64) for column in (subscriber, pair, trips))
        starts = np.flatnonzero(np.r_[True, (np.diff(subscriber) != 0) | (np.diff(pair) != 0)][: len(order)])
        summed = np.add.reduceat(trips, starts) if len(starts) else trips
        return cls(subscriber[starts], pair[starts], summed, days)

    @property
    def unit(self) -> int:
        """Units of a bounded total in one trip a day."""
        return FIXED_POINT * self.days

    @property
    def person(self) -> Integers:
        """For each entry, the position of its subscriber."""
        return np.cumsum(np.r_[0, np.diff(self.subscriber) != 0][: len(self.subscriber)])

    def exact(self) -> tuple[Integers, Floats]:
        """Pairs with a trip, sorted, and their mean trips a day, before any bound."""
        pairs, totals = _summed(self.pair, self.trips)
        return pairs, totals / self.days

    def people(self) -> tuple[Integers, Integers]:
        """Pairs with a trip, sorted, and the number of subscribers who made one."""
        pairs, count = np.unique(self.pair, return_counts=True)
        return pairs, count.astype(np.int64)


@dataclass(frozen=True)
class Amounts:
    """What is left of each entry once a design has bounded it: `pair`, and `amount` in 1/1024 of a trip.

    Args:
        person: Position of the subscriber.
        pair: Pair number of the finest level.
        amount: Above or equal to 0.
        unit: Units of a total in one trip a day.
    """

    person: Integers
    pair: Integers
    amount: Integers
    unit: int

    def totals(self) -> tuple[Integers, Integers]:
        """Pairs, sorted, and their totals."""
        return _summed(self.pair, self.amount)


def scaled_to_l1(entries: Contributions, bound: float) -> Amounts:
    """Give each subscriber the largest weight w/1024, at most 1, that keeps the L1 norm within the bound.

    Args:
        entries: What everybody did.
        bound: Most trips a day of one subscriber, over all pairs together.
    """
    person = entries.person
    norm = np.maximum(np.bincount(person, weights=entries.trips).astype(np.int64), 1)
    weight = np.minimum(FIXED_POINT, int(bound * entries.unit) // norm)
    return Amounts(person, entries.pair, weight[person] * entries.trips, entries.unit)


def scaled_to_l2(entries: Contributions, tree: PairTree, bounds: tuple[LevelBound, ...]) -> Amounts:
    """Give each subscriber the largest weight w/1024, at most 1, under which every level keeps its L2 bound.

    The rule of `privacy.bounding.bounded_totals`, for arrays in memory; a single level is the finest.

    Args:
        entries: What everybody did.
        tree: The pairs.
        bounds: Bounds of the finest levels, coarse to fine, in 1/1024 of a trip over the period.
    """
    person, pair = entries.person, entries.pair
    weight = np.full(int(person[-1]) + 1 if len(person) else 0, FIXED_POINT, dtype=np.int64)
    finest = len(tree.zones.levels) - 1
    for level, bound in zip(range(finest, finest - len(bounds), -1), reversed(bounds), strict=True):
        weight = np.minimum(weight, _largest_weight(_squared_norm(person, pair, entries.trips), bound.squared))
        pair = tree.parents(level, pair) if level else pair
    return Amounts(person, entries.pair, weight[person] * entries.trips, entries.unit)


def largest_pairs(entries: Contributions, pairs: int) -> Contributions:
    """Keep each subscriber's pairs with most trips: one subscriber then is in at most `pairs` totals (L0).

    Ties go by a fixed shuffle of the pairs, so that no region is preferred.
    """
    shuffled = entries.pair.astype(np.uint64) * _HASH
    order = np.lexsort((shuffled, -entries.trips, entries.subscriber))
    person = entries.person[order]
    kept = np.sort(order[np.arange(len(order)) - np.searchsorted(person, person) < pairs])
    return Contributions(entries.subscriber[kept], entries.pair[kept], entries.trips[kept], entries.days)


def bounded(amounts: Amounts, bounds: tuple[LevelBound, ...]) -> Bounded:
    """The totals that a top-down release measures."""
    keys, totals = amounts.totals()
    return Bounded(keys[totals > 0], totals[totals > 0], bounds)


def _summed(keys: Integers, values: Integers) -> tuple[Integers, Integers]:
    found, position = np.unique(keys, return_inverse=True)
    sums = np.zeros(len(found), dtype=np.int64)
    np.add.at(sums, position, values)
    return found, sums


def _squared_norm(person: Integers, pair: Integers, trips: Integers) -> Integers:
    """Sum over pairs of each person's squared total."""
    order = np.lexsort((pair, person))
    person, pair = person[order], pair[order]
    starts = np.flatnonzero(np.r_[True, (np.diff(person) != 0) | (np.diff(pair) != 0)][: len(order)])
    totals = np.add.reduceat(trips[order], starts) if len(starts) else trips
    norm = np.zeros(int(person[-1]) + 1 if len(person) else 0, dtype=np.int64)
    np.add.at(norm, person[starts], totals**2)
    return norm


def _largest_weight(norm: Integers, squared: int) -> Integers:
    """Largest integer w of at most 1024 with w^2 norm <= squared; the root's rounding is corrected in integers."""
    root = np.floor(np.sqrt(squared / np.maximum(norm, 1))).astype(np.int64)
    capped = np.minimum(root, FIXED_POINT + 1)
    weight: Integers = np.minimum(capped - (capped * capped * norm > squared), FIXED_POINT)
    return weight
