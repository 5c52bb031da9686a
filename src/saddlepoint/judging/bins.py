"""Columns as a few whole numbers: quantile bins of numbers, frequent categories, a bin of their own for
nulls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Bins:
    """Fitted bins: per column its inner edges (numbers) or its frequent codes (categories)."""

    cuts: tuple[Floats, ...]
    categorical: NDArray[np.bool_]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of codes of each column: its bins (categories: and one for the rest), and one for
        nulls.
        """
        return np.array([len(cuts) + 2 for cuts in self.cuts], dtype=np.int64)

    def codes(self, rows: Floats) -> NDArray[np.int64]:
        """Return the codes, shape (n, d), each below its column's size."""
        out = np.empty(rows.shape, dtype=np.int64)
        for i, cuts in enumerate(self.cuts):
            column = rows[:, i]
            place = np.searchsorted(cuts, column, side="left" if self.categorical[i] else "right")
            if self.categorical[i]:
                known = cuts[np.minimum(place, max(len(cuts) - 1, 0))] == column if len(cuts) else False
                place = np.where(known, place, len(cuts))
            out[:, i] = np.where(np.isnan(column), len(cuts) + 1, place)
        return out


def fit_bins(rows: Floats, categorical: NDArray[np.bool_], *, most: int) -> Bins:
    """Return bins of about equal counts, at most `most` a column; a value that many rows share has its
    own bin.
    """
    cuts = []
    for i in range(rows.shape[1]):
        column = rows[:, i]
        column = column[~np.isnan(column)]
        if categorical[i]:
            values, counts = np.unique(column, return_counts=True)
            cuts.append(np.sort(values[np.argsort(-counts, kind="stable")[: most - 2]]))
        else:
            values, counts = np.unique(column, return_counts=True)
            if len(values) <= most:
                cuts.append(values[1:])
                continue
            # An atom's lower edge and the next value above it, so that the atom is alone in its bin.
            heavy = np.flatnonzero(counts > len(column) / most)
            edges = [
                np.quantile(column, np.linspace(0, 1, most - 2 * len(heavy) // 3 + 1)[1:-1], method="higher")
            ]
            edges += [values[heavy], values[np.minimum(heavy + 1, len(values) - 1)]]
            cuts.append(np.unique(np.concatenate(edges)))
    return Bins(cuts=tuple(np.asarray(c, dtype=np.float64) for c in cuts), categorical=categorical)
