"""Arrays in JSON: numpy arrays as base64 of their little-endian bytes, Arrow tables as base64 of an Arrow IPC stream."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_DTYPES = ("int32", "int64", "uint64", "float64")


def packed(values: npt.NDArray[Any]) -> dict[str, str]:
    """Return a 1-D array of int32, int64, uint64 or float64 as plain JSON values."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return {"dtype": values.dtype.name, "base64": base64.b64encode(little.tobytes()).decode()}


def unpacked(stored: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Return the array that `packed` wrote. Raises KeyError, TypeError or ValueError if it is damaged."""
    if stored["dtype"] not in _DTYPES:
        raise ValueError(f"dtype {stored['dtype']!r}")
    raw = base64.b64decode(stored["base64"], validate=True)
    return np.frombuffer(raw, dtype=np.dtype(stored["dtype"]).newbyteorder("<")).astype(stored["dtype"])


def packed_table(table: pa.Table) -> str:
    """Return an Arrow table, including its schema, as base64 text."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return base64.b64encode(sink.getvalue().to_pybytes()).decode()


def unpacked_table(stored: str) -> pa.Table:
    """Return the table that `packed_table` wrote. Raises ValueError or TypeError if it is damaged."""
    try:
        table = pa.ipc.open_stream(base64.b64decode(stored, validate=True)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"an Arrow stream that cannot be read ({error})") from None
    return table


def packed_values(values: pa.Array) -> str:
    """Return one Arrow array as base64 text."""
    return packed_table(pa.table({"values": values}))


def unpacked_values(stored: str) -> pa.Array:
    """Return the array that `packed_values` wrote. Raises ValueError, TypeError or KeyError if it is damaged."""
    cells = unpacked_table(stored)["values"].combine_chunks()
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells
