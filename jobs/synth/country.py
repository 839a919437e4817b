"""The synthetic country: land, places, roads and the operator's network; nobody lives in it yet."""

from dataclasses import dataclass
from typing import Final

from jobs.synth.geography import Geography, build_geography
from jobs.synth.network import Network, build_network
from jobs.synth.places import Gravity, Places, Routes, build_gravity, build_places, build_routes
from schemas.errors import ConfigError

COUNTRY_NAME: Final = "Numenia"
"""After Numenius, the whimbrel's genus; no such country exists."""

TIME_ZONE: Final = "Indian/Mauritius"
UTC_OFFSET_S: Final = 4 * 3_600
"""The zone's offset; it has had no summer time since 2009."""

SUBSCRIBER_RANGE: Final = (100, 5_000_000)
"""Fewer do not fill a country; more would run out of numbers."""


@dataclass(frozen=True)
class Country:
    """A country, fixed by its seed and the number of its subscribers.

    Args:
        seed: Seed of everything drawn in it.
        subscribers: People with a SIM; machines come on top.
        geography: Coast, settlements and roads.
        places: Where people can be.
        gravity: How far they go.
        routes: How they travel between towns.
        network: What the operator sees them with.
    """

    seed: int
    subscribers: int
    geography: Geography
    places: Places
    gravity: Gravity
    routes: Routes
    network: Network

    def __post_init__(self) -> None:
        check_size(self.seed, self.subscribers)


def check_size(seed: int, subscribers: int) -> None:
    """Refuse a seed or a number of subscribers that no country can have.

    Raises:
        ConfigError: The seed is negative, or the number out of range.
    """
    low, high = SUBSCRIBER_RANGE
    if seed < 0:
        raise ConfigError(f"Seed {seed}.", "0 or more", "give another --seed")
    if not low <= subscribers <= high:
        raise ConfigError(f"{subscribers} subscribers.", f"{low} to {high}", "give another --subscribers")


def build_country(seed: int, subscribers: int) -> Country:
    """Return the country of a seed; the same for the same arguments, on every machine.

    Args:
        seed: 0 or more.
        subscribers: 100 to 5,000,000; a country of less than 200,000 is also smaller on the map.

    Raises:
        ConfigError: An argument is out of range.
    """
    check_size(seed, subscribers)
    geography = build_geography(seed, subscribers)
    places = build_places(seed, subscribers, geography)
    return Country(
        seed=seed,
        subscribers=subscribers,
        geography=geography,
        places=places,
        gravity=build_gravity(places),
        routes=build_routes(geography, places),
        network=build_network(seed, subscribers, geography, places),
    )
