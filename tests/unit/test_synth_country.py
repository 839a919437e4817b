import h3
import numpy as np
import pytest

from jobs.synth import build_country
from jobs.synth.country import UTC_OFFSET_S, Country
from jobs.synth.geography import FULL_AREA_KM2, PLANE
from jobs.synth.people import numbers
from jobs.synth.plane import area_km2, is_inside
from schemas.errors import ConfigError


@pytest.fixture(scope="module")
def country() -> Country:
    return build_country(7, 3_000)


def test_the_same_seed_gives_the_same_country_and_another_seed_another(country):
    again, other = build_country(7, 3_000), build_country(8, 3_000)
    assert np.array_equal(country.network.sites, again.network.sites)
    assert np.array_equal(country.places.xy, again.places.xy)
    assert not np.array_equal(country.geography.coast, other.geography.coast)


def test_a_full_country_has_about_eight_hundred_zones_with_towers():
    full = build_country(7, 200_000)
    zones = {h3.latlng_to_cell(lat, lng, 6) for lat, lng in PLANE.degrees(full.network.sites)}
    assert 740 <= len(zones) <= 860
    assert len(full.network.sites) == 3_000
    assert area_km2(full.geography.coast) == pytest.approx(FULL_AREA_KM2)


@pytest.mark.parametrize(("seed", "subscribers"), [(0, 100), (1, 100), (2, 250), (3, 1_000), (4, 20_000)])
def test_countries_of_all_sizes_can_be_built(seed, subscribers):
    built = build_country(seed, subscribers)
    assert built.geography.n_towns >= 6
    assert len(built.network.out_of_service(0)) > 0


def test_towns_stand_on_land_and_apart(country):
    towns = country.geography.towns
    apart = np.hypot(*(towns[:, None] - towns[None]).transpose(2, 0, 1)) + np.eye(len(towns)) * 1e9
    assert is_inside(country.geography.coast, towns).all()
    assert apart.min() > 5


def test_the_capital_is_by_far_the_largest_town(country):
    shares = country.geography.shares[: country.geography.n_towns]
    assert shares[0] > 1.8 * shares[1:].max()


def test_roads_lead_from_every_town_to_every_other(country):
    towns, routes = country.geography.towns, country.routes
    for a in range(len(towns)):
        for b in range(len(towns)):
            ends = routes.place(np.array([a, a]), np.array([b, b]), np.array([0.0, 1.0]))
            assert np.allclose(country.places.xy[ends], towns[[a, b]], atol=1e-6)


def test_every_zone_where_somebody_lives_has_a_site(country):
    inhabited = set(country.places.zone[: country.places.n_neighbourhoods].tolist())
    sites = set(PLANE.zones(country.network.sites))
    assert {country.places.zone_names[zone] for zone in inhabited} <= sites


def test_sites_are_denser_where_people_are(country):
    n, names = country.places.n_neighbourhoods, country.places.zone_names
    residents = np.bincount(country.places.zone[:n], country.places.residents[:n], minlength=len(names))
    zones = PLANE.zones(country.network.sites)
    sites = np.array([zones.count(name) for name in names])
    crowded = residents > np.quantile(residents, 0.9)
    assert sites[crowded].mean() > 2.5 * sites[~crowded].mean()


def test_a_cell_serves_only_while_it_is_in_service(country):
    place = np.arange(len(country.places.xy)).repeat(20)
    for day in range(7):
        served = country.network.serve(np.random.default_rng(day), place, day)
        assert not np.isin(served, country.network.out_of_service(day)).any()


def test_no_cell_stands_in_two_places_on_one_day(country):
    for day in range(-400, 10):
        cells = country.network.cell[country.network.in_service(day)]
        assert len(cells) == len(set(cells.tolist()))


def test_numbers_are_distinct_digits_that_do_not_begin_with_zero():
    drawn = numbers(0, 50_000)
    assert len(set(drawn)) == 50_000
    assert all(number.isdigit() and number.startswith("2307") and len(number) == 11 for number in drawn)


def test_the_offset_is_the_time_zones():
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from jobs.synth.country import TIME_ZONE

    assert datetime(2026, 3, 2, tzinfo=ZoneInfo(TIME_ZONE)).utcoffset().total_seconds() == UTC_OFFSET_S


@pytest.mark.parametrize(("seed", "subscribers"), [(-1, 1_000), (1, 99), (1, 5_000_001)])
def test_impossible_countries_are_refused(seed, subscribers):
    with pytest.raises(ConfigError, match="Remedy"):
        build_country(seed, subscribers)
