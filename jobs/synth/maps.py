"""The country's public files: its cell table, and its coast, towns and roads for maps."""

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from jobs.synth.country import COUNTRY_NAME, Country
from jobs.synth.geography import PLANE
from jobs.synth.network import NEVER, Network
from jobs.synth.plane import area_km2
from jobs.synth.randomness import Floats


def write_cells(path: Path, network: Network, first_day: date) -> None:
    """Write the cell table: one row per cell and interval in which it stood at one place."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["cell_id", "latitude", "longitude", "valid_from", "valid_to"])
        table.writerows(sorted(_cell_rows(network, first_day)))


def _cell_rows(network: Network, first_day: date) -> Iterator[tuple[str, ...]]:
    where = PLANE.degrees(network.sites).tolist()
    intervals = zip(network.cell, network.site, network.first_day, network.end_day, strict=True)
    for cell, site, start, end in intervals:
        latitude, longitude = where[site]
        valid_to = "" if end == NEVER else _day(first_day, int(end))
        cell_id = network.cell_ids[cell]
        yield cell_id, f"{latitude:.5f}", f"{longitude:.5f}", _day(first_day, int(start)), valid_to


def _day(first_day: date, offset: int) -> str:
    return (first_day + timedelta(days=offset)).isoformat()


def geojson(country: Country) -> dict[str, object]:
    """Return coast, roads and towns as GeoJSON; a feature has a `kind`, a town its name and residents."""
    geography = country.geography
    towns = zip(geography.town_names, geography.towns, geography.shares, strict=False)
    coast = [_positions(geography.coast), _positions(geography.coast[:1])]
    features = [
        _feature("Polygon", [coast[0] + coast[1]], kind="coast", name=COUNTRY_NAME,
                 area_km2=round(area_km2(geography.coast))),
        *(_feature("LineString", _positions(road.line), kind="road", length_km=round(road.length_km, 1),
                   joins=[geography.town_names[road.origin], geography.town_names[road.destination]])
          for road in geography.roads),
        *(_feature("Point", _positions(centre[None])[0], kind="town", name=name, capital=i == 0,
                   population=round(float(share) * country.subscribers))
          for i, (name, centre, share) in enumerate(towns)),
    ]  # fmt: skip
    return {"type": "FeatureCollection", "name": COUNTRY_NAME, "features": features}


def _positions(xy: Floats) -> list[list[float]]:
    return PLANE.degrees(xy)[:, ::-1].tolist()  # type: ignore[no-any-return]


def _feature(shape: str, coordinates: object, **properties: object) -> dict[str, object]:
    geometry = {"type": shape, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}
