"""Dataset: the opened rows (points, pictures or a table), and what is needed to return samples in the original format."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables import parquet
from saddlepoint.data.tables.numeric import cells_of
from saddlepoint.data.tables.parquet import ParquetRows
from saddlepoint.data.tables.schema import Schema
from saddlepoint.errors import InputError


def codes_of(frame: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Return int32 codes (n, d); within a column, equal cells have equal codes, and missing cells have -1."""
    return np.column_stack([_coded(cells_of(frame, str(name)))[0] for name in frame.columns])


def digest_of(frame: pd.DataFrame) -> bytes:
    """Return the sha256 of the names, types and cells of a frame of Arrow-backed columns."""
    digest = hashlib.sha256()
    for name in frame.columns:
        cells = cells_of(frame, str(name))
        codes, values = _coded(cells)
        texts = "\x00".join(str(text) for text in values.cast(pa.large_string()).to_pylist())
        digest.update(f"{name}\x00{cells.type}\x00{texts}\x00".encode())
        digest.update(np.ascontiguousarray(codes, dtype="<i4").tobytes())
    return digest.digest()


def _coded(cells: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return codes in the order of first appearance, and the value of each code."""
    plain = cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
    whole = plain.combine_chunks()
    coded = pc.dictionary_encode(whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole)
    return np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)), coded.dictionary


Kind = Literal["points", "pictures", "tables"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Rows to learn from, with their labels, groups and original format.

    Attributes:
        name: a short name ("digits", "mnist").
        kind: "points", "pictures" or "tables".
        rows: points (n, d) in their own dtype; pictures (n, H, W, C) uint8; a table as a pandas frame of Arrow-backed
            columns, or as `ParquetRows` if it is too large for memory.
        labels: (n,) class of each row, or None.
        columns: names of the d columns, or None.
        dtypes: original dtype name of each column (tables only), so that integer columns are written as integers.
        levels: largest grey level (255; 16 for digits).
        groups: (n,) group of each row (a person, a time series), or None; a split keeps each group in one part.
        form: original format: "array", "frame", "npy", "npz", "csv", "folder", "zip", "idx", "digits".
        shape: original shape of one row, e.g. () for a 1-D array or (28, 28).
        dtype: original dtype name of the rows.
        fractions: True if grey levels came as fractions in [0, 1].
        schema: kinds of a table's columns, inferred or given.
        resolution: the size that pictures were resized to (`data.pictures.TargetSize`), or None.
        other_sizes: how pictures of another size were resized, or None.
        pandas: pandas' dtypes from the metadata (JSON) of a Parquet or Feather file, so that pandas reads samples alike.
        flips: True if mirror images of pictures belong to the data too (the user's choice).
        notes: what was inferred while opening, one sentence each, to show to the user.
        left_out: name and reason of each file that could not be read.
    """

    name: str
    kind: Kind
    rows: Any
    labels: npt.NDArray[Any] | None = None
    columns: tuple[str, ...] | None = None
    dtypes: tuple[str, ...] | None = None
    levels: int = 255
    groups: npt.NDArray[Any] | None = None
    form: str = "array"
    shape: tuple[int, ...]
    dtype: str
    fractions: bool = False
    notes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    schema: Schema | None = None
    resolution: str | None = None
    other_sizes: str | None = None
    flips: bool = False
    pandas: str | None = None

    def __post_init__(self) -> None:
        for word, values in (("labels", self.labels), ("groups", self.groups)):
            if values is not None and len(values) != len(self.rows):
                raise InputError(
                    f"{self.name}: {len(values):,} {word} for {len(self.rows):,} rows; give one for each row."
                )

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    @property
    def classes(self) -> npt.NDArray[Any] | None:
        """Return the distinct labels, sorted, or None if there are no labels."""
        return None if self.labels is None else np.unique(self.labels)

    def take(self, indices: npt.ArrayLike) -> Dataset:
        """Return the rows at `indices` (with their labels and groups) as a Dataset of the same form."""
        chosen = np.asarray(indices)
        return replace(
            self,
            rows=self._rows_at(chosen),
            labels=None if self.labels is None else self.labels[chosen],
            groups=None if self.groups is None else self.groups[chosen],
        )

    def in_memory(self) -> Dataset:
        """Return this dataset; if its rows stay in a file, an evenly spaced sample of them that fits in memory."""
        if not isinstance(self.rows, ParquetRows):
            return self
        count = min(len(self), parquet.MOST_IN_MEMORY)
        return self.take(np.unique(np.linspace(0, len(self) - 1, count).astype(np.int64)))

    def _rows_at(self, chosen: npt.NDArray[Any]) -> Any:
        if isinstance(self.rows, ParquetRows):
            return self.rows.take(chosen)
        return self.rows.iloc[chosen].reset_index(drop=True) if self.kind == "tables" else self.rows[chosen]

    def as_came(self, rows: Any) -> Any:
        """Return decoded points (m, d) or pictures (m, H, W, C) in the original shape and dtype.

        A 1-D array becomes 1-D again, (H, W) pictures lose the channel axis, channels-first pictures become
        channels-first again, and fractions become fractions again. The frame of a table is returned unchanged.
        """
        if self.kind == "tables":
            return rows
        if self.kind == "points":
            return rows.reshape(len(rows), *self.shape) if self.shape == () else rows
        if len(self.shape) == 3 and self.shape != rows.shape[1:]:
            rows = np.moveaxis(rows, 3, 1)
        rows = rows.reshape(len(rows), *self.shape)
        if self.fractions:
            return (rows / self.levels).astype(self.dtype)
        return rows.astype(self.dtype)

    def identities(self) -> npt.NDArray[Any] | None:
        """Return an array whose rows are equal exactly where the dataset's rows are: codes for a table, else the rows.

        None for rows that stay in a file, because these are not compared with one another.
        """
        if isinstance(self.rows, ParquetRows):
            return None
        return codes_of(self.rows) if self.kind == "tables" else np.asarray(self.rows)

    def fingerprint(self) -> str:
        """Return the sha256 (hex) of dtype, shape and bytes of the rows and labels."""
        digest = hashlib.sha256()
        if self.kind == "tables":
            in_file = isinstance(self.rows, ParquetRows)
            digest.update(self.rows.fingerprint() if in_file else digest_of(self.rows))
        for values in (self.labels,) if self.kind == "tables" else (self.rows, self.labels):
            if values is None:
                digest.update(b"none")
                continue
            little = values.dtype.newbyteorder("<")
            digest.update(f"{little.str}{values.shape}".encode())
            for start in range(0, len(values), 4096):
                part = np.ascontiguousarray(values[start : start + 4096], dtype=little)
                digest.update(part.tobytes())
        return digest.hexdigest()

    def describe(self) -> str:
        """Return one sentence: "1,797 pictures of 8 x 8, 1 channel, 17 levels, 10 classes"."""
        if self.kind == "pictures":
            height, width, channels = self.rows.shape[1:]
            text = f"{_count(len(self), 'picture')} of {height} x {width}, {_count(channels, 'channel')}"
            text += f", {self.levels + 1} levels"
        elif self.kind == "tables":
            text = f"{_count(len(self), 'row')} of {_count(self.rows.shape[1], 'column')}, a table"
        else:
            text = f"{_count(len(self), 'row')} of {_count(self.rows.shape[1], 'column')}, {self.dtype}"
        if self.labels is not None:
            text += f", {_count(len(np.unique(self.labels)), 'class', 'classes')}"
        if self.groups is not None:
            text += f", {_count(len(np.unique(self.groups)), 'group')}"
        return text


def _count(number: int, word: str, plural: str | None = None) -> str:
    return f"{number:,} {word if number == 1 else plural or word + 's'}"
