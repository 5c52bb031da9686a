"""Marginal distances of two tables: total variation of columns and of pairs of columns, and rank correlations."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from saddlepoint.judging.classifiers.tables import fit_bins

Floats = NDArray[np.float64]
BINS, PAIR_BINS = 20, 10
_EVERY_CATEGORY = 10**9


def total_variations(real: Floats, fake: Floats, categorical: NDArray[np.bool_]) -> Floats:
    """Return the total variation distance of each column, sum_b |p_b - q_b| / 2 over its bins b, shape (d,), from 0 to 1.

    Numbers are binned into 20 bins of equal count among the real rows; each category and missing cells (NaN) have bins.

    real, fake: (n, d) and (m, d).
    categorical: bool (d,), True for columns of codes.
    """
    codes, sizes = _binned(real, fake, categorical, BINS)
    return np.array([_distance(codes[0][:, i], codes[1][:, i], int(sizes[i])) for i in range(len(sizes))])


def pair_variations(
    real: Floats, fake: Floats, categorical: NDArray[np.bool_], *, most: int = 200
) -> list[tuple[int, int, float]]:
    """Return (column, column, total variation) for the first `most` pairs, largest first; 10 bins per column."""
    codes, sizes = _binned(real, fake, categorical, PAIR_BINS)
    found = []
    for first, second in list(combinations(range(len(sizes)), 2))[:most]:
        one, other = (side[:, first] * int(sizes[second]) + side[:, second] for side in codes)
        found.append((first, second, _distance(one, other, int(sizes[first] * sizes[second]))))
    return sorted(found, key=lambda each: -each[2])


def correlations(
    real: Floats, fake: Floats, categorical: NDArray[np.bool_], *, most: int = 200
) -> list[tuple[int, int, float, float]]:
    """Return (column, column, correlation of real rows, of fake rows) for numeric columns, largest difference first.

    Spearman's rank correlation on the rows that have both cells; only the first `most` pairs are used.
    """
    found = []
    for first, second in list(combinations(np.flatnonzero(~categorical).tolist(), 2))[:most]:
        here, there = (_spearman(side[:, first], side[:, second]) for side in (real, fake))
        if here is not None and there is not None:
            found.append((first, second, here, there))
    return sorted(found, key=lambda each: -abs(each[2] - each[3]))


def _spearman(one: Floats, other: Floats) -> float | None:
    both = ~np.isnan(one) & ~np.isnan(other)
    if both.sum() < 3 or np.ptp(one[both]) == 0 or np.ptp(other[both]) == 0:
        return None
    return float(np.corrcoef(rankdata(one[both]), rankdata(other[both]))[0, 1])


def _binned(
    real: Floats, fake: Floats, categorical: NDArray[np.bool_], most: int
) -> tuple[list[NDArray[np.int64]], NDArray[np.int64]]:
    numbers = fit_bins(real, np.zeros(real.shape[1], dtype=bool), most=most)
    categories = fit_bins(real, np.ones(real.shape[1], dtype=bool), most=_EVERY_CATEGORY)
    sides = [np.where(categorical, categories.codes(side), numbers.codes(side)) for side in (real, fake)]
    return sides, np.where(categorical, categories.sizes, numbers.sizes)


def _distance(first: NDArray[np.int64], second: NDArray[np.int64], size: int) -> float:
    p, q = (np.bincount(side, minlength=size) / max(1, len(side)) for side in (first, second))
    return float(np.abs(p - q).sum() / 2)
