"""Group split of a file of rows into two files of the same format: a training part and a held-out part.

Text rows are copied byte for byte; only a last line without a line end gets one. Identical rows, and rows of one
group, form a unit that is never divided. The units are shuffled, and the held-out part is the first of them, up to
the point where its size is nearest to the share. (Filling it up with small groups instead would give the two parts
different distributions.)
"""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from saddlepoint.atomic import replacing
from saddlepoint.data.opening.array_files import npz_arrays, read_npy
from saddlepoint.data.splits import linked, numbered
from saddlepoint.data.tables import csv
from saddlepoint.data.tables.read import TABLE_SUFFIXES, TEXT_SUFFIXES, read_arrow, table_of, table_suffix
from saddlepoint.errors import InputError, refuse_missing, unknown

ARRAY_SUFFIXES = (".npy", ".npz")
COPIED_BELOW = 0.01
Writer = Callable[[Path, np.ndarray], None]


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """What was written: the two files, their numbers of rows, and the number of units (groups, identical rows)."""

    train: Path
    held_out: Path
    n_train: int
    n_held_out: int
    n_units: int


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """A file's rows: a key that is equal for identical rows, the groups if any, and a function that writes rows."""

    keys: Sequence[Hashable]
    groups: Sequence[Hashable] | None
    write: Writer


