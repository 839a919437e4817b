"""The two forms of a published table, CSV and Parquet: equal values, equal bytes on every call.

Values are rounded once, to 3 decimals of their unit. The double nearest to k/1000 is also what a reader of
the CSV's decimal text gets, so the two files hold the same numbers bit by bit.
"""

import csv
import io
import json
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from schemas.contract import Column, Contract
from schemas.errors import BundleError, ContractError
from schemas.published import PUBLIC_TABLES

DECIMALS: Final = 3
"""Decimals of a published number: finer than any noise that policy allows, coarse enough to read."""


def public_contract(product: str) -> Contract:
    """Return the contract of a published product.

    Raises:
        BundleError: No public table has this name.
    """
    contracts = {contract.name: contract for contract in PUBLIC_TABLES}
    if product not in contracts:
        raise BundleError(
            f"Product {product!r} has no public table.",
            f"one of {', '.join(contracts)}",
            "use the version of Whimbrel that made the bundle, or a later one",
        )
    return contracts[product]


def arrow_schema(contract: Contract) -> pa.Schema:
    """Return the contract as an Arrow schema: order, types, nullability, meaning and unit of each column."""
    metadata = {"contract": contract.name, "contract_version": str(contract.version), "grain": contract.grain}
    fields = [_described(*pair) for pair in zip(contract.arrow_schema, contract.columns, strict=True)]
    return pa.schema(fields, metadata=metadata)


def published_table(table: pa.Table, contract: Contract) -> pa.Table:
    """Return the rows as they are published: the contract's schema, numbers rounded to `DECIMALS`.

    Raises:
        ContractError: The table does not have the contract's columns, or misses a value it must have.
    """
    schema = arrow_schema(contract)
    require_contract(table, contract)
    columns = [_rounded(table[field.name]).cast(field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def require_contract(table: pa.Table, contract: Contract) -> None:
    """Refuse a table that has other columns, another order, other types or missing values.

    Raises:
        ContractError: Names the columns concerned.
    """
    schema = arrow_schema(contract)
    if table.schema.names != schema.names or table.schema.types != schema.types:
        found = ", ".join(f"{field.name} {field.type}" for field in table.schema)
        expected = ", ".join(f"{field.name} {field.type}" for field in schema)
        raise ContractError(f"Table {contract.name} has the columns {found}.", expected)
    if empty := [field.name for field in schema if not field.nullable and table[field.name].null_count]:
        raise ContractError(f"Table {contract.name} has missing values in {', '.join(empty)}.", "none there")


def csv_bytes(table: pa.Table) -> bytes:
    r"""Return the table as CSV: plain header, RFC 4180, UTF-8, lines ending in "\n", missing is empty."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow(table.schema.names)
    writer.writerows(zip(*[map(_csv_text, column.to_pylist()) for column in table.columns], strict=True))
    return sink.getvalue().encode()


def parquet_bytes(table: pa.Table) -> bytes:
    """Return the table as one zstd-compressed Parquet file that carries each column's meaning and unit."""
    sink = io.BytesIO()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **_pandas_note(table.schema)})
    pq.write_table(table, sink, compression="zstd", compression_level=9, version="2.6")
    return sink.getvalue()


def read_csv(content: bytes, contract: Contract) -> pa.Table:
    """Read a published CSV with the contract's types; nothing is inferred.

    Raises:
        BundleError: It cannot be read so.
    """
    convert = pa_csv.ConvertOptions(
        column_types=arrow_schema(contract),
        strings_can_be_null=True,
        null_values=[""],
        true_values=["true"],
        false_values=["false"],
    )
    try:
        return pa_csv.read_csv(io.BytesIO(content), convert_options=convert)
    except pa.ArrowInvalid as error:
        raise _unreadable(f"{contract.name}.csv", error) from error


def read_parquet(content: bytes, contract: Contract, *, most_rows: int) -> pa.Table:
    """Read a published Parquet file that may not hold more rows than `most_rows`.

    Raises:
        BundleError: It cannot be read, or declares more rows: a small file can unfold into a huge table.
    """
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        if file.metadata.num_rows > most_rows:
            raise BundleError(
                f"{contract.name}.parquet declares more rows than the CSV has.",
                "equal tables",
                "do not use the bundle; ask its publisher",
            )
        return file.read()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(f"{contract.name}.parquet", error) from error


def _unreadable(name: str, error: Exception) -> BundleError:
    return BundleError(
        f"{name} cannot be read: {error}.", "a table of the published contract", "fetch the bundle again"
    )


def _pandas_note(schema: pa.Schema) -> dict[str, str]:
    # Without it pandas, and frictionless through pandas, read a whole number that may be missing as a float.
    columns = [
        {
            "name": field.name,
            "field_name": field.name,
            "pandas_type": str(field.type),
            "numpy_type": str(field.type).capitalize(),
            "metadata": None,
        }
        for field in schema
        if field.nullable and pa.types.is_integer(field.type)
    ]
    return {"pandas": json.dumps({"index_columns": [], "column_indexes": [], "columns": columns})}


def _csv_text(value: str | float | bool | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.{DECIMALS}f}"
        case _:
            return str(value)


def _described(field: pa.Field, column: Column) -> pa.Field:
    return field.with_metadata({"meaning": column.meaning, "unit": column.unit})


def _rounded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    scale = 10.0**DECIMALS
    # Dividing an integer by the scale is correctly rounded; adding zero turns -0.0 into 0.0.
    values = np.rint(column.to_numpy() * scale) / scale + 0.0
    return pa.chunked_array([pc.if_else(column.combine_chunks().is_valid(), pa.array(values), None)])
