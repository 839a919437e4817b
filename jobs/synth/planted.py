"""The truth of a scenario, as tables beside the deliveries: who lived, slept, fled, moved, fell silent, and where."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Final

import h3
import numpy as np
import pyarrow as pa

from jobs.synth.country import Country
from jobs.synth.declared import write_events, write_facts
from jobs.synth.geography import PLANE
from jobs.synth.history import REASONS, History
from jobs.synth.itineraries import Journeys
from jobs.synth.lives import WEEKLY_COMMUTER
from jobs.synth.outages import outage_table, write_feed
from jobs.synth.people import numbers
from jobs.synth.randomness import Bools, Floats, Ints, as_ints
from jobs.synth.residences import Residences, Spells, residences
from jobs.synth.scenario import Timeline
from jobs.synth.truth import write_table
from privacy.unit import PrivacyMonth

OUTAGES: Final = "outages.csv"
"""The operator's feed: no truth, but what an installation reads."""

BY_TOWER: Final = "by_tower"
"""Folder, within the truth, of the same tables in the zones of the nearest towers."""

AWAY_KM: Final = 10.0
"""`min_away_km` of the shipped policy: nearer nights are nights at home."""

_DAYS_BEFORE: Final = 14
"""Days before the onset that the tables of displaced people begin, so that they show the usual absence."""

_IN_USE: Final = 2 / 3
"""Share of the days of either window on which a SIM has to be in use for its owner to count as observed there."""

_EARTH_KM: Final = 6_371.0071804
"""Radius that H3 measures with."""


@dataclass(frozen=True)
class Zoning:
    """In which zone a place counts.

    Args:
        names: H3 cells.
        zone: Index of each place's.
    """

    names: tuple[str, ...]
    zone: Ints

    @classmethod
    def by_place(cls, country: Country) -> "Zoning":
        """Return the zones in which places lie: where people really are."""
        return cls(country.places.zone_names, country.places.zone)

    @classmethod
    def by_tower(cls, country: Country) -> "Zoning":
        """Return the zones of the sites nearest to places: where a network shows people, however well it is read."""
        names, zone = np.unique(PLANE.zones(country.network.sites), return_inverse=True)
        return cls(tuple(names.tolist()), as_ints(zone)[country.network.near_sites[:, 0]])


