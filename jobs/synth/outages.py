"""Outages: when sites are down, who serves in their place, and the operator's own feed of them."""

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from jobs.synth.country import Country
from jobs.synth.flood import Area, Flood
from jobs.synth.geography import PLANE
from jobs.synth.itineraries import DAY_S
from jobs.synth.lives import NEVER
from jobs.synth.network import Network
from jobs.synth.plane import nearest
from jobs.synth.randomness import Bools, Floats, Ints, stream
from jobs.synth.scenario import ONSET_S, Scenario, Timeline

_NEAR_SITES: Final = 40
"""Sites tried in place of one that is down: more than stand around any place of a town that lost most of its own."""

_FAILS_WITHIN_S: Final = 6 * 3_600

DRILL_HOUR: Final = 18
"""Local hour at which the outage-only day begins on the day before, and ends."""

_UP: Final = NEVER * DAY_S
"""Second at which a site fails that never does."""

CAUSES: Final = ("flood", "outage_only")


@dataclass(frozen=True)
class Outages:
    """When sites are down: once at most; one entry a site in the first three columns, a place in the others.

    Args:
        down_s: Second, counted from the first day's beginning, at which a site fails.
        up_s: Second from which it serves again.
        cause: Index into CAUSES.
        near_sites: Sites around each place, nearest first; only of places that a failing site may serve.
        near_km: Distance to them.
        row: Row of each place in the two columns above, or -1.
        reach_km: How far a site serves in place of another.
    """

    down_s: Ints
    up_s: Ints
    cause: Ints
    near_sites: Ints
    near_km: Floats
    row: Ints
    reach_km: float

    def is_down(self, site: Ints, at_s: Ints) -> Bools:
        """Tell which sites are down at a second, counted from the first day's beginning."""
        return np.asarray((self.down_s[site] <= at_s) & (at_s < self.up_s[site]))

    def served(self, network: Network, place: Ints, cell: Ints, second: Ints, day: int) -> tuple[Ints, Ints]:
        """Return the events of a day that are served at all, as rows, and the cell of each of these.

        Where the site is down, the nearest one serves that stands, is up and lies within reach.
        """
        site, at_s = network.sites_of_cells(day)[cell], day * DAY_S + second
        hit = np.flatnonzero(self.is_down(site, at_s))
        near = self.near_sites[self.row[place[hit]]]
        can = ~self.is_down(near, at_s[hit][:, None]) & (self.near_km[self.row[place[hit]]] <= self.reach_km)
        cell = cell.copy()
        cell[hit] = network.first_cells(day)[near[np.arange(len(hit)), can.argmax(axis=1)]]
        return np.delete(np.arange(len(cell)), hit[~can.any(axis=1)]), cell


def build_outages(country: Country, flood: Flood, scenario: Scenario, timeline: Timeline) -> Outages:
    """Return the outages of a scenario; the same for the same arguments."""
    rng, network = stream(country.seed, "outages"), country.network
    zones = np.array(PLANE.zones(network.sites))
    fails = rng.random(len(zones))
    flooded = _lies_in(flood.area, country, zones) & (fails < scenario.sites_down)
    drilled = _lies_in(flood.drill, country, zones) & (fails < scenario.drill_sites_down)
    onset_s, drill_s = timeline.onset * DAY_S + ONSET_S, (timeline.drill - 1) * DAY_S + DRILL_HOUR * 3_600
    fails_s = onset_s + rng.integers(0, _FAILS_WITHIN_S, len(zones))
    low, high = scenario.sites_down_days
    repaired_s = fails_s + (rng.uniform(low, high, len(zones)) * DAY_S).astype(np.int64)
    down_s = np.select([flooded, drilled], [fails_s, np.full(len(zones), drill_s)], default=_UP)
    up_s = np.select([flooded, drilled], [repaired_s, np.full(len(zones), drill_s + DAY_S)], default=_UP)
    return Outages(down_s, up_s, drilled.astype(np.int64), *_neighbours(country, down_s < _UP), scenario.reach_km)


def _lies_in(area: Area, country: Country, zones: np.ndarray[tuple[int], np.dtype[np.str_]]) -> Bools:
    return np.isin(zones, area.names(country.places))


def _neighbours(country: Country, fails: Bools) -> tuple[Ints, Floats, Ints]:
    """Return the sites around the places that a failing site may serve, the distances, and the row of each place."""
    network, places = country.network, country.places
    touched = np.flatnonzero(fails[network.near_sites].any(axis=1))
    count = min(_NEAR_SITES, len(network.sites))
    row = np.full(len(places.xy), -1)
    row[touched] = np.arange(len(touched))
    return *nearest(network.sites, places.xy[touched], count), row


def outage_table(country: Country, outages: Outages, timeline: Timeline) -> pa.Table:
    """Return one row per cell and outage, in order of cells: with the zone of its site and the cause."""
    network = country.network
    rows = [
        (network.cell_ids[cell], site, int(outages.down_s[site]), int(outages.up_s[site]))
        for site in np.flatnonzero(outages.down_s < _UP).tolist()
        for cell in network.cells_of_site(site, int(outages.down_s[site]) // DAY_S).tolist()
    ]
    cell, site, down, up = (list(column) for column in zip(*sorted(rows), strict=True)) if rows else ([], [], [], [])
    return pa.table(
        {
            "cell_id": pa.array(cell, pa.string()),
            "h3": pa.array(PLANE.zones(network.sites[site]) if site else [], pa.string()),
            "down_from": pa.array([_instant(timeline, second) for second in down], pa.timestamp("s")),
            "down_to": pa.array([_instant(timeline, second) for second in up], pa.timestamp("s")),
            "cause": pa.array([CAUSES[outages.cause[s]] for s in site], pa.string()),
        }
    )


def _instant(timeline: Timeline, second: int) -> datetime:
    """Return a second, counted from the first day's beginning, on the local clock."""
    return datetime.combine(timeline.first_day, datetime.min.time()) + timedelta(seconds=second)


def write_feed(path: Path, table: pa.Table) -> None:
    """Write the operator's feed: cell, and local time from which and until which it was down."""
    with path.open("w", encoding="utf-8", newline="") as file:
        feed = csv.writer(file, lineterminator="\n")
        feed.writerow(["cell_id", "down_from", "down_to"])
        for row in table.to_pylist():
            feed.writerow([row["cell_id"], row["down_from"].isoformat(), row["down_to"].isoformat()])
