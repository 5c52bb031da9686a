"""Levels of a column as what a network plays with: a one-hot entry for each atom, and a normal score for all others.

A level is one of the column's distinct values, in order. Levels that hold many rows are *atoms* with an entry of their
own; so is a missing cell. All other levels share the entry "other" and are told apart by a normal score: with F their
cumulative share among the others, a row of level k has the score ndtri(u), u uniform on (F(k-1), F(k)), redrawn for
every batch, so that neither ties nor whole numbers leave a lattice to see. The score of an atom is the normal score of
the middle of its own interval among all rows, that of a missing cell is 0. Decoding goes back by the same intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import ndtr, ndtri

from saddlepoint.data.packing import packed, unpacked

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

ATOM_SHARE, FEWEST_ATOM_ROWS, MOST_ATOMS = 0.02, 8, 15
_OUTSTANDING, _NEIGHBOURS = 3.0, 11
MOST_ENTRIES = 256
"""Categories with an entry of their own; rarer ones share the score."""
FEW_VALUES, ROWS_A_VALUE = 32, 20
"""Numbers of at most so many values, with so many rows each on average, are categories."""
_CLIP = 1e-4
_SCORE_NOISE = 4e-7


@dataclass(frozen=True, kw_only=True, eq=False)
class Span:
    """One run of encoded columns: `entries` one-hot entries, then a score where some levels are no atoms.

    counts: rows of each level; atoms: the levels with an entry of their own, ascending; nulls: rows without a value;
    smooth: values between two neighbouring levels occur too, so that decoding interpolates.
    """

    counts: Integers
    atoms: Integers
    nulls: int = 0
    smooth: bool = False

    @classmethod
    def of_numbers(cls, counts: Integers, nulls: int) -> Span:
        """Return the span of the sorted values of a number that occur so often."""
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
    def of_categories(cls, counts: Integers, nulls: int) -> Span:
        """Return the span of categories that occur so often."""
        most = np.argsort(-counts, kind="stable")[
            : MOST_ENTRIES if len(counts) <= MOST_ENTRIES else MOST_ENTRIES - 1
        ]
        return cls(counts=counts, atoms=np.sort(most), nulls=nulls)

    @cached_property
    def others(self) -> Integers:
        """Levels that are no atoms, ascending."""
        return np.delete(np.arange(len(self.counts)), self.atoms)

    @property
    def scored(self) -> bool:
        """Whether there is a score."""
        return len(self.others) > 0

    @property
    def entries(self) -> int:
        """Number of one-hot entries: atoms, missing, other; 0 where there would be "other" alone."""
        count = len(self.atoms) + (self.nulls > 0) + self.scored
        return 0 if count == 1 and self.scored else count

    @property
    def null_entry(self) -> int | None:
        """The entry of a missing cell."""
        return len(self.atoms) if self.nulls else None

    @cached_property
    def _edges(self) -> tuple[Floats, Floats]:
        """Cumulative shares below and up to each of the other levels, among the others."""
        counts = self.counts[self.others].astype(np.float64)
        upper = np.cumsum(counts) / max(1.0, counts.sum())
        return upper - counts / max(1.0, counts.sum()), upper

    @property
    def _clip(self) -> float:
        return min(_CLIP, 0.25 / max(1, int(self.counts[self.others].sum())))

    def tables(self) -> tuple[Integers, Floats, Floats]:
        """Return for each level, and behind them for a missing cell: its entry, and the interval of u of its score."""
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
        """Return the score that goes with each entry; 0 for missing and for "other"."""
        scores = np.zeros(self.entries)
        if self.scored and self.entries:
            _, low, _ = self.tables()
            scores[: len(self.atoms)] = ndtri(low[self.atoms])
        return scores

    def log_frequencies(self) -> Floats:
        """Return the logarithm of the share of rows of each entry."""
        parts = [self.counts[self.atoms].astype(np.float64)]
        if self.nulls:
            parts.append(np.array([float(self.nulls)]))
        if self.scored:
            parts.append(np.array([float(self.counts[self.others].sum())]))
        shares = np.concatenate(parts)[: self.entries]
        logs: Floats = np.log(np.maximum(shares, 0.5) / max(1.0, shares.sum()))
        return logs

    def decode(self, entry: Integers, score: Floats) -> tuple[Integers, Integers, Floats]:
        """Return for each row two neighbouring levels and how far the row lies from the first to the second.

        A missing cell is level -1. Where the span is not smooth the second is the first.
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
        # A score is a float32: so near to a level, the level itself was meant.
        near = min(0.45, max(1e-3, _SCORE_NOISE * float(self.counts[self.others].sum())))
        nearest = np.rint(place)
        place = np.where(np.abs(place - nearest) < near, nearest, place)
        below = np.minimum(place.astype(np.int64), last)
        return self.others[below], self.others[np.minimum(below + 1, last)], place - below

    def to_dict(self) -> dict[str, Any]:
        """Return the span as plain JSON values."""
        return {
            "counts": packed(self.counts),
            "atoms": self.atoms.tolist(),
            "nulls": self.nulls,
            "smooth": self.smooth,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Span:
        """Restore what `to_dict` returned. Raises KeyError, TypeError or ValueError where it is damaged."""
        counts = unpacked(stored["counts"]).astype(np.int64)
        atoms = np.asarray(stored["atoms"], dtype=np.int64)
        if len(counts) == 0 or (len(atoms) and not 0 <= atoms.min() <= atoms.max() < len(counts)):
            raise ValueError("levels that do not exist")
        return cls(counts=counts, atoms=atoms, nulls=int(stored["nulls"]), smooth=bool(stored["smooth"]))
