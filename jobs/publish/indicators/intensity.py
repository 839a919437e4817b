"""How much a country moves, and to what effect: CMI, MEI, ANMR, and rates of zones (Bell et al. 2002).

Errors of sums carry the covariances of the rows; intervals of ratios are Fieller's (E. Fieller, Some problems in
interval estimation, Journal of the Royal Statistical Society B 16, 1954). A ratio has a number only where its
denominator is more than `CLEAR` standard deviations above zero.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from jobs.publish.indicators.absolute import absolute_sum
from jobs.publish.indicators.definitions import ANMR, CMI, CMI_ALL, IN_RATE, MEI, NET_RATE, OUT_RATE
from jobs.publish.indicators.figure import Figure, Number, Told
from jobs.publish.indicators.moves import Moves
from jobs.publish.released import Released
from jobs.publish.situation.estimate import Estimate, total
from privacy.intervals import Z_95
from schemas.published import ALL

Floats = npt.NDArray[np.float64]

CLEAR: Final = 5.0
"""Standard deviations that a denominator lies above zero: a relative error of a fifth at most."""


MOST_UNPLACED: Final = 0.2
"""Share of the moves that may be in no row of the level where a balance of two directions is told.

The cut shows the larger direction of a pair first, so that what stands out is more one-sided than movement is.
"""


@dataclass(frozen=True)
class Intensities:
    """What intensities follow from: three sums of rows, and residents.

    Args:
        crossing: Moves between different zones.
        imbalance: Sum over zones of |in - out|.
        too_high: By how much noise may still make that sum too high.
        residents: Of all zones.
        together: Covariance of the errors of the two sums.
    """

    crossing: Estimate
    imbalance: Estimate
    too_high: float
    residents: Estimate
    together: float


def residents_of(bundle: Released, level: int) -> dict[str, Estimate]:
    """Return the residents of each zone of a level, all sexes and ages; none where that level was not measured."""
    rows = bundle.rows
    rows = rows[(rows["resolution"] == level) & (rows["sex"] == ALL) & (rows["age_band"] == ALL)]
    return estimates_of(rows)


def estimates_of(rows: pd.DataFrame) -> dict[str, Estimate]:
    """Return what rows of zones say, by zone."""
    return {
        str(zone): Estimate(float(value), float(sd))
        for zone, value, sd in zip(rows["zone"], rows["value"], rows["noise_sd"], strict=True)
    }


def intensity_figures(moves: Moves, residents: Mapping[str, Estimate], blank: Figure) -> Iterator[Figure]:
    """Yield CMI, MEI and ANMR of the country, then the three rates of each zone.

    Args:
        moves: Moves by zone.
        residents: Residents of each zone.
        blank: Product, period and level.
    """
    blank = replace(blank, unplaced=moves.unplaced_share)
    told = intensities(moves, total(residents.values()))
    every = replace(blank, definition=CMI_ALL, level=None, unplaced=0.0)
    yield every.told(ratio(moves.all, told.residents, 100.0))
    found = ratio(told.crossing, told.residents, 100.0)
    yield replace(blank, definition=CMI).told(_up_to(found, ratio(moves.crossing_at_most, told.residents, 100.0)))
    for definition, beneath, together in ((MEI, told.crossing, told.together), (ANMR, told.residents, 0.0)):
        found = _unless_unplaced(moves, ratio(told.imbalance, beneath, 50.0, together))
        yield replace(blank, definition=definition).told(found, below=_over(50.0 * told.too_high, beneath))
    yield from _rates(moves, residents, blank)


def intensities(moves: Moves, residents: Estimate) -> Intensities:
    """Return what intensities of a level follow from."""
    per_zone = moves.into - moves.out_of
    covariance = moves.errors.covariance(np.vstack([per_zone, moves.crosses.astype(np.float64)]))
    net = per_zone @ moves.values
    imbalance = absolute_sum(net, covariance[:-1, :-1])
    return Intensities(
        crossing=Estimate(float(moves.values[moves.crosses].sum()), sqrt(covariance[-1, -1])),
        imbalance=imbalance.estimate,
        too_high=imbalance.too_high,
        residents=residents,
        together=float(np.sign(net) @ covariance[:-1, -1]),
    )


def ratio(above: Estimate, beneath: Estimate, scale: float, together: float = 0.0) -> Number:
    """Return a ratio with its interval by Fieller's theorem, or why there is none.

    The interval holds all ratios t for which above - t beneath lies within 1.96 of its own standard deviations of zero:
    right for normal errors however large that of the denominator is, where the first order covers 91 %.

    Args:
        above: The numerator.
        beneath: The denominator.
        scale: What the ratio is multiplied by.
        together: Covariance of their errors.
    """
    if not beneath.is_clear(CLEAR):
        return f"the denominator is not {CLEAR:g} standard deviations above zero"
    found = above.value / beneath.value
    variance = above.sd**2 + (found * beneath.sd) ** 2 - 2 * found * together
    square = beneath.value**2 - Z_95**2 * beneath.sd**2
    middle = above.value * beneath.value - Z_95**2 * together
    half = sqrt(max(0.0, middle**2 - square * (above.value**2 - Z_95**2 * above.sd**2)))
    sd = sqrt(max(0.0, variance)) / beneath.value
    return Told(scale * found, scale * sd, scale * (middle - half) / square, scale * (middle + half) / square)


def _rates(moves: Moves, residents: Mapping[str, Estimate], blank: Figure) -> Iterator[Figure]:
    kinds = ((IN_RATE, moves.into), (OUT_RATE, moves.out_of), (NET_RATE, moves.into - moves.out_of))
    for n, zone in enumerate(moves.zones):
        for definition, weights in kinds:
            found = _rate(moves, weights[n], residents.get(zone))
            told = _unless_unplaced(moves, found) if definition is NET_RATE else found
            yield replace(blank, definition=definition, zone=zone).told(told)


def _unless_unplaced(moves: Moves, found: Number) -> Number:
    if moves.unplaced_share <= MOST_UNPLACED:
        return found
    share = f"{100 * moves.unplaced_share:.0f} %"
    return f"{share} of the moves are in coarser rows or in the remainder; told up to {100 * MOST_UNPLACED:.0f} %"


def _up_to(found: Number, most: Number) -> Number:
    """A number whose interval reaches as high as that of the most that it may be."""
    if isinstance(found, str) or isinstance(most, str):
        return found
    return replace(found, ci_high=max(found.ci_high, most.ci_high))


def _over(part: float, whole: Estimate) -> float:
    return part / whole.value if whole.value > 0 else 0.0


def _rate(moves: Moves, weights: Floats, residents: Estimate | None) -> Number:
    if residents is None:
        return "no residents were released for the zone"
    if not weights.any():
        return "no row of moves: they are below the cut, which is not zero"
    moved = Estimate(float(weights @ moves.values), moves.errors.sd_of(weights))
    return ratio(moved, residents, 1000.0)
