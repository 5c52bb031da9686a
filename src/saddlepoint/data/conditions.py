"""Conditions on a table's columns: "income=>50K", "workclass=Private|State-gov", "age=30..40", "cabin=" (missing).

What each wants of its column is read by `table_wanted`; conditions that no row can meet are refused.

What a condition's text wants of one column: which of its values, ranges of them, or one exact cell.

A condition on a column that is a function of another one becomes one on the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from saddlepoint.errors import InputError, nearest

Truths = npt.NDArray[np.bool_]
_SOME = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicate:
    """What is wanted of one column that is learnt.

    levels: which of the levels of its first span are allowed, and behind them whether a missing cell is, (levels + 1,).
    ranges: of numbers and dates, inclusive pairs of values (of dates: ticks), one of which a cell must lie in; None where
    the levels say all. exact: the one cell that is wanted, of the column's type.
    """

    column: str
    said: str
    levels: Truths
    ranges: tuple[tuple[float, float], ...] | None = None
    exact: pa.Array | None = None

    def narrowed(self, other: Predicate) -> Predicate:
        """Return what meets both. Raises InputError where nothing does."""
        levels = self.levels & other.levels
        ranges = self.ranges if other.ranges is None else other.ranges
        if self.ranges is not None and other.ranges is not None:
            pairs = [(max(a, c), min(b, d)) for a, b in self.ranges for c, d in other.ranges]
            ranges = tuple((low, high) for low, high in pairs if low <= high)
        if not levels.any() or ranges == ():
            raise InputError(
                f"The conditions {self.said} and {other.said} contradict each other: no row can meet both; leave one out."
            )
        exact = self.exact if self.exact is not None else other.exact
        return replace(self, said=f"{self.said} and {other.said}", levels=levels, ranges=ranges, exact=exact)

    def met_by(self, transformer: Any, cells: pa.ChunkedArray) -> Truths:
        """Return which of the column's cells are wanted, (n,)."""
        missing = np.asarray(cells.is_null().to_numpy(), dtype=bool)
        if isinstance(transformer, DatetimeTransformer):
            values: npt.NDArray[Any] = transformer.writing.ticks(cells, transformer.name)[0]
        elif self.ranges is None:
            good: Truths = self.levels[transformer.codes(cells)[0]]
            return good
        else:
            values = np.asarray(pc.fill_null(cells, 0).to_numpy()).astype(np.float64)
        inside = np.zeros(len(values), dtype=bool)
        for low, high in self.ranges or ():
            inside |= (values >= low) & (values <= high)
        return np.where(missing, bool(self.levels[-1]), inside)


def not_understood(given: str) -> InputError:
    """Return the refusal of a condition as it was written, with the range that "age>=30" may mean."""
    meant = re.fullmatch(r"\s*(.+?)\s*([<>])=?\s*([^<>=]+?)\s*", given)
    range_ = (
        "" if meant is None else f"{meant[1]}={meant[3]}.." if meant[2] == ">" else f"{meant[1]}=..{meant[3]}"
    )
    return InputError(
        f"The condition {given!r} is not understood; write "
        + (
            f"{range_!r} (a range, its end included)."
            if range_
            else "COLUMN=VALUE, COLUMN=A|B or COLUMN=LOW..HIGH."
        )
    )


