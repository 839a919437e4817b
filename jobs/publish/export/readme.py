"""The README of a folder of exports: what a reader must know, and what each file would be."""

from typing import Final

from jobs.publish.export.notes import facts_of
from jobs.publish.export.source import Source

README: Final = "README.md"

_FILES: Final = (
    (".csv", "the table, for a spreadsheet or a statistics package"),
    (".parquet", "the table with types, units and all of this text, for pandas, R, DuckDB"),
    ("_*.geo.parquet", "GeoParquet 1.1: each breakdown with its zones or lines"),
    (".gpkg", "GeoPackage for QGIS, styled: each breakdown a layer, the zones, and this text as the table `metadata`"),
    ("_*.geojson", "GeoJSON: each breakdown, and the zones"),
    (".kmz", "Google Earth: a folder a period, in it one a kind"),
    ("_sdmx.csv, _sdmx_structure.json", "SDMX-CSV 2.0 and its structure (SDMX-JSON 2.0)"),
    ("_locations.csv, _flows.csv", "flowmap.gl, Flowmap Blue, Kepler.gl: published flows alone"),
    ("_dcat.jsonld", "DCAT record for the catalogue of a portal"),
)
"""What may stand beside it, by the rest of its name."""

_HEAD: Final = """\
# {title}
{mark}
Made from a published bundle, and nothing else. Check the bundle itself with `whimbrel verify`; these files carry no
signature.

"""

_MARK: Final = "\n**SYNTHETIC DATA: nobody lives here.**\n"


def readme_bytes(source: Source) -> bytes:
    """Return the README, which is the same whichever formats were asked for."""
    facts = facts_of(source)
    head = _HEAD.format(title=facts["title"], mark=_MARK if source.card.synthetic else "")
    told = "".join(f"- **{name.replace('_', ' ')}**: {text}\n" for name, text in facts.items() if name != "title")
    files = "".join(f"| `{rest}` | {what} |\n" for rest, what in _FILES)
    table = f"\n## Files\n\nNames begin with `{source.stem}`; not all formats may have been asked for.\n\n"
    return f"{head}{told}{table}| Name ends in | What it is |\n|---|---|\n{files}".encode()