@dataclass(frozen=True)
class Chronicle:
    """What the truth is told from, in zones of one kind.

    Args:
        country: The country.
        journeys: Its people's journeys.
        history: What the scenario planted.
        zoning: In which zones it is told.
    """

    country: Country
    journeys: Journeys
    history: History
    zoning: Zoning

    @property
    def timeline(self) -> Timeline:
        """When things happen."""
        return self.history.timeline

    @cached_property
    def msisdns(self) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
        """Numbers of all people."""
        return np.array(numbers(0, self.country.subscribers))

    @cached_property
    def zones(self) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
        """Names of all zones."""
        return np.array(self.zoning.names)

    @cached_property
    def slept(self) -> Spells:
        """Where everybody slept."""
        return Spells.of(self._zones_of(self.history.slept(self.journeys, n)) for n in range(self.timeline.days))

    @cached_property
    def lived(self) -> Spells:
        """Where everybody lived, journeys apart."""
        return Spells.of(self._zones_of(self.history.lived(night)) for night in range(self.timeline.days))

    @cached_property
    def residents(self) -> tuple[Ints, Ints]:
        """Who lived in the area in the privacy month before the onset's, and in which zone."""
        baseline = self.timeline.baseline
        zone = self.residences_in(baseline.first_day, baseline.last_day).zone
        who = np.flatnonzero(np.isin(self.zones[zone], self.history.flood.area.names(self.country.places)))
        return who, zone[who]

    @cached_property
    def centres(self) -> Floats:
        """Latitude and longitude of the zones' centres, in radians."""
        return np.deg2rad([h3.cell_to_latlng(name) for name in self.zones.tolist()])

    def km(self, a: Ints, b: Ints) -> Floats:
        """Return the great-circle distance between the centres of zones of equal index."""
        (lat_a, lng_a), (lat_b, lng_b) = self.centres[a].T, self.centres[b].T
        across = np.cos(lat_a) * np.cos(lat_b) * np.sin((lng_a - lng_b) / 2) ** 2
        return np.asarray(2 * _EARTH_KM * np.arcsin(np.sqrt(np.sin((lat_a - lat_b) / 2) ** 2 + across)))

    def _zones_of(self, night: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
        place, reason = night
        return self.zoning.zone[place], reason

    def residences_in(self, first: date, last: date) -> Residences:
        """Return everybody's residence over a window of nights, both ends included."""
        offsets = self.timeline.offset(first), self.timeline.offset(last)
        return residences(self.slept.within(*offsets), self.zoning.names)

    def used_days(self, first: date, last: date) -> Ints:
        """Return on how many days of a window each SIM is in use."""
        days = range(self.timeline.offset(first), self.timeline.offset(last) + 1)
        return as_ints(np.sum([self.history.silence.in_use(day) for day in days], axis=0))


def write_planted(folder: Path, country: Country, journeys: Journeys, history: History) -> None:
    """Write the truth of a scenario, the operator's outage feed and the registered event into a country's folder."""
    truth = folder / "truth"
    outages = outage_table(country, history.outages, history.timeline)
    write_feed(folder / OUTAGES, outages)
    write_table(truth / "outages.parquet", outages)
    write_events(folder, country, history)
    write_facts(folder, country, history)
    by_place = Chronicle(country, journeys, history, Zoning.by_place(country))
    write_table(truth / "churn.parquet", churn(by_place))
    write_zoned(truth, by_place)
    write_zoned(truth / BY_TOWER, Chronicle(country, journeys, history, Zoning.by_tower(country)))


def write_zoned(folder: Path, chronicle: Chronicle) -> None:
    """Write the tables whose rows have zones."""
    write_table(folder / "residence.parquet", residence(chronicle))
    write_table(folder / "nights.parquet", nights(chronicle))
    write_table(folder / "homes_by_month.parquet", homes_by_month(chronicle))
    if len(chronicle.timeline.months) > 1:
        write_table(folder / "migration.parquet", migration(chronicle))
    first = max(0, chronicle.timeline.onset - _DAYS_BEFORE)
    stock = []
    for day in range(first, chronicle.timeline.days):
        people = displaced(chronicle, day)
        write_table(folder / "displaced" / f"{chronicle.timeline.day(day).isoformat()}.parquet", people)
        stock.append(stock_of(people))
    write_table(folder / "displaced_stock.parquet", pa.concat_tables(stock))


def residence(chronicle: Chronicle) -> pa.Table:
    """Where people live, journeys apart; spells of a person cover every night of the period once.

    Grain: one row per person and spell, in order. `h3` of a weekly commuter is the weekday dwelling, `other_h3` the
    weekend's; that is null for all others. An evacuee lives at the host's for as long as the stay lasts.
    """
    lived, lives = chronicle.lived, chronicle.history.lives
    weekly = lived.reason == REASONS.index("weekly_commuter")
    weekend = chronicle.zones[chronicle.zoning.zone[lives.here.home]][lived.who]
    return _table_of(chronicle, lived).add_column(2, "other_h3", pa.array(weekend, pa.string(), mask=~weekly))


def nights(chronicle: Chronicle) -> pa.Table:
    """Where people slept; spells of a person cover every night of the period once.

    Grain: one row per person and run of nights in one zone for one reason, in order.
    """
    return _table_of(chronicle, chronicle.slept)


def _table_of(chronicle: Chronicle, spells: Spells) -> pa.Table:
    return pa.table(
        {
            "msisdn": pa.array(chronicle.msisdns[spells.who], pa.string()),
            "h3": pa.array(chronicle.zones[spells.zone], pa.string()),
            "first_night": _dates(chronicle.timeline, spells.first),
            "last_night": _dates(chronicle.timeline, spells.last),
            "reason": pa.array(np.array(REASONS)[spells.reason], pa.string()),
        }
    )


def _dates(timeline: Timeline, offset: Ints) -> pa.Array:
    epoch = (timeline.first_day - date(1970, 1, 1)).days
    return pa.array((epoch + offset).astype(np.int32), pa.int32()).cast(pa.date32())


def churn(chronicle: Chronicle) -> pa.Table:
    """When SIMs are silent within the period; their people sleep somewhere all the same.

    Grain: one row per SIM and silence, sorted; both ends included. `appears_later`: from the first day on. `gone`: to
    the last. `sim_lost`: lost in the flood, and found or replaced.
    """
    silence, days = chronicle.history.silence, chronicle.timeline.days
    parts = {
        "appears_later": (np.zeros(len(silence.begins), dtype=np.int64), silence.begins),
        "gone": (silence.ends, np.full(len(silence.ends), days)),
        "sim_lost": (silence.lost, silence.found),
    }
    tables = [_silences(chronicle, reason, first, np.minimum(end, days)) for reason, (first, end) in parts.items()]
    return pa.concat_tables(tables).sort_by([("msisdn", "ascending"), ("silent_from", "ascending")])


def _silences(chronicle: Chronicle, reason: str, first: Ints, end: Ints) -> pa.Table:
    who = np.flatnonzero(first < end)
    return pa.table(
        {
            "msisdn": pa.array(chronicle.msisdns[who], pa.string()),
            "silent_from": _dates(chronicle.timeline, first[who]),
            "silent_to": _dates(chronicle.timeline, end[who] - 1),
            "reason": pa.array([reason] * len(who), pa.string()),
        }
    )


def homes_by_month(chronicle: Chronicle) -> pa.Table:
    """Residence of each whole privacy month: the zone of most nights truly slept, decided from coarse to fine.

    Grain: one row per privacy month and person, in order. No least number of nights or share is asked for.
    """
    return pa.concat_tables([_homes(chronicle, month) for month in chronicle.timeline.months])


def _homes(chronicle: Chronicle, month: PrivacyMonth) -> pa.Table:
    found = chronicle.residences_in(month.first_day, month.last_day)
    silent = len(month.days) - chronicle.used_days(month.first_day, month.last_day)
    return pa.table(
        {
            "month": pa.array([str(month)] * len(found.zone), pa.string()),
            "msisdn": pa.array(chronicle.msisdns, pa.string()),
            "h3": pa.array(chronicle.zones[found.zone], pa.string()),
            "nights": pa.array(found.nights, pa.int64()),
            "silent_days": pa.array(silent, pa.int64()),
        }
    )


def migration(chronicle: Chronicle) -> pa.Table:
    """Residence over the first half of the whole privacy months against that over the second: movers and stayers.

    Grain: one row per old and new zone, sorted; a middle month belongs to neither half. Counted are people whose SIM is
    in use on two thirds of the days of both halves.
    """
    months = chronicle.timeline.months
    half = len(months) // 2
    old = months[0].first_day, months[half - 1].last_day
    new = months[-half].first_day, months[-1].last_day
    before, after = chronicle.residences_in(*old).zone, chronicle.residences_in(*new).zone
    seen = np.logical_and.reduce(
        [chronicle.used_days(*window) >= _IN_USE * ((window[1] - window[0]).days + 1) for window in (old, new)]
    )
    table = pa.table(
        {
            "old_h3": pa.array(chronicle.zones[before[seen]], pa.string()),
            "new_h3": pa.array(chronicle.zones[after[seen]], pa.string()),
        }
    )
    counted = _counted(table, ["old_h3", "new_h3"])
    windows = {"old_from": old[0], "old_to": old[1], "new_from": new[0], "new_to": new[1]}
    for position, (name, day) in enumerate(windows.items()):
        counted = counted.add_column(position, name, pa.array([day] * len(counted), pa.date32()))
    return counted


def _counted(table: pa.Table, keys: list[str]) -> pa.Table:
    """Return the number of rows of each key as `people`, sorted by key."""
    counted = table.group_by(keys, use_threads=False).aggregate([([], "count_all")])
    return counted.rename_columns([*keys, "people"]).sort_by([(key, "ascending") for key in keys])


def displaced(chronicle: Chronicle, day: int) -> pa.Table:
    """Where the area's residents are on a day: one row a person.

    A resident is who had the residence in the area in the privacy month before the onset's. The place of a day is that
    of the night that ends on it. Away: its zone's centre lies 10 km or more from that of the home, unless it is where a
    weekly commuter lives on that weekday. Displaced by the flood: the reason is `evacuated` or `resettled`.
    """
    who, home = chronicle.residents
    place, reason = chronicle.history.slept(chronicle.journeys, day)
    zone, reason = chronicle.zoning.zone[place[who]], reason[who]
    away = chronicle.km(home, zone) >= AWAY_KM
    away &= ~_is_usual(chronicle, who, zone, day)
    return pa.table(
        {
            "day": _dates(chronicle.timeline, np.full(len(who), day)),
            "msisdn": pa.array(chronicle.msisdns[who], pa.string()),
            "home_h3": pa.array(chronicle.zones[home], pa.string()),
            "h3": pa.array(chronicle.zones[zone], pa.string()),
            "status": pa.array(np.where(away, "away", "home"), pa.string()),
            "reason": pa.array(np.array(REASONS)[reason], pa.string()),
            "sim_in_use": pa.array(chronicle.history.silence.in_use(day)[who], pa.bool_()),
        }
    )


def _is_usual(chronicle: Chronicle, who: Ints, zone: Ints, day: int) -> Bools:
    """Tell who is a weekly commuter at the dwelling of that weekday."""
    lives = chronicle.history.lives
    dwelling = chronicle.zoning.zone[lives.dwelling(day)[who]]
    return np.asarray((lives.life[who] == WEEKLY_COMMUTER) & (dwelling == zone))


def stock_of(people: pa.Table) -> pa.Table:
    """Count the people of each day, home, place, status, reason, and use of the SIM."""
    return _counted(people, ["day", "home_h3", "h3", "status", "reason", "sim_in_use"])
