"""What the zones of a release are: H3 cells, or administrative units to which base cells were assigned.

Which unit a base cell belongs to is public: it is decided on the operator's network and the boundaries alone
(docs/methods/zones.md), never on who called.
"""

import json
import re
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

import h3

from privacy.canonical import JsonValue, canonical_json, sha256_hex
from schemas.errors import ConfigError

MOST_ADMIN_LEVELS: Final = 4
"""The finest admin level that COD-AB has."""


_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]{1,16}")


def is_cell(name: str) -> bool:
    """Tell whether a text names an H3 cell; H3 itself overflows at longer texts, and reads signs, spaces and `0x`."""
    return bool(_HEXADECIMAL.fullmatch(name)) and h3.is_valid_cell(name)


class Zoning(StrEnum):
    """What the zones of a tree are."""

    H3 = "h3"
    ADMIN = "admin"

    @property
    def zones(self) -> str:
        """The zones, for a sentence."""
        return "H3 zones" if self is Zoning.H3 else "administrative units"

    def place(self, level: int) -> str:
        """Where a level stands, for a sentence: `resolution 6`, `admin level 2`."""
        return f"resolution {level}" if self is Zoning.H3 else f"admin level {level}"


@dataclass(frozen=True)
class AdminUnit:
    """One administrative unit, as its boundaries were given.

    Args:
        code: Its p-code.
        name: Its name, for readers.
        level: Admin level: 1 below the country, and so on.
        outline: JSON text of the coordinates of its MultiPolygon, longitude and latitude in WGS 84: text, because
            boundaries hold millions of numbers that are only passed on.
    """

    code: str
    name: str
    level: int
    outline: str

    @classmethod
    def drawn(cls, code: str, name: str, level: int, polygons: object) -> "AdminUnit":
        """Make a unit from the coordinates of its MultiPolygon.

        Raises:
            TypeError, ValueError: They are nothing that JSON has.
        """
        return cls(code, name, level, json.dumps(polygons, separators=(",", ":"), allow_nan=False))

    @property
    def polygons(self) -> list[list[list[list[float]]]]:
        """Coordinates of its MultiPolygon: polygons of rings of longitude and latitude."""
        found: list[list[list[list[float]]]] = json.loads(self.outline)
        return found

    @property
    def facts(self) -> dict[str, JsonValue]:
        """The unit for machines."""
        return {"code": self.code, "level": self.level, "name": self.name, "outline": self.outline}


@dataclass(frozen=True)
class AdminUnits:
    """The units of a domain, and which of them each base cell belongs to: units nest, and no base cell is in none.

    Args:
        levels: Admin levels, coarse to fine.
        of_cells: For each level, the p-code of each base cell, in the order of the base cells.
        units: Every unit that a base cell belongs to, by level and code.
    """

    levels: tuple[int, ...]
    of_cells: tuple[tuple[str, ...], ...]
    units: tuple[AdminUnit, ...]

    def __post_init__(self) -> None:
        if list(self.levels) != sorted(set(self.levels)) or len(self.levels) != len(self.of_cells):
            raise _refused(f"has the levels {self.levels}", "levels from coarse to fine, each with its base cells")
        if [(unit.level, unit.code) for unit in self.units] != sorted(self._used()):
            raise _refused("lists other units than those of its base cells", "each of them once, by level and code")
        if twice := [code for code, n in Counter(unit.code for unit in self.units).items() if n > 1]:
            raise _refused(f"has p-code {twice[0]} at two levels", "a code of its own for each unit")
        for coarse, fine in pairwise(self.of_cells):
            parents = Counter(code for code, _ in set(zip(fine, coarse, strict=True)))
            if split := [code for code, n in parents.items() if n > 1]:
                raise _refused(f"has unit {split[0]} in two parents", "units that nest")

    def _used(self) -> set[tuple[int, str]]:
        return {(level, code) for level, codes in zip(self.levels, self.of_cells, strict=True) for code in codes}

    def at(self, level: int) -> tuple[str, ...]:
        """The unit of each base cell at an admin level, in the order of the base cells.

        Raises:
            ConfigError: There are no units of this level.
        """
        if level not in self.levels:
            raise ConfigError(
                f"The boundaries have no admin level {level}.",
                f"one of {', '.join(map(str, self.levels))}",
                "correct the product's levels in the policy, or [boundaries] in whimbrel.toml",
            )
        return self.of_cells[self.levels.index(level)]

    def drawn(self, levels: Sequence[int]) -> Iterator[AdminUnit]:
        """Yield the units of some levels, by level and code."""
        return (unit for unit in self.units if unit.level in levels)

    @cached_property
    def sha256(self) -> str:
        """Digest of all of it: what a reservation fixes."""
        return sha256_hex(canonical_json([self.levels, self.of_cells, [unit.facts for unit in self.units]]))

    @property
    def facts(self) -> dict[str, JsonValue]:
        """All of it for machines; outlines are packed, because they are larger than all that is measured."""
        packed = zlib.compress(canonical_json([unit.facts for unit in self.units]), 9)
        return {"levels": self.levels, "of_cells": self.of_cells, "units": b64encode(packed).decode()}

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "AdminUnits":
        """Read what `facts` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
            ConfigError: It contradicts itself.
        """
        units = json.loads(_unpacked(facts["units"]))
        return cls(
            tuple(facts["levels"]),
            tuple(tuple(codes) for codes in facts["of_cells"]),
            tuple(AdminUnit(unit["code"], unit["name"], unit["level"], unit["outline"]) for unit in units),
        )


def layer_sha256(units: Sequence[AdminUnit]) -> str:
    """Digest of units with their outlines: what a card says of the layer that its bundle draws."""
    return sha256_hex(canonical_json([unit.facts for unit in units]))


def zones_of_cells(base_cells: Sequence[str], level: int, units: AdminUnits | None) -> list[str]:
    """Return the zone of each base cell at a level: its H3 ancestor, or its unit where there are units."""
    return list(units.at(level)) if units else [str(h3.cell_to_parent(cell, level)) for cell in base_cells]


def _unpacked(text: str) -> bytes:
    try:
        return zlib.decompress(b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(str(error)) from error


def _refused(found: str, expected: str) -> ConfigError:
    return ConfigError(f"The layer of administrative units {found}.", expected, "correct the boundaries")
