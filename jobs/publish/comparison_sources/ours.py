"""Our numbers for the places of others: phone-based estimates of people away, newly away, and of moves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from jobs.publish.drawn_zones import DrawnZones, some_of
from jobs.publish.pair_errors import pair_errors
from jobs.publish.released import Released
from jobs.publish.situation.estimate import Estimate, total
from privacy.unit import Period, PeriodKind
from schemas.errors import ConfigError, InputError

AWAY: Final = "phone-based estimate of people away: subscribers"
NEWLY_AWAY: Final = "phone-based estimate of people newly away, at home the night before: subscribers"
MOVES: Final = "subscribers whose home changed"

Place = tuple[str, ...]
Number = Estimate | str
"""An estimate, or why there is none."""


@dataclass(frozen=True)
class Ours:
    """Our side of a comparison.

    Args:
        measure: What is estimated.
        period: What it describes.
        definition_id: Its definition.
        of: The estimate of each place.
        sources: The bundles that it follows from.
    """

    measure: str
    period: str
    definition_id: str
    of: Callable[[Place], Number]
    sources: tuple[Released, ...] = ()


@dataclass(frozen=True)
class Places:
    """Which zones of ours make up each place of theirs.

    Args:
        zones: Zones by place, all of one level.
        level: Their level.
    """

    zones: Mapping[str, Sequence[str]]
    level: int


def places_of(
    named: Iterable[str], zones: DrawnZones, lookup: Mapping[str, str] | None, levels: Iterable[int], source: str
) -> Places:
    """Find the zones that places consist of: by code, by name, or by a table that says so.

    Args:
        named: Codes or names of places.
        zones: Our zones.
        lookup: Place of each zone, where it was given.
        levels: Levels of which there are rows.
        source: Name of their table, for errors.

    Raises:
        ConfigError: A place is no zone, or the zones are of several levels or of one that has no rows.
    """
    wanted = sorted(set(named))
    if lookup is not None:
        zones.require(lookup, "the lookup")
        told = {zone: place for zone, place in lookup.items() if place in wanted}
    else:
        told = _by_code_or_name(wanted, zones)
    if strange := sorted(set(wanted) - set(told.values())):
        raise ConfigError(
            f"{len(strange)} places of {source} are no zones of the bundle: {some_of(strange)}.",
            "codes of its zones.geojson, or names of its units",
            "give a table with columns zone and place as --lookup",
        )
    found = sorted({zones.level_of[zone] for zone in told})
    if len(found) != 1 or found[0] not in set(levels):
        raise ConfigError(
            f"The places are zones of level {' and '.join(map(str, found))}.",
            f"zones of one level that has rows: {' or '.join(map(str, sorted(set(levels))))}",
            "split their table by level, or give a lookup of finer zones",
        )
    grouped: dict[str, list[str]] = {}
    for zone, place in sorted(told.items()):
        grouped.setdefault(place, []).append(zone)
    return Places(grouped, found[0])


def away_at(bundle: Released, places: Places) -> Ours:
    """Return people away by the place where they are."""
    rows = bundle.rows
    here = rows[rows["location"].notna() & rows["home"].isna() & (rows["location_resolution"] == places.level)]
    return Ours(AWAY, bundle.card.period, bundle.card.definition_id, _sums(here, "location", places), (bundle,))


def newly_away_from(bundles: Sequence[Released], week: Period, places: Places) -> Ours:
    """Return people who were newly away in a week, by the place of their homes.

    Days are added up, because each is a flow of its own; a week's release is a mean a day, and counts seven times.
    """
    definition = bundles[0].card.definition_id
    weekly = [one for one in bundles if one.period == week]
    daily = [one for one in bundles if one.period.kind is PeriodKind.DAY and one.period.first_day in week.days]
    if not weekly and len(daily) < week.n_days:
        reason = f"{len(daily)} of the week's {week.n_days} days were given"
        return Ours(NEWLY_AWAY, str(week), definition, lambda _: reason)
    chosen, times = (weekly, float(week.n_days)) if weekly else (daily, 1.0)
    rows = pd.concat([one.rows for one in chosen])
    of_homes = rows["home"].notna() & rows["location"].isna() & (rows["home_resolution"] == places.level)
    rows = rows[of_homes & (rows["transition"] == "newly_away")]
    rows = rows.assign(value=rows["value"] * times, noise_sd=rows["noise_sd"] * times)
    return Ours(NEWLY_AWAY, str(week), definition, _sums(rows, "home", places), tuple(chosen))


def moves_between(bundle: Released, zones: DrawnZones, level: int) -> Ours:
    """Return moves between zones of a level; rows coarser than that are in no number."""
    errors, values = pair_errors(bundle, zones), bundle.rows["value"].to_numpy(np.float64)
    ends = zip(bundle.rows["origin"], bundle.rows["destination"], strict=True)
    above = [(zones.ancestor(o, level), zones.ancestor(d, level)) if o else (None, None) for o, d in ends]

    def of(pair: Place) -> Number:
        weights = np.array([one == pair for one in above], dtype=np.float64)
        if not weights.any():
            return "no row of ours: below the cut, which is not zero"
        return Estimate(float(weights @ values), errors.sd_of(weights))

    return Ours(MOVES, bundle.card.period, bundle.card.definition_id, of, (bundle,))


def level_of_pairs(pairs: Iterable[Place], zones: DrawnZones, bundle: Released, source: str) -> int:
    """Return the one level of zones that pairs of theirs are of.

    Raises:
        ConfigError: An end is no zone.
        InputError: They are of several levels, or of one that the bundle does not have.
    """
    ends = sorted({end for pair in pairs for end in pair})
    zones.require(ends, source)
    levels = sorted({zones.level_of[end] for end in ends})
    if len(levels) > 1 or levels[0] not in bundle.card.resolutions:
        raise InputError(
            f"{source} has zones of level {' and '.join(map(str, levels))}.",
            f"one level of {', '.join(map(str, sorted(bundle.card.resolutions)))}",
            "split the table by level",
        )
    return levels[0]


def _by_code_or_name(wanted: Sequence[str], zones: DrawnZones) -> dict[str, str]:
    named: dict[str, list[str]] = {}
    for zone, name in zones.names.items():
        named.setdefault(name.casefold(), []).append(zone)
    found = {place: place for place in wanted if place in zones.level_of}
    for place in wanted:
        if place not in found and len(same := named.get(place.casefold(), [])) == 1:
            found[same[0]] = place
    return found


def _sums(rows: pd.DataFrame, column: str, places: Places) -> Callable[[Place], Number]:
    by_zone = {str(zone): _estimate(group) for zone, group in rows.groupby(column)}

    def of(place: Place) -> Number:
        known = [by_zone[zone] for zone in places.zones.get(place[0], ()) if zone in by_zone]
        return total(known) if known else "no row of ours is of the place"

    return of


def _estimate(rows: pd.DataFrame) -> Estimate:
    return Estimate(float(rows["value"].sum()), float((rows["noise_sd"] ** 2).sum() ** 0.5))
