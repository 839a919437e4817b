"""Where the residents of a stricken area are, day by day.

A **status** is one of three, a **transition** one of nine: the status of the day before and that of the day. Both are
counted from 0, so that a transition is `3 * previous status + status`. A **sight**, one of six, says whether the night
itself was seen.
"""

from typing import Final

from pyspark.sql.types import DateType, LongType

from schemas.contract import Column, Confidentiality, Contract

HOME: Final = 0
"""The last night seen was at home, or where the subscriber's own habit of that weekday has it."""
AWAY: Final = 1
"""The last night seen was elsewhere."""
SILENT: Final = 2
"""No night was seen for as many nights as the last one is carried forward."""

STATUSES: Final = ("home", "away", "silent")
"""Name of each status."""

TRANSITIONS: Final = (
    "stayed_home", "newly_away", "fell_silent",
    "returned", "still_away", "lost",
    "reappeared_home", "reappeared_away", "still_silent",
)  # fmt: skip
"""Name of each transition: from home, from away, from silent; to home, to away, to silent.

The stock of people away keeps S(t) = S(t - 1) + newly_away + reappeared_away - returned - lost.
"""

SIGHTS: Final = (
    "seen_away", "seen_home", "not_seen",
    "dark_seen_away", "dark_seen_home", "dark_not_seen",
)  # fmt: skip
"""Name of each sight: whether the night that ends on the day was itself seen, and where, from homes that had a tower
that night and from homes in the dark.

A status may be a week old; a sight is of the one night. In the dark: the operator's outage feed has all towers of the
home's zone down at some time of it.
"""

SIGHTS_A_NIGHT: Final = len(SIGHTS) // 2
"""Sights of a home that is not in the dark; those of one in the dark follow, in the same order."""

RESIDENT_STATUSES = Contract(
    name="resident_statuses",
    grain="one row per resident of an event's area and local day; a stage's result, never stored",
    key=("subscriber", "local_date"),
    columns=(
        Column("subscriber", LongType(), "Pseudonym."),
        Column("local_date", DateType(), "Day in the country's time zone."),
        Column("home_index", LongType(), "Index of the H3 cell of the home before the event."),
        Column("cell_index", LongType(), "Index of the H3 cell of the last night seen; missing: silent.", "",
               nullable=True),
        Column("previous_status", LongType(), "Status of the day before: 0 home, 1 away, 2 silent."),
        Column("status", LongType(), "Status of the day: 0 home, 1 away, 2 silent."),
        Column("sight", LongType(), "The night itself: 0 seen away, 1 seen at home, 2 not seen; 3 to 5 the same of a "
               "home in the dark."),
    ),
    confidentiality=Confidentiality.CONFIDENTIAL,
)  # fmt: skip
