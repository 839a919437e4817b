"""The situation in English."""

from typing import Final

from jobs.publish.paper.english import ENGLISH as LOCALE
from jobs.publish.paper.locales import Counted
from jobs.publish.situation.words import Words

ENGLISH: Final = Words(
    locale=LOCALE,
    areas={
        "flood": "the flooded area",
        "cyclone": "the area hit by the cyclone",
        "earthquake": "the area hit by the earthquake",
        "landslide": "the area hit by the landslide",
        "fire": "the burnt area",
        "drought": "the area of drought",
        "volcano": "the area hit by the eruption",
        "conflict": "the area of conflict",
    },
    any_area="the affected area",
    page_title="{event}: situation on {date}",
    report="Situation report",
    situation_on="Situation on {date}",
    away="About {n} phone subscribers were away from their homes in {area} {when}.",
    away_unsure=(
        "Too few phone subscribers were away from their homes in {area} {when} to tell how many: fewer than about "
        "{most}."
    ),
    on_day="on {date}",
    in_week="on an average day of the week of {date}",
    more_than_usual="That is {n} more than usual.",
    fewer_than_usual="That is {n} fewer than usual.",
    as_usual="That cannot be told from the usual number.",
    usual_unknown="How many are usually away was not released, so some of them may have been away anyway.",
    returned_since="{n} returned since the day before.",
    left_since="{n} were newly away.",
    changes_unsure="What changed since the day before is too small or too uncertain to show.",
    returned_in_week="On an average day of that week {n} returned.",
    left_in_week="{n} a day were newly away.",
    changes_unsure_in_week="What changed from day to day in that week is too small or too uncertain to show.",
    unseen_reckoned=(
        "{share} of the residents were seen at night; the others are taken to be away as often. Counted where last "
        "seen, {n} were away."
    ),
    unseen_left_out="It counts people where they were last seen at night, up to a week ago.",
    data_age="Data up to {date}: {age} old on {today}.",
    age_days=Counted({"one": "{count} day", "other": "{count} days"}),
    age_today="less than a day",
    data_later="Data up to {date}.",
    provisional="Provisional: records delivered later change nothing here; a later revision may differ.",
    settled="All deliveries that were expected had come.",
    kind=(
        "A phone-based estimate of people away. It counts subscribers of one operator (SIM cards), not people, and is "
        "not a count of displaced persons. Ranges in brackets hold the true count of subscribers 19 times in 20."
    ),
    no_data="There are no figures to show",
    no_data_more=(
        "The bundles hold no period after the event began, or nothing in them can be told from the noise that protects "
        "people. That does not mean that nobody is away."
    ),
    card_away="Away now",
    card_excess="More than usual",
    card_newly="Newly away since the day before",
    card_returned="Returned since the day before",
    card_newly_in_week="Newly away, a day",
    card_returned_in_week="Returned, a day",
    not_released="not released",
    map_here="Where they are now",
    map_here_more="The filled circle is the number that is nearly certain, the pale ring what may be added.",
    map_here_alt=Counted(
        {
            "one": "Map of {count} zone where subscribers from the area are away now: {names}.",
            "other": "Map of {count} zones where subscribers from the area are away now. Most are in {names}.",
        }
    ),
    map_left="Where they left",
    map_left_more="Share of residents away. Hatched: uncertain. Grey: too uncertain to show.",
    map_left_alt=Counted(
        {
            "one": "Map of {count} zone of the area by the share of residents who are away: {names}.",
            "other": "Map of {count} zones of the area by the share of residents who are away. Highest: {names}.",
        }
    ),
    map_nothing="Map without figures: nothing can be told from noise.",
    legend_sure="nearly certain",
    legend_halo="up to",
    legend_area="area of the event",
    network="Network",
    network_missing=(
        "No network status was given. Where towers are down, phones fall silent, and people may look as if they had "
        "not moved, or had moved to the next tower."
    ),
    network_on="Network on {date}",
    network_more="Share of the radio cells' hours down, by zone.",
    network_more_phones="Share of the usual phones not seen, by zone.",
    network_few=(
        "Few phones were seen in {few} of {zones} zones: towers are down, or people have gone; this cannot tell which."
    ),
    network_all_seen="In no zone were clearly fewer phones seen than usual.",
    network_down=Counted(
        {
            "one": "{count} of {cells} radio cells was down at some time of the day.",
            "other": "{count} of {cells} radio cells were down at some time of the day.",
        }
    ),
    network_none="No radio cell was reported down.",
    network_worst="Worst: {names}.",
    network_alt=Counted(
        {
            "one": "Map of {count} zone by the share of its radio cells that is down: {names}.",
            "other": "Map of {count} zones by the share of their radio cells that are down. Worst: {names}.",
        }
    ),
    network_stale="The report nearest to {date} is of {found}.",
    flows=Counted(
        {"one": "From where to where: the largest number", "other": "From where to where: the {count} largest"}
    ),
    flows_any="From where to where",
    flows_more="Subscribers away now, listed by the lower end of the range, so that chance does not choose them.",
    flows_none="No number from a place of origin in a place of refuge can be told from noise.",
    same_zone="same zone",
    rank="No.",
    origin="From",
    destination="To",
    subscribers="Subscribers",
    range="Range",
    how_sure="How sure",
    series="Day by day",
    series_more="Lines are estimates, bands hold the true count 19 times in 20.",
    course="Since the peak ({peak}), {share} of the excess is no longer away.",
    half_life=Counted(
        {
            "one": "It took {count} day ({range}) for half of it.",
            "other": "It took {count} days ({range}) for half of it.",
        }
    ),
    half_life_open="{low} or more",
    chart_away="Away",
    chart_newly="Newly away",
    chart_returned="Returned",
    chart_lost="Away, then silent",
    origins="By place of origin: residents, away, return",
    origins_more=(
        "Residents lived there in the month before the event. No longer away: of those above the usual number at the "
        "peak, the share that has returned or fallen silent."
    ),
    origins_none="No place of origin can be told from noise.",
    place="Place",
    where="Middle",
    population="Residents before",
    away_now="Away now",
    share_away="Share away",
    share_returned="No longer away",
    blind="What this cannot see",
    some="a few",
    blind_points=(
        "People without a phone, children, customers of other operators. Phones are shared, and some people have "
        "several.",
        "People whose phones are off, lost, or without power or a tower. In the number of people away they are taken "
        "to be away as often as those seen at night. In maps, lists and changes they count as where they last were, "
        "for up to a week, and then as silent: in the first days these are too low.",
        "Why people left, what they need, and whether they are in a camp, with relatives or at work.",
        "People who came to live in the area less than a month or two before the event.",
        "Moves of less than {min_away_km} km: phones are handed on between towers.",
        "Single people and small groups: random noise protects them, so every number has a range.",
    ),
    sources="Sources and privacy",
    source=(
        "{event}: where residents of the area are, {country}, {period}, revision {revision} ({slug}), sealed "
        "{sealed_on}, {definition_id}. SHA-256 {sha256}."
    ),
    privacy="What is protected: {unit}. Each release: {epsilon}.",
    maps="Maps",
)
