"""Fit a table transformer to rows that do not fit in memory: a sample of rows, then one counting pass over all rows.

Assumptions inferred from a sample of rows are verified on every row; on a violation the row is added to the sample and the
fit restarts. The assumptions are: constant columns, whole-number columns, functional dependencies and the order of dates. A
functional dependency or an order of dates that was violated is not assumed again.

The pass counts each column part by part (a part is a run of consecutive rows of the file), so that a column transformer is
fitted without holding all of the column's cells.
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
from saddlepoint.data.tables.types import GIVEN, Column, decoded
from saddlepoint.data.transforms.columns import CategoricalTransformer, NumericTransformer, values_of
from saddlepoint.data.transforms.datetime import DateFormat, DatetimeTransformer
from saddlepoint.data.transforms.functional_dependencies import FunctionalDependency
from saddlepoint.data.transforms.identifiers import IdentifierTransformer
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError

MOST_VALUES = 2**18
MOST_CATEGORIES = 2_000_000
_MERGED_AT_ONCE = 16


class QuantileSketch:
    """Quantile sketch: distinct numbers and their counts; above 2^18 distinct numbers, a thinned list with a known rank error.

    Thinning joins neighbours to groups of a count of at most total / 2^17. It keeps the largest number of a group, with the
    group's count. The smallest and the largest number, and all numbers with a higher count, are kept as they are.

    values: the numbers kept, sorted; None before the first `add`.
    counts: the count of each.
    error: the largest rank error in rows: the count of the largest group joined, summed over all thinnings.
    """

    def __init__(self) -> None:
        self.values: npt.NDArray[Any] | None = None
        self.counts = np.empty(0, dtype=np.int64)
        self.error = 0

    @property
    def total(self) -> int:
        """The number of numbers added."""
        return int(self.counts.sum())

    def add(self, values: npt.NDArray[Any]) -> None:
        """Count more numbers (n,)."""
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
    """Counts of a categorical column's values, part by part."""

    def __init__(self, transformer: CategoricalTransformer, *, as_numbers: bool) -> None:
        self.transformer, self.as_numbers = transformer, as_numbers
        self.nulls = 0
        self._parts: list[pa.Table] = []
        self._dictionary: pa.Array | None = transformer.dictionary

    @property
    def error(self) -> int:
        """The largest rank error, in rows."""
        return 0

    def add(self, part: pd.DataFrame) -> None:
        """Count the cells of one part."""
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
        if len(merged) > MOST_CATEGORIES:
            raise InputError(
                f"Column {self.transformer.name!r} holds more than {MOST_CATEGORIES:,} different values, too many for "
                f"categories: leave it out, or have new values generated with --column {self.transformer.name}=identifier."
            )
        self._parts = [merged]
        return merged

    def result(self) -> CategoricalTransformer:
        """Return the fitted column transformer."""
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
    """A quantile sketch of a numeric column, part by part."""

    def __init__(self, transformer: NumericTransformer) -> None:
        self.transformer, self.summary, self.nulls = transformer, QuantileSketch(), 0

    @property
    def error(self) -> int:
        """The largest rank error, in rows."""
        return self.summary.error

    def add(self, part: pd.DataFrame) -> None:
        """Count the cells of one part. Raises InputError for infinite ones."""
        values, present = values_of(decoded(cells_of(part, self.transformer.name)))
        self.nulls += int((~present).sum())
        if values.dtype.kind == "f" and np.isinf(values[present]).any():
            raise InputError(
                f"Column {self.transformer.name!r} holds infinite cells; replace them, or leave these rows out."
            )
        self.summary.add(values[present])

    def result(self) -> NumericTransformer:
        """Return the fitted column transformer. Raises InputError where int64 cannot count the range of the numbers."""
        values = self.summary.values
        counted = None
        if values is not None:
            counted = self.transformer.bins.of_counts(
                values, self.summary.counts, self.nulls, pa.type_for_alias(self.transformer.type)
            )
        if counted is None:
            raise InputError(
                f"The numbers of column {self.transformer.name!r} are too far apart to be counted in int64; leave the column "
                f"out, or treat its values as categories with --column {self.transformer.name}=categorical."
            )
        return replace(self.transformer, bins=counted)


