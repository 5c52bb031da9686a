"""Coordinates of rows: numbers standardised, categories one-hot, pictures in principal components (PCA).

Used by the memorisation test, the metrics and the quick two-sample test. For the memorisation test the map is fitted on
training and held-out rows *pooled*, without their labels: only then may the two labels be permuted afterwards. Two rows
that differ in one category are sqrt(2) apart in it, as are, on average, two rows in a number of standard deviation 1.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

ONE_HOT_UP_TO = 32
PICTURE_COMPONENTS = 50


def feature_space(
    rows: np.ndarray, fakes: np.ndarray, categorical: np.ndarray | None, *, random_state: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the map from rows (n, d) or pictures (n, ...) to coordinates (n, width) float64, fitted on `rows`.

    rows: the rows that the map is fitted on.
    fakes: used only to decide which columns need a coordinate for nulls.
    categorical: bool (d,), True for columns of category codes.
    random_state: of the PCA, and of the vectors of columns with many categories.
    """
    if rows.ndim > 2:
        return _picture_features(rows, random_state=random_state)
    is_code = (
        np.zeros(rows.shape[1], dtype=bool) if categorical is None else np.asarray(categorical, dtype=bool)
    )
    generator = np.random.default_rng(random_state)
    maps = [
        _category_map(rows[:, j], generator) if is_code[j] else _number_map(rows[:, j], fakes[:, j])
        for j in range(rows.shape[1])
    ]
    return lambda given: np.hstack([to_points(given[:, j]) for j, to_points in enumerate(maps)])


def _number_map(cells: np.ndarray, fake_cells: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    present = cells[~np.isnan(cells)].astype(float)
    mean = present.mean() if len(present) else 0.0
    spread = present.std() if len(present) else 0.0
    spread = spread if spread > 0 else 1.0
    nulls = len(present) < len(cells) or bool(np.isnan(fake_cells).any())

    def to_points(given: np.ndarray) -> np.ndarray:
        null = np.isnan(given)
        scaled = np.where(null, 0.0, (given - mean) / spread)
        return np.column_stack([scaled, np.sqrt(2.0) * null]) if nulls else scaled[:, None]

    return to_points


def _category_map(cells: np.ndarray, generator: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    known = np.unique(cells)
    if len(known) <= ONE_HOT_UP_TO:
        vectors = np.eye(len(known))
    else:
        # Random unit vectors are nearly orthogonal, so many categories keep their distances in few columns.
        vectors = generator.normal(size=(len(known), ONE_HOT_UP_TO))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def to_points(given: np.ndarray) -> np.ndarray:
        place = np.searchsorted(known, given).clip(max=len(known) - 1)
        same = (known[place] == given) | (np.isnan(known[place]) & np.isnan(given))
        points: np.ndarray = vectors[place] * same[:, None]
        return points

    return to_points


def _picture_features(rows: np.ndarray, *, random_state: int) -> Callable[[np.ndarray], np.ndarray]:
    flat = rows.reshape(len(rows), -1).astype(np.float32)
    spread = float(flat.std()) or 1.0
    width = min(PICTURE_COMPONENTS, *flat.shape)
    if flat.shape[1] <= 2 * width:
        return lambda given: given.reshape(len(given), -1).astype(float) / spread
    from sklearn.decomposition import PCA

    fitted = PCA(width, svd_solver="randomized", random_state=random_state).fit(flat / spread)
    return lambda given: fitted.transform(given.reshape(len(given), -1).astype(np.float32) / spread).astype(
        float
    )
