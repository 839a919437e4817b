"""What is kept of a day to judge later days by."""

from pyspark.sql.types import LongType, StringType

from schemas.contract import Column, Confidentiality, Contract

ZONE_HOURS = Contract(
    name="zone_hours",
    grain="one row per H3 cell and hour of a day in which somebody was seen there; a file a day",
    key=("zone", "hour"),
    columns=(
        Column("zone", StringType(), "H3 cell of the base resolution."),
        Column("hour", LongType(), "Hour of the local day, 0 to 23.", "h"),
        Column("presences", LongType(), "Subscribers seen there in that hour, machines left out; who leaves and comes "
               "back within the hour counts again.", "subscribers"),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)  # fmt: skip
