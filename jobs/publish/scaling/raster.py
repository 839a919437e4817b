"""People by zone from a population raster: sums of its pixels, each by the part of it that a zone covers."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import geopandas
import rasterio
from exactextract import exact_extract
from rasterio.errors import RasterioIOError
from shapely.geometry import box

from jobs.publish.drawn_zones import DrawnZones, some_of
from jobs.publish.scaling.census import People, Population
from schemas.errors import InputError

WGS84: Final = "EPSG:4326"
"""Coordinates of `zones.geojson`."""

OUTSIDE: Final = "the zone reaches beyond the raster"
EMPTY: Final = "the raster has no number within the zone"

_SLACK: Final = 0.01
"""Part of a pixel by which a zone may reach beyond the raster: rounding of coordinates."""


def read_raster(path: Path, zones: DrawnZones, levels: Iterable[int]) -> Population:
    """Return the people of each zone of some levels, from a raster of people a pixel in any projection.

    Zones are brought into the raster's projection, never the raster into theirs: that would move people.

    Raises:
        InputError: It is no raster of one band with a projection, or holds numbers below zero that it does not declare
            to stand for missing ones.
    """
    wanted = sorted(zone for level in levels for zone in zones.parents[level])
    frame = geopandas.GeoDataFrame({"zone": wanted}, geometry=[zones.shape(zone) for zone in wanted], crs=WGS84)
    projection, around = _checked(path)
    frame = frame.to_crs(projection)
    whole = frame.geometry.covered_by(around)
    sums = exact_extract(str(path), frame, ["sum", "count", "min"], include_cols=["zone"], output="pandas")
    if len(negative := sums.loc[sums["min"] < 0, "zone"]):
        raise InputError(
            f"{path.name} has pixels below zero in {some_of(negative)}.",
            "people a pixel, and a declared value for missing pixels",
            "declare it: gdal_edit -a_nodata VALUE FILE",
        )
    counted = zip(sums["zone"], sums["sum"], sums["count"], whole, strict=True)
    found = {str(zone): (float(people), float(pixels), bool(inside)) for zone, people, pixels, inside in counted}
    missing = {
        z: EMPTY if inside else OUTSIDE for z, (_, pixels, inside) in found.items() if not (inside and pixels > 0)
    }
    return Population(
        people={zone: People(people) for zone, (people, _, _) in found.items() if zone not in missing},
        source=path.name,
        missing=missing,
        notes=(
            f"Outlines of zones were brought from {WGS84} into the raster's projection, {projection_name(projection)}.",
        )
        if projection != rasterio.CRS.from_string(WGS84)
        else (),
    )


def projection_name(projection: rasterio.CRS) -> str:
    """Return what a projection is called, in a word."""
    code = projection.to_epsg()
    return f"EPSG:{code}" if code else str(projection.to_wkt().split('"')[1])


def _checked(path: Path) -> tuple[rasterio.CRS, object]:
    """The raster's projection, and the ground that it covers."""
    try:
        with rasterio.open(path) as raster:
            if raster.count != 1 or raster.crs is None:
                raise InputError(
                    f"{path.name} has {raster.count} bands and {'a' if raster.crs else 'no'} projection.",
                    "one band of people a pixel, and its projection",
                    "choose the band: gdal_translate -b 1; state the projection: gdal_edit -a_srs",
                )
            slack = _SLACK * max(map(abs, raster.res))
            return raster.crs, box(*raster.bounds).buffer(slack, join_style="mitre")
    except RasterioIOError as error:
        raise InputError(f"{path.name} cannot be read.", "a GeoTIFF", "check the path") from error