def predicate_of(encoder: TableTransformer, column: str, text: str) -> Predicate | None:
    """Return what "column=text" wants; None where every row has it.

    Raises:
        InputError: a column or a value that was not learnt (the nearest is offered), or a range outside what was seen.
    """
    names = encoder.form.column_names
    said = f"{column}={text}"
    if column not in names and column.rstrip("<> ") in names:
        raise not_understood(said)
    if column not in names:
        raise InputError(
            f"There is no column {column!r} to give a value of{nearest(column, names) or '.'} The columns are "
            f"{', '.join(names[:12])}{', ...' if len(names) > 12 else ''}."
        )
    if column in encoder.constants:
        cell = encoder.constants[column][0].as_py()
        if text not in (str(cell), "" if cell is None else str(cell)):
            raise InputError(
                f"Column {column!r} is always {cell!r}, so {said} cannot be met; leave the condition out."
            )
        return None
    dependency = next((each for each in encoder.dependencies if each.name == column), None)
    if dependency is not None and dependency.table is not None:
        keys, values = (dependency.table[name].combine_chunks() for name in ("of", "name"))
        allowed, _ = _chosen_words(column, text, values)
        transformer = next(each for each in encoder.transformers if each.name == dependency.of)
        levels = np.zeros(len(transformer.feature_blocks[0].counts) + 1, dtype=bool)
        levels[transformer.codes(pa.chunked_array([keys.filter(pa.array(allowed))]))[0]] = True
        return _single(transformer, Predicate(column=transformer.name, said=said, levels=levels))
    name = column if dependency is None else dependency.of
    transformer = next(each for each in encoder.transformers if each.name == name)
    if text == "":
        block = transformer.feature_blocks[0] if transformer.feature_blocks else None
        if block is None or not block.nulls:
            raise InputError(f"Column {column!r} was never empty in training; {said} cannot be asked for.")
        levels = np.append(np.zeros(len(block.counts), dtype=bool), True)
        return Predicate(column=name, said=said, levels=levels, exact=_nothing(encoder, name))
    if isinstance(transformer, IdentifierTransformer):
        raise InputError(
            f"Column {column!r} holds identifiers, which are made anew and not learnt: {said} cannot be asked for"
            f"{f', only {column}= (no identifier)' if transformer.feature_blocks else ''}."
        )
    if isinstance(transformer, CategoricalTransformer):
        allowed, _ = _chosen_words(column, text, transformer.values)
        return _single(transformer, Predicate(column=name, said=said, levels=np.append(allowed, False)))
    if isinstance(transformer, DatetimeTransformer):
        return _dates(transformer, text, said)
    return _numbers(transformer, text, said)


def _nothing(encoder: TableTransformer, name: str) -> pa.Array:
    kind = encoder.form.schema.field(name).type
    return pa.nulls(1, kind.value_type if pa.types.is_dictionary(kind) else kind)


def _single(transformer: Any, wanted: Predicate) -> Predicate:
    """Return it with its exact cell, where one level alone is wanted."""
    chosen = np.flatnonzero(wanted.levels)
    if len(chosen) != 1 or chosen[0] == len(wanted.levels) - 1:
        return wanted
    if isinstance(transformer, CategoricalTransformer):
        return replace(wanted, exact=transformer.values.take(pa.array(chosen)))
    value = transformer.bins.steps.value(transformer.bins.levels.values[chosen])
    return replace(wanted, exact=pa.array(value).cast(pa.type_for_alias(transformer.type), safe=False))


def _chosen_words(column: str, text: str, values: pa.Array) -> tuple[Truths, list[str]]:
    """Return which of the values are among "a|b|c", or, where values are numbers, in a range "low..high"."""
    words = [_word(value) for value in values.to_pylist()]
    lowered = [
        word.lower() if isinstance(value, bool) else word
        for word, value in zip(words, values.to_pylist(), strict=True)
    ]
    known = set(lowered)
    found = np.zeros(len(words), dtype=bool)
    alternatives = [text] if text in known else text.split("|")
    for each in alternatives:
        low, dots, high = each.partition("..")
        if each not in known and dots and _are_numbers(words):
            numbers = np.array([float(word) for word in words])
            here = (numbers >= _number(column, low, -np.inf)) & (numbers <= _number(column, high, np.inf))
            if not here.any():
                raise InputError(
                    f"No value of column {column!r} lies in {each}; those seen go from {numbers.min():g} to "
                    f"{numbers.max():g}."
                )
            found |= here
            continue
        word = each if each in known else _word(_as_number(each))
        word = word if word in known else each.lower() if each.lower() in known else word
        if word not in known:
            some = [w for w in words if w][:50]
            raise InputError(
                f"Column {column!r} never was {each!r} in training{nearest(each, some) or '.'} It took "
                f"{len(words):,} values, such as {', '.join(some[:_SOME])}."
            )
        found |= np.array([w == word for w in lowered])
    return found, words


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _as_number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _are_numbers(words: list[str]) -> bool:
    return all(isinstance(_as_number(word), float) for word in words if word)


