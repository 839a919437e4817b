"""`whimbrel sum`, `indicators`, `scale`, `representativeness` and `compare`: what readers do with bundles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jobs.console import ERR, OUT, steps
from schemas.errors import ConfigError

if TYPE_CHECKING:
    from privacy.approval import Trust
    from privacy.signing import PublicKey

KeyOption = Annotated[str | None, typer.Option(help="The publisher's public key, its line or its .pub file.")]
TrustOption = Annotated[Path | None, typer.Option(help="The operator's trust.toml, where it was handed out.")]
SourceName = Literal["dtm", "prmn", "census"]
BundleArgument = Annotated[Path, typer.Argument(help="A published bundle, folder or zip: verified first.")]
BundlesArgument = Annotated[list[Path], typer.Argument(help="Published bundles, folders or zips: verified first.")]


_TITLE = ("product", "period", "definition_id", "synthetic", "sensitivity")
"""Columns that a table of the terminal says once, above it."""

_IN_THE_FILE = ("may_also_hold_sd", "may_also_hold_rows")
"""Columns that a terminal has no room for."""


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    app.command("sum", epilog="Example:  whimbrel sum release/residents_2026-03_r1.zip --by parent --out sums.csv")(
        add_rows
    )
    app.command(epilog="Example:  whimbrel indicators release/*.zip --out indicators.csv")(indicators)
    app.command(
        epilog="Example:  whimbrel scale release/relocations_2026-04_r1.zip "
        "--residents release/residents_2026-03_r1.zip --census census.csv"
    )(scale)
    app.command(epilog="Example:  whimbrel representativeness release/residents_2026-03_r1.zip --census census.csv")(
        representativeness
    )
    app.command(
        epilog="Example:  whimbrel compare release/displacement_*.zip --with dtm.csv --source dtm --lookup places.csv"
    )(compare)


def add_rows(
    bundle: BundleArgument,
    *,
    zones: Annotated[str | None, typer.Option(help="Zones to add up together, with commas.")] = None,
    by: Annotated[str | None, typer.Option(help="Add finer rows up to this level: `parent`, or its number.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Only rows with this label, such as sex=female; may be repeated.")
    ] = None,
    over: Annotated[
        list[str] | None, typer.Option(help="Add these labels up too, such as age_band; may be repeated.")
    ] = None,
    column: Annotated[str | None, typer.Option(help="Of displacement: home or location.")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write; default: show a table.")] = None,
    key: KeyOption = None,
    trust: TrustOption = None,
) -> None:
    """Add released rows up with the error that their sum has; never rows of two breakdowns."""
    from jobs.publish.adding.asked import Asked
    from jobs.publish.adding.run import level_named, sums_csv, sums_of, write_sums
    from jobs.publish.released import one_released

    if zones and by:
        raise ConfigError("Both --zones and --by are given.", "one of them", "leave one out")
    publisher, trusted = _keys(key, trust)
    found = one_released(bundle, key=publisher, trust=trusted)
    asked = Asked(
        zones=_listed(zones),
        level=level_named(by, found) if by else None,
        where=dict(_label(text) for text in where or ()),
        over=tuple(over or ()),
        column=column,
    )
    sums = sums_of(found, asked)
    if out:
        write_sums(found, sums, out)
        OUT.print(out, soft_wrap=True)
    else:
        _show(sums_csv(found, sums))
    for note in sums.notes:
        ERR.print(note, markup=False, highlight=False, soft_wrap=True)


def indicators(
    bundles: BundlesArgument,
    out: Annotated[Path, typer.Option(help="CSV file to write; definitions go into a .json beside it.")] = Path(
        "indicators.csv"
    ),
    level: Annotated[
        int | None, typer.Option(min=0, max=15, help="Level of zones between which moves count; default: the coarsest.")
    ] = None,
    key: KeyOption = None,
    trust: TrustOption = None,
) -> None:
    """Compute intensities, rates, distances, seasons, changes and returns from releases, each with its interval."""
    from jobs.publish.indicators.run import write_indicators
    from jobs.publish.released import read_released

    publisher, trusted = _keys(key, trust)
    with steps() as progress:
        progress(f"verifying {len(bundles)} bundles")
        found = read_released(bundles, key=publisher, trust=trusted)
        progress("computing indicators")
        files = write_indicators(found, out, level=level)
    OUT.print(*files, sep="\n", soft_wrap=True)


CensusOption = Annotated[
    Path | None, typer.Option(help="CSV of people: zone, population; population_sd and date where known.")
]
RasterOption = Annotated[Path | None, typer.Option(help="GeoTIFF of people a pixel, in any projection.")]


def scale(
    bundle: BundleArgument,
    residents: Annotated[Path, typer.Option(help="The operator's bundle of residents that weights are taken from.")],
    *,
    census: CensusOption = None,
    raster: RasterOption = None,
    national: Annotated[bool, typer.Option("--national", help="One weight for everybody, not one a zone.")] = False,
    market_share: Annotated[
        float | None, typer.Option(help="Of the operator, 0 to 1: written down for readers.")
    ] = None,
    coverage: Annotated[float | None, typer.Option(help="Share of people its network reaches: the same.")] = None,
    out: Annotated[Path, typer.Option(help="CSV file to write; how it was done goes into a .json beside it.")] = Path(
        "people.csv"
    ),
    key: KeyOption = None,
    trust: TrustOption = None,
) -> None:
    """From phones to people: scale one operator's release to a census or a raster, with the error of that."""
    from jobs.publish.drawn_zones import drawn_zones
    from jobs.publish.released import one_released, require_alike
    from jobs.publish.scaling.run import Stated, month_notes, population_of, write_scaled

    publisher, trusted = _keys(key, trust)
    stated = Stated(market_share, coverage)
    with steps() as progress:
        progress("verifying the bundles")
        found, stock = (one_released(path, key=publisher, trust=trusted) for path in (bundle, residents))
        require_alike([found, stock], trusted=trusted is not None)
        progress("adding up people")
        zones = drawn_zones([found, stock])
        population = population_of(zones, stock.card.resolutions, census=census, raster=raster)
        progress("scaling rows")
        files = write_scaled(found, stock, population, out, national=national, stated=stated)
    OUT.print(*files, sep="\n", soft_wrap=True)
    for note in (*month_notes(found, stock), *population.notes):
        ERR.print(note, markup=False, highlight=False, soft_wrap=True)


