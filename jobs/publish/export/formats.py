"""The formats: what each holds, for whom, and which products it can show."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jobs.publish.export.dcat import dcat_bytes
from jobs.publish.export.flowmap import flowmap_files
from jobs.publish.export.geojson import geojson_files
from jobs.publish.export.geopackage import gpkg_bytes
from jobs.publish.export.kmz import kmz_bytes
from jobs.publish.export.layers import Kind, layers_of
from jobs.publish.export.readme import README, readme_bytes
from jobs.publish.export.sdmx import sdmx_files
from jobs.publish.export.source import Source
from jobs.publish.export.tabular import csv_bytes, geoparquet_bytes, parquet_bytes
from jobs.publish.forms import form_of
from schemas.errors import ConfigError

Files = Mapping[str, bytes]
"""Files by the rest of their name, which the stem of the export stands before."""

ALL: Final = "all"
"""Every format that can show a product."""

DCAT: Final = "dcat"
"""Made last: it lists the other files."""


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        make: Returns its files.
        needs_zones: Whether it draws zones.
        needs_flows: Whether it draws flows between them, which stocks by pair of zones are not.
    """

    make: Callable[[Source], Files]
    needs_zones: bool = False
    needs_flows: bool = False

    def lacks(self, product: str, *, by_areas: bool = False) -> str:
        """Say what the bundles of a product lack to be shown so; nothing where they lack nothing."""
        form = form_of(product)
        if self.needs_flows and not form.has_map:
            return "flows from a zone to a zone"
        if self.needs_zones and not form.has_zones:
            return "zones to draw"
        return "outlines: weights have none" if self.needs_zones and by_areas else ""


def _parquet(source: Source) -> dict[str, bytes]:
    files = {".parquet": parquet_bytes(source)}
    if source.zones is not None:
        product = source.card.product
        for layer in layers_of(source):
            if layer.kind is not Kind.NOTHING:
                rest = layer.breakdown.name.removeprefix(product) or "_flows"
                files[f"{rest}.geo.parquet"] = geoparquet_bytes(layer, source)
    return files


def _underscored(files: Files) -> Files:
    return {f"_{name}": content for name, content in files.items()}


FORMATS: Final[Mapping[str, Format]] = {
    "csv": Format(lambda source: {".csv": csv_bytes(source)}),
    "parquet": Format(_parquet),
    "gpkg": Format(lambda source: {".gpkg": gpkg_bytes(source)}, needs_zones=True),
    "geojson": Format(lambda source: _underscored(geojson_files(source)), needs_zones=True),
    "kmz": Format(lambda source: {".kmz": kmz_bytes(source)}, needs_zones=True),
    "sdmx": Format(lambda source: _underscored(sdmx_files(source))),
    "flowmap": Format(lambda source: _underscored(flowmap_files(source)), needs_zones=True, needs_flows=True),
    DCAT: Format(lambda _: {}),
}


def formats_asked(product: str, names: Sequence[str], *, by_areas: bool = False) -> list[str]:
    """Return the formats asked for, in the order of `FORMATS`; of `all`, those that can show the product.

    Raises:
        ConfigError: One that was named cannot.
    """
    able = [name for name, one in FORMATS.items() if not one.lacks(product, by_areas=by_areas)]
    for name in names:
        if name != ALL and name not in able:
            lacking = FORMATS[name].lacks(product, by_areas=by_areas)
            raise ConfigError(
                f"{name} cannot show {product}, which has no {lacking}.",
                f"one of {', '.join(able)}",
                f"leave it out, or use --format {ALL} for those that can",
            )
    return able if ALL in names else [name for name in able if name in names]


def export_files(source: Source, names: Sequence[str], *, hxl: bool = False) -> dict[str, bytes]:
    """Return every file of an export by name: a pure function of the bundle and what was asked for.

    Raises:
        ConfigError: A format that was named cannot show the bundle.
        BundleError: The bundle's zones cannot be drawn.
    """
    able, asked = (formats_asked(source.card.product, some, by_areas=bool(source.by_areas)) for some in ([ALL], names))
    made = {f"{source.stem}{rest}": content for name in asked for rest, content in FORMATS[name].make(source).items()}
    if hxl and "csv" in asked:
        made[f"{source.stem}.csv"] = csv_bytes(source, hxl=True)
    if DCAT in asked:
        made[f"{source.stem}_dcat.jsonld"] = dcat_bytes(source, made)
    return {README: readme_bytes(source, able)} | made
