"""Feature blocks: one column's values as one-hot entries for frequent values and a normal score for all others.

Frequent values get their own one-hot entry; all other values share one entry, "other", plus a number: their rank mapped to a
normal. The rank is jittered within ties at every batch, so that D cannot recognise real rows by repeated values.

A level is one of the column's distinct values, in order. Levels with their own entry are called atoms; a missing cell has
its own entry too. Let F be the cumulative share of the other levels, among their rows. A row of level k has the score
ndtri(u), with u uniform on (F(k-1), F(k)) and drawn again for every batch. The score of an atom is the normal score of the
middle of its own interval among all rows; the score of a missing cell is 0. Decoding uses the same intervals.

Numbers are counted in whole steps from an origin where they have a common step (`Lattice`), else they are kept as float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import ndimage
from scipy.special import ndtr, ndtri

from saddlepoint.data.packed import packed, unpacked
from saddlepoint.data.tables.types import decimals_of

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ATOM_SHARE, FEWEST_ATOM_ROWS, MOST_ATOMS = 0.02, 8, 15
_OUTSTANDING, _NEIGHBOURS = 3.0, 11
MOST_ENTRIES = 256
"""At most this many one-hot entries for categories; rarer categories share the entry "other" and the score."""
FEW_VALUES, ROWS_A_VALUE = 32, 20
"""Numbers with at most 32 distinct values, and at least 20 rows a value on average, get a one-hot entry for each value."""
_CLIP = 1e-4
_SCORE_NOISE = 4e-7


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureBlock:
    """The features of one column, or one part of a date: `entries` one-hot entries, and a score unless all levels are atoms.

    counts: number of rows of each level.
    atoms: the levels with their own one-hot entry, ascending.
    nulls: number of missing cells.
    smooth: whether values between two neighbouring levels can occur, so that decoding interpolates.
    """

    counts: Integers
    atoms: Integers
    nulls: int = 0
    smooth: bool = False

    @classmethod
    def of_numbers(cls, counts: Integers, nulls: int) -> FeatureBlock:
        """Return the feature block of a numeric column; counts: rows of each of its sorted distinct values."""
        rows, levels = int(counts.sum()), len(counts)
        if levels <= max(2, min(FEW_VALUES, rows // ROWS_A_VALUE)):
            return cls(counts=counts, atoms=np.arange(levels), nulls=nulls)
        around = ndimage.median_filter(counts, _NEIGHBOURS, mode="mirror")
        spikes = np.flatnonzero(counts > _OUTSTANDING * around)
        heaviest = spikes[np.argsort(-counts[spikes], kind="stable")][:MOST_ATOMS]
        lighter = rows - np.cumsum(counts[heaviest]) + counts[heaviest]
        atoms = np.sort(heaviest[counts[heaviest] >= np.maximum(FEWEST_ATOM_ROWS, ATOM_SHARE * lighter)])
        others = np.delete(counts, atoms)
        return cls(counts=counts, atoms=atoms, nulls=nulls, smooth=bool(2 * len(others) > others.sum()))

    @classmethod
    def of_categories(cls, counts: Integers, nulls: int) -> FeatureBlock:
        """Return the feature block of a categorical column; counts: rows of each category."""
        most = np.argsort(-counts, kind="stable")[
            : MOST_ENTRIES if len(counts) <= MOST_ENTRIES else MOST_ENTRIES - 1
        ]
        return cls(counts=counts, atoms=np.sort(most), nulls=nulls)

    @cached_property
    def others(self) -> Integers:
        """Levels without their own entry, ascending."""
        return np.delete(np.arange(len(self.counts)), self.atoms)

    @property
    def scored(self) -> bool:
        """Whether the block has a score."""
        return len(self.others) > 0

    @property
    def entries(self) -> int:
        """Number of one-hot entries: the atoms, missing, "other"; 0 where "other" would be the only one."""
        count = len(self.atoms) + (self.nulls > 0) + self.scored
        return 0 if count == 1 and self.scored else count

    @property
    def null_entry(self) -> int | None:
        """The index of the entry for a missing cell; None where none was missing."""
        return len(self.atoms) if self.nulls else None

    @cached_property
    def _edges(self) -> tuple[Floats, Floats]:
        """Cumulative share below, and up to and including, each level that is no atom, among the rows of these levels."""
        counts = self.counts[self.others].astype(np.float64)
        upper = np.cumsum(counts) / max(1.0, counts.sum())
        return upper - counts / max(1.0, counts.sum()), upper

    @property
    def _clip(self) -> float:
        return min(_CLIP, 0.25 / max(1, int(self.counts[self.others].sum())))

    def tables(self) -> tuple[Integers, Floats, Floats]:
        """Return for each level, and last for a missing cell: its entry, and the ends of the interval of u for its score."""
        levels = len(self.counts)
        entry = np.full(levels + 1, self.entries - 1 if self.scored else 0)
        entry[self.atoms] = np.arange(len(self.atoms))
        entry[levels] = self.null_entry or 0
        low, high = np.full(levels + 1, 0.5), np.full(levels + 1, 0.5)
        if self.scored:
            clip = self._clip
            middle = (np.cumsum(self.counts) - self.counts / 2) / self.counts.sum()
            low[self.atoms] = high[self.atoms] = np.clip(middle[self.atoms], clip, 1 - clip)
            low[self.others], high[self.others] = (np.clip(edge, clip, 1 - clip) for edge in self._edges)
        return entry.astype(np.int64), low, high

    def entry_scores(self) -> Floats:
        """Return the score of each entry; 0 for missing and for "other"."""
        scores = np.zeros(self.entries)
        if self.scored and self.entries:
            _, low, _ = self.tables()
            scores[: len(self.atoms)] = ndtri(low[self.atoms])
        return scores

    def log_frequencies(self) -> Floats:
        """Return the logarithm of each entry's share of rows."""
        parts = [self.counts[self.atoms].astype(np.float64)]
        if self.nulls:
            parts.append(np.array([float(self.nulls)]))
        if self.scored:
            parts.append(np.array([float(self.counts[self.others].sum())]))
        shares = np.concatenate(parts)[: self.entries]
        logs: Floats = np.log(np.maximum(shares, 0.5) / max(1.0, shares.sum()))
        return logs

    def decode(self, entry: Integers, score: Floats) -> tuple[Integers, Integers, Floats]:
        """Return for each row two neighbouring levels, and the weight of the second (0 to 1) for interpolation.

        A missing cell has level -1. Where the block is not smooth, the second level equals the first.
        """
        first = np.zeros(len(entry), dtype=np.int64)
        other = np.ones(len(entry), dtype=bool)
        if self.entries:
            other = entry == self.entries - 1 if self.scored else np.zeros(len(entry), dtype=bool)
            atom = entry < len(self.atoms)
            first[atom] = self.atoms[entry[atom]]
            first[~atom & ~other] = -1
        second, weight = first.copy(), np.zeros(len(entry))
        if other.any():
            first[other], second[other], weight[other] = self._between(ndtr(score[other]))
        return first, second, weight

    def _between(self, u: Floats) -> tuple[Integers, Integers, Floats]:
        lower, upper = self._edges
        last = len(self.others) - 1
        if not self.smooth:
            at = self.others[np.minimum(np.searchsorted(upper, u, side="right"), last)]
            return at, at, np.zeros(len(u))
        clip = self._clip
        middle = (np.clip(lower, clip, 1 - clip) + np.clip(upper, clip, 1 - clip)) / 2
        place = np.interp(u, middle, np.arange(last + 1, dtype=np.float64))
        # A score is a float32: within its rounding error of a level, take the level itself.
        near = min(0.45, max(1e-3, _SCORE_NOISE * float(self.counts[self.others].sum())))
        nearest = np.rint(place)
        place = np.where(np.abs(place - nearest) < near, nearest, place)
        below = np.minimum(place.astype(np.int64), last)
        return self.others[below], self.others[np.minimum(below + 1, last)], place - below

    def to_dict(self) -> dict[str, Any]:
        """Return the feature block as plain JSON values."""
        return {
            "counts": packed(self.counts),
            "atoms": self.atoms.tolist(),
            "nulls": self.nulls,
            "smooth": self.smooth,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FeatureBlock:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        counts = unpacked(stored["counts"]).astype(np.int64)
        atoms = np.asarray(stored["atoms"], dtype=np.int64)
        if len(counts) == 0 or (len(atoms) and not 0 <= atoms.min() <= atoms.max() < len(counts)):
            raise ValueError("atoms outside the levels")
        return cls(counts=counts, atoms=atoms, nulls=int(stored["nulls"]), smooth=bool(stored["smooth"]))


MOST_LEVELS = 2**16
"""With more distinct values, only this many order statistics are kept: a rank is off by at most 1/65,536."""
_EXACT = 2.0**53
_INT64 = pa.int64()


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """Sorted distinct values, int64 or float64, and their feature block."""

    values: npt.NDArray[Any]
    block: FeatureBlock

    @classmethod
    def of(cls, values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> Levels:
        """Return the levels of a column's values (n,); present: which cells are not missing, (n,)."""
        return cls.of_counts(*np.unique(values[present], return_counts=True), int((~present).sum()))

    @classmethod
    def of_counts(cls, distinct: npt.NDArray[Any], counts: Integers, nulls: int) -> Levels:
        """Return the levels of a column.

        distinct: its sorted distinct values.
        counts: how often each occurs.
        nulls: number of missing cells.
        """
        block = FeatureBlock.of_numbers(counts, nulls)
        if block.smooth and len(distinct) > MOST_LEVELS:
            kept = np.union1d(
                np.rint(np.linspace(0, len(distinct) - 1, MOST_LEVELS)).astype(np.int64), block.atoms
            )
            # The count of each value left out is added to the next larger value kept, so that cumulative shares do not change.
            counts = np.diff(np.cumsum(counts)[kept], prepend=0)
            distinct = distinct[kept]
            atoms = np.searchsorted(kept, block.atoms)
            block = FeatureBlock(counts=counts, atoms=atoms, nulls=nulls, smooth=True)
        return cls(values=distinct, block=block)

    def codes(self, values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        """Return the code of the level nearest to each value; a missing cell has the number of levels as its code."""
        above = np.searchsorted(self.values, values).clip(0, len(self.values) - 1)
        below = np.maximum(above - 1, 0)
        with np.errstate(over="ignore"):
            nearer = np.abs(values - self.values[below]) < np.abs(self.values[above] - values)
        found = np.where(nearer, below, above)
        return np.where(present, found, len(self.values)).astype(np.int32)

    def restore(
        self, decoded: tuple[Integers, Integers, Floats]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Return the values that `FeatureBlock.decode` decoded, and which of them are present."""
        first, second, weight = decoded
        present = first >= 0
        low, high = self.values[np.maximum(first, 0)], self.values[np.maximum(second, 0)]
        if not self.block.smooth:
            return low, present
        away = weight * (high.astype(np.float64) - low.astype(np.float64))
        if self.values.dtype.kind == "i":
            return low + np.rint(away).astype(np.int64), present
        return np.clip(low + away, self.values[0], self.values[-1]), present

    def to_dict(self) -> dict[str, Any]:
        """Return the levels as plain JSON values."""
        return {"values": packed(self.values), "block": self.block.to_dict()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Levels:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        values, block = unpacked(stored["values"]), FeatureBlock.from_dict(stored["block"])
        if len(values) != len(block.counts) or values.dtype.kind not in "if":
            raise ValueError("levels and their counts differ")
        return cls(values=values, block=block)


@dataclass(frozen=True, kw_only=True)
class Lattice:
    """Numbers v as whole numbers k of steps from an origin: v = (origin + step * k) / 10^decimals.

    step 0: the numbers have no common step, and are kept as float64.
    """

    origin: int = 0
    step: int = 0
    decimals: int = 0

    @classmethod
    def of(cls, values: npt.NDArray[Any], kind: pa.DataType) -> Lattice | None:
        """Return the lattice of values without missing cells; None where int64 cannot count its steps exactly.

        kind: the Arrow type of the column.
        """
        if values.dtype.kind in "iu":
            low, high = int(values.min()), int(values.max())
            if high - low >= 2**53:
                return None
            away = _difference(values, low)
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
        """Return the number of steps of each value, int64; without a step the values as float64."""
        if self.step == 0:
            return values.astype(np.float64)
        if values.dtype.kind in "iu":
            return _difference(values, self.origin) // self.step
        whole = np.rint(np.nan_to_num(values.astype(np.float64)) * 10.0**self.decimals)
        return np.rint((whole - self.origin) / self.step).astype(np.int64)

    def value(self, counted: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the values of numbers of steps: int64 (uint64 where needed), or float64 where there are decimals."""
        if self.step == 0:
            return counted
        if self.origin > 2**62:
            return np.uint64(self.origin) + (self.step * counted).astype(np.uint64)
        whole = self.origin + self.step * counted
        return whole / 10.0**self.decimals if self.decimals else whole


@dataclass(frozen=True, kw_only=True, eq=False)
class NumericBins:
    """A numeric column: its lattice, and the levels of its numbers of steps."""

    steps: Lattice
    levels: Levels

    @classmethod
    def of(
        cls, values: npt.NDArray[Any], present: npt.NDArray[np.bool_], kind: pa.DataType = _INT64
    ) -> NumericBins | None:
        """Return the bins of a column's values (n,) of the Arrow type `kind`; None where int64 cannot count its steps."""
        steps = Lattice.of(values[present], kind)
        if steps is None:
            return None
        return cls(steps=steps, levels=Levels.of(np.where(present, steps.count(values), 0), present))

    @classmethod
    def of_counts(
        cls, distinct: npt.NDArray[Any], counts: Integers, nulls: int, kind: pa.DataType = _INT64
    ) -> NumericBins | None:
        """Return the bins of sorted distinct values and their counts; None where int64 cannot count their steps."""
        steps = Lattice.of(distinct, kind)
        return (
            None
            if steps is None
            else cls(steps=steps, levels=Levels.of_counts(steps.count(distinct), counts, nulls))
        )

    def codes(self, values: npt.NDArray[Any], present: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
        """Return the code of the level nearest to each value; a missing cell has the number of levels as its code."""
        return self.levels.codes(np.where(present, self.steps.count(values), 0), present)

    def restore(
        self, decoded: tuple[Integers, Integers, Floats]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Return the values that `FeatureBlock.decode` decoded, and which of them are present."""
        counted, present = self.levels.restore(decoded)
        return self.steps.value(counted), present

    def to_dict(self) -> dict[str, Any]:
        """Return the lattice and the levels as plain JSON values."""
        return {"steps": asdict(self.steps), "levels": self.levels.to_dict()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> NumericBins:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        return cls(steps=Lattice(**stored["steps"]), levels=Levels.from_dict(stored["levels"]))


def _difference(values: npt.NDArray[Any], origin: int) -> Integers:
    """Return whole numbers minus their origin; exact where the difference fits int64, even if both are larger."""
    if values.dtype == np.uint64:
        return (values - np.uint64(origin)).astype(np.int64)
    return values.astype(np.int64) - origin
