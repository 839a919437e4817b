"""The sealed artefact of a release of marginals: every number of every table, and all that is needed to read them.

Every key is published, so what is sealed and what is published say the same. It explains itself: the axes stand in it,
and a policy that changes later changes nothing about it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from privacy.canonical import JsonValue
from privacy.hierarchy import ZoneTree
from privacy.intervals import Z_95, graded
from privacy.sealed import Opened, sealed_bytes, unsealed
from schemas.errors import ConfigError, SealLostError
from schemas.published import PUBLIC_TABLE

Integers = npt.NDArray[np.int64]
Label = str | int
"""What a column of a row says."""

_FORMAT: Final = 1
"""Raised whenever the same bytes would give other rows: what was sealed is never read anew."""

_SCHEMA: Final = pa.schema([("table", pa.int8()), ("value", pa.int64())])


@dataclass(frozen=True)
class Axis:
    """One dimension of a table: its public positions, in order.

    Args:
        columns: For each published column that the dimension fills, what it says at each position.
    """

    columns: Mapping[str, tuple[Label, ...]]

    @property
    def size(self) -> int:
        """Number of positions."""
        return len(next(iter(self.columns.values())))


@dataclass(frozen=True)
class FlatTable:
    """One table: a number for every key that its axes make up.

    Args:
        axes: Its dimensions; the last one changes fastest. None: one number.
        constants: What the columns say that no axis fills; one that is not named is empty.
        values: Noisy totals, in fixed point.
        sigma: Standard deviation of their noise, in the same unit.
    """

    axes: tuple[Axis, ...]
    constants: Mapping[str, Label]
    values: Integers
    sigma: float

    def __post_init__(self) -> None:
        if len(self.values) != math.prod(axis.size for axis in self.axes):
            raise ValueError("a table lacks a key of its axes, or has one twice")


@dataclass(frozen=True)
class FlatMeasurements:
    """What one release of marginals drew.

    Args:
        zones: The public domain.
        tables: Its tables.
        fixed_point: Units of a value in one of the release's unit.
        card: What a reader has to know, but for the seal.
    """

    zones: ZoneTree
    tables: tuple[FlatTable, ...]
    fixed_point: int
    card: Mapping[str, JsonValue]

    def to_bytes(self) -> bytes:
        """Write as an Arrow stream; equal measurements give equal bytes."""
        columns = {
            "table": np.repeat(np.arange(len(self.tables), dtype=np.int8), [len(t.values) for t in self.tables]),
            "value": np.concatenate([table.values for table in self.tables]),
        }
        return sealed_bytes(_SCHEMA, columns, self._facts())

    def _facts(self) -> dict[str, JsonValue]:
        tables: list[JsonValue] = [
            {"axes": [{**axis.columns} for axis in table.axes], "constants": {**table.constants}, "sigma": table.sigma}
            for table in self.tables
        ]
        return {
            "format": _FORMAT,
            **self.zones.facts,
            "tables": tables,
            "fixed_point": self.fixed_point,
            "card": self.card,
        }

    @classmethod
    def from_bytes(cls, data: bytes) -> "FlatMeasurements":
        """Read what `to_bytes` wrote.

        Raises:
            SealLostError: The bytes are not such a stream.
        """
        try:
            (number, value), facts = unsealed(data, _SCHEMA)
            if facts["format"] != _FORMAT:
                raise _of_another_format(facts["format"])
            tables = tuple(_table(told, value[number == n]) for n, told in enumerate(facts["tables"]))
            return cls(ZoneTree.of(facts), tables, facts["fixed_point"], facts["card"])
        except (pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError, ConfigError) as error:
            raise SealLostError(
                "The sealed tables cannot be read.",
                "what a release sealed",
                "use the version of Whimbrel that sealed them, or restore the vault",
            ) from error


def open_marginals(data: bytes) -> Opened:
    """Return what sealed tables say: a row for every key, in the order of the tables and their axes.

    Raises:
        SealLostError: The bytes are none.
    """
    sealed = FlatMeasurements.from_bytes(data)
    rows = pa.concat_tables([_rows(table, sealed) for table in sealed.tables])
    return Opened(rows, sealed.zones.base_cells, sealed.card, sealed.zones.units)


def _table(told: Mapping[str, Any], values: Integers) -> FlatTable:
    axes = tuple(Axis({name: tuple(labels) for name, labels in axis.items()}) for axis in told["axes"])
    return FlatTable(axes, told["constants"], values, told["sigma"])


def _rows(table: FlatTable, sealed: FlatMeasurements) -> pa.Table:
    schema = PUBLIC_TABLE[str(sealed.card["product"])].arrow_schema
    card = {name: sealed.card[name] for name in ("period", "definition_id")}
    given = _labels(table, schema) | _numbers(table, sealed.fixed_point)
    n = len(table.values)
    columns = [
        given[field.name]
        if field.name in given
        else pa.repeat(pa.scalar({**table.constants, **card}.get(field.name), field.type), n)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _labels(table: FlatTable, schema: pa.Schema) -> dict[str, pa.Array]:
    """The columns that the axes fill."""
    positions = np.unravel_index(np.arange(len(table.values)), [axis.size for axis in table.axes]) if table.axes else ()
    return {
        name: pa.array(labels, schema.field(name).type).take(pa.array(position))
        for axis, position in zip(table.axes, positions, strict=True)
        for name, labels in axis.columns.items()
    }


def _numbers(table: FlatTable, fixed_point: int) -> dict[str, pa.Array]:
    """The columns that say what a value is and how sure."""
    values, sd = table.values / fixed_point, table.sigma / fixed_point
    columns = {
        "value": values,
        "noise_sd": np.full(len(values), sd),
        "ci_low": values - Z_95 * sd,
        "ci_high": values + Z_95 * sd,
        "quality": graded(values, sd),
    }
    return {name: pa.array(column) for name, column in columns.items()}


def _of_another_format(found: object) -> SealLostError:
    return SealLostError(
        f"The tables were sealed in format {found}.",
        f"format {_FORMAT}: this version would give them other rows",
        "use the version of Whimbrel that sealed them",
    )