def split_file(
    file: Path,
    train: Path,
    held_out: Path,
    *,
    share: float = 0.2,
    group: str | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> SplitReport:
    """Write the rows of `file` to `train` and `held_out`. The same seed gives the same parts.

    Both files are written completely before either gets its name.

    file: the file to split.
    train: where the training rows go.
    held_out: where the held-out rows go.
    share: share of the rows to hold out, between 0 and 1.
    group: a column (of an .npz: an array) whose equal values stay in one part.
    seed: seed of the shuffle.
    overwrite: whether existing files are replaced.

    Raises:
        InputError: a path, share or group that cannot be used.
        StoredFileError: a part cannot be written.
    """
    suffix = _suffix(file)
    _check_paths(file, train, held_out, suffix=suffix, overwrite=overwrite)
    if not 0 < share < 1:
        raise InputError(
            f"The held-out share must be between 0 and 1, not {share:g}; the usual share is 0.2."
        )
    rows = _open(file, suffix, group)
    units = numbered(rows.keys)
    if rows.groups is not None:
        units = linked(units, numbered(rows.groups))
    chosen = _choose(units, share=share, seed=seed, file=file)
    with replacing(train, held_out) as (first, second):
        rows.write(first, np.flatnonzero(~chosen))
        rows.write(second, np.flatnonzero(chosen))
    return SplitReport(
        train=train,
        held_out=held_out,
        n_train=int((~chosen).sum()),
        n_held_out=int(chosen.sum()),
        n_units=int(units.max()) + 1,
    )


def named_after(file: Path, part: str) -> Path:
    """Return the default path of a part: rows.csv.gz -> rows_train.csv.gz."""
    suffix = _suffix(file)
    return file.with_name(f"{file.name[: len(file.name) - len(suffix)]}_{part}{file.name[-len(suffix) :]}")


def _suffix(file: Path) -> str:
    suffix = table_suffix(file) or next(
        (end for end in ARRAY_SUFFIXES if file.name.lower().endswith(end)), None
    )
    if suffix is None:
        allowed = ", ".join(TABLE_SUFFIXES + ARRAY_SUFFIXES)
        raise InputError(f"{file} cannot be split into rows; allowed are {allowed}.")
    return suffix


def _check_paths(file: Path, train: Path, held_out: Path, *, suffix: str, overwrite: bool) -> None:
    refuse_missing(file)
    if len({path.resolve() for path in (file, train, held_out)}) < 3:
        raise InputError("The file and its two parts must be three different files; name other outputs.")
    for path in (train, held_out):
        if not path.name.lower().endswith(suffix):
            raise InputError(
                f"{path} must end in {suffix}, as {file} does: the parts keep the file's format."
            )
        if not path.parent.is_dir():
            raise InputError(f"There is no folder {path.parent} to write {path.name} to; make it first.")
        if path.exists() and not overwrite:
            raise InputError(f"{path} exists already; name another output, or add --overwrite.")


def _choose(units: np.ndarray, *, share: float, seed: int, file: Path) -> np.ndarray:
    """Return which rows are held out, bool (n,)."""
    sizes = np.bincount(units)
    if len(sizes) < 2:
        raise InputError(
            f"All {len(units)} rows of {file} are identical or one group; there is nothing to split."
        )
    order = np.random.default_rng(seed).permutation(len(sizes))
    reached = np.cumsum(sizes[order])[:-1]
    cut = int(np.argmin(np.abs(reached - share * len(units)))) + 1
    chosen: np.ndarray = np.isin(units, order[:cut])
    return chosen


def _open(file: Path, suffix: str, group: str | None) -> _Rows:
    if suffix in TEXT_SUFFIXES:
        return _open_text(file, suffix, group)
    if suffix in ARRAY_SUFFIXES:
        return _open_arrays(file, suffix, group)
    return _open_arrow(file, suffix, group)


def _open_text(file: Path, suffix: str, group: str | None) -> _Rows:
    text, codec, mark = csv.read_text(file)
    delimiter = csv.delimiter_of(file, text)
    # Parsed for its checks: a file with ragged lines is refused here instead of copied.
    table, _ = csv.parse(text, name=str(file), delimiter=delimiter)
    records = [
        (record, cells)
        for record, cells in csv.whole_records(text, name=str(file), delimiter=delimiter)
        if cells or table.num_columns == 1
    ]
    while records and not any(records[-1][1]) and len(records) > table.num_rows:
        records.pop()
    header = records[: len(records) - table.num_rows]
    ending = next((end for end in ("\r\n", "\n", "\r") if records[0][0].endswith(end)), "\n")
    lines = [
        record if record.endswith(("\n", "\r")) else record + ending for record, _ in records[len(header) :]
    ]

    def write(path: Path, chosen: np.ndarray) -> None:
        content = "".join([record for record, _ in header] + [lines[i] for i in chosen])
        raw = mark + content.encode(codec)
        path.write_bytes(gzip.compress(raw, mtime=0) if suffix.endswith(".gz") else raw)

    keys = ["\x1f".join(cells) for _, cells in records[len(header) :]]
    groups = None if group is None else _column(table, group, file)
    return _Rows(keys=keys, groups=groups, write=write)


def _column(table: pa.Table, group: str, file: Path) -> list[Hashable]:
    if group not in table.column_names:
        raise unknown(f"{file} has no column", group, table.column_names, "It has")
    # A row without a group is its own group.
    return [
        ("row", i) if cell is None else ("group", cell) for i, cell in enumerate(table[group].to_pylist())
    ]


def _open_arrow(file: Path, suffix: str, group: str | None) -> _Rows:
    import pandas as pd

    table = read_arrow(file, suffix)
    table_of(table, name=str(file))  # refuses a table that cannot be read as rows

    def write(path: Path, chosen: np.ndarray) -> None:
        part = table.take(pa.array(chosen))
        if suffix == ".parquet":
            from pyarrow import parquet

            parquet.write_table(part, path)
        else:
            from pyarrow import feather

            feather.write_feather(part, str(path))

    keys = pd.util.hash_pandas_object(table.to_pandas(types_mapper=pd.ArrowDtype), index=False).tolist()
    return _Rows(keys=keys, groups=None if group is None else _column(table, group, file), write=write)


def _open_arrays(file: Path, suffix: str, group: str | None) -> _Rows:
    if suffix == ".npy":
        arrays, compressed = {"rows": read_npy(file)}, False
    else:
        with npz_arrays(file) as (entries, read):
            arrays = {name: read(name) for name in entries}
        compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values())
    main = max(arrays, key=lambda name: arrays[name].nbytes)
    n = len(arrays[main]) if arrays[main].ndim else 0
    if n < 2:
        raise InputError(f"{file} holds {n} rows; there is nothing to split.")
    for name, array in arrays.items():
        if array.ndim and len(array) != n and len(array) >= COPIED_BELOW * n:
            raise InputError(
                f"{file} holds {n} rows in {main!r} but {len(array)} in {name!r}; "
                "keep one set of rows in each file."
            )
    if group is not None and (group not in arrays or arrays[group].shape != (n,)):
        raise unknown(f"{file} has no array of {n} values that is named", group, list(arrays), "It holds")

    def write(path: Path, chosen: np.ndarray) -> None:
        part: dict[str, Any] = {
            name: array[chosen] if array.ndim and len(array) == n else array for name, array in arrays.items()
        }
        with path.open("wb") as stream:
            if suffix == ".npy":
                np.save(stream, part[main], allow_pickle=False)
            elif compressed:
                np.savez_compressed(stream, **part)
            else:
                np.savez(stream, **part)

    keys = [row.tobytes() for row in np.ascontiguousarray(arrays[main])]
    return _Rows(keys=keys, groups=None if group is None else arrays[group].tolist(), write=write)
