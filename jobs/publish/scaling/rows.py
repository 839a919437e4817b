"""Every row of a release, scaled by the weight of the zone in which its people live; or why it is not."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from jobs.publish.plain_csv import Cell
from jobs.publish.released import Released
from jobs.publish.scaling.weights import Weight, scaled
from jobs.publish.situation.estimate import Estimate
from schemas.errors import ConfigError

HOMES: Final = {"relocations": "origin", "migration": "origin", "home_visits": "origin", "displacement": "home"}
"""Products whose rows say where their people live, and the column that does."""

NO_HOME: Final = "the row does not say where its people live"

FOR_THEMSELVES: Final = frozenset({"residents", "churn"})
"""Products that are no people of a home scaled up: residents would give the census back, and churn is of SIM cards."""

NUMBERS: Final = (
    "weight", "weight_relative_sd", "people", "people_noise_sd", "people_weight_sd", "people_sampling_sd", "people_sd",
    "people_ci_low", "people_ci_high", "not_scaled_because",
)  # fmt: skip
"""Columns that scaling adds to those of the release."""

_LEFT_OUT: Final = ("quality",)
"""Columns of a release that say nothing of people."""


@dataclass(frozen=True)
class Weights:
    """The weights of a country.

    Args:
        by_zone: Weight of each zone, or why it has none.
        national: One weight for everybody; nothing: each row has that of its zone.
    """

    by_zone: Mapping[str, Weight | str]
    national: Weight | str | None = None

    def of(self, zone: str | None) -> Weight | str:
        """Return the weight of people who live in a zone."""
        if self.national is not None:
            return self.national
        return NO_HOME if zone is None else self.by_zone.get(zone, "the zone has no weight")


def columns_of(bundle: Released) -> list[str]:
    """Return the columns of a scaled table: those of the release, and `NUMBERS`."""
    return [*(name for name in bundle.rows.columns if name not in _LEFT_OUT), *NUMBERS]


def scaled_rows(bundle: Released, weights: Weights) -> Iterator[dict[str, Cell]]:
    """Yield the rows of a release with the people that they stand for.

    Raises:
        ConfigError: The product does not say where its people live and no national weight is used, or is not scaled
            at all.
    """
    _require_homes(bundle, weights)
    home = HOMES.get(bundle.product)
    for row in bundle.rows.to_dict("records"):
        told = {str(name): _cell(cell) for name, cell in row.items()}
        zone = told[home] if home else None
        yield told | _numbers(weights.of(zone if isinstance(zone, str) else None), row)


def _numbers(by: Weight | str, row: Mapping[Any, Any]) -> dict[str, Cell]:
    if isinstance(by, str):
        return {"not_scaled_because": by}
    found = scaled(Estimate(float(row["value"]), float(row["noise_sd"])), by)
    return {
        "weight": by.value,
        "weight_relative_sd": by.sd / by.value if by.value else None,
        "people": found.value,
        "people_noise_sd": found.noise_sd,
        "people_weight_sd": found.weight_sd,
        "people_sampling_sd": found.sampling_sd,
        "people_sd": found.sd,
        "people_ci_low": found.ci_low,
        "people_ci_high": found.ci_high,
    }


def _cell(cell: object) -> Cell:
    """A cell of a published table as plain Python; nothing where it is missing."""
    plain = cell.item() if isinstance(cell, np.generic) else cell
    return plain if isinstance(plain, str | bool | int | float) and not pd.isna(plain) else None


def _require_homes(bundle: Released, weights: Weights) -> None:
    if bundle.product in FOR_THEMSELVES:
        raise ConfigError(
            f"{bundle.product} is not scaled: residents times people per resident is the census itself, and SIM cards "
            "that came or went are no people.",
            "a release of what residents do",
            "see `whimbrel representativeness` for residents beside a census",
        )
    if bundle.product not in HOMES and weights.national is None:
        raise ConfigError(
            f"Rows of {bundle.product} say where people are seen, not where they live, so no zone's weight is theirs.",
            f"a release of {', '.join(sorted(HOMES))}",
            "add --national for one weight for everybody, and say so where you use it",
        )
