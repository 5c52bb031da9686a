"""Fitting a table's encoder to rows that are never in memory together: a look at some of them, then one counting pass.

What the look takes for granted (a constant column, a function of another one, an order of dates) is checked in every row of
the pass; where a row breaks it, the look is taken again with that row, or without that function, and the pass begins anew.

What is counted of a column part by part, so that its codec can be fitted without holding its cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables.csv import NUMBER
from saddlepoint.data.tables.numeric import cells_of
from saddlepoint.data.tables.parquet import ParquetRows
from saddlepoint.data.tables.schema import Schema, infer
from saddlepoint.data.tables.types import Column, decoded
from saddlepoint.data.transforms.columns import CategoricalTransformer, NumericTransformer, values_of
from saddlepoint.data.transforms.datetime import DateFormat, DatetimeTransformer
from saddlepoint.data.transforms.functional_dependencies import FunctionalDependency
from saddlepoint.data.transforms.identifiers import IdentifierTransformer
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError

MOST_VALUES = 2**18
MOST_WORDS = 2_000_000
_MERGED_AT_ONCE = 16


class QuantileSketch:
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


class CategoricalPartialFit:
    """Counts of words (or of numbers that only ever take the values seen)."""

    def __init__(self, transformer: CategoricalTransformer, *, as_numbers: bool) -> None:
        self.transformer, self.as_numbers = transformer, as_numbers
        self.nulls = 0
        self._parts: list[pa.Table] = []
        self._dictionary: pa.Array | None = transformer.dictionary

    @property
    def error(self) -> int:
        """How many rows a rank may be off."""
        return 0

    def add(self, part: pd.DataFrame) -> None:
        """Count a part's cells."""
        cells = cells_of(part, self.transformer.name)
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
                f"Column {self.transformer.name!r} holds more than {MOST_WORDS:,} different values, too many for categories: leave "
                f"it out, or have them made anew with --column {self.transformer.name}=identifier."
            )
        self._parts = [merged]
        return merged

    def result(self) -> CategoricalTransformer:
        """Return the codec."""
        merged = self._merge()
        return CategoricalTransformer.of_counts(
            self.transformer.name,
            merged["values"].combine_chunks(),
            merged["counts"].to_numpy(),
            self.nulls,
            as_numbers=self.as_numbers,
            dictionary=self._dictionary,
            index=self.transformer.index,
            ordered=self.transformer.ordered,
        )


class NumericPartialFit:
    """Counts of numbers."""

    def __init__(self, transformer: NumericTransformer) -> None:
        self.transformer, self.summary, self.nulls = transformer, QuantileSketch(), 0

    @property
    def error(self) -> int:
        """How many rows a rank may be off."""
        return self.summary.error

    def add(self, part: pd.DataFrame) -> None:
        """Count a part's cells. Raises InputError for infinite ones."""
        values, present = values_of(decoded(cells_of(part, self.transformer.name)))
        self.nulls += int((~present).sum())
        if values.dtype.kind == "f" and np.isinf(values[present]).any():
            raise InputError(
                f"Column {self.transformer.name!r} holds infinite cells; fill in or leave out these rows."
            )
        self.summary.add(values[present])

    def result(self) -> NumericTransformer:
        """Return the codec. Raises InputError where the numbers lie too far apart for int64."""
        values = self.summary.values
        counted = None
        if values is not None:
            counted = self.transformer.bins.of_counts(
                values, self.summary.counts, self.nulls, pa.type_for_alias(self.transformer.type)
            )
        if counted is None:
            raise InputError(
                f"The numbers of column {self.transformer.name!r} lie too far apart to be counted; leave it out, or take it as "
                f"another kind with --column {self.transformer.name}=categorical."
            )
        return replace(self.transformer, bins=counted)


class DatetimePartialFit:
    """Counts of the parts of dates, or of the time since another column's."""

    def __init__(self, transformer: DatetimeTransformer, base: DatetimeTransformer | None) -> None:
        self.transformer, self.base = transformer, base
        self.parts: dict[str, QuantileSketch] = {}
        self.nulls = 0
        self.first, self.last = transformer.first, transformer.last

    @property
    def error(self) -> int:
        """How many rows a rank may be off."""
        return max((each.error for each in self.parts.values()), default=0)

    def add(self, part: pd.DataFrame) -> None:
        """Count a part's cells."""
        ticks, present = self.transformer.writing.ticks(
            decoded(cells_of(part, self.transformer.name)), self.transformer.name
        )
        self.nulls += int((~present).sum())
        seen = ticks[present]
        if not len(seen):
            return
        self.first, self.last = min(self.first, int(seen.min())), max(self.last, int(seen.max()))
        origin = None
        if self.base is not None:
            origin = self._origin(part, self.base.writing)[present]
        for name, values in self.transformer.split(seen, origin).items():
            self.parts.setdefault(name, QuantileSketch()).add(values)

    def breaks(self, part: pd.DataFrame) -> bool:
        """Return whether a part breaks the order of the two columns, or lacks the earlier where the later is there."""
        if self.base is None:
            return False
        ticks, present = self.transformer.writing.ticks(
            decoded(cells_of(part, self.transformer.name)), self.transformer.name
        )
        cells = decoded(cells_of(part, self.base.name))
        origin, there = self.base.writing.ticks(cells, self.base.name)
        away = (ticks - origin)[present]
        ends = self.transformer.parts["since"].steps.value(
            self.transformer.parts["since"].levels.values[[0, -1]]
        )
        sign = 1 if ends[-1] > 0 else -1
        return bool((present & ~there).any() or (sign * away < 0).any())

    def _origin(self, part: pd.DataFrame, writing: DateFormat) -> npt.NDArray[np.int64]:
        name = "" if self.base is None else self.base.name
        return writing.ticks(decoded(cells_of(part, name)), name)[0]

    def result(self) -> DatetimeTransformer:
        """Return the codec."""
        counted = {
            name: (each.values, each.counts) for name, each in self.parts.items() if each.values is not None
        }
        return self.transformer.of_counts(counted, self.nulls, first=self.first, last=self.last)


