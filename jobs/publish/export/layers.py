"""What a map shows of a bundle: zones with their values, pairs of zones as lines, and the zones themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from jobs.publish.export.breakdowns import Breakdown, breakdowns_of
from jobs.publish.export.plain import printable
from jobs.publish.export.source import CRS, Source
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.zoning import Zoning
from schemas.errors import BundleError

Floats = npt.NDArray[np.float64]

_LOOP_SHARE: Final = 0.2
"""Radius of the loop of a pair from a zone to itself, in roots of the zone's area: well inside it."""
_LOOP_CORNERS: Final = 16

_EARTH_KM: Final = 6371.0088
"""Mean radius of the Earth (IUGG)."""


class Kind(StrEnum):
    """What a layer draws."""

    ZONES = "zones"
    LINES = "lines"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Layer:
    """One layer.

    Args:
        breakdown: What it shows.
        kind: What it draws: polygons, lines, or nothing where rows are of the whole country.
        rows: The rows with a column `geometry`; without one where nothing is drawn.
    """

    breakdown: Breakdown
    kind: Kind
    rows: pd.DataFrame


def layers_of(source: Source) -> list[Layer]:
    """Return a layer for each breakdown of a bundle.

    Raises:
        BundleError: A row names a zone that is not drawn.
    """
    return [_layer(breakdown, source) for breakdown in breakdowns_of(source)]


def base_layer(source: Source) -> gpd.GeoDataFrame:
    """Return all zones of the bundle as they are, without values: coarse ones first."""
    zones = drawn_zones(source)
    named = zones.reset_index().assign(name=zones["name"].map(printable).to_numpy())
    return gpd.GeoDataFrame(named[["zone", "name", "level", "lng", "lat", "geometry"]], crs=CRS)


def drawn_zones(source: Source) -> gpd.GeoDataFrame:
    """Return the zones of a bundle that draws them.

    Raises:
        BundleError: It draws none.
    """
    if source.zones is None:
        raise BundleError(
            f"{source.card.slug} has no zones to draw.", "a product with zones", "use --format csv, parquet or sdmx"
        )
    return source.zones


def _layer(breakdown: Breakdown, source: Source) -> Layer:
    shown = _shown(breakdown, source)
    match breakdown.places:
        case ():
            return Layer(breakdown, Kind.NOTHING, shown)
        case (place,):
            outlines = drawn_zones(source)["geometry"].reindex(breakdown.rows[place])
            return Layer(breakdown, Kind.ZONES, _drawn(shown, outlines.to_numpy()))
        case _:
            lines, distances = _lines(breakdown, drawn_zones(source))
            return Layer(breakdown, Kind.LINES, _drawn(shown.assign(distance_km=distances), lines))


def _drawn(rows: pd.DataFrame, geometry: npt.NDArray[np.object_]) -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(rows, geometry=gpd.GeoSeries(geometry, index=rows.index, crs=CRS))


def _shown(breakdown: Breakdown, source: Source) -> pd.DataFrame:
    """The attributes: the columns that say something in this breakdown, the names of its zones, days and mark."""
    unsaid = [name for name in source.labels if name not in breakdown.labels]
    unsaid += [column for name in source.places if name not in breakdown.places for column in _of_place(name)]
    rows = breakdown.rows.drop(columns=unsaid).reset_index(drop=True)
    named = {f"{place}_name": rows[place].map(drawn_zones(source)["name"]) for place in breakdown.places}
    if source.card.zoning is Zoning.H3:
        named = {}
    days = {"period_start": source.period.first_day.isoformat(), "period_end": source.period.last_day.isoformat()}
    marked = rows.assign(**named, **days, unit=source.card.unit_of_value, synthetic=source.card.synthetic)
    texts = {
        name: column.map(printable, na_action="ignore") for name, column in marked.items() if column.dtype == object
    }
    return marked.assign(**texts)


def _of_place(place: str) -> tuple[str, str]:
    return place, LEVEL_COLUMNS[place]


def _lines(breakdown: Breakdown, zones: gpd.GeoDataFrame) -> tuple[npt.NDArray[np.object_], Floats]:
    """The line of each row, nothing where it names no zones, and its length in kilometres."""
    places = breakdown.rows[list(breakdown.places)]
    ends = [zones[["lng", "lat"]].reindex(places[name]).to_numpy() for name in places]
    named = places.notna().all(axis=1).to_numpy()
    if np.isnan(np.hstack(ends)[named]).any():
        raise BundleError("A row names a zone that zones.geojson does not draw.", "every zone drawn", "fetch it again")
    lines = np.full(len(places), None, dtype=object)
    loops = {zone: _loop(row.lng, row.lat, row.geometry) for zone, row in _own(places, zones)}
    for row in np.flatnonzero(named):
        (origin, destination), start, end = places.iloc[row], ends[0][row], ends[1][row]
        lines[row] = loops[origin] if origin == destination else shapely.MultiLineString(_cut(start, end))
    return lines, _distances_km(*ends)


def _own(places: pd.DataFrame, zones: gpd.GeoDataFrame) -> Iterator[tuple[str, "pd.Series[object]"]]:
    """The zones that some row leads from to themselves."""
    first, second = (places[name] for name in places)
    yield from zones.loc[sorted(set(first[first.notna() & (first == second)]))].iterrows()


def _cut(start: Floats, end: Floats) -> list[list[tuple[float, float]]]:
    """A straight line in longitude and latitude, in two parts where it crosses 180 degrees (RFC 7946, 3.1.9)."""
    (x_1, y_1), (x_2, y_2) = start, end
    if abs(x_1 - x_2) <= 180:
        return [[(x_1, y_1), (x_2, y_2)]]
    side = 180.0 if x_1 > 0 else -180.0
    share = (side - x_1) / (x_2 + 2 * side - x_1)
    y = y_1 + share * (y_2 - y_1)
    return [[(x_1, y_1), (side, y)], [(-side, y), (x_2, y_2)]]


def _loop(longitude: float, latitude: float, zone: shapely.MultiPolygon) -> shapely.MultiLineString:
    """A circle that begins and ends at the zone's point."""
    radius = _LOOP_SHARE * np.sqrt(zone.area)
    corners = radius * _circle()
    return shapely.MultiLineString([np.column_stack([longitude + corners[:, 0], latitude + corners[:, 1]])])


@lru_cache(maxsize=1)
def _circle() -> Floats:
    """Corners of a circle of radius 1 above the origin, closed."""
    angles = np.linspace(0, 2 * np.pi, _LOOP_CORNERS + 1)
    corners = np.column_stack([np.sin(angles), 1 - np.cos(angles)])
    corners[-1] = corners[0]
    return corners


def _distances_km(start: Floats, end: Floats) -> Floats:
    """Great-circle distances between points, on a sphere (haversine), rounded to 0.1 km."""
    (x_1, y_1), (x_2, y_2) = np.radians(start).T, np.radians(end).T
    half = np.sin((y_2 - y_1) / 2) ** 2 + np.cos(y_1) * np.cos(y_2) * np.sin((x_2 - x_1) / 2) ** 2
    return np.asarray(np.round(2 * _EARTH_KM * np.arcsin(np.sqrt(half)), 1))
