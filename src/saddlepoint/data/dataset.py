"""What was opened: rows of numbers or pictures, with all that is needed to hand samples back as they came.

The rows of a table as codes: which rows are the same, and a checksum of all of them.
"""

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
    """Return (n, d) codes: equal within a column where the cells are, -1 where missing."""
    return np.column_stack([_coded(cells_of(frame, str(name)))[0] for name in frame.columns])


def digest_of(frame: pd.DataFrame) -> bytes:
    """Return the sha256 over names, types and cells of a frame of Arrow-backed columns."""
    digest = hashlib.sha256()
    for name in frame.columns:
        cells = cells_of(frame, str(name))
        codes, values = _coded(cells)
        words = "\x00".join(str(word) for word in values.cast(pa.large_string()).to_pylist())
        digest.update(f"{name}\x00{cells.type}\x00{words}\x00".encode())
        digest.update(np.ascontiguousarray(codes, dtype="<i4").tobytes())
    return digest.digest()


def _coded(cells: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return codes by first appearance, and the values they stand for."""
    plain = cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
    whole = plain.combine_chunks()
    coded = pc.dictionary_encode(whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole)
    return np.asarray(coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)), coded.dictionary


Kind = Literal["points", "pictures", "tables"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Rows that a network can learn from, and how they came.

    Attributes:
        name: a short name ("digits", "mnist").
        kind: "points", "pictures" or "tables".
        rows: points (n, d) in the dtype given; pictures (n, H, W, C) uint8; a table's pandas frame of Arrow-backed columns,
            or `ParquetRows` where it is too large to be held.
        labels: (n,) class of each row, or None.
        columns: names of the d columns, or None.
        dtypes: dtype name of each column as it came (tables only), so that whole columns are written as such.
        levels: largest grey level (255; 16 for digits).
        groups: (n,) group of each row (a person, a series), never torn by a split, or None.
        form: how it came: "array", "frame", "npy", "npz", "csv", "folder", "zip", "idx", "digits".
        shape: shape of one row as it came, e.g. () for a 1-D array or (28, 28).
        dtype: dtype name of the rows as they came.
        fractions: True if grey levels came as fractions in [0, 1].
        schema: kinds of a table's columns, inferred or told.
        resolution, other_sizes: the size that pictures were brought to and how (`data.target_size`), or None.
        pandas: what pandas wrote into a Parquet or Feather file of its dtypes (JSON), so that it reads samples in them too.
        flips: True if a picture's mirror image is as good as the picture (left and right alike), by the user's word.
        notes: what was inferred while opening, one sentence each, to be said to the user.
        left_out: name and reason of each file that could not be used.
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
        """Return the distinct labels in order, or None where there are no labels."""
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
        """Return this data set, or, where its rows stay in a file, as many of them as are held at once, evenly spread."""
        if not isinstance(self.rows, ParquetRows):
            return self
        count = min(len(self), parquet.MOST_HELD)
        return self.take(np.unique(np.linspace(0, len(self) - 1, count).astype(np.int64)))

    def _rows_at(self, chosen: npt.NDArray[Any]) -> Any:
        if isinstance(self.rows, ParquetRows):
            return self.rows.take(chosen)
        return self.rows.iloc[chosen].reset_index(drop=True) if self.kind == "tables" else self.rows[chosen]

    def as_came(self, rows: Any) -> Any:
        """Return decoded rows, points (m, d) or pictures (m, H, W, C), in the shape and dtype that came in.

        A 1-D array comes back 1-D, (H, W) pictures lose the channel axis, channels-first pictures get theirs
        back in front, and fractions of 1 are fractions again. The frame of a table is returned as it is.
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
        """Return rows that are the same numbers wherever rows are the same: of a table codes, else the rows themselves.

        None for rows that stay in their file: these are not compared with one another.
        """
        if isinstance(self.rows, ParquetRows):
            return None
        return codes_of(self.rows) if self.kind == "tables" else np.asarray(self.rows)

    def fingerprint(self) -> str:
        """Return the sha256 (hex) over dtype, shape and bytes of the rows and of the labels."""
        digest = hashlib.sha256()
        if self.kind == "tables":
            kept_apart = isinstance(self.rows, ParquetRows)
            digest.update(self.rows.fingerprint() if kept_apart else digest_of(self.rows))
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