class IdentifierPartialFit:
    """The largest number, or the hashes of the texts, and how many cells are missing."""

    def __init__(self, transformer: IdentifierTransformer) -> None:
        self.transformer, self.rows, self.nulls = transformer, 0, 0
        self.low: int | None = None
        self.high = transformer.largest
        self._seen: list[npt.NDArray[np.uint64]] = []

    @property
    def error(self) -> int:
        """How many rows a rank may be off."""
        return 0

    def add(self, part: pd.DataFrame) -> None:
        """Note a part's cells."""
        plain = decoded(cells_of(part, self.transformer.name))
        self.rows, self.nulls = self.rows + len(plain), self.nulls + plain.null_count
        if self.transformer.templates:
            self._seen.append(IdentifierTransformer.hashes(plain.drop_null().to_pylist()))
            return
        ends = pc.min_max(plain).as_py()
        if ends["min"] is not None:
            self.low = ends["min"] if self.low is None else min(self.low, ends["min"])
            self.high = max(self.high, ends["max"])

    def result(self) -> IdentifierTransformer:
        """Return the codec; its patterns are those of the rows that were looked at first."""
        return self.transformer.of_counts(
            self.rows,
            self.nulls,
            ends=(self.low or 0, self.high),
            seen=np.unique(np.concatenate(self._seen)) if self._seen else None,
        )


PartialFit = CategoricalPartialFit | NumericPartialFit | DatetimePartialFit | IdentifierPartialFit


SAMPLED_ROWS = 50_000
_ODD_ROWS = 20


def sample_rows(rows: ParquetRows) -> pd.DataFrame:
    """Return some rows, spread evenly over the file: what the kinds of columns are inferred from."""
    count = min(SAMPLED_ROWS, len(rows))
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, count).astype(np.int64))]


def infer_from(looked: pd.DataFrame, told: Mapping[str, str] | None, rows: int, *, name: str) -> Schema:
    """Return the schema of a large table by some of its rows.

    A text that repeats so often among these that the table must hold fewer than half as many values as rows is no key.
    """
    _refuse_words_for_numbers(looked, told, name=name)
    schema = infer(looked, told, name=name)
    words = {
        column.name: "categorical"
        for column in schema.columns
        if column.kind == "identifier" and column.reason != "as told" and _repeats(column, len(looked), rows)
    }
    if words:
        schema = infer(looked, {**(told or {}), **words}, name=name)
    return replace(schema, rows=rows)


def _refuse_words_for_numbers(part: pd.DataFrame, told: Mapping[str, str] | None, *, name: str) -> None:
    """Refuse a column of text that is told to be numbers and holds a cell that is none: cells of a file stay as they are.

    Raises:
        InputError: the cell, and what to do.
    """
    for column in [each for each, kind in (told or {}).items() if kind in ("numeric", "integer")]:
        cells = decoded(cells_of(part, column)) if column in part else pa.chunked_array([pa.nulls(0)])
        if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
            continue
        at = pc.index(pc.match_substring_regex(cells, NUMBER), False).as_py()
        if at >= 0:
            raise InputError(
                f"Column {column!r} of {name} is text and holds {cells[at].as_py()!r}, which is no number; in a file that is "
                f"read in parts that cell cannot be taken as missing: write the column as numbers first, or take it as words "
                f"with --column {column}=categorical."
            )


def _repeats(column: Column, looked: int, rows: int) -> bool:
    if "int" in column.dtype:
        return False
    present = looked * (1 - column.nulls)
    met = present - column.distinct
    # Of K values equally often, n draws meet n^2 / 2K times; where some are more often, K is larger at most by what is rare.
    return met > 0 and present**2 / (2 * met) < rows / 2


