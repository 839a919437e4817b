"""Moves into and out of the zones of one level, with the covariances of their errors.

A row counts where both its ends lie in zones of the level. Coarser rows, and the national remainder, are placed
nowhere; what share of all moves they hold is told beside every indicator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from jobs.publish.drawn_zones import DrawnZones
from jobs.publish.pair_errors import PairErrors, pair_errors
from jobs.publish.released import Released
from jobs.publish.situation.estimate import Estimate

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Moves:
    """Rows of moves, by the zones of a level.

    Args:
        zones: The zones.
        values: Value of each row.
        errors: Errors of the rows.
        origin: Position of the zone in which each row begins; -1: it lies in none.
        destination: Position of the zone in which each row ends.
    """

    zones: tuple[str, ...]
    values: Floats
    errors: PairErrors
    origin: npt.NDArray[np.int64]
    destination: npt.NDArray[np.int64]

    @property
    def is_placed(self) -> Flags:
        """Which rows lie between zones of the level, or within one."""
        placed: Flags = (self.origin >= 0) & (self.destination >= 0)
        return placed

    @property
    def crosses(self) -> Flags:
        """Which rows lie between two different zones of the level."""
        across: Flags = self.is_placed & (self.origin != self.destination)
        return across

    @cached_property
    def into(self) -> Floats:
        """What each row counts to the moves into each zone."""
        return self._ends(self.destination)

    @cached_property
    def out_of(self) -> Floats:
        """What each row counts to the moves out of each zone."""
        return self._ends(self.origin)

    def _ends(self, at: npt.NDArray[np.int64]) -> Floats:
        weights = np.zeros((len(self.zones), len(self.values)))
        rows = np.flatnonzero(self.crosses)
        weights[at[rows], rows] = 1.0
        return weights

    @property
    def all(self) -> Estimate:
        """All moves of the release, its remainder included."""
        return Estimate(float(self.values.sum()), self.errors.total_sd)

    @property
    def crossing_at_most(self) -> Estimate:
        """Moves between different zones, if all that no zone of the level has were such."""
        weights = (self.crosses | ~self.is_placed).astype(np.float64)
        return Estimate(float(weights @ self.values), self.errors.sd_of(weights))

    @property
    def unplaced(self) -> float:
        """Moves that no zone of the level has, those of the remainder among them; not below zero."""
        return max(0.0, float(self.values[~self.is_placed].sum()))

    @property
    def unplaced_share(self) -> float:
        """Those, as a share of all: from 0 to 1."""
        return min(1.0, self.unplaced / self.all.value) if self.all.value > 0 else 1.0


def moves_of(bundle: Released, zones: DrawnZones, level: int) -> Moves:
    """Return a bundle's moves by the zones of a level."""
    at = {zone: n for n, zone in enumerate(sorted(zones.parents[level]))}
    origin, destination = (_positions(bundle.rows[end].tolist(), zones, level, at) for end in ("origin", "destination"))
    return Moves(
        zones=tuple(at),
        values=bundle.rows["value"].to_numpy(np.float64),
        errors=pair_errors(bundle, zones),
        origin=origin,
        destination=destination,
    )


def _positions(ends: Sequence[str | None], zones: DrawnZones, level: int, at: dict[str, int]) -> npt.NDArray[np.int64]:
    above = {end: zones.ancestor(end, level) for end in set(ends) if end is not None}
    found = [above[end] if end is not None else None for end in ends]
    return np.array([-1 if zone is None else at[zone] for zone in found], dtype=np.int64)
