"""A layer as GeoJSON by RFC 7946, with what a reader must know beside its features."""

import json
from typing import Any

import pandas as pd
import shapely
from shapely.geometry import mapping

from jobs.publish.export.layers import Kind, Layer, base_layer, layers_of
from jobs.publish.export.notes import facts_of
from jobs.publish.export.source import Source
from jobs.publish.jsontext import json_bytes
from jobs.publish.zones import COORDINATE_DECIMALS


def geojson_files(source: Source) -> dict[str, bytes]:
    """Return one file a layer that draws something, by the rest of its name."""
    drawn = [layer for layer in layers_of(source) if layer.kind is not Kind.NOTHING]
    files = {
        f"{_rest(layer, source)}.geojson": _collection(layer.rows, layer.breakdown.title, source) for layer in drawn
    }
    return files | {"zones.geojson": _collection(base_layer(source), "All zones, without values", source)}


def _rest(layer: Layer, source: Source) -> str:
    """The layer's name without the product, which its file's name has; `flows` where that is all of it."""
    return layer.breakdown.name.removeprefix(source.card.product).lstrip("_") or "flows"


def _collection(rows: pd.DataFrame, title: str, source: Source) -> bytes:
    attributes = json.loads(
        rows.drop(columns="geometry").to_json(orient="records", double_precision=COORDINATE_DECIMALS)
    )
    shapes = _on_grid(rows)
    features = [
        {"type": "Feature", "properties": found, "geometry": mapping(drawn) if drawn else None}
        for found, drawn in zip(attributes, shapes, strict=True)
    ]
    return json_bytes(
        {"type": "FeatureCollection", "name": title, "metadata": facts_of(source), "features": features}, indent=None
    )


def _on_grid(rows: pd.DataFrame) -> list[Any]:
    """The geometries with coordinates of six decimals and outer rings anticlockwise; none where a row has none."""

    def rounded(coordinates: Any) -> Any:  # noqa: ANN401 - shapely hands over and takes back its own arrays
        return coordinates.round(COORDINATE_DECIMALS)

    return list(shapely.transform(shapely.orient_polygons(rows["geometry"].to_numpy()), rounded))
