"""`whimbrel indicators`: what demographers and emergency teams compute from releases, with intervals."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from jobs.publish.at_risk import at_risk, months_at_risk
from jobs.publish.drawn_zones import DrawnZones, drawn_zones
from jobs.publish.indicators.away import away_figures
from jobs.publish.indicators.changes import change_figures
from jobs.publish.indicators.definitions import CMI, DEFINITIONS
from jobs.publish.indicators.distances import distance_figures
from jobs.publish.indicators.figure import Figure, figures_csv
from jobs.publish.indicators.intensity import intensity_figures, residents_of
from jobs.publish.indicators.moves import moves_of
from jobs.publish.indicators.seasons import season_figures
from jobs.publish.indicators.series import series_of
from jobs.publish.jsontext import json_bytes
from jobs.publish.marks import marks_of, narrowest
from jobs.publish.plain_csv import notes_beside
from jobs.publish.released import Released, only
from privacy.durable import write_public
from schemas.errors import ConfigError

MOVES: Final = ("migration", "relocations")
"""Products of moves between homes."""


def write_indicators(bundles: Sequence[Released], out: Path, *, level: int | None = None) -> tuple[Path, Path]:
    """Write the indicators of bundles as CSV, and beside it a JSON file that says what each is; return both.

    Raises:
        ConfigError: The level is not one that the bundles have; or the table is to be a JSON file.
        BundleError: Bundles of displacement are of several events.
    """
    notes, zones = notes_beside(out), drawn_zones(bundles)
    figures = list(indicators_of(bundles, zones, level=level))
    write_public(notes, json_bytes(metadata(bundles, zones, figures)))
    write_public(out, figures_csv(figures, marks_of(bundles)))
    return out, notes


def indicators_of(bundles: Sequence[Released], zones: DrawnZones, *, level: int | None = None) -> Iterator[Figure]:
    """Yield every indicator that bundles allow, and the reason where one that they are about is not to be had.

    Args:
        bundles: Bundles over one layer of zones, each release once.
        zones: Their zones.
        level: Level of zones between which moves count; default: the coarsest.
    """
    for product in MOVES:
        for bundle in only(bundles, product):
            yield from _intensity(bundle, only(bundles, "residents"), zones, level)
    for bundle in bundles:
        if bundle.has_pairs:
            yield from distance_figures(bundle, zones)
    series = series_of(bundles, zones)
    yield from (figure for one in series for figure in season_figures(one))
    yield from (figure for one in series for figure in change_figures(one))
    if displaced := only(bundles, "displacement"):
        yield from away_figures(displaced)


def _intensity(bundle: Released, stocks: Sequence[Released], zones: DrawnZones, level: int | None) -> Iterable[Figure]:
    chosen = level if level is not None else min(bundle.card.resolutions)
    if chosen not in bundle.card.resolutions:
        raise ConfigError(
            f"{bundle.card.slug} has no rows at {zones.zoning.place(chosen)}.",
            f"one of {', '.join(map(str, sorted(bundle.card.resolutions)))}",
            "choose another --level",
        )
    blank = Figure(definition=CMI, product=bundle.product, period=bundle.card.period, level=chosen)
    beneath = at_risk(bundle, stocks)
    residents = residents_of(beneath, chosen) if beneath else {}
    if not residents:
        return [blank.told(f"no residents of {' or '.join(months_at_risk(bundle))} were given at this level")]
    return intensity_figures(moves_of(bundle, zones, chosen), residents, blank)


def metadata(bundles: Sequence[Released], zones: DrawnZones, figures: Iterable[Figure]) -> dict[str, object]:
    """Return what a reader of the table has to know: definitions, zoning, and the bundles that it follows from."""
    used = {figure.definition.id for figure in figures}
    stocks = only(bundles, "residents")
    divided = {
        one.card.slug: found.card.slug if (found := at_risk(one, stocks)) else None
        for product in MOVES
        for one in only(bundles, product)
    }
    return {
        "definitions": [one.facts for one in DEFINITIONS if one.id in used],
        "intervals": "95 %, for the noise of the releases; neither contribution bounds, sampling nor unseen movement",
        "residents_of": divided,
        "sensitivity": narrowest(bundles).text,
        "sources": [
            {"release": one.card.slug, "sensitivity": one.card.sensitivity.text, "sha256": one.report.sha256}
            for one in bundles
        ],
        "synthetic": bundles[0].card.synthetic,
        "zoning": {"kind": str(zones.zoning), "zones": {str(n): len(zones.parents[n]) for n in zones.levels}},
    }
