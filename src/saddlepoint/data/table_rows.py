"""The rows of a table as codes: which rows are the same, and a checksum of all of them."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.table_matrix import cells_of


def codes_of(frame: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Return (n, d) codes: equal within a column where the cells are, -1 where missing."""
    return np.column_stack([_coded(cells_of(frame, str(name)))[0] for name in frame.columns])


def digest_of(frame: pd.DataFrame) -> bytes:
    """Return the sha256 over names, types and cells of a frame of Arrow-backed columns."""
    digest = hashlib.sha256()
    for name in frame.columns:
        cells = cells_of(frame, str(name))
        codes, values = _coded(cells)
        words = "\x00".join(str(word) for word in values.cast(pa.large_string()).to_pylist())
        digest.update(f"{name}\x00{cells.type}\x00{words}\x00".encode())
        digest.update(np.ascontiguousarray(codes, dtype="<i4").tobytes())
    return digest.digest()


def _coded(cells: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return codes by first appearance, and the values they stand for."""
    plain = cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
    whole = plain.combine_chunks()
    coded = pc.dictionary_encode(whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole)
    return np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)), coded.dictionary
