"""The numbers of a month, taken from its released tables: nothing here is a word or a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import hypot, sqrt
from typing import Final

import numpy as np
import pandas as pd

from jobs.publish.country import whole_of
from jobs.publish.drawn_zones import drawn_zones
from jobs.publish.indicators.intensity import MOST_UNPLACED
from jobs.publish.indicators.moves import Moves, moves_of
from jobs.publish.monthly.reading import MonthBundle, MonthBundles
from jobs.publish.pair_errors import Floats, error_of_total
from jobs.publish.situation.estimate import Estimate, Share, Trust, median_of, total
from jobs.publish.situation.levels import finest_known
from privacy.intervals import Z_95
from schemas.published import ALL, APPEARED, FELL_SILENT, PUBLISHED, REMAINDER

NOT_HELD: Final = "not available"
"""Stratum of those whose sex or age the operator does not hold."""

BREAK: Final = 0.2
"""Share by which a day has to differ from the month's median, noise considered, to be called a break."""

MOST_FLOWS, MOST_VISITS, MOST_BALANCES = 20, 8, 10
"""Rows listed."""

MOST_DRAWN: Final = 120
"""Flows drawn: more of them hide each other."""


@dataclass(frozen=True)
class Flow:
    """A pair of zones whose row stands in every period's release.

    Args:
        origin: Zone.
        destination: Zone.
        mean: Of the periods' values.
    """

    origin: str
    destination: str
    mean: Estimate


@dataclass(frozen=True)
class Flows:
    """What releases of pairs say of a month.

    Args:
        total: The national total, mean of the periods.
        remainder: Of it, what no row shows.
        flows: The largest pairs, by the lower end of the interval.
        drawn: The same and some more, for a map.
        n_held: Pairs that have a row in every period.
        n_some: Pairs that have one in some periods only.
    """

    total: Estimate
    remainder: Estimate
    flows: tuple[Flow, ...]
    drawn: tuple[Flow, ...]
    n_held: int
    n_some: int

    @property
    def share_below(self) -> Share:
        """The remainder as a share of the total, its error stated from above.

        The remainder's standard deviation holds that of the total and that of the rows; of the ratio, less would do.
        """
        if self.total.trust is Trust.NOT:
            return Share(0.0, float("inf"))
        return Share(self.remainder.value / self.total.value, self.remainder.sd / self.total.value)


@dataclass(frozen=True)
class Balance:
    """Moves into a zone and out of it, from and to the other zones of the coarsest level.

    Args:
        zone: The zone.
        arrived: Who came; missing where no row shows any: that is below the cut, not zero.
        left: Who went; missing as above.
        net: Who came less who went; missing where one of them is.
    """

    zone: str
    arrived: Estimate | None
    left: Estimate | None
    net: Estimate | None

    @property
    def moved(self) -> float:
        """Who came and who went, as far as rows show them."""
        return sum(one.value for one in (self.arrived, self.left) if one)


@dataclass(frozen=True)
class Balances:
    """Moves into zones and out of them.

    Args:
        zones: The zones with most moves.
        unplaced: Share of all moves that is in no zone: in the remainder.
    """

    zones: tuple[Balance, ...] = ()
    unplaced: float = 1.0

    @property
    def net_is_told(self) -> bool:
        """Whether enough of the moves is in zones: the cut shows the larger direction of a pair first."""
        return self.unplaced <= MOST_UNPLACED


@dataclass(frozen=True)
class Residents:
    """Where people live, and who they are.

    Args:
        whole: The country.
        zones: By zone, at the finest level of which enough is known.
        strata: By sex and age band of the registrant, the country; empty where not broken down.
        sexes: Values of the column `sex` that are held, in the card's order.
        ages: Age bands that are held, in the card's order.
    """

    whole: Estimate
    zones: Mapping[str, Estimate]
    strata: Mapping[tuple[str, str], Estimate]
    sexes: tuple[str, ...]
    ages: tuple[str, ...]

    @property
    def without_strata(self) -> Estimate:
        """Residents whose sex or age is not held."""
        return total(number for key, number in self.strata.items() if NOT_HELD in key)


@dataclass(frozen=True)
class Churn:
    """Subscribers who appeared or fell silent, the country.

    Args:
        appeared: A home in the month, none in the one before.
        fell_silent: A home in the month before only.
    """

    appeared: Estimate
    fell_silent: Estimate


@dataclass(frozen=True)
class Figures:
    """What the released tables say of a month; what was not released is missing.

    Args:
        residents: Where people live.
        trips: Trips, mean a day.
        presence: Subscribers present in the country by the hour at which a bin of the day begins, mean a day.
        visits: Visits to zones by zone of home.
        relocations: Changes of residence.
        balances: Of them, in and out by zone.
        churn: Who appeared or fell silent.
        active: Active subscribers, the country, by day.
    """

    residents: Residents | None
    trips: Flows | None
    presence: Mapping[int, Estimate]
    visits: Flows | None
    relocations: Flows | None
    balances: Balances
    churn: Churn | None
    active: Mapping[date, Estimate]


def figures_of(month: MonthBundles) -> Figures:
    """Return the figures of a month's bundles."""
    relocations = month.of("relocations")
    return Figures(
        residents=_residents(month.of("residents")),
        trips=flows_of([one.rows for one in month.weekly("od_trips")], MOST_FLOWS),
        presence=_presence(month.weekly("presence")),
        visits=flows_of([one.rows for one in month.weekly("home_visits")], MOST_VISITS),
        relocations=flows_of([one.rows for one in relocations], MOST_FLOWS),
        balances=_balances(relocations),
        churn=_churn(month.of("churn")),
        active={one.period.first_day: whole_of(one.rows) for one in month.of("active_subscribers")},
    )


