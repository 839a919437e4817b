"""What a reader sees of a monthly report, in one language: the type of the catalogues."""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.publish.paper.locales import Counted, Locale


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a reader of a monthly report sees, in one language.

    There are no defaults: a catalogue that lacks an entry is refused when it is imported, and by the type checker.

    Args are texts. A name in braces is filled in; `{n}` is a number with its interval. Mappings are by product or
    stratum.
    """

    locale: Locale
    report: str
    page_title: str
    kind: str
    products: Mapping[str, str]
    counts: Mapping[str, str]
    counted: str

    card_residents: str
    card_trips: str
    card_relocations: str
    card_active: str
    not_released: str

    map_residents: str
    map_residents_more: str
    map_residents_alt: Counted
    map_flows: str
    map_flows_more: str
    map_flows_alt: Counted
    map_nothing: str

    flows: Counted
    flows_any: str
    flows_more: Counted
    flows_none: str
    origin: str
    destination: str
    trips_a_day: str
    range: str
    how_sure: str
    same_zone: str

    pyramid: str
    pyramid_more: str
    pyramid_not_held: str
    pyramid_alt: str
    sexes: Mapping[str, str]

    daily: str
    daily_more: str
    presence: str
    presence_more: str
    presence_alt: str
    hours: str

    balances: str
    balances_more: str
    balances_none: str
    zone: str
    arrived: str
    left: str
    net: str
    net_untold: str
    below_cut: str

    visits: str
    visits_more: str
    visits_none: str
    key: str
    home: str
    visited: str
    visited_cells: str

    churn: str
    churn_told: str
    churn_missing: str

    below: str
    below_told: str
    below_absence: str

    quality: str
    days_missing: str
    days_complete: str
    weeks_missing: str
    break_on: str
    no_break: str
    provisional: str
    superseded: str
    revised: str
    no_revision: str
    clipping: str
    clipping_unknown: str

    parameters: str
    parameters_more: str
    parameters_none: str
    product: str
    what: str
    releases: str
    days: Counted
    weeks: Counted
    months: Counted
    levels: str
    level: str
    level_of_country: str
    rho: str
    epsilon: str
    cut: str
    no_cut: str

    missing: str
    missing_told: str
    missing_none: str
    others: str

    blind: str
    blind_points: tuple[str, ...]

    sources: str
    citation: str
    source: str
    privacy: str
    definitions: str
    maps: str
