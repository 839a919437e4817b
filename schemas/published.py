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

ALL: Final = "all"
"""What a column says where a row is not broken down by it."""

APPEARED: Final = "appeared"
"""Change of a subscriber with a home in this month and none in the month before."""
FELL_SILENT: Final = "fell_silent"
"""Change of a subscriber with a home in the month before and none in this one."""
CHANGES: Final = (APPEARED, FELL_SILENT)
"""What the column `change` says, in the order of the keys of `churn`."""

_LEVEL: Final = "H3 resolution or admin level"
"""What a level of zones is: the card's domain says which."""


def _numbers(unit: str, value: str) -> tuple[Column, ...]:
    """The columns of a value and how sure it is."""
    return (
        Column("value", DoubleType(), value, unit),
        Column("noise_sd", DoubleType(), "Standard deviation of the error that noise leaves in the value.", unit),
        Column("ci_low", DoubleType(), "Lower end of the 95 % interval for the bounded total.", unit),
        Column("ci_high", DoubleType(), "Upper end of the 95 % interval for the bounded total.", unit),
    )


def _zone_or_country(zone: str) -> tuple[Column, ...]:
    """The columns of a zone and its level, in a table that has rows of the whole country too."""
    return (
        Column("zone", StringType(), f"{zone} (H3 or p-code); empty: the country.", "", nullable=True),
        Column("resolution", IntegerType(), f"{_LEVEL} of the zone; empty: the country.", "", nullable=True),
    )


_PERIOD: Final = Column("period", StringType(), "Day, ISO week or month.", "ISO 8601")
_QUALITY: Final = Column("quality", StringType(), "A: sd below 5 % of the value; B: below 15 %; C: above.")
_DEFINITION: Final = Column("definition_id", StringType(), "Definition of the product, in docs/methods.")


def _pairs(name: str, grain: str, *, origin: str, destination: str, value: str, unit: str, version: int) -> Contract:
    """A table of pairs of zones, each at the finest level that is clear of noise, and one national remainder."""
    return Contract(
        name=name,
        grain=grain,
        key=("period", "origin", "destination", "sex", "age_band"),
        version=version,
        columns=(
            _PERIOD,
            Column("origin", StringType(), f"{origin} (H3 or p-code); empty in the national remainder.", "",
                   nullable=True),
            Column("destination", StringType(), f"{destination} (H3 or p-code); empty in the national remainder.", "",
                   nullable=True),
            Column("res_from", IntegerType(), f"{_LEVEL} of the origin; empty in the national remainder.", "",
                   nullable=True),
            Column("res_to", IntegerType(), f"{_LEVEL} of the destination; empty in the national remainder.", "",
                   nullable=True),
            Column("is_residual", BooleanType(), "True: the pair without its published descendants."),
            Column("sex", StringType(), "Stratum of the registrant; 'all' where not broken down."),
            Column("age_band", StringType(), "Stratum of the registrant; 'all' where not broken down."),
            *_numbers(unit, value),
            Column("status", StringType(), "published, residual or remainder."),
            _QUALITY,
            _DEFINITION,
        ),
        confidentiality=Confidentiality.PUBLIC,
    )  # fmt: skip


_ADDS_UP: Final = "rows of one period add up to the national total"

OD_TRIPS = _pairs(
    "od_trips",
    f"one row per period, origin and destination; {_ADDS_UP}",
    origin="Zone left",
    destination="Zone reached",
    value="Bounded trips between the zones, mean a day; corrected for the cut.",
    unit="trips a day",
    version=2,
)

HOME_VISITS = _pairs(
    "home_visits",
    f"one row per period, zone of home and zone visited; {_ADDS_UP}",
    origin="Zone of the home, that of the month before",
    destination="Zone visited",
    value="Distinct cells other than the home that its subscribers visited, bounded; corrected for the cut.",
    unit="visited cells",
    version=1,
)

RELOCATIONS = _pairs(
    "relocations",
    f"one row per period, old home and new home of who moved; {_ADDS_UP}",
    origin="Zone of the home in the month before",
    destination="Zone of the home in the month",
    value="Subscribers who moved; corrected for the cut.",
    unit="subscribers",
    version=1,
)

MIGRATION = _pairs(
    "migration",
    f"one row per period, old and new usual residence of who moved; {_ADDS_UP}",
    origin="Zone of usual residence in the months before",
    destination="Zone of usual residence in the last months",
    value="Subscribers who moved; corrected for the cut.",
    unit="subscribers",
    version=1,
)

_SUBSCRIBERS: Final = "subscribers"

_COUNTRY: Final = "ISO 3166-1 alpha-2 code where the policy lists it, else 'other'"

PRESENCE = Contract(
    name="presence",
    grain="one row per period, zone, 4-hour bin of the day and country of the SIM, for every one; resolutions and "
    "breakdowns are apart",
    key=("period", "zone", "bin_start_h", "sim_country"),
    version=2,
    columns=(
        _PERIOD,
        Column("zone", StringType(), "Zone of the last event in the bin (H3 or p-code)."),
        Column("resolution", IntegerType(), f"{_LEVEL} of the zone."),
        Column("bin_start_h", IntegerType(), "Hour of the local day at which the bin begins; it lasts 4 hours.", "h"),
        Column(
            "sim_country",
            StringType(),
            f"Of the SIM: {_COUNTRY}; 'domestic' of the country's own, 'not available' where not held, 'all' where not "
            "broken down.",
        ),
        *_numbers(_SUBSCRIBERS, "Bounded subscribers there in that bin, mean a day; may be below zero, by its noise."),
        _QUALITY,
        _DEFINITION,
    ),
    confidentiality=Confidentiality.PUBLIC,
)

