"""What others counted: numbers of people by place, of one date or one week, as their tables have them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from jobs.publish.drawn_zones import some_of
from jobs.publish.scaling.census import count_in, day_in, read_table
from privacy.unit import Period, PeriodKind
from schemas.errors import ConfigError, InputError


@dataclass(frozen=True)
class Source:
    """A source of counts.

    Args:
        name: What `--source` calls it.
        counts: What it counts, in its own words.
        unit: Of its counts.
        differs: Why its numbers and ours differ where both are right.
    """

    name: str
    counts: str
    unit: str
    differs: str


DTM: Final = Source(
    "dtm",
    "individuals present at the reporting date whom key informants count as internally displaced (IOM Displacement "
    "Tracking Matrix, numPresentIdpInd)",
    "individuals",
    "Theirs is a count of persons whom informants know to be displaced, since any time; ours are subscribers of one "
    "operator whose home was in the event's area and who spent the night elsewhere, whatever the reason. Children, "
    "people without a phone and those of other operators are in theirs only; guests, workers and travellers in ours "
    "only.",
)
PRMN: Final = Source(
    "prmn",
    "individuals whose departure was recorded in the week, of all reasons (UNHCR Protection and Return Monitoring "
    "Network, Number of Individuals)",
    "individuals",
    "Both are flows. Theirs are persons met by monitors at points of arrival, dated by interview; ours are subscribers "
    "seen at home on one night and away on the next, and whoever leaves twice counts twice.",
)
CENSUS: Final = Source(
    "census",
    "people who say that they lived elsewhere at the earlier date of the question",
    "people",
    "Theirs are all people by what they answer, over the interval of the question; ours are subscribers of one "
    "operator whose home changed between two windows. Who changed the SIM card is in theirs only; small flows of ours "
    "are in coarser rows or in the remainder.",
)
SOURCES: Final = {source.name: source for source in (DTM, PRMN, CENSUS)}

DTM_COLUMNS: Final = (
    "operation", "admin0Name", "admin0Pcode", "admin1Name", "admin1Pcode", "admin2Name", "admin2Pcode",
    "numPresentIdpInd", "reportingDate", "roundNumber", "assessmentType", "numberMales", "numberFemales",
)  # fmt: skip
"""Columns of a DTM table; others are refused, because they may be another table's."""

DTM_NEEDED: Final = ("admin1Pcode", "numPresentIdpInd", "reportingDate", "roundNumber")

PRMN_NEEDED: Final = (
    "Month End", "Year Week", "Current (Arrival) Region", "Current (Arrival) District",
    "Previous (Departure) Region", "Previous (Departure) District", "Reason", "Number of Individuals",
)  # fmt: skip

CENSUS_NEEDED: Final = ("origin", "destination", "movers")
CENSUS_OPTIONAL: Final = ("date",)


@dataclass(frozen=True)
class Theirs:
    """Counts of a source that belong together.

    Args:
        source: The source.
        dated: Date, or week, that they are of; empty where the table does not say.
        counts: People by place, or by place of origin and destination.
    """

    source: Source
    dated: str
    counts: Mapping[tuple[str, ...], float]


def read_dtm(path: Path, *, round_number: str | None = None) -> Theirs:
    """Read one round of a DTM table, by the finest places that it has.

    Raises:
        InputError: It has other columns, a place twice, or a count below zero; or several rounds or dates.
        ConfigError: It lacks the round that is asked for.
    """
    rows = _without_tags(read_table(path, DTM_NEEDED, DTM_COLUMNS))
    rounds = sorted({row["roundNumber"] for row in rows})
    if round_number is not None and round_number not in rounds:
        raise ConfigError(f"{path.name} has no round {round_number!r}.", f"one of {some_of(rounds)}", "choose another")
    if round_number is None and len(rounds) > 1:
        raise InputError(f"{path.name} mixes the rounds {some_of(rounds)}.", "one round", "choose one with --round")
    rows = [row for row in rows if round_number in (None, row["roundNumber"])]
    days = sorted({day_in(row, "reportingDate", path) for row in rows})
    if len(days) > 1:
        raise InputError(f"{path.name} mixes reports of {some_of(days)}.", "one date", "split the table by date")
    has_districts = any(row.get("admin2Pcode") for row in rows)
    places = [(row["admin2Pcode" if has_districts else "admin1Pcode"],) for row in rows]
    _require_once(places, path)
    counts = (count_in(row, "numPresentIdpInd", path) for row in rows)
    return Theirs(DTM, days[0], dict(zip(places, counts, strict=True)))


