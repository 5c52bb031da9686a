"""Classifiers for tables of numbers and category codes (NaN for null), and binned columns.

Bins are quantiles of numbers, frequent categories, and one bin per column for nulls.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from saddlepoint.judging.classifiers import points
from saddlepoint.judging.classifiers.points import FitContext, Floats, Logit, Referee


@dataclass(frozen=True, kw_only=True, eq=False)
class Bins:
    """Fitted bins: for each column the inner edges (numbers) or the frequent codes (categories)."""

    cuts: tuple[Floats, ...]
    categorical: NDArray[np.bool_]

    @property
    def sizes(self) -> NDArray[np.int64]:
        """The number of codes of each column: its bins, one more for other categories, and one for nulls."""
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
    """Return bins of about equal counts, at most `most` per column; a value that many rows share has its own bin."""
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
            # A frequent value's lower edge and the next larger value, so that it is alone in its bin.
            heavy = np.flatnonzero(counts > len(column) / most)
            edges = [
                np.quantile(column, np.linspace(0, 1, most - 2 * len(heavy) // 3 + 1)[1:-1], method="higher")
            ]
            edges += [values[heavy], values[np.minimum(heavy + 1, len(values) - 1)]]
            cuts.append(np.unique(np.concatenate(edges)))
    return Bins(cuts=tuple(np.asarray(c, dtype=np.float64) for c in cuts), categorical=categorical)


MOST_CATEGORIES = 250  # the trees' own limit is 255
MOST_PAIRS = 300
MOST_ROWS = 20_000  # per side, for the pairs: their indicators take 2.5 kB per row
HASHED = 1 << 16


def pool(size: str, *, categorical: NDArray[np.bool_]) -> dict[str, Referee]:
    """Return the classifiers for a table; geometry only with at least two numeric columns."""
    members: dict[str, Referee] = {"trees": trees, "pairs": pairs}
    if size == "full" and np.count_nonzero(~categorical) >= 2:
        members["geometry"] = geometry
    return members


def trees(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """Boosted trees with native categories and nulls; categories beyond the 250 most frequent are merged into one."""
    rows, labels, weights = points.labelled(real, fake)
    empty = np.isnan(rows).all(axis=0)  # the trees cannot bin such columns
    frequent = []
    for i in np.flatnonzero(context.categorical):
        values, counts = np.unique(rows[~np.isnan(rows[:, i]), i], return_counts=True)
        frequent.append((i, np.sort(values[np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]])))

    def recode(z: Floats) -> Floats:
        z = np.where(empty, 0.0, z)
        for i, values in frequent:
            place = np.searchsorted(values, z[:, i])
            known = np.isin(z[:, i], values)
            z[:, i] = np.where(np.isnan(z[:, i]), np.nan, np.where(known, place, MOST_CATEGORIES))
        return z

    logit = points.boosted(recode(rows), labels, weights, context, categorical=context.categorical)
    return lambda z: logit(recode(z))


def pairs(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """A logistic regression on the bins of every column and every pair of columns, hashed to 65,536 indicators."""
    rows, labels, weights = points.labelled(real[:MOST_ROWS], fake[:MOST_ROWS])
    bins = fit_bins(rows, context.categorical, most=12)
    together = list(itertools.combinations(range(rows.shape[1]), 2))
    if len(together) > MOST_PAIRS:
        chosen = np.random.default_rng(context.seed).permutation(len(together))[:MOST_PAIRS]
        together = [together[i] for i in np.sort(chosen)]
    sizes = bins.sizes

    def widen(z: Floats) -> Any:
        codes = bins.codes(z)
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        parts = [codes + offsets]
        if together:
            one, other = (np.array(side) for side in zip(*together))
            starts = int(sizes.sum()) + np.concatenate([[0], np.cumsum(sizes[one] * sizes[other])[:-1]])
            parts.append(starts + codes[:, one] * sizes[other] + codes[:, other])
        indices = np.concatenate(parts, axis=1) % HASHED
        pointers = np.arange(0, indices.size + 1, indices.shape[1])
        return csr_matrix((np.ones(indices.size), indices.ravel(), pointers), shape=(len(z), HASHED))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=0.01, max_iter=30 if context.quick else 60).fit(
            widen(rows), labels, sample_weight=weights
        )

    def logit(z: NDArray[Any]) -> Floats:
        step = points.CHUNK
        return np.concatenate(
            [model.decision_function(widen(z[i : i + step])) for i in range(0, len(z), step)]
        )

    return logit


def geometry(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """`points.geometry` on the numeric columns, with nulls replaced by the median."""
    numbers = ~context.categorical
    fit = np.concatenate([real, fake])[:, numbers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column with nulls only has no median
        middle = np.nan_to_num(np.nanmedian(fit, axis=0))

    def fill(z: NDArray[Any]) -> Floats:
        z = z[:, numbers]
        return np.where(np.isnan(z), middle, z)

    logit = points.geometry(fill(real), fill(fake), context)
    return lambda z: logit(fill(z))
