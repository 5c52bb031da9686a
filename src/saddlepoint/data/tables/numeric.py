"""Tables as float64 matrices for the judge, with one set of category codes for the real and the fake table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables.types import Column, Kind, booleans, decoded, numbers, seconds


@dataclass(frozen=True, kw_only=True, eq=False)
class NumericTable:
    """A table as a float64 matrix.

    values: float64 (n, d), NaN for null. Numbers are unchanged, date-time is seconds since 1970-01-01 (UTC),
        boolean is 0 and 1, categories are codes.
    categorical: bool (d,), True where a column holds codes.
    names: (d,) column names.
    kinds: (d,) kinds of the columns.
    categories: for each column the text of each code; None for numbers.
    left_out: (name, reason) of each column that is not in the matrix.
    """

    values: np.ndarray
    categorical: np.ndarray
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    categories: tuple[tuple[str, ...] | None, ...]
    left_out: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.values)


def numeric_tables_of(
    columns: Sequence[Column], frames: Sequence[pa.Table | pd.DataFrame], *, tables: Sequence[str]
) -> tuple[NumericTable, ...]:
    """Return one matrix for each frame, all with the same columns and category codes.

    Codes count from 0 in order of falling frequency in the first frame (ties in the order of the texts); values
    that only later frames hold come after them. Identifiers are left out; where a frame has nulls in one, the
    matrix says for each row whether it is present. A constant is left out unless a frame differs in it; then it
    is treated as categories.

    columns: types of the columns.
    frames: Arrow tables, or frames of `tables.read.frame_of`; only these columns are read.
    tables: what messages call each frame.

    Raises:
        InputError: a cell is not of its column's kind.
    """
    kept: list[tuple[Column, list[np.ndarray], tuple[str, ...] | None]] = []
    left_out: list[tuple[str, str]] = []
    for column in columns:
        sides = [decoded(cells_of(frame, column.name)) for frame in frames]
        if column.kind == "identifier":
            if any(side.null_count for side in sides):
                kept.append(
                    (column, [np.where(side.is_valid(), 0.0, np.nan) for side in sides], ("present",))
                )
            left_out.append((column.name, f"identifier: {column.describe()}"))
        elif column.kind in ("categorical", "constant"):
            codes, texts = _codes(sides)
            if column.kind == "constant" and len({code for side in codes for code in np.unique(side)}) == 1:
                left_out.append((column.name, "constant: every row holds the same value"))
            else:
                kept.append((column, codes, texts))
        else:
            values = [_numbers(column, side, table=table) for side, table in zip(sides, tables, strict=True)]
            kept.append((column, values, ("false", "true") if column.kind == "boolean" else None))
    return tuple(
        NumericTable(
            values=np.column_stack([values[i] for _, values, _ in kept])
            if kept
            else np.empty((len(frame), 0)),
            categorical=np.array([texts is not None for _, _, texts in kept], dtype=bool),
            names=tuple(column.name for column, _, _ in kept),
            kinds=tuple(column.kind for column, _, _ in kept),
            categories=tuple(texts for _, _, texts in kept),
            left_out=tuple(left_out),
        )
        for i, frame in enumerate(frames)
    )


def cells_of(frame: pa.Table | pd.DataFrame, name: str) -> pa.ChunkedArray:
    """Return one column of an Arrow table, or of a frame of `tables.read.frame_of`, as Arrow cells."""
    if isinstance(frame, pa.Table):
        return frame[name]
    cells = pa.array(frame[name])
    return cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([cells])


def _numbers(column: Column, cells: pa.ChunkedArray, *, table: str) -> np.ndarray:
    if column.kind == "date-time":
        return seconds(cells, column.date_format, name=column.name, table=table)
    if column.kind == "boolean":
        return booleans(cells, name=column.name, table=table)
    return numbers(cells, name=column.name, table=table)


def _codes(sides: list[pa.ChunkedArray]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return the codes of each side, NaN for null, and the text of each code."""
    as_text = [_as_text(side) for side in sides]
    code_of: dict[str, int] = {}
    for text in as_text:
        counted = pc.value_counts(pc.drop_null(text)).to_pylist()
        for entry in sorted(counted, key=lambda entry: (-entry["counts"], entry["values"])):
            code_of.setdefault(entry["values"], len(code_of))
    texts = tuple(code_of)
    known = pa.array(texts, pa.large_string())
    codes = [pc.index_in(text, value_set=known).cast(pa.float64()).to_numpy() for text in as_text]
    return [np.asarray(side, dtype=float) for side in codes], texts


def _as_text(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    # 3 and 3.0 are one category: codes that were stored as floats in between are still the same codes.
    if pa.types.is_floating(cells.type):
        if pc.all(pc.equal(cells, pc.round(cells)), skip_nulls=True).as_py():
            cells = cells.cast(pa.int64(), safe=False)
    elif pa.types.is_null(cells.type):
        return pa.chunked_array([pa.nulls(len(cells), pa.large_string())])
    return cells.cast(pa.large_string())
