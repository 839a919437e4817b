"""Which column holds which field, from names that operators use and from what stands in it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jobs.inspection.sample import Certainty, Guess, Sample
from jobs.inspection.written_times import TimeGuess, is_clock, is_day, time_of

_WORDS: Final = {
    "subscriber": r"msisdn|imsi|subscriber|subs|user|userid|customer|caller|calling|anumber|phone|sim|number",
    "cell": r"cell|cellid|location|locationid|antenna|antennaid|cgi|ecgi|ci|lac|site|siteid|tower|bts|enodeb|sector",
    "latitude": r"lat|latitude|y",
    "longitude": r"lon|lng|long|longitude|x",
    "sex": r"sex|gender",
    "age_band": r"age|ageband|agegroup",
}
_OF_OTHERS: Final = re.compile(r"counterpart|called|other|bnumber|peer|imei|tac|correspondent", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\s*\+?[0-9](?:[ ()]{0,2}[0-9]){6,14}\s*")
_HEX_HASH: Final = re.compile(r"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64}")
_BASE64_HASH: Final = re.compile(r"[A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{27}=|[A-Za-z0-9+/]{43}=")
_MOST: Final = 0.8
_NORTH, _EAST = 90, 180

Place = str | int


@dataclass(frozen=True)
class Fields:
    """What the columns seem to hold.

    Args:
        columns: Where each field stands.
        time: How times are written; nothing where none were found.
        mapping: Further keys of the mapping: of identifiers and times.
        guesses: Each with its reason.
    """

    columns: dict[str, Place | list[Place]]
    time: TimeGuess | None
    mapping: dict[str, object]
    guesses: tuple[Guess, ...]


def fields_of(taken: Sample, names: Sequence[str]) -> Fields:
    """Guess where each field stands.

    Args:
        taken: The sample.
        names: Names of the files, which may tell a day.
    """
    times = {place: guess for place, values in taken.columns.items()
             if (guess := time_of(values, taken.types.get(str(place)), names))}  # fmt: skip
    when, time = _time(taken, times, names)
    taken_up = {*_listed(when), *times}
    free = {place: values for place, values in taken.columns.items() if place not in taken_up}
    who = _who(free)
    found = {"subscriber": who, **_where({place: values for place, values in free.items() if place != who})}
    held = {field: place for field, place in found.items() if place is not None}
    strata = {field: place for field in ("sex", "age_band") if (place := _called(field, free)) is not None}
    kind = _identifiers(free[who]) if who is not None else {}
    zone, zone_told = _zone(time) if time is not None else ({}, ())
    return Fields(
        columns={**({"time": when} if when is not None else {}), **held, **strata},
        time=time,
        mapping={**_format(time), **kind, **zone},
        guesses=(
            *_time_told(when, time),
            *(_told(field, place, free[place]) for field, place in held.items()),
            *(
                Guess(f"columns.{field}", str(place), Certainty.LIKELY, "by its name")
                for field, place in strata.items()
            ),
            *((_kind_told(kind),) if who is not None else ()),
            *zone_told,
        ),
    )


def _format(time: TimeGuess | None) -> dict[str, object]:
    return {"time_format": time.time_format} if time is not None and time.time_format != "iso" else {}


def _time_told(when: Place | list[Place] | None, time: TimeGuess | None) -> tuple[Guess, ...]:
    if when is None or time is None:
        return ()
    return (
        Guess("columns.time", _named(when), _by_name(when), "holds times"),
        Guess("time_format", time.time_format, time.certainty, time.reason),
    )


def _listed(when: Place | list[Place] | None) -> list[Place]:
    return when if isinstance(when, list) else [] if when is None else [when]


def _named(when: Place | list[Place]) -> str:
    return " and ".join(map(str, _listed(when)))


def _by_name(when: Place | list[Place]) -> Certainty:
    return Certainty.LIKELY if isinstance(when, list) else Certainty.CERTAIN


def _time(
    taken: Sample, times: dict[Place, TimeGuess], names: Sequence[str]
) -> tuple[Place | list[Place] | None, TimeGuess | None]:
    """The column of times: the one called so, else the first; or a date and a time of day."""
    if times:
        called = [place for place in times if re.search(r"time|date|stamp|start|event", str(place), re.IGNORECASE)]
        when: Place = (called or list(times))[0]
        return when, times[when]
    days = [p for p, values in taken.columns.items() if is_day(values, taken.types.get(str(p)))]
    clocks = [p for p, values in taken.columns.items() if is_clock(values)]
    if not (days and clocks):
        return None, None
    joined = [f"{day} {clock}" for day, clock in zip(taken.columns[days[0]], taken.columns[clocks[0]], strict=True)]
    return [days[0], clocks[0]], time_of(joined, None, names)


def _called(field: str, free: dict[Place, list[Any]]) -> Place | None:
    pattern = re.compile(_WORDS[field])
    plain = {place: re.sub(r"[^a-z0-9]", "", str(place).lower()) for place in free if isinstance(place, str)}
    whole = [place for place, name in plain.items() if pattern.fullmatch(name) and not _OF_OTHERS.search(str(place))]
    order = {word: n for n, word in enumerate(_WORDS[field].split("|"))}
    return min(whole, key=lambda place: order.get(plain[place], len(order))) if whole else None


def _who(free: dict[Place, list[Any]]) -> Place | None:
    if (called := _called("subscriber", free)) is not None:
        return called
    scores = {place: _likeness(values) for place, values in free.items() if not _OF_OTHERS.search(str(place))}
    best = max(scores, key=lambda place: scores[place], default=None)
    return best if best is not None and scores[best] >= _MOST else None


def _likeness(values: Sequence[Any]) -> float:
    texts = [_as_text(value) for value in values if value not in {None, ""}]
    return sum(bool(_is_identifier(text)) for text in texts) / len(texts) if texts else 0.0


def _is_identifier(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in (_NUMBER, _HEX_HASH, _BASE64_HASH))


def _as_text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) and not value.isascii() else (
        value.decode() if isinstance(value, bytes) else str(value)
    )  # fmt: skip


def _where(free: dict[Place, list[Any]]) -> dict[str, Place | None]:
    """The cell, or else latitude and longitude."""
    if (cell := _called("cell", free)) is not None:
        return {"cell": cell}
    north, east = _called("latitude", free), _called("longitude", free)
    if north is not None and east is not None:
        return {"latitude": north, "longitude": east}
    degrees = [place for place, values in free.items() if _are_degrees(values)]
    if len(degrees) == 2:
        return {"latitude": degrees[0], "longitude": degrees[1]}
    others = {place: values for place, values in free.items() if not _OF_OTHERS.search(str(place))}
    repeated = {place: len(set(map(str, values))) for place, values in others.items() if _repeats(values)}
    return {"cell": max(repeated, key=lambda place: repeated[place], default=None)}


def _are_degrees(values: Sequence[Any]) -> bool:
    texts = [str(value).replace(",", ".") for value in values if value not in {None, ""}]
    return bool(texts) and sum(_is_degree(text) for text in texts) >= _MOST * len(texts)


def _is_degree(text: str) -> bool:
    return bool(re.fullmatch(r"\s*-?\d{1,3}\.\d{2,}\s*", text)) and abs(float(text)) <= _EAST


def _repeats(values: Sequence[Any]) -> bool:
    texts = [str(value) for value in values if value not in {None, ""}]
    return bool(texts) and len(set(texts)) > 1 and _likeness(values) < _MOST


def _told(field: str, place: Place, values: Sequence[Any]) -> Guess:
    by_name = _called(field, {place: list(values)}) is not None
    looks = {
        "subscriber": "its values look like numbers or hashes",
        "cell": "its values repeat",
        "latitude": "holds degrees; the first such column",
        "longitude": "holds degrees; the second such column",
    }
    certainty = Certainty.LIKELY if by_name else Certainty.CANNOT_TELL
    if field == "subscriber" and _likeness(values) >= _MOST:
        certainty = Certainty.CERTAIN if by_name else Certainty.LIKELY
    return Guess(f"columns.{field}", str(place), certainty, "by its name" if by_name else looks[field])


def _identifiers(values: Sequence[Any]) -> dict[str, object]:
    """What identifiers are, and what they are written in."""
    held = [value for value in values if value not in {None, "", b""}]
    if held and all(isinstance(value, bytes) for value in held):
        texts = [value.decode("ascii", errors="replace") for value in held]
        if sum(bool(_NUMBER.fullmatch(text)) for text in texts) >= _MOST * len(texts):
            return {}
        return {"subscriber_is": "hash", "subscriber_written": "bytes"}
    texts = [str(value).strip() for value in held]
    for pattern, written in ((_HEX_HASH, "hex"), (_BASE64_HASH, "base64")):
        if texts and sum(bool(pattern.fullmatch(text)) for text in texts) >= _MOST * len(texts):
            return {"subscriber_is": "hash", "subscriber_written": written}
    numbers = sum(bool(_NUMBER.fullmatch(text)) for text in texts)
    return {} if not texts or numbers >= _MOST * len(texts) else {"subscriber_is": "hash"}


def _kind_told(kind: dict[str, object]) -> Guess:
    if not kind:
        return Guess("subscriber_is", "number", Certainty.LIKELY, "digits, as many as numbers have")
    written = str(kind.get("subscriber_written", "text"))
    certainty = Certainty.LIKELY if "subscriber_written" in kind else Certainty.CANNOT_TELL
    return Guess("subscriber_is", f"hash, in {written}", certainty, "no numbers: taken as they are")


def _zone(time: TimeGuess) -> tuple[dict[str, object], tuple[Guess, ...]]:
    if time.says_instant:
        return {}, (Guess("time_zone", "utc", Certainty.CERTAIN, "each time tells its own offset"),)
    reason = "written times do not say; the country's clock is assumed: ask, or compare an hour with a bill"
    return {"time_zone": "local"}, (Guess("time_zone", "local", Certainty.CANNOT_TELL, reason),)
