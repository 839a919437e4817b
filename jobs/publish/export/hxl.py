"""The row of HXL tags that may follow the header of a CSV, for tools that still ask for it.

Source: Humanitarian Exchange Language 1.1. HDX retires it in 2026, so the plain header is the default.
"""

from collections.abc import Iterable
from typing import Final

from jobs.publish.export.source import Source
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.zoning import Zoning

_ROLES: Final = {"origin": "+origin", "destination": "+dest", "home": "+home", "location": "+location", "zone": ""}

_TAGS: Final = {
    "period": "#date+period",
    "period_start": "#date+start",
    "period_end": "#date+end",
    "value": "#indicator+value+num",
    "noise_sd": "#indicator+sd+num",
    "ci_low": "#indicator+ci_low+num",
    "ci_high": "#indicator+ci_high+num",
    "unit": "#indicator+unit",
    "quality": "#indicator+quality",
    "status": "#status",
    "definition_id": "#meta+definition",
    "synthetic": "#meta+synthetic",
    "apportioned": "#meta+method",
    "event": "#event+code",
}


def tags_of(columns: Iterable[str], source: Source) -> list[str]:
    """Return the tag of each column; one that no tag fits has `#meta` and its own name."""
    return [_tag(name, source) for name in columns]


def _tag(name: str, source: Source) -> str:
    for place in source.places:
        if name == place:
            return f"{_area(place, source)}+code{_ROLES[place]}"
        if name == f"{place}_name":
            return f"{_area(place, source)}+name{_ROLES[place]}"
        if name.startswith(f"{place}_l"):
            return f"#geo+{'lat' if name.endswith('_lat') else 'lon'}{_ROLES[place]}"
    return _TAGS.get(name, f"#meta+{name}")


def _area(place: str, source: Source) -> str:
    """`#adm2` where all rows are of one admin level, `#loc` where they are not, or are H3 cells."""
    levels = source.rows[LEVEL_COLUMNS[place]].dropna().unique()
    is_admin = source.card.zoning is Zoning.ADMIN and len(levels) == 1 and not source.by_areas
    return f"#adm{levels[0]}" if is_admin else "#loc"
