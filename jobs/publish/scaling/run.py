"""`whimbrel scale`: a release in people instead of subscribers, with what the step costs in certainty."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from jobs.publish.at_risk import months_at_risk
from jobs.publish.drawn_zones import DrawnZones, drawn_zones
from jobs.publish.indicators.intensity import estimates_of
from jobs.publish.jsontext import json_bytes
from jobs.publish.marks import marks_of, narrowest
from jobs.publish.plain_csv import csv_of, notes_beside
from jobs.publish.released import Released
from jobs.publish.scaling.census import People, Population, read_census
from jobs.publish.scaling.raster import read_raster
from jobs.publish.scaling.rows import Weights, columns_of, scaled_rows
from jobs.publish.scaling.weights import Weight, weight, weight_of
from jobs.publish.situation.estimate import Estimate, total
from privacy.durable import write_public
from schemas.errors import ConfigError
from schemas.published import ALL

DEFINITION_ID: Final = "people/1"

METHOD: Final = (
    "people = weight x value; weight = population of the zone of residence / released residents of it. sd^2 = noise^2 "
    "+ weight^2 + sampling^2: noise from the row, weight from the noise of the residents and the error of the "
    "population, sampling = people (weight - 1) as if each person were a subscriber by chance"
)
CAUTION: Final = (
    "Holds as far as subscribers move like those who are none. Neither contribution bounds nor that assumption are in "
    "the interval. Never add the people of several operators: many have SIM cards of two."
)


@dataclass(frozen=True)
class Stated:
    """What is stated of the operator, for readers: it is written down beside the weights, and changes no number.

    Args:
        market_share: Share of the country's SIM cards, 0 to 1.
        coverage: Share of the population that its network reaches, 0 to 1.
    """

    market_share: float | None = None
    coverage: float | None = None

    def __post_init__(self) -> None:
        for name, share in (("market share", self.market_share), ("coverage", self.coverage)):
            if share is not None and not 0 < share <= 1:
                raise ConfigError(f"A {name} of {share:g} is stated.", "above 0, and 1 at most", "write 35 % as 0.35")


def population_of(
    zones: DrawnZones, levels: Iterable[int], *, census: Path | None = None, raster: Path | None = None
) -> Population:
    """Read the people of zones from the one source that is given.

    Raises:
        ConfigError: None is given, or both are.
    """
    if (census is None) == (raster is None):
        raise ConfigError("No or two sources of population are given.", "--census or --raster", "give one of them")
    return read_census(census, zones) if census else read_raster(_given(raster), zones, levels)


def write_scaled(
    bundle: Released, residents: Released, population: Population, out: Path, *, national: bool, stated: Stated
) -> tuple[Path, Path]:
    """Write a release scaled to people as CSV, and beside it a JSON file that says how; return both.

    Args:
        bundle: What is scaled.
        residents: Residents of the same operator over the same zones.
        population: People by zone.
        out: The CSV file.
        national: One weight for everybody.
        stated: What is stated of the operator.

    Raises:
        ConfigError: The weights would be taken from another product; the release is not scaled; or the table is to be a
            JSON file.
    """
    notes = notes_beside(out)
    _require_residents(residents)
    stock = stock_of(residents)
    levels = sorted(stock)
    by_zone = {zone: weight_of(zone, population, stock[level]) for level in levels for zone in stock[level]}
    country = national_weight(population, stock[levels[0]])
    weights = Weights(by_zone, country if national else None)
    rows = list(scaled_rows(bundle, weights))
    told = {"scaling_definition_id": DEFINITION_ID, **marks_of((bundle, residents))}
    table = csv_of([*columns_of(bundle), *told], (row | told for row in rows))
    write_public(notes, json_bytes(_metadata(bundle, residents, population, country, national, stated)))
    write_public(out, table)
    return out, notes


def month_notes(bundle: Released, residents: Released) -> tuple[str, ...]:
    """Say so where weights are of another month than the one in which a release's people lived where it says."""
    months, period = months_at_risk(bundle), residents.card.period
    if period in months:
        return ()
    return (
        f"Weights are of residents of {period}, and homes in {bundle.card.slug} are of {' or '.join(months)}: who is a "
        "customer where may have changed in between. Take residents of that month, or say so beside the numbers.",
    )


def stock_of(residents: Released) -> dict[int, dict[str, Estimate]]:
    """Return residents, or active subscribers, of each zone, by level; all sexes and ages.

    Raises:
        ConfigError: It is another product.
    """
    if residents.product not in ("residents", "active_subscribers"):
        raise ConfigError(
            f"{residents.card.slug} counts nobody by zone.", "a bundle of residents or active_subscribers", "name one"
        )
    rows = residents.rows[residents.rows["zone"].notna()]
    for column in ("sex", "age_band"):
        rows = rows[rows[column] == ALL] if column in rows.columns else rows
    return {int(level): estimates_of(group) for level, group in rows.groupby("resolution", sort=True)}


def national_weight(population: Population, residents: Mapping[str, Estimate]) -> Weight | str:
    """Return people over residents of all zones of a level that have both."""
    both = sorted(zone for zone in residents if zone in population.people)
    people = [population.people[zone] for zone in both]
    together = People(sum(one.count for one in people), float(pd.Series([p.sd for p in people]).pow(2).sum() ** 0.5))
    return weight(together, total(residents[zone] for zone in both))


def _given(path: Path | None) -> Path:
    if path is None:
        raise ConfigError("No raster is given.", "a file", "give --raster")
    return path


def _require_residents(residents: Released) -> None:
    if residents.product != "residents":
        raise ConfigError(
            f"{residents.card.slug} does not say who lives where: weights are people per resident.",
            "a bundle of residents",
            "name one with --residents",
        )


def _metadata(
    bundle: Released, residents: Released, population: Population, country: Weight | str, national: bool, stated: Stated
) -> dict[str, object]:
    found = None if isinstance(country, str) else {"people_per_resident": country.value, "sd": country.sd}
    return {
        "caution": CAUTION,
        "definition_id": DEFINITION_ID,
        "method": METHOD,
        "national_weight": found,
        "notes": month_notes(bundle, residents),
        "one_weight_for_everybody": national,
        "population": {"source": population.source, "dates": population.dates, "notes": population.notes},
        "sensitivity": narrowest((bundle, residents)).text,
        "sources": [_source(one) for one in (bundle, residents)],
        "stated": {"market_share": stated.market_share, "coverage": stated.coverage},
        "synthetic": bundle.card.synthetic,
        "zoning": str(drawn_zones([bundle]).zoning),
    }


def _source(one: Released) -> dict[str, str]:
    return {
        "release": one.card.slug,
        "period": one.card.period,
        "sensitivity": one.card.sensitivity.text,
        "sha256": one.report.sha256,
    }
