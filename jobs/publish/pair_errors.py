"""How the errors of rows of pairs hang together, so that sums, differences and rates of them have intervals.

Rows are nested: a residual row is its pair's measurement less the rows beneath. So its error holds theirs with the
other sign, and adding a residual to its descendants takes their noise away again. With n the noise of a pair's own
measurement, the error of a row is n less the n of the nearest rows beneath; a sum with weight c for each row has the
error sum of n (c - c of the nearest row above). The noises n are independent, and their scale is on the card.

Rows are posterior means (privacy/shrinkage.py), not measurements, so this is not all: see docs/adr/0024, and the
simulations through the mechanism in tests/unit/test_pair_errors.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from jobs.publish.drawn_zones import DrawnZones
from jobs.publish.zoned import Zoned
from privacy.intervals import Z_95
from schemas.published import REMAINDER

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

SHARED: Final = 0.25
"""Of a level's noise: error that all rows of a coarser level may have in common.

Coarser pairs are judged twice by fitted priors; what those get wrong, they get wrong for all of a level, and it does
not average out. Simulated countries show 0.12 with many rows, and up to 0.25 with few.
"""

NONE_ABOVE: Final = -1
"""Position that stands for no row."""


@dataclass(frozen=True)
class PairErrors:
    """The errors of the rows of one bundle of pairs.

    Args:
        sd: Standard deviation that each row states.
        noise: Standard deviation of the noise in the measurement of its pair; nothing of the remainder.
        above: Position of the nearest row above each: of the pair that its pair lies in.
        is_coarse: Whether a row is of a coarser level than the finest.
        remainder: Position of the remainder.
    """

    sd: Floats
    noise: Floats
    above: Positions
    is_coarse: npt.NDArray[np.bool_]
    remainder: int

    @property
    def total_sd(self) -> float:
        """Error of rows and remainder together: that of the sum of the coarsest measurements."""
        return error_of_total(self.sd, self.remainder)

    def sd_of(self, weights: Floats) -> float:
        """Return an upper bound of the standard deviation of the error of a sum of rows.

        Args:
            weights: What each row counts; 1 or 0 for a sum.
        """
        if np.count_nonzero(weights) == 1:
            return float(np.abs(weights) @ self.sd)  # a row alone is what it says it is
        of_remainder = float(weights[self.remainder])
        rest = weights - of_remainder  # rows and remainder add up to the total: what is left out of it counts against
        rest[self.remainder] = 0.0
        return abs(of_remainder) * self.total_sd + float(np.sqrt(self._variance(rest)))

    def covariance(self, weights: Floats) -> Floats:
        """Return the covariance matrix of several sums of rows, none of which holds the remainder.

        Args:
            weights: A line for each sum.
        """
        own, shared = self._own(weights)
        model = own @ own.T + np.outer(shared, shared)
        scale = np.sqrt(np.array([self._variance(line) for line in weights]))
        told = np.sqrt(np.diag(model))
        factor = np.divide(scale, told, out=np.zeros_like(scale), where=told > 0)
        found: Floats = model * np.outer(factor, factor)
        return found

    def _own(self, weights: Floats) -> tuple[Floats, Floats]:
        """What is left of each row's own noise in each sum; and of the error that coarser rows share."""
        padded = np.concatenate([weights, np.zeros((len(weights), 1))], axis=1)
        left = (weights - padded[:, self.above]) * self.noise
        return left, SHARED * left[:, self.is_coarse].sum(axis=1)

    def _variance(self, weights: Floats) -> float:
        """The larger of two variances, and what coarser rows share: by the noise, and as if rows were independent."""
        own, shared = self._own(weights[None, :])
        return max(float(np.sum(own**2)), float(np.sum((weights * self.sd) ** 2))) + float(shared[0] ** 2)


def error_of_total(sd: Floats, remainder: int) -> float:
    """Return the error of rows and remainder together: the remainder states it plus the root of the rows' variances.

    Args:
        sd: Standard deviation that each row states.
        remainder: Position of the remainder.
    """
    rows = np.delete(sd, remainder)
    return max(0.0, float(sd[remainder]) - float(np.sqrt(np.sum(rows**2))))


def pair_errors(bundle: Zoned, zones: DrawnZones) -> PairErrors:
    """Return the errors of a bundle's rows, in their order."""
    rows = bundle.rows
    sigma = {note.resolution: note.sigma for note in bundle.card.privacy.levels}
    is_remainder = (rows["status"] == REMAINDER).to_numpy()
    noise = np.array([0.0 if np.isnan(level) else sigma[int(level)] for level in rows["res_from"]])
    finest = max(bundle.card.resolutions)
    return PairErrors(
        sd=rows["noise_sd"].to_numpy(np.float64),
        noise=noise,
        above=_above(rows, zones, bundle.card.resolutions),
        is_coarse=~is_remainder & (rows["res_from"] < finest).to_numpy(),
        remainder=int(np.flatnonzero(is_remainder)[0]),
    )


def interval(value: float, sd: float) -> tuple[float, float]:
    """Return the 95 % interval of a value."""
    return value - Z_95 * sd, value + Z_95 * sd


def _above(rows: pd.DataFrame, zones: DrawnZones, levels: list[int]) -> Positions:
    at: Mapping[tuple[object, object], int] = {
        (origin, destination): n
        for n, (origin, destination) in enumerate(zip(rows["origin"], rows["destination"], strict=True))
    }
    coarser = {level: sorted((one for one in levels if one < level), reverse=True) for level in levels}
    found = np.full(len(rows), NONE_ABOVE, dtype=np.int64)
    for n, (origin, destination, level) in enumerate(
        zip(rows["origin"], rows["destination"], rows["res_from"], strict=True)
    ):
        if not np.isnan(level):
            pairs = ((zones.ancestor(origin, up), zones.ancestor(destination, up)) for up in coarser[int(level)])
            found[n] = next((at[pair] for pair in pairs if pair in at), NONE_ABOVE)
    return found
