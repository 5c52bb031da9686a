"""Conditions on a table's columns: "income=>50K", "workclass=Private|State-gov", "age=30..40", "cabin=" (missing).

A condition is read as a predicate of one column: which of its values, or which ranges of values, or one exact cell. A condition
on a column that is a function of another one becomes a predicate of the other column. Conditions that no row can meet are
refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from saddlepoint.data.tables.numeric import cells_of
from saddlepoint.data.tables.types import decoded
from saddlepoint.data.transforms.columns import CategoricalTransformer, NumericTransformer
from saddlepoint.data.transforms.datetime import DatetimeTransformer
from saddlepoint.data.transforms.identifiers import IdentifierTransformer
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import InputError, nearest, unknown

Booleans = npt.NDArray[np.bool_]
_MOST_EXAMPLES = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicate:
    """The condition on one column that is learnt.

    column: its name.
    text: the condition as it was written, for messages.
    levels: which levels of the column's first feature block are allowed, and last whether a missing cell is (levels + 1,).
    ranges: of numbers and dates: inclusive pairs of values (of dates: ticks), one of which must contain the cell; None where
        `levels` says everything.
    exact: the only cell allowed, of the column's type; None where several are.
    """

    column: str
    text: str
    levels: Booleans
    ranges: tuple[tuple[float, float], ...] | None = None
    exact: pa.Array | None = None

    def intersection(self, other: Predicate) -> Predicate:
        """Return the predicate of cells that meet both. Raises InputError where no cell does."""
        levels = self.levels & other.levels
        ranges = self.ranges if other.ranges is None else other.ranges
        if self.ranges is not None and other.ranges is not None:
            pairs = [(max(a, c), min(b, d)) for a, b in self.ranges for c, d in other.ranges]
            ranges = tuple((low, high) for low, high in pairs if low <= high)
        if not levels.any() or ranges == ():
            raise InputError(
                f"The conditions {self.text} and {other.text} contradict each other: no row can meet both; leave one out."
            )
        exact = self.exact if self.exact is not None else other.exact
        return replace(self, text=f"{self.text} and {other.text}", levels=levels, ranges=ranges, exact=exact)

    def met_by(self, transformer: Any, cells: pa.ChunkedArray) -> Booleans:
        """Return which of the column's cells meet the condition, (n,)."""
        missing = np.asarray(cells.is_null().to_numpy(), dtype=bool)
        if isinstance(transformer, DatetimeTransformer):
            values: npt.NDArray[Any] = transformer.format.ticks(cells, transformer.name)[0]
        elif self.ranges is None:
            good: Booleans = self.levels[transformer.codes(cells)[0]]
            return good
        else:
            values = np.asarray(pc.fill_null(cells, 0).to_numpy()).astype(np.float64)
        inside = np.zeros(len(values), dtype=bool)
        for low, high in self.ranges or ():
            inside |= (values >= low) & (values <= high)
        return np.where(missing, bool(self.levels[-1]), inside)


def not_understood(given: str) -> InputError:
    """Return the error for a condition that cannot be read; for one like "age>=30" it suggests the range."""
    meant = re.fullmatch(r"\s*(.+?)\s*([<>])=?\s*([^<>=]+?)\s*", given)
    range_ = (
        "" if meant is None else f"{meant[1]}={meant[3]}.." if meant[2] == ">" else f"{meant[1]}=..{meant[3]}"
    )
    return InputError(
        f"The condition {given!r} is not understood; write "
        + (
            f"{range_!r} (a range that includes its end)."
            if range_
            else "COLUMN=VALUE, COLUMN=A|B or COLUMN=LOW..HIGH."
        )
    )


