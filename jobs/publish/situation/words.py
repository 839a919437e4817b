"""Every word that a reader of the situation page sees: one catalogue a language.

The defaults are English. Another language is another `Words`, with another direction where it is written from right to
left; numbers and dates take their form from it too. Names in braces are filled in.
"""

from dataclasses import dataclass, field
from datetime import date
from math import ceil
from typing import Final, Literal

from jobs.publish.situation.estimate import Estimate, Share, Trust, step_of

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

_AREAS: Final = {
    "flood": "the flooded area",
    "cyclone": "the area hit by the cyclone",
    "earthquake": "the area hit by the earthquake",
    "landslide": "the area hit by the landslide",
    "fire": "the burnt area",
    "drought": "the area of drought",
    "volcano": "the area hit by the eruption",
    "conflict": "the area of conflict",
}

_TRUST: Final = {
    Trust.WELL: "well known",
    Trust.ROUGHLY: "roughly known",
    Trust.BARELY: "uncertain",
    Trust.NOT: "too uncertain to show",
}

_BLIND: Final = (
    "People without a phone, children, customers of other operators. Phones are shared, and some people have several.",
    "People whose phones are off, lost, or without power or a tower. In the number of people away they are taken to be "
    "away as often as those seen at night. In maps, lists and changes they count as where they last were, for up to a "
    "week, and then as silent: in the first days these are too low.",
    "Why people left, what they need, and whether they are in a camp, with relatives or at work.",
    "People who came to live in the area less than a month or two before the event.",
    "Moves of less than {min_away_km} km: phones are handed on between towers.",
    "Single people and small groups: random noise protects them, so every number has a range.",
)


