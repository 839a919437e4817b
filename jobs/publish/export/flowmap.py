"""Flows as flowmap.gl, Flowmap Blue and Kepler.gl take them: a table of places and a table of flows.

Source: `locations.csv` with id, name, lat and lon; `flows.csv` with origin, dest, count and time. Readers look columns
up by name, so those of the interval may follow.
"""

from collections.abc import Iterable
from typing import Final

from jobs.publish.export.layers import drawn_zones
from jobs.publish.export.plain import cell_text
from jobs.publish.export.source import Source
from jobs.publish.export.tabular import lines_of
from jobs.publish.tables import DECIMALS
from jobs.publish.zones import COORDINATE_DECIMALS
from schemas.published import PUBLISHED

LOCATIONS: Final = "locations.csv"
FLOWS: Final = "flows.csv"

_MARK: Final = "SYNTHETIC "


def flowmap_files(source: Source) -> dict[str, bytes]:
    """Return both tables, by the rest of their name.

    Flows are the published rows: a residual belongs to no line that could be drawn beside those of its finer rows, and
    may lie below zero, which these readers take for nothing.
    """
    published = source.rows[source.rows["status"] == PUBLISHED]
    zones = drawn_zones(source).loc[sorted({*published["origin"], *published["destination"]})]
    mark = _MARK if source.card.synthetic else ""
    names = [f"{mark}{name or zone}" for zone, name in zones["name"].items()]
    days = [source.period.first_day.isoformat()] * len(published)
    places = (_texts(zones.index), _texts(names), _degrees(zones["lat"]), _degrees(zones["lng"]))
    ends = (_texts(published["origin"]), _texts(published["destination"]))
    interval = (_numbers(published["ci_low"]), _numbers(published["ci_high"]))
    return {
        LOCATIONS: lines_of([("id", "name", "lat", "lon")], zip(*places, strict=True)),
        FLOWS: lines_of(
            [("origin", "dest", "count", "time", "ci_low", "ci_high")],
            zip(*ends, _numbers(published["value"]), days, *interval, strict=True),
        ),
    }


def _texts(values: Iterable[str]) -> list[str]:
    return [cell_text(value) for value in values]


def _degrees(values: Iterable[float]) -> list[str]:
    return [f"{value:.{COORDINATE_DECIMALS}f}" for value in values]


def _numbers(values: Iterable[float]) -> list[str]:
    return [f"{value:.{DECIMALS}f}" for value in values]
