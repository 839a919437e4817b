"""Areas as GeoJSON, and the list of events: what is affected, and what is refused with one clear message."""

import json
from datetime import date

import h3
import pytest

from jobs.areas import read_polygons
from jobs.config import Config
from jobs.events import EventRegistry, registry
from privacy.ledger import Opening
from privacy.policy import Policy
from schemas.errors import ConfigError, SpecificationChangedError
from tests.installations import installation

CENTRE = h3.latlng_to_cell(-14.06, 66.13, 5)
COUNTRY = tuple(sorted(cell for parent in h3.grid_disk(CENTRE, 2) for cell in h3.cell_to_children(parent, 6)))
SQUARE = [[66.0, -14.2], [66.3, -14.2], [66.3, -13.9], [66.0, -13.9], [66.0, -14.2]]
HOLE = [[66.1, -14.1], [66.2, -14.1], [66.2, -14.0], [66.1, -14.0], [66.1, -14.1]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry, **members):
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": geometry}], **members}


def listed(tmp_path, area, *, name="flood", onset="2026-03-03", extra=""):
    (tmp_path / "events.toml").write_text(
        f'[[events]]\nid = "{name}"\nname = "A flood"\nhazard = "flood"\nonset = {onset}\nsource = "us"\n'
        f"area = {area}\n{extra}"
    )
    return EventRegistry.load(tmp_path / "events.toml")


def drawn(tmp_path, content):
    (tmp_path / "area.geojson").write_text(content if isinstance(content, str) else json.dumps(content))
    return listed(tmp_path, '{ geojson = "area.geojson" }').event("flood")


def inside(cells, ring):
    """Cells whose centre lies in a rectangle."""
    (west, south), _, (east, north), *_ = ring
    centres = {cell: h3.cell_to_latlng(cell) for cell in cells}
    return {cell for cell, (lat, lng) in centres.items() if south < lat < north and west < lng < east}


def test_a_cell_is_affected_where_its_centre_lies_inside_and_in_no_hole(tmp_path):
    found = set(drawn(tmp_path, feature(polygon(SQUARE))).homes(COUNTRY))
    assert found == inside(COUNTRY, SQUARE)
    assert 5 < len(found) < len(COUNTRY)
    holed = set(drawn(tmp_path, polygon(SQUARE, HOLE)).homes(COUNTRY))
    assert found - holed == inside(COUNTRY, HOLE) != set()


def test_a_multipolygon_is_all_its_polygons(tmp_path):
    far = [[lng + 0.5, lat] for lng, lat in SQUARE]
    both = drawn(tmp_path, {"type": "MultiPolygon", "coordinates": [[SQUARE], [far]]}).homes(COUNTRY)
    assert set(both) == inside(COUNTRY, SQUARE) | inside(COUNTRY, far)


def test_zones_affect_what_lies_in_them_and_what_holds_them(tmp_path):
    coarse = listed(tmp_path, f'{{ zones = ["{CENTRE}"] }}').event("flood").homes(COUNTRY)
    assert set(coarse) == set(h3.cell_to_children(CENTRE, 6))
    assert list(coarse) == sorted(coarse)
    fine = h3.cell_to_children(COUNTRY[3], 8)[0]
    assert listed(tmp_path, f'{{ zones = ["{fine}"] }}').event("flood").homes(COUNTRY) == (COUNTRY[3],)


@pytest.mark.parametrize("spelled", [str.upper, lambda name: f"0{name}"])
def test_a_zone_is_the_same_however_h3_can_read_its_name(spelled, tmp_path):
    named = listed(tmp_path, f'{{ zones = ["{CENTRE}"] }}').event("flood")
    other = listed(tmp_path, f'{{ zones = ["{spelled(CENTRE)}"] }}').event("flood")
    assert other.homes(COUNTRY) == named.homes(COUNTRY)
    assert other.area.sha256 == named.area.sha256


BROKEN = {
    "no JSON": "not { json",
    "projection 'urn:ogc:def:crs:EPSG::32741'": feature(
        polygon(SQUARE), crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32741"}}
    ),
    "no degrees": polygon([[500_000, 8_400_000], [510_000, 8_400_000], [510_000, 8_410_000], [500_000, 8_400_000]]),
    "not closed": polygon(SQUARE[:-1]),
    "crosses itself": polygon([SQUARE[0], SQUARE[2], SQUARE[1], SQUARE[3], SQUARE[0]]),
    "encloses nothing": polygon([SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[0]]),
    "4 are the least": polygon(SQUARE[:2]),
    "not two numbers": polygon([[66.0, "north"], *SQUARE[1:]]),
    "a polygon has no ring": polygon(),
    "holds no polygon": {"type": "FeatureCollection", "features": []},
    "is no polygon": feature({"type": "Point", "coordinates": [66.0, -14.0]}),
    "no GeoJSON object": [1, 2],
}


