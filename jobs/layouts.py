"""Layouts of event files: `[sources.NAME]` of whimbrel.toml, and the masks of time and folders in it."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Place = str | int
"""Where a field stands: a column's name, or a position from 0 in a file without header."""

EPOCHS: Final = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
"""Time formats that count from 1970-01-01 00:00 UTC, and how many of theirs make a second."""

INSTANTS: Final = frozenset({*EPOCHS, "iso_offset"})
"""Time formats that say an instant by themselves, whatever the time zone of the source."""

_TOKEN: Final = re.compile(r"yyyy|yy|MMM|MM|M|dd|d|HH|H|hh|h|mm|m|ss|s|S+|a")
_FOLDER_TOKEN: Final = re.compile(r"yyyy|MM|M|dd|d|HH|H")
_DIGITS: Final = {"yyyy": r"\d{4}", "MM": r"\d{2}", "M": r"\d{1,2}", "dd": r"\d{2}", "d": r"\d{1,2}",
                  "HH": r"\d{2}", "H": r"\d{1,2}"}  # fmt: skip
_UNIT: Final = {
    "y": "year",
    "M": "month",
    "d": "day",
    "H": "hour",
    "h": "hour",
    "m": "minute",
    "s": "second",
    "a": "half",
}
_NEEDED: Final = {"year": "yyyy", "month": "MM", "day": "dd", "hour": "HH"}


@dataclass(frozen=True)
class TimeMask:
    """How a time is written, as letters that stand for digits: yyyy yy MM M MMM dd d HH H hh h mm m ss s S a.

    A doubled letter has two digits; a single one has one or two. `MMM` is an English month's three letters, `hh` with
    `a` a clock of twelve hours, `S` a digit of a fraction, which is not kept.

    Args:
        text: The mask.
    """

    text: str

    def __post_init__(self) -> None:
        units = [unit for unit in map(_unit, self.tokens) if unit]
        lacking = [token for unit, token in _NEEDED.items() if unit not in units]
        repeated = sorted({unit for unit in units if units.count(unit) > 1})
        if lacking or repeated:
            what = f"lacks {', '.join(lacking)}" if lacking else f"has the {', '.join(repeated)} twice"
            raise ValueError(f"the mask {self.text!r} {what}")
        if self.is_of_twelve_hours != ("a" in self.tokens):
            raise ValueError(f"the mask {self.text!r} needs hh and a (AM or PM) together, or HH")

    @property
    def tokens(self) -> list[str]:
        """Its tokens in order."""
        return _TOKEN.findall(self.text)

    @property
    def is_of_twelve_hours(self) -> bool:
        """Whether hours go from 1 to 12."""
        return not {"hh", "h"}.isdisjoint(self.tokens)

    @property
    def is_fixed(self) -> bool:
        """Whether every text has the mask's length, so that each token stands at one place."""
        return {"M", "d", "H", "h", "m", "s", "a"}.isdisjoint(self.tokens)

    def place(self, unit: str) -> tuple[int, str] | None:
        """Return where a unit's token begins, and the token; nothing where the mask has none."""
        found = ((match.start(), match.group()) for match in _TOKEN.finditer(self.text))
        return next(((start, token) for start, token in found if _unit(token) == unit), None)

    def number(self, unit: str) -> int | None:
        """Return the position of a unit's token among all tokens."""
        units = [_unit(token) for token in self.tokens]
        return units.index(unit) if unit in units else None


def _unit(letters: str) -> str:
    """The unit that a token counts; a fraction counts none."""
    return _UNIT.get(letters[0], "")