def predicate_of(encoder: TableTransformer, column: str, text: str) -> Predicate | None:
    """Return the predicate of the condition "column=text"; None where every row meets it.

    Raises:
        InputError: an unknown column or value (the nearest is suggested), or a range without any value seen.
    """
    names = encoder.form.column_names
    condition = f"{column}={text}"
    if column not in names and column.rstrip("<> ") in names:
        raise not_understood(condition)
    if column not in names:
        raise unknown("There is no column", column, names, "The columns are")
    if column in encoder.constants:
        cell = encoder.constants[column][0].as_py()
        if text not in (str(cell), "" if cell is None else str(cell)):
            raise InputError(
                f"Column {column!r} is always {cell!r}, so {condition} cannot be met; leave this condition out."
            )
        return None
    dependency = next((each for each in encoder.dependencies if each.name == column), None)
    if dependency is not None and dependency.table is not None:
        keys, values = (dependency.table[name].combine_chunks() for name in ("of", "name"))
        allowed = _chosen_values(column, text, values)
        transformer = next(each for each in encoder.transformers if each.name == dependency.of)
        levels = np.zeros(len(transformer.feature_blocks[0].counts) + 1, dtype=bool)
        levels[transformer.codes(pa.chunked_array([keys.filter(pa.array(allowed))]))[0]] = True
        return _single(transformer, Predicate(column=transformer.name, text=condition, levels=levels))
    name = column if dependency is None else dependency.of
    transformer = next(each for each in encoder.transformers if each.name == name)
    if text == "":
        block = transformer.feature_blocks[0] if transformer.feature_blocks else None
        if block is None or not block.nulls:
            raise InputError(
                f"Column {column!r} was never empty in training, so {condition} cannot be met; leave this condition out."
            )
        levels = np.append(np.zeros(len(block.counts), dtype=bool), True)
        return Predicate(column=name, text=condition, levels=levels, exact=_missing_cell(encoder, name))
    if isinstance(transformer, IdentifierTransformer):
        raise InputError(
            f"Column {column!r} holds identifiers, which are not learnt: {condition} cannot be asked for"
            f"{f', only {column}= (no identifier)' if transformer.feature_blocks else ''}."
        )
    if isinstance(transformer, CategoricalTransformer):
        allowed = _chosen_values(column, text, transformer.values)
        return _single(transformer, Predicate(column=name, text=condition, levels=np.append(allowed, False)))
    if isinstance(transformer, DatetimeTransformer):
        return _dates(transformer, text, condition)
    return _numbers(transformer, text, condition)


def _missing_cell(encoder: TableTransformer, name: str) -> pa.Array:
    kind = encoder.form.schema.field(name).type
    return pa.nulls(1, kind.value_type if pa.types.is_dictionary(kind) else kind)


def _single(transformer: Any, predicate: Predicate) -> Predicate:
    """Return the predicate with its exact cell, if only one level is allowed."""
    chosen = np.flatnonzero(predicate.levels)
    if len(chosen) != 1 or chosen[0] == len(predicate.levels) - 1:
        return predicate
    if isinstance(transformer, CategoricalTransformer):
        return replace(predicate, exact=transformer.values.take(pa.array(chosen)))
    value = transformer.bins.steps.value(transformer.bins.levels.values[chosen])
    return replace(predicate, exact=pa.array(value).cast(pa.type_for_alias(transformer.type), safe=False))


def _chosen_values(column: str, text: str, values: pa.Array) -> Booleans:
    """Return which of the values are among "a|b|c", or, where values are numbers, in a range "low..high"."""
    cells = values.to_pylist()
    texts = [str(cell).lower() if isinstance(cell, bool) else _value_text(cell) for cell in cells]
    numeric = all(isinstance(_as_number(each), float) for each in texts if each)
    found = np.zeros(len(texts), dtype=bool)
    for each in [text] if text in texts else text.split("|"):
        low, dots, high = each.partition("..")
        if each not in texts and dots and numeric:
            numbers = np.array([float(value) for value in texts])
            here = (numbers >= _number(column, low, -np.inf)) & (numbers <= _number(column, high, np.inf))
            if not here.any():
                raise InputError(
                    f"Column {column!r} never was {each} in training; the values seen range from {numbers.min():g} to "
                    f"{numbers.max():g}."
                )
            found |= here
            continue
        spellings = (each, _value_text(_as_number(each)), each.lower())
        spelling = next((one for one in spellings if one in texts), None)
        if spelling is None:
            some = [value for value in texts if value][:50]
            raise InputError(
                f"Column {column!r} never was {each!r} in training{nearest(each, some) or '.'} It had "
                f"{len(texts):,} values, such as {', '.join(some[:_MOST_EXAMPLES])}."
            )
        found |= np.array([value == spelling for value in texts])
    return found


def _value_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _as_number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _number(column: str, text: str, otherwise: float) -> float:
    if not text.strip():
        return otherwise
    value = _as_number(text)
    if text.strip()[0] in "<>":
        raise not_understood(f"{column}{text}")
    if not isinstance(value, float) or value != value:
        raise InputError(
            f"Column {column!r} holds numbers, and {text!r} is not a number; write {column}=LOW..HIGH or {column}=VALUE."
        )
    return value


