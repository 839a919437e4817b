"""Homes whose towers are down at night: how far off a phone that never moved may then be served.

The operator's own outage feed and cell table say it; no record is read.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

import h3
import numpy as np
import numpy.typing as npt

from jobs.ingest.cells import Cell
from jobs.mobility.network import Outage
from privacy.policy import ResidencePolicy

Floats = npt.NDArray[np.float64]


def reach_by_night(
    zones: Sequence[str],
    nights: Sequence[date],
    cells: Sequence[Cell],
    outages: Iterable[Outage],
    *,
    residence: ResidencePolicy,
    near_km: float,
) -> Floats:
    """Return for each zone and night how near to its centre a night counts as one at home, kilometres.

    Where a cell of the zone stands all night, that is `near_km`. Where all were down at some time of it, a phone there
    is served by the nearest zone that stands: the distance to that zone is added.

    Args:
        zones: H3 zones of one resolution.
        nights: Days on which the nights end.
        cells: The cell table.
        outages: The operator's feed.
        residence: When a night begins and ends.
        near_km: The limit where nothing is down.

    Returns:
        One row a zone, one column a night.
    """
    feed = tuple(outages)
    return np.column_stack([_of_night(zones, night, cells, feed, residence, near_km) for night in nights])


def _of_night(
    zones: Sequence[str],
    night: date,
    cells: Sequence[Cell],
    outages: Sequence[Outage],
    residence: ResidencePolicy,
    near_km: float,
) -> Floats:
    resolution = h3.get_resolution(zones[0])
    down = _down(outages, night, residence)
    serving = {(cell.cell_id, cell.h3(resolution)) for cell in cells if cell.serves(night)}
    standing = {zone for cell_id, zone in serving if cell_id not in down}
    dark = {zone for _, zone in serving} - standing
    reach = np.full(len(zones), near_km)
    if standing:
        for number in (n for n, zone in enumerate(zones) if zone in dark):
            reach[number] += _nearest_km(zones[number], standing)
    return reach


def _down(outages: Iterable[Outage], night: date, residence: ResidencePolicy) -> set[str]:
    """Cells that are down at some time of a night."""
    begins = datetime.combine(night - timedelta(days=1), time(residence.night_from_h))
    ends = datetime.combine(night, time(residence.night_to_h))
    return {outage.cell_id for outage in outages if outage.down_from < ends and outage.down_to > begins}


def _nearest_km(zone: str, others: Iterable[str]) -> float:
    """Great-circle distance from a zone's centre to the nearest of others."""
    here = h3.cell_to_latlng(zone)
    return min(float(h3.great_circle_distance(here, h3.cell_to_latlng(other), unit="km")) for other in others)