class DatetimePartialFit:
    """Quantile sketches of the parts of dates, or of the time since another column, part by part."""

    def __init__(self, transformer: DatetimeTransformer, base: DatetimeTransformer | None) -> None:
        self.transformer, self.base = transformer, base
        self.parts: dict[str, QuantileSketch] = {}
        self.nulls = 0
        self.first, self.last = transformer.first, transformer.last

    @property
    def error(self) -> int:
        """The largest rank error, in rows."""
        return max((each.error for each in self.parts.values()), default=0)

    def add(self, part: pd.DataFrame) -> None:
        """Count the cells of one part."""
        ticks, present = self.transformer.format.ticks(
            decoded(cells_of(part, self.transformer.name)), self.transformer.name
        )
        self.nulls += int((~present).sum())
        seen = ticks[present]
        if not len(seen):
            return
        self.first, self.last = min(self.first, int(seen.min())), max(self.last, int(seen.max()))
        origin = None
        if self.base is not None:
            origin = self._origin(part, self.base.format)[present]
        for name, values in self.transformer.split(seen, origin).items():
            self.parts.setdefault(name, QuantileSketch()).add(values)

    def violated_by(self, part: pd.DataFrame) -> bool:
        """Return whether a part violates the two columns' order, or lacks the earlier date where the later is present."""
        if self.base is None:
            return False
        ticks, present = self.transformer.format.ticks(
            decoded(cells_of(part, self.transformer.name)), self.transformer.name
        )
        cells = decoded(cells_of(part, self.base.name))
        origin, there = self.base.format.ticks(cells, self.base.name)
        away = (ticks - origin)[present]
        ends = self.transformer.parts["since"].steps.value(
            self.transformer.parts["since"].levels.values[[0, -1]]
        )
        sign = 1 if ends[-1] > 0 else -1
        return bool((present & ~there).any() or (sign * away < 0).any())

    def _origin(self, part: pd.DataFrame, date_format: DateFormat) -> npt.NDArray[np.int64]:
        name = "" if self.base is None else self.base.name
        return date_format.ticks(decoded(cells_of(part, name)), name)[0]

    def result(self) -> DatetimeTransformer:
        """Return the fitted column transformer."""
        counted = {
            name: (each.values, each.counts) for name, each in self.parts.items() if each.values is not None
        }
        return self.transformer.of_counts(counted, self.nulls, first=self.first, last=self.last)


class IdentifierPartialFit:
    """The largest number, or the hashes of the texts, and the number of missing cells, part by part."""

    def __init__(self, transformer: IdentifierTransformer) -> None:
        self.transformer, self.rows, self.nulls = transformer, 0, 0
        self.low: int | None = None
        self.high = transformer.largest
        self._seen: list[npt.NDArray[np.uint64]] = []

    @property
    def error(self) -> int:
        """The largest rank error, in rows."""
        return 0

    def add(self, part: pd.DataFrame) -> None:
        """Read the cells of one part."""
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
        """Return the fitted column transformer; its templates are those of the sample."""
        return self.transformer.of_counts(
            self.rows,
            self.nulls,
            ends=(self.low or 0, self.high),
            seen=np.unique(np.concatenate(self._seen)) if self._seen else None,
        )


PartialFit = CategoricalPartialFit | NumericPartialFit | DatetimePartialFit | IdentifierPartialFit


SAMPLED_ROWS = 50_000
_MOST_UNEXPECTED_ROWS = 20


def sample_rows(rows: ParquetRows) -> pd.DataFrame:
    """Return at most 50,000 rows, spread evenly over the file, from which the kinds of columns are inferred."""
    count = min(SAMPLED_ROWS, len(rows))
    return rows.iloc[np.unique(np.linspace(0, len(rows) - 1, count).astype(np.int64))]


def infer_from(sample: pd.DataFrame, overrides: Mapping[str, str] | None, rows: int, *, name: str) -> Schema:
    """Return the schema of a large table, inferred from a sample of its rows.

    A text column is no identifier if its values repeat so often in the sample that the whole table must have fewer than half
    as many distinct values as rows.

    sample: some of the rows.
    overrides: kinds of columns given by the user, by name.
    rows: number of rows of the whole table.
    name: of the table, for error messages.
    """
    _check_numeric_text(sample, overrides, name=name)
    schema = infer(sample, overrides, name=name)
    repeated = {
        column.name: "categorical"
        for column in schema.columns
        if column.kind == "identifier" and column.reason != GIVEN and _repeats(column, len(sample), rows)
    }
    if repeated:
        schema = infer(sample, {**(overrides or {}), **repeated}, name=name)
    return replace(schema, rows=rows)


