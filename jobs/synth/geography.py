"""The land: a coast, towns, the roads between them, villages along the roads."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from jobs.synth.plane import Plane, area_km2, distance_km, is_inside, nearest
from jobs.synth.randomness import Floats, Ints, as_floats, draw_by_weight, stream
from schemas.errors import ConfigError

PLANE: Final = Plane(latitude=-14.0, longitude=66.0)
"""Open sea in the Indian Ocean, 700 km from the nearest land."""

FULL_AREA_KM2: Final = 31_500.0
"""About 800 H3 cells of resolution 6."""

FULL_SUBSCRIBERS: Final = 200_000
"""Subscribers of a country of full area; a smaller country is also smaller on the map."""

_TOWN_NAMES: Final = (
    "Maravel", "Port Esk", "Tessamar", "Olwenda", "Quillane", "Barrowmere", "Ansuli", "Kerrimoa", "Dovrane",
    "Saltmouth", "Ibisore", "Velanga", "Corrado Bay", "Nyssa", "Hallowick", "Tamarro", "Ferrin", "Ostrel",
)  # fmt: skip

_CAPITAL_SHARE: Final = 0.24
_TOWNS_SHARE: Final = 0.30
_VILLAGES_SHARE: Final = 0.40
"""Shares of the subscribers who live there; the rest is scattered over the land."""

_ROAD_STEP_KM: Final = 2.0


@dataclass(frozen=True)
class Road:
    """A road between two towns.

    Args:
        origin: Index of the town where it begins.
        destination: Index of the town where it ends.
        line: Points (x, y) in km, about 2 km apart, both towns included.
    """

    origin: int
    destination: int
    line: Floats

    @property
    def length_km(self) -> float:
        """Length along the bends."""
        return float(distance_km(self.line[1:], self.line[:-1]).sum())


@dataclass(frozen=True)
class Geography:
    """Coast, settlements and roads.

    Args:
        coast: Corners (x, y) of the coastline in km; closed by its first corner.
        town_names: Names of the towns, the capital first.
        centres: Centres (x, y) in km of all settlements: towns first, villages after.
        shares: Share of the subscribers living in each settlement; what is missing to 1 lives scattered.
        radii_km: Typical distance of a home from its settlement's centre.
        roads: All roads; together they join all towns.
    """

    coast: Floats
    town_names: tuple[str, ...]
    centres: Floats
    shares: Floats
    radii_km: Floats
    roads: tuple[Road, ...]

    def __post_init__(self) -> None:
        if not len(self.centres) == len(self.shares) == len(self.radii_km) >= self.n_towns:
            raise ConfigError("A geography whose settlements have columns of different lengths.")
        if self.shares.sum() >= 1:
            raise ConfigError("A geography with more people in its settlements than it has.")

    @property
    def n_towns(self) -> int:
        """Number of towns, the capital included."""
        return len(self.town_names)

    @property
    def towns(self) -> Floats:
        """Centres (x, y) of the towns, the capital first."""
        return self.centres[: self.n_towns]


def size_of(subscribers: int) -> float:
    """Return a country's area relative to a full one: half the area for a quarter of the people."""
    return float(np.sqrt(min(subscribers, FULL_SUBSCRIBERS) / FULL_SUBSCRIBERS))


def build_geography(seed: int, subscribers: int) -> Geography:
    """Return the land of a country; the same for the same arguments."""
    size = size_of(subscribers)
    coast = _coastline(stream(seed, "coast"), FULL_AREA_KM2 * size)
    towns = _towns(stream(seed, "towns"), coast, round(np.clip(15 * size**0.5, 6, 15)))
    roads = _roads(stream(seed, "roads"), coast, towns)
    villages = _villages(stream(seed, "villages"), coast, roads, max(12, round(420 * size)))
    shares = _settlement_shares(stream(seed, "shares"), len(towns), len(villages))
    return Geography(
        coast=coast,
        town_names=tuple(stream(seed, "names").permutation(_TOWN_NAMES)[: len(towns)].tolist()),
        centres=np.concatenate([towns, villages]),
        shares=shares,
        radii_km=np.maximum(9.0 * np.sqrt(size) * (shares / _CAPITAL_SHARE) ** 0.5, 0.6),
        roads=roads,
    )


