"""`whimbrel sum`: add released rows up, with the error that the sum has."""

from pathlib import Path
from typing import Final

from jobs.publish.adding.asked import Asked, Sums
from jobs.publish.adding.flat_sums import flat_sums
from jobs.publish.adding.pair_sums import pair_sums
from jobs.publish.drawn_zones import drawn_zones
from jobs.publish.marks import marks_of
from jobs.publish.plain_csv import csv_of
from jobs.publish.released import Released
from privacy.durable import write_public
from schemas.errors import ConfigError

SPARSE: Final = frozenset({"may_also_hold", "may_also_hold_sd", "may_also_hold_rows", "not_available_because"})
"""Columns that are left out where no row has them."""

PARENT: Final = "parent"
"""What `--by` says for the level above the finest."""


def sums_of(bundle: Released, asked: Asked) -> Sums:
    """Return the sums that are asked of a bundle.

    Raises:
        ConfigError: They would add what must not be added, or name what is not there.
    """
    zones = drawn_zones([bundle])
    return (pair_sums if bundle.has_pairs else flat_sums)(bundle, zones, asked)


def level_named(text: str, bundle: Released) -> int:
    """Return the level that `--by` names: a number, or `parent`, the level above the finest.

    Raises:
        ConfigError: It names none.
    """
    levels = sorted(bundle.card.zones.resolutions)
    if text == PARENT and len(levels) > 1:
        return levels[-2]
    if text.isdecimal() and len(text) < 3:
        return int(text)
    raise ConfigError(
        f"{text!r} is no level to add up to.", f"{PARENT}, or one of {', '.join(map(str, levels))}", "name a level"
    )


def write_sums(bundle: Released, sums: Sums, out: Path) -> None:
    """Write sums as a table; equal sums give equal bytes."""
    write_public(out, sums_csv(bundle, sums))


def sums_csv(bundle: Released, sums: Sums) -> bytes:
    """Return sums as CSV: what they are of, their numbers, the definition of the product, and the bundle's marks."""
    told = {"product": bundle.product, "period": bundle.card.period}
    ends = {"definition_id": bundle.card.definition_id, **marks_of([bundle])}
    rows = [{**told, **one.cells, **ends} for one in sums.sums]
    columns = [name for name in rows[0] if name not in SPARSE or any(row[name] is not None for row in rows)]
    return csv_of(columns, rows)
