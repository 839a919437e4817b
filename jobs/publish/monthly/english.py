"""The monthly report in English."""

from typing import Final

from jobs.publish.monthly.words import Words
from jobs.publish.paper.english import ENGLISH as LOCALE
from jobs.publish.paper.locales import Counted

ENGLISH: Final = Words(
    locale=LOCALE,
    report="Monthly mobility report",
    page_title="{country}: mobility in {month}",
    kind=(
        "Counts of subscribers of one operator (SIM cards), not of people, protected by random noise. Every number has "
        "a 95 % interval, for noise only. The month is the privacy month {month}, from {first} to {last}."
    ),
    products={
        "residents": "Residents",
        "od_trips": "Trips between zones",
        "presence": "Presence by time of day",
        "home_visits": "Visits by zone of home",
        "relocations": "Relocations",
        "churn": "Appeared and fell silent",
        "active_subscribers": "Active subscribers",
        "displacement": "People away after an event",
        "roaming": "Roaming",
        "migration": "Migration",
        "contribution_histogram": "What contribution bounds cut off",
    },
    counts={
        "residents": "subscribers by the zone of their home, from most of their nights",
        "od_trips": "trips a day: consecutive records in two zones; one pair once a day for each subscriber",
        "presence": "subscribers by zone of the last record in each four hours, mean a day",
        "home_visits": "distinct cells other than the home in which subscribers were seen in the week",
        "relocations": "subscribers whose home lies in another zone than in the month before",
        "churn": "subscribers with a home in one of two months only",
        "active_subscribers": "subscribers with a record on the day",
    },
    counted="{product}: {counted}.",
    card_residents="Residents",
    card_trips="Trips a day",
    card_relocations="Relocations since the month before",
    card_active="Active subscribers a day",
    not_released="not released",
    map_residents="Where people live",
    map_residents_more="Residents (subscribers) by zone. Numbered: zones of the table of relocations.",
    map_residents_alt=Counted(
        {
            "one": "Map of residents of {count} zone: {names}.",
            "other": "Map of residents of {count} zones. Most live in {names}.",
        }
    ),
    map_flows="The largest flows",
    map_flows_more=(
        "Wider lines: more trips. Rings: within one zone. Dark, with numbers: those listed; pale: those next to them."
    ),
    map_flows_alt=Counted(
        {"one": "Map of the largest flow: {names}.", "other": "Map of the {count} largest flows. The first: {names}."}
    ),
    map_nothing="Map without figures: nothing was released, or nothing can be told from noise.",
    flows=Counted({"one": "The largest flow", "other": "The {count} largest flows"}),
    flows_any="The largest flows",
    flows_more=Counted(
        {
            "one": "Trips in the one week released, by the lower end of the range.",
            "other": "Mean of {count} weeks, of pairs with a row in every week, by the lower end of the range.",
        }
    ),
    flows_none="No pair of zones has a row in every week, or trips were not released.",
    origin="From",
    destination="To",
    trips_a_day="Trips a day",
    range="Range",
    how_sure="How sure",
    same_zone="same zone",
    pyramid="Residents by sex and age",
    pyramid_more="Of the registrant of the SIM card. Black lines are 95 % intervals. Not held: {n}.",
    pyramid_not_held="Sex and age of residents were not released.",
    pyramid_alt="Population pyramid by {count} age bands: {names}.",
    sexes={"female": "Women", "male": "Men"},
    daily="Active subscribers by day",
    daily_more="The line is the estimate, the band its 95 % interval.",
    presence="Subscribers present by time of day",
    presence_more="Mean a day. Who has no record in four hours is not counted in them. Lines: 95 % intervals.",
    presence_alt="Bars of subscribers present by time of day: {names}.",
    hours="{first}–{last} h",
    balances="Relocations: in, out and net",
    balances_more=(
        "To and from other zones of the coarsest level. Ranges of sums are stated from above, because errors of rows "
        "hang together. Below the cut: no row, which is not zero."
    ),
    balances_none="Relocations were not released, or none stands above the cut.",
    zone="Zone",
    arrived="In",
    left="Out",
    net="Net",
    net_untold=(
        "No net: {share} of the relocations are in no row, and the cut shows the larger direction of a pair first. It "
        "is told where that share is {most} at most."
    ),
    below_cut="below the cut",
    visits="Visits from zones of home",
    visits_more="Visited cells in a week, mean of the weeks, of pairs with a row in every week.",
    visits_none="No pair has a row in every week, or visits were not released.",
    key="Zones by number: name or place, and code",
    home="Home",
    visited="Visited",
    visited_cells="Visited cells",
    churn="SIM cards that came and went",
    churn_told="{appeared} subscribers appeared, {fell_silent} fell silent: a home in one of the two months only.",
    churn_missing="Who appeared or fell silent was not released.",
    below="Below the cut",
    below_told="{product}: {share} of the national total is in no row but the national remainder: {n} of {whole}.",
    below_absence="A pair without a row lies below the cut. That is not zero.",
    quality="Data quality",
    days_missing="Active subscribers: {held} of {all} days were released. Missing: {names}.",
    days_complete="Active subscribers: all {all} days were released.",
    weeks_missing="{product}: {held} of {all} weeks were released. Missing: {names}.",
    break_on="Break: on {names} the number differs from the month's median day by more than a fifth.",
    no_break="No released day differs from the median day by more than a fifth.",
    provisional="Provisional, late records were still to come: {names}.",
    superseded="Left aside, because a later revision or another bundle of the same release is told: {names}.",
    revised="Told in a later revision than the first: {names}.",
    no_revision="No release was revised, as far as these bundles tell.",
    clipping="Contribution bounds cut off {share} of the country's trips; one pair may lose more or less.",
    clipping_unknown="What contribution bounds cut off was not measured: totals are at most the full ones.",
    parameters="Definitions and privacy parameters",
    parameters_more=(
        "σ: standard deviation of the noise at each level of zones. ρ: privacy loss charged to a month by one release "
        "(zCDP). Cut: standard deviations below which a pair has no row."
    ),
    parameters_none="No release is told.",
    product="Product",
    what="What is counted",
    releases="Releases",
    days=Counted({"one": "{count} day", "other": "{count} days"}),
    weeks=Counted({"one": "{count} week", "other": "{count} weeks"}),
    months=Counted({"one": "{count} month", "other": "{count} months"}),
    levels="σ by level",
    level="{level}: {sigma}",
    level_of_country="whole: {sigma}",
    rho="ρ",
    epsilon="ε at δ = {delta}",
    cut="Cut",
    no_cut="none",
    missing="What is missing",
    missing_told="Without a bundle of this month, and so not told: {names}.",
    missing_none="Every product of this report has a bundle of this month.",
    others="Released in this month and not told here: {names}.",
    blind="How to read these numbers",
    blind_points=(
        "Subscribers are not people: some have several SIM cards, some none; customers of other operators are not "
        "counted. Nothing here is scaled to the population.",
        "Sex and age are the registrant's, who need not be the user. Where they are not held, they are not imputed.",
        "Trips are seen where phones are used: short trips and trips without a record are missed.",
        "Flows (trips, relocations) and stocks (residents, presence) are different tables and are never added up.",
        "Two breakdowns of one product have noise of their own and agree within it, not to the unit.",
    ),
    sources="Sources, citation and revisions",
    citation=(
        "To cite: {country}, mobility statistics with differential privacy, privacy month {month}, bundles {first} to "
        "{last} with the digests below, last sealed on {sealed_on}."
    ),
    source="{product}, {period}, revision {revision} ({slug}), sealed {sealed_on}, {definition_id}. SHA-256 {sha256}.",
    privacy="What is protected: {unit}.",
    definitions="Each definition in full is in the bundle's card.json, and explained in docs/methods of Whimbrel.",
    maps="Maps",
)
