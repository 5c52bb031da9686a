"""Columns that are functions of another column: left out of what is learnt, and restored from the other one.

B = f(A) must hold in every row, a missing cell counting as a value, and be no accident: with p the share of a value of B,
the rows of a group of equal A would all hold it by chance with probability p^(rows - 1), and the product over the groups
must lie below 1e-6. A may have at most max(50, n/5) values: beyond that it is nearly a key, which determines anything.
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
_LOOKED_AT = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class FunctionalDependency:
    """Column `name` is a function of column `of`: `table` holds the pairs that occur, columns "of" and "name".

    Without a table the two columns are equal.
    """

    name: str
    of: str
    table: pa.Table | None

    def cells(self, others: pa.Array, kind: pa.DataType) -> pa.Array:
        """Return the cells of the column from those of the column it is a function of."""
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
    """Return {B: A} with B = f(A) in every row, of columns given as codes (n,), 0, 1, ...; no A is itself a B.

    equal: pairs (B, A) of columns that hold the same cells throughout, whatever their number of values.
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
                and _holds(codes[other][:_LOOKED_AT], codes[name][:_LOOKED_AT], sizes[name])
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
    """Return the pairs of values that occur, columns "of" and "name", as `FunctionalDependency` keeps them."""
    both = pa.table({"of": _plain(of), "name": name})
    indices = both["of"].combine_chunks().dictionary_encode(null_encoding="encode").indices
    _, first = np.unique(indices.to_numpy(zero_copy_only=False), return_index=True)
    return both.take(pa.array(np.sort(first))).combine_chunks()


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
