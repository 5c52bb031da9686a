"""What is counted of a column part by part, so that its codec can be fitted without holding its cells."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.table_calendar import DateCodec, Writing
from saddlepoint.data.table_codecs import CategoryCodec, NumberCodec, values_of
from saddlepoint.data.table_columns import decoded
from saddlepoint.data.table_identifiers import IdentifierCodec
from saddlepoint.data.table_matrix import cells_of
from saddlepoint.errors import InputError

MOST_VALUES = 2**18
MOST_WORDS = 2_000_000
_MERGED_AT_ONCE = 16


class Summary:
    """Distinct numbers and how often each occurred; of more than 2^18 of them a thinned list with a known rank error.

    Thinning joins neighbours up to a weight of total / 2^17 and keeps the largest of them, with their count; the smallest
    and the largest number and all heavier ones stay as they are. `error`: by how many rows a rank may be off, at most: the
    weight of the heaviest group joined, summed over all thinnings.
    """

    def __init__(self) -> None:
        self.values: npt.NDArray[Any] | None = None
        self.counts = np.empty(0, dtype=np.int64)
        self.error = 0

    @property
    def total(self) -> int:
        """How many numbers were added."""
        return int(self.counts.sum())

    def add(self, values: npt.NDArray[Any]) -> None:
        """Count more numbers."""
        if not len(values):
            return
        distinct, counts = np.unique(values, return_counts=True)
        if self.values is not None:
            both = np.concatenate([self.values, distinct])
            distinct, place = np.unique(both, return_inverse=True)
            counts = np.bincount(place, weights=np.concatenate([self.counts, counts])).astype(np.int64)
        self.values, self.counts = distinct, counts
        if len(distinct) > MOST_VALUES:
            self._thin()

    def _thin(self) -> None:
        values, counts = self.values, self.counts
        if values is None:
            return
        weight = max(1, 2 * self.total // MOST_VALUES)
        alone = counts >= weight
        alone[0] = True
        group = (np.cumsum(counts) - 1) // weight
        begins = np.ones(len(counts), dtype=bool)
        begins[1:] = (group[1:] != group[:-1]) | alone[1:] | alone[:-1]
        starts = np.flatnonzero(begins)
        ends = np.append(starts[1:], len(counts)) - 1
        joined = np.add.reduceat(counts, starts)
        several = ends > starts
        self.error += int(joined[several].max()) if several.any() else 0
        self.values, self.counts = values[ends], joined


class CategoryTally:
    """Counts of words (or of numbers that only ever take the values seen)."""

    def __init__(self, codec: CategoryCodec, *, as_numbers: bool) -> None:
        self.codec, self.as_numbers = codec, as_numbers
        self.nulls = 0
        self._parts: list[pa.Table] = []
        self._dictionary: pa.Array | None = codec.dictionary

    @property
    def error(self) -> int:
        """How many rows a rank may be off."""
        return 0

    def add(self, part: pd.DataFrame) -> None:
        """Count a part's cells."""
        cells = cells_of(part, self.codec.name)
        if pa.types.is_dictionary(cells.type) and self._dictionary is not None:
            for chunk in cells.chunks:
                fresh = chunk.dictionary.filter(
                    pc.invert(pc.is_in(chunk.dictionary, value_set=self._dictionary))
                )
                if len(fresh):
                    self._dictionary = pa.concat_arrays([self._dictionary, fresh.cast(self._dictionary.type)])
        plain = decoded(cells)
        self.nulls += plain.null_count
        counted = pc.value_counts(pc.drop_null(plain))
        self._parts.append(pa.table({"values": counted.field("values"), "counts": counted.field("counts")}))
        if len(self._parts) == _MERGED_AT_ONCE:
            self._merge()

    def _merge(self) -> pa.Table:
        merged = (
            pa.concat_tables(self._parts).group_by("values", use_threads=False).aggregate([("counts", "sum")])
        )
        merged = merged.rename_columns(
            ["values", "counts"] if merged.column_names[0] == "values" else ["counts", "values"]
        )
        if len(merged) > MOST_WORDS:
            raise InputError(
                f"Column {self.codec.name!r} holds more than {MOST_WORDS:,} different values, too many for categories: leave "
                f"it out, or have them made anew with --column {self.codec.name}=identifier."
            )
        self._parts = [merged]
        return merged

    def result(self) -> CategoryCodec:
        """Return the codec."""
        merged = self._merge()
        return CategoryCodec.of_counts(
            self.codec.name,
            merged["values"].combine_chunks(),
            merged["counts"].to_numpy(),
            self.nulls,
            as_numbers=self.as_numbers,
            dictionary=self._dictionary,
            index=self.codec.index,
            ordered=self.codec.ordered,
        )


