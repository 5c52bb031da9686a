"""Opens .csv, .tsv, .parquet and .feather files and pandas, polars or pyarrow frames, as points or as a table.

A frame whose columns are all plain numbers is opened as points. One with text, categories, dates or missing cells is a
table: the kinds of its columns are inferred, shown to the user, and can be overridden (`--column NAME=KIND`).
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
import pyarrow.compute as pc

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.opening.arrays import check_finite, one_per_row
from saddlepoint.data.tables.csv import narrow
from saddlepoint.data.tables.numeric import cells_of
from saddlepoint.data.tables.parquet import ParquetRows
from saddlepoint.data.tables.read import frame_of, pandas_dtypes, read_as_written, read_table, table_suffix
from saddlepoint.data.tables.schema import infer
from saddlepoint.data.tables.types import GIVEN, almost_numeric, decoded
from saddlepoint.data.transforms.streaming import infer_from, sample_rows
from saddlepoint.data.untrusted import decode_errors_as_input_error, refuse_bomb
from saddlepoint.errors import InputError, nearest

_DECIMAL_COMMA, _WHOLE = r"^\s*[+-]?[0-9]+,[0-9]+\s*$", r"^\s*[+-]?[0-9]+\s*$"
_OTHER_DELIMITERS = {":": "a colon", " ": "blanks", "~": "'~'", "^": "'^'", "\x1f": "a unit separator"}
_ROWS_CHECKED = 200


def why_table(
    frame: pd.DataFrame, *, excluded: tuple[Any, ...] = (), overrides: Mapping[str, str] | None = None
) -> str | None:
    """Return why an Arrow-backed frame is a table and not points; None if all columns are plain numbers.

    frame: the frame.
    excluded: names of columns that are not learnt (label, group).
    overrides: kinds of columns in place of those inferred.
    """
    for name in frame.columns:
        if any(isinstance(each, str) and each == name for each in excluded):
            continue
        if overrides and name in overrides and not frame[name].isna().any():
            continue  # the kind that the user gave decides, not the cells
        kind = frame[name].dtype.pyarrow_dtype  # type: ignore[union-attr]
        if pa.types.is_dictionary(kind):
            return f"column {name!r} holds categories"
        if pa.types.is_temporal(kind):
            return f"column {name!r} holds dates"
        if not (
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_decimal(kind)
        ):
            return f"column {name!r} holds {'nothing' if pa.types.is_null(kind) else 'text'}"
        if frame[name].isna().any():
            return f"column {name!r} has missing cells"
    return None if not overrides else f"the kind of column {next(iter(overrides))!r} is given"


def dataset_of_table(
    frame: pd.DataFrame,
    *,
    name: str,
    form: str,
    labels: Any = None,
    groups: Any = None,
    excluded: tuple[Any, ...] = (),
    columns: Mapping[str, str] | None = None,
) -> Dataset:
    """Return an Arrow-backed frame as a table.

    Args:
        frame: the frame.
        name: what messages call it.
        form: the format it was read from.
        labels: (n,) class of each row, or None.
        groups: (n,) group of each row, or None.
        excluded: names of columns that are not learnt (label, group).
        columns: kinds of columns in place of those inferred, {"age": "integer"}.

    Raises:
        InputError: one row, infinite numbers, or a column that cannot be of the kind given.
    """
    if len(frame) < 2:
        raise InputError(f"{name} holds one row; at least 2 are needed, and some hundreds to learn from.")
    kept = frame[
        [each for each in frame.columns if not any(isinstance(n, str) and n == each for n in excluded)]
    ]
    if kept.shape[1] == 0:
        raise InputError(f"{name} has no column left to learn from besides the label and group columns.")
    kept, notes = _convert_dirty_columns(kept, columns or {})
    schema = infer(kept, columns, name=name)
    for column in schema.columns:
        if column.reason != GIVEN:
            _refuse_decimal_commas(decoded(cells_of(kept, column.name)), column.name, name)
        _refuse_infinite_cells(decoded(cells_of(kept, column.name)), column.name, name)
    reason = why_table(kept, overrides=columns)
    notes += [f"learnt as a table, because {reason}"] if reason else []
    notes += [
        f"column {column.name!r} is learnt as {column.kind}, because it holds {text} "
        f"(--column {column.name}={'date-time' if text.startswith('dates') else 'numeric'} learns it as {text.split()[0]} "
        "and takes such cells as missing)"
        for column in schema.columns
        if (text := column.reason.partition("; ")[2])
    ]
    notes += [
        f"column {column.name!r} is treated as an identifier ({column.reason}): it is not learnt, and new values are generated "
        f"in the same format (--column {column.name}=categorical learns its values as categories)"
        for column in schema.columns
        if column.kind == "identifier" and "text" in column.reason
    ]
    return Dataset(
        name=name,
        kind="tables",
        rows=kept.reset_index(drop=True),
        labels=one_per_row(labels, len(frame), name, "labels"),
        groups=one_per_row(groups, len(frame), name, "groups"),
        columns=tuple(str(each) for each in kept.columns),
        dtypes=tuple(str(each.pyarrow_dtype) for each in kept.dtypes),
        form=form,
        shape=(kept.shape[1],),
        dtype="table",
        notes=tuple(notes),
        schema=schema,
    )


def _convert_dirty_columns(frame: pd.DataFrame, columns: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """Return the frame with text columns as numbers or dates where the user gave that kind, and notes on the cells lost."""
    kept, notes = frame.copy(deep=False), []
    for name in [each for each in columns if each in frame]:
        cells = decoded(cells_of(frame, name))
        found = almost_numeric(cells) if columns[name] in ("numeric", "integer", "date-time") else None
        if found is None or (columns[name] == "date-time") != (found.kind == "date-time"):
            continue
        good = pc.if_else(found.wrong, pa.scalar(None, cells.type), cells)
        good = narrow(good) if found.kind == "numeric" else good
        kept[name] = pd.Series(pd.arrays.ArrowExtensionArray(good), index=frame.index)
        notes.append(f"column {name!r} has {found.describe(cells)}: taken as missing")
    return kept, notes


def dataset_of_large_table(
    rows: ParquetRows, *, path: Path, label: Any, group: Any, columns: Mapping[str, str] | None
) -> Dataset:
    """Return a Parquet file that is too large for memory as a table whose rows stay in the file.

    Args:
        rows: the rows of the file.
        path: the file.
        label: must be None: labels would need all rows at once.
        group: must be None, for the same reason.
        columns: kinds of columns in place of those inferred.

    Raises:
        InputError: a label or group was given, or a column cannot be of the kind given.
    """
    for word, value in (("label", label), ("group", group)):
        if value is not None:
            raise InputError(
                f"{path} is read in parts, because it holds {len(rows):,} rows of {rows.shape[1]} columns, and a {word} column "
                f"needs all rows at once: leave {word} out, or give fewer rows."
            )
    sample = sample_rows(rows)
    schema = infer_from(sample, columns, len(rows), name=str(path))
    notes = ["read in parts, because the file is too large for memory; identical rows are not searched for"]
    for name in schema.names:
        cells = decoded(cells_of(sample, name))
        if schema.column(name).kind == "categorical" and (found := almost_numeric(cells)) is not None:
            first = cells[pc.index(found.wrong, True).as_py()].as_py()
            notes.append(
                f"column {name!r} is learnt as categorical, because {pc.sum(found.wrong).as_py():,} of {len(sample):,} sampled "
                f"rows hold no {found.plural[:-1]}, such as {first!r} (to learn it as {found.plural}, write the file with "
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
    )


def _refuse_decimal_commas(cells: pa.ChunkedArray, column: str, name: str) -> None:
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
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


def refuse_other_delimiter(frame: pd.DataFrame, name: str) -> None:
    """Refuse a text file read as one column if its name and every cell hold another possible delimiter equally often.

    Raises:
        InputError: names that character, and the delimiters that are allowed.
    """
    if frame.shape[1] != 1:
        return
    cells = cells_of(frame, str(frame.columns[0]))
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)) or cells.null_count:
        return
    header, first_cells = str(frame.columns[0]), cells.slice(0, _ROWS_CHECKED).to_pylist()
    tabs = ".tsv" in name.lower()
    others = _OTHER_DELIMITERS | ({",": "a comma", ";": "a semicolon", "|": "'|'"} if tabs else {})
    for character, called in others.items():
        count = len(header.split()) - 1 if character == " " else header.count(character)
        if count and all(
            (len(each.split()) - 1 if character == " " else each.count(character)) == count
            for each in first_cells
        ):
            raise InputError(
                f"{name} was read as one column, {header!r}, and every line holds {called} {count:,} time{'s' * (count > 1)}: "
                f"cells must be separated by {'a tab in a .tsv' if tabs else 'a comma, semicolon, tab or |'}; write it so"
                f"{' or rename it to .csv' if tabs else ''}, or, if it is one column, give its kind "
                f"with --column '{header}=categorical'."
            )


def _refuse_infinite_cells(cells: pa.ChunkedArray, column: str, name: str) -> None:
    if not pa.types.is_floating(cells.type):
        return
    wrong = pc.is_inf(cells)
    count = pc.sum(wrong).as_py() or 0
    if count:
        row = int(np.flatnonzero(wrong.fill_null(False).to_numpy())[0])
        raise InputError(
            f"column {column!r} of {name} has {count:,} infinite cell{'s' * (count > 1)}, first in row {row + 1}; "
            "fill in or leave out these rows."
        )


def open_table(
    path: Path, *, label: Any = None, group: Any = None, columns: Mapping[str, str] | None = None
) -> Dataset:
    """Open a table file; a first line of numbers only is data, unless it is 0, 1, 2, ... (names).

    path: the file.
    label: name of the label column, or the labels themselves, (n,).
    group: name of the group column, or the groups themselves, (n,).
    columns: kinds of columns in place of those inferred; if given, the rows are a table even if all are numbers.
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
        with decode_errors_as_input_error(str(path), f"a {suffix[1:]} file"):
            frame = read_table(path)
            # Arrow validates offsets and text encodings only on request; invalid ones would crash later.
            pa.Table.from_pandas(frame).validate(full=True)
    form = suffix.removeprefix(".").removesuffix(".gz")
    dataset = _from_frame(frame, name=str(path), form=form, label=label, group=group, columns=columns)
    dtypes = pandas_dtypes(path) if dataset.kind == "tables" and form in ("parquet", "feather") else None
    return replace(dataset, name=path.name[: -len(suffix)], notes=(*notes, *dataset.notes), pandas=dtypes)


