"""What leaves: released values with their uncertainty."""

from typing import Final

from pyspark.sql.types import BooleanType, DoubleType, IntegerType, StringType

from schemas.contract import Column, Confidentiality, Contract

PUBLISHED: Final = "published"
"""Status of a row that holds a whole pair, its estimate above the cut."""
RESIDUAL: Final = "residual"
"""Status of a row that holds what its published descendants leave of a coarser pair."""
REMAINDER: Final = "remainder"
"""Status of the one national row that holds everything not published elsewhere; always present."""

OD_TRIPS = Contract(
    name="od_trips",
    grain="one row per period, origin and destination; rows of one period add up to the national total",
    key=("period", "origin", "destination", "sex", "age_band"),
    version=2,
    columns=(
        Column("period", StringType(), "Day, ISO week or month.", "ISO 8601"),
        Column("origin", StringType(), "Zone left (H3); empty in the national remainder.", "", nullable=True),
        Column("destination", StringType(), "Zone reached (H3); empty in the national remainder.", "", nullable=True),
        Column("res_from", IntegerType(), "H3 resolution of the origin; empty in the national remainder.", "",
               nullable=True),
        Column("res_to", IntegerType(), "H3 resolution of the destination; empty in the national remainder.", "",
               nullable=True),
        Column("is_residual", BooleanType(), "True: the pair without its published descendants."),
        Column("sex", StringType(), "Stratum of the registrant; 'all' where not broken down."),
        Column("age_band", StringType(), "Stratum of the registrant; 'all' where not broken down."),
        Column("value", DoubleType(), "Bounded trips between the zones, mean a day; corrected for the cut.",
               "trips a day"),
        Column("noise_sd", DoubleType(), "Standard deviation of the error that noise leaves in the value.",
               "trips a day"),
        Column("ci_low", DoubleType(), "Lower end of the 95 % interval for the bounded total.", "trips a day"),
        Column("ci_high", DoubleType(), "Upper end of the 95 % interval for the bounded total.", "trips a day"),
        Column("status", StringType(), "published, residual or remainder."),
        Column("quality", StringType(), "A: sd below 5 % of the value; B: below 15 %; C: above."),
        Column("definition_id", StringType(), "Definition of the product, in docs/methods."),
    ),
    confidentiality=Confidentiality.PUBLIC,
)  # fmt: skip

KEPT: Final = "kept"
"""Part of a contribution histogram: subscribers counted as within the bounds."""
CUT: Final = "cut"
"""Part of a contribution histogram: subscribers counted as cut off by the bounds."""

CONTRIBUTION_HISTOGRAM = Contract(
    name="contribution_histogram",
    grain="one row per period, point of the grid and part; each subscriber is counted in one row at most",
    key=("period", "trips_a_day", "part"),
    columns=(
        Column("period", StringType(), "Privacy month.", "ISO 8601"),
        Column("trips_a_day", DoubleType(),
               "Point of the grid that the subscriber's trips were rounded to, at random and right in the mean.",
               "trips a day"),
        Column("part", StringType(),
               "kept or cut: cut with the probability that is the share of its trips that the bounds cut off."),
        Column("value", DoubleType(), "Subscribers.", "subscribers"),
        Column("noise_sd", DoubleType(), "Standard deviation of the value's noise.", "subscribers"),
        Column("ci_low", DoubleType(), "Lower end of the 95 % interval.", "subscribers"),
        Column("ci_high", DoubleType(), "Upper end of the 95 % interval.", "subscribers"),
        Column("definition_id", StringType(), "Definition of the product, in docs/methods."),
    ),
    confidentiality=Confidentiality.PUBLIC,
)  # fmt: skip

PUBLIC_TABLES: Final = (OD_TRIPS, CONTRIBUTION_HISTOGRAM)
