"""Conditions on a table's columns: "income=>50K", "workclass=Private|State-gov", "age=30..40", "cabin=" (missing).

What each wants of its column is read by `table_wanted`; conditions that no row can meet are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from saddlepoint.data.table_calendar import DateCodec
from saddlepoint.data.table_codecs import NumberCodec
from saddlepoint.data.table_columns import decoded
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.data.table_matrix import cells_of
from saddlepoint.data.table_wanted import Truths, Wanted, not_understood, wanted_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Conditions:
    """Conditions on the columns of an encoder, one for each column that is learnt; `said` is how they were written."""

    encoder: TableEncoder
    wanted: dict[str, Wanted]
    said: str = ""

    @classmethod
    def read(cls, encoder: TableEncoder, given: Sequence[str] | Mapping[str, Any]) -> Conditions:
        """Return conditions written as "column=value", or a mapping {column: value, (low, high) or [values]}.

        Raises InputError for a column or value that was not learnt (the nearest is offered), a range outside what was
        seen, and conditions that contradict each other.
        """
        wanted: dict[str, Wanted] = {}
        pairs = _pairs(given)
        for column, text in pairs:
            each = wanted_of(encoder, column, text)
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
        for codec in self.encoder.codecs:
            wanted = self.wanted.get(codec.name)
            if wanted is not None and (exact or wanted.exact is None):
                good &= wanted.met_by(codec, decoded(cells_of(frame, codec.name)))
        return good

    def shares(self, column: str) -> npt.NDArray[np.float64]:
        """Return how often each wanted level of a column's first span occurred, as shares of all rows."""
        span = self._codec(column).spans[0]
        counts = np.append(span.counts, span.nulls).astype(np.float64)
        found: npt.NDArray[np.float64] = counts * self.wanted[column].levels / max(1.0, counts.sum())
        return found

    def known(self, rows: int, uniforms: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int32], Truths]:
        """Return levels (rows, spans) and which spans are known, (spans,): those of exact cells.

        Where no cell is exact, the column whose wanted values are rarest takes one of them in each row, by their shares
        (uniforms (rows,) decide): all else is drawn given that.
        """
        encoder = self.encoder
        found = np.zeros((rows, len(encoder.spans)), dtype=np.int32)
        fixed = np.zeros(len(encoder.spans), dtype=bool)
        owners = np.array(encoder.columns_of_spans)
        led = None if any(each.exact is not None for each in self.wanted.values()) else self._rarest()
        for at, codec in enumerate(encoder.codecs):
            wanted, places = self.wanted.get(codec.name), np.flatnonzero(owners == at)
            if wanted is None:
                continue
            if wanted.exact is not None:
                codes = codec.codes(pa.chunked_array([wanted.exact]))
                found[:, places] = [int(each[0]) for each in codes]
                fixed[places] = True
            elif codec.name == led:
                heights = np.cumsum(self.shares(led))
                level = np.searchsorted(heights, uniforms * heights[-1], side="right")
                found[:, places[0]] = np.minimum(level, np.flatnonzero(wanted.levels)[-1])
                fixed[places[0]] = True
        return found, fixed

    def written(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return the frame with the cells that are wanted exactly as they were given."""
        out = frame.copy()
        for name, wanted in self.wanted.items():
            if wanted.exact is not None and isinstance(self._codec(name), NumberCodec):
                kind = self.encoder.form.schema.field(name).type
                cells = wanted.exact.cast(kind).take(pa.array(np.zeros(len(frame), dtype=np.int64)))
                out[name] = pd.Series(pd.arrays.ArrowExtensionArray(cells), index=out.index)
        return out

    def _rarest(self) -> str | None:
        able = [
            name
            for name in self.wanted
            if not isinstance(self._codec(name), DateCodec) and self.shares(name).sum() > 0
        ]
        return min(able, key=lambda name: float(self.shares(name).sum()), default=None)

    def _codec(self, name: str) -> Any:
        return next(codec for codec in self.encoder.codecs if codec.name == name)


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
