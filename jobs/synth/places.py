"""Places: the neighbourhoods and points of road where people can be, and how far they go to reach others."""

from dataclasses import dataclass
from typing import Final

import h3
import numpy as np

from jobs.synth.geography import (
    PLANE,
    Geography,
    homes_around,
    land_points,
    settlements_by_share,
    shortest_paths,
    size_of,
)
from jobs.synth.plane import distance_km, nearest
from jobs.synth.randomness import Bools, Floats, Ints, as_floats, as_ints, draw_by_weight, stream
from schemas.errors import ConfigError

_FULL_PLACES: Final = 12_000
_SCATTERED_PLACES: Final = 0.16
"""Share of the places that belong to no settlement: lone farms and hamlets."""

_NEAR_KM: Final = 5.0
_DECAY: Final = 3.0
"""Gravity: attraction falls with (distance + 5 km) cubed: most errands are close, a few far away."""

_TRIES: Final = 20
"""Draws before a place that is far enough is taken instead of drawn: hardly ever needed but in tiny countries."""


@dataclass(frozen=True)
class Places:
    """Neighbourhoods, sorted by zone, then the points of the roads.

    Args:
        xy: Positions in km.
        residents: Relative number of people living there; 0 on roads.
        attraction: Relative pull on workers and shoppers; 0 on roads.
        zone: Index into `zone_names` of the H3 cell in which the place lies.
        zone_names: H3 cells of the base resolution with at least one place.
        town: Index of the nearest town.
    """

    xy: Floats
    residents: Floats
    attraction: Floats
    zone: Ints
    zone_names: tuple[str, ...]
    town: Ints

    def __post_init__(self) -> None:
        columns = (self.xy, self.residents, self.attraction, self.zone, self.town)
        if len({len(column) for column in columns}) != 1:
            raise ConfigError("Places whose columns have different lengths.")
        if np.any(np.diff(self.zone[: self.n_neighbourhoods]) < 0):
            raise ConfigError("Neighbourhoods that are not sorted by zone.")

    @property
    def n_neighbourhoods(self) -> int:
        """Number of places where one can live or stay; they come before the points of the roads."""
        return int(np.count_nonzero(self.residents))

    @property
    def zone_centres(self) -> Floats:
        """Centres (x, y) in km of the zones, in the order of `zone_names`."""
        return PLANE.xy(np.array([h3.cell_to_latlng(name) for name in self.zone_names]))


@dataclass(frozen=True)
class Routes:
    """The way from each town to each other along the roads, as runs of places.

    Args:
        n_towns: Number of towns.
        start: First position in `places` of the way from town a to town b, at index a * n_towns + b.
        length: Number of places on that way.
        places: Ways, one after the other.
    """

    n_towns: int
    start: Ints
    length: Ints
    places: Ints

    def place(self, origin: Ints, destination: Ints, fraction: Floats) -> Ints:
        """Return the place reached after a fraction (0 to 1) of the way between two towns."""
        pair = origin * self.n_towns + destination
        step = np.minimum(fraction * self.length[pair], self.length[pair] - 1).astype(np.int64)
        return as_ints(self.places[self.start[pair] + step])


@dataclass(frozen=True)
class Gravity:
    """A gravity model over zones, then places within a zone by attraction.

    Args:
        reach: Cumulative probabilities to go from zone i to zone j, plus i, at index i * zones + j.
        cumulative: Cumulative attraction of the neighbourhoods.
        bounds: Cumulative attraction at the borders of the zones.
    """

    reach: Floats
    cumulative: Floats
    bounds: Floats

    def draw(self, rng: np.random.Generator, origin_zone: Ints) -> Ints:
        """Return one destination per origin zone, as a place."""
        zones = len(self.bounds) - 1
        # just below 1, so that adding a zone's number never rounds up into the next zone's row
        position = origin_zone + rng.random(len(origin_zone)) * (1 - 1e-9)
        zone = np.searchsorted(self.reach, position, side="right") - origin_zone * zones
        low, high = self.bounds[zone], self.bounds[zone + 1]
        within = low + rng.random(len(zone)) * (high - low) * (1 - 1e-9)
        return as_ints(np.searchsorted(self.cumulative, within, side="right"))


