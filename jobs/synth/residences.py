"""Spells of nights, and the zone of most nights in a window: residence as it truly was."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import h3
import numpy as np

from jobs.synth.plane import BASE_RESOLUTION
from jobs.synth.randomness import Bools, Ints, as_ints
from schemas.errors import ConfigError

_RESOLUTIONS: Final = (4, 5, BASE_RESOLUTION)
"""Levels at which residence is decided, as in the products."""


@dataclass(frozen=True)
class Spells:
    """Runs of nights of one person in one zone for one reason, sorted by person and night.

    Args:
        who: Index of the person.
        zone: Index of the zone.
        reason: Index of the reason.
        first: First night.
        last: Last night, itself included.
    """

    who: Ints
    zone: Ints
    reason: Ints
    first: Ints
    last: Ints

    def __post_init__(self) -> None:
        if not len(self.who) == len(self.zone) == len(self.reason) == len(self.first) == len(self.last):
            raise ConfigError("Spells whose columns have different lengths.")

    @classmethod
    def of(cls, nights: Iterable[tuple[Ints, Ints]]) -> "Spells":
        """Return the spells of nights, each given as everybody's zone and reason, from night 0 on."""
        begun = list(_beginnings(nights))
        who, zone, reason, first = (np.concatenate(part) for part in zip(*begun, strict=True))
        order = np.lexsort((first, who))
        who, first = who[order], first[order]
        ends = np.append(who[1:] != who[:-1], True)
        last = np.where(ends, len(begun) - 1, np.append(first[1:], 0) - 1)
        return cls(who, zone[order], reason[order], first, last)

    def where(self, kept: Bools) -> "Spells":
        """Return those of the spells that a mask keeps."""
        return Spells(self.who[kept], self.zone[kept], self.reason[kept], self.first[kept], self.last[kept])

    def within(self, first: int, last: int) -> "Spells":
        """Return what of the spells lies in a window of nights, both ends included."""
        inside = self.where((self.first <= last) & (self.last >= first))
        return replace(inside, first=np.maximum(inside.first, first), last=np.minimum(inside.last, last))


def _beginnings(nights: Iterable[tuple[Ints, Ints]]) -> Iterator[tuple[Ints, Ints, Ints, Ints]]:
    """Yield, night by night, who begins a spell, its zone, its reason and the night."""
    before: tuple[Ints, Ints] | None = None
    for night, (zone, reason) in enumerate(nights):
        new = np.ones(len(zone), dtype=np.bool_)
        if before is not None:
            new = (zone != before[0]) | (reason != before[1])
        who = np.flatnonzero(new)
        yield who, zone[who], reason[who], np.full(len(who), night)
        before = zone, reason


@dataclass(frozen=True)
class Residences:
    """Where each person slept most in a window.

    Args:
        zone: Index of the zone.
        nights: Nights of the window slept in it.
    """

    zone: Ints
    nights: Ints


def residences(slept: Spells, zone_names: Sequence[str]) -> Residences:
    """Return everybody's residence from the nights of a window, decided from coarse zones to fine.

    It lies in the zone of resolution 4 with most nights; within it, in that of resolution 5 with most; within that,
    it is the zone with most. Ties: the most recent night, which one of them alone holds.
    """
    for resolution in _RESOLUTIONS:
        group = _ancestors(zone_names, resolution)
        most, nights = _most_nights(slept, group[slept.zone])
        slept = slept.where(group[slept.zone] == most[slept.who])
    return Residences(np.argsort(np.array(zone_names))[most], nights)


def _ancestors(zone_names: Sequence[str], resolution: int) -> Ints:
    """Return the position of each zone's ancestor among all ancestors, sorted by name."""
    names = np.array([h3.cell_to_parent(name, resolution) for name in zone_names])
    return as_ints(np.unique(names, return_inverse=True)[1])


def _most_nights(slept: Spells, group: Ints) -> tuple[Ints, Ints]:
    """Return, for everybody from index 0 on, the group of zones with most nights, and how many."""
    pairs, row = np.unique(slept.who * (group.max() + 1) + group, return_inverse=True)
    who, group = pairs // (group.max() + 1), pairs % (group.max() + 1)
    nights = as_ints(np.bincount(row, slept.last - slept.first + 1))
    recent = np.zeros(len(pairs), dtype=np.int64)
    np.maximum.at(recent, row, slept.last)
    order = np.lexsort((-recent, -nights, who))
    best = order[np.append(True, np.diff(who[order]) > 0)]
    return group[best], nights[best]