@dataclass(frozen=True)
class FolderMask:
    """How folders name the time of what is in them: `dt=yyyy-MM-dd/hh=HH`, `year=yyyy/month=M/day=d`, `yyyy/MM/dd`.

    A folder `name=*` may have any value.

    Args:
        text: One part a folder, from the outermost, with slashes between.
    """

    text: str

    def __post_init__(self) -> None:
        units = {_unit(token) for token in self._tokens}
        if units and not {"year", "month", "day"} <= units:
            raise ValueError(f"the folders {self.text!r} name no day: yyyy, MM or M, dd or d")

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Name and mask of each folder; without a name where it is no `name=value`."""
        return [(name, mask) if is_named else ("", name) for name, is_named, mask in map(_halves, self.text.split("/"))]

    @property
    def names(self) -> list[str]:
        """Names of the folders that have one."""
        return [name for name, _ in self.parts if name]

    @property
    def has_hours(self) -> bool:
        """Whether the folders tell an hour."""
        return any(_unit(token) == "hour" for token in self._tokens)

    @property
    def tells_time(self) -> bool:
        """Whether the folders tell a day."""
        return bool(self._tokens)

    def written(self, at: datetime) -> str:
        """Return what the named folders say of an instant, with slashes between."""
        digits = {"yyyy": f"{at:%Y}", "MM": f"{at:%m}", "M": str(at.month), "dd": f"{at:%d}", "d": str(at.day),
                  "HH": f"{at:%H}", "H": str(at.hour)}  # fmt: skip
        masks = (mask for name, mask in self.parts if name)
        return "/".join(_FOLDER_TOKEN.sub(lambda match: digits[match.group()], mask) for mask in masks)

    @property
    def _tokens(self) -> list[str]:
        return [token for _, mask in self.parts for token in _FOLDER_TOKEN.findall(mask)]

    def values(self, folders: tuple[str, ...]) -> dict[str, str] | None:
        """Return the values of a path's last folders by name; nothing where they are named otherwise."""
        mine = folders[-len(self.parts) :]
        if len(mine) != len(self.parts):
            return None
        found = [_value(folder, name, mask) for folder, (name, mask) in zip(mine, self.parts, strict=True)]
        if None in found:
            return None
        return {name: str(value) for (name, _), value in zip(self.parts, found, strict=True) if name}

    def begins(self, folders: tuple[str, ...]) -> datetime | None:
        """Return when the time of a path's last folders begins; nothing where they do not tell it."""
        mine = folders[-len(self.parts) :]
        match = re.fullmatch(_pattern(self), "/".join(mine))
        if match is None or not self.tells_time:
            return None
        units = {unit: int(value) for unit, value in match.groupdict().items()}
        try:
            return datetime(units["year"], units["month"], units["day"], units.get("hour", 0))
        except ValueError:
            return None


def _halves(part: str) -> tuple[str, str, str]:
    return part.partition("=")


def _value(folder: str, name: str, mask: str) -> str | None:
    if name:
        key, _, folder = folder.partition("=")
        if key != name:
            return None
    return folder if re.fullmatch(_digits(mask), folder) else None


def _digits(mask: str, *, named: bool = False) -> str:
    """A pattern for what a mask stands for."""

    def group(match: re.Match[str]) -> str:
        token = match.group()
        return f"(?P<{_unit(token)}>{_DIGITS[token]})" if named else _DIGITS[token]

    return ".+" if mask == "*" else _FOLDER_TOKEN.sub(group, re.escape(mask).replace(r"\-", "-"))


def _pattern(mask: FolderMask) -> str:
    return "/".join((f"{re.escape(name)}=" if name else "") + _digits(text, named=True) for name, text in mask.parts)


