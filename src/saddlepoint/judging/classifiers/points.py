"""Classifiers for points: each is fitted on real and fake rows and returns a function from rows to logits.

All weight the two sides equally, so that a logit of 0 means "as likely real as fake" whatever the numbers of rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, StandardScaler

Floats = NDArray[np.float64]
Logit = Callable[[NDArray[Any]], Floats]
CHUNK = 4096
STEPS = 255  # the largest number of bins of the trees


@dataclass(frozen=True, kw_only=True, eq=False)
class FitContext:
    """What every classifier is given: which columns are categories, its seed, and whether it must be quick."""

    categorical: NDArray[np.bool_]
    seed: int
    quick: bool = False


Referee = Callable[[NDArray[Any], NDArray[Any], FitContext], Logit]


def labelled(real: NDArray[Any], fake: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64], Floats]:
    """Return rows, labels (1 real, 0 fake), and weights that give both sides the same total."""
    labels = np.repeat(np.array([1, 0]), [len(real), len(fake)])
    weights = np.where(
        labels == 1, (len(real) + len(fake)) / (2 * len(real)), (len(real) + len(fake)) / (2 * len(fake))
    )
    return np.concatenate([real, fake]), labels, weights


def logistic(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """A logistic regression on coordinates and their products; beyond 20 columns on squares and the squared norm instead."""
    rows, labels, weights = labelled(real, fake)
    widen: Any = (
        PolynomialFeatures(2, include_bias=False)
        if rows.shape[1] <= 20
        else FunctionTransformer(
            lambda x: np.concatenate([x, x**2, (x**2).sum(axis=1, keepdims=True)], axis=1)
        )
    )
    model = make_pipeline(
        StandardScaler(),
        FunctionTransformer(lambda x: np.clip(x, -12, 12)),
        widen,
        StandardScaler(),
        LogisticRegression(C=1.0 if rows.shape[1] <= 20 else 0.01, max_iter=300),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(rows, labels, logisticregression__sample_weight=weights)
    return lambda z: np.asarray(model.decision_function(z), dtype=np.float64)


def boosted(
    rows: Floats, labels: NDArray[np.int64], weights: Floats, context: FitContext, *, categorical: Any = None
) -> Logit:
    """Histogram gradient boosting with early stopping on 15 % of the fit rows; NaN and category codes are native."""
    model = HistGradientBoostingClassifier(
        max_iter=60 if context.quick else 250,
        learning_rate=0.15 if context.quick else 0.08,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        min_samples_leaf=20,
        early_stopping=True,
        validation_fraction=0.15,
        n_iter_no_change=8,
        random_state=context.seed,
        categorical_features=categorical,
    )
    steps = steps_of(rows, weights, skip=categorical)
    model.fit(steps(rows), labels, sample_weight=weights)
    return lambda z: np.asarray(model.decision_function(steps(z)), dtype=np.float64)


def steps_of(
    rows: Floats, weights: Floats, *, skip: NDArray[np.bool_] | None = None
) -> Callable[[NDArray[Any]], Floats]:
    """Return the map from rows to bin numbers, 255 per column at its weighted quantiles; NaN and skipped columns stay.

    The trees would bin by themselves, but with weights they take 70 ms per column (scikit-learn 1.9), and this takes 2 ms;
    they do not bin columns of at most 255 values again.
    """
    edges: list[Floats | None] = []
    for column, values in enumerate(rows.T):
        if skip is not None and skip[column]:
            edges.append(None)
            continue
        there = np.flatnonzero(~np.isnan(values))
        order = there[np.argsort(values[there], kind="stable")]
        mass = np.cumsum(weights[order])
        distinct = np.unique(values[order])
        if len(distinct) <= STEPS:
            edges.append((distinct[:-1] + distinct[1:]) / 2)
            continue
        at = np.searchsorted(mass, np.arange(1, STEPS) / STEPS * mass[-1])
        edges.append(np.unique(values[order[at.clip(max=len(order) - 1)]]))

    def to_steps(given: NDArray[Any]) -> Floats:
        stepped = np.array(given, dtype=np.float64)
        for column, edge in enumerate(edges):
            if edge is not None:
                values = given[:, column]
                stepped[:, column] = np.where(np.isnan(values), np.nan, np.searchsorted(edge, values))
        return stepped

    return to_steps


def trees(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """Gradient-boosted trees on the coordinates."""
    return boosted(*labelled(real, fake), context)


def geometry(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """Boosted trees on coordinates and log distances to the two nearest k-means centres; it detects wrong mode widths.

    One model for each number of centres (8, 25, 64), fitted on both sides. Inputs are x, the log distances to the two
    nearest centres, their difference, and the nearest centre's number. The logits of the three models are averaged.
    """
    rows, labels, weights = labelled(real, fake)
    scaler = StandardScaler().fit(rows)
    scaled = scaler.transform(rows)
    rng = np.random.default_rng(context.seed)
    sample = scaled[rng.permutation(len(scaled))[:6000]]
    models: list[tuple[KMeans, Logit]] = []
    for centres in (16,) if context.quick else (8, 25, 64):
        cells = k_means(sample, min(centres, max(2, len(sample) // 20)), context.seed)
        models.append((cells, boosted(_with_distances(scaled, cells), labels, weights, context)))

    def logit(z: NDArray[Any]) -> Floats:
        z = scaler.transform(z)
        return np.asarray(np.mean([model(_with_distances(z, cells)) for cells, model in models], axis=0))

    return logit


def k_means(rows: Floats, centres: int, seed: int) -> KMeans:
    """Return fitted k-means cells; with repeated rows there may be fewer than `centres`, which is fine here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(centres, n_init=1, max_iter=50, random_state=seed).fit(rows)


