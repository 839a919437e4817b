"""What is sealed, whatever the product: columns of numbers with the facts that explain them; and what it says."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from privacy.canonical import JsonValue, canonical_json
from privacy.zoning import AdminUnits

_METADATA: Final = b"whimbrel"


class Opened(NamedTuple):
    """A sealed artefact, read: a deterministic function of its bytes.

    Args:
        table: Rows of the product's public contract.
        base_cells: The public domain of zones at the base resolution, sorted; empty where the product has none.
        card: What a reader has to know, but for the seal.
        units: The administrative units of the domain, where they are its zones.
    """

    table: pa.Table
    base_cells: tuple[str, ...]
    card: Mapping[str, JsonValue]
    units: AdminUnits | None = None


def sealed_bytes(schema: pa.Schema, columns: Mapping[str, npt.NDArray[np.integer[Any]]], facts: JsonValue) -> bytes:
    """Write columns and facts as an Arrow stream; equal ones give equal bytes."""
    table = pa.table(columns, schema=schema.with_metadata({_METADATA: canonical_json(facts)}))
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def unsealed(data: bytes, schema: pa.Schema) -> tuple[list[npt.NDArray[Any]], dict[str, Any]]:
    """Read what `sealed_bytes` wrote: the columns in the order of the schema, and the facts.

    Raises:
        pa.ArrowInvalid, OSError, KeyError, TypeError, ValueError: The bytes are no such stream.
    """
    table = pa.ipc.open_stream(data).read_all()
    return [table[name].to_numpy() for name in schema.names], json.loads(table.schema.metadata[_METADATA])
