"""Administrative units for tests: a square country of provinces and districts, and a policy that releases them."""

import json
from collections.abc import Mapping
from dataclasses import replace

import h3
import numpy as np

from jobs.config import BoundariesConfig
from jobs.synth.boundaries import layers_over
from privacy.hierarchy import ZoneTree
from privacy.policy import SHIPPED, LevelPolicy
from privacy.zoning import AdminUnit, AdminUnits, Zoning

LOW, HIGH = np.array([65.0, -15.0]), np.array([67.0, -13.0])
"""South-western and north-eastern corner of the square, longitude and latitude."""

_WEEKLY = """\
levels = [
  { resolution = 4, micro_rho = 2_300, c2 = 6.0 },
  { resolution = 5, micro_rho = 3_450, c2 = 3.0 },
  { resolution = 6, micro_rho = 17_250, c2 = 1.0 },
]
"""
_BY_UNIT = """\
zoning = "admin"
levels = [
  { resolution = 1, micro_rho = 5_750, c2 = 6.0 },
  { resolution = 2, micro_rho = 17_250, c2 = 3.0 },
]
"""


def layers_written(folder, *, change=None):
    """The square's layers as files; `change` may spoil them first."""
    layers = layers_over(LOW, HIGH)
    if change:
        change(layers)
    for level, layer in layers.items():
        (folder / f"adm{level}.geojson").write_text(json.dumps(layer), encoding="utf-8")
    return BoundariesConfig(path=tuple(folder / f"adm{level}.geojson" for level in layers), levels=tuple(layers))


def cell_table(path, sites):
    """A cell table with a cell for each place, (latitude, longitude)."""
    rows = [f"C{n},{latitude},{longitude},2020-01-01," for n, (latitude, longitude) in enumerate(sites)]
    path.write_text("\n".join(["cell_id,latitude,longitude,valid_from,valid_to", *rows]) + "\n", encoding="utf-8")
    return path


def units_of(cells, districts, provinces: Mapping[str, str]):
    """Units of some base cells, given the district of each and the province of each district; drawn as triangles."""
    of_cells = (tuple(provinces[district] for district in districts), tuple(districts))
    units = [(level, code) for level, codes in enumerate(of_cells, start=1) for code in sorted(set(codes))]
    drawn = tuple(AdminUnit.drawn(code, f"Unit {code}", level, _triangle(cells)) for level, code in units)
    return AdminUnits((1, 2), of_cells, drawn)


def _triangle(cells):
    latitude, longitude = h3.cell_to_latlng(cells[0])
    ring = [[longitude, latitude], [longitude + 0.1, latitude], [longitude, latitude + 0.1], [longitude, latitude]]
    return [[[[round(x, 5), round(y, 5)] for x, y in ring]]]


def by_unit(plan, units):
    """A plan of trips, but between administrative units."""
    levels = (LevelPolicy(1, 5_750, 6.0), LevelPolicy(2, 17_250, 3.0))
    product = replace(plan.product, zoning=Zoning.ADMIN, levels=levels)
    return replace(plan, product=product, zones=ZoneTree(plan.zones.base_cells, (1, 2), units=units))


def policy_by_unit(path):
    """The shipped policy, but with weekly trips between administrative units."""
    text = SHIPPED.read_text(encoding="utf-8")
    assert text.count(_WEEKLY) == 1
    path.write_text(text.replace(_WEEKLY, _BY_UNIT), encoding="utf-8")
    return path
