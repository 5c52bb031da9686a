"""TSTR: train on synthetic rows, test on real ones, column by column (Esteban et al. 2017, arXiv 1706.02633).

Each target column is predicted from all others by boosted trees, fitted once on synthetic rows and once on as many
training rows; both models are tested on the same held-out real rows. The difference of the two scores is what the
synthetic rows lose.
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
    """Scores of one column predicted from the others.

    kind: "class": scores are balanced accuracies; "number": rank correlations (Spearman) of prediction and truth.
    from_synthetic, from_real: score after fitting on synthetic and on training rows.
    by_guessing: 1 / classes, or 0.
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
    synthetic: Floats,
    held_out: Floats,
    *,
    names: Sequence[str],
    categorical: NDArray[np.bool_],
    most: int = MOST_TARGETS,
    seed: int = 0,
) -> list[TSTRScore]:
    """Return scores of columns predicted after fitting on synthetic and on training rows, the last columns first.

    Empty for fewer than 30 rows of a sample. At most 2,000 rows are used to fit; only the ten commonest classes are used.

    train, synthetic, held_out: numbers (n, d), NaN for a missing cell.
    names: of the columns.
    categorical: bool (d,), True for columns of codes, which all three samples share.
    most: largest number of target columns.
    seed: of the row samples and the trees.
    """
    n = min(len(train), len(synthetic), MOST_ROWS)
    if n < FEWEST_ROWS or len(held_out) < FEWEST_ROWS or train.shape[1] < 2:
        return []
    order = np.random.default_rng(seed)
    sides = [side[np.sort(order.permutation(len(side))[:n])] for side in (synthetic, train)]
    found = []
    for target in reversed(range(train.shape[1])):
        score = _score_column(target, sides, held_out, names[target], categorical, seed)
        if score is not None:
            found.append(score)
        if len(found) == most:
            break
    return found


def _score_column(
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

        def score(part: Floats) -> float:
            model = HistGradientBoostingClassifier(max_iter=40, categorical_features=mask, random_state=seed)
            model.fit(_inputs(part, others, mask), part[:, target])
            predicted = model.predict(_inputs(parts[2], others, mask))
            truth = parts[2][:, target]
            return float(np.mean([(predicted[truth == each] == each).mean() for each in np.unique(truth)]))

        guess = 1 / len(np.unique(parts[2][:, target]))
        kind: Literal["class", "number"] = "class"
    else:

        def score(part: Floats) -> float:
            model = HistGradientBoostingRegressor(max_iter=40, categorical_features=mask, random_state=seed)
            model.fit(_inputs(part, others, mask), rankdata(part[:, target]))
            predicted = model.predict(_inputs(parts[2], others, mask))
            return _rank_correlation(predicted, parts[2][:, target])

        guess, kind = 0.0, "number"
    synthetic, real = score(parts[0]), score(parts[1])
    return TSTRScore(name=name, kind=kind, from_synthetic=synthetic, from_real=real, by_guessing=guess)


def _classes(codes: Floats) -> Floats:
    values, counts = np.unique(codes, return_counts=True)
    common = np.argsort(-counts, kind="stable")[:_MOST_CLASSES]
    kept: Floats = np.sort(values[common[counts[common] >= _FEWEST_OF_A_CLASS]])
    return kept


def _inputs(rows: Floats, others: NDArray[np.bool_], mask: NDArray[np.bool_]) -> Floats:
    """Return the columns to predict from; codes are in order of falling frequency, so that those beyond 250 are rare."""
    inputs = rows[:, others].copy()
    inputs[:, mask] = np.minimum(inputs[:, mask], _MOST_CODES)
    empty = np.isnan(inputs).all(axis=0)
    inputs[:, empty] = 0.0
    return inputs


def _rank_correlation(first: Floats, second: Floats) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
