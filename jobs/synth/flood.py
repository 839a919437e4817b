"""The flood: its area, who leaves it, to whom and until when, and the zones of the day on which only towers fail."""

from dataclasses import dataclass
from typing import Final

import h3
import numpy as np

from jobs.synth.country import Country
from jobs.synth.geography import Geography
from jobs.synth.lives import NEVER
from jobs.synth.people import People
from jobs.synth.places import Places, Remoteness
from jobs.synth.plane import distance_km, nearest
from jobs.synth.randomness import Bools, Floats, Ints, stream
from jobs.synth.scenario import Scenario, Timeline

_CAPITAL: Final = 0
_TOWN_TOO_LARGE: Final = 2.0
"""Times the wanted share of the subscribers that a town's own zone may hold."""


@dataclass(frozen=True)
class Area:
    """A contiguous set of zones around a town.

    Args:
        town: Index of the town.
        zones: Indices of the zones, in the order in which they were added.
    """

    town: int
    zones: Ints

    def names(self, places: Places) -> tuple[str, ...]:
        """Return the H3 cells of the zones, sorted."""
        return tuple(sorted(places.zone_names[zone] for zone in self.zones))


@dataclass(frozen=True)
class Flood:
    """The flood, and one entry a subscriber in every column.

    Args:
        area: What is flooded.
        drill: The zones of the outage-only day; no person is touched there.
        camp: Place of the camp.
        is_resident: True: lived in the area when the flood came.
        host: Place where they sleep while away; their dwelling where they never leave.
        first_away: First night there; NEVER where they never leave.
        back: First night no longer there; NEVER where they stay for good.
    """

    area: Area
    drill: Area
    camp: int
    is_resident: Bools
    host: Ints
    first_away: Ints
    back: Ints

    @property
    def is_evacuated(self) -> Bools:
        """Tell who leaves at some time."""
        return self.first_away < NEVER

    def is_away(self, night: int) -> Bools:
        """Tell who sleeps at a host's in a night."""
        return (self.first_away <= night) & (night < self.back)


def build_flood(country: Country, people: People, dwelling: Ints, scenario: Scenario, timeline: Timeline) -> Flood:
    """Return the flood of a country; the same for the same arguments.

    Args:
        country: The country.
        people: Its people.
        dwelling: Each one's dwelling in the night of the onset.
        scenario: What is planted.
        timeline: When.

    Raises:
        ConfigError: The country is too small for hosts as far as the scenario wants them.
    """
    area = flooded_area(country, dwelling, scenario.area_share)
    drill = drill_area(country, dwelling, scenario.drill_share, area)
    resident = np.isin(country.places.zone[dwelling], area.zones)
    rng = stream(country.seed, "evacuation")
    leaves = resident & (rng.random(people.count) < scenario.evacuated)
    first, back = _nights_away(rng, people.count, scenario, timeline)
    camp, hosts = _hosts(
        stream(country.seed, "hosts"), country, people, dwelling, np.flatnonzero(leaves), area, scenario
    )
    host = dwelling.copy()
    host[leaves] = hosts
    return Flood(area, drill, camp, resident, host, np.where(leaves, first, NEVER), np.where(leaves, back, NEVER))


def flooded_area(country: Country, dwelling: Ints, share: float) -> Area:
    """Return the zones around the town, other than the capital, that lies nearest to the coast."""
    to_coast = nearest(country.geography.coast, country.geography.towns, 1)[1][:, 0]
    return _area(country, dwelling, share, to_coast, avoided=np.zeros(0, dtype=np.int64))


def drill_area(country: Country, dwelling: Ints, share: float, flooded: Area) -> Area:
    """Return zones around the town farthest from the flooded one; none of them flooded."""
    towns = country.geography.towns
    nearness = -distance_km(towns, towns[flooded.town][None])
    return _area(country, dwelling, share, nearness, avoided=flooded.zones)


