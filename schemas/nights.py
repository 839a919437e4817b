"""Where a subscriber's nights were spent: what residence and migration read."""

from pyspark.sql.types import LongType, StringType

from schemas.contract import Column, Confidentiality, Contract

NIGHTS = Contract(
    name="nights",
    grain="one row per subscriber, privacy month and zone of the base resolution",
    key=("subscriber", "privacy_month", "cell_index"),
    columns=(
        Column("subscriber", LongType(), "Pseudonym."),
        Column(
            "privacy_month",
            StringType(),
            "The ISO weeks whose Thursday falls in this calendar month.",
            "YYYY-MM",
        ),
        Column("cell_index", LongType(), "Index of the H3 cell of the night's last point."),
        Column("nights", LongType(), "Nights observed there.", "nights"),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)
