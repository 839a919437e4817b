"""What is counted, in the sentences that cards carry and docs/methods explains."""

from typing import Final

from privacy.marginals import BIN_HOURS
from privacy.policy import MobilityPolicy, Policy, ResidencePolicy

NIGHT: Final = (
    "A night lasts from {0.night_from_h}:00 to {0.night_to_h:02}:00 local time and is spent where the last record in "
    "it is."
)
"""What a night is, of the policy of residence."""

RESIDENT: Final = "A resident of a zone is a subscriber whose home of the privacy month lies in it."
"""Who lives where."""

RELOCATION: Final = (
    "A relocation is a subscriber whose homes of the privacy month before and of this one lie in different zones of "
    "the finest level. Who has a home in one of the months only is in no number."
)
"""Who relocated."""

CHURN: Final = (
    "A subscriber with a home in this privacy month and none in the one before has appeared; one with a home in the "
    "month before and none in this one fell silent. It counts in the zone of that home. Who has a home in both months "
    "is in no number."
)
"""Who appeared or fell silent."""


def trip(mobility: MobilityPolicy, resolution: int) -> str:
    """What a trip is."""
    return (
        f"A trip joins two consecutive records of one subscriber in different H3 cells of resolution {resolution}, at "
        f"most {mobility.max_gap_h:g} h apart, and not faster than {mobility.max_speed_m_s:g} m/s over more than "
        f"{mobility.min_speed_distance_km:g} km. It counts on the day it arrives; "
        f"{_repeats(mobility.max_repeats_a_day)}."
    )


def _repeats(at_most: int) -> str:
    often = "once" if at_most == 1 else f"{at_most} times at most"
    return f"a subscriber's trips from one cell to another on one day count {often}"


def presence(mobility: MobilityPolicy) -> str:
    """Who is present."""
    return (
        f"A subscriber is present, in each {BIN_HOURS}-hour bin of each day in which it has a record, in the zone of "
        f"the last one. {_machines(mobility)}"
    )


def roaming(mobility: MobilityPolicy) -> str:
    """Who roams."""
    return (
        "A subscriber with a SIM of another country is a visitor on a day on which it has a record here, in the zone "
        "of the last one. Any other subscriber is abroad on a day whose last record is on a network of another "
        f"country, in that country. {_machines(mobility)}"
    )


def active_subscribers(mobility: MobilityPolicy) -> str:
    """Who is active."""
    return (
        f"A subscriber is active on a day on which it has a record, in the zone of the last one. {_machines(mobility)}"
    )


def visit(resolution: int) -> str:
    """What a visit is."""
    return (
        f"A visit is an H3 cell of resolution {resolution}, other than that of its home, in which a subscriber has a "
        "record in the week, on however many days. The home is that of the privacy month before the week's."
    )


def migrant(months: int) -> str:
    """Who migrated, between windows of so many months."""
    return (
        f"A migrant is a subscriber whose usual residences over the {months} privacy months before and over these "
        f"{months}, this one the last, lie in different zones of the finest level. Who has a residence in one of the "
        "windows only is in no number."
    )


def displacement(policy: Policy, *, has_feed: bool) -> str:
    """Where the residents of an event's area are; with an outage feed, those in the dark are not taken for gone."""
    away = policy.away
    dark = (
        "In a night in which all towers of a home's zone were down by the operator's outage feed, at home reaches "
        "farther, by the distance to the nearest zone that stood. "
    )
    return (
        "A resident of the area is a subscriber whose home of the privacy month before the onset's lies in it. On a "
        f"day it is where it spent the most recent of the last {away.carry_forward_nights} nights on which it was "
        f"seen: at home within {away.min_away_km:g} km of its home's cell, or of the cell where it spent more than "
        f"half of the nights of that weekday, {away.min_weekday_nights} at least, in that month; else away; silent "
        "where it was seen on none of them. "
        f"{dark if has_feed else ''}"
        "A transition joins the states of two days. A sight is of the night that ends on the day alone: seen away, "
        "seen at home, or not seen; apart where all towers of the home's zone were down in it. "
        "A value of several days is their mean. "
        f"{home(policy.baseline_residence, policy.mobility)}"
    )


def home(residence: ResidencePolicy, mobility: MobilityPolicy, months: int = 1) -> str:
    """Where somebody lives, over a window of so many months."""
    return f"{NIGHT.format(residence)} {at_home(residence, months)} {_machines(mobility)}"


def at_home(residence: ResidencePolicy, months: int = 1) -> str:
    """Which of its nights decide where a subscriber lives."""
    enough = "of the month" if months == 1 else f"in {residence.min_month_share:.0%} of the months"
    return (
        f"Who was seen on at least {residence.min_nights} nights {enough} lives in the coarsest zone with most of the "
        f"nights, if it holds more than {residence.min_share:.0%} of them, and within it, level by level, where most "
        "of its nights were; between equals, where the most recent one was."
    )


def _machines(mobility: MobilityPolicy) -> str:
    return f"A subscriber's day with more than {mobility.max_events_a_day} records is left out."
