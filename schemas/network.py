"""What is known of the network: the operator's outage feed, and the table that says where phones could not be seen."""

from typing import Final

from pyspark.sql.types import DateType, DoubleType, IntegerType, StringType, TimestampNTZType

from schemas.contract import Column, Confidentiality, Contract

FEED: Final = "outage feed"
"""Basis of a status: the operator's own feed."""
PHONES: Final = "released active subscribers"
"""Basis of a status: released counts of phones seen, where there is no feed."""
FEW_PHONES: Final = "few phones seen: tower down or people gone"
"""What counts of phones can say, and no more."""

OUTAGES = Contract(
    name="outages",
    grain="one row per cell and interval in which it was down; the operator's feed, not personal",
    key=("cell_id", "down_from"),
    columns=(
        Column("cell_id", StringType(), "Identifier, as in the cell table."),
        Column("down_from", TimestampNTZType(), "When it went down, by the country's clock.", "local time"),
        Column("down_to", TimestampNTZType(), "When it worked again; empty: still down.", "local time", nullable=True),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)

NETWORK_STATUS = Contract(
    name="network_status",
    grain="one row per local day and zone; of the network and of released values, never of records",
    key=("date", "zone"),
    columns=(
        Column("date", DateType(), "Local day.", "ISO 8601"),
        Column("zone", StringType(), "Zone (H3)."),
        Column("resolution", IntegerType(), "H3 resolution of the zone."),
        Column("cells", IntegerType(), "Cells that stood there; empty without a feed.", "cells", nullable=True),
        Column("cells_down", IntegerType(), "Of them, down at some time of the day; empty without a feed.", "cells",
               nullable=True),
        Column("down_share", DoubleType(), "Share of the cells' time in which they were down; empty without a feed.",
               "", nullable=True),
        Column("basis", StringType(), f"'{FEED}' or '{PHONES}'."),
        Column("label", StringType(), "What it means, in words; empty where nothing is wrong.", "", nullable=True),
        Column("ratio", DoubleType(),
               "Released active subscribers over the median of earlier released days of that weekday.", "",
               nullable=True),
        Column("ratio_low", DoubleType(), "Lower end of the ratio's 95 % interval.", "", nullable=True),
        Column("ratio_high", DoubleType(), "Upper end of the ratio's 95 % interval.", "", nullable=True),
    ),
    confidentiality=Confidentiality.PUBLIC,
)  # fmt: skip
