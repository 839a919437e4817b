"""Administrative boundaries (COD-AB layout): the units of a country, and which of them each base cell belongs to.

Everything here is public: the boundaries, and where the operator's towers stand. No record is read.

Source: OCHA, Common Operational Datasets, administrative boundaries (COD-AB): one layer a level, each unit with its own
    p-code and those of the units above it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import h3
import numpy as np
import numpy.typing as npt

from jobs.areas import BrokenAreaError, Polygon, polygons_in
from jobs.config import BoundariesConfig, CellsConfig
from jobs.ingest.cells import Cell, read_cells
from jobs.storage import write_json
from privacy.canonical import sha256_hex
from privacy.durable import alone_in
from privacy.zoning import AdminUnit, AdminUnits
from schemas.errors import ConfigError, InputError

DECIMALS: Final = 5
"""Decimals of a published corner, about a metre: finer than boundaries are surveyed."""

KM_PER_DEGREE: Final = 111.195
"""Length of a degree of latitude on a sphere of 6,371 km."""

_CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
"""What a p-code may look like: nothing that a spreadsheet would run or a path would follow."""

_MOST_NAMED: Final = 5
"""Sites that a message names."""

Points = npt.NDArray[np.float64]
"""One row a point: longitude and latitude, degrees."""

Site = tuple[float, float]
"""Longitude and latitude of a tower, degrees."""


@dataclass(frozen=True)
class Unit:
    """One unit as the file has it.

    Args:
        code: Its p-code.
        name: Its name; the p-code where the file has none.
        parent: P-code of its unit at the level above; none at the coarsest.
        polygons: Where it lies.
    """

    code: str
    name: str
    parent: str | None
    polygons: tuple[Polygon, ...]


@dataclass(frozen=True)
class Boundaries:
    """The units of a country.

    Args:
        levels: Admin levels, coarse to fine.
        units: For each level, its units by p-code.
    """

    levels: tuple[int, ...]
    units: tuple[Mapping[str, Unit], ...]

    def __post_init__(self) -> None:
        twice = [code for code, n in Counter(code for units in self.units for code in units).items() if n > 1]
        if twice:
            raise _refused(f"p-code {twice[0]} stands at two levels", "a code of its own for each unit")
        for (level, coarse), (_, fine) in pairwise(zip(self.levels, self.units, strict=True)):
            if lost := [unit for unit in fine.values() if unit.parent not in coarse]:
                raise _refused(
                    f"unit {lost[0].code} has no parent at level {level}"
                    + (f": {lost[0].parent} is not there" if lost[0].parent else ""),
                    f"adm{level}_pcode of a unit of that level in every row",
                )

    @cached_property
    def layer_sha256(self) -> str:
        """Digest of what decides to which finest unit a tower belongs."""
        finest = sorted(self.units[-1].items())
        shapes = [[code, [polygon.rings for polygon in unit.polygons]] for code, unit in finest]
        return sha256_hex(json.dumps(shapes).encode())

    def above(self, code: str) -> tuple[str, ...]:
        """Return a finest unit's codes at all levels, coarse to fine."""
        codes = [code]
        for units in reversed(self.units[1:]):
            codes.append(units[codes[-1]].parent or "")
        return tuple(reversed(codes))

    def of_sites(self, sites: Sequence[Site], *, snap_km: float) -> list[str]:
        """Return the finest unit of each site: the one it stands in, or the nearest within reach.

        Where units overlap or are equally near, the smaller p-code takes it.

        Raises:
            InputError: A site is farther than `snap_km` from every unit; it is named by its coordinates.
        """
        units, points = sorted(self.units[-1].items()), np.array(sites, dtype=float).reshape(-1, 2)
        found = np.full(len(points), -1)
        for number, (_, unit) in enumerate(units):
            found[(found < 0) & _inside(unit.polygons, points)] = number
        strays = np.flatnonzero(found < 0)
        if len(strays):
            km = np.array([[_km_to(unit.polygons, points[n]) for _, unit in units] for n in strays])
            _refuse_strays(points[strays], km.min(axis=1), snap_km)
            found[strays] = km.argmin(axis=1)
        return [units[number][0] for number in found]