def _ranges(
    name: str, text: str, first: Callable[[str], float], last: Callable[[str], float]
) -> list[tuple[str, float, float]]:
    """Return each alternative of "a|low..high" with its lowest and its highest value, as `first` and `last` read the ends.

    Raises:
        InputError: a range is empty.
    """
    found = []
    for each in text.split("|"):
        low, dots, high = each.partition("..")
        ends = first(low), last(high if dots else low)
        if ends[0] > ends[1]:
            raise InputError(f"The range {each} of column {name!r} is empty: write the smaller end first.")
        found.append((each, *ends))
    return found


def _numbers(transformer: NumericTransformer, text: str, condition: str) -> Predicate:
    name = transformer.name
    values = transformer.bins.steps.value(transformer.bins.levels.values).astype(np.float64)
    smooth = transformer.feature_blocks[0].smooth
    levels = np.zeros(len(values) + 1, dtype=bool)
    ranges = _ranges(
        name, text, lambda low: _number(name, low, -np.inf), lambda high: _number(name, high, np.inf)
    )
    for each, low, high in ranges:
        here = (values >= low) & (values <= high)
        if high < values[0] or low > values[-1]:
            raise InputError(
                f"Column {name!r} never was {each} in training; the values seen range from {values[0]:g} to {values[-1]:g}."
            )
        if not here.any():
            near = values[np.argmin(np.abs(values - low))]
            if not smooth:
                raise InputError(
                    f"Column {name!r} never was {each} in training; the nearest value seen is {near:g}."
                )
            here = values == near
        levels[:-1] |= here
    exact = None
    if len(ranges) == 1 and ranges[0][1] == ranges[0][2]:
        exact = pa.array([ranges[0][1]]).cast(pa.type_for_alias(transformer.type), safe=False)
    ends = tuple((low, high) for _, low, high in ranges)
    return Predicate(column=name, text=condition, levels=levels, ranges=ends, exact=exact)


def _dates(transformer: DatetimeTransformer, text: str, condition: str) -> Predicate:
    name, seen = transformer.name, np.array([transformer.first, transformer.last])
    ranges = _ranges(
        name,
        text,
        lambda low: _tick(transformer, low, transformer.first)[0],
        lambda high: _tick(transformer, high, transformer.last)[1],
    )
    for each, low, high in ranges:
        if high < transformer.first or low > transformer.last:
            first, last = transformer.format.cells(seen, np.ones(2, dtype=bool)).to_pylist()
            raise InputError(
                f"Column {name!r} never was {each} in training; the dates seen range from {first} to {last}."
            )
    levels = np.append(np.ones(len(transformer.feature_blocks[0].counts), dtype=bool), False)
    exact = None
    if len(ranges) == 1 and transformer.since is None and ranges[0][1] == ranges[0][2]:
        exact = transformer.format.cells(np.array([int(ranges[0][1])]), np.ones(1, dtype=bool))
    ends = tuple((low, high) for _, low, high in ranges)
    return Predicate(column=name, text=condition, levels=levels, ranges=ends, exact=exact)


