"""What a reader sees of the situation, in one language: the type of the catalogues, which have an entry for each word.

`english.py`, `french.py` and `arabic.py` hold the catalogues. Names in braces are filled in.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from jobs.publish.paper.locales import Counted, Locale


@dataclass(frozen=True, kw_only=True)
class Words:
    """What a reader of the situation sees, in one language.

    There are no defaults: a catalogue that lacks an entry is refused when it is imported, and by the type checker.

    Args are texts. A name in braces is filled in; `{n}` is a number with its interval, `{date}` a day. The form of a
    counted text follows from `{count}`.
    """

    locale: Locale
    areas: Mapping[str, str]
    any_area: str

    page_title: str
    report: str
    situation_on: str

    away: str
    away_unsure: str
    on_day: str
    in_week: str
    more_than_usual: str
    fewer_than_usual: str
    as_usual: str
    usual_unknown: str
    returned_since: str
    left_since: str
    changes_unsure: str
    returned_in_week: str
    left_in_week: str
    changes_unsure_in_week: str
    unseen_reckoned: str
    unseen_left_out: str
    data_age: str
    age_days: Counted
    age_today: str
    data_later: str
    provisional: str
    settled: str
    kind: str
    no_data: str
    no_data_more: str

    card_away: str
    card_excess: str
    card_newly: str
    card_returned: str
    card_newly_in_week: str
    card_returned_in_week: str
    not_released: str

    map_here: str
    map_here_more: str
    map_here_alt: Counted
    map_left: str
    map_left_more: str
    map_left_alt: Counted
    map_nothing: str
    legend_sure: str
    legend_halo: str
    legend_area: str

    network: str
    network_missing: str
    network_on: str
    network_more: str
    network_more_phones: str
    network_few: str
    network_all_seen: str
    network_down: Counted
    network_none: str
    network_worst: str
    network_alt: Counted
    network_stale: str

    flows: Counted
    flows_any: str
    flows_more: str
    flows_none: str
    same_zone: str
    rank: str
    origin: str
    destination: str
    subscribers: str
    range: str
    how_sure: str

    series: str
    series_more: str
    course: str
    half_life: Counted
    half_life_open: str
    chart_away: str
    chart_newly: str
    chart_returned: str
    chart_lost: str

    origins: str
    origins_more: str
    origins_none: str
    place: str
    where: str
    population: str
    away_now: str
    share_away: str
    share_returned: str

    blind: str
    some: str
    blind_points: tuple[str, ...]

    sources: str
    source: str
    privacy: str
    maps: str

    def area(self, hazard: str) -> str:
        """Return what the area of an event is called."""
        return self.areas.get(hazard.strip().lower(), self.any_area)