def build_places(seed: int, subscribers: int, geography: Geography) -> Places:
    """Return the country's places: neighbourhoods where people live, and points along the roads."""
    count = max(120, round(_FULL_PLACES * size_of(subscribers)))
    xy, residents, attraction = _neighbourhoods(stream(seed, "places"), geography, count)
    road = np.concatenate([road.line for road in geography.roads])
    names, road_names = PLANE.zones(xy), PLANE.zones(road)
    inhabited = sorted(set(names))
    zone_names = (*inhabited, *sorted(set(road_names) - set(inhabited)))
    index = {name: i for i, name in enumerate(zone_names)}
    zone = np.array([index[name] for name in names])
    order = np.argsort(zone, kind="stable")
    positions = np.concatenate([xy[order], road])
    nowhere = np.zeros(len(road))
    return Places(
        xy=positions,
        residents=np.concatenate([residents[order], nowhere]),
        attraction=np.concatenate([attraction[order], nowhere]),
        zone=np.concatenate([zone[order], [index[name] for name in road_names]]).astype(np.int64),
        zone_names=zone_names,
        town=nearest(geography.towns, positions, 1)[0][:, 0],
    )


def _neighbourhoods(rng: np.random.Generator, geography: Geography, count: int) -> tuple[Floats, Floats, Floats]:
    """Return position, residents and attraction of each neighbourhood."""
    n_lone = round(_SCATTERED_PLACES * count)
    settlement = _settlement_of_places(rng, geography, count - n_lone)
    xy = np.concatenate([homes_around(rng, geography, settlement), land_points(rng, geography.coast, n_lone)])
    shared = np.bincount(settlement, minlength=len(geography.shares))
    residents = np.concatenate(
        [(geography.shares / shared)[settlement], np.full(n_lone, (1 - geography.shares.sum()) / n_lone)]
    )
    residents = residents * rng.gamma(3.0, 1 / 3.0, count)
    return xy, residents, residents * _centrality(rng, geography, settlement, xy)


def _settlement_of_places(rng: np.random.Generator, geography: Geography, count: int) -> Ints:
    """Return a settlement per place: every settlement once, where there are enough places, then by people."""
    once = np.arange(len(geography.shares))
    more = settlements_by_share(rng, geography, max(0, count - len(once)))
    return np.concatenate([once, more])


def _centrality(rng: np.random.Generator, geography: Geography, settlement: Ints, xy: Floats) -> Floats:
    """Return how much more a place attracts than its residents alone: more in centres, and in towns most."""
    to_centre = np.hypot(*(xy[: len(settlement)] - geography.centres[settlement]).T)
    size = (geography.shares[settlement] / geography.shares.max()) ** 0.25
    pull = size * np.exp(-to_centre / (0.8 * geography.radii_km[settlement]))
    lone = np.full(len(xy) - len(settlement), 0.1)
    return (0.15 + np.concatenate([pull, lone])) * rng.lognormal(0, 0.9, len(xy))


def build_gravity(places: Places) -> Gravity:
    """Return the gravity model over the zones where somebody lives."""
    n = places.n_neighbourhoods
    zone, attraction = places.zone[:n], places.attraction[:n]
    mass = np.bincount(zone, attraction)
    size = np.bincount(zone)
    middle = np.column_stack([np.bincount(zone, places.xy[:n, axis]) / size for axis in (0, 1)])
    distance = np.hypot(*(middle[:, None] - middle[None]).transpose(2, 0, 1))
    reach = as_floats(np.cumsum(mass**0.9 * (distance + _NEAR_KM) ** -_DECAY, axis=1))
    reach /= reach[:, -1:]
    return Gravity(
        reach=(reach + np.arange(len(mass))[:, None]).ravel(),
        cumulative=np.cumsum(attraction),
        bounds=np.concatenate([[0.0], np.cumsum(attraction)[np.cumsum(size) - 1]]),
    )