def land_points(rng: np.random.Generator, coast: Floats, count: int) -> Floats:
    """Return points spread evenly over the land."""
    low, high = coast.min(axis=0), coast.max(axis=0)
    found = np.zeros((0, 2))
    while len(found) < count:
        drawn = rng.uniform(low, high, size=(2 * count + 64, 2))
        found = np.concatenate([found, drawn[is_inside(coast, drawn)]])
    return found[:count]


def _coastline(rng: np.random.Generator, area: float) -> Floats:
    """Return a coast: a circle shaken by noise whose waves weaken with frequency, then sheared.

    A radius that is an exponential keeps the outline free of self-crossings, and a shear preserves that.
    """
    angle = np.linspace(0, 2 * np.pi, 1_080, endpoint=False)
    wave = np.arange(1, 160)
    amplitude = rng.normal(0, 0.34, len(wave)) * wave**-1.3
    radius = np.exp(np.cos(np.outer(angle, wave) + rng.uniform(0, 2 * np.pi, len(wave))) @ amplitude)
    outline = np.column_stack([radius * np.cos(angle), 1.45 * radius * np.sin(angle)])
    outline = _sheared(outline, rng.uniform(0, 2 * np.pi, 4))
    outline = outline - outline.mean(axis=0)
    return as_floats(outline * np.sqrt(area / area_km2(outline)))


def _sheared(outline: Floats, phase: Floats) -> Floats:
    x, y = outline.T
    x = x + 0.22 * np.sin(2.1 * y + phase[0]) + 0.05 * np.sin(6.7 * y + phase[1])
    y = y + 0.18 * np.sin(2.4 * x + phase[2]) + 0.05 * np.sin(7.3 * x + phase[3])
    return np.column_stack([x, y])


def _towns(rng: np.random.Generator, coast: Floats, count: int) -> Floats:
    """Return town centres: the capital at the head of a bay, others apart, rather by the sea."""
    candidates = land_points(rng, coast, 3_000)
    to_coast = nearest(coast, candidates, 1)[1][:, 0]
    scale = np.sqrt(area_km2(coast) / FULL_AREA_KM2)
    candidates, to_coast = candidates[to_coast > 3 * scale], to_coast[to_coast > 3 * scale]
    by_the_sea = np.flatnonzero(to_coast < 6 * scale)
    capital = by_the_sea[np.argmin(np.hypot(*candidates[by_the_sea].T))]
    liking = rng.random(len(candidates)) + 0.35 * (to_coast < 8 * scale)
    liking[capital] = np.inf
    spacing = 0.85 * np.sqrt(area_km2(coast) / count)
    return _spaced(candidates[np.argsort(-liking, kind="stable")], count, spacing)


def _spaced(candidates: Floats, count: int, spacing_km: float) -> Floats:
    """Return the first `count` candidates that keep a distance, which shrinks until there are enough."""
    chosen = candidates[:1]
    for point in candidates[1:]:
        if len(chosen) < count and distance_km(chosen, point[None]).min() >= spacing_km:
            chosen = np.concatenate([chosen, point[None]])
    return chosen if len(chosen) == count else _spaced(candidates, count, 0.93 * spacing_km)