def _tick(transformer: DatetimeTransformer, text: str, otherwise: int) -> tuple[float, float]:
    """Return the first and the last tick of a written date; a day without a time means the whole day."""
    if not text.strip():
        return float(otherwise), float(otherwise)
    try:
        moment = pd.Timestamp(text)
    except (ValueError, TypeError):
        moment = None
    if moment is None or pd.isna(moment):
        raise InputError(
            f"Column {transformer.name!r} holds dates, and {text!r} is not one; write 2019-03-31 or 2019-03-31 18:30."
        )
    moment = moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment
    day = transformer.format.ticks_per_day
    ticks = int(moment.value // 1000 * day // (86400 * 10**6))
    whole = ":" not in text
    return float(ticks), float(ticks + day - 1 if whole else ticks)


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditions:
    """Conditions on a table's columns, joined by "and".

    encoder: the fitted table transformer.
    predicates: for each column with a condition its predicate, by name.
    text: the conditions as they were written, for messages.
    """

    encoder: TableTransformer
    predicates: dict[str, Predicate]
    text: str = ""

    @classmethod
    def read(cls, encoder: TableTransformer, given: Sequence[str] | Mapping[str, Any]) -> Conditions:
        """Return conditions given as texts "column=value", or as a mapping {column: value, (low, high) or [values]}.

        Raises InputError for an unknown column or value (the nearest is suggested), a range without any value seen, and
        conditions that contradict each other.
        """
        predicates: dict[str, Predicate] = {}
        pairs = _pairs(given)
        for column, text in pairs:
            each = predicate_of(encoder, column, text)
            if each is None:
                continue
            other = predicates.get(each.column)
            predicates[each.column] = each if other is None else other.intersection(each)
        return cls(
            encoder=encoder,
            predicates=predicates,
            text=" and ".join(f"{name}={text}" for name, text in pairs),
        )

    def accepted(self, frame: pd.DataFrame, *, exact: bool = False) -> Booleans:
        """Return which rows of a frame of Arrow-backed columns meet the conditions, (n,).

        exact: whether to check conditions with an exact cell too.
        """
        good = np.ones(len(frame), dtype=bool)
        for transformer in self.encoder.transformers:
            predicate = self.predicates.get(transformer.name)
            if predicate is not None and (exact or predicate.exact is None):
                good &= predicate.met_by(transformer, decoded(cells_of(frame, transformer.name)))
        return good

    def shares(self, column: str) -> npt.NDArray[np.float64]:
        """Return each allowed level's share of the training rows, in a column's first feature block; 0 for other levels."""
        block = self._transformer(column).feature_blocks[0]
        counts = np.append(block.counts, block.nulls).astype(np.float64)
        found: npt.NDArray[np.float64] = counts * self.predicates[column].levels / max(1.0, counts.sum())
        return found

    def known(self, rows: int, uniforms: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int32], Booleans]:
        """Return codes (rows, blocks), and which feature blocks are known (blocks,): those of columns with an exact cell.

        Where no cell is exact, the column with the rarest allowed values is set to one of these in each row, drawn by their
        shares; all other columns are then drawn given it.

        rows: number of rows.
        uniforms: numbers in (0, 1), (rows,), that decide these draws.
        """
        encoder = self.encoder
        codes = np.zeros((rows, len(encoder.feature_blocks)), dtype=np.int32)
        known = np.zeros(len(encoder.feature_blocks), dtype=bool)
        column_of_block = np.array(encoder.columns_of_blocks)
        drawn = None if any(each.exact is not None for each in self.predicates.values()) else self._rarest()
        for at, transformer in enumerate(encoder.transformers):
            predicate, blocks = self.predicates.get(transformer.name), np.flatnonzero(column_of_block == at)
            if predicate is None:
                continue
            if predicate.exact is not None:
                of_cell = transformer.codes(pa.chunked_array([predicate.exact]))
                codes[:, blocks] = [int(each[0]) for each in of_cell]
                known[blocks] = True
            elif transformer.name == drawn:
                cumulative = np.cumsum(self.shares(drawn))
                code = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
                codes[:, blocks[0]] = np.minimum(code, np.flatnonzero(predicate.levels)[-1])
                known[blocks[0]] = True
        return codes, known

    def with_exact_cells(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with the exact cells of numeric columns as the conditions give them, without rounding."""
        out = frame.copy()
        for name, predicate in self.predicates.items():
            if predicate.exact is not None and isinstance(self._transformer(name), NumericTransformer):
                kind = self.encoder.form.schema.field(name).type
                cells = predicate.exact.cast(kind).take(pa.array(np.zeros(len(frame), dtype=np.int64)))
                out[name] = pd.Series(pd.arrays.ArrowExtensionArray(cells), index=out.index)
        return out

    def _rarest(self) -> str | None:
        able = [
            name
            for name in self.predicates
            if not isinstance(self._transformer(name), DatetimeTransformer) and self.shares(name).sum() > 0
        ]
        return min(able, key=lambda name: float(self.shares(name).sum()), default=None)

    def _transformer(self, name: str) -> Any:
        return next(transformer for transformer in self.encoder.transformers if transformer.name == name)


def _pairs(given: Sequence[str] | Mapping[str, Any]) -> list[tuple[str, str]]:
    if isinstance(given, Mapping):
        return [(str(name), _text(value)) for name, value in given.items()]
    pairs = []
    for each in [given] if isinstance(given, str) else given:
        name, equals, text = str(each).partition("=")
        if not equals or not name:
            raise not_understood(str(each))
        pairs.append((name, text))
    return pairs


def _text(value: Any) -> str:
    if isinstance(value, tuple) and len(value) == 2:
        return f"{_text(value[0])}..{_text(value[1])}"
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return "|".join(_text(each) for each in value)
    return "" if value is None or value is pd.NA or value != value else str(value)