@pytest.mark.parametrize("fault", BROKEN)
def test_an_area_that_cannot_be_meant_is_refused_in_one_message(fault, tmp_path):
    event = drawn(tmp_path, BROKEN[fault])
    with pytest.raises(ConfigError) as refused:
        event.homes(COUNTRY)
    assert fault in str(refused.value)
    assert "Remedy" in str(refused.value)


def test_wgs_84_may_be_named_as_it_was_before_rfc_7946(tmp_path):
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    assert drawn(tmp_path, feature(polygon(SQUARE), crs=named)).homes(COUNTRY)


def test_an_area_outside_the_country_is_refused(tmp_path):
    swapped = [[lat, lng] for lng, lat in SQUARE]  # latitude first: degrees all the same, and somewhere else
    with pytest.raises(ConfigError, match="holds no cell of the country"):
        drawn(tmp_path, polygon(swapped)).homes(COUNTRY)


def test_the_digest_of_an_area_is_of_what_it_says_not_of_how_it_is_written(tmp_path):
    digest = drawn(tmp_path, feature(polygon(SQUARE))).area.sha256
    assert drawn(tmp_path, json.dumps(feature(polygon(SQUARE)), indent=4)).area.sha256 == digest
    assert drawn(tmp_path, feature(polygon(SQUARE, HOLE))).area.sha256 != digest


@pytest.mark.parametrize(
    ("area", "options", "fault"),
    [
        ("{}", {}, "exactly one of zones and geojson"),
        ('{ zones = ["86"] }', {}, "'86' is no H3 cell"),
        (f'{{ zones = ["{CENTRE}"], geojson = "a" }}', {}, "exactly one"),
        (f'{{ zones = ["{CENTRE}"] }}', {"name": "Great Flood"}, "events.0.id"),
        (f'{{ zones = ["{CENTRE}"] }}', {"onset": '"soon"'}, "events.0.onset"),
        (f'{{ zones = ["{CENTRE}"] }}', {"onset": "2026-03-03T04:30:00"}, "events.0.onset"),
        (f'{{ zones = ["{CENTRE}"] }}', {"extra": 'colour = "blue"'}, "events.0.colour"),
        (f'{{ zones = ["{CENTRE}"] }}', {"extra": "[[events"}, "is not TOML"),
    ],
)
def test_a_list_of_events_that_contradicts_itself_is_refused(area, options, fault, tmp_path):
    with pytest.raises(ConfigError, match=fault):
        listed(tmp_path, area, **options)


def test_an_event_that_stands_twice_is_refused(tmp_path):
    listed(tmp_path, f'{{ zones = ["{CENTRE}"] }}')
    text = (tmp_path / "events.toml").read_text()
    (tmp_path / "events.toml").write_text(text * 2)
    with pytest.raises(ConfigError, match="the event flood stands twice"):
        EventRegistry.load(tmp_path / "events.toml")


def test_a_missing_list_and_an_unknown_event_say_what_to_do(tmp_path):
    config = installation(tmp_path, cells=tmp_path / "cells.csv")
    with pytest.raises(ConfigError, match=r'events = "events.toml"'):
        registry(config)
    with pytest.raises(ConfigError, match="cannot be read"):
        registry(config.model_copy(update={"events": tmp_path / "none.toml"}))
    with pytest.raises(ConfigError, match="has no 'storm'"):
        listed(tmp_path, f'{{ zones = ["{CENTRE}"] }}').event("storm")
    with pytest.raises(ConfigError, match=r"none.geojson cannot be read"):
        read_polygons(tmp_path / "none.geojson")


def test_what_people_opened_fixes_the_onset_and_the_area(tmp_path):
    event = listed(tmp_path, f'{{ zones = ["{CENTRE}"] }}').event("flood")
    schedule = Policy.load().event("displacement").schedule(event.onset)
    opening = Opening("flood", "displacement", event.onset, schedule, event.area.sha256)
    event.require_unchanged(opening)
    assert Opening.of(opening.body) == opening
    without = Opening("flood", "displacement", event.onset, schedule)
    assert without.digest != opening.digest
    assert "area_sha256" not in without.body
    for changed, name in (
        (Opening("flood", "displacement", event.onset, schedule, "ab" * 32), "area"),
        (Opening("flood", "displacement", date(2026, 3, 4), schedule, event.area.sha256), "onset"),
        (without, "area"),
    ):
        with pytest.raises(SpecificationChangedError, match=f"The {name} of the event flood changed"):
            event.require_unchanged(changed)


def test_paths_of_the_configuration_start_from_its_folder(tmp_path):
    text = (
        'events = "lists/events.toml"\n[country]\nname = "N"\ntimezone = "UTC"\n[pseudonyms]\nkey_file = "k"\n'
        '[cells]\npath = "c.csv"\n[network]\noutages = "outages.csv"\n'
        '[sources.a]\nformat = "parquet"\ncolumns = { subscriber = "s", time = "t", cell = "c" }\n'
    )
    (tmp_path / "whimbrel.toml").write_text(text)
    config = Config.load(tmp_path / "whimbrel.toml")
    assert config.events == tmp_path / "lists" / "events.toml"
    assert config.network.outages == tmp_path / "outages.csv"