def fit_streaming(rows: ParquetRows, told: Mapping[str, str] | None = None, *, name: str) -> TableTransformer:
    """Return the encoder of all rows; `rank_error` says by which share of the rows a number's rank may be off.

    Raises:
        InputError: as `TableTransformer.fit`, or a column holds infinite numbers.
    """
    looked, broken = sample_rows(rows), set[str]()
    while True:
        schema = infer_from(looked, told, len(rows), name=name)
        first = TableTransformer.fit(looked, schema, broken=frozenset(broken))
        partial_fits = _partial_fits(first)
        pairs = {each.name: each for each in first.dependencies}
        for part in rows.parts():
            _refuse_words_for_numbers(part, told, name=name)
            odd = _odd(first, part)
            fallen = _fallen(pairs, partial_fits, part)
            if odd is not None or fallen:
                broken |= fallen
                looked = looked if odd is None else pd.concat([looked, odd], ignore_index=True)
                break
            for partial_fit in partial_fits:
                partial_fit.add(part)
        else:
            error = max((partial_fit.error for partial_fit in partial_fits), default=0)
            transformers = tuple(partial_fit.result() for partial_fit in partial_fits)
            heaviest = max(
                (
                    int(block.counts[block.others].max())
                    for transformer in transformers
                    for block in transformer.feature_blocks
                    if block.smooth
                ),
                default=0,
            )
            return replace(
                first,
                transformers=transformers,
                dependencies=tuple(pairs[each.name] for each in first.dependencies),
                rank_error=(error + heaviest) / len(rows),
            )


def _partial_fits(first: TableTransformer) -> list[PartialFit]:
    found: list[PartialFit] = []
    dates = {
        transformer.name: transformer
        for transformer in first.transformers
        if isinstance(transformer, DatetimeTransformer)
    }
    for transformer in first.transformers:
        if isinstance(transformer, CategoricalTransformer):
            found.append(
                CategoricalPartialFit(
                    transformer, as_numbers=first.kinds[transformer.name] in ("numeric", "integer")
                )
            )
        elif isinstance(transformer, NumericTransformer):
            found.append(NumericPartialFit(transformer))
        elif isinstance(transformer, DatetimeTransformer):
            found.append(
                DatetimePartialFit(
                    transformer, None if transformer.since is None else dates[transformer.since]
                )
            )
        else:
            found.append(IdentifierPartialFit(transformer))
    return found


def _odd(first: TableTransformer, part: pd.DataFrame) -> pd.DataFrame | None:
    """Return rows that are not as the look took them: in a constant column, or fractions among whole numbers."""
    for name, wrong in _suspects(first, part):
        at = np.flatnonzero(np.asarray(wrong.fill_null(False).to_numpy()))
        if len(at):
            del name
            return part.iloc[at[:_ODD_ROWS]]
    return None


def _suspects(first: TableTransformer, part: pd.DataFrame) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for name, value in first.constants.items():
        cells = decoded(cells_of(part, name))
        one = decoded(pa.chunked_array([value]))[0]
        if pa.types.is_null(cells.type):
            continue
        if not one.is_valid:
            yield name, cells.is_valid()
        else:
            yield name, pc.or_(pc.fill_null(pc.not_equal(cells, one), True), cells.is_null())
    for name, kind in first.kinds.items():
        cells = decoded(cells_of(part, name))
        if kind == "integer" and pa.types.is_floating(cells.type):
            yield name, pc.not_equal(cells, pc.round(cells))


def _fallen(
    pairs: dict[str, FunctionalDependency], partial_fits: list[PartialFit], part: pd.DataFrame
) -> set[str]:
    """Return the columns whose function or order a part breaks; pairs that are new are added to the functions."""
    fallen = {
        partial_fit.transformer.name
        for partial_fit in partial_fits
        if isinstance(partial_fit, DatetimePartialFit) and partial_fit.breaks(part)
    }
    for name, each in pairs.items():
        of, mine = cells_of(part, each.of), cells_of(part, name)
        if each.table is None:
            if not of.equals(mine):
                fallen.add(name)
            continue
        both = pa.concat_tables(
            [each.table, _distinct(of, mine).cast(each.table.schema)]
        ).unify_dictionaries()
        both = _distinct(both["of"], both["name"])
        if len(both) != len(
            pc.unique(both["of"])
        ):  # a value of the other column that goes with two of this one
            fallen.add(name)
        else:
            pairs[name] = replace(each, table=both)
    return fallen


def _distinct(of: pa.ChunkedArray, name: pa.ChunkedArray) -> pa.Table:
    """Return each pair of values that occurs once, columns "of" and "name", in the order of their first rows."""
    both = pa.table({"of": decoded(of), "name": name}).combine_chunks()
    codes = []
    for column in (both["of"], decoded(both["name"])):
        whole = column.combine_chunks()
        array = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
        codes.append(
            array.dictionary_encode(null_encoding="encode")
            .indices.to_numpy(zero_copy_only=False)
            .astype(np.int64)
        )
    _, first = np.unique(codes[0] * (int(codes[1].max(initial=0)) + 1) + codes[1], return_index=True)
    return both.take(pa.array(np.sort(first))).combine_chunks()
