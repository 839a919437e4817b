"""`whimbrel compare`: our numbers beside those of others, with the differences, both dates and both definitions."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from jobs.publish.comparison_sources.ours import (
    MOVES,
    Number,
    Ours,
    Place,
    Places,
    away_at,
    level_of_pairs,
    moves_between,
    newly_away_from,
    places_of,
)
from jobs.publish.comparison_sources.theirs import (
    CENSUS,
    DTM,
    Theirs,
    nearest,
    read_census_moves,
    read_dtm,
    read_lookup,
    read_prmn,
)
from jobs.publish.drawn_zones import DrawnZones, drawn_zones
from jobs.publish.marks import MARKS, marks_of
from jobs.publish.plain_csv import Cell, csv_of
from jobs.publish.released import Released
from jobs.publish.situation.estimate import Estimate, total
from privacy.durable import write_public
from privacy.intervals import Z_95
from privacy.unit import Period
from schemas.errors import BundleError, ConfigError

COLUMNS: Final = (
    "source", "place", "place_to", "ours", "ours_sd", "ours_ci_low", "ours_ci_high", "theirs", "difference",
    "difference_ci_low", "difference_ci_high", "ratio", "ratio_ci_low", "ratio_ci_high", "ours_period", "theirs_date",
    "days_apart", "ours_measure", "ours_definition_id", "ours_release", "ours_sha256", "theirs_measure", "theirs_unit",
    "why_they_differ", "not_available_because", *MARKS,
)  # fmt: skip

EVERYWHERE: Final = "all places"
"""Name of the row that adds the others up."""

_WANTED: Final = {"dtm": ("displacement",), "prmn": ("displacement",), "census": ("migration", "relocations")}
"""Products that each source is compared with."""


def write_comparison(
    bundles: Sequence[Released],
    file: Path,
    out: Path,
    *,
    source: str,
    lookup: Path | None = None,
    round_number: str | None = None,
) -> Path:
    """Write our numbers beside those of a source.

    Args:
        bundles: Ours: of displacement after one event, or one of migration or relocations.
        file: Theirs.
        out: CSV file to write.
        source: dtm, prmn or census.
        lookup: Table of places of our zones.
        round_number: Round of a DTM table.

    Raises:
        BundleError: The bundles are of another product, or of several events.
        InputError, ConfigError: Their table cannot be used.
    """
    _require_products(bundles, source)
    zones, places = drawn_zones(bundles), read_lookup(lookup) if lookup else None
    if source == CENSUS.name:
        rows = _census(bundles, zones, read_census_moves(file), file.name)
    elif source == DTM.name:
        rows = _dtm(bundles, zones, read_dtm(file, round_number=round_number), places, file.name)
    else:
        rows = _prmn(bundles, zones, read_prmn(file), places, file.name)
    marks = marks_of(bundles)
    write_public(out, csv_of(COLUMNS, [row | marks for row in rows]))
    return out


def _dtm(
    bundles: Sequence[Released], zones: DrawnZones, theirs: Theirs, lookup: Mapping[str, str] | None, name: str
) -> Iterator[dict[str, Cell]]:
    days = [one.period.last_day for one in bundles]
    bundle = bundles[nearest(days, theirs.dated)]
    levels = bundle.rows.loc[bundle.rows["home"].isna(), "location_resolution"].dropna().astype(int)
    ours = away_at(bundle, places_of(_places(theirs), zones, lookup, levels, name))
    apart = (bundle.period.last_day - date.fromisoformat(theirs.dated)).days
    yield from _rows(theirs, ours, apart)


def _prmn(
    bundles: Sequence[Released],
    zones: DrawnZones,
    weeks: Sequence[Theirs],
    lookup: Mapping[str, str] | None,
    name: str,
) -> Iterator[dict[str, Cell]]:
    named = {place for week in weeks for place in _places(week)}
    rows = bundles[0].rows
    levels = rows.loc[rows["location"].isna(), "home_resolution"].dropna().astype(int)
    places: Places = places_of(named, zones, lookup, levels, name)
    for theirs in weeks:
        yield from _rows(theirs, newly_away_from(bundles, Period.parse(theirs.dated), places), 0)


def _census(bundles: Sequence[Released], zones: DrawnZones, theirs: Theirs, name: str) -> Iterator[dict[str, Cell]]:
    if len(bundles) > 1:
        slugs = ", ".join(one.card.slug for one in bundles)
        raise BundleError(f"Moves of several releases were given: {slugs}.", "one release", "compare one at a time")
    bundle = bundles[0]
    ours = moves_between(bundle, zones, level_of_pairs(theirs.counts, zones, bundle, name))
    apart = (bundle.period.last_day - date.fromisoformat(theirs.dated)).days if theirs.dated else None
    yield from _rows(theirs, ours, apart)


def _places(theirs: Theirs) -> list[str]:
    return [place for place, *_ in theirs.counts]


def _rows(theirs: Theirs, ours: Ours, apart: int | None) -> Iterator[dict[str, Cell]]:
    """A row for each place, and one for those together that both sides have."""
    found = {place: ours.of(place) for place in sorted(theirs.counts)}
    told: dict[str, Cell] = {
        "source": theirs.source.name, "ours_period": ours.period, "theirs_date": theirs.dated or None,
        "days_apart": apart, "ours_measure": ours.measure, "ours_definition_id": ours.definition_id,
        "ours_release": " ".join(one.card.slug for one in ours.sources),
        "ours_sha256": " ".join(one.report.sha256 for one in ours.sources),
        "theirs_measure": theirs.source.counts, "theirs_unit": theirs.source.unit,
        "why_they_differ": theirs.source.differs,
    }  # fmt: skip
    for place, number in found.items():
        yield told | _named(place) | _beside(number, theirs.counts[place])
    both = {place: number for place, number in found.items() if isinstance(number, Estimate)}
    if both and ours.measure != MOVES:
        yield told | {"place": EVERYWHERE} | _beside(total(both.values()), sum(theirs.counts[p] for p in both))


def _named(place: Place) -> dict[str, Cell]:
    return dict(zip(("place", "place_to"), place, strict=False))


def _beside(ours: Number, theirs: float) -> dict[str, Cell]:
    if isinstance(ours, str):
        return {"theirs": theirs, "not_available_because": ours}
    half = Z_95 * ours.sd
    difference = ours.value - theirs
    told: dict[str, Cell] = {
        "ours": ours.value, "ours_sd": ours.sd, "ours_ci_low": ours.ci_low, "ours_ci_high": ours.ci_high,
        "theirs": theirs, "difference": difference, "difference_ci_low": difference - half,
        "difference_ci_high": difference + half,
    }  # fmt: skip
    if not theirs:
        return told | {"not_available_because": "no ratio: theirs is zero"}
    ratios = (ours.value, ours.ci_low, ours.ci_high)
    return told | {
        name: one / theirs for name, one in zip(("ratio", "ratio_ci_low", "ratio_ci_high"), ratios, strict=True)
    }


def _require_products(bundles: Sequence[Released], source: str) -> None:
    if source not in _WANTED:
        raise ConfigError(f"There is no source {source!r}.", f"one of {', '.join(_WANTED)}", "choose one with --source")
    if strange := [one for one in bundles if one.product not in _WANTED[source]]:
        raise BundleError(
            f"{strange[0].card.slug} is nothing to compare with {source}.",
            f"bundles of {' or '.join(_WANTED[source])}",
            "leave it out",
        )
    if len(events := {one.card.event.id for one in bundles if one.card.event}) > 1:
        raise BundleError(f"The bundles are of the events {', '.join(sorted(events))}.", "one event", "take one")
