"""The README of a folder of exports: what a reader must know, and what each file would be."""

from collections.abc import Iterable
from typing import Final

from jobs.publish.export.notes import facts_of
from jobs.publish.export.source import Source

README: Final = "README.md"

_FILES: Final = {
    "csv": {".csv": "the table, for a spreadsheet or a statistics package"},
    "parquet": {
        ".parquet": "the table with types, units and all of this text, for pandas, R, DuckDB",
        "_*.geo.parquet": "GeoParquet 1.1: each breakdown with its zones or lines, where the product has zones",
    },
    "gpkg": {".gpkg": "GeoPackage for QGIS, styled: each breakdown a layer, the zones, and this text as `metadata`"},
    "geojson": {"_*.geojson": "GeoJSON: each breakdown, and the zones"},
    "kmz": {".kmz": "Google Earth: a folder a period, in it one a kind"},
    "sdmx": {
        "_sdmx.csv": "SDMX-CSV 2.0",
        "_sdmx_structure.json": "its code lists and data structure definition, SDMX-JSON 2.0",
    },
    "flowmap": {
        "_locations.csv": "places, for flowmap.gl, Flowmap Blue, Kepler.gl",
        "_flows.csv": "flows between them: published rows alone, without residual rows and the remainder",
    },
    "dcat": {"_dcat.jsonld": "DCAT record for the catalogue of a portal"},
}
"""The files of each format, by the rest of their name."""

_HEAD: Final = """\
# {title}
{mark}
Made from {origin}, and nothing else. Check the bundle itself with `whimbrel verify`; these files carry no
signature.

"""

_MARK: Final = "\n**SYNTHETIC DATA: nobody lives here.**\n"


def readme_bytes(source: Source, formats: Iterable[str]) -> bytes:
    """Return the README, which is the same whichever formats were asked for.

    Args:
        source: What is exported.
        formats: All formats that can show it.
    """
    facts = facts_of(source)
    origin = "a bundle that was shared under an agreement" if source.sharing else "a published bundle"
    head = _HEAD.format(title=facts["title"], mark=_MARK if source.card.synthetic else "", origin=origin)
    told = "".join(f"- **{name.replace('_', ' ')}**: {text}\n" for name, text in facts.items() if name != "title")
    files = "".join(f"| `{rest}` | {what} |\n" for name in formats for rest, what in _FILES[name].items())
    table = f"\n## Files\n\nNames begin with `{source.stem}`; not all formats may have been asked for.\n\n"
    return f"{head}{told}{table}| Name ends in | What it is |\n|---|---|\n{files}".encode()
