"""Where a subscriber's nights were spent: what residence and migration read."""

from pyspark.sql.types import LongType, StringType

from schemas.contract import Column, Confidentiality, Contract

NIGHTS = Contract(
    name="nights",
    grain="one row per subscriber, privacy month and cell of the base resolution in which a night was spent",
    key=("subscriber", "privacy_month", "cell_index"),
    columns=(
        Column("subscriber", LongType(), "Pseudonym."),
        Column("privacy_month", StringType(), "The ISO weeks whose Thursday falls in this calendar month.", "YYYY-MM"),
        Column("cell_index", LongType(), "Index of the H3 cell of the night's last point."),
        Column("nights", LongType(), "Nights of the month seen there.", "nights"),
        Column("night_bits", LongType(),
               "Which nights: bit i is the night that ends on the month's day i, 0 being the first, a Monday.", "bits"),
        Column("sex", StringType(), "Stratum on the last day of the month that brought one of the nights."),
        Column("age_band", StringType(), "Stratum on the last day of the month that brought one of the nights."),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
    version=2,
)  # fmt: skip