def representativeness(
    bundle: BundleArgument,
    census: CensusOption = None,
    raster: RasterOption = None,
    out: Annotated[Path, typer.Option(help="Folder for a page and a table.")] = Path("representativeness"),
    key: KeyOption = None,
    trust: TrustOption = None,
) -> None:
    """Show how many of the people of each zone are subscribers: residents, or active subscribers, beside a census."""
    from jobs.publish.drawn_zones import drawn_zones
    from jobs.publish.released import one_released
    from jobs.publish.scaling.page import write_representativeness
    from jobs.publish.scaling.run import population_of

    publisher, trusted = _keys(key, trust)
    with steps() as progress:
        progress("verifying the bundle")
        found = one_released(bundle, key=publisher, trust=trusted)
        progress("adding up people")
        zones = drawn_zones([found])
        population = population_of(zones, found.card.resolutions, census=census, raster=raster)
        progress("drawing the page")
        files = write_representativeness(found, population, zones, out)
    OUT.print(*files, sep="\n", soft_wrap=True)
    for note in population.notes:
        ERR.print(note, markup=False, highlight=False, soft_wrap=True)


def compare(
    bundles: BundlesArgument,
    with_file: Annotated[Path, typer.Option("--with", help="Their table, CSV.")],
    source: Annotated[SourceName, typer.Option(help="Whose it is: DTM, PRMN, or moves of a census.")],
    *,
    lookup: Annotated[Path | None, typer.Option(help="CSV of zone and place: which zones make up a place.")] = None,
    round_number: Annotated[str | None, typer.Option("--round", help="Round of a DTM table that has several.")] = None,
    out: Annotated[Path, typer.Option(help="CSV file to write.")] = Path("comparison.csv"),
    key: KeyOption = None,
    trust: TrustOption = None,
) -> None:
    """Set released numbers beside what others counted: differences, ratios, both dates and both definitions."""
    from jobs.publish.comparison_sources.run import write_comparison
    from jobs.publish.released import read_released

    publisher, trusted = _keys(key, trust)
    with steps() as progress:
        progress("verifying the bundles")
        found = read_released(bundles, key=publisher, trust=trusted)
        progress("comparing")
        file = write_comparison(found, with_file, out, source=source, lookup=lookup, round_number=round_number)
    OUT.print(file, soft_wrap=True)


def _keys(key: str | None, trust: Path | None) -> "tuple[PublicKey | None, Trust | None]":
    from jobs.keys import read_public_key
    from privacy.approval import Trust

    return read_public_key(key) if key else None, Trust.load(trust) if trust else None


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _label(text: str) -> tuple[str, str]:
    name, found, label = text.partition("=")
    if not found:
        raise ConfigError(f"{text!r} names no label.", "COLUMN=LABEL", "write it as sex=female")
    return name.strip(), label.strip()


def _show(content: bytes) -> None:
    """Show a CSV text as a table of the terminal: numbers to one decimal, and what is the same in all rows once."""
    import csv

    from rich.table import Table
    from rich.text import Text

    header, *rows = csv.reader(content.decode().splitlines())
    same = [n for n in range(len(header)) if rows and len({row[n] for row in rows}) == 1 and header[n] in _TITLE]
    said = [_said(header[n], rows[0][n]) for n in same]
    table = Table(title=Text(", ".join(filter(None, said))) if rows else None)
    shown = [n for n in range(len(header)) if n not in same and header[n] not in _IN_THE_FILE]
    for n in shown:
        table.add_column(header[n], justify="right" if any(_is_number(row[n]) for row in rows) else "left")
    for row in rows:
        table.add_row(*(Text(_short(row[n]), overflow="fold") for n in shown))
    OUT.print(table)


def _said(name: str, cell: str) -> str:
    """A cell as the title says it: what is synthetic is called so."""
    return cell if name != "synthetic" else {"true": "synthetic"}.get(cell, "")


def _is_number(cell: str) -> bool:
    return bool(cell) and cell.lstrip("-").replace(".", "", 1).isdecimal()


def _short(cell: str) -> str:
    return f"{float(cell):,.1f}" if _is_number(cell) and "." in cell else cell