def build_routes(geography: Geography, places: Places) -> Routes:
    """Return the shortest way along the roads between all pairs of towns."""
    stretches = _stretches(geography, first=places.n_neighbourhoods)
    lengths = {(road.origin, road.destination): road.length_km for road in geography.roads}
    onward = shortest_paths(geography.n_towns, lengths)[1]
    towns = range(geography.n_towns)
    ways = [_way(stretches, onward, a, b) for a in towns for b in towns]
    length = np.array([len(way) for way in ways])
    return Routes(geography.n_towns, np.cumsum(length) - length, length, np.concatenate(ways))


def _stretches(geography: Geography, first: int) -> dict[tuple[int, int], Ints]:
    """Return the places along each road, in both directions."""
    stretches: dict[tuple[int, int], Ints] = {}
    for road in geography.roads:
        along = np.arange(first, first + len(road.line))
        stretches[road.origin, road.destination] = along
        stretches[road.destination, road.origin] = along[::-1]
        first += len(along)
    return stretches


def _way(stretches: dict[tuple[int, int], Ints], onward: Ints, origin: int, destination: int) -> Ints:
    """Return the places on the way; a town's own way is one point of a road in it."""
    if origin == destination:
        return next(along[:1] for (a, _), along in stretches.items() if a == origin)
    parts = []
    while origin != destination:
        step = int(onward[origin, destination])
        parts.append(stretches[origin, step])
        origin = step
    return np.concatenate(parts)


def draw_homes(rng: np.random.Generator, places: Places, count: int) -> Ints:
    """Return places drawn by the people who live there."""
    return draw_by_weight(rng, places.residents[: places.n_neighbourhoods], count)


@dataclass(frozen=True)
class Remoteness:
    """What "farther than some km" means between two places: by themselves, and by the centres of their zones.

    Args:
        xy: Positions of the places.
        centre: Centre of each place's zone.
    """

    xy: Floats
    centre: Floats

    @classmethod
    def of(cls, places: Places) -> "Remoteness":
        """Return that of a country's neighbourhoods."""
        n = places.n_neighbourhoods
        return cls(places.xy[:n], places.zone_centres[places.zone[:n]])

    def km(self, a: Ints, b: Ints) -> Floats:
        """Return the lesser of both distances, of places of equal index."""
        return np.minimum(distance_km(self.xy[a], self.xy[b]), distance_km(self.centre[a], self.centre[b]))

    def draw(self, rng: np.random.Generator, weight: Floats, origin: Ints, *, beyond_km: float) -> Ints:
        """Return one place an origin, drawn by weight among those farther away than `beyond_km`."""
        drawn = draw_by_weight(rng, weight, len(origin))
        return self.redrawn(rng, weight, origin, drawn, beyond_km=beyond_km)

    def redrawn(self, rng: np.random.Generator, weight: Floats, origin: Ints, drawn: Ints, *, beyond_km: float) -> Ints:
        """Return drawn places, those that are too near or of no weight drawn anew.

        Raises:
            ConfigError: From some origin, no place with a weight is that far.
        """
        place = drawn.copy()
        for _ in range(_TRIES):
            again = np.flatnonzero(self._is_unfit(place, origin, weight, beyond_km))
            place[again] = draw_by_weight(rng, weight, len(again))
        for row in np.flatnonzero(self._is_unfit(place, origin, weight, beyond_km)):
            place[row] = self._farthest(int(origin[row]), weight, beyond_km)
        return place

    def _is_unfit(self, place: Ints, origin: Ints, weight: Floats, beyond_km: float) -> Bools:
        return np.asarray((weight[place] <= 0) | (self.km(place, origin) <= beyond_km))

    def _farthest(self, origin: int, weight: Floats, beyond_km: float) -> int:
        candidates = np.flatnonzero(weight > 0)
        km = self.km(candidates, np.full(len(candidates), origin))
        if km.max() <= beyond_km:
            raise ConfigError(
                "A country too small for its scenario.", f"places {beyond_km:g} km apart", "give more --subscribers"
            )
        return int(candidates[np.argmax(km)])
