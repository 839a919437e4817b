"""A table's contract: the one place where its columns, units, grain and key are declared."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import DataType, StructField, StructType

from schemas.errors import ContractError


class Confidentiality(StrEnum):
    """On which side of the confidentiality line a table lives."""

    CONFIDENTIAL = "confidential"
    PUBLIC = "public"


@dataclass(frozen=True)
class Column:
    """One column: its name, type, unit and meaning.

    Args:
        name: Column name; units stand in the name as a suffix where there is one.
        type: Spark type; never widened silently.
        meaning: One sentence for the data dictionary.
        unit: Unit of the value, empty where it has none.
        nullable: Whether a missing value is allowed, and then means "unknown".
    """

    name: str
    type: DataType
    meaning: str
    unit: str = ""
    nullable: bool = False


@dataclass(frozen=True)
class Contract:
    """What one row of a table is, and what every producer and reader may rely on.

    Args:
        name: Table name, also its folder under the storage root.
        grain: "one row per ...".
        key: Columns that identify a row; empty where nothing does.
        columns: All columns, in order.
        confidentiality: Side of the confidentiality line.
        version: Raised whenever a column's name, type or meaning changes.
    """

    name: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    confidentiality: Confidentiality
    version: int = 1

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ContractError(f"Contract {self.name} declares a column twice: {names}.")
        if unknown := set(self.key) - set(names):
            raise ContractError(f"Contract {self.name} has a key outside its columns: {sorted(unknown)}.")

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def schema(self) -> StructType:
        """The Spark schema to read the table with; whether a value is missing is for `check` to say.

        Spark takes any column of a file for one that may miss values, whatever it is told. Sail takes our word, and
        then refuses a list that Spark wrote as such a column.
        """
        return StructType([StructField(column.name, column.type) for column in self.columns])

    @property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow schema, for tables that are written without an engine."""
        declared = [StructField(column.name, column.type, column.nullable) for column in self.columns]
        return to_arrow_schema(StructType(declared))

    def conform(self, table: DataFrame) -> DataFrame:
        """Return the table with exactly this contract's columns, in order.

        Never casts: a wrong type is the producer's defect and is refused. Runs no job.

        Raises:
            ContractError: A column is missing or has another type.
        """
        found = {field.name: field.dataType for field in table.schema.fields}
        if wrong := list(self._differences(found)):
            raise ContractError(
                f"Table {self.name} does not keep its contract: {'; '.join(wrong)}.",
                f"the columns {', '.join(self.names)}",
                "correct the stage that produces it",
            )
        return table.select(*self.names)

    def check(self, table: DataFrame) -> None:
        """Run a job that verifies what types cannot say: no missing values, no key twice.

        Raises:
            ContractError: Names the columns concerned, never how many rows.
        """
        required = [column.name for column in self.columns if not column.nullable]
        missing = table.agg(*[F.max(F.col(name).isNull()).alias(name) for name in required]).collect()[0]
        if empty := [name for name in required if missing[name]]:
            raise ContractError(f"Table {self.name} has missing values in {', '.join(empty)}.", "none there")
        if self.key and table.groupBy(*self.key).count().filter("count > 1").limit(1).collect():
            raise ContractError(f"Table {self.name} has rows that share a key.", f"one row per {self.key}")

    def _differences(self, found: dict[str, DataType]) -> Iterator[str]:
        for column in self.columns:
            if column.name not in found:
                yield f"column {column.name} is missing"
            elif _bare(found[column.name]) != _bare(column.type):
                actual, wanted = found[column.name].simpleString(), column.type.simpleString()
                yield f"column {column.name} is {actual} and not {wanted}"


def _bare(data_type: DataType) -> str:
    """Return the type without nullability, which engines report differently after a read."""
    return data_type.simpleString()
