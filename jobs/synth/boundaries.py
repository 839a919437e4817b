"""Administrative boundaries of the synthetic country in the layout of COD-AB: rectangular provinces and districts."""

from datetime import date
from itertools import product
from typing import Any, Final

import numpy as np

from jobs.synth.country import COUNTRY_NAME, Country
from jobs.synth.geography import PLANE
from jobs.synth.plane import KM_PER_DEGREE
from jobs.synth.randomness import Floats

COUNTRY_CODE: Final = "NU"
"""Begins every p-code; no country has it."""

VALID_ON: Final = date(2026, 1, 1)

_PROVINCES: Final = (2, 3)
"""Columns and rows of provinces."""

_NAMES: Final = ("South-west", "South-east", "West", "East", "North-west", "North-east")
"""Of the provinces, row by row from the south-west."""

_DISTRICTS: Final = (2, 2)
"""Columns and rows of districts in each province."""

_MARGIN_KM: Final = 3.0
"""Of land and water beyond the coast: towers stand on capes."""

Layer = dict[str, Any]
"""A GeoJSON feature collection."""


def admin_layers(country: Country) -> dict[int, Layer]:
    """Return the layers of a country by admin level, 1 and 2."""
    coast = PLANE.degrees(country.geography.coast)
    margin = _MARGIN_KM / KM_PER_DEGREE
    return layers_over(coast.min(axis=0)[::-1] - margin, coast.max(axis=0)[::-1] + margin)


def layers_over(low: Floats, high: Floats) -> dict[int, Layer]:
    """Return the layers of a country that fills a box.

    Args:
        low: Longitude and latitude of the south-western corner, degrees.
        high: Longitude and latitude of the north-eastern corner, degrees.
    """
    provinces, districts = [], []
    named = zip(_NAMES, _parts(low, high, _PROVINCES), strict=True)
    for number, (province, box) in enumerate(named, start=1):
        above = {"adm1_name": province, "adm1_pcode": f"{COUNTRY_CODE}{number:02}"}
        provinces.append(_feature(box, above))
        for part, inner in enumerate(_parts(box[0], box[1], _DISTRICTS), start=1):
            own = {"adm2_name": f"{province}, {part}", "adm2_pcode": f"{above['adm1_pcode']}{part:02}"}
            districts.append(_feature(inner, own | above))
    return {1: _collection(provinces), 2: _collection(districts)}


def _parts(low: Floats, high: Floats, into: tuple[int, int]) -> list[tuple[Floats, Floats]]:
    """The parts of a box, row by row from the south-west; neighbours share their corners to the last digit."""
    xs, ys = (np.round(np.linspace(low[n], high[n], into[n] + 1), 5) for n in (0, 1))
    cells = product(range(into[1]), range(into[0]))
    return [(np.array([xs[i], ys[j]]), np.array([xs[i + 1], ys[j + 1]])) for j, i in cells]


def _feature(box: tuple[Floats, Floats], own: dict[str, str]) -> dict[str, Any]:
    (west, south), (east, north) = box[0].tolist(), box[1].tolist()
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    shared = {"adm0_name": COUNTRY_NAME, "adm0_pcode": COUNTRY_CODE, "valid_on": VALID_ON.isoformat()}
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": own | shared, "geometry": geometry}


def _collection(features: list[dict[str, Any]]) -> Layer:
    return {"type": "FeatureCollection", "features": features}
