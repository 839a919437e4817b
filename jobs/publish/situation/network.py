"""The state of the network, from a public table: what is down looks like people who left, or who stayed."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from schemas.errors import InputError
from schemas.network import FEED, PHONES

COLUMNS: Final = ("date", "zone", "resolution", "cells", "cells_down", "down_share", "basis", "ratio", "ratio_high")
"""Columns read of a table of the contract `network_status`; others are ignored."""


class Basis(StrEnum):
    """What a report on the network rests on."""

    FEED = FEED
    PHONES = PHONES


@dataclass(frozen=True)
class NetworkZone:
    """One zone on one day: public, so without an error.

    Args:
        share: Share of its cells' hours that were down; or of its usual phones, those that were not seen. From 0 to 1.
        cells: Its radio cells; 0 where the report does not count them.
        down: Of them, down at some time of the day.
    """

    share: float
    cells: int = 0
    down: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.share <= 1 and 0 <= self.down <= self.cells):
            raise ValueError("a share above one, or more cells down than there are")


@dataclass(frozen=True)
class Network:
    """The network on one day.

    Args:
        day: The day.
        basis: What the report rests on.
        zones: The zones of one level, by name.
    """

    day: date
    basis: Basis
    zones: Mapping[str, NetworkZone]

    @property
    def cells(self) -> int:
        """Radio cells in all zones."""
        return sum(zone.cells for zone in self.zones.values())

    @property
    def down(self) -> int:
        """Radio cells down at some time of the day."""
        return sum(zone.down for zone in self.zones.values())

    @property
    def shares(self) -> dict[str, float]:
        """The share of each zone that is down or not seen."""
        return {name: zone.share for name, zone in sorted(self.zones.items())}


Row = Mapping[str, str]


def network_on(path: Path, day: date, level: int | None = None) -> Network:
    """Read the report on a day, or the nearest one to it, the earlier of two.

    Args:
        path: The table, as CSV.
        day: The day asked for.
        level: Resolution or admin level of the zones wanted; the finest where there are none of that level.

    Raises:
        InputError: The file cannot be read, or holds no such table.
    """
    return networks_on(path, [day], level)[day]


def networks_on(path: Path, days: Iterable[date], level: int | None = None) -> dict[date, Network]:
    """Read the report on each of several days as `network_on` does, the file once.

    Raises:
        InputError: The file cannot be read, or holds no such table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        return {day: _network(rows, day, level) for day in days}
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError, IndexError) as error:
        raise InputError(
            f"{path.name} is no table of the network.",
            f"a CSV file with the columns {', '.join(COLUMNS)} and at least one row",
            "leave --network away, or give a table of the contract network_status",
        ) from error


def _network(rows: Sequence[Row], day: date, level: int | None) -> Network:
    nearest = min({_day(row) for row in rows}, key=lambda found: (abs((found - day).days), found))
    on_day = [row for row in rows if _day(row) == nearest]
    levels = {int(row["resolution"]) for row in on_day}
    shown = [row for row in on_day if int(row["resolution"]) == (level if level in levels else max(levels))]
    basis = Basis(shown[0]["basis"])
    return Network(nearest, basis, {row["zone"]: _zone(row, basis) for row in shown if row["basis"] == basis})


def _day(row: Row) -> date:
    return date.fromisoformat(row["date"])


def _zone(row: Row, basis: Basis) -> NetworkZone:
    if basis is Basis.FEED:
        return NetworkZone(float(row["down_share"]), int(row["cells"]), int(row["cells_down"]))
    # Where the interval reaches one, nothing is said of the zone.
    few = float(row["ratio_high"]) < 1
    return NetworkZone(min(1.0, max(0.0, 1 - float(row["ratio"]))) if few else 0.0)
