"""Reads CSV, TSV, Parquet and Feather files and pandas, polars and pyarrow frames into Arrow tables.

In Arrow a null is not NaN, integers with nulls stay integers (also beyond 2^53, where float64 would round them), and the
dates, decimals and dictionaries of a Parquet file keep their types. `frame_of` gives the same table as a pandas frame of
Arrow-backed columns (`pandas.ArrowDtype`), the only type system of pandas that keeps all this.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables import csv
from saddlepoint.data.untrusted import decode_errors_as_input_error
from saddlepoint.errors import InputError, refuse_missing

TEXT_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
BINARY_SUFFIXES = (".parquet", ".feather")
TABLE_SUFFIXES = TEXT_SUFFIXES + BINARY_SUFFIXES


@dataclass(frozen=True, eq=False)
class ReadTable:
    """A table file as it was read.

    table: the Arrow table.
    header: "names": the columns' names are in the file; "data": its first line is data, and the columns were named column_1,
        ...; "inferred": the first line was read as names, but it may be data.
    pandas: pandas' dtypes from the metadata of a Parquet or Feather file, as JSON, or None.
    """

    table: pa.Table
    header: Literal["names", "data", "inferred"] = "names"
    pandas: str | None = None

    def describe_header(self) -> str | None:
        """Return a note for the user on how the first line was read, or None if there is no doubt."""
        if self.header == "data":
            return (
                f"there is no header line: the columns were named column_1 to column_{self.table.num_columns}"
            )
        if self.header == "inferred":
            first = next(name for name in self.table.column_names if csv.is_number(name))
            return f"the first line was read as column names, such as {first!r}; if it is a row, write a line of names above it"
        return None


def read_table(path: str | os.PathLike[str], *, header: bool | None = None) -> ReadTable:
    """Read a .csv, .tsv (also .gz), .parquet or .feather file.

    `tables.csv` says which cells of a text file are null or numbers.

    path: the file.
    header: whether the first line of a text file holds names; None: yes, unless it holds numbers only.

    Raises:
        InputError: the file is missing, damaged, empty or of another type.
    """
    path = Path(path)
    suffix = table_suffix(path)
    if suffix is None:
        raise InputError(f"{path} is not a table file; allowed are {', '.join(TABLE_SUFFIXES)}.")
    refuse_missing(path)
    if suffix not in BINARY_SUFFIXES:
        return parse_text(path, csv.read_text(path)[0], header=header)
    stored = read_arrow(path, suffix)
    # pandas stores an index without a name as a column of this name; an index is not a column.
    index = [column for column in stored.column_names if re.fullmatch(r"__index_level_\d+__", column)]
    table = _checked(stored.drop_columns(index), name=str(path))
    return ReadTable(table, pandas=pandas_dtypes(stored.schema))


def parse_text(path: Path, text: str, *, header: bool | None = None) -> ReadTable:
    """Return the table in the text of a file; arguments and errors as for `read_table`."""
    table, named = csv.parse(text, name=str(path), delimiter=csv.delimiter_of(path, text), header=header)
    table = _checked(table, name=str(path))
    if not named:
        return ReadTable(table, "data")
    return ReadTable(table, "inferred" if header is None and _in_doubt(table) else "names")


def _in_doubt(table: pa.Table) -> bool:
    """Return whether the names may be a row: numbers above columns of numbers, and not a sequence such as years."""
    values = [
        float(field.name)
        for field in table.schema
        if csv.is_number(field.name) and not pa.types.is_large_string(field.type)
    ]
    return bool(values) and not (len(values) > 1 and all(b - a == 1 for a, b in itertools.pairwise(values)))


def table_of(source: Any, *, name: str = "the table") -> pa.Table:
    """Return a table file, or a pandas, polars or pyarrow frame, as an Arrow table.

    Column names become text. A pandas index is not a column and is left out.

    source: a path, what `read_table` returned, or a frame.
    name: what messages call it.

    Raises:
        InputError: anything else, a duplicate name, or a column of mixed types, lists, records or bytes.
    """
    if isinstance(source, (str, os.PathLike)):
        return read_table(source).table
    if isinstance(source, ReadTable):
        return source.table
    if isinstance(source, pa.Table):
        return _checked(source, name=name)
    if isinstance(source, pd.DataFrame):
        return _checked(_from_pandas(source, name=name), name=name)
    import narwhals as nw

    try:
        frame = nw.from_native(source)
    except TypeError:
        raise InputError(
            f"{name} is a {type(source).__name__}; give a path or a pandas, polars or pyarrow frame."
        ) from None
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return _checked(eager.to_arrow(), name=name)


def frame_of(source: Any, *, name: str = "the table") -> pd.DataFrame:
    """Return the table as a pandas frame of Arrow-backed columns; arguments and errors as for `table_of`."""
    return to_frame(table_of(source, name=name))


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return an Arrow table as a pandas frame of Arrow-backed columns, without copying its cells."""
    return pd.DataFrame(
        {
            name: pd.Series(pd.arrays.ArrowExtensionArray(table[name]), copy=False)
            for name in table.column_names
        }
    )


