"""Are made rows of use in the place of real ones? Train on made rows, test on real ones, column by column.

Each target column is predicted from all others by boosted trees: fitted once on made rows and once on as many training
rows, both tested on the same held-out real rows. What the second reaches and the first does not is lost in the made rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

Floats = NDArray[np.float64]
MOST_TARGETS, MOST_ROWS, FEWEST_ROWS = 8, 2_000, 30
_MOST_CLASSES, _FEWEST_OF_A_CLASS, _MOST_CODES = 10, 5, 250


@dataclass(frozen=True, kw_only=True)
class TSTRScore:
    """One column predicted from the others.

    class: balanced accuracy, the mean share told right over the classes; number: the rank correlation (Spearman) of
    prediction and truth. by_guessing: 1 / classes, or 0.
    """

    name: str
    kind: Literal["class", "number"]
    from_synthetic: float
    from_real: float
    by_guessing: float

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return asdict(self)


def tstr(
    train: Floats,
    made: Floats,
    held_out: Floats,
    *,
    names: Sequence[str],
    categorical: NDArray[np.bool_],
    most: int = MOST_TARGETS,
    seed: int = 0,
) -> list[TSTRScore]:
    """Return how well columns are predicted after fitting on made rows and on training rows, the last columns first.

    Rows are (n, d) numbers, NaN for a missing cell, `categorical` marking codes that all three share. At most `most`
    columns, and 2,000 rows to fit on; classes beyond the ten commonest are left out. Nothing where there are too few rows.
    """
    n = min(len(train), len(made), MOST_ROWS)
    if n < FEWEST_ROWS or len(held_out) < FEWEST_ROWS or train.shape[1] < 2:
        return []
    order = np.random.default_rng(seed)
    sides = [side[np.sort(order.permutation(len(side))[:n])] for side in (made, train)]
    found = []
    for target in reversed(range(train.shape[1])):
        use = _use(target, sides, held_out, names[target], categorical, seed)
        if use is not None:
            found.append(use)
        if len(found) == most:
            break
    return found


def _use(
    target: int, sides: list[Floats], held_out: Floats, name: str, categorical: NDArray[np.bool_], seed: int
) -> TSTRScore | None:
    others = np.arange(held_out.shape[1]) != target
    parts = [side[~np.isnan(side[:, target])] for side in (*sides, held_out)]
    if min(len(part) for part in parts) < FEWEST_ROWS:
        return None
    values = np.unique(parts[1][:, target])
    if len(values) < 2:
        return None
    mask = categorical[others]
    if categorical[target] or len(values) <= 2:
        classes = _classes(parts[1][:, target])
        parts = [part[np.isin(part[:, target], classes)] for part in parts]
        if len(classes) < 2 or any(len(np.unique(part[:, target])) < 2 for part in parts):
            return None

        def scored(part: Floats) -> float:
            model = HistGradientBoostingClassifier(max_iter=40, categorical_features=mask, random_state=seed)
            model.fit(_inputs(part, others, mask), part[:, target])
            said = model.predict(_inputs(parts[2], others, mask))
            truth = parts[2][:, target]
            return float(np.mean([(said[truth == each] == each).mean() for each in np.unique(truth)]))

        guess = 1 / len(np.unique(parts[2][:, target]))
        kind: Literal["class", "number"] = "class"
    else:

        def scored(part: Floats) -> float:
            model = HistGradientBoostingRegressor(max_iter=40, categorical_features=mask, random_state=seed)
            model.fit(_inputs(part, others, mask), rankdata(part[:, target]))
            said = model.predict(_inputs(parts[2], others, mask))
            return _rank_correlation(said, parts[2][:, target])

        guess, kind = 0.0, "number"
    made, real = scored(parts[0]), scored(parts[1])
    return TSTRScore(name=name, kind=kind, from_synthetic=made, from_real=real, by_guessing=guess)


def _classes(codes: Floats) -> Floats:
    values, counts = np.unique(codes, return_counts=True)
    common = np.argsort(-counts, kind="stable")[:_MOST_CLASSES]
    kept: Floats = np.sort(values[common[counts[common] >= _FEWEST_OF_A_CLASS]])
    return kept


def _inputs(rows: Floats, others: NDArray[np.bool_], mask: NDArray[np.bool_]) -> Floats:
    """Return the columns to predict from; codes count by falling frequency, so that those beyond 250 are rare."""
    inputs = rows[:, others].copy()
    inputs[:, mask] = np.minimum(inputs[:, mask], _MOST_CODES)
    empty = np.isnan(inputs).all(axis=0)
    inputs[:, empty] = 0.0
    return inputs


def _rank_correlation(first: Floats, second: Floats) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
