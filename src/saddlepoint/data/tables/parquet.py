"""Rows of a Parquet file too large for memory: read in parts (out of core), and only when needed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from saddlepoint.data.tables.read import frame_of, pandas_dtypes
from saddlepoint.data.untrusted import decode_errors_as_input_error

MOST_CELLS = 40_000_000
"""A Parquet file of more cells than this is read in parts."""
PART_ROWS = 2**18
MOST_IN_MEMORY = 20_000
"""At most this many rows are read into memory as one frame."""


class ParquetRows:
    """Rows of a Parquet file, in the file's order; `kept` are their row numbers, ascending (None: all rows)."""

    def __init__(self, path: Path, columns: Sequence[str], kept: npt.NDArray[np.int64] | None = None) -> None:
        self.path, self.columns, self.kept = path, tuple(columns), kept
        self._all = int(_opened(path).metadata.num_rows)

    @classmethod
    def of(cls, path: Path) -> ParquetRows | None:
        """Return the rows of a file that is too large for memory; None for a smaller one."""
        file = _opened(path)
        with file:
            names = [name for name in file.schema_arrow.names if not name.startswith("__index_level_")]
            if file.metadata.num_rows * max(1, len(names)) <= MOST_CELLS:
                return None
        return cls(path, names)

    @property
    def pandas(self) -> str | None:
        """Return pandas' dtypes from the file's metadata (JSON); None if pandas did not write it."""
        return pandas_dtypes(_opened(self.path).schema_arrow)

    def __len__(self) -> int:
        return self._all if self.kept is None else len(self.kept)

    @property
    def shape(self) -> tuple[int, int]:
        """Return the number of rows and of columns."""
        return len(self), len(self.columns)

    @property
    def iloc(self) -> _RowIndexer:
        """Rows by position, as a frame: `rows.iloc[[0, 5, 9]]`."""
        return _RowIndexer(self)

    def take(self, positions: npt.ArrayLike) -> pd.DataFrame | ParquetRows:
        """Return the rows at ascending positions: as a frame if there are few, else as rows that stay in the file."""
        chosen = np.asarray(positions, dtype=np.int64)
        if len(chosen) <= MOST_IN_MEMORY:
            return self.iloc[chosen]
        return ParquetRows(self.path, self.columns, chosen if self.kept is None else self.kept[chosen])

    def parts(self) -> Iterator[pd.DataFrame]:
        """Yield all rows in parts, as frames of Arrow-backed columns.

        Raises:
            InputError: the file cannot be read, or a column has a type that tables cannot hold.
        """
        before = 0
        with _opened(self.path) as file:
            for batch in file.iter_batches(batch_size=PART_ROWS, columns=list(self.columns)):
                table = pa.Table.from_batches([batch])
                end = before + len(table)
                if self.kept is not None:
                    first, last = np.searchsorted(self.kept, [before, end])
                    if last - first < len(table):
                        table = table.take(pa.array(self.kept[first:last] - before))
                before = end
                if len(table):
                    yield frame_of(table, name=str(self.path))

    def fingerprint(self) -> bytes:
        """Return the SHA-256 digest of the file and of the row numbers kept."""
        digest = hashlib.sha256()
        with open(self.path, "rb") as stream:
            while block := stream.read(2**22):
                digest.update(block)
        if self.kept is not None:
            digest.update(np.ascontiguousarray(self.kept, dtype="<i8").tobytes())
        return digest.digest()


class _RowIndexer:
    def __init__(self, rows: ParquetRows) -> None:
        self.rows = rows

    def __getitem__(self, positions: Any) -> pd.DataFrame:
        chosen = (
            np.arange(len(self.rows))[positions] if isinstance(positions, slice) else np.asarray(positions)
        )
        order = np.argsort(chosen, kind="stable")
        wanted = chosen[order]
        found, before = [], 0
        for part in self.rows.parts():
            first, last = np.searchsorted(wanted, [before, before + len(part)])
            if last > first:
                found.append(part.iloc[wanted[first:last] - before])
            before += len(part)
            if last == len(wanted):
                break
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        return pd.concat(found, ignore_index=True).iloc[back].reset_index(drop=True)


def _opened(path: Path) -> Any:
    with decode_errors_as_input_error(str(path), "a .parquet file"):
        return parquet.ParquetFile(path)