def _check_numeric_text(part: pd.DataFrame, overrides: Mapping[str, str] | None, *, name: str) -> None:
    """Check text columns that the user gave a numeric kind: the cells of a file read in parts are not changed.

    Raises:
        InputError: a cell is not a number.
    """
    for column in [each for each, kind in (overrides or {}).items() if kind in ("numeric", "integer")]:
        cells = decoded(cells_of(part, column)) if column in part else pa.chunked_array([pa.nulls(0)])
        if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
            continue
        at = pc.index(pc.match_substring_regex(cells, NUMBER), False).as_py()
        if at >= 0:
            raise InputError(
                f"Column {column!r} of {name} is text and holds {cells[at].as_py()!r}, which is not a number; in a file "
                "that is read in parts such a cell cannot be read as missing: store the column as numbers first, or treat "
                f"its values as categories with --column {column}=categorical."
            )


def _repeats(column: Column, sampled: int, rows: int) -> bool:
    if "int" in column.dtype:
        return False
    present = sampled * (1 - column.nulls)
    repeats = present - column.distinct
    # n draws from K equally frequent values repeat n^2 / 2K times; with unequal frequencies K is larger only by rare values.
    return repeats > 0 and present**2 / (2 * repeats) < rows / 2


def fit_streaming(
    rows: ParquetRows, overrides: Mapping[str, str] | None = None, *, name: str
) -> TableTransformer:
    """Return the table transformer of all rows; its `rank_error` is the largest rank error of a number, as a share of rows.

    rows: of a Parquet file, read in parts.
    overrides: kinds of columns given by the user, by name.
    name: of the table, for error messages.

    Raises:
        InputError: as `TableTransformer.fit`, or a column holds infinite numbers.
    """
    sample, violated = sample_rows(rows), set[str]()
    while True:
        schema = infer_from(sample, overrides, len(rows), name=name)
        first = TableTransformer.fit(sample, schema, violated=frozenset(violated))
        partial_fits = _partial_fits(first)
        pairs = {each.name: each for each in first.dependencies}
        for part in rows.parts():
            _check_numeric_text(part, overrides, name=name)
            unexpected = _unexpected_rows(first, part)
            new = _violated(pairs, partial_fits, part)
            if unexpected is not None or new:
                violated |= new
                sample = sample if unexpected is None else pd.concat([sample, unexpected], ignore_index=True)
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


def _unexpected_rows(first: TableTransformer, part: pd.DataFrame) -> pd.DataFrame | None:
    """Return rows that differ from the sample: another value in a constant column, or fractions among whole numbers."""
    for wrong in _mismatches(first, part):
        at = np.flatnonzero(np.asarray(wrong.fill_null(False).to_numpy()))
        if len(at):
            return part.iloc[at[:_MOST_UNEXPECTED_ROWS]]
    return None


def _mismatches(first: TableTransformer, part: pd.DataFrame) -> Iterator[pa.ChunkedArray]:
    """Yield for each column with an assumption about its cells which cells violate it, (n,)."""
    for name, value in first.constants.items():
        cells = decoded(cells_of(part, name))
        one = decoded(pa.chunked_array([value]))[0]
        if pa.types.is_null(cells.type):
            continue
        if not one.is_valid:
            yield cells.is_valid()
        else:
            yield pc.or_(pc.fill_null(pc.not_equal(cells, one), True), cells.is_null())
    for name, kind in first.kinds.items():
        cells = decoded(cells_of(part, name))
        if kind == "integer" and pa.types.is_floating(cells.type):
            yield pc.not_equal(cells, pc.round(cells))


def _violated(
    pairs: dict[str, FunctionalDependency], partial_fits: list[PartialFit], part: pd.DataFrame
) -> set[str]:
    """Return the columns whose functional dependency or order of dates a part violates; new pairs of values are added."""
    violated = {
        partial_fit.transformer.name
        for partial_fit in partial_fits
        if isinstance(partial_fit, DatetimePartialFit) and partial_fit.violated_by(part)
    }
    for name, each in pairs.items():
        of, mine = cells_of(part, each.of), cells_of(part, name)
        if each.table is None:
            if not of.equals(mine):
                violated.add(name)
            continue
        both = pa.concat_tables(
            [each.table, _distinct(of, mine).cast(each.table.schema)]
        ).unify_dictionaries()
        both = _distinct(both["of"], both["name"])
        # More pairs than values of the other column: one of these goes with two values of this column.
        if len(both) != len(pc.unique(both["of"])):
            violated.add(name)
        else:
            pairs[name] = replace(each, table=both)
    return violated


def _distinct(of: pa.ChunkedArray, name: pa.ChunkedArray) -> pa.Table:
    """Return the distinct pairs of values, in columns "of" and "name", in the order of their first rows."""
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
