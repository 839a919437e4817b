"""A second estimate of a week from the weeks before it: sharper in normal times, and out of the way in a disaster.

It reads noisy values alone, every pair measured every week at one scale of noise, so it is post-processing and costs no
privacy. Adaptive expansion leaves gaps that depend on noise; over such gaps it does not hold (docs/adr/0010).

Source: Kalman 1960 for one pair (a local level whose change is relative to its size); the test of a zone's total and
    the forgetting of history around alarms are ours.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from privacy.hierarchy import Indices

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

_CHANGE: Final = 0.20
"""Relative change of a pair from week to week that is thought normal, in standard deviations."""

_ZONE_CHANGE: Final = 0.15
"""The same of a zone's total."""

_DAYS: Final = 7
"""A week's mean of n trips a day varies by n / 7 by chance alone."""

_LARGE: Final = 50.0
"""Trips a day from which a pair tells about the national change: some twelve standard deviations of its noise."""

_ENOUGH: Final = 100
"""Large pairs that a national change is told from; fewer tell of themselves."""

_SELECT, _BASE = 4, 4
"""Weeks that choose the pairs of a zone's test, and weeks after them that make its baseline. Pairs chosen by the weeks
that they are compared with would fall back to their mean: 614 false alarms a week in simulation."""

_ALARM: Final = 4.0
"""Standard deviations of a zone's test from which its history is forgotten: 0.1 false alarms a week and country."""

_CLUSTER: Final = 3
"""Alarmed zones nearby that alarm a zone too."""

_CUT: Final = 3.0
"""Standard deviations from which a filtered pair is shown: history helped choose it, so that few are false."""

_RAW_CUT: Final = 4.0
"""The same of a raw value: with 3, dozens of emptied pairs would still be shown."""

_Z_95: Final = 1.959964

_RAW_WIDTH: Final = 2.24
"""Half width of the interval of a raw value that passed the cut, in sd: 95 % of them in simulation."""


@dataclass(frozen=True)
class FilteredWeek:
    """A week seen with the weeks before it.

    Args:
        values: Estimates, trips a day.
        sd: Standard deviation of their error, for the mean of the week itself.
        width: Half width of a 95 % interval of a filtered value, in sd: at least 1.96, more where the last weeks'
            surprises were larger than thought.
        is_raw: Pairs without history: their value is the week's own, their sd that of the noise.
        alarms: Zones whose total jumped, and zones amid such.
    """

    values: Floats
    sd: Floats
    width: float
    is_raw: Flags
    alarms: Flags

    @property
    def half_width(self) -> Floats:
        """Half width of the 95 % interval, trips a day."""
        return np.where(self.is_raw, _RAW_WIDTH, self.width) * self.sd

    @property
    def is_shown(self) -> Flags:
        """Pairs that are told from nothing."""
        shown: Flags = self.values >= self.sd * np.where(self.is_raw, _RAW_CUT, _CUT * self.width / _Z_95)
        return shown


@dataclass(frozen=True)
class Pairs:
    """The pairs of a stream.

    Args:
        origin: Zone index of each pair.
        destination: Zone index of each pair.
        near: For each two zones, whether they are within 12 km.
    """

    origin: Indices
    destination: Indices
    near: Flags

    @property
    def zones(self) -> int:
        """Number of zones."""
        return len(self.near)

    def touching(self, zones: Flags) -> Flags:
        """Pairs that begin or end in one of the zones."""
        touched: Flags = zones[self.origin] | zones[self.destination]
        return touched


@dataclass(frozen=True)
class _Belief:
    """What earlier weeks say of each pair: mean, variance, and how wide surprises were by week."""

    mean: Floats
    variance: Floats
    surprises: tuple[float, ...]