def open_frame(
    frame: Any, *, label: Any = None, group: Any = None, columns: Mapping[str, str] | None = None
) -> Dataset:
    """Open a pandas, polars or pyarrow frame; arguments as for `open_table`."""
    dataset = _from_frame(
        frame_of(frame), name="the table", form="frame", label=label, group=group, columns=columns
    )
    return replace(dataset, name="table")


def _from_frame(
    frame: pd.DataFrame, *, name: str, form: str, label: Any, group: Any, columns: Mapping[str, str] | None
) -> Dataset:
    if columns is None and why_table(frame, excluded=(label, group)) is None:
        return points_from_frame(frame, name=name, form=form, label=label, group=group)
    return dataset_of_table(
        frame,
        name=name,
        form=form,
        labels=_values_of(frame, label, name, "label"),
        groups=_values_of(frame, group, name, "group"),
        excluded=(label, group),
        columns=columns,
    )


def is_frame(source: Any) -> bool:
    """Return whether `source` is a frame with named columns, without importing the library it may come from."""
    kind = type(source)
    known = ("pandas", "polars", "pyarrow", "modin", "cudf", "narwhals")
    return kind.__module__.split(".")[0] in known and hasattr(kind, "columns")


def points_from_frame(
    frame: pd.DataFrame, *, name: str, form: str, label: Any = None, group: Any = None
) -> Dataset:
    """Return an Arrow-backed frame (`tables.read.read_table`) of plain numbers, none missing, as points.

    Whole and decimal columns share one array; `dtypes` keeps the dtype of each.

    Args:
        frame: the frame.
        name: what messages call it.
        form: the format it was read from.
        label: name of the label column, or the labels themselves, (n,).
        group: name of the group column, or the groups themselves, (n,).

    Raises:
        InputError: infinite numbers, whole numbers too large for the decimals' format, or fewer than 2 rows.
    """
    if len(frame) < 2:
        raise InputError(f"{name} holds one row; at least 2 are needed, and some hundreds to learn from.")
    labels = _values_of(frame, label, name, "label")
    groups = _values_of(frame, group, name, "group")
    columns = [str(column) for column in frame.columns if not _is_named(column, label, group)]
    if not columns:
        raise InputError(f"{name} has no column left to learn from besides the label and group columns.")
    arrays = [_numbers(frame[column]) for column in columns]
    dtype = np.result_type(*arrays)
    if dtype.kind == "f":
        for column, array in zip(columns, arrays, strict=True):
            if array.dtype.kind in "iu" and max(abs(int(array.min())), abs(int(array.max()))) > 2**53:
                raise InputError(
                    f"column {column!r} of {name} holds whole numbers beyond 2^53, which the decimal "
                    "format of the other columns cannot hold exactly; leave it out or divide it."
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


def _values_of(frame: pd.DataFrame, requested: Any, name: str, word: str) -> Any:
    """Return the values of a label or group column given by name; values are returned unchanged."""
    if not isinstance(requested, str):
        return requested
    columns = [str(column) for column in frame.columns]
    if requested not in columns:
        listed = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
        raise InputError(
            f"{name} has no {word} column {requested!r}{nearest(requested, columns) or '.'} It has {listed}."
        )
    values = frame[requested]
    if values.isna().any():
        missing = np.flatnonzero(values.isna())
        raise InputError(
            f"{word} column {requested!r} of {name} has {_times(len(missing), 'missing cell')}, first in row "
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
    """Unpack in parts, keeping nothing, to find the size before everything is in memory."""
    packed, unpacked = path.stat().st_size, 0
    with decode_errors_as_input_error(str(path), "a gzip file"), gzip.open(path) as stream:
        while part := stream.read(2**20):
            unpacked += len(part)
            refuse_bomb(str(path), unpacked, packed)
