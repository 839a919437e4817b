"""Visitors and residents abroad as found against those planted: pure functions of tables."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import h3
import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from jobs.evaluation.findings import EXACT, Finding
from jobs.evaluation.scores import common_part_of_commuters, share_of
from privacy.bounding import Bounded
from privacy.marginals import RoamingCountries, RoamingPlan
from privacy.unit import Period
from schemas.countries import OTHER, countries
from schemas.errors import InputError

Rows = Mapping[tuple[str, ...], float]
"""Subscribers a day by what a row of a table says: zone where it has one, and country."""


def roaming_findings(plan: RoamingPlan, bounded: Bounded, folder: Path) -> Iterator[Finding]:
    """Compare each table's exact values with who was planted, by the zone of the dwelling's nearest tower.

    Whoever is planted for a day counts on it, seen or not: what is missing was not seen.

    Args:
        plan: What would be released.
        bounded: Its exact totals.
        folder: Folder of the synthetic country.

    Raises:
        InputError: The country was made without roamers.
    """
    for table in plan.product.tables:
        axes, totals = plan.exact(table, bounded)
        labels = [values for axis in axes for values in axis.columns.values()]
        found = {
            tuple(str(values[at]) for values, at in zip(labels, place, strict=True)): float(total) / plan.fixed_point
            for place, total in zip(np.ndindex(*map(len, labels)), totals.tolist(), strict=True)
        }
        name = "travellers" if "visited_country" in table.by else "visitors"
        true = planted(folder, name, plan.period, plan.countries, table.resolution)
        keys = sorted({*found, *true})
        estimate, truth = ([rows.get(key, 0.0) for key in keys] for rows in (found, true))
        of = f"{name} by {' and '.join(table.by).replace('_', ' ')}"
        yield Finding("subscribers a day found over planted", of, EXACT, share_of(sum(estimate), sum(truth)))
        yield Finding("common part with those planted", of, EXACT, common_part_of_commuters(estimate, truth))


def planted(folder: Path, name: str, period: Period, known: RoamingCountries, resolution: int | None = None) -> Rows:
    """Return the planted subscribers a day of a period, by country, and by zone where a resolution is given.

    Args:
        folder: Folder of the synthetic country.
        name: `visitors` or `travellers`.
        period: Whose days.
        known: The countries that rows are by.
        resolution: H3 resolution of the zones.

    Raises:
        InputError: There is no such table.
    """
    path = folder / f"truth/{name}.parquet"
    if not path.exists():
        raise InputError(
            f"There is no {path}.", "a synthetic country with roamers", "make one: whimbrel synth COUNTRY --roamers"
        )
    table = pq.read_table(path).to_pandas()
    first, last = (table[day].to_numpy("datetime64[D]") for day in ("first_day", "last_day"))
    begins, ends = np.datetime64(period.first_day, "D"), np.datetime64(period.last_day, "D")
    days = (np.minimum(last, ends) - np.maximum(first, begins)).astype(int) + 1
    rows = pd.DataFrame({"country": table["mcc"].map(_names(known)), "days": days.clip(min=0)})
    if resolution is not None:
        rows.insert(0, "zone", [h3.cell_to_parent(cell, resolution) for cell in table["tower_h3"]])
    summed = rows.groupby([*rows.columns[:-1]])["days"].sum() / period.n_days
    return {key if isinstance(key, tuple) else (key,): float(value) for key, value in summed.items()}


def _names(known: RoamingCountries) -> dict[str, str]:
    """What is said of the country of each mobile country code."""
    return {
        code: country.name if country.name in known.listed else OTHER
        for country in countries().values()
        for code in country.mobile_codes
    }