def filtered_weeks(
    weeks: Sequence[Floats], pairs: Pairs, *, sigma: float, declared: Flags | None = None
) -> Iterator[FilteredWeek]:
    """Each week as it looks at its end: from the noisy values up to it, never from later ones.

    Args:
        weeks: Noisy values of all pairs, trips a day, oldest first; consecutive weeks.
        pairs: Which they are.
        sigma: Standard deviation of the noise, trips a day.
        declared: Zones of a publicly declared event: their history is forgotten in the last week in any case.
    """
    belief, level = None, [1.0]
    for number, week in enumerate(weeks):
        if belief is None:
            belief = _Belief(week, np.full(len(week), sigma**2), ())
            everything = np.ones(len(week), dtype=np.bool_)
            yield FilteredWeek(week, np.full(len(week), sigma), _Z_95, everything, np.zeros(pairs.zones, np.bool_))
            continue
        step = _national_step(week, belief.mean)
        level.append(level[-1] * step)
        alarms = _alarms(weeks[: number + 1], level, pairs, sigma)
        if declared is not None and number == len(weeks) - 1:
            alarms = alarms | declared
        scaled = _Belief(step * belief.mean, step**2 * belief.variance, belief.surprises)
        belief, found = _updated(scaled, week, pairs.touching(alarms), alarms, sigma)
        yield found


def _national_step(week: Floats, mean: Floats) -> float:
    """How much all movement grew since last week: seasons and holidays are no alarm."""
    large = mean >= _LARGE
    if large.sum() <= _ENOUGH:
        return 1.0
    return float(np.clip(np.median(week[large] / mean[large]), 0.5, 2.0))


def _updated(
    belief: _Belief, week: Floats, forgotten: Flags, alarms: Flags, sigma: float
) -> tuple[_Belief, FilteredWeek]:
    """Weigh what was known against the week, but for pairs that are to forget."""
    known = np.maximum(belief.mean, 0.0)
    predicted, chance = belief.variance + (_CHANGE * known) ** 2, known / _DAYS
    total = predicted + chance + sigma**2
    surprise = week - belief.mean
    width = max(_Z_95, float(np.median(belief.surprises[-4:]))) if belief.surprises else _Z_95
    values = np.where(forgotten, week, belief.mean + (predicted + chance) / total * surprise)
    sd = np.where(forgotten, sigma, sigma * np.sqrt((predicted + chance) / total))
    found = FilteredWeek(values, sd, width, forgotten, alarms)
    shown = found.is_shown
    wide = (float(np.quantile(np.abs(surprise[shown]) / np.sqrt(total[shown]), 0.95)),) if shown.any() else ()
    return _Belief(
        np.where(forgotten, week, belief.mean + predicted / total * surprise),
        np.where(forgotten, sigma**2, predicted * (1 - predicted / total)),
        (*belief.surprises, *wide),
    ), found


def _alarms(weeks: Sequence[Floats], level: Sequence[float], pairs: Pairs, sigma: float) -> Flags:
    """Zones whose total, out or in, is far from its baseline; tested again without pairs of those found first."""
    none = np.zeros(pairs.zones, dtype=np.bool_)
    if len(weeks) <= _SELECT + _BASE:
        return none
    chosen = (np.mean(weeks[-1 - _BASE - _SELECT : -1 - _BASE], axis=0) >= sigma) & (pairs.origin != pairs.destination)
    baseline = np.mean(weeks[-1 - _BASE : -1], axis=0) * (level[-1] / np.mean(level[-1 - _BASE : -1]))
    first = _jumped(weeks[-1], baseline, chosen, pairs, sigma)
    found = first | _jumped(weeks[-1], baseline, chosen & ~pairs.touching(first), pairs, sigma)
    amid: Flags = pairs.near[:, found].sum(axis=1) >= _CLUSTER
    return found | amid


def _jumped(week: Floats, baseline: Floats, chosen: Flags, pairs: Pairs, sigma: float) -> Flags:
    jumped = np.zeros(pairs.zones, dtype=np.bool_)
    base, change = baseline[chosen], (week - baseline)[chosen]
    for end in (pairs.origin[chosen], pairs.destination[chosen]):

        def total(values: Floats, zone: Indices = end) -> Floats:
            return np.bincount(zone, weights=values, minlength=pairs.zones).astype(np.float64)

        number, size = total(np.ones(len(base))), np.maximum(total(base), 0.0)
        by_chance = (1 + 1 / _BASE) * (number * sigma**2 + size / _DAYS)
        normal = total((_CHANGE * np.maximum(base, 0.0)) ** 2) + (_ZONE_CHANGE * size) ** 2
        jumped |= np.abs(total(change)) > _ALARM * np.sqrt(np.maximum(by_chance + normal, np.finfo(np.float64).tiny))
    return jumped
