"""The zones of a bundle: H3 cells of one domain, drawn where H3 puts them; or the units that the card seals."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import h3
import numpy as np
import pyarrow as pa

from jobs.publish.card import Card
from jobs.publish.zones import Feature, positions_in, unit_of, units_geojson, zones_geojson, zones_in
from privacy.zoning import AdminUnit, Zoning, is_cell, layer_sha256
from schemas.errors import BundleError

DEGREE_SLACK: Final = 1e-5
"""About a metre: versions of H3 and platforms differ in the last digits of a corner."""

_LEAST_POSITIONS: Final = 4
"""Of a ring, whose first and last are one."""

_RINGS: Final = "a MultiPolygon: rings of four positions or more, of numbers"
_NOT_DRAWN: Final = (KeyError, TypeError, ValueError, OverflowError)
"""What reading a geometry that is none raises; a whole number may be too large for a position."""


def check_zones(table: pa.Table, collection: Mapping[str, Any], card: Card) -> None:
    """Check `zones.geojson` against the card, the table and, where zones are H3 cells, H3 itself.

    Raises:
        BundleError: A zone is no H3 cell, or no unit of the card's layer, lies outside the domain, is missing, or is
            drawn elsewhere.
    """
    if card.zoning is Zoning.ADMIN:
        _check_units(zones_in(table), collection, card)
    else:
        _check_cells(table, collection, card)


def levels_of_zones(zones: frozenset[str], collection: Mapping[str, Any], card: Card) -> dict[str, int]:
    """Return the resolution or admin level of each zone of a table; a name that is no zone's has none.

    Raises:
        BundleError: `zones.geojson` cannot be read.
    """
    if card.zoning is Zoning.ADMIN:
        return {unit.code: unit.level for unit in _units_in(collection)}
    return {zone: int(h3.get_resolution(zone)) for zone in zones if is_cell(zone)}


def _check_cells(table: pa.Table, collection: Mapping[str, Any], card: Card) -> None:
    found = _features_by_zone(collection)
    cells = {zone for zone in found if h3.get_resolution(zone) == card.zones.base_resolution}
    if len(cells) != card.zones.zones:
        raise _wrong(f"it has {len(cells)} base cells", f"{card.zones.zones}, as the card says")
    zones = zones_in(table)
    _check_inside(zones, cells, card)
    if found.keys() != cells | zones:
        raise _wrong("its zones are not those of the table and the base cells", "each of them once")
    for expected in zones_geojson(cells, zones)["features"]:
        _check_feature(found[expected["id"]], expected)


def _features_by_zone(collection: Mapping[str, Any]) -> dict[str, Feature]:
    features = collection.get("features")
    if collection.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise _wrong("it is no feature collection", "GeoJSON by RFC 7946")
    try:
        found = {feature["properties"]["zone"]: feature for feature in features}
    except (KeyError, TypeError) as error:
        raise _wrong("a feature has no zone", "properties zone and resolution") from error
    if len(found) != len(features):
        raise _wrong("a zone occurs twice", "each zone once")
    if odd := [zone for zone in found if not isinstance(zone, str) or not is_cell(zone)]:
        raise _wrong(f"{odd[0]!r} is no H3 cell", "H3 cells")
    return found


def _check_units(zones: frozenset[str], collection: Mapping[str, Any], card: Card) -> None:
    units, note = _units_in(collection), card.zones
    if odd := [unit.level for unit in units if unit.level not in note.resolutions]:
        raise _wrong(f"it has units of level {odd[0]}", f"levels {note.resolutions}, as the card says")
    if len(units) != note.units or layer_sha256(units) != note.units_sha256:
        raise _wrong("its units are not those of the card", f"{note.units} units with SHA-256 {note.units_sha256}")
    if collection != units_geojson(units):
        raise _wrong("a feature has other parts than a unit", "zone, pcode, name, level and a MultiPolygon, in order")
    if outside := sorted(zones - {unit.code for unit in units}):
        raise _wrong(f"zone {outside[0]!r} of the table is no unit", "p-codes of zones.geojson")
    for feature in collection["features"]:
        _check_drawn(feature)


def _units_in(collection: Mapping[str, Any]) -> list[AdminUnit]:
    features = collection.get("features")
    if collection.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise _wrong("it is no feature collection", "GeoJSON by RFC 7946")
    try:
        units = [unit_of(feature) for feature in features]
    except (KeyError, TypeError, ValueError) as error:
        raise _wrong("a feature is no unit", "properties zone, pcode, name and level") from error
    if any(type(unit.level) is not int or not isinstance(unit.code, str) for unit in units):
        raise _wrong("a feature is no unit", "a p-code and a level")
    if twice := [code for code, n in Counter(unit.code for unit in units).items() if n > 1]:
        raise _wrong(f"unit {twice[0]!r} occurs twice", "each unit once")
    return units


def _check_drawn(feature: Feature) -> None:
    try:
        _require_rings(feature["geometry"])
        positions = np.array([*positions_in(feature["geometry"])]).reshape(-1, 2)
    except _NOT_DRAWN as error:
        raise _wrong(f"the geometry of {feature['id']} cannot be read", _RINGS) from error
    if not len(positions) or not np.all(np.abs(positions) <= (180, 90)):
        raise _wrong(f"{feature['id']} is drawn nowhere on Earth", "longitude and latitude")


def _check_inside(zones: frozenset[str], cells: set[str], card: Card) -> None:
    domain = {h3.cell_to_parent(cell, r) for cell in cells for r in card.zones.resolutions}
    if outside := sorted(zones - domain):
        raise _wrong(f"zone {outside[0]!r} of the table lies outside the domain", "cells of zones.geojson and above")


def _check_feature(found: Feature, expected: Feature) -> None:
    zone = expected["id"]
    if found["properties"] != expected["properties"]:
        raise _wrong(f"the properties of {zone} are not its own", f"{expected['properties']}")
    try:
        _require_rings(found["geometry"])
        same = _same_place(found["geometry"], expected["geometry"])
    except _NOT_DRAWN as error:
        raise _wrong(f"the geometry of {zone} cannot be read", _RINGS) from error
    if not same:
        raise _wrong(f"{zone} is not drawn where it lies", "the outline of its base cells")


def _require_rings(geometry: Mapping[str, Any]) -> None:
    """Refuse what is no polygon (RFC 7946, section 3.1.6): programs that draw it would stop, or draw what they like.

    Raises:
        KeyError, TypeError, ValueError: It is none.
    """
    for polygon in geometry["coordinates"]:
        if not polygon or any(len(ring) < _LEAST_POSITIONS for ring in polygon):
            raise ValueError("a polygon without a ring, or a ring that encloses nothing")
        numbers = (number for ring in polygon for position in ring for number in position)
        if any(type(number) not in (int, float) for number in numbers):
            raise TypeError("a coordinate that is no number")


def _same_place(found: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    drawn, wanted = np.array([*positions_in(found)]), np.array([*positions_in(expected)])
    same_form = found["type"] == expected["type"] and _lengths(found) == _lengths(expected)
    return same_form and bool(np.allclose(drawn, wanted, rtol=0, atol=DEGREE_SLACK))


def _lengths(geometry: Mapping[str, Any]) -> list[list[int]]:
    """Positions of each ring of each polygon."""
    return [[len(ring) for ring in polygon] for polygon in geometry["coordinates"]]


def _wrong(found: str, expected: str) -> BundleError:
    return BundleError(f"zones.geojson contradicts the bundle: {found}.", expected, "do not use the bundle")
