"""What the rows of flat tables must be, given their card: every key of every table, with that table's noise."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import h3
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from jobs.publish.card import Card, LevelNote
from jobs.publish.tables import DECIMALS
from jobs.publish.zones import LEVEL_COLUMNS
from privacy.marginals import BIN_HOURS
from privacy.plan import NO_LIST
from privacy.zoning import Zoning
from schemas.displacement import AWAY, HOME, SIGHTS, SIGHTS_A_NIGHT, STATUSES, TRANSITIONS
from schemas.errors import BundleError
from schemas.published import ALL, CHANGES

HALF_UNIT: Final = 0.5 * 10.0**-DECIMALS
"""The most that rounding moves a number."""

COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "presence": {"zone": "zone", "bin": "bin_start_h", "sim_country": "sim_country"},
    "roaming": {"zone": "zone", "sim_country": "sim_country", "visited_country": "visited_country"},
    "active_subscribers": {"zone": "zone"},
    "residents": {"zone": "zone", "sex": "sex", "age_band": "age_band"},
    "churn": {"zone": "zone", "change": "change"},
    "displacement": {"home": "home", "location": "location", "transition": "transition", "sight": "sight"},
}
"""The column that says where a row stands on each dimension of a product."""

Flags = npt.NDArray[np.bool_]

Zones = Callable[[int], Collection[str]]
"""The zones of a resolution, or admin level, of the domain."""


def check_tables(table: pa.Table, card: Card, zones: Zones) -> None:
    """Check that the rows are those of the card's tables: every key once, and each with the noise of its table.

    Where a list of sensitive places was applied, zones may be left out, but not single rows of a zone.

    Raises:
        BundleError: A row is of no table, is missing, or states other noise.
    """
    rows, columns = table.to_pandas(), COLUMNS[card.product]
    owner = np.full(len(rows), -1)
    for number, note in enumerate(card.privacy.levels):
        if note.by is None or not set(note.by) <= columns.keys():
            raise _wrong(f"the card names a table {note.place(card.zoning)}", f"tables by {', '.join(columns)}")
        mine = _is_of(rows, note, columns)
        owner[mine] = number
        _check_keys(rows[mine], note, card, zones)
        _check_noise(rows[mine], note, card)
    if (owner < 0).any():
        raise _wrong(f"row {int(np.argmax(owner < 0)) + 1} is of no table of the card", "the tables that it names")


def check_transitions(table: pa.Table, card: Card) -> None:
    """Check that transitions and sights are what the statuses say, and that rows are of the card's event.

    Raises:
        BundleError: They contradict each other.
    """
    names = ("status_before", "status", "transition", "sight")
    found = set(zip(*(table[name].to_pylist() for name in names), strict=True))
    if odd := sorted(found - _STATUS_WORDS):
        before, after, transition, sight = odd[0]
        raise _wrong(
            f"{transition} is no change from {before} to {after}, or {sight} no sight of it",
            "the transition of the two statuses, or the status of the sight",
        )
    if card.event is None or set(table["event"].to_pylist()) - {card.event.id}:
        raise _wrong("a row is of another event", "the event of the card")


_STATUS_WORDS: Final = (
    {
        (before, after, TRANSITIONS[3 * b + a], ALL)
        for b, before in enumerate(STATUSES)
        for a, after in enumerate(STATUSES)
    }
    | {(ALL, STATUSES[AWAY], ALL, ALL)}
    | {(ALL, (STATUSES[AWAY], STATUSES[HOME], ALL)[n % SIGHTS_A_NIGHT], ALL, sight) for n, sight in enumerate(SIGHTS)}
)
"""What the columns of a row of displacement say together: a transition, those away somewhere, or a sight."""


def zones_of(card: Card, collection: Mapping[str, Any]) -> Zones:
    """Return what gives the zones of a level of the domain, from `zones.geojson`."""
    features = [feature["properties"] for feature in collection["features"]]
    if card.zoning is Zoning.ADMIN:
        return lambda level: {feature["zone"] for feature in features if feature["level"] == level}
    cells = [feature["zone"] for feature in features if feature["resolution"] == card.zones.base_resolution]
    return lambda level: {str(h3.cell_to_parent(cell, level)) for cell in cells}


def _is_of(rows: pd.DataFrame, note: LevelNote, columns: Mapping[str, str]) -> Flags:
    """Which rows are of a table: broken down by what it is by, by nothing else, and at its resolution."""
    mine = np.ones(len(rows), dtype=np.bool_)
    for name, column in columns.items():
        broken_down = (rows[column].notna() & (rows[column] != ALL)).to_numpy()
        mine &= broken_down == (name in (note.by or ()))
        if column in LEVEL_COLUMNS:
            mine &= ~broken_down | (rows[LEVEL_COLUMNS[column]] == note.resolution).to_numpy(bool, na_value=False)
    return mine


def _check_keys(rows: pd.DataFrame, note: LevelNote, card: Card, zones: Zones) -> None:
    size = 1
    for name in note.by or ():
        found = set(rows[COLUMNS[card.product][name]])
        _check_labels(found, name, note, card, zones)
        size *= len(found)
    if len(rows) != size:
        raise _wrong(f"the table {note.place(card.zoning)} has {len(rows)} rows", f"{size}, one for every key")


def _check_labels(found: set[Any], name: str, note: LevelNote, card: Card, zones: Zones) -> None:
    expected = set(_labels(name, note, card, zones))
    may_lack = name in LEVEL_COLUMNS and card.sensitive_places != NO_LIST
    if found - expected or (expected - found and not may_lack):
        odd = sorted(map(str, found ^ expected))[0]
        raise _wrong(f"the table {note.place(card.zoning)} has no or a strange {name} {odd}", "every key once")


def _labels(name: str, note: LevelNote, card: Card, zones: Zones) -> Collection[Any]:
    """What a dimension can say: public, and so known without the table."""
    fixed: dict[str, Collection[Any]] = {
        "bin": range(0, 24, BIN_HOURS),
        "sex": card.sex or (),
        "age_band": card.age_bands or (),
        "sim_country": card.countries or (),
        "visited_country": card.countries or (),
        "transition": TRANSITIONS,
        "sight": SIGHTS,
        "change": CHANGES,
    }
    if name in fixed:
        return fixed[name]
    of_domain = zones(note.resolution or 0)
    if name != "home" or card.zoning is Zoning.ADMIN:
        return of_domain
    homes = set(card.homes or ()) & set(zones(card.zones.base_resolution))
    return {str(h3.cell_to_parent(cell, note.resolution)) for cell in homes}


def _check_noise(rows: pd.DataFrame, note: LevelNote, card: Card) -> None:
    if ((rows["noise_sd"] - note.sigma).abs() > HALF_UNIT + 1e-9).any():
        raise _wrong(f"a row {note.place(card.zoning)} states other noise than the card", f"{note.sigma:g}")


def _wrong(found: str, expected: str) -> BundleError:
    return BundleError(f"The table contradicts itself: {found}.", expected, "do not use the bundle; ask its publisher")