def read_boundaries(config: BoundariesConfig) -> Boundaries:
    """Read the layers of a country.

    With one file a level, each brings its own units. With one file in all, it is that of the finest level, and a
    coarser unit is all units that bear its code.

    Raises:
        ConfigError: A file cannot be read, is in another projection or broken, or its codes are missing, stand twice or
            do not nest.
    """
    rows = [_read(path) for path in config.paths]
    if len(rows) == 1:
        units = [_gathered(rows[0], level, above) for level, above in _with_level_above(config.levels[:-1])]
        finest, above = _with_level_above(config.levels)[-1]
        return Boundaries(config.levels, (*units, _listed(rows[0], finest, above)))
    layers = zip(rows, _with_level_above(config.levels), strict=True)
    return Boundaries(config.levels, tuple(_listed(layer, level, above) for layer, (level, above) in layers))


def admin_units(config: BoundariesConfig, cells: CellsConfig, register: Path, base_cells: Sequence[str]) -> AdminUnits:
    """Return the units of a domain of base cells.

    A base cell belongs to the unit that holds most of its towers, ties going to the smaller p-code. That is decided
    once for each layer, and kept: a tower that is built later moves no base cell from one unit to another.

    Args:
        config: Where the boundaries are.
        cells: The operator's cell table.
        register: Where it is kept what was decided.
        base_cells: H3 names, sorted.

    Raises:
        ConfigError: The boundaries cannot be used.
        InputError: The cell table cannot be read, or a tower stands outside all units.
    """
    boundaries = read_boundaries(config)
    decided = _decided(boundaries, config, cells, register, base_cells)
    paths = [boundaries.above(decided[cell]) for cell in base_cells]
    of_cells = tuple(zip(*paths, strict=True))
    units = tuple(
        _published(level, every[code])
        for level, every, codes in zip(boundaries.levels, boundaries.units, of_cells, strict=True)
        for code in sorted(set(codes))
    )
    return AdminUnits(boundaries.levels, of_cells, units)


def units_of_base_cells(
    boundaries: Boundaries, cells: Iterable[Cell], base_cells: Iterable[str], *, snap_km: float
) -> dict[str, str]:
    """Return the finest unit of each base cell: the one that holds most of its towers; ties to the smaller p-code.

    A tower is a place where a cell stands or ever stood. A base cell that has none any more is judged by its centre.

    Raises:
        InputError: A tower stands outside all units.
    """
    wanted = sorted(set(base_cells))
    towers = _towers(cells, wanted)
    sites = [site for cell in wanted for site in towers[cell]]
    units = iter(boundaries.of_sites(sites, snap_km=snap_km))
    votes = {cell: Counter(next(units) for _ in towers[cell]) for cell in wanted}
    return {cell: min(count, key=lambda code: (-count[code], code)) for cell, count in votes.items()}


def _towers(cells: Iterable[Cell], base_cells: Sequence[str]) -> dict[str, list[Site]]:
    found: defaultdict[str, set[Site]] = defaultdict(set)
    resolution = int(h3.get_resolution(base_cells[0])) if base_cells else 0
    for cell in cells:
        found[cell.h3(resolution)].add((cell.longitude, cell.latitude))
    return {cell: sorted(found[cell]) or [_centre(cell)] for cell in base_cells}


def _centre(cell: str) -> Site:
    latitude, longitude = h3.cell_to_latlng(cell)
    return float(longitude), float(latitude)