def read_prmn(path: Path) -> list[Theirs]:
    """Read a PRMN table: for each week, individuals by district of departure, all reasons and arrivals together.

    Raises:
        InputError: It has other columns, a row twice, a count below zero, or a week that is none.
    """
    rows = _without_tags(read_table(path, PRMN_NEEDED, PRMN_NEEDED))
    *keys, number = PRMN_NEEDED
    _require_once([tuple(row[name] for name in keys) for row in rows], path)
    weeks: dict[str, dict[tuple[str, ...], float]] = {}
    for row in rows:
        of_week = weeks.setdefault(str(week_of(row["Year Week"], path)), {})
        place = (row["Previous (Departure) District"],)
        of_week[place] = of_week.get(place, 0.0) + count_in(row, number, path)
    return [Theirs(PRMN, week, counts) for week, counts in sorted(weeks.items())]


def read_census_moves(path: Path) -> Theirs:
    """Read a table of moves of a census: origin, destination, movers; date where it is known.

    Raises:
        InputError: It has other columns, a pair twice, a count below zero, or several dates.
    """
    rows = read_table(path, CENSUS_NEEDED, CENSUS_OPTIONAL)
    pairs = [(row["origin"], row["destination"]) for row in rows]
    _require_once(pairs, path)
    days = sorted({day_in(row, "date", path) for row in rows if row.get("date")})
    if len(days) > 1:
        raise InputError(f"{path.name} mixes moves of {some_of(days)}.", "one date", "split the table by date")
    counts = (count_in(row, "movers", path) for row in rows)
    return Theirs(CENSUS, "".join(days), dict(zip(pairs, counts, strict=True)))


def read_lookup(path: Path) -> dict[str, str]:
    """Read a table that says in which place of theirs each zone of ours lies: columns zone and place.

    Raises:
        InputError: It has other columns, or a zone twice.
    """
    rows = read_table(path, ("zone", "place"), ("zone", "place"))
    _require_once([(row["zone"],) for row in rows], path)
    return {row["zone"]: row["place"] for row in rows}


def week_of(text: str, path: Path) -> Period:
    """Return the ISO week that a cell names: `2026-W15`, `2026 15`, `202615` or `2026/15`.

    Raises:
        InputError: It names none.
    """
    digits = "".join(character for character in text if character.isdecimal() and character.isascii())
    try:
        monday = date.fromisocalendar(int(digits[:4]), int(digits[4:]), 1)
    except ValueError as error:
        raise InputError(f"{path.name} has {some_of([text])} as Year Week.", "a week as 2026-W15") from error
    return Period(PeriodKind.WEEK, monday)


def nearest(days: Sequence[date], wanted: str) -> int:
    """Return the position of the day nearest to a date in ISO 8601; of two, the earlier."""
    day = datetime.fromisoformat(wanted).date()
    return min(range(len(days)), key=lambda n: (abs((days[n] - day).days), days[n]))


def _without_tags(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Leave out a row of HXL tags below the header, as portals write it."""
    first = [cell for cell in rows[0].values() if cell]
    return rows[1:] if first and all(cell.startswith("#") for cell in first) else rows


def _require_once(keys: Iterable[tuple[str, ...]], path: Path) -> None:
    if twice := [key for key, n in Counter(keys).items() if n > 1]:
        named = some_of(" / ".join(part for part in key if part) for key in sorted(twice))
        raise InputError(f"{path.name} has rows twice: {named}.", "each once", "keep one of them, or add them up")
