"""A table as numbers for the judge: one float64 matrix, categories as codes that both sides share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables.types import Column, Kind, decoded, numbers, seconds, truths


@dataclass(frozen=True, kw_only=True, eq=False)
class NumericTable:
    """A table as numbers.

    `values`: float64 (n, d), NaN for null; numbers as they are, date-time as seconds since 1970, UTC; boolean
    as 0 and 1, categories as codes. `categorical`: bool (d,). `categories`: per column the word of each code,
    None for numbers. `left_out`: (name, reason) of the columns that are not in it.
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
    columns: Sequence[Column], frames: Sequence[pd.DataFrame], *, tables: Sequence[str]
) -> tuple[NumericTable, ...]:
    """Return one Matrix a frame, all with the same columns and code book.

    Codes count from 0 by falling frequency in the first frame (ties by the words), then words of the others
    only. Identifiers are left out, but whether one is there is kept when a frame has nulls in it; a constant
    is left out unless a frame differs in it, and is then judged as categories. Raises InputError when a cell
    is not of its column's kind.
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
            left_out.append((column.name, f"identifier: {column.reason}"))
        elif column.kind in ("categorical", "constant"):
            codes, words = _codes(sides)
            if column.kind == "constant" and len({code for side in codes for code in np.unique(side)}) == 1:
                left_out.append((column.name, "constant: every row holds the same"))
            else:
                kept.append((column, codes, words))
        else:
            values = [_numbers(column, side, table=table) for side, table in zip(sides, tables, strict=True)]
            kept.append((column, values, ("false", "true") if column.kind == "boolean" else None))
    return tuple(
        NumericTable(
            values=np.column_stack([values[i] for _, values, _ in kept])
            if kept
            else np.empty((len(frame), 0)),
            categorical=np.array([words is not None for _, _, words in kept], dtype=bool),
            names=tuple(column.name for column, _, _ in kept),
            kinds=tuple(column.kind for column, _, _ in kept),
            categories=tuple(words for _, _, words in kept),
            left_out=tuple(left_out),
        )
        for i, frame in enumerate(frames)
    )


def cells_of(frame: pd.DataFrame, name: str) -> pa.ChunkedArray:
    """Return one column of a frame of `tables.frame_of` as Arrow cells."""
    cells = pa.array(frame[name])
    return cells if isinstance(cells, pa.ChunkedArray) else pa.chunked_array([cells])


def _numbers(column: Column, cells: pa.ChunkedArray, *, table: str) -> np.ndarray:
    if column.kind == "date-time":
        return seconds(cells, column.date_format, name=column.name, table=table)
    if column.kind == "boolean":
        return truths(cells, name=column.name, table=table)
    return numbers(cells, name=column.name, table=table)


def _codes(sides: list[pa.ChunkedArray]) -> tuple[list[np.ndarray], tuple[str, ...]]:
    """Return the codes of each side, NaN for null, and the words that they stand for."""
    texts = [_words(side) for side in sides]
    book: dict[str, int] = {}
    for text in texts:
        counted = pc.value_counts(pc.drop_null(text)).to_pylist()
        for entry in sorted(counted, key=lambda entry: (-entry["counts"], entry["values"])):
            book.setdefault(entry["values"], len(book))
    words = tuple(book)
    known = pa.array(words, pa.large_string())
    codes = [pc.index_in(text, value_set=known).cast(pa.float64()).to_numpy() for text in texts]
    return [np.asarray(side, dtype=float) for side in codes], words


def _words(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    # 3 and 3.0 are one category: a file that passed through floats is no other language.
    if pa.types.is_floating(cells.type):
        if pc.all(pc.equal(cells, pc.round(cells)), skip_nulls=True).as_py():
            cells = cells.cast(pa.int64(), safe=False)
    elif pa.types.is_null(cells.type):
        return pa.chunked_array([pa.nulls(len(cells), pa.large_string())])
    return cells.cast(pa.large_string())
