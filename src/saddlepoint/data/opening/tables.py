"""Opens .csv, .tsv, .parquet and .feather files and pandas, polars or pyarrow frames, as points or as a table.

A frame whose columns are all plain numbers is opened as points. One with text, categories, dates or missing cells is a
table: the kinds of its columns are inferred, shown to the user, and can be overridden (`--column NAME=KIND`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.opening.arrays import FEWEST_ROWS, one_per_row
from saddlepoint.data.tables.csv import narrow
from saddlepoint.data.tables.parquet import ParquetRows
from saddlepoint.data.tables.read import ReadTable, read_table, table_of, table_suffix, to_frame
from saddlepoint.data.tables.schema import infer
from saddlepoint.data.tables.types import (
    Column,
    Reason,
    almost_numeric,
    decoded,
    is_numeric,
    is_text,
)
from saddlepoint.data.transforms.streaming import infer_from, sample_rows
from saddlepoint.errors import InputError, unknown

_DECIMAL_COMMA, _WHOLE = r"^\s*[+-]?[0-9]+,[0-9]+\s*$", r"^\s*[+-]?[0-9]+\s*$"
_OTHER_DELIMITERS = {":": "a colon", " ": "blanks", "~": "'~'", "^": "'^'", "\x1f": "a unit separator"}
_ROWS_CHECKED = 200


def open_table(
    path: Path, *, label: Any = None, group: Any = None, columns: Mapping[str, str] | None = None
) -> Dataset:
    """Open a table file; a first line of numbers only is data, unless it is 0, 1, 2, ... (names).

    path: the file.
    label: name of the label column, or the labels themselves, (n,).
    group: name of the group column, or the groups themselves, (n,).
    columns: kinds of columns in place of those inferred; if given, the rows are a table even if all are numbers.

    Raises:
        InputError: the file cannot be read, or its rows cannot be learnt.
    """
    suffix = table_suffix(path) or path.suffix
    if suffix == ".parquet" and (large := ParquetRows.of(path)) is not None:
        return _large_table(large, path=path, label=label, group=group, columns=columns)
    read = read_table(path)
    if columns is None:
        _refuse_other_delimiter(read.table, str(path))
    form = suffix.removeprefix(".").removesuffix(".gz")
    dataset = _open(read.table, name=str(path), form=form, label=label, group=group, columns=columns)
    note = read.describe_header()
    return replace(
        dataset,
        name=path.name[: -len(suffix)],
        notes=(*([] if note is None else [note]), *dataset.notes),
        pandas=read.pandas if dataset.kind == "tables" else None,
    )


def open_frame(
    frame: Any, *, label: Any = None, group: Any = None, columns: Mapping[str, str] | None = None
) -> Dataset:
    """Open a pandas, polars or pyarrow frame; arguments as for `open_table`."""
    dataset = _open(
        table_of(frame), name="the table", form="frame", label=label, group=group, columns=columns
    )
    return replace(dataset, name="table")


def is_frame(source: Any) -> bool:
    """Return whether `source` is a frame with named columns, without importing the library it may come from."""
    kind = type(source)
    known = ("pandas", "polars", "pyarrow", "modin", "cudf", "narwhals")
    return kind.__module__.split(".")[0] in known and hasattr(kind, "columns")


def _open(
    table: pa.Table, *, name: str, form: str, label: Any, group: Any, columns: Mapping[str, str] | None
) -> Dataset:
    if table.num_rows < 2:
        raise InputError(f"{name} holds one row; {FEWEST_ROWS}.")
    values = {
        word: _values_of(table, each, name, word) for word, each in (("label", label), ("group", group))
    }
    excluded = [each for each in (label, group) if isinstance(each, str)]
    kept = table.select([each for each in table.column_names if each not in excluded])
    if kept.num_columns == 0:
        raise InputError(f"{name} has no column left to learn from besides the label and group columns.")
    common: dict[str, Any] = {
        "name": name,
        "form": form,
        "labels": one_per_row(values["label"], table.num_rows, name, "labels"),
        "groups": one_per_row(values["group"], table.num_rows, name, "groups"),
        "columns": tuple(kept.column_names),
        "shape": (kept.num_columns,),
    }
    for column in kept.column_names:
        _refuse_infinite(decoded(kept[column]), column, name)
    if columns is None and _why_table(kept, {}) is None:
        rows, dtypes = _points(kept, name)
        return Dataset(kind="points", rows=rows, dtypes=dtypes, dtype=rows.dtype.name, **common)
    kept, notes = _convert_dirty_columns(kept, columns or {})
    schema = infer(ReadTable(kept), columns, name=name)
    for each in schema.columns:
        if each.reason is not Reason.GIVEN:
            _refuse_decimal_commas(decoded(kept[each.name]), each.name, name)
    reason = _why_table(kept, columns or {})
    notes += [f"learnt as a table, because {reason}"] if reason else []
    notes += [note for each in schema.columns if (note := _note_on(each)) is not None]
    return Dataset(
        kind="tables",
        rows=to_frame(kept),
        dtypes=tuple(str(field.type) for field in kept.schema),
        dtype="table",
        notes=tuple(notes),
        schema=schema,
        **common,
    )


def _why_table(table: pa.Table, overrides: Mapping[str, str]) -> str | None:
    """Return why a table is not points; None if all columns are plain numbers, and no kind is given."""
    for name in table.column_names:
        cells = table[name]
        if name in overrides and not cells.null_count:
            continue  # the kind that the user gave decides, not the cells
        if pa.types.is_dictionary(cells.type):
            return f"column {name!r} holds categories"
        if pa.types.is_temporal(cells.type):
            return f"column {name!r} holds dates"
        if not (is_numeric(cells.type) or pa.types.is_boolean(cells.type)):
            return f"column {name!r} holds {'nothing' if pa.types.is_null(cells.type) else 'text'}"
        if cells.null_count:
            return f"column {name!r} has missing cells"
    return f"the kind of column {next(iter(overrides))!r} is given" if overrides else None


def _note_on(column: Column) -> str | None:
    """Return a note on a column that the user may want to be of another kind."""
    if column.dirty is not None:
        plural, other = column.dirty.plural, column.dirty.kind
        return (
            f"column {column.name!r} is learnt as {column.kind}, because it holds {plural} except {column.dirty.describe()} "
            f"(--column {column.name}={other} learns it as {plural} and takes such cells as missing)"
        )
    if column.reason is Reason.DISTINCT_TEXT:
        return (
            f"column {column.name!r} is treated as an identifier ({column.describe()}): it is not learnt, and new values are "
            f"generated in the same format (--column {column.name}=categorical learns its values as categories)"
        )
    return None


def _convert_dirty_columns(table: pa.Table, columns: Mapping[str, str]) -> tuple[pa.Table, list[str]]:
    """Return the table with text columns as numbers or dates where the user gave that kind, and notes on the cells lost."""
    notes = []
    for name in [each for each in columns if each in table.column_names]:
        cells = decoded(table[name])
        found = almost_numeric(cells) if columns[name] in ("numeric", "integer", "date-time") else None
        if found is None or (columns[name] == "date-time") != (found.kind == "date-time"):
            continue
        good = pc.if_else(found.wrong, pa.scalar(None, cells.type), cells)
        good = narrow(good) if found.kind == "numeric" else good
        table = table.set_column(table.column_names.index(name), name, good)
        notes.append(f"column {name!r} has {found.describe()}: taken as missing")
    return table, notes


def _large_table(
    rows: ParquetRows, *, path: Path, label: Any, group: Any, columns: Mapping[str, str] | None
) -> Dataset:
    """Return a Parquet file that is too large for memory as a table whose rows stay in the file."""
    for word, value in (("label", label), ("group", group)):
        if value is not None:
            raise InputError(
                f"{path} is read in parts, because it holds {len(rows):,} rows of {rows.shape[1]} columns, and a {word} column "
                f"needs all rows at once: leave {word} out, or give fewer rows."
            )
    sample = sample_rows(rows)
    schema = infer_from(sample, columns, len(rows), name=str(path))
    notes = ["read in parts, because the file is too large for memory; identical rows are not searched for"]
    for column in schema.columns:
        if (found := column.dirty) is not None:
            notes.append(
                f"column {column.name!r} is learnt as categorical, because {found.count:,} of {len(sample):,} sampled "
                f"rows hold no {found.plural[:-1]}, such as {found.cell!r} (to learn it as {found.plural}, write the file with "
                f"{found.plural} in this column and such cells missing)"
            )
    return Dataset(
        name=path.stem,
        kind="tables",
        rows=rows,
        columns=rows.columns,
        dtypes=tuple(str(each.pyarrow_dtype) for each in sample.dtypes),
        form="parquet",
        shape=(rows.shape[1],),
        dtype="table",
        notes=tuple(notes),
        schema=schema,
        pandas=rows.pandas,
    )


def _refuse_decimal_commas(cells: pa.ChunkedArray, column: str, name: str) -> None:
    if not is_text(cells):
        return
    present = pc.drop_null(cells)
    with_comma = pc.match_substring_regex(present, _DECIMAL_COMMA)
    if len(present) and pc.all(pc.or_(with_comma, pc.match_substring_regex(present, _WHOLE))).as_py():
        first = pc.index(with_comma, True).as_py()
        if first >= 0:
            raise InputError(
                f"column {column!r} of {name} holds numbers with a decimal comma, such as {present[first].as_py()!r}; write "
                f"them with a point, or take them as categories with --column {column}=categorical."
            )


def _refuse_other_delimiter(table: pa.Table, name: str) -> None:
    """Refuse a text file read as one column if its name and every cell hold another possible delimiter equally often.

    Raises:
        InputError: names that character, and the delimiters that are allowed.
    """
    if table.num_columns != 1 or not is_text(table[0]) or table[0].null_count:
        return
    header, first_cells = table.column_names[0], table[0].slice(0, _ROWS_CHECKED).to_pylist()
    tabs = ".tsv" in name.lower()
    others = _OTHER_DELIMITERS | ({",": "a comma", ";": "a semicolon", "|": "'|'"} if tabs else {})

    def times(text: str, character: str) -> int:
        return len(text.split()) - 1 if character == " " else text.count(character)

    for character, called in others.items():
        count = times(header, character)
        if count and all(times(each, character) == count for each in first_cells):
            raise InputError(
                f"{name} was read as one column, {header!r}, and every line holds {called} {count:,} time{'s' * (count > 1)}: "
                f"cells must be separated by {'a tab in a .tsv' if tabs else 'a comma, semicolon, tab or |'}; write it so"
                f"{' or rename it to .csv' if tabs else ''}, or, if it is one column, give its kind "
                f"with --column '{header}=categorical'."
            )


def _refuse_infinite(cells: pa.ChunkedArray, column: str, name: str) -> None:
    wrong = pc.fill_null(pc.is_inf(cells), False) if pa.types.is_floating(cells.type) else None
    count = 0 if wrong is None else pc.sum(wrong).as_py()
    if count:
        raise InputError(
            f"column {column!r} of {name} has {count:,} infinite cell{'s' * (count > 1)}, first in row "
            f"{pc.index(wrong, True).as_py() + 1}; fill in or leave out these rows."
        )


def _points(table: pa.Table, name: str) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Return a table of plain numbers as one array (n, d), and the dtype of each column.

    Raises:
        InputError: whole numbers too large for the decimals' format.
    """
    arrays = [_numbers(table[column]) for column in table.column_names]
    dtype = np.result_type(*arrays)
    if dtype.kind == "f":
        for column, array in zip(table.column_names, arrays, strict=True):
            if array.dtype.kind in "iu" and max(abs(int(array.min())), abs(int(array.max()))) > 2**53:
                raise InputError(
                    f"column {column!r} of {name} holds whole numbers beyond 2^53, which the decimal "
                    "format of the other columns cannot hold exactly; leave it out or divide it."
                )
    rows = np.column_stack([array.astype(dtype) for array in arrays])
    return rows, tuple(array.dtype.name for array in arrays)