def _with_distances(rows: Floats, cells: KMeans) -> Floats:
    distances = cells.transform(rows)
    two = np.log(np.partition(distances, 1, axis=1)[:, :2] + 1e-9)
    return np.column_stack([rows, two, two[:, 1] - two[:, 0], distances.argmin(axis=1)])


def neighbours(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """Nearest neighbours in standardised coordinates; with more than 30 columns in 30 principal components."""
    steps: list[Any] = [StandardScaler()]
    if real.shape[1] > 30:
        steps.append(PCA(min(30, len(real)), svd_solver="randomized", random_state=context.seed))
    space = make_pipeline(*steps).fit(np.concatenate([real, fake]))
    logit = vote(space.transform(real), space.transform(fake), seed=context.seed)
    return lambda z: logit(space.transform(z))


def vote(real: Floats, fake: Floats, *, seed: int) -> Logit:
    """Return the balanced log-odds (real + 1/2) / (fake + 1/2) among the k = sqrt(n)/2 nearest fit rows.

    At most 5,000 fit rows per side are used.
    """
    rng = np.random.default_rng(seed)
    real, fake = (rows[rng.permutation(len(rows))[:5000]] for rows in (real, fake))
    rows, labels, _ = labelled(real, fake)
    k = min(max(5, int(np.sqrt(len(rows)) / 2)), len(rows))
    search = NearestNeighbors(n_neighbors=k, algorithm="kd_tree" if rows.shape[1] <= 4 else "brute")
    search.fit(rows.astype(np.float32))
    offset = np.log(len(real) / len(fake))

    def logit(z: NDArray[Any]) -> Floats:
        out = np.empty(len(z))
        for i in range(0, len(z), CHUNK):
            near = search.kneighbors(z[i : i + CHUNK].astype(np.float32), return_distance=False)
            votes = labels[near].sum(axis=1)
            out[i : i + CHUNK] = np.log((votes + 0.5) / (k - votes + 0.5)) - offset
        return out

    return logit


def network(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """A network with two hidden layers on standardised coordinates."""
    import torch

    from saddlepoint.judging.classifiers import networks

    scaler = StandardScaler().fit(np.concatenate([real, fake]))

    def encode(rows: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.clip(scaler.transform(rows), -12, 12).astype(np.float32))

    epochs = int(np.clip((80_000 if context.quick else 200_000) / len(real), 8, 60))
    return networks.train(
        lambda: networks.dense(real.shape[1]),
        encode,
        real,
        fake,
        seed=context.seed,
        epochs=epochs,
        batch=128,
        rate=4e-3,
    )
