"""`whimbrel export`: published bundles in the formats that other programs read."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jobs.console import OUT, steps


class FormatName(StrEnum):
    """The names of `jobs.publish.export.formats`, which takes seconds to import."""

    CSV = "csv"
    PARQUET = "parquet"
    GPKG = "gpkg"
    GEOJSON = "geojson"
    KMZ = "kmz"
    SDMX = "sdmx"
    FLOWMAP = "flowmap"
    DCAT = "dcat"
    ALL = "all"


FormatOption = Annotated[
    list[FormatName] | None, typer.Option("--format", help="Repeat it; all: those that can show the bundle.")
]


def export(
    bundles: Annotated[list[Path], typer.Argument(help="Published bundles, folders or zips.")],
    formats: FormatOption = None,
    out: Annotated[Path, typer.Option(help="Folder; each bundle gets one of its own in it.")] = Path("formats"),
    areas: Annotated[
        Path | None, typer.Option(help="CSV of zone, area, weight, source: rows by area instead of by zone.")
    ] = None,
    hxl: Annotated[bool, typer.Option("--hxl", help="Put a row of HXL tags below the header of the CSV.")] = False,
    key: Annotated[str | None, typer.Option(help="The publisher's public key, its line or its .pub file.")] = None,
    trust: Annotated[Path | None, typer.Option(help="The operator's trust.toml, where it was handed out.")] = None,
) -> None:
    """Write a published bundle for spreadsheets, QGIS, Google Earth, SDMX, flow maps; needs no operator."""
    from jobs.keys import read_public_key
    from jobs.publish.export.areas import apportioned, read_weights
    from jobs.publish.export.run import write_exports
    from jobs.publish.export.source import read_source
    from privacy.approval import Trust

    known = read_public_key(key) if key else None
    trusted = Trust.load(trust) if trust else None
    weights = read_weights(areas) if areas else None
    written: list[Path] = []
    with steps() as progress:
        for bundle in bundles:
            progress(f"verifying {bundle.name}")
            source = read_source(bundle, key=known, trust=trusted)
            progress(f"writing {source.slug}")
            written += write_exports(
                apportioned(source, weights) if weights else source, formats or [FormatName.ALL], out, hxl=hxl
            )
    OUT.print(*written, sep="\n", soft_wrap=True, markup=False, highlight=False)


def require_formats(product: str, formats: list[FormatName]) -> None:
    """Refuse formats that cannot show a product, before anything is published.

    Raises:
        ConfigError: One of them cannot.
    """
    if formats:
        from jobs.publish.export.formats import formats_asked

        formats_asked(product, formats)


def export_published(folder: Path, formats: list[FormatName]) -> list[Path]:
    """Write the exports of a bundle that was just published into `formats/` beside it."""
    from jobs.publish.export.run import FOLDER, write_exports
    from jobs.publish.export.source import read_source

    return write_exports(read_source(folder), formats, folder.parent / FOLDER) if formats else []
