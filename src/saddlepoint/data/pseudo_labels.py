"""Pseudo-labels for pictures without classes: k-means clusters of their principal components at low resolution.

A class-conditional generator need not deform one cluster into another, and samples have the data's cluster shares from the
first round on. Liu et al. 2020 (arXiv 2006.10728) cluster D's features during training instead.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from saddlepoint.data.dataset import Dataset
from saddlepoint.errors import InputError

MOST_CLUSTERS = 100
SMALLEST_CLUSTER = 100
_COMPONENTS = 48
_MOST_FEATURES = 256
_PCA_ROWS = 20_000


def find_clusters(pictures: Dataset, *, seed: int) -> NDArray[np.int64]:
    """Return the cluster of each picture, int (n,): min(100, n // 100) clusters, so at least 100 pictures each on average.

    Pictures are downscaled by block means to at most 256 numbers, projected on their first 48 principal components, and
    clustered by k-means. The result depends on the pictures and the seed only.

    Raises:
        InputError: the rows are not pictures, or too few for two clusters.
    """
    if pictures.kind != "pictures":
        raise InputError(
            f"{pictures.name} holds {pictures.kind}; classes can be found in pictures only; leave cluster out."
        )
    clusters = min(MOST_CLUSTERS, len(pictures) // SMALLEST_CLUSTER)
    if clusters < 2:
        raise InputError(
            f"Finding classes needs at least {2 * SMALLEST_CLUSTER} training pictures, and {pictures.name} has "
            f"{len(pictures)}; leave cluster out."
        )
    small = _downscaled(pictures.rows)
    sample = small[:: -(-len(small) // _PCA_ROWS)]
    k_means = MiniBatchKMeans(clusters, n_init=3, batch_size=2048, random_state=seed)
    # One thread, so that a run that is resumed on more cores finds the same clusters again.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        with np.errstate(invalid="ignore"):  # identical pictures: explained-variance ratio 0 / 0
            pca = PCA(min(_COMPONENTS, *sample.shape), svd_solver="covariance_eigh").fit(sample)
        coordinates = pca.transform(small)
        # Warns if there are fewer distinct pictures than clusters; then fewer clusters are found.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(k_means.fit(coordinates).predict(coordinates), dtype=np.int64)


def _downscaled(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures (n, H, W, C) as (n, features): sides are halved by block means until there are at most 256 features."""
    height, width, channels = rows.shape[1:]
    down = across = 1
    while channels * -(-height // down) * -(-width // across) > _MOST_FEATURES:
        if max(-(-height // down), -(-width // across)) == 1:
            break
        down, across = (2 * down, across) if height / down >= width / across else (down, 2 * across)
    lines, columns = (np.arange(0, side, step) for side, step in ((height, down), (width, across)))
    parts = []
    for start in range(0, len(rows), 2_000):
        part = rows[start : start + 2_000].astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(part, lines, axis=1), columns, axis=2)
        parts.append(sums.reshape(len(part), -1))
    sizes = np.outer(np.diff([*lines, height]), np.diff([*columns, width])).reshape(-1)
    whole: NDArray[np.float32] = np.concatenate(parts)
    whole /= np.repeat(sizes, channels).astype(np.float32)
    return whole