def _number(column: str, text: str, otherwise: float) -> float:
    if not text.strip():
        return otherwise
    value = _as_number(text)
    if text.strip()[0] in "<>":
        raise not_understood(f"{column}{text}")
    if not isinstance(value, float) or value != value:
        raise InputError(
            f"Column {column!r} holds numbers, and {text!r} is none; write {column}=LOW..HIGH or {column}=VALUE."
        )
    return value


def _numbers(transformer: NumericTransformer, text: str, said: str) -> Predicate:
    values = transformer.bins.steps.value(transformer.bins.levels.values).astype(np.float64)
    smooth = transformer.feature_blocks[0].smooth
    levels, ranges, cell = np.zeros(len(values) + 1, dtype=bool), [], None
    for each in text.split("|"):
        low, dots, high = each.partition("..")
        ends = (
            _number(transformer.name, low, -np.inf),
            _number(transformer.name, high if dots else low, np.inf),
        )
        if ends[0] > ends[1]:
            raise InputError(
                f"The range {each} of column {transformer.name!r} is empty: write the smaller number first."
            )
        if ends[1] < values[0] or ends[0] > values[-1]:
            none = (
                f"No value of column {transformer.name!r} lies in {each}"
                if dots
                else f"Column {transformer.name!r} never was {each} in training"
            )
            raise InputError(f"{none}; those seen go from {values[0]:g} to {values[-1]:g}.")
        here = (values >= ends[0]) & (values <= ends[1])
        if not here.any():
            near = values[np.argsort(np.abs(values - ends[0]), kind="stable")[:1]]
            if not smooth:
                raise InputError(
                    f"Column {transformer.name!r} never was {each} in training; the nearest value seen is {near[0]:g}."
                )
            here = values == near[0]
        levels[:-1] |= here
        ranges.append(ends)
        cell = ends[0]
    exact = None
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        exact = pa.array([cell]).cast(pa.type_for_alias(transformer.type), safe=False)
    return Predicate(column=transformer.name, said=said, levels=levels, ranges=tuple(ranges), exact=exact)


def _dates(transformer: DatetimeTransformer, text: str, said: str) -> Predicate:
    ranges = []
    for each in text.split("|"):
        low, dots, high = each.partition("..")
        ends = (
            _tick(transformer, low, transformer.first)[0],
            _tick(transformer, high if dots else low, transformer.last)[1],
        )
        if ends[0] > ends[1]:
            raise InputError(
                f"The range {each} of column {transformer.name!r} is empty: write the earlier moment first."
            )
        if ends[1] < transformer.first or ends[0] > transformer.last:
            first, last = transformer.writing.cells(
                np.array([transformer.first, transformer.last]), np.ones(2, dtype=bool)
            ).to_pylist()
            raise InputError(
                f"No moment of column {transformer.name!r} lies in {each}; those seen go from {first} to {last}."
            )
        ranges.append(ends)
    levels = np.append(np.ones(len(transformer.feature_blocks[0].counts), dtype=bool), False)
    exact = None
    if len(ranges) == 1 and transformer.since is None and ranges[0][0] == ranges[0][1]:
        exact = transformer.writing.cells(np.array([int(ranges[0][0])]), np.ones(1, dtype=bool))
    return Predicate(column=transformer.name, said=said, levels=levels, ranges=tuple(ranges), exact=exact)


