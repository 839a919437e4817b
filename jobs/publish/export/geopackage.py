"""A bundle as one GeoPackage: a layer a breakdown, the zones, what a reader must know, and styles for QGIS.

Source: OGC 12-128r18 (GeoPackage 1.3); `layer_styles` as QGIS keeps styles in a database.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import geopandas as gpd
import pandas as pd
import pyogrio

from jobs.publish.export.layers import Kind, Layer, base_layer, layers_of
from jobs.publish.export.notes import facts_of
from jobs.publish.export.plain import unmarked
from jobs.publish.export.qgis_style import base_qml, layer_qml
from jobs.publish.export.source import Source

ZONES: Final = "zones"
METADATA: Final = "metadata"
STYLES: Final = "layer_styles"
"""Where QGIS looks for styles."""

_GEOMETRY: Final = {Kind.ZONES: "MultiPolygon", Kind.LINES: "MultiLineString"}


def gpkg_bytes(source: Source) -> bytes:
    """Return the GeoPackage of a bundle with zones.

    The layer of the metadata stands first, so that a reader who looks at the list meets it before any number.
    """
    layers = layers_of(source)
    with TemporaryDirectory() as folder, _dated(source):
        path = Path(folder) / "made.gpkg"
        facts = facts_of(source)
        notes = pd.DataFrame({"name": list(facts), "text": list(facts.values())})
        _write_table(path, METADATA, notes, "What a reader must know before using a number", source)
        for layer in layers:
            _write_layer(path, layer, source)
        told = _told(source, "All zones of the bundle, without values")
        _write_drawn(path, ZONES, base_layer(source), "MultiPolygon", told)
        styles = pd.DataFrame([*_styles(layers, source)])
        _write_table(path, STYLES, styles, "Styles for QGIS", source, fid="id")
        return path.read_bytes()


@contextmanager
def _dated(source: Source) -> Iterator[None]:
    """Have GDAL write the instant at which the release was sealed for the time of writing: equal bytes again."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _sealed_at(source)})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _sealed_at(source: Source) -> str:
    return f"{source.card.sealed_on}T00:00:00.000Z"


def _write_layer(path: Path, layer: Layer, source: Source) -> None:
    name, title = layer.breakdown.name, layer.breakdown.title
    if layer.kind is Kind.NOTHING:
        _write_table(path, name, layer.rows, title, source)
    else:
        _write_drawn(path, name, layer.rows, _GEOMETRY[layer.kind], _told(source, title))


def _write_drawn(path: Path, name: str, rows: gpd.GeoDataFrame, geometry: str, told: dict[str, str]) -> None:
    drawn = _projected(rows)
    pyogrio.write_dataframe(
        drawn, path, layer=name, driver="GPKG", geometry_type=geometry, append=True, layer_options=told
    )


def _projected(rows: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Name the projection as GeoPackage does, which stores longitude before latitude whatever its name says."""
    return rows.set_crs("EPSG:4326", allow_override=True)


def _write_table(path: Path, name: str, rows: pd.DataFrame, title: str, source: Source, *, fid: str = "fid") -> None:
    told = {**_told(source, title), "FID": fid}
    pyogrio.write_dataframe(rows, path, layer=name, driver="GPKG", append=path.exists(), layer_options=told)


def _told(source: Source, title: str) -> dict[str, str]:
    mark = "SYNTHETIC DATA: nobody lives here. " if source.card.synthetic else ""
    return {"DESCRIPTION": unmarked(f"{mark}{title}. {source.card.definition_id}; see the table {METADATA}.")}


def _styles(layers: list[Layer], source: Source) -> Iterator[dict[str, Any]]:
    for layer in layers:
        if layer.kind is not Kind.NOTHING:
            yield _style(layer.breakdown.name, layer_qml(layer), layer.breakdown.title, source)
    zones = base_layer(source)
    zoning = source.card.zoning.place(0).rpartition(" ")[0]
    yield _style(ZONES, base_qml(sorted(set(zones["level"])), zoning), "Zones", source)


def _style(layer: str, qml: str, title: str, source: Source) -> dict[str, Any]:
    return {
        "f_table_catalog": "", "f_table_schema": "", "f_table_name": layer, "f_geometry_column": "geom",
        "styleName": "values" if layer != ZONES else "outlines", "styleQML": qml, "styleSLD": "", "useAsDefault": True,
        "description": unmarked(title), "owner": "", "ui": "", "update_time": pd.Timestamp(source.card.sealed_on),
    }  # fmt: skip