def _decided(
    boundaries: Boundaries, config: BoundariesConfig, cells: CellsConfig, register: Path, base_cells: Sequence[str]
) -> dict[str, str]:
    """What the register says of base cells under this layer, after it was told of those that are new to it."""
    with alone_in(register.parent):  # two plans at once would each forget what the other decided
        layers: dict[str, dict[str, str]] = json.loads(register.read_bytes()) if register.exists() else {}
        known = layers.get(boundaries.layer_sha256, {})
        if new := set(base_cells) - known.keys():
            known |= units_of_base_cells(boundaries, read_cells(cells), new, snap_km=config.snap_km)
            write_json(register, {**layers, boundaries.layer_sha256: known})
        return known


def _published(level: int, unit: Unit) -> AdminUnit:
    polygons = [[_ring(ring, outer=n == 0) for n, ring in enumerate(polygon.rings)] for polygon in unit.polygons]
    return AdminUnit.drawn(unit.code, unit.name, level, polygons)


def _ring(ring: Sequence[Site], *, outer: bool) -> list[list[float]]:
    """The ring rounded, and turned as RFC 7946 asks (section 3.1.6): outer rings counterclockwise, holes clockwise."""
    corners = [[round(x, DECIMALS), round(y, DECIMALS)] for x, y in ring]
    area = sum((x_2 - x_1) * (y_1 + y_2 - 2 * ring[0][1]) for (x_1, y_1), (x_2, y_2) in pairwise(ring))
    return corners if (area < 0) == outer else corners[::-1]


def _inside(polygons: Sequence[Polygon], points: Points) -> npt.NDArray[np.bool_]:
    inside = np.zeros(len(points), dtype=np.bool_)
    for polygon in polygons:
        outer = np.array(polygon.rings[0])
        near = np.flatnonzero(np.all((points >= outer.min(axis=0)) & (points <= outer.max(axis=0)), axis=1))
        if len(near):
            inside[near] |= polygon.holds(points[near, 0], points[near, 1])
    return inside


def _km_to(polygons: Sequence[Polygon], point: Points) -> float:
    """Kilometres from a point outside to the nearest edge, on a plane that touches the globe there."""
    width = float(np.cos(np.radians(point[1])))
    return min(_km_to_ring(np.array(ring), point, width) for polygon in polygons for ring in polygon.rings)


def _km_to_ring(ring: Points, point: Points, width: float) -> float:
    east = (ring[:, 0] - point[0] + 180) % 360 - 180
    corners = np.column_stack([east * width, ring[:, 1] - point[1]]) * KM_PER_DEGREE
    start, along = corners[:-1], np.diff(corners, axis=0)
    length = np.maximum(np.sum(along**2, axis=1), 1e-12)
    share = np.clip(-np.sum(start * along, axis=1) / length, 0, 1)
    return float(np.hypot(*(start + share[:, None] * along).T).min())


def _refuse_strays(points: Points, km: npt.NDArray[np.float64], snap_km: float) -> None:
    if not (km > snap_km).any():
        return
    away = [f"{y:.5f}, {x:.5f} ({d:.0f} km)" for (x, y), d in zip(points, km, strict=True) if d > snap_km]
    more = ", ..." if len(away) > _MOST_NAMED else ""
    raise InputError(
        f"Towers stand outside all administrative units: at {'; '.join(away[:_MOST_NAMED])}{more}.",
        f"every tower in a unit, or within {snap_km:g} km of one",
        "correct the cell table or the boundaries, or raise [boundaries] snap_km",
    )


Row = tuple[Mapping[str, Any], tuple[Polygon, ...]]
"""Properties of a feature by lower-case name, and its polygons."""


