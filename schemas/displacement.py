"""Where the residents of a stricken area are, day by day."""

from pyspark.sql.types import DateType, LongType, StringType

from schemas.contract import Column, Confidentiality, Contract

DISPLACEMENT = Contract(
    name="displacement",
    grain="one row per subscriber, event and local day",
    key=("subscriber", "event_id", "local_date"),
    columns=(
        Column("subscriber", LongType(), "Pseudonym."),
        Column("event_id", StringType(), "Identifier of the declared event."),
        Column("local_date", DateType(), "Day in the country's time zone."),
        Column("home_index", LongType(), "Index of the H3 cell of the home before the event."),
        Column("cell_index", LongType(), "Index of the H3 cell of the night; missing: silent.", "", nullable=True),
        Column("status", StringType(), "home, away or silent."),
        Column(
            "transition",
            StringType(),
            "Change from the day before: none, newly_away, returned, reappeared, lost.",
        ),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)