def _values_of(table: pa.Table, requested: Any, name: str, word: str) -> Any:
    """Return the values of a label or group column given by name; values are returned unchanged."""
    if not isinstance(requested, str):
        return requested
    if requested not in table.column_names:
        raise unknown(f"{name} has no {word} column", requested, table.column_names, "It has")
    cells = table[requested]
    if cells.null_count:
        plural = "s" * (cells.null_count > 1)
        raise InputError(
            f"{word} column {requested!r} of {name} has {cells.null_count:,} missing cell{plural}, first in row "
            f"{pc.index(cells.is_null(), True).as_py() + 1}; fill them in or leave these rows out."
        )
    kind = decoded(cells).type
    if is_numeric(kind) or pa.types.is_boolean(kind):
        return _numbers(cells)
    return pd.arrays.ArrowExtensionArray(cells).to_numpy(dtype=np.str_)


def _numbers(cells: pa.ChunkedArray) -> npt.NDArray[Any]:
    """Return cells that are all numbers as numpy numbers; decimals become float64."""
    kind = decoded(cells).type
    dtype = np.dtype(np.float64 if pa.types.is_decimal(kind) else kind.to_pandas_dtype())
    return np.asarray(pd.arrays.ArrowExtensionArray(cells).to_numpy(dtype=dtype))