def mean_of(numbers: Sequence[Estimate]) -> Estimate:
    """Return the mean of estimates whose errors are independent."""
    whole = total(numbers)
    return Estimate(whole.value / len(numbers), whole.sd / len(numbers))


def flows_of(tables: Sequence[pd.DataFrame], most: int) -> Flows | None:
    """Return what several releases of pairs say together; nothing where there is none.

    Values of one pair in different periods have errors of their own. Rows of one period do not: the error of their sum
    follows from the remainder, which states it from above together with that of the rows.

    Args:
        tables: Rows of each period.
        most: Flows listed.
    """
    if not tables:
        return None
    held = pd.concat(rows[rows["status"] == PUBLISHED] for rows in tables)
    pairs = held.groupby(["origin", "destination"], sort=True)
    summed = pairs.agg(n=("value", "size"), value=("value", "sum"), variance=("noise_sd", _sum_of_squares))
    every = summed[summed["n"] == len(tables)]
    means = [
        Flow(str(origin), str(destination), Estimate(row.value / row.n, sqrt(row.variance) / row.n))
        for (origin, destination), row in zip(every.index, every.itertuples(), strict=True)
    ]
    ranked = sorted(means, key=lambda flow: (-flow.mean.ci_low, flow.origin, flow.destination))
    remainders, totals = zip(*(_totals(rows) for rows in tables), strict=True)
    return Flows(
        total=mean_of(totals),
        remainder=mean_of(remainders),
        flows=tuple(ranked[:most]),
        drawn=tuple(ranked[:MOST_DRAWN]),
        n_held=len(every),
        n_some=len(summed) - len(every),
    )


def breaks_in(active: Mapping[date, Estimate]) -> tuple[date, ...]:
    """Return the days that differ clearly from the month's median day, noise considered."""
    if not active:
        return ()
    usual = median_of(list(active.values()))
    apart = {day: abs(number.value - usual.value) - Z_95 * hypot(number.sd, usual.sd) for day, number in active.items()}
    return tuple(sorted(day for day, distance in apart.items() if distance > BREAK * usual.value))


def _sum_of_squares(sds: "pd.Series[float]") -> float:
    return float(np.sum(sds**2))


def _totals(rows: pd.DataFrame) -> tuple[Estimate, Estimate]:
    """The remainder and the national total of one period."""
    is_remainder = (rows["status"] == REMAINDER).to_numpy()
    (remainder,) = _estimates(rows[is_remainder])
    sd = error_of_total(rows["noise_sd"].to_numpy(np.float64), int(np.flatnonzero(is_remainder)[0]))
    return remainder, Estimate(float(rows["value"].sum()), sd)


def _residents(bundles: Sequence[MonthBundle]) -> Residents | None:
    if not bundles:
        return None
    card, rows = bundles[-1].card, bundles[-1].rows
    plain = rows[rows["zone"].notna() & (rows["sex"] == ALL) & (rows["age_band"] == ALL)]
    shown = finest_known(plain, "resolution")
    broken = rows[rows["zone"].isna() & (rows["sex"] != ALL) & (rows["age_band"] != ALL)]
    keys = zip(broken["sex"].astype(str), broken["age_band"].astype(str), strict=True)
    return Residents(
        whole=whole_of(rows),
        zones=dict(zip(shown["zone"].astype(str), _estimates(shown), strict=True)),
        strata=dict(zip(keys, _estimates(broken), strict=True)),
        sexes=tuple(sex for sex in card.sex or () if sex != NOT_HELD),
        ages=tuple(age for age in card.age_bands or () if age != NOT_HELD),
    )


def _presence(bundles: Sequence[MonthBundle]) -> dict[int, Estimate]:
    bins: dict[int, list[Estimate]] = {}
    for bundle in bundles:
        for start, group in bundle.rows.groupby("bin_start_h", sort=True):
            bins.setdefault(int(start), []).append(whole_of(group))
    return {start: mean_of(weeks) for start, weeks in sorted(bins.items())}


def _balances(bundles: Sequence[MonthBundle]) -> Balances:
    if not bundles:
        return Balances()
    released = bundles[-1].released
    moves = moves_of(released, drawn_zones([released]), min(released.card.resolutions))
    found = [_balance(moves, n) for n in range(len(moves.zones))]
    order = sorted((one for one in found if one.arrived or one.left), key=lambda one: (-one.moved, one.zone))
    return Balances(tuple(order[:MOST_BALANCES]), moves.unplaced_share)


def _balance(moves: Moves, n: int) -> Balance:
    into, out_of = moves.into[n], moves.out_of[n]
    net = _sum_of(moves, into - out_of) if into.any() and out_of.any() else None
    return Balance(moves.zones[n], _sum_of(moves, into), _sum_of(moves, out_of), net)


def _sum_of(moves: Moves, weights: Floats) -> Estimate | None:
    """A sum of rows, with the error of rows that hang together; nothing of no row."""
    return Estimate(float(weights @ moves.values), moves.errors.sd_of(weights)) if weights.any() else None


def _churn(bundles: Sequence[MonthBundle]) -> Churn | None:
    if not bundles:
        return None
    rows = bundles[-1].rows
    appeared, fell_silent = (whole_of(rows[rows["change"] == change]) for change in (APPEARED, FELL_SILENT))
    return Churn(appeared, fell_silent)


def _estimates(rows: pd.DataFrame) -> list[Estimate]:
    return [Estimate(float(value), float(sd)) for value, sd in zip(rows["value"], rows["noise_sd"], strict=True)]
