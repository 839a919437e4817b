"""What is kept of the events: one row a subscriber and local day, and the rows that could not be read.

A **point** is one long: `second of the local day << 32 | cell index`. Sorting points sorts by time, and ties in time
by cell, so every order in Whimbrel is deterministic.
"""

from typing import Final

from pyspark.sql.types import ArrayType, DateType, LongType, StringType

from schemas.contract import Column, Confidentiality, Contract

SECOND_SHIFT: Final = 32
"""Bits to the left of which a point holds its second."""

CELL_MASK: Final = (1 << SECOND_SHIFT) - 1
"""Bits of a point that hold its cell index."""

NOT_AVAILABLE: Final = "not available"
"""Stratum where the operator holds none; never imputed."""

STRATA: Final = ("sex", "age_band", "sim_country")
"""What a row tells of the subscriber; of several values, the least counts."""

_COLUMNS = (
    Column(
        "subscriber",
        LongType(),
        "Pseudonym: first 8 bytes of an HMAC-SHA256 under the key of the epoch (ADR 2).",
    ),
    Column("local_date", DateType(), "Day in the country's time zone."),
    Column(
        "points",
        ArrayType(LongType()),
        "Points of the day, sorted; a repeated row is a repeated point.",
        "second << 32 | cell index",
    ),
    Column("events", LongType(), "Number of points, here and abroad.", "rows"),
    Column("sex", StringType(), f"Sex of the SIM's registrant, or '{NOT_AVAILABLE}'."),
    Column("age_band", StringType(), f"Age band of the SIM's registrant, or '{NOT_AVAILABLE}'."),
    Column("sim_country", StringType(), f"Country of the SIM, ISO 3166-1 alpha-2, or '{NOT_AVAILABLE}'."),
    Column(
        "abroad",
        ArrayType(LongType()),
        "Points of the day on networks abroad, sorted; none in most days. No product but `roaming` reads them.",
        "second << 32 | ISO 3166-1 numeric code",
    ),
)

SUBSCRIBER_DAY_PARTS = Contract(
    name="subscriber_day_parts",
    grain="one row per delivery, subscriber and local day",
    key=("subscriber", "local_date"),
    columns=_COLUMNS,
    confidentiality=Confidentiality.CONFIDENTIAL,
    version=2,
)

SUBSCRIBER_DAYS = Contract(
    name="subscriber_days",
    grain="one row per subscriber and local day, whatever the number of deliveries that brought its rows",
    key=("subscriber", "local_date"),
    columns=_COLUMNS,
    confidentiality=Confidentiality.CONFIDENTIAL,
    version=2,
)

QUARANTINE = Contract(
    name="quarantine",
    grain="one row per input row that was not kept",
    key=(),
    columns=(
        Column("reason", StringType(), "First check that the row failed."),
        Column("file", StringType(), "Name of the file it stood in; runs of seven digits or more are masked."),
        Column("time_text", StringType(), "Its time as read; runs of seven digits or more are masked.", "",
               nullable=True),
        Column("cell_text", StringType(), "Its cell as read; runs of seven digits or more are masked.", "",
               nullable=True),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)  # fmt: skip
