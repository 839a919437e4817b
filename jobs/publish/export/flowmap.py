"""Flows as flowmap.gl, Flowmap Blue and Kepler.gl take them: a table of places and a table of flows.

Source: `locations.csv` with id, name, lat and lon; `flows.csv` with origin, dest, count and time. Readers look columns
up by name, so those of the interval may follow.
"""

from typing import Final

from jobs.publish.export.layers import drawn_zones
from jobs.publish.export.plain import cell_text
from jobs.publish.export.source import Source
from jobs.publish.export.tabular import COORDINATE_DECIMALS, lines_of
from jobs.publish.tables import DECIMALS
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
    named = sorted({*published["origin"], *published["destination"]})
    zones = drawn_zones(source).loc[named]
    mark = _MARK if source.card.synthetic else ""
    places = (
        (cell_text(zone), cell_text(f"{mark}{row.name_ or zone}"), _degrees(row.lat), _degrees(row.lng))
        for zone, row in zip(zones.index, zones.rename(columns={"name": "name_"}).itertuples(), strict=True)
    )
    day = source.period.first_day.isoformat()
    flows = (
        (cell_text(row.origin), cell_text(row.destination), *map(_number, (row.value,)), day,
         *map(_number, (row.ci_low, row.ci_high)))
        for row in published.itertuples()
    )  # fmt: skip
    return {
        LOCATIONS: lines_of([("id", "name", "lat", "lon")], places),
        FLOWS: lines_of([("origin", "dest", "count", "time", "ci_low", "ci_high")], flows),
    }


def _degrees(value: float) -> str:
    return f"{value:.{COORDINATE_DECIMALS}f}"


def _number(value: float) -> str:
    return f"{value:.{DECIMALS}f}"