def _roads(rng: np.random.Generator, coast: Floats, towns: Floats) -> tuple[Road, ...]:
    edges = _spanning_tree(towns)
    for _ in range(len(towns) // 3):
        edges.append(_best_shortcut(towns, edges))
    return tuple(Road(a, b, _bent_line(rng, coast, towns[a], towns[b])) for a, b in edges)


def _between(towns: Floats) -> Floats:
    return distance_km(towns[:, None], towns[None])


def _spanning_tree(towns: Floats) -> list[tuple[int, int]]:
    """Return the shortest set of edges that joins all towns (Prim)."""
    distance = _between(towns)
    edges: list[tuple[int, int]] = []
    joined, apart = [0], list(range(1, len(towns)))
    while apart:
        a, b = min(((a, b) for a in joined for b in apart), key=lambda edge: distance[edge])
        edges.append((a, b))
        joined.append(b)
        apart.remove(b)
    return edges


def _best_shortcut(towns: Floats, edges: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the missing edge that saves the longest detour for its length."""
    direct = _between(towns)
    lengths = {edge: float(direct[edge]) for edge in edges}
    merit = shortest_paths(len(towns), lengths)[0] / np.maximum(direct, 1e-9) ** 1.5
    for there, here in edges:
        merit[there, here] = merit[here, there] = 0
    a, b = np.unravel_index(int(np.argmax(np.triu(merit, 1))), merit.shape)
    return int(a), int(b)


def shortest_paths(n: int, lengths: dict[tuple[int, int], float]) -> tuple[Floats, Ints]:
    """Return distances between all nodes of a graph, and the next node on the way (Floyd and Warshall)."""
    distance = np.full((n, n), np.inf)
    onward = np.tile(np.arange(n), (n, 1))
    np.fill_diagonal(distance, 0)
    for (a, b), length in lengths.items():
        distance[a, b] = distance[b, a] = length
    for via in range(n):
        through = distance[:, via : via + 1] + distance[via]
        shorter = through < distance
        onward = np.where(shorter, onward[:, via : via + 1], onward)
        distance = np.minimum(distance, through)
    return distance, onward


def _bent_line(rng: np.random.Generator, coast: Floats, a: Floats, b: Floats) -> Floats:
    """Return a road's line: the one of several bows that runs least through the sea, with small bends."""
    steps = max(2, round(float(distance_km(a, b)) / _ROAD_STEP_KM))
    along = np.linspace(0, 1, steps + 1)[:, None]
    across = np.array([a[1] - b[1], b[0] - a[0]])
    bends = np.cos(np.outer(along, np.pi * np.arange(1, 9)) + rng.uniform(0, 2 * np.pi, 8)) @ (
        rng.normal(0, 0.09, 8) * np.arange(1, 9) ** -0.8
    )
    bows = sorted(np.linspace(-0.6, 0.6, 25).tolist(), key=abs)
    lines = [
        a + along * (b - a) + across * np.sin(np.pi * along) * (bow + bends[:, None] * (1 - abs(bow))) for bow in bows
    ]
    return min(lines, key=lambda line: int((~is_inside(coast, line)).sum()))


def _villages(rng: np.random.Generator, coast: Floats, roads: tuple[Road, ...], count: int) -> Floats:
    """Return village centres: about half along the roads, the others anywhere on land."""
    points = np.concatenate([road.line for road in roads])
    near = points[rng.integers(len(points), size=count)] + rng.normal(0, 3.5, (count, 2))
    near = near[is_inside(coast, near)][: int(0.55 * count)]
    return np.concatenate([near, land_points(rng, coast, count - len(near))])


def _settlement_shares(rng: np.random.Generator, n_towns: int, n_villages: int) -> Floats:
    """Return the share of each settlement: a dominant capital, towns after Zipf, villages lognormal."""
    towns = np.arange(2, n_towns + 1) ** -1.0
    villages = rng.lognormal(0, 0.8, n_villages)
    return np.concatenate(
        [
            [_CAPITAL_SHARE],
            _TOWNS_SHARE * towns / towns.sum(),
            _VILLAGES_SHARE * villages / villages.sum(),
        ]
    )


def homes_around(rng: np.random.Generator, geography: Geography, settlement: Ints) -> Floats:
    """Return one point per given settlement, scattered around its centre and never in the sea."""
    centre = geography.centres[settlement]
    angle = rng.uniform(0, 2 * np.pi, len(settlement))
    radius = geography.radii_km[settlement] * rng.gamma(1.6, 0.55, len(settlement))
    offset = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    for _ in range(4):
        wet = ~is_inside(geography.coast, centre + offset)
        offset[wet] = offset[wet][:, ::-1] * np.array([-0.6, 0.6])
    offset[~is_inside(geography.coast, centre + offset)] = 0
    return centre + offset


def settlements_by_share(rng: np.random.Generator, geography: Geography, count: int) -> Ints:
    """Return `count` settlements drawn by the people who live there."""
    return draw_by_weight(rng, geography.shares, count)
