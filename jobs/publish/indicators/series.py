"""Totals of earlier and later releases of one product, side by side."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from jobs.publish.drawn_zones import DrawnZones
from jobs.publish.indicators.intensity import estimates_of, residents_of
from jobs.publish.pair_errors import pair_errors
from jobs.publish.released import Released
from jobs.publish.situation.estimate import Estimate, total
from privacy.unit import Period, PeriodKind

STOCKS: Final = ("residents", "active_subscribers")
"""Flat products whose zones count everybody once."""

COUNTRY: Final = ""
"""Name of the whole country among zones."""


@dataclass(frozen=True)
class Series:
    """One number, period by period.

    Args:
        product: Its product.
        zone: Its zone; empty: the country.
        level: The zone's level; nothing of the country.
        totals: The number, by period, in order.
        unit: Of the number.
    """

    product: str
    zone: str
    level: int | None
    totals: Mapping[Period, Estimate]
    unit: str


def series_of(bundles: Iterable[Released], zones: DrawnZones) -> list[Series]:
    """Return the series of the country and of its coarsest zones, by product and kind of period.

    Of pairs: all that begins in the zone, moves inside it included; of the country with the remainder. Of stocks: what
    stands there.
    """
    found: dict[tuple[str, PeriodKind, str], dict[Period, Estimate]] = {}
    levels: dict[str, int | None] = {COUNTRY: None}
    units: dict[str, str] = {}
    for bundle in bundles:
        level = min(bundle.card.resolutions, default=None)
        units[bundle.product] = bundle.card.unit_of_value
        for zone, estimate in _totals(bundle, zones, level).items():
            found.setdefault((bundle.product, bundle.period.kind, zone), {})[bundle.period] = estimate
            levels.setdefault(zone, level)
    return [
        Series(product, zone, levels[zone], _in_order(totals), units[product])
        for (product, _, zone), totals in sorted(found.items())
    ]


def _in_order(totals: Mapping[Period, Estimate]) -> dict[Period, Estimate]:
    return dict(sorted(totals.items(), key=lambda one: one[0].first_day))


def _totals(bundle: Released, zones: DrawnZones, level: int | None) -> dict[str, Estimate]:
    if bundle.has_pairs and level is not None:
        return _of_pairs(bundle, zones, level)
    return _of_stock(bundle, level) if bundle.product in STOCKS else {}


def _of_pairs(bundle: Released, zones: DrawnZones, level: int) -> dict[str, Estimate]:
    values, errors = bundle.rows["value"].to_numpy(np.float64), pair_errors(bundle, zones)
    begins = [zone and zones.ancestor(zone, level) for zone in bundle.rows["origin"]]
    told = {zone: np.array([one == zone for one in begins], dtype=np.float64) for zone in set(begins) if zone}
    sums = {zone: Estimate(float(weights @ values), errors.sd_of(weights)) for zone, weights in sorted(told.items())}
    return {COUNTRY: Estimate(float(values.sum()), errors.total_sd), **sums}


def _of_stock(bundle: Released, level: int | None) -> dict[str, Estimate]:
    rows = bundle.rows
    if bundle.product == "residents":
        by_zone = residents_of(bundle, level) if level is not None else {}
        return {COUNTRY: total(by_zone.values()), **by_zone}
    whole = estimates_of(rows[rows["zone"].isna()])
    by_zone = estimates_of(rows[rows["resolution"] == level])
    return {COUNTRY: next(iter(whole.values()), total(by_zone.values())), **by_zone}
