"""Columns of numbers as levels: whole steps from an origin where there are any, else the numbers themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from saddlepoint.data.decimals import decimals_of
from saddlepoint.data.packing import packed, unpacked
from saddlepoint.data.table_spans import Floats, Integers, Span

MOST_LEVELS = 2**16
"""Beyond this, order statistics stand for the values: a rank is off by 1/65,536 at most."""
_EXACT = 2.0**53
_INT64 = pa.int64()


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """Sorted distinct values, int64 or float64, and their span."""

    values: npt.NDArray[Any]
    span: Span

    @classmethod
    def of(cls, values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> Levels:
        """Return the levels of a column (n,), of which some cells are present."""
        return cls.of_counts(*np.unique(values[present], return_counts=True), int((~present).sum()))

    @classmethod
    def of_counts(cls, distinct: npt.NDArray[Any], counts: Integers, nulls: int) -> Levels:
        """Return the levels of sorted distinct values that occur so often."""
        span = Span.of_numbers(counts, nulls)
        if span.smooth and len(distinct) > MOST_LEVELS:
            kept = np.union1d(
                np.rint(np.linspace(0, len(distinct) - 1, MOST_LEVELS)).astype(np.int64), span.atoms
            )
            # Each value left out counts for the kept one next above it, so that shares stay what they are.
            counts = np.diff(np.cumsum(counts)[kept], prepend=0)
            distinct = distinct[kept]
            atoms = np.searchsorted(kept, span.atoms)
            span = Span(counts=counts, atoms=atoms, nulls=nulls, smooth=True)
        return cls(values=distinct, span=span)

    def codes(self, values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        """Return the level nearest to each value, the number of levels where the cell is missing."""
        above = np.searchsorted(self.values, values).clip(0, len(self.values) - 1)
        below = np.maximum(above - 1, 0)
        with np.errstate(over="ignore"):
            nearer = np.abs(values - self.values[below]) < np.abs(self.values[above] - values)
        found = np.where(nearer, below, above)
        return np.where(present, found, len(self.values)).astype(np.int32)

    def restore(
        self, decoded: tuple[Integers, Integers, Floats]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Return the values of what `Span.decode` returned, and which of them are present."""
        first, second, weight = decoded
        present = first >= 0
        low, high = self.values[np.maximum(first, 0)], self.values[np.maximum(second, 0)]
        if not self.span.smooth:
            return low, present
        away = weight * (high.astype(np.float64) - low.astype(np.float64))
        if self.values.dtype.kind == "i":
            return low + np.rint(away).astype(np.int64), present
        return np.clip(low + away, self.values[0], self.values[-1]), present

    def to_dict(self) -> dict[str, Any]:
        """Return the levels as plain JSON values."""
        return {"values": packed(self.values), "span": self.span.to_dict()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Levels:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        values, span = unpacked(stored["values"]), Span.from_dict(stored["span"])
        if len(values) != len(span.counts) or values.dtype.kind not in "if":
            raise ValueError("levels and their counts differ")
        return cls(values=values, span=span)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A number v as the whole number k of steps from an origin: v = (origin + step k) / 10^decimals.

    Without a step (0) the number stands for itself, a float64.
    """

    origin: int = 0
    step: int = 0
    decimals: int = 0

    @classmethod
    def of(cls, values: npt.NDArray[Any], kind: pa.DataType) -> Steps | None:
        """Return the steps of the values that are present; None where int64 cannot count them exactly."""
        if values.dtype.kind in "iu":
            low, high = int(values.min()), int(values.max())
            if high - low >= 2**53:
                return None
            away = _minus(values, low)
            return cls(origin=low, step=max(1, int(np.gcd.reduce(away))))
        single = pa.types.is_float32(kind)
        decimals = decimals_of(values, precision=np.float32 if single else np.float64, least=0)
        if decimals is not None and float(np.abs(values).max()) * 10.0**decimals < _EXACT:
            whole = np.rint(values * 10.0**decimals).astype(np.int64)
            back = (whole / 10.0**decimals).astype(np.float32 if single else np.float64)
            if (back == values).all():
                low = int(whole.min())
                step = max(1, int(np.gcd.reduce(whole - low)))
                return cls(origin=low, step=step, decimals=decimals)
        return cls()

    def count(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the number of steps of each value, int64, or the values as float64."""
        if self.step == 0:
            return values.astype(np.float64)
        if values.dtype.kind in "iu":
            return _minus(values, self.origin) // self.step
        whole = np.rint(np.nan_to_num(values.astype(np.float64)) * 10.0**self.decimals)
        return np.rint((whole - self.origin) / self.step).astype(np.int64)

    def value(self, counted: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values of so many steps: int64 (uint64 beyond), or float64 where there are decimals."""
        if self.step == 0:
            return counted
        if self.origin > 2**62:
            return np.uint64(self.origin) + (self.step * counted).astype(np.uint64)
        whole = self.origin + self.step * counted
        return whole / 10.0**self.decimals if self.decimals else whole


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted:
    """Numbers counted in steps, and the levels of the counts."""

    steps: Steps
    levels: Levels

    @classmethod
    def of(
        cls, values: npt.NDArray[Any], present: npt.NDArray[np.bool_], kind: pa.DataType = _INT64
    ) -> Counted | None:
        """Return the levels of a column (n,) of an Arrow type; None where int64 cannot count its steps."""
        steps = Steps.of(values[present], kind)
        if steps is None:
            return None
        return cls(steps=steps, levels=Levels.of(np.where(present, steps.count(values), 0), present))

    @classmethod
    def of_counts(
        cls, distinct: npt.NDArray[Any], counts: Integers, nulls: int, kind: pa.DataType = _INT64
    ) -> Counted | None:
        """Return the levels of sorted distinct values that occur so often; None where int64 cannot count their steps."""
        steps = Steps.of(distinct, kind)
        return (
            None
            if steps is None
            else cls(steps=steps, levels=Levels.of_counts(steps.count(distinct), counts, nulls))
        )

    def codes(self, values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        """Return the level nearest to each value, the number of levels where the cell is missing."""
        return self.levels.codes(np.where(present, self.steps.count(values), 0), present)

    def restore(
        self, decoded: tuple[Integers, Integers, Floats]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Return the values of what `Span.decode` returned, and which of them are present."""
        counted, present = self.levels.restore(decoded)
        return self.steps.value(counted), present

    def to_dict(self) -> dict[str, Any]:
        """Return both as plain JSON values."""
        return {"steps": asdict(self.steps), "levels": self.levels.to_dict()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Counted:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        return cls(steps=Steps(**stored["steps"]), levels=Levels.from_dict(stored["levels"]))


def _minus(values: npt.NDArray[Any], origin: int) -> Integers:
    """Return whole numbers less their origin, exact within int64 even where both lie beyond it."""
    if values.dtype == np.uint64:
        return (values - np.uint64(origin)).astype(np.int64)
    return values.astype(np.int64) - origin
