"""The numbers of a situation, taken from the released tables of one event: nothing here is a word or a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

import h3
import pandas as pd

from jobs.publish.situation.estimate import Estimate, Share, Trust, clear_sds, share_of, total
from jobs.publish.situation.levels import (
    ENOUGH_KNOWN,
    are_homes,
    are_locations,
    are_pairs,
    finest_known,
    parent_of,
    with_coarser,
)
from jobs.publish.situation.unseen import Sights, away_of_all
from privacy.unit import Period
from privacy.zoning import is_cell
from schemas.published import ALL

HOME, AWAY, SILENT = "home", "away", "silent"
"""Values of `status_before` and `status` of a published row."""

_NOBODY: Final = Estimate(0.0, 0.0)

MOST_PAIRS: Final = 20
"""Pairs listed: what fits on one page and in one head."""

COLUMNS: Final = (
    "period", "home", "home_resolution", "location", "location_resolution", "status_before", "status", "sight", "value",
    "noise_sd",
)  # fmt: skip
"""Columns read of the published table `displacement`."""

LEVELS: Final = ("home_resolution", "location_resolution")
"""Of them, those that hold levels."""


@dataclass(frozen=True)
class Moment:
    """The area, or a zone of it, in one period: subscribers who lived there, mean a day where the period is a week.

    Args:
        period: Day or week.
        before: Away the day before, as the same release has it.
        home: At home.
        away: Away.
        silent: Not seen.
        newly_away: At home the day before, away now.
        reappeared: Silent the day before, away now.
        returned: Away the day before, at home now.
        lost: Away the day before, silent now.
        sights: The whole area by what the night itself showed; empty of a zone.
        all_away: Away, those included whom the night did not show; missing of a zone, and where it cannot be told.
    """

    period: Period
    before: Estimate
    home: Estimate
    away: Estimate
    silent: Estimate
    newly_away: Estimate
    reappeared: Estimate
    returned: Estimate
    lost: Estimate
    sights: Sights = field(default_factory=dict)
    all_away: Estimate | None = None

    @property
    def people_away(self) -> Estimate:
        """All people away; where that cannot be told, those last seen away."""
        return self.all_away or self.away

    @property
    def residents(self) -> Estimate:
        """All who lived there before, whatever their status now."""
        return self.home + self.away + self.silent


@dataclass(frozen=True)
class Origin:
    """A zone that people left.

    Args:
        zone: Its name.
        moments: Those who lived there before, in each period from the onset on.
        usual: Of them, away in the last week before the onset, mean a day; missing where it was not released.
    """

    zone: str
    moments: tuple[Moment, ...]
    usual: Estimate | None

    @property
    def residents(self) -> Estimate:
        """Subscribers who lived there before."""
        return self.moments[-1].residents

    @property
    def away(self) -> Estimate:
        """Of them, away in the latest period."""
        return self.moments[-1].away

    @property
    def share_away(self) -> Share:
        """The away as a share of the residents, the silent included."""
        latest = self.moments[-1]
        return share_of(latest.away, latest.home + latest.silent)


@dataclass(frozen=True)
class Part:
    """A piece of the map of where people left.

    Args:
        origin: The origin that it belongs to.
        zones: The zones that it is drawn as.
        share_away: Of its residents.
    """

    origin: str
    zones: tuple[str, ...]
    share_away: Share


@dataclass(frozen=True)
class Pair:
    """Subscribers of one home zone who are away in one zone.

    Args:
        home: Zone of the home.
        location: Zone of the night.
        away: Subscribers.
    """

    home: str
    location: str
    away: Estimate


@dataclass(frozen=True)
class Figures:
    """What the released tables say of an event.

    Args:
        moments: The periods from the onset on, in order.
        usual: Away in the last week before the onset, mean a day; missing where it was not released.
        here: The away of the latest period by the zone that they are in, of the zones that are clear of noise.
        origins: The zones that they left, at the level of the pairs where there is one.
        parts: The same zones as pieces of a map: finer where finer ones are known.
        pairs: From where to where, the largest lower ends of intervals first.
    """

    moments: tuple[Moment, ...]
    usual: Estimate | None
    here: Mapping[str, Estimate]
    origins: tuple[Origin, ...]
    parts: tuple[Part, ...]
    pairs: tuple[Pair, ...]


def figures_of(rows: pd.DataFrame, onset: date) -> Figures:
    """Return the figures of an event.

    Args:
        rows: Rows of the published table, of all periods, each period once; at least `COLUMNS`.
        onset: First day of the event.
    """
    periods = sorted({Period.parse(text) for text in rows["period"]}, key=lambda period: period.last_day)
    after = [period for period in periods if period.last_day >= onset]
    before = [period for period in periods if period.last_day < onset]
    rows = with_coarser(rows)
    latest = rows[rows["period"] == str(after[-1])] if after else rows.iloc[:0]
    areas, sights = _areas(rows), _sights(rows)
    courses = {
        zone: _course(zone, by_period, {} if zone else sights, after, before) for zone, by_period in areas.items()
    }
    whole = courses.pop("", _course("", {}, {}, after, before))
    pairs = finest_known(latest[are_pairs(latest)], "home_resolution")
    origins = _at_level(courses if after else {}, latest, pairs["home_resolution"].max())
    return Figures(
        moments=whole.moments,
        usual=whole.usual,
        here=_here(latest),
        origins=origins,
        parts=tuple(part for origin in origins for part in _parts(origin, courses)),
        pairs=_largest(pairs),
    )


def clear_origins(origins: Sequence[Origin]) -> list[Origin]:
    """Return the places of origin that are listed: those clear of noise, the surely largest first."""
    sds = clear_sds(len(origins))
    order = sorted(origins, key=lambda origin: (-origin.away.ci_low, origin.zone))
    return [origin for origin in order if origin.away.is_clear(sds)]


def moment_of(rows: pd.DataFrame, period: Period) -> Moment:
    """Return the whole area in one period, from its nine transitions and six sights, each with noise of its own."""
    of_period = rows[rows["period"] == str(period)]
    whole = of_period["home"].isna() & of_period["location"].isna() & ~_are_sights(of_period)
    return _moment(period, _cells(of_period[whole]), _sights(of_period).get(str(period), {}))


def reckoned(moments: Sequence[Moment], usual: Moment | None) -> tuple[tuple[Moment, ...], Moment | None]:
    """Return the releases of an event with all people away; without them in all where one of them cannot tell.

    Numbers of one event are compared with each other: either all of them are reckoned, or none is.

    Args:
        moments: Releases from the onset on.
        usual: The week before it.
    """
    every = (*moments, usual) if usual else tuple(moments)
    found = [away_of_all(moment.sights, usual.sights if usual else {}) for moment in every]
    told = tuple(
        replace(moment, all_away=None if None in found else one) for moment, one in zip(every, found, strict=True)
    )
    return (told[:-1], told[-1]) if usual else (told, None)


Cells = Mapping[tuple[str, str], Estimate]
"""Subscribers by the status of the day before and the status now."""


def _areas(rows: pd.DataFrame) -> dict[str, dict[str, Cells]]:
    """The transitions of the whole area, named "", and of each home zone of any level, by period."""
    areas: dict[str, dict[str, Cells]] = {}
    wanted = rows[rows["location"].isna() & ~_are_sights(rows)].fillna({"home": ""})
    for (zone, period), group in wanted.groupby(["home", "period"], sort=True):
        areas.setdefault(str(zone), {})[str(period)] = _cells(group)
    return areas


def _sights(rows: pd.DataFrame) -> dict[str, Sights]:
    """The sights of the whole area, by period."""
    found = rows[_are_sights(rows)]
    return {
        str(period): dict(zip(group["sight"], _estimates(group), strict=True))
        for period, group in found.groupby("period")
    }


def _are_sights(rows: pd.DataFrame) -> "pd.Series[bool]":
    return rows["sight"] != ALL


def _course(
    zone: str,
    by_period: Mapping[str, Cells],
    sights: Mapping[str, Sights],
    after: Sequence[Period],
    before: Sequence[Period],
) -> Origin:
    def told(period: Period) -> Moment:
        return _moment(period, by_period.get(str(period), {}), sights.get(str(period), {}))

    usual = told(before[-1]) if before and str(before[-1]) in by_period else None
    moments, usual = reckoned([told(period) for period in after], usual)
    return Origin(zone, moments, usual.people_away if usual else None)


def _moment(period: Period, cells: Cells, sights: Sights) -> Moment:
    return Moment(
        period=period,
        before=total(estimate for (before, _), estimate in cells.items() if before == AWAY),
        home=_status(cells, HOME),
        away=_status(cells, AWAY),
        silent=_status(cells, SILENT),
        newly_away=cells.get((HOME, AWAY), _NOBODY),
        reappeared=cells.get((SILENT, AWAY), _NOBODY),
        returned=cells.get((AWAY, HOME), _NOBODY),
        lost=cells.get((AWAY, SILENT), _NOBODY),
        sights=sights,
    )


def _cells(rows: pd.DataFrame) -> Cells:
    return dict(zip(zip(rows["status_before"], rows["status"], strict=True), _estimates(rows), strict=True))


def _status(cells: Cells, status: str) -> Estimate:
    return total(estimate for (_, now), estimate in cells.items() if now == status)


def _here(rows: pd.DataFrame) -> dict[str, Estimate]:
    """The away by location, at the finest level that can be told from noise."""
    shown = finest_known(rows[are_locations(rows)], "location_resolution")
    here, sds = zip(shown["location"], _estimates(shown), strict=True), clear_sds(len(shown))
    return {zone: estimate for zone, estimate in here if estimate.is_clear(sds)}


def _at_level(courses: Mapping[str, Origin], rows: pd.DataFrame, level: float) -> tuple[Origin, ...]:
    """The home zones of a level, or of the finest where there are none of it."""
    homes = rows[are_homes(rows)]
    shown = level if (homes["home_resolution"] == level).any() else homes["home_resolution"].max()
    zones = homes.loc[homes["home_resolution"] == shown, "home"].unique()
    return tuple(courses[zone] for zone in sorted(zones) if zone in courses)


def _parts(origin: Origin, courses: Mapping[str, Origin]) -> tuple[Part, ...]:
    """The finer zones of an origin where enough of its people live in some that are known; else the origin as one."""
    finer = [courses[zone] for zone in sorted(courses) if _lies_in(zone, origin.zone)]
    known = total(one.residents for one in finer if one.share_away.trust is not Trust.NOT)
    if known.value > ENOUGH_KNOWN * origin.residents.value:
        return tuple(Part(origin.zone, (one.zone,), one.share_away) for one in finer)
    members = tuple(one.zone for one in finer) or (origin.zone,)
    return (Part(origin.zone, members, origin.share_away),)


def _lies_in(zone: str, origin: str) -> bool:
    if zone == origin or not is_cell(zone) or not is_cell(origin):
        return False
    level = h3.get_resolution(origin)
    return h3.get_resolution(zone) > level and parent_of(zone, level) == origin


def _largest(rows: pd.DataFrame) -> tuple[Pair, ...]:
    pairs = [Pair(*row) for row in zip(rows["home"], rows["location"], _estimates(rows), strict=True)]
    sds = clear_sds(len(pairs))
    known = [pair for pair in pairs if pair.away.is_clear(sds)]
    return tuple(sorted(known, key=lambda pair: (-pair.away.ci_low, pair.home, pair.location))[:MOST_PAIRS])


def _estimates(rows: pd.DataFrame) -> list[Estimate]:
    return [Estimate(float(v), float(sd)) for v, sd in zip(rows["value"], rows["noise_sd"], strict=True)]