def _tick(transformer: DatetimeTransformer, text: str, otherwise: int) -> tuple[float, float]:
    """Return the first and the last tick that a written moment means: a day alone means all of it."""
    if not text.strip():
        return float(otherwise), float(otherwise)
    try:
        moment = pd.Timestamp(text)
    except (ValueError, TypeError):
        moment = None
    if moment is None or pd.isna(moment):
        raise InputError(
            f"Column {transformer.name!r} holds dates, and {text!r} is none; write them as 2019-03-31 or 2019-03-31 18:30."
        )
    moment = moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment
    day = transformer.writing.ticks_a_day
    ticks = int(moment.value // 1000 * day // (86400 * 10**6))
    whole = ":" not in text
    return float(ticks), float(ticks + day - 1 if whole else ticks)


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditions:
    """Conditions on the columns of an encoder, one for each column that is learnt; `said` is how they were written."""

    encoder: TableTransformer
    wanted: dict[str, Predicate]
    said: str = ""

    @classmethod
    def read(cls, encoder: TableTransformer, given: Sequence[str] | Mapping[str, Any]) -> Conditions:
        """Return conditions written as "column=value", or a mapping {column: value, (low, high) or [values]}.

        Raises InputError for a column or value that was not learnt (the nearest is offered), a range outside what was
        seen, and conditions that contradict each other.
        """
        wanted: dict[str, Predicate] = {}
        pairs = _pairs(given)
        for column, text in pairs:
            each = predicate_of(encoder, column, text)
            if each is None:
                continue
            other = wanted.get(each.column)
            wanted[each.column] = each if other is None else other.narrowed(each)
        return cls(
            encoder=encoder, wanted=wanted, said=" and ".join(f"{name}={text}" for name, text in pairs)
        )

    def accepted(self, frame: pd.DataFrame, *, exact: bool = False) -> Truths:
        """Return which rows of a frame of Arrow-backed columns meet all conditions; exact: those on exact cells too."""
        good = np.ones(len(frame), dtype=bool)
        for transformer in self.encoder.transformers:
            wanted = self.wanted.get(transformer.name)
            if wanted is not None and (exact or wanted.exact is None):
                good &= wanted.met_by(transformer, decoded(cells_of(frame, transformer.name)))
        return good

    def shares(self, column: str) -> npt.NDArray[np.float64]:
        """Return how often each wanted level of a column's first span occurred, as shares of all rows."""
        block = self._codec(column).feature_blocks[0]
        counts = np.append(block.counts, block.nulls).astype(np.float64)
        found: npt.NDArray[np.float64] = counts * self.wanted[column].levels / max(1.0, counts.sum())
        return found

    def known(self, rows: int, uniforms: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int32], Truths]:
        """Return levels (rows, spans) and which spans are known, (spans,): those of exact cells.

        Where no cell is exact, the column whose wanted values are rarest takes one of them in each row, by their shares
        (uniforms (rows,) decide): all else is drawn given that.
        """
        encoder = self.encoder
        found = np.zeros((rows, len(encoder.feature_blocks)), dtype=np.int32)
        fixed = np.zeros(len(encoder.feature_blocks), dtype=bool)
        owners = np.array(encoder.columns_of_spans)
        led = None if any(each.exact is not None for each in self.wanted.values()) else self._rarest()
        for at, transformer in enumerate(encoder.transformers):
            wanted, places = self.wanted.get(transformer.name), np.flatnonzero(owners == at)
            if wanted is None:
                continue
            if wanted.exact is not None:
                codes = transformer.codes(pa.chunked_array([wanted.exact]))
                found[:, places] = [int(each[0]) for each in codes]
                fixed[places] = True
            elif transformer.name == led:
                heights = np.cumsum(self.shares(led))
                level = np.searchsorted(heights, uniforms * heights[-1], side="right")
                found[:, places[0]] = np.minimum(level, np.flatnonzero(wanted.levels)[-1])
                fixed[places[0]] = True
        return found, fixed

    def written(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with the cells that are wanted exactly as they were given."""
        out = frame.copy()
        for name, wanted in self.wanted.items():
            if wanted.exact is not None and isinstance(self._codec(name), NumericTransformer):
                kind = self.encoder.form.schema.field(name).type
                cells = wanted.exact.cast(kind).take(pa.array(np.zeros(len(frame), dtype=np.int64)))
                out[name] = pd.Series(pd.arrays.ArrowExtensionArray(cells), index=out.index)
        return out

    def _rarest(self) -> str | None:
        able = [
            name
            for name in self.wanted
            if not isinstance(self._codec(name), DatetimeTransformer) and self.shares(name).sum() > 0
        ]
        return min(able, key=lambda name: float(self.shares(name).sum()), default=None)

    def _codec(self, name: str) -> Any:
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
