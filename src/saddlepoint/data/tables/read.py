"""Reads CSV, TSV, Parquet and Feather files and pandas, polars and pyarrow frames into pandas frames.

Every column of the result is Arrow-backed (`pandas.ArrowDtype`). Reason: this is the only type system of pandas
in which a null is not NaN, integers with nulls stay integers (also beyond 2^53, where float64 would round them),
and the dates, decimals and dictionaries of a Parquet file keep their types.
`column.to_numpy(dtype=float, na_value=nan)` gives plain numbers.
"""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables import csv
from saddlepoint.errors import InputError

TEXT_SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
BINARY_SUFFIXES = (".parquet", ".feather")
TABLE_SUFFIXES = TEXT_SUFFIXES + BINARY_SUFFIXES


def read_table(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool | None = True,
) -> pd.DataFrame:
    """Read a .csv, .tsv (also .gz), .parquet or .feather file into a frame of Arrow-backed columns.

    `tables.csv` says which cells of a text file are null or numbers.

    path: the file.
    delimiter: of a text file; None: the one of , ; tab | that occurs most often in the header line.
    encoding: of a text file; None: by the byte order mark, else UTF-8.
    header: whether the first line of a text file holds names; None: yes, unless it holds numbers only.

    Raises:
        InputError: the file is missing, damaged, empty or of another type.
    """
    path = Path(path)
    suffix = table_suffix(path)
    if suffix is None:
        raise InputError(f"{path} is not a table file; allowed are {', '.join(TABLE_SUFFIXES)}.")
    if not path.exists():
        raise InputError(f"There is no file {path}; check the path.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name one table file ({', '.join(TABLE_SUFFIXES)}).")
    try:
        if suffix in BINARY_SUFFIXES:
            stored = read_arrow(path, suffix)
            # pandas stores an index without a name as a column of this name; an index is not a column.
            index = [column for column in stored.column_names if re.fullmatch(r"__index_level_\d+__", column)]
            return _to_pandas(stored.drop_columns(index), name=str(path))
        text = csv.read_text(path, encoding=encoding)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from None
    chosen = csv.delimiter_of(path, text) if delimiter is None else delimiter
    return _to_pandas(csv.parse(text, name=str(path), delimiter=chosen, header=header), name=str(path))


def read_as_written(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, str | None]:
    """Return a table file whose first line may be data, and a note on how that line was read if it is in doubt.

    A first line of numbers only is data, and the columns are column_1, ...; the exception is 0, 1, 2, ..., the names
    that pandas writes for a frame without names. Raises InputError as `read_table` does.
    """
    if table_suffix(path) not in TEXT_SUFFIXES:
        return read_table(path), None
    frame = read_table(path, header=None)
    width = frame.shape[1]
    if list(frame.columns) != [f"column_{i + 1}" for i in range(width)]:
        return frame, _in_doubt(frame)
    text = csv.read_text(Path(path))
    if csv.has_header(text, name=str(path), delimiter=csv.delimiter_of(Path(path), text)):
        # The file itself has the names column_1, ...: they are those of samples of a file without a header.
        return frame, None
    if width > 1 and list(frame.iloc[0]) == list(range(width)):
        return read_table(path), "the first line, 0, 1, 2, ..., was read as column names"
    return frame, f"there is no header line: the columns were named column_1 to column_{width}"


def _in_doubt(frame: pd.DataFrame) -> str | None:
    """Return a note if the names may be a row: numbers above columns of numbers, and not a sequence such as years."""
    names = [
        str(name)
        for name, kind in frame.dtypes.items()
        if csv.is_number(str(name)) and not pa.types.is_large_string(kind.pyarrow_dtype)
    ]
    values = [float(name) for name in names]
    consecutive = len(names) > 1 and all(b - a == 1 for a, b in itertools.pairwise(values))
    if not names or consecutive:
        return None
    return f"the first line was read as column names, such as {names[0]!r}; if it is a row, write a line of names above it"


def frame_of(source: Any, *, name: str = "the table") -> pd.DataFrame:
    """Return a table file, or a pandas, polars or pyarrow frame, as a frame of Arrow-backed columns.

    Column names become text. A pandas index is not a column and is left out.

    source: a path or a frame.
    name: what messages call it.

    Raises:
        InputError: anything else, a duplicate name, or a column of mixed types, lists, records or bytes.
    """
    if isinstance(source, (str, os.PathLike)):
        return read_table(source)
    if isinstance(source, pa.Table):
        return _to_pandas(source, name=name)
    if isinstance(source, pd.DataFrame):
        return _to_pandas(_from_pandas(source, name=name), name=name)
    import narwhals as nw

    try:
        frame = nw.from_native(source)
    except TypeError:
        raise InputError(
            f"{name} is a {type(source).__name__}; give a path or a pandas, polars or pyarrow frame."
        ) from None
    eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    return _to_pandas(eager.to_arrow(), name=name)


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
    try:
        if suffix == ".parquet":
            from pyarrow import parquet

            table = parquet.read_table(path)
        else:
            from pyarrow import feather

            table = feather.read_table(path, memory_map=False)
        # A damaged file may hold offsets outside its buffers; unchecked, they would crash the process.
        table.validate(full=True)
        return table
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is not a readable {suffix[1:]} file ({reason}); write it again.") from None


def pandas_dtypes(path: str | os.PathLike[str]) -> str | None:
    """Return the dtypes that pandas stored in a .parquet or .feather file (JSON); None if pandas did not write it."""
    from pyarrow import feather, parquet

    try:
        if table_suffix(path) == ".parquet":
            schema = parquet.read_schema(path)
        else:
            schema = feather.read_table(path, columns=[], memory_map=True).schema
    except (pa.ArrowException, OSError, ValueError):
        return None  # reading the rows gives the message
    found = (schema.metadata or {}).get(b"pandas")
    return None if found is None else found.decode()


def _from_pandas(frame: pd.DataFrame, *, name: str) -> pa.Table:
    names = [str(column) for column in frame.columns]
    columns = {}
    _check_names(names, name=name)
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


def _check_names(names: list[str], *, name: str) -> None:
    repeated = sorted({column for column in names if names.count(column) > 1})
    if repeated:
        raise InputError(
            f"{name} has the column name {repeated[0]!r} {names.count(repeated[0])} times; rename all except one."
        )


def _to_pandas(table: pa.Table, *, name: str) -> pd.DataFrame:
    """Check an Arrow table and return it as a frame of Arrow-backed columns, with NaN as null."""
    _check_names(table.column_names, name=name)
    if table.num_columns == 0:
        raise InputError(f"{name} has no columns; a table needs at least one.")
    if table.num_rows == 0:
        raise InputError(f"{name} has columns but no rows; a table needs at least one row.")
    return pd.DataFrame(
        {
            column: pd.Series(_cells(table[column], column=column, name=name), dtype=None, copy=False)
            for column in table.column_names
        }
    )


def _cells(cells: pa.ChunkedArray, *, column: str, name: str) -> Any:
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
    return pd.arrays.ArrowExtensionArray(cells)
