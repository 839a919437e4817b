"""Radio cells and the zones they stand in: the operator's network, not personal data."""

from typing import Final

from pyspark.sql.types import DateType, DoubleType, LongType, StringType

from schemas.contract import Column, Confidentiality, Contract

RENAMED_FROM: Final = "renamed_from"
"""Column that a cell table may have besides: the cell's name before, under which events may still come."""

CELLS = Contract(
    name="cells",
    grain="one row per radio cell and interval in which it stood at one place",
    key=("cell_id", "valid_from"),
    columns=(
        Column("cell_id", StringType(), "The operator's name of the cell, as it stands in the events."),
        Column("latitude", DoubleType(), "Latitude of the site, WGS 84.", "degrees"),
        Column("longitude", DoubleType(), "Longitude of the site, WGS 84.", "degrees"),
        Column("valid_from", DateType(), "First local day on which the cell stood there."),
        Column("valid_to", DateType(), "First local day on which it no longer did; missing: still there.", "",
               nullable=True),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)  # fmt: skip

CELL_STRETCHES = Contract(
    name="cell_stretches",
    grain="one row per cell and stretch of days in a delivery's window during which no cell of the country changed",
    key=("cell_id", "stretch"),
    columns=(
        Column("cell_id", StringType(), "The operator's name of the cell."),
        Column("stretch", LongType(), "How many days of change lie behind: 0 from the first day of the window."),
        Column("cell_index", LongType(), "Index of the H3 cell it stands in; missing: out of service then.",
               "", nullable=True),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)  # fmt: skip

ZONES = Contract(
    name="zones",
    grain="one row per H3 cell of the base resolution in which a radio cell ever stood",
    key=("cell_index",),
    columns=(
        Column("cell_index", LongType(), "Position in the register; given once and never reused."),
        Column("h3", StringType(), "H3 cell of the base resolution, as its hexadecimal name."),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)