class NumberTally:
    """Counts of numbers."""

    def __init__(self, codec: NumberCodec) -> None:
        self.codec, self.summary, self.nulls = codec, Summary(), 0

    @property
    def error(self) -> int:
        """How many rows a rank may be off."""
        return self.summary.error

    def add(self, part: pd.DataFrame) -> None:
        """Count a part's cells. Raises InputError for infinite ones."""
        values, present = values_of(decoded(cells_of(part, self.codec.name)))
        self.nulls += int((~present).sum())
        if values.dtype.kind == "f" and np.isinf(values[present]).any():
            raise InputError(
                f"Column {self.codec.name!r} holds infinite cells; fill in or leave out these rows."
            )
        self.summary.add(values[present])

    def result(self) -> NumberCodec:
        """Return the codec. Raises InputError where the numbers lie too far apart for int64."""
        values = self.summary.values
        counted = None
        if values is not None:
            counted = self.codec.counted.of_counts(
                values, self.summary.counts, self.nulls, pa.type_for_alias(self.codec.type)
            )
        if counted is None:
            raise InputError(
                f"The numbers of column {self.codec.name!r} lie too far apart to be counted; leave it out, or take it as "
                f"another kind with --column {self.codec.name}=categorical."
            )
        return replace(self.codec, counted=counted)


class DateTally:
    """Counts of the parts of dates, or of the time since another column's."""

    def __init__(self, codec: DateCodec, base: DateCodec | None) -> None:
        self.codec, self.base = codec, base
        self.parts: dict[str, Summary] = {}
        self.nulls = 0
        self.first, self.last = codec.first, codec.last

    @property
    def error(self) -> int:
        """How many rows a rank may be off."""
        return max((each.error for each in self.parts.values()), default=0)

    def add(self, part: pd.DataFrame) -> None:
        """Count a part's cells."""
        ticks, present = self.codec.writing.ticks(decoded(cells_of(part, self.codec.name)), self.codec.name)
        self.nulls += int((~present).sum())
        seen = ticks[present]
        if not len(seen):
            return
        self.first, self.last = min(self.first, int(seen.min())), max(self.last, int(seen.max()))
        origin = None
        if self.base is not None:
            origin = self._origin(part, self.base.writing)[present]
        for name, values in self.codec.split(seen, origin).items():
            self.parts.setdefault(name, Summary()).add(values)

    def breaks(self, part: pd.DataFrame) -> bool:
        """Return whether a part breaks the order of the two columns, or lacks the earlier where the later is there."""
        if self.base is None:
            return False
        ticks, present = self.codec.writing.ticks(decoded(cells_of(part, self.codec.name)), self.codec.name)
        cells = decoded(cells_of(part, self.base.name))
        origin, there = self.base.writing.ticks(cells, self.base.name)
        away = (ticks - origin)[present]
        ends = self.codec.parts["since"].steps.value(self.codec.parts["since"].levels.values[[0, -1]])
        sign = 1 if ends[-1] > 0 else -1
        return bool((present & ~there).any() or (sign * away < 0).any())

    def _origin(self, part: pd.DataFrame, writing: Writing) -> npt.NDArray[np.int64]:
        name = "" if self.base is None else self.base.name
        return writing.ticks(decoded(cells_of(part, name)), name)[0]

    def result(self) -> DateCodec:
        """Return the codec."""
        counted = {
            name: (each.values, each.counts) for name, each in self.parts.items() if each.values is not None
        }
        return self.codec.of_counts(counted, self.nulls, first=self.first, last=self.last)


class IdentifierTally:
    """The largest number, or the hashes of the texts, and how many cells are missing."""

    def __init__(self, codec: IdentifierCodec) -> None:
        self.codec, self.rows, self.nulls = codec, 0, 0
        self.low: int | None = None
        self.high = codec.largest
        self._seen: list[npt.NDArray[np.uint64]] = []

    @property
    def error(self) -> int:
        """How many rows a rank may be off."""
        return 0

    def add(self, part: pd.DataFrame) -> None:
        """Note a part's cells."""
        plain = decoded(cells_of(part, self.codec.name))
        self.rows, self.nulls = self.rows + len(plain), self.nulls + plain.null_count
        if self.codec.templates:
            self._seen.append(IdentifierCodec.hashes(plain.drop_null().to_pylist()))
            return
        ends = pc.min_max(plain).as_py()
        if ends["min"] is not None:
            self.low = ends["min"] if self.low is None else min(self.low, ends["min"])
            self.high = max(self.high, ends["max"])

    def result(self) -> IdentifierCodec:
        """Return the codec; its patterns are those of the rows that were looked at first."""
        return self.codec.of_counts(
            self.rows,
            self.nulls,
            ends=(self.low or 0, self.high),
            seen=np.unique(np.concatenate(self._seen)) if self._seen else None,
        )


Tally = CategoryTally | NumberTally | DateTally | IdentifierTally
