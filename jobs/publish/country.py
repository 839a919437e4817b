"""What a flat table says of the country as a whole."""

from typing import Final

import pandas as pd

from jobs.publish.situation.estimate import Estimate, total
from schemas.published import ALL

BREAKDOWNS: Final = ("sex", "age_band", "sim_country")
"""Columns that may say `all`: of everybody, whatever a row is broken down by elsewhere in the table."""


def whole_of(rows: pd.DataFrame) -> Estimate:
    """Return the country's number of a flat table: its own row, else the sum of its coarsest zones.

    Rows that are broken down are added up only where the table has no others: they are more, and each has noise of its
    own.

    Args:
        rows: Rows of one period that count the same thing; levels of zones are floats, missing where there is no zone.
    """
    for breakdown in BREAKDOWNS:
        plain = rows[rows[breakdown] == ALL] if breakdown in rows else rows.iloc[:0]
        rows = plain if len(plain) else rows
    own = rows[rows["zone"].isna()]
    parts = own if len(own) else rows[rows["resolution"] == rows["resolution"].min()]
    return total(Estimate(float(v), float(sd)) for v, sd in zip(parts["value"], parts["noise_sd"], strict=True))