@dataclass(frozen=True)
class Words:
    """What a reader sees, in one language.

    Args are texts. A name in braces is filled in; `{n}` is a number with its interval, `{date}` a day.
    """

    language: str = "en"
    direction: Literal["ltr", "rtl"] = "ltr"
    thousands: str = ","
    decimal: str = "."
    months: tuple[str, ...] = _MONTHS
    date_form: str = "{day} {month} {year}"
    short_date_form: str = "{day} {short_month}"
    short_month_letters: int = 3
    days: str = "{first} to {last}"
    interval: str = "{low} to {high}"
    with_interval: str = "{value} ({interval})"
    percent: str = "{value} %"
    coordinates: str = "{latitude}° {north_south}, {longitude}° {east_west}"
    compass: tuple[str, str, str, str] = ("N", "S", "E", "W")
    areas: dict[str, str] = field(default_factory=lambda: dict(_AREAS))
    any_area: str = "the affected area"
    trust: dict[Trust, str] = field(default_factory=lambda: dict(_TRUST))

    page_title: str = "{event}: situation on {date}"
    report: str = "Situation report"
    synthetic: str = "Synthetic data: nobody lives here"
    restricted: str = "Restricted: not to be handed on"
    situation_on: str = "Situation on {date}"

    away: str = "About {n} phone subscribers were away from their homes in {area} {when}."
    away_unsure: str = (
        "Too few phone subscribers were away from their homes in {area} {when} to tell how many: fewer than about "
        "{most}."
    )
    on_day: str = "on {date}"
    in_week: str = "on an average day of the week of {date}"
    more_than_usual: str = "That is {n} more than usual."
    fewer_than_usual: str = "That is {n} fewer than usual."
    as_usual: str = "That cannot be told from the usual number."
    usual_unknown: str = "How many are usually away was not released, so some of them may have been away anyway."
    returned_since: str = "{n} returned since the day before."
    left_since: str = "{n} were newly away."
    changes_unsure: str = "What changed since the day before is too small or too uncertain to show."
    returned_in_week: str = "On an average day of that week {n} returned."
    left_in_week: str = "{n} a day were newly away."
    changes_unsure_in_week: str = "What changed from day to day in that week is too small or too uncertain to show."
    unseen_reckoned: str = (
        "{share} of the residents were seen at night; the others are taken to be away as often. Counted where last "
        "seen, {n} were away."
    )
    unseen_left_out: str = "It counts people where they were last seen at night, up to a week ago."
    data_age: str = "Data up to {date}: {age} old on {today}."
    age_days: str = "{days} days"
    age_one_day: str = "1 day"
    age_today: str = "less than a day"
    data_later: str = "Data up to {date}."
    provisional: str = "Provisional: later deliveries and revisions may change it."
    settled: str = "All deliveries that were expected had come."
    kind: str = (
        "A phone-based estimate of people away. It counts subscribers of one operator (SIM cards), not people, and is "
        "not a count of displaced persons. Ranges in brackets hold the true count of subscribers 19 times in 20."
    )
    no_data: str = "There are no figures to show"
    no_data_more: str = (
        "The bundles hold no period after the event began, or nothing in them can be told from the noise that protects "
        "people. That does not mean that nobody is away."
    )

    card_away: str = "Away now"
    card_excess: str = "More than usual"
    card_newly: str = "Newly away since the day before"
    card_returned: str = "Returned since the day before"
    card_newly_in_week: str = "Newly away, a day"
    card_returned_in_week: str = "Returned, a day"
    no_number: str = "not known"
    not_released: str = "not released"

    map_here: str = "Where they are now"
    map_here_more: str = "The filled circle is the number that is nearly certain, the pale ring what may be added."
    map_here_alt: str = "Map of {count} zones where subscribers from the area are away now. Most are in {names}."
    map_left: str = "Where they left"
    map_left_more: str = "Share of residents away. Hatched: uncertain. Grey: too uncertain to show."
    map_left_alt: str = "Map of {count} zones of the area by the share of residents who are away. Highest: {names}."
    map_nothing: str = "Map without figures: nothing can be told from noise."
    legend_sure: str = "nearly certain"
    legend_halo: str = "up to"
    legend_area: str = "area of the event"
    legend_unsure: str = "uncertain"
    legend_unknown: str = "too uncertain"
    scale_km: str = "{km} km"
    tip: str = "{zone}: {n}, {trust}"

    network: str = "Network"
    network_missing: str = (
        "No network status was given. Where towers are down, phones fall silent, and people may look as if they had "
        "not moved, or had moved to the next tower."
    )
    network_on: str = "Network on {date}"
    network_more: str = "Share of the radio cells' hours down, by zone."
    network_more_phones: str = "Share of the usual phones not seen, by zone."
    network_few: str = (
        "Few phones were seen in {few} of {zones} zones: towers are down, or people have gone; this cannot tell which."
    )
    network_all_seen: str = "In no zone were clearly fewer phones seen than usual."
    network_down: str = "{down} of {cells} radio cells were down at some time of the day."
    network_none: str = "No radio cell was reported down."
    network_worst: str = "Worst: {names}."
    list_separator: str = "; "
    network_alt: str = "Map of {count} zones by the share of their radio cells that are down."
    network_stale: str = "The report nearest to {date} is of {found}."

    flows: str = "From where to where: the {count} largest"
    flows_any: str = "From where to where"
    flows_more: str = "Subscribers away now, listed by the lower end of the range, so that chance does not choose them."
    flows_none: str = "No way from a place of origin to a place of refuge can be told from noise."
    same_zone: str = "same zone"
    rank: str = "No."
    origin: str = "From"
    destination: str = "To"
    subscribers: str = "Subscribers"
    range: str = "Range"
    how_sure: str = "How sure"
    zone_number: str = "Zone {number}"
    zone_named: str = "{number} {name}"

    series: str = "Day by day"
    series_more: str = "Lines are estimates, bands hold the true count 19 times in 20."
    course: str = "Since the peak ({peak}), {share} of the excess is no longer away."
    half_life: str = "It took {days} days for half of it."
    chart_away: str = "Away"
    chart_newly: str = "Newly away"
    chart_returned: str = "Returned"
    chart_lost: str = "Away, then silent"
    chart_usual: str = "usual"
    chart_alt: str = "{title}, {first} to {last}: from {from_n} to {to_n}."
    chart_alt_one: str = "{title} on {first}: {to_n}."

    origins: str = "By place of origin: residents, away, return"
    origins_more: str = (
        "Residents lived there in the month before the event. No longer away: of those above the usual number at the "
        "peak, the share that has returned or fallen silent."
    )
    origins_none: str = "No place of origin can be told from noise."
    place: str = "Place"
    where: str = "Middle"
    population: str = "Residents before"
    away_now: str = "Away now"
    share_away: str = "Share away"
    share_returned: str = "No longer away"

    blind: str = "What this cannot see"
    some: str = "a few"
    blind_points: tuple[str, ...] = _BLIND

    sources: str = "Sources and privacy"
    source: str = "{title}, revision {revision} ({slug}), sealed {sealed_on}, {definition_id}. SHA-256 {sha256}."
    privacy: str = "What is protected: {unit}. Each release: {epsilon}."
    verified_keys: str = "Sums, card and arithmetic of every bundle were checked, and its signers against known keys."
    verified: str = "Sums, card and arithmetic of every bundle were checked; the signers' keys were not compared."
    made_by: str = "Made with Whimbrel."
    maps: str = "Maps"
    legend: str = "Legend"

    def area(self, hazard: str) -> str:
        """Return what the area of an event is called."""
        return self.areas.get(hazard.strip().lower(), self.any_area)

    def day(self, day: date) -> str:
        """Return a day in full."""
        return self.date_form.format(day=day.day, month=self.months[day.month - 1], year=day.year)

    def short_day(self, day: date) -> str:
        """Return a day for an axis."""
        return self.short_date_form.format(
            day=day.day, short_month=self.months[day.month - 1][: self.short_month_letters]
        )

    def number(self, value: float, decimals: int = 0) -> str:
        """Return a number in the language's form; never "-0"."""
        text = f"{round(value, decimals) + 0.0:,.{decimals}f}"
        return "".join({",": self.thousands, ".": self.decimal}.get(sign, sign) for sign in text)

    def rounded(self, estimate: Estimate) -> str:
        """Return an estimate rounded as its interval allows, without the interval; not below zero."""
        return self.number(max(0.0, _to(step_of(estimate), estimate.value)))

    def range_of(self, estimate: Estimate) -> str:
        """Return an interval rounded as it allows; not below zero."""
        ends = (_to(step_of(estimate), end) for end in (estimate.ci_low, estimate.ci_high))
        low, high = (self.number(max(0.0, end)) for end in ends)
        return self.interval.format(low=low, high=high)

    def shared(self, share: Share) -> str:
        """Return a share in percent with its interval."""
        parts = (min(1.0, max(0.0, share.value)), share.ci_low, share.ci_high)
        value, low, high = (self.number(100 * part) for part in parts)
        text = self.with_interval.format(value=value, interval=self.interval.format(low=low, high=high))
        return self.percent.format(value=text)

    def position(self, longitude: float, latitude: float) -> str:
        """Return where something lies, to a tenth of a degree."""
        north, south, east, west = self.compass
        return self.coordinates.format(
            latitude=self.number(abs(latitude), 1),
            north_south=north if latitude >= 0 else south,
            longitude=self.number(abs(longitude), 1),
            east_west=east if longitude >= 0 else west,
        )

    def at_most(self, estimate: Estimate) -> str:
        """Return the upper end of an interval, rounded up as it allows."""
        step = step_of(estimate)
        return self.number(max(step, ceil(estimate.ci_high / step) * step))

    def estimated(self, estimate: Estimate) -> str:
        """Return an estimate with its interval."""
        return self.with_interval.format(value=self.rounded(estimate), interval=self.range_of(estimate))


def _to(step: float, value: float) -> float:
    return round(value / step) * step


ENGLISH: Final = Words()