def _read(path: Path) -> list[Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _refused(f"{path.name} cannot be read ({error.strerror})", "a GeoJSON file") from None
    except ValueError:
        raise _refused(f"{path.name} is no JSON in UTF-8", "a GeoJSON file") from None
    features = content.get("features") if isinstance(content, Mapping) else None
    if not isinstance(features, list) or not features:
        raise _refused(f"{path.name} is no collection of features", "a GeoJSON feature collection, a feature a unit")
    _require_wgs84(content, path)
    return [_row(feature, f"{path.name}, feature {number}") for number, feature in enumerate(features, start=1)]


def _require_wgs84(content: Mapping[str, Any], path: Path) -> None:
    try:
        polygons_in({**content, "features": []})
    except BrokenAreaError as error:
        raise _refused(f"{path.name}: {error}", "longitude and latitude in WGS 84, as RFC 7946 has them") from None


def _row(feature: object, where: str) -> Row:
    properties = feature.get("properties") if isinstance(feature, Mapping) else None
    if not isinstance(properties, Mapping):
        raise _refused(f"{where} has no properties", "the columns of COD-AB")
    try:
        polygons = polygons_in(feature)
    except BrokenAreaError as error:
        raise _refused(f"{where}: {error}", "polygons in longitude and latitude, WGS 84") from None
    if not polygons:
        raise _refused(f"{where} has no polygon", "a Polygon or a MultiPolygon")
    return {str(name).lower(): value for name, value in properties.items()}, polygons


def _with_level_above(levels: Sequence[int]) -> list[tuple[int, int | None]]:
    return list(zip(levels, [None, *levels], strict=False))


def _listed(rows: Sequence[Row], level: int, above: int | None) -> dict[str, Unit]:
    """The units of a layer, one a row."""
    units = [_unit(number, row, level, above) for number, row in enumerate(rows, start=1)]
    if twice := [code for code, n in Counter(unit.code for unit in units).items() if n > 1]:
        raise _refused(f"p-code {twice[0]} stands twice at level {level}", "one feature a unit")
    return {unit.code: unit for unit in units}


def _gathered(rows: Sequence[Row], level: int, above: int | None) -> dict[str, Unit]:
    """The units of a coarser level, each made of the finest units that bear its code."""
    parts: defaultdict[str, list[Unit]] = defaultdict(list)
    for number, row in enumerate(rows, start=1):
        unit = _unit(number, row, level, above)
        parts[unit.code].append(unit)
    return {code: _joined(found) for code, found in parts.items()}


def _joined(parts: Sequence[Unit]) -> Unit:
    first = parts[0]
    if odd := [unit for unit in parts if unit.parent != first.parent]:
        raise _refused(f"unit {first.code} has two parents, {first.parent} and {odd[0].parent}", "units that nest")
    return Unit(first.code, first.name, first.parent, tuple(polygon for unit in parts for polygon in unit.polygons))


def _unit(number: int, row: Row, level: int, above: int | None) -> Unit:
    properties, polygons = row
    code = _code(properties, level)
    if code is None:
        raise _refused(
            f"feature {number} has no p-code of level {level}",
            f"adm{level}_pcode or ADM{level}_PCODE: letters, digits, dots, dashes and underscores",
        )
    parent = None if above is None else _code(properties, above)
    return Unit(code, _name(properties, level) or code, parent, polygons)


def _code(properties: Mapping[str, Any], level: int) -> str | None:
    value = properties.get(f"adm{level}_pcode")
    text = str(value).strip() if isinstance(value, str | int) else ""
    return text if _CODE.fullmatch(text) else None


def _name(properties: Mapping[str, Any], level: int) -> str | None:
    """The unit's name: of the new layout `adm2_name`, of the old one in English, or in its first other language."""
    names = (properties.get(column) for column in _name_columns(properties, level))
    return next((name.strip() for name in names if isinstance(name, str) and name.strip()), None)


def _name_columns(properties: Mapping[str, Any], level: int) -> Iterator[str]:
    yield from (f"adm{level}_name", f"adm{level}_en")
    yield from sorted(column for column in properties if re.fullmatch(rf"adm{level}_[a-z]{{2}}", column))


def _refused(found: str, expected: str) -> ConfigError:
    return ConfigError(f"The boundaries are refused: {found}.", expected, "correct or export the files again")
