"""Registrants: sex and age band of whom each SIM is registered to, as far as the operator holds them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from jobs.synth.randomness import Ints, draw_by_weight, stream
from schemas.errors import ConfigError

SEXES: Final = ("female", "male")
AGE_BANDS: Final = ("0-14", "15-24", "25-34", "35-44", "45-54", "55-64", "65+")
"""Values of `[strata]` in the shipped policy, letter by letter."""

NOT_AVAILABLE: Final = "not available"
"""What the truth, as every table of ours, says where the operator holds nothing."""

NOT_HELD: Final = -1
"""Index of a value that the operator does not hold."""

STUDENT_AGE: Final = AGE_BANDS.index("15-24")

_SEX_WEIGHTS: Final = np.array([0.44, 0.56])
"""More SIMs are registered to men than to women, as in most countries where mobile money came with registration."""

_AGE_WEIGHTS: Final = np.array([0.02, 0.24, 0.27, 0.19, 0.13, 0.09, 0.06])
"""A young country; few children have a SIM of their own."""

_NO_SEX: Final = 0.06
_NO_AGE: Final = 0.08
"""Shares of SIMs whose registration lacks it; half of those without sex lack the age as well."""


@dataclass(frozen=True)
class Registrants:
    """One entry a subscriber in both columns.

    Args:
        sex: Index into SEXES, or NOT_HELD.
        age_band: Index into AGE_BANDS, or NOT_HELD.
    """

    sex: Ints
    age_band: Ints

    def __post_init__(self) -> None:
        if len(self.sex) != len(self.age_band):
            raise ConfigError("Registrants whose columns have different lengths.")


def build_registrants(seed: int, subscribers: int) -> Registrants:
    """Return the registrants of a country's SIMs; drawn apart from all else, so that nothing else depends on them."""
    rng = stream(seed, "registrants")
    sex, age = draw_by_weight(rng, _SEX_WEIGHTS, subscribers), draw_by_weight(rng, _AGE_WEIGHTS, subscribers)
    no_sex = rng.random(subscribers) < _NO_SEX
    neither = no_sex & (rng.random(subscribers) < 0.5)
    no_age = neither | (rng.random(subscribers) < _NO_AGE - _NO_SEX / 2)
    return Registrants(np.where(no_sex, NOT_HELD, sex), np.where(no_age, NOT_HELD, age))
