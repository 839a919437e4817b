"""The zones of a release as GeoJSON.

H3: base cells as they are, coarser zones as unions of their base cells. Administrative units: as their boundaries were
given when the release was sealed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import h3
import numpy as np
import pyarrow as pa

from privacy.zoning import AdminUnit, AdminUnits

COORDINATE_DECIMALS: Final = 6
"""Decimals of a coordinate, about 0.1 m (RFC 7946, section 11.2)."""

Position = tuple[float, float]
"""Longitude and latitude, WGS 84, in degrees."""

Ring = list[Position]
Polygon = list[Ring]

Feature = dict[str, Any]
"""A GeoJSON feature as JSON holds it."""


LEVEL_COLUMNS: Final = {
    "origin": "res_from",
    "destination": "res_to",
    "zone": "resolution",
    "home": "home_resolution",
    "location": "location_resolution",
}
"""Columns of public tables that hold zones, and the column that holds the resolution or admin level of each."""


def zones_in(table: pa.Table) -> frozenset[str]:
    """Return the zones that occur in a public table."""
    columns = [table[name].unique().to_pylist() for name in LEVEL_COLUMNS if name in table.schema.names]
    return frozenset(zone for column in columns for zone in column if zone is not None)


def zones_geojson(base_cells: Iterable[str], zones: Iterable[str]) -> Feature:
    """Return every base cell and every named zone as one RFC 7946 feature collection.

    Args:
        base_cells: H3 cells of the public domain at the base resolution.
        zones: Zones that occur in the table, of any resolution of the domain.
    """
    cells = sorted(base_cells)
    coarse = sorted(set(zones) - set(cells), key=lambda zone: (h3.get_resolution(zone), zone))
    members = members_of(cells, coarse)
    features = [_feature(zone, members[zone]) for zone in coarse] + [_feature(cell, [cell]) for cell in cells]
    return {"type": "FeatureCollection", "features": features}


def units_geojson(units: Iterable[AdminUnit]) -> Feature:
    """Return administrative units as one RFC 7946 feature collection, in their order."""
    return {"type": "FeatureCollection", "features": [_unit_feature(unit) for unit in units]}


def unit_of(feature: Mapping[str, Any]) -> AdminUnit:
    """Return the unit that a feature draws.

    Raises:
        KeyError, TypeError, ValueError: It is no such feature.
    """
    found = feature["properties"]
    return AdminUnit.drawn(found["pcode"], found["name"], found["level"], feature["geometry"]["coordinates"])


def _unit_feature(unit: AdminUnit) -> Feature:
    return {
        "type": "Feature",
        "id": unit.code,
        "properties": {"zone": unit.code, "pcode": unit.code, "name": unit.name, "level": unit.level},
        "geometry": {"type": "MultiPolygon", "coordinates": unit.polygons},
    }


def members_of_units(base_cells: Sequence[str], units: AdminUnits) -> dict[str, list[str]]:
    """Return the base cells of each unit, in order."""
    members: dict[str, list[str]] = {unit.code: [] for unit in units.units}
    for codes in units.of_cells:
        for cell, code in zip(base_cells, codes, strict=True):
            members[code].append(cell)
    return members


def members_of(base_cells: Iterable[str], zones: Iterable[str]) -> dict[str, list[str]]:
    """Return the base cells that each zone consists of, in order; one outside the domain has none."""
    members: dict[str, list[str]] = {zone: [] for zone in sorted(zones)}
    resolutions = {h3.get_resolution(zone) for zone in members}
    for cell in base_cells:
        for resolution in resolutions:
            if (parent := h3.cell_to_parent(cell, resolution)) in members:
                members[parent].append(cell)
    return members


def centre_of(cells: Iterable[str]) -> Position:
    """Return longitude and latitude of the middle of the cells, in degrees, also across 180 degrees."""
    points = np.radians([h3.cell_to_latlng(cell) for cell in cells])
    longitude = np.arctan2(np.sin(points[:, 1]).sum(), np.cos(points[:, 1]).sum())
    return float(np.degrees(longitude)), float(np.degrees(points[:, 0].mean()))


def union_of(cells: Iterable[str]) -> list[Polygon]:
    """Return the union of the cells as polygons: an outer ring each, then its holes."""
    polygons = h3.cells_to_geo(sorted(cells), tight=False)["coordinates"]
    return [[list(ring) for ring in polygon] for polygon in polygons]


def outline_of(cells: Iterable[str]) -> list[Polygon]:
    """Return the union of the cells, cut at the antimeridian as RFC 7946 asks (section 3.1.9)."""
    return [part for polygon in union_of(cells) for part in _cut_at_antimeridian(polygon)]


def positions_in(geometry: Mapping[str, Any]) -> Iterator[Position]:
    """Yield every position of a MultiPolygon, in order."""
    for polygon in geometry["coordinates"]:
        for ring in polygon:
            yield from ((float(longitude), float(latitude)) for longitude, latitude in ring)


def _feature(zone: str, cells: list[str]) -> Feature:
    polygons = [[_rounded(ring) for ring in polygon] for polygon in outline_of(cells)] if cells else []
    return {
        "type": "Feature",
        "id": zone,
        "properties": {"zone": zone, "resolution": h3.get_resolution(zone)},
        "geometry": {"type": "MultiPolygon", "coordinates": polygons},
    }


def _rounded(ring: Ring) -> list[list[float]]:
    return [[round(x, COORDINATE_DECIMALS), round(y, COORDINATE_DECIMALS)] for x, y in ring]


def _cut_at_antimeridian(polygon: Polygon) -> list[Polygon]:
    outer = [longitude for longitude, _ in polygon[0]]
    if max(outer) - min(outer) <= 180:
        return [polygon]
    unwrapped = [[(x % 360, y) for x, y in ring] for ring in polygon]
    west = [_clipped(ring, side=1) for ring in unwrapped]
    east = [[(x - 360, y) for x, y in _clipped(ring, side=-1)] for ring in unwrapped]
    return [[ring for ring in part if ring] for part in (west, east)]


def _clipped(ring: Ring, *, side: int) -> Ring:
    """Return the part of a closed ring west (side 1) or east (side -1) of 180 degrees.

    Source: Sutherland and Hodgman 1974, for the one edge of the clip region that matters here.
    """
    kept: Ring = []
    for (x, y), (next_x, next_y) in pairwise(ring):
        if side * (180 - x) >= 0:
            kept.append((x, y))
        if (x - 180) * (next_x - 180) < 0:
            kept.append((180.0, y + (next_y - y) * (180 - x) / (next_x - x)))
    return [*kept, kept[0]] if kept else []