def table_suffix(path: str | os.PathLike[str]) -> str | None:
    """Return the table suffix of a path (".csv.gz" is one suffix), or None if it is not a table file.

    >>> table_suffix("a.b/rows.CSV.gz"), table_suffix("rows.npy")
    ('.csv.gz', None)
    """
    lowered = Path(path).name.lower()
    return next((suffix for suffix in TABLE_SUFFIXES if lowered.endswith(suffix)), None)


def read_arrow(path: Path, suffix: str) -> pa.Table:
    """Return a .parquet or .feather table in its stored types. Raises InputError when it cannot be read."""
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty; a table needs at least one column and one row.")
    with decode_errors_as_input_error(str(path), f"a {suffix} file"):
        if suffix == ".parquet":
            from pyarrow import parquet

            table = parquet.read_table(path)
        else:
            from pyarrow import feather

            table = feather.read_table(path, memory_map=False)
        # A damaged file may hold offsets outside its buffers; unchecked, they would crash the process.
        table.validate(full=True)
        _ = table.column_names  # decodes the names
        return table


def pandas_dtypes(schema: pa.Schema) -> str | None:
    """Return the dtypes that pandas stored in the schema of a file (JSON); None if there are none, or they are damaged."""
    try:
        stored = (schema.metadata or {}).get(b"pandas", b"").decode()
        json.loads(stored)
    except ValueError:
        return None
    return str(stored)


def _from_pandas(frame: pd.DataFrame, *, name: str) -> pa.Table:
    names = [str(column) for column in frame.columns]
    columns = {}
    csv.refuse_repeated(names, name=name)
    for i, column in enumerate(names):
        try:
            columns[column] = pa.array(frame.iloc[:, i], from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            kinds = sorted({type(cell).__name__ for cell in frame.iloc[:, i].dropna()})
            raise InputError(
                f"Column {column!r} of {name} mixes {' and '.join(kinds[:4])}; "
                "convert it to one type, for instance text."
            ) from None
    return pa.table(columns)


def _checked(table: pa.Table, *, name: str) -> pa.Table:
    """Return an Arrow table with NaN as null and half precision as single; InputError for a table that cannot be learnt."""
    csv.refuse_repeated(table.column_names, name=name)
    if table.num_columns == 0:
        raise InputError(f"{name} has no columns; a table needs at least one.")
    if table.num_rows == 0:
        raise InputError(f"{name} has columns but no rows; a table needs at least one row.")
    return pa.table(
        {column: _cells(table[column], column=column, name=name) for column in table.column_names}
    )


def _cells(cells: pa.ChunkedArray, *, column: str, name: str) -> pa.ChunkedArray:
    kind = cells.type
    if pa.types.is_float16(kind):
        cells = cells.cast(pa.float32())
    if pa.types.is_floating(cells.type):
        cells = pc.if_else(pc.is_nan(cells), pa.scalar(None, cells.type), cells)
    allowed = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_nested(allowed) or pa.types.is_binary(allowed) or pa.types.is_large_binary(allowed):
        raise InputError(
            f"Column {column!r} of {name} holds {allowed}; allowed are numbers, text, truth values and dates."
        )
    return cells
