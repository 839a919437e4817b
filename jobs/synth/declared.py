"""What is declared of a scenario: the event as an installation registers it, its area, and the facts in one file."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import h3
import numpy as np

from jobs.synth.country import COUNTRY_NAME, Country
from jobs.synth.flood import Area
from jobs.synth.history import History
from jobs.synth.lives import NEVER
from jobs.synth.outages import DRILL_HOUR
from jobs.synth.scenario import ONSET_S, Timeline, parameters
from jobs.synth.truth import write_json

EVENTS: Final = "events.toml"
EVENT_AREA: Final = "truth/event.geojson"
DRILL: Final = "truth/outage_only.toml"
DRILL_AREA: Final = "truth/outage_only.geojson"
FACTS: Final = "truth/scenario.json"

_EVENT: Final = """\
[[events]]
id = "{id}"
name = "{name}"
hazard = "{hazard}"
onset = {onset}
source = "Synthetic country {country}, scenario {scenario}"
area = {{ geojson = "{area}" }}
"""


def write_events(folder: Path, country: Country, history: History) -> None:
    """Write the flood for an installation's registry, the outage-only day in the same layout, and their areas."""
    flood, timeline = history.flood, history.timeline
    onset, drill = timeline.day(timeline.onset), timeline.day(timeline.drill)
    town = country.geography.town_names
    write_json(folder / EVENT_AREA, area_of(country, flood.area, hazard="flood"))
    write_json(folder / DRILL_AREA, area_of(country, flood.drill, hazard="outage"))
    name = f"Flood around {town[flood.area.town]}"
    event = _event(history, f"{history.scenario.name}-{onset:%Y-%m}", name, "flood", onset, EVENT_AREA)
    (folder / EVENTS).write_text(event, encoding="utf-8")
    name = f"Towers down around {town[flood.drill.town]}"
    event = _event(history, f"outage-only-{drill:%Y-%m}", name, "outage", drill, Path(DRILL_AREA).name)
    (folder / DRILL).write_text(event, encoding="utf-8")


def _event(history: History, identifier: str, name: str, hazard: str, onset: date, area: str) -> str:
    terms = {"id": identifier, "name": name, "hazard": hazard, "onset": onset, "area": area}
    return _EVENT.format(**terms, country=COUNTRY_NAME, scenario=history.scenario.name)


def area_of(country: Country, area: Area, *, hazard: str) -> dict[str, object]:
    """Return an area as GeoJSON: one feature, the union of its zones, which stand in its properties."""
    zones = area.names(country.places)
    feature = {
        "type": "Feature",
        "geometry": h3.cells_to_geo(zones),
        "properties": {"hazard": hazard, "town": country.geography.town_names[area.town], "zones": list(zones)},
    }
    return {"type": "FeatureCollection", "features": [feature]}


def facts(country: Country, history: History) -> dict[str, object]:
    """Return what the scenario planted, in numbers: parameters, times, areas, and how many left and stayed away.

    `half_returned`: first day on which at most half of all evacuated people are at their hosts', if the period sees it.
    """
    flood, timeline, places = history.flood, history.timeline, country.places
    drill_from = _instant(timeline, timeline.drill - 1, DRILL_HOUR * 3_600)
    return {
        "parameters": parameters(history.scenario),
        "onset": _instant(timeline, timeline.onset, ONSET_S).isoformat(),
        "baseline_month": str(timeline.baseline),
        "area": list(flood.area.names(places)),
        "town": country.geography.town_names[flood.area.town],
        "camp_h3": places.zone_names[places.zone[flood.camp]],
        "residents": int(flood.is_resident.sum()),
        "evacuated": int(flood.is_evacuated.sum()),
        "never_return": int((flood.is_evacuated & (flood.back == NEVER)).sum()),
        "half_returned": _half_returned(history),
        "outage_only": {
            "day": timeline.day(timeline.drill).isoformat(),
            "area": list(flood.drill.names(places)),
            "town": country.geography.town_names[flood.drill.town],
            "down_from": drill_from.isoformat(),
            "down_to": (drill_from + timedelta(days=1)).isoformat(),
        },
    }


def _instant(timeline: Timeline, day: int, second: int) -> datetime:
    return datetime.combine(timeline.day(day), datetime.min.time()) + timedelta(seconds=second)


def _half_returned(history: History) -> str | None:
    flood, timeline = history.flood, history.timeline
    last_to_leave = timeline.onset + len(history.scenario.leaves_on_day)
    away = {night: np.count_nonzero(flood.is_away(night)) for night in range(last_to_leave, timeline.days)}
    half = np.count_nonzero(flood.is_evacuated) / 2
    night = next((night for night, people in away.items() if people <= half), None)
    return None if night is None else timeline.day(night).isoformat()


def write_facts(folder: Path, country: Country, history: History) -> None:
    """Write the facts of a scenario as readable JSON."""
    write_json(folder / FACTS, facts(country, history))