class _Section(BaseModel):
    """A table of the file; a key it does not know is a mistake, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnMapping(_Section):
    """Where each field stands: a name, or a position from 0 in a file without header.

    An event says where by its `cell`, by `latitude` and `longitude`, or, of roaming abroad, by its `visited_country`.
    That and `sim_country`, the country of the SIM, may hold ISO 3166 codes, mobile country codes, network codes (PLMN)
    or whole IMSIs. `time` may be several columns, such as a date and a time of day: they are joined by a space. In JSON
    a name with dots leads into an object.
    """

    subscriber: Place
    time: Place | Annotated[tuple[Place, ...], Field(min_length=1)]
    cell: Place | None = None
    latitude: Place | None = None
    longitude: Place | None = None
    sex: Place | None = None
    age_band: Place | None = None
    sim_country: Place | None = None
    visited_country: Place | None = None

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("give latitude and longitude together")
        if sum(place is not None for place in (self.cell, self.latitude, self.visited_country)) != 1:
            raise ValueError("give exactly one of cell, latitude with longitude, and visited_country")
        return self

    @property
    def given(self) -> dict[str, Place | tuple[Place, ...]]:
        """Our name of each field that the source holds, with where it stands."""
        return {name: place for name, place in self if place is not None}

    @property
    def times(self) -> tuple[Place, ...]:
        """The columns that tell the time."""
        return self.time if isinstance(self.time, tuple) else (self.time,)

    @property
    def places(self) -> tuple[Place, ...]:
        """All columns that are read, each once."""
        columns = [place for name, place in self if place is not None and name != "time"]
        return tuple(dict.fromkeys([*columns, *self.times]))


class SourceConfig(_Section):
    """One layout of event files, or a table of the engine's catalogue.

    Args:
        format: `csv`, `json` (an object a line), `parquet`, or `table`.
        columns: Where the fields stand.
        table: Name of a table, such as `db.events`; with format `table`.
        separator: Of CSV: one character, also a tab.
        quoting: Whether fields of CSV may stand in double quotes, as RFC 4180 has it; a line break in a field is not
            read.
        header: Whether a CSV file opens with its column names.
        fields: Fields in a row of a CSV file without header; a row with another number is malformed.
        encoding: Of text: `utf-8` (with or without a byte order mark), `latin-1`, `cp1252` or `utf-16`.
        folders: How folders name the time of what is in them, such as `dt=yyyy-MM-dd/hh=HH`; of a folder only the files
            of --days are read then.
        subscriber_is: `number`, which is brought to one spelling, or `hash`, which is taken as it is.
        subscriber_written: What the identifiers are written in: `text` (bytes in Parquet are taken for it), `hex`,
            `base64`, or `bytes` (Parquet).
        time_format: `iso`, `iso_offset` (each with its offset or Z), `epoch_s`, `epoch_ms`, `epoch_us`, or a mask such
            as `dd/MM/yyyy HH:mm:ss`.
        time_zone: What written times, and the hours of folders, mean: `utc`, `local` (the country's), or an IANA zone.
        early_days: Days after a delivery's last day of which it may bring rows, as files cut by UTC do east of it.
        required: Whether a day counts as delivered only once this source delivered it.
    """

    format: Literal["csv", "json", "parquet", "table"]
    columns: ColumnMapping
    table: Annotated[str, Field(pattern=r"^\w+(\.\w+){0,2}$")] | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quoting: bool = False
    header: bool = True
    fields: Annotated[int, Field(ge=1)] | None = None
    encoding: Literal["utf-8", "latin-1", "cp1252", "utf-16"] = "utf-8"
    folders: str | None = None
    subscriber_is: Literal["number", "hash"] = "number"
    subscriber_written: Literal["text", "hex", "base64", "bytes"] = "text"
    time_format: str = "iso"
    time_zone: str = "utc"
    early_days: Annotated[int, Field(ge=0, le=1)] = 0
    required: bool = False

    @field_validator("separator")
    @classmethod
    def _separates(cls, character: str) -> str:
        if character in '"\r\n':
            raise ValueError("a separator is neither a quote nor a line break")
        return character

    @field_validator("time_format")
    @classmethod
    def _is_readable(cls, mask: str) -> str:
        if mask != "iso" and mask not in INSTANTS:
            TimeMask(mask)
        return mask

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        if name not in {"utc", "local"}:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError) as error:
                raise ValueError(f"{name!r} is neither utc, local nor an IANA zone such as Africa/Maputo") from error
        return name

    @field_validator("folders")
    @classmethod
    def _names_days(cls, mask: str | None) -> str | None:
        if mask is not None:
            FolderMask(mask)
        return mask

    @property
    def folder_mask(self) -> FolderMask | None:
        """How folders name the time, where they do."""
        return None if self.folders is None else FolderMask(self.folders)

    @property
    def is_text(self) -> bool:
        """Whether files hold lines."""
        return self.format in {"csv", "json"}

    @property
    def of_folders(self) -> frozenset[Place]:
        """Columns that stand in the folders' names, not in the files."""
        return frozenset(self.folder_mask.names if self.folder_mask and self.format != "table" else ())

    @model_validator(mode="after")
    def _places_fit_the_format(self) -> Self:
        by_position = self.format == "csv" and not self.header
        wanted = int if by_position else str
        named = {name: place if isinstance(place, tuple) else (place,) for name, place in self.columns.given.items()}
        inside = {name: [p for p in places if p not in self.of_folders] for name, places in named.items()}
        if wrong := [name for name, places in inside.items() if not all(isinstance(p, wanted) for p in places)]:
            kind = "positions (0, 1, 2)" if by_position else "column names"
            raise ValueError(f"columns.{', columns.'.join(wrong)}: this layout needs {kind}")
        if self.fields is not None and any(isinstance(p, int) and p >= self.fields for p in self.columns.places):
            raise ValueError(f"columns: a row of {self.fields} fields has the positions 0 to {self.fields - 1}")
        return self

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if (self.format == "table") != (self.table is not None):
            raise ValueError('give `table` with format = "table", and with no other')
        if self.table is not None and (self.folder_mask is None or not self.folder_mask.tells_time):
            raise ValueError("a table needs `folders`, the columns that tell a row's day, such as dt=yyyy-MM-dd")
        has_hours = self.folder_mask is not None and self.folder_mask.has_hours
        if self.time_format in INSTANTS and self.time_zone != "utc" and not has_hours:
            raise ValueError(f"{self.time_format} says the instant itself: leave time_zone out, but for folders' hours")
        if self.subscriber_written == "bytes" and self.is_text:
            raise ValueError('text holds no bytes: say subscriber_written = "hex" or "base64"')
        return self
