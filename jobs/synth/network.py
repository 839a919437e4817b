"""The operator's network: sites where people are and along roads, and when each cell stood on them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from jobs.synth.geography import PLANE, Geography, size_of
from jobs.synth.places import Places
from jobs.synth.plane import nearest
from jobs.synth.randomness import Bools, Floats, Ints, as_ints, draw_by_weight, stream
from schemas.errors import ConfigError

_FULL_SITES: Final = 3_000
_ROAD_SITE_KM: Final = 6.0

ALWAYS: Final = -400
"""Day, counted from the first, since when an ordinary cell stands: before any delivery."""

NEVER: Final = 1_000_000
"""Day, counted from the first, on which a cell still in service ends."""

_CHANGE_DAYS: Final = (2, 3, 4)
"""Days, counted from the first, on which some cells open, move and close: early, so that a week shows all."""


@dataclass(frozen=True)
class Network:
    """Sites, and the intervals in which each cell stood on one of them.

    Args:
        sites: Positions (x, y) in km.
        cell_ids: Names of the cells, as they stand in events.
        cell: Cell of each interval.
        site: Site on which it stood.
        first_day: First day of the interval, counted from the country's first day.
        end_day: First day on which it no longer stood there; NEVER where it still does.
        near_sites: The two nearest sites of each place, nearest first.
        second_share: Share of a place's calls that the second nearest site serves.
    """

    sites: Floats
    cell_ids: tuple[str, ...]
    cell: Ints
    site: Ints
    first_day: Ints
    end_day: Ints
    near_sites: Ints
    second_share: Floats

    def __post_init__(self) -> None:
        if not len(self.cell) == len(self.site) == len(self.first_day) == len(self.end_day):
            raise ConfigError("A network whose intervals have columns of different lengths.")
        for day in range(max(_CHANGE_DAYS) + 1):
            if len(np.unique(self.site[self.in_service(day)])) != len(self.sites):
                raise ConfigError(f"A network with a site without cells on day {day}.")

    def in_service(self, day: int) -> Bools:
        """Tell which intervals contain a day."""
        return (self.first_day <= day) & (day < self.end_day)

    def out_of_service(self, day: int) -> Ints:
        """Return the cells that exist in the table and stand nowhere on a day."""
        return np.setdiff1d(np.arange(len(self.cell_ids)), self.cell[self.in_service(day)])

    def sites_of_cells(self, day: int) -> Ints:
        """Return the site on which each cell stands on a day, or -1."""
        site = np.full(len(self.cell_ids), -1)
        serving = self.in_service(day)
        site[self.cell[serving]] = self.site[serving]
        return site

    def cells_of_site(self, site: int, day: int) -> Ints:
        """Return the cells that stand on a site on a day."""
        return as_ints(self.cell[self.in_service(day) & (self.site == site)])

    def first_cells(self, day: int) -> Ints:
        """Return one cell of each site that stands there on a day: its first."""
        serving = np.flatnonzero(self.in_service(day))
        _, first = np.unique(self.site[serving], return_index=True)
        return as_ints(self.cell[serving[first]])

    def serve(self, rng: np.random.Generator, place: Ints, day: int) -> Ints:
        """Return the cell that serves each call: one of the nearest site, sometimes of the second nearest."""
        second = rng.random(len(place)) < self.second_share[place]
        site = self.near_sites[place, second.astype(np.int64)]
        serving = np.flatnonzero(self.in_service(day))
        serving = serving[np.argsort(self.site[serving], kind="stable")]
        size = np.bincount(self.site[serving], minlength=len(self.sites))
        start = np.cumsum(size) - size
        chosen = start[site] + as_ints(rng.random(len(place)) * size[site])
        return as_ints(self.cell[serving[chosen]])


def build_network(seed: int, subscribers: int, geography: Geography, places: Places) -> Network:
    """Return the network that covers a country's places."""
    rng = stream(seed, "network")
    sites = _sites(rng, round(_FULL_SITES * size_of(subscribers)), geography, places)
    cells_a_site = _cells_a_site(PLANE.zones(sites))
    cell_ids = tuple(f"SYN-{site:05d}-{k + 1}" for site, n in enumerate(cells_a_site) for k in range(n))
    site = np.repeat(np.arange(len(sites)), cells_a_site)
    near_sites, km = nearest(sites, places.xy, 2)
    return Network(
        sites,
        cell_ids,
        *_intervals(rng, site, cells_a_site),
        near_sites=near_sites,
        second_share=0.4 * ((km[:, 0] + 0.1) / (km[:, 1] + 0.1)) ** 2,
    )


def _sites(rng: np.random.Generator, count: int, geography: Geography, places: Places) -> Floats:
    """Return the sites: one in every inhabited zone, some along the roads, the others where people are."""
    n = places.n_neighbourhoods
    by_people = np.lexsort((-places.residents[:n], places.zone[:n]))
    first = np.unique(places.zone[:n][by_people], return_index=True)[1]
    covering = places.xy[by_people[first]]
    points = np.concatenate([road.line for road in geography.roads])
    road = points[:: round(_ROAD_SITE_KM / 2)]
    rest = max(0, count - len(covering) - len(road))
    busy = draw_by_weight(rng, (places.residents + places.attraction)[:n] ** 0.85, rest)
    return np.concatenate([covering, road, places.xy[busy] + rng.normal(0, 0.35, (rest, 2))])


def _cells_a_site(zones: list[str]) -> Ints:
    """Return how many cells stand on each site: up to three where sites are dense."""
    _, index, size = np.unique(np.array(zones), return_inverse=True, return_counts=True)
    return np.searchsorted([5, 20], size[index], side="right").astype(np.int64) + 1


def _intervals(rng: np.random.Generator, site: Ints, cells_a_site: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return cell, site, first and end day of each interval; some cells open, move, close or were long gone.

    Only one cell of a site changes, and only where there are others: no place ever falls out of coverage.
    """
    opened, moved, closed, gone = _changing_cells(rng, cells_a_site)
    first_day, end_day = np.full(len(site), ALWAYS), np.full(len(site), NEVER)
    first_day[opened] = _CHANGE_DAYS[0]
    end_day[moved] = _CHANGE_DAYS[1]
    end_day[closed] = _CHANGE_DAYS[2]
    end_day[gone] = rng.integers(ALWAYS + 30, 0, len(gone))
    cell = np.concatenate([np.arange(len(site)), moved])
    there = np.concatenate([site, rng.permutation(len(cells_a_site))[: len(moved)]])
    return (
        cell,
        there,
        np.concatenate([first_day, np.full(len(moved), _CHANGE_DAYS[1])]),
        np.concatenate([end_day, np.full(len(moved), NEVER)]),
    )


def _changing_cells(rng: np.random.Generator, cells_a_site: Ints) -> tuple[Ints, Ints, Ints, Ints]:
    """Return the cells that open, move, close, and that were gone before the first day: one a chosen site."""
    last_cell = np.cumsum(cells_a_site) - 1
    candidates = rng.permutation(last_cell[cells_a_site > 1])
    count = max(1, min(len(candidates) // 4, round(len(cells_a_site) / 300)))
    if len(candidates) < 4:
        raise ConfigError("A network with fewer than four sites that have several cells.")
    opened, moved, closed, gone = candidates[: 4 * count].reshape(4, count)
    return opened, moved, closed, gone
