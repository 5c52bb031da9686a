"""Tables in: .csv, .tsv, .parquet, .feather and pandas, polars or pyarrow frames.

Plain numbers throughout are points; anything with text, categories, dates or missing cells is a table.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from saddlepoint.data.arrays import check_finite, one_per_row
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.parquet_rows import ParquetRows
from saddlepoint.data.reading import foreign_bytes, refuse_bomb
from saddlepoint.data.table_opening import (
    dataset_of_large_table,
    dataset_of_table,
    refuse_other_delimiter,
    why_table,
)
from saddlepoint.data.tables import frame_of, pandas_dtypes, read_as_written, read_table, table_suffix
from saddlepoint.errors import InputError, nearest


def open_table(
    path: Path, *, label: Any = None, group: Any = None, columns: Mapping[str, str] | None = None
) -> Dataset:
    """Open a table file; a first line of numbers only is data, except 0, 1, 2, ... (names).

    columns: kinds of columns in place of those inferred; with them it is a table, whatever it holds.
    """
    suffix = table_suffix(path) or path.suffix
    if suffix.endswith(".gz"):
        _refuse_gzip_bomb(path)
    notes: tuple[str, ...] = ()
    if suffix == ".parquet" and (large := ParquetRows.of(path)) is not None:
        opened = dataset_of_large_table(large, path=path, label=label, group=group, columns=columns)
        return replace(opened, pandas=pandas_dtypes(path))
    if "csv" in suffix or "tsv" in suffix:
        frame, note = read_as_written(path)
        if columns is None:
            refuse_other_delimiter(frame, str(path))
        notes = () if note is None else (note,)
    else:
        with foreign_bytes(str(path), f"a {suffix[1:]} file"):
            frame = read_table(path)
            # Arrow checks offsets and the encoding of texts only when asked; unchecked they crash later.
            pa.Table.from_pandas(frame).validate(full=True)
    form = suffix.removeprefix(".").removesuffix(".gz")
    dataset = _from_frame(frame, name=str(path), form=form, label=label, group=group, columns=columns)
    dtypes = pandas_dtypes(path) if dataset.kind == "tables" and form in ("parquet", "feather") else None
    return replace(dataset, name=path.name[: -len(suffix)], notes=(*notes, *dataset.notes), pandas=dtypes)


def open_frame(
    frame: Any, *, label: Any = None, group: Any = None, columns: Mapping[str, str] | None = None
) -> Dataset:
    """Open a pandas, polars or pyarrow frame; columns as for `open_table`."""
    dataset = _from_frame(
        frame_of(frame), name="the table", form="frame", label=label, group=group, columns=columns
    )
    return replace(dataset, name="table")


def _from_frame(
    frame: pd.DataFrame, *, name: str, form: str, label: Any, group: Any, columns: Mapping[str, str] | None
) -> Dataset:
    if columns is None and why_table(frame, aside=(label, group)) is None:
        return points_from_frame(frame, name=name, form=form, label=label, group=group)
    return dataset_of_table(
        frame,
        name=name,
        form=form,
        labels=_aside(frame, label, name, "label"),
        groups=_aside(frame, group, name, "group"),
        aside=(label, group),
        columns=columns,
    )


def is_frame(source: Any) -> bool:
    """Return whether `source` is a frame with named columns, without importing what it may come from."""
    kind = type(source)
    known = ("pandas", "polars", "pyarrow", "modin", "cudf", "narwhals")
    return kind.__module__.split(".")[0] in known and hasattr(kind, "columns")


def points_from_frame(
    frame: pd.DataFrame, *, name: str, form: str, label: Any = None, group: Any = None
) -> Dataset:
    """Return an Arrow-backed frame (`tables.read_table`) of plain numbers, none missing, as points.

    Whole and decimal columns share one array; `dtypes` keeps what each was.

    Raises:
        InputError: infinity; whole numbers that do not fit beside decimals; fewer than 2 rows.
    """
    if len(frame) < 2:
        raise InputError(f"{name} holds one row; at least 2 are needed, and some hundreds to learn from.")
    labels = _aside(frame, label, name, "label")
    groups = _aside(frame, group, name, "group")
    columns = [str(column) for column in frame.columns if not _is_named(column, label, group)]
    if not columns:
        raise InputError(f"{name} has no column left to learn from beside the label and group columns.")
    arrays = [_numbers(frame[column]) for column in columns]
    dtype = np.result_type(*arrays)
    if dtype.kind == "f":
        for column, array in zip(columns, arrays, strict=True):
            if array.dtype.kind in "iu" and max(abs(int(array.min())), abs(int(array.max()))) > 2**53:
                raise InputError(
                    f"column {column!r} of {name} holds whole numbers beyond 2^53, which decimals in "
                    f"the other "
                    "columns' format cannot hold; leave it out or divide it."
                )
    rows = np.column_stack([array.astype(dtype) for array in arrays])
    for index, column in enumerate(columns):
        _refuse_infinite(rows[:, index], column, name)
    check_finite(rows, name)
    return Dataset(
        name=name,
        kind="points",
        rows=rows,
        labels=one_per_row(labels, len(frame), name, "labels"),
        groups=one_per_row(groups, len(frame), name, "groups"),
        columns=tuple(columns),
        dtypes=tuple(array.dtype.name for array in arrays),
        form=form,
        shape=(len(columns),),
        dtype=dtype.name,
    )


def _is_named(column: Any, *names: Any) -> bool:
    return any(isinstance(name, str) and name == column for name in names)


def _aside(frame: pd.DataFrame, asked: Any, name: str, word: str) -> Any:
    """Return the values of a label or group column asked by name; values given are returned as they are."""
    if not isinstance(asked, str):
        return asked
    columns = [str(column) for column in frame.columns]
    if asked not in columns:
        listed = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
        raise InputError(
            f"{name} has no {word} column {asked!r}{nearest(asked, columns) or '.'} It has {listed}."
        )
    values = frame[asked]
    if values.isna().any():
        missing = np.flatnonzero(values.isna())
        raise InputError(
            f"{word} column {asked!r} of {name} has {_times(len(missing), 'missing cell')}, first in row "
            f"{missing[0] + 1}; fill them in or leave these rows out."
        )
    return values.to_numpy(dtype=np.str_) if _kind(values) in ("text", "dates") else _numbers(values)


def _kind(column: pd.Series[Any]) -> str:
    """Return "numbers", "text", "dates" or "nothing" (all cells missing) for an Arrow-backed column."""
    if bool(column.isna().all()):
        return "nothing"
    arrow = column.dtype.pyarrow_dtype  # type: ignore[union-attr]
    arrow = arrow.value_type if pa.types.is_dictionary(arrow) else arrow
    if (
        pa.types.is_integer(arrow)
        or pa.types.is_floating(arrow)
        or pa.types.is_boolean(arrow)
        or pa.types.is_decimal(arrow)
    ):
        return "numbers"
    return "dates" if pa.types.is_temporal(arrow) else "text"


def _refuse_infinite(values: npt.NDArray[Any], called: str, name: str) -> None:
    if values.dtype.kind == "f" and np.isinf(values).any():
        rows = np.flatnonzero(np.isinf(values))
        raise InputError(
            f"column {called!r} of {name} has {_times(len(rows), 'infinite cell')}, first in row "
            f"{rows[0] + 1}; "
            "fill in or leave out these rows."
        )


def _times(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _numbers(column: pd.Series[Any]) -> npt.NDArray[Any]:
    """Return an Arrow-backed column of numbers without nulls as numpy numbers; decimals become float64."""
    arrow = column.dtype.pyarrow_dtype  # type: ignore[union-attr]
    arrow = arrow.value_type if pa.types.is_dictionary(arrow) else arrow
    plain = np.dtype(np.float64) if pa.types.is_decimal(arrow) else np.dtype(arrow.to_pandas_dtype())
    return column.to_numpy(dtype=plain)


def _refuse_gzip_bomb(path: Path) -> None:
    """Unpack in parts, keeping nothing, to know the size before it is all in memory."""
    packed, unpacked = path.stat().st_size, 0
    with foreign_bytes(str(path), "a gzip file"), gzip.open(path) as stream:
        while part := stream.read(2**20):
            unpacked += len(part)
            refuse_bomb(str(path), unpacked, packed)
