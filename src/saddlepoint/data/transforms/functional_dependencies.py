"""Functional dependencies (Codd 1970): columns that are a function of another column are not learnt but restored from it.

B = f(A) must hold in every row, where a missing cell counts as a value, and it must not be an accident. Let p be the share
of a value of B. By chance, all rows of a group of equal A would have this value with probability p^(rows - 1). The product of
these probabilities over all groups must be below 1e-6. A may have at most max(50, n/5) distinct values: with more, A is nearly
a key, and a key determines any column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.packed import packed_table, unpacked_table

FEWEST_KEYS, ROWS_A_KEY = 50, 5
_BY_CHANCE = np.log(1e-6)
_ROWS_CHECKED_FIRST = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class FunctionalDependency:
    """Column `name` is a function of column `of`.

    table: the pairs of values that occur, in columns "of" and "name"; None where the two columns are equal.
    """

    name: str
    of: str
    table: pa.Table | None

    def cells(self, others: pa.Array, kind: pa.DataType) -> pa.Array:
        """Return the column's cells, of Arrow type `kind`, from the cells of the column `of`."""
        if self.table is None:
            return others.cast(kind)
        keys, values = self.table["of"].combine_chunks(), self.table["name"].combine_chunks()
        plain = others.dictionary_decode() if isinstance(others, pa.DictionaryArray) else others
        found: pa.Array = values.take(pc.index_in(plain.cast(keys.type), value_set=keys))
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the dependency as plain JSON values."""
        table = None if self.table is None else packed_table(self.table)
        return {"name": self.name, "of": self.of, "table": table}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FunctionalDependency:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        table = None if stored["table"] is None else unpacked_table(stored["table"])
        return cls(name=str(stored["name"]), of=str(stored["of"]), table=table)


def find(codes: Mapping[str, npt.NDArray[np.int32]], equal: Sequence[tuple[str, str]] = ()) -> dict[str, str]:
    """Return {B: A} with B = f(A) in every row; no A is itself a B.

    codes: the columns' values as codes 0, 1, ... (n,), by name.
    equal: pairs (B, A) of columns that are equal in every row, with any number of distinct values.
    """
    found: dict[str, str] = {}
    for name, other in equal:
        if other not in found and name not in found and name not in found.values():
            found[name] = other
    names = list(codes)
    rows = len(codes[names[0]]) if names else 0
    sizes = {name: int(each.max()) + 1 for name, each in codes.items()}
    few = max(FEWEST_KEYS, rows // ROWS_A_KEY)
    for name in names:
        if name in found or name in found.values() or sizes[name] < 2:
            continue
        for other in names:
            if (
                other != name
                and other not in found
                and sizes[name] <= sizes[other] <= few
                and _holds(codes[other][:_ROWS_CHECKED_FIRST], codes[name][:_ROWS_CHECKED_FIRST], sizes[name])
                and _holds(codes[other], codes[name], sizes[name])
                and not _by_chance(codes[other], codes[name])
            ):
                found[name] = other
                break
    return found


def _holds(of: npt.NDArray[np.int32], name: npt.NDArray[np.int32], size: int) -> bool:
    pairs = np.unique(of.astype(np.int64) * size + name)
    return len(np.unique(pairs // size)) == len(pairs)


def _by_chance(of: npt.NDArray[np.int32], name: npt.NDArray[np.int32]) -> bool:
    shares = np.log(np.bincount(name) / len(name))
    rows = np.bincount(of)
    _, first = np.unique(of, return_index=True)
    present = np.flatnonzero(rows)
    return bool(((rows[present] - 1) * shares[name[first]]).sum() > _BY_CHANCE)


def pairs_of(of: pa.ChunkedArray, name: pa.ChunkedArray) -> pa.Table:
    """Return the pairs of values that occur, in columns "of" and "name", for `FunctionalDependency.table`."""
    both = pa.table({"of": _plain(of), "name": name})
    indices = both["of"].combine_chunks().dictionary_encode(null_encoding="encode").indices
    _, first = np.unique(indices.to_numpy(zero_copy_only=False), return_index=True)
    return both.take(pa.array(np.sort(first))).combine_chunks()


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
