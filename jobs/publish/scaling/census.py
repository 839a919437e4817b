"""People by zone, from a census table or from a population raster."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from math import hypot, isfinite
from pathlib import Path
from typing import Final

from jobs.publish.drawn_zones import DrawnZones, some_of
from schemas.errors import InputError

ZONE, POPULATION, SD, DAY = "zone", "population", "population_sd", "date"

NEEDED: Final = (ZONE, POPULATION)
OPTIONAL: Final = (SD, DAY)

MOST_BYTES: Final = 100_000_000
"""Of a table of public statistics: more is something else."""


@dataclass(frozen=True)
class People:
    """People who live in a zone.

    Args:
        count: How many, by public statistics.
        sd: Standard deviation of the error that those state; 0 where they state none.
    """

    count: float
    sd: float = 0.0


@dataclass(frozen=True)
class Population:
    """People by zone.

    Args:
        people: By zone, of any level.
        source: What it is from, for readers.
        dates: Days that the statistics are of, where they say so.
        missing: Zones without people, and why.
        notes: What was done to get there.
    """

    people: Mapping[str, People]
    source: str
    dates: tuple[str, ...] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_census(path: Path, zones: DrawnZones) -> Population:
    """Read a census table: columns zone and population; population_sd and date where they are known.

    Coarser zones that the table lacks get the sum of their parts, where it has all of them.

    Raises:
        InputError: It has other columns, a zone twice, a number that is none or below zero, or several dates.
        ConfigError: A zone is none of the bundle's.
    """
    rows = read_table(path, NEEDED, OPTIONAL)
    codes = [row[ZONE] for row in rows]
    if twice := sorted(code for code, n in Counter(codes).items() if n > 1):
        raise InputError(f"{path.name} has zone {some_of(twice)} twice.", "one row a zone", "keep one of them")
    zones.require(codes, path.name)
    people = {row[ZONE]: People(count_in(row, POPULATION, path), _sd(row, path)) for row in rows}
    dates = tuple(sorted({day_in(row, DAY, path) for row in rows if row.get(DAY)}))
    if len(dates) > 1:
        raise InputError(f"{path.name} mixes counts of {some_of(dates)}.", "one date", "split the table by date")
    return Population(with_sums(people, zones), path.name, dates)


def with_sums(people: Mapping[str, People], zones: DrawnZones) -> dict[str, People]:
    """Add the sum of its parts to each zone that lacks a number and whose parts all have one."""
    found = dict(people)
    for level, finer in reversed(list(zip(zones.levels, zones.levels[1:], strict=False))):
        parts: dict[str, list[str]] = {}
        for zone, parent in zones.parents[finer].items():
            parts.setdefault(str(parent), []).append(zone)
        for zone in zones.parents[level]:
            if zone not in found and all(part in found for part in parts.get(zone, [zone])):
                of_parts = [found[part] for part in parts[zone]]
                found[zone] = People(sum(p.count for p in of_parts), hypot(*(p.sd for p in of_parts)))
    return found


def read_table(path: Path, needed: Iterable[str], optional: Iterable[str] = ()) -> list[dict[str, str]]:
    """Read a CSV table of public statistics; other columns than those named are refused where `optional` is given.

    Raises:
        InputError: It cannot be read, lacks a column, or has an unknown one.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path.name} is larger than 100 MB.", "a table of public statistics", "give another file")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.name} cannot be read.", "a CSV file in UTF-8", "check the path, or save it anew"
        ) from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    names = [name.strip() for name in reader.fieldnames or ()]
    if lacking := [name for name in needed if name not in names]:
        raise InputError(
            f"{path.name} has no column {', '.join(lacking)}; it has {some_of(names) or 'none'}.",
            f"columns {', '.join(needed)}",
            "name the columns so",
        )
    known = {*needed, *optional}
    if optional and (strange := [name for name in names if name not in known]):
        raise InputError(
            f"{path.name} has unknown columns {some_of(strange)}.",
            f"columns {', '.join(sorted(known))}",
            "drop the others",
        )
    rows = [{str(name).strip(): str(cell).strip() for name, cell in row.items()} for row in reader]
    if any(row.get("") for row in rows):
        raise InputError(
            f"{path.name} has a row with more cells than columns.", "equal rows", "quote cells with commas"
        )
    if not rows:
        raise InputError(f"{path.name} has no rows.", "at least one", "give the whole table")
    return rows


def count_in(row: Mapping[str, str], column: str, path: Path) -> float:
    """Return a count of people in a row.

    Raises:
        InputError: It is no number, or below zero.
    """
    text = row[column].replace(" ", "").replace("\u00a0", "")
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not isfinite(number) or number < 0:
        raise InputError(
            f"{path.name} has {some_of([row[column]]) or 'nothing'} as {column}.",
            "a count: digits, at least zero, a point before decimals",
            "correct it; leave rows out that have no number",
        )
    return number


def day_in(row: Mapping[str, str], column: str, path: Path) -> str:
    """Return a day in a row, in ISO 8601.

    Raises:
        InputError: It is none.
    """
    try:
        return date.fromisoformat(row[column][:10]).isoformat()
    except ValueError as error:
        raise InputError(
            f"{path.name} has {some_of([row[column]])} as {column}.", "a day as 2026-03-31", "write it so"
        ) from error


def _sd(row: Mapping[str, str], path: Path) -> float:
    return count_in(row, SD, path) if row.get(SD) else 0.0
