"""One column of a table as levels and back: categories and numbers; dates have a file of their own.

A codec has `feature_blocks`; `codes` turns Arrow cells (n,) into one array of level numbers for each span (the number of levels
where a cell is missing), and `cells` turns what the spans decoded back into cells of the same Arrow type.
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
_MOST_OFFERED = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class CategoricalTransformer:
    """Words, truth values, or numbers that only ever take the values seen. values: distinct, ordered, of the cells' type.

    A dictionary column (pandas' categories) has an `index` type, and its whole set of categories in its own order.
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
        """Return the codec of a column's cells; as_numbers: rare values have no entry of their own."""
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
        """Return the codec of distinct values, in any order, that occur so often; as_numbers as for `fit`."""
        if as_numbers and (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
            order = np.argsort(np.array([float(word) for word in values.to_pylist()]), kind="stable")
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
        """Return the one span."""
        return (self.block,)

    def codes(self, cells: pa.ChunkedArray) -> list[Codes]:
        """Return the level of each row; InputError (the nearest offered) for a value that was not learnt."""
        plain = decoded(cells)
        if plain.type != self.values.type:
            plain = plain.cast(self.values.type)
        found = pc.index_in(plain, value_set=self.values)
        unknown = pc.and_(found.is_null(), plain.is_valid())
        if pc.any(unknown).as_py():
            raise not_learnt(self.name, plain[pc.index(unknown, True).as_py()].as_py(), self.values)
        numbers = np.asarray(found.fill_null(len(self.values)).to_numpy())
        return [numbers.astype(np.int32)]

    def cells(self, decoded: Sequence[Decoded]) -> pa.Array:
        """Return the words, of the type that came in."""
        level = decoded[0][0]
        taken = pa.array(level, mask=level < 0)
        plain = self.values.take(taken)
        if self.dictionary is None or self.index is None:
            return plain
        indices = pc.index_in(plain, value_set=self.dictionary, skip_nulls=True)
        return pa.DictionaryArray.from_arrays(indices.cast(self.index), self.dictionary, ordered=self.ordered)

    def describe(self) -> str:
        """Return in words how many entries there are."""
        rare = len(self.block.others)
        return f"{len(self.values):,} values" + (
            f", {len(self.block.atoms)} with an entry of their own, {rare:,} rarer ones share a score"
            if rare
            else ""
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as plain JSON values."""
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
    """Numbers: whole steps where there are any, so that whole numbers and decimals come back exactly."""

    kind: ClassVar[str] = "number"
    name: str
    type: str
    bins: NumericBins

    @classmethod
    def fit(cls, column: Column, cells: pa.ChunkedArray) -> NumericTransformer | CategoricalTransformer:
        """Return the codec of a column's cells; of text, decimals and numbers too far apart for int64 a CategoricalTransformer."""
        plain = decoded(cells)
        if not (pa.types.is_integer(plain.type) or pa.types.is_floating(plain.type)):
            return CategoricalTransformer.fit(column, cells, as_numbers=True)
        counted = NumericBins.of(*values_of(plain), plain.type)
        if counted is None or pa.types.is_dictionary(cells.type):
            return CategoricalTransformer.fit(column, cells, as_numbers=True)
        return cls(name=column.name, type=str(plain.type), bins=counted)

    @property
    def feature_blocks(self) -> tuple[FeatureBlock, ...]:
        """Return the one span."""
        return (self.bins.levels.block,)

    def codes(self, cells: pa.ChunkedArray) -> list[Codes]:
        """Return the level nearest to each number."""
        plain = decoded(cells)
        if not (pa.types.is_integer(plain.type) or pa.types.is_floating(plain.type)):
            raise InputError(f"Column {self.name!r} should hold numbers, but holds {plain.type}.")
        if pa.types.is_floating(pa.type_for_alias(self.type)) != pa.types.is_floating(plain.type):
            plain = plain.cast(pa.type_for_alias(self.type), safe=False)
        return [self.bins.codes(*values_of(plain))]

    def cells(self, decoded: Sequence[Decoded]) -> pa.Array:
        """Return the numbers, of the type that came in."""
        values, present = self.bins.restore(decoded[0])
        return pa.array(values, mask=~present).cast(pa.type_for_alias(self.type), safe=False)

    def describe(self) -> str:
        """Return in words how the numbers are learnt."""
        block = self.bins.levels.block
        ends = self.bins.steps.value(self.bins.levels.values[[0, -1]])
        reach = f"{ends[0]:g} to {ends[1]:g}" if ends.dtype.kind == "f" else f"{ends[0]:,} to {ends[1]:,}"
        if not block.scored:
            return f"{reach}, {len(block.atoms)} values"
        between = ", values between those seen too" if block.smooth else ""
        count = len(block.atoms)
        spikes = f", {count} frequent value{'s' * (count > 1)} apart" if count else ""
        return f"{reach}{spikes}{between}"

    def to_dict(self) -> dict[str, Any]:
        """Return the codec as plain JSON values."""
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


def not_learnt(column: str, word: object, values: pa.Array) -> InputError:
    """Return the refusal of a value that a column did not take in training; the nearest one is offered."""
    some = [str(each) for each in values[:_MOST_OFFERED].to_pylist()]
    return InputError(
        f"Column {column!r} holds {str(word)!r}, which did not occur in training{nearest(str(word), some) or '.'} "
        f"It took {len(values):,} values, such as {', '.join(some[:6])}."
    )