ROAMING = Contract(
    name="roaming",
    grain="one row per period, zone, country of the SIM and country visited, for every one of each breakdown; "
    "breakdowns are apart",
    key=("period", "zone", "sim_country", "visited_country"),
    columns=(
        _PERIOD,
        *_zone_or_country("Zone of the day's last event"),
        Column(
            "sim_country",
            StringType(),
            f"Inbound, of the SIM: {_COUNTRY}; empty: the country's own SIMs, abroad.",
            "",
            nullable=True,
        ),
        Column(
            "visited_country",
            StringType(),
            f"Outbound, of the network: {_COUNTRY}; empty: here, SIMs from abroad.",
            "",
            nullable=True,
        ),
        *_numbers(_SUBSCRIBERS, "Subscribers who roam, mean a day; may be below zero, by its noise."),
        _QUALITY,
        _DEFINITION,
    ),
    confidentiality=Confidentiality.PUBLIC,
)

ACTIVE_SUBSCRIBERS = Contract(
    name="active_subscribers",
    grain="one row per period and zone, for every zone, and one for the country; resolutions are apart",
    key=("period", "zone"),
    columns=(
        _PERIOD,
        *_zone_or_country("Zone of the day's last event"),
        *_numbers(_SUBSCRIBERS, "Subscribers with an event; may be below zero, by its noise."),
        _QUALITY,
        _DEFINITION,
    ),
    confidentiality=Confidentiality.PUBLIC,
)

RESIDENTS = Contract(
    name="residents",
    grain="one row per period, zone, sex and age band, for every one; resolutions and breakdowns are apart",
    key=("period", "zone", "sex", "age_band"),
    columns=(
        _PERIOD,
        *_zone_or_country("Zone of the home"),
        Column("sex", StringType(), "Of the registrant; 'all' where not broken down, 'not available' where not held."),
        Column("age_band", StringType(),
               "Of the registrant; 'all' where not broken down, 'not available' where not held."),
        *_numbers(_SUBSCRIBERS, "Subscribers who live there; may be below zero, by its noise."),
        _QUALITY,
        _DEFINITION,
    ),
    confidentiality=Confidentiality.PUBLIC,
)  # fmt: skip

CHURN = Contract(
    name="churn",
    grain="one row per period, zone and change, for every one; resolutions are apart",
    key=("period", "zone", "change"),
    columns=(
        _PERIOD,
        *_zone_or_country("Zone of the one home"),
        Column("change", StringType(),
               "appeared: a home in the month, none in the one before; fell_silent: a home in the month before only."),
        *_numbers(_SUBSCRIBERS, "Subscribers with a home in one of the two months; may be below zero, by its noise."),
        _QUALITY,
        _DEFINITION,
    ),
    confidentiality=Confidentiality.PUBLIC,
)  # fmt: skip

DISPLACED = Contract(
    name="displacement",
    grain="one row per period, home, location, transition and sight, for every one of each breakdown; breakdowns are "
    "apart",
    key=("period", "home", "location", "transition", "sight"),
    columns=(
        _PERIOD,
        Column("event", StringType(), "Identifier of the declared event."),
        Column("home", StringType(), "Zone of the home before the event, as far as it lies in the area (H3); empty: "
               "the whole area.", "", nullable=True),
        Column("home_resolution", IntegerType(), "H3 resolution of the home; empty: the whole area.", "",
               nullable=True),
        Column("location", StringType(), "Zone of the last night seen, of those away (H3); empty: wherever.", "",
               nullable=True),
        Column("location_resolution", IntegerType(), "H3 resolution of the location; empty: wherever.", "",
               nullable=True),
        Column("status_before", StringType(), "Status of the day before: home, away or silent; 'all' where not broken "
               "down."),
        Column("status", StringType(), "Status of the day: home, away or silent; 'all' where not broken down."),
        Column("transition", StringType(), "Status of the day before and that of the day, as one word; 'all' where not "
               "broken down."),
        Column("sight", StringType(), "The night that ends on the day, whatever was seen before: seen_away, seen_home, "
               "not_seen; with 'dark_' before it where all towers of the home were down in it; 'all' where not broken "
               "down."),
        *_numbers(_SUBSCRIBERS, "Residents of the area, mean a day; may be below zero, by its noise."),
        _QUALITY,
        _DEFINITION,
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

PUBLIC_TABLES: Final = (
    OD_TRIPS,
    PRESENCE,
    ROAMING,
    HOME_VISITS,
    RESIDENTS,
    RELOCATIONS,
    CHURN,
    MIGRATION,
    ACTIVE_SUBSCRIBERS,
    DISPLACED,
    CONTRIBUTION_HISTOGRAM,
)

PUBLIC_TABLE: Final = {contract.name: contract for contract in PUBLIC_TABLES}
"""The public table of each product."""
