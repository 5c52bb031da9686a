"""Column transformers for categories and for numbers: cells to codes, and decoded codes back to cells.

A column transformer has `feature_blocks`. `codes` maps Arrow cells (n,) to one array of codes for each feature block. A code
is the index of a level (one of the block's distinct values, sorted); a missing cell has the number of levels as its code.
`cells` maps what the feature blocks decoded back to cells of the same Arrow type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.packed import packed_values, unpacked_values
from saddlepoint.data.tables.types import Column, decoded
from saddlepoint.data.transforms.features import FeatureBlock, Floats, Integers, NumericBins
from saddlepoint.errors import InputError, nearest

Decoded = tuple[Integers, Integers, Floats]
Codes = npt.NDArray[np.int32]
_MOST_SUGGESTED = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class CategoricalTransformer:
    """Categories: text, booleans, or numbers of which only values seen in training are generated.

    values: the distinct values, sorted, of the cells' type.
    block: the one feature block.
    dictionary: for a dictionary column (pandas' categories), all its categories in their own order.
    index: for a dictionary column, the Arrow type of its indices.
    ordered: whether a dictionary column's categories are ordered.
    """

    kind: ClassVar[str] = "category"
    name: str
    values: pa.Array
    block: FeatureBlock
    dictionary: pa.Array | None = None
    index: str | None = None
    ordered: bool = False

    @classmethod
    def fit(
        cls, column: Column, cells: pa.ChunkedArray, *, as_numbers: bool = False
    ) -> CategoricalTransformer:
        """Return the transformer of a column's cells; as_numbers: sort values as numbers, and give rare ones no entry."""
        dictionary, index, ordered = None, None, False
        if pa.types.is_dictionary(cells.type):
            ordered, index = cells.type.ordered, str(cells.type.index_type)
            whole = cells.unify_dictionaries().combine_chunks()
            dictionary = (whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole).dictionary
        plain = decoded(cells)
        counted = pc.value_counts(pc.drop_null(plain))
        return cls.of_counts(
            column.name,
            counted.field("values"),
            counted.field("counts").to_numpy(zero_copy_only=False),
            plain.null_count,
            as_numbers=as_numbers,
            dictionary=dictionary,
            index=index,
            ordered=ordered,
        )

    @classmethod
    def of_counts(
        cls,
        name: str,
        values: pa.Array,
        counts: Integers,
        nulls: int,
        *,
        as_numbers: bool = False,
        dictionary: pa.Array | None = None,
        index: str | None = None,
        ordered: bool = False,
    ) -> CategoricalTransformer:
        """Return the transformer of distinct values.

        name: of the column.
        values: distinct, in any order.
        counts: how often each occurs.
        nulls: number of missing cells.
        as_numbers, dictionary, index, ordered: as for `fit` and for the class.
        """
        if as_numbers and (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            order = np.argsort(np.array([float(text) for text in values.to_pylist()]), kind="stable")
        else:
            order = np.asarray(pc.array_sort_indices(values))
        counts = counts[order].astype(np.int64)
        block = (FeatureBlock.of_numbers if as_numbers else FeatureBlock.of_categories)(counts, nulls)
        if block.smooth:
            block = FeatureBlock(counts=block.counts, atoms=block.atoms, nulls=nulls)
        return cls(
            name=name,
            values=values.take(pa.array(order)),
            block=block,
            dictionary=dictionary,
            index=index,
            ordered=ordered,
        )

    @property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """Return the one feature block."""
        return (self.block,)

    def codes(self, cells: pa.ChunkedArray) -> list[Codes]:
        """Return the code of each row; InputError, with the nearest known value, for a value that training did not have."""
        plain = decoded(cells)
        if plain.type != self.values.type:
            plain = plain.cast(self.values.type)
        found = pc.index_in(plain, value_set=self.values)
        unknown = pc.and_(found.is_null(), plain.is_valid())
        if pc.any(unknown).as_py():
            raise unknown_value(self.name, plain[pc.index(unknown, True).as_py()].as_py(), self.values)
        codes = np.asarray(found.fill_null(len(self.values)).to_numpy())
        return [codes.astype(np.int32)]

    def cells(self, decoded: Sequence[Decoded]) -> pa.Array:
        """Return the values, of the column's original type."""
        level = decoded[0][0]
        plain = self.values.take(pa.array(level, mask=level < 0))
        if self.dictionary is None or self.index is None:
            return plain
        indices = pc.index_in(plain, value_set=self.dictionary, skip_nulls=True)
        return pa.DictionaryArray.from_arrays(indices.cast(self.index), self.dictionary, ordered=self.ordered)

    def describe(self) -> str:
        """Return a phrase: how many values there are, and how many have a one-hot entry."""
        rare = len(self.block.others)
        return f"{len(self.values):,} values" + (
            f", {len(self.block.atoms)} with a one-hot entry each, {rare:,} rarer ones share one"
            if rare
            else ""
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the transformer as plain JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "values": packed_values(self.values),
            "block": self.block.to_dict(),
            "dictionary": None if self.dictionary is None else packed_values(self.dictionary),
            "index": self.index,
            "ordered": self.ordered,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> CategoricalTransformer:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        dictionary = stored["dictionary"]
        return cls(
            name=str(stored["name"]),
            values=unpacked_values(stored["values"]),
            block=FeatureBlock.from_dict(stored["block"]),
            dictionary=None if dictionary is None else unpacked_values(dictionary),
            index=stored["index"],
            ordered=bool(stored["ordered"]),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class NumericTransformer:
    """Numbers, stored as whole steps of a lattice where they have one, so that integers and decimals come back exactly."""

    kind: ClassVar[str] = "number"
    name: str
    type: str
    bins: NumericBins

    @classmethod
    def fit(cls, column: Column, cells: pa.ChunkedArray) -> NumericTransformer | CategoricalTransformer:
        """Return the transformer of a column's cells.

        It is a CategoricalTransformer where the cells are text or Arrow decimals, or span a range that int64 cannot count.
        """
        plain = decoded(cells)
        if not (pa.types.is_integer(plain.type) or pa.types.is_floating(plain.type)):
            return CategoricalTransformer.fit(column, cells, as_numbers=True)
        counted = NumericBins.of(*values_of(plain), plain.type)
        if counted is None or pa.types.is_dictionary(cells.type):
            return CategoricalTransformer.fit(column, cells, as_numbers=True)
        return cls(name=column.name, type=str(plain.type), bins=counted)

    @property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """Return the one feature block."""
        return (self.bins.levels.block,)

    def codes(self, cells: pa.ChunkedArray) -> list[Codes]:
        """Return the code of the level nearest to each number."""
        plain = decoded(cells)
        if not (pa.types.is_integer(plain.type) or pa.types.is_floating(plain.type)):
            raise InputError(
                f"Column {self.name!r} should hold numbers, but its cells are of type {plain.type}."
            )
        if pa.types.is_floating(pa.type_for_alias(self.type)) != pa.types.is_floating(plain.type):
            plain = plain.cast(pa.type_for_alias(self.type), safe=False)
        return [self.bins.codes(*values_of(plain))]

    def cells(self, decoded: Sequence[Decoded]) -> pa.Array:
        """Return the numbers, of the column's original type."""
        values, present = self.bins.restore(decoded[0])
        return pa.array(values, mask=~present).cast(pa.type_for_alias(self.type), safe=False)

    def describe(self) -> str:
        """Return a phrase: the range of the numbers, and how they are encoded."""
        block = self.bins.levels.block
        ends = self.bins.steps.value(self.bins.levels.values[[0, -1]])
        reach = f"{ends[0]:g} to {ends[1]:g}" if ends.dtype.kind == "f" else f"{ends[0]:,} to {ends[1]:,}"
        if not block.scored:
            return f"{reach}, {len(block.atoms)} values"
        between = ", with values in between" if block.smooth else ""
        count = len(block.atoms)
        spikes = f", {count} frequent value{'s' * (count > 1)} with a one-hot entry" if count else ""
        return f"{reach}{spikes}{between}"

    def to_dict(self) -> dict[str, Any]:
        """Return the transformer as plain JSON values."""
        return {
            "kind": self.kind,
            "name": self.name,
            "type": self.type,
            "bins": self.bins.to_dict(),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> NumericTransformer:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        pa.type_for_alias(stored["type"])
        return cls(
            name=str(stored["name"]),
            type=str(stored["type"]),
            bins=NumericBins.from_dict(stored["bins"]),
        )


def values_of(cells: pa.ChunkedArray) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
    """Return the numbers in their own dtype, 0 where missing, and which are present."""
    present = np.asarray(cells.is_valid().to_numpy(), dtype=bool)
    return np.asarray(cells.fill_null(pa.scalar(0, cells.type)).to_numpy()), present


def unknown_value(column: str, value: object, values: pa.Array) -> InputError:
    """Return the error for a value that a column did not have in training; it suggests the nearest known value."""
    some = [str(each) for each in values[:_MOST_SUGGESTED].to_pylist()]
    return InputError(
        f"Column {column!r} holds {str(value)!r}, which did not occur in training{nearest(str(value), some) or '.'} "
        f"In training it had {len(values):,} values, such as {', '.join(some[:6])}."
    )