def _area(country: Country, dwelling: Ints, share: float, badness: Floats, avoided: Ints) -> Area:
    """Return zones around the town of least badness whose own zone is not avoided, and not too large."""
    places = country.places
    residents = np.bincount(places.zone[dwelling], minlength=len(places.zone_names))
    wanted = share * len(dwelling)
    centres = [_zone_of_town(country.geography, places, town) for town in range(country.geography.n_towns)]
    fit = [residents[zone] <= _TOWN_TOO_LARGE * wanted and zone not in avoided for zone in centres]
    order = sorted(range(1, len(centres)), key=lambda town: (not fit[town], float(badness[town])))
    town = next(town for town in order if centres[town] not in avoided)
    return Area(town, _grown(places, centres[town], residents, wanted, avoided))


def _zone_of_town(geography: Geography, places: Places, town: int) -> int:
    """Return the zone of the neighbourhood nearest to a town's centre."""
    n = places.n_neighbourhoods
    return int(places.zone[np.argmin(distance_km(places.xy[:n], geography.towns[town][None]))])


def _grown(places: Places, start: int, residents: Ints, wanted: float, avoided: Ints) -> Ints:
    """Return zones from a first one on, nearest neighbours next, until enough people live in them."""
    index = {name: zone for zone, name in enumerate(places.zone_names)}
    centres, zones = places.zone_centres, [start]
    while residents[zones].sum() < wanted:
        around = {index.get(name, start) for zone in zones for name in h3.grid_ring(places.zone_names[zone], 1)}
        border = sorted(around - set(zones) - set(avoided.tolist()))
        if not border:
            break
        km = distance_km(centres[border], centres[start][None])
        zones.append(border[int(np.argmin(km))])
    return np.array(zones)


def _nights_away(rng: np.random.Generator, count: int, scenario: Scenario, timeline: Timeline) -> tuple[Ints, Ints]:
    """Return the first night at the host's and the first no longer there, as if everybody left."""
    day = rng.choice(len(scenario.leaves_on_day), size=count, p=scenario.leaves_on_day)
    nights = np.ceil(rng.exponential(scenario.half_life_days / np.log(2), count)).astype(np.int64)
    first = timeline.onset + 1 + day
    stays = rng.random(count) < scenario.never_return
    return first, np.where(stays, NEVER, first + np.maximum(nights, 1))


def _hosts(
    rng: np.random.Generator, country: Country, people: People, dwelling: Ints, who: Ints, area: Area,
    scenario: Scenario,
) -> tuple[int, Ints]:  # fmt: skip
    """Return the camp, and where each of those who leave goes; all far enough from home, and none into the flood."""
    places, remoteness = country.places, Remoteness.of(country.places)
    n = places.n_neighbourhoods
    dry = ~np.isin(places.zone[:n], area.zones)
    camp = _camp(places, remoteness, dry, area, scenario.host_min_km)
    chance = rng.random(len(who))
    towns = remoteness.draw(rng, places.attraction[:n] * dry, dwelling[who], beyond_km=scenario.host_min_km)
    wish = np.select(
        [chance < scenario.to_relatives, chance < scenario.to_relatives + scenario.to_camp],
        [people.relatives[who], np.full(len(who), camp)],
        default=towns,
    )
    weight = places.residents[:n] * dry
    return camp, remoteness.redrawn(rng, weight, dwelling[who], wish, beyond_km=scenario.host_min_km)


def _camp(places: Places, remoteness: Remoteness, dry: Bools, area: Area, beyond_km: float) -> int:
    """Return the nearest dry place that is far enough from every home in the area, or else the farthest."""
    homes = np.flatnonzero(~dry)
    candidates = np.flatnonzero(dry)
    km = np.array([remoteness.km(np.full(len(homes), place), homes).min() for place in candidates])
    fit = candidates[km > beyond_km]
    if not len(fit):
        return int(candidates[np.argmax(km)])
    centre = places.zone_centres[area.zones[0]]
    return int(fit[np.argmin(distance_km(places.xy[fit], centre[None]))])
