"""Classes found in pictures that come without: k-means of their coarse principal coordinates.

A generator told which of several kinds of picture to make need not bend one kind into another, and the shares of the kinds
are those of the data from the first round on (Liu et al. 2020, arXiv 2006.10728, find theirs in D's features as the game goes).
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
_COORDINATES = 48
_MOST_NUMBERS = 256
_ROWS = 20_000


def find_clusters(pictures: Dataset, *, seed: int) -> NDArray[np.int64]:
    """Return the kind of each picture, (n,): 100 kinds, or as many as leave 100 pictures a kind on average.

    Kinds are those of k-means in the 48 largest principal coordinates of the pictures, made small by means of squares until
    they have at most 256 numbers. They are a function of the pictures and the seed.

    Raises:
        InputError: the rows are no pictures, or too few for two kinds.
    """
    if pictures.kind != "pictures":
        raise InputError(
            f"{pictures.name} holds {pictures.kind}; classes are found in pictures alone: leave cluster out."
        )
    kinds = min(MOST_CLUSTERS, len(pictures) // SMALLEST_CLUSTER)
    if kinds < 2:
        raise InputError(
            f"Classes are found in at least {2 * SMALLEST_CLUSTER} pictures, and {pictures.name} has {len(pictures)} to "
            "train on: leave cluster out."
        )
    small = _small(pictures.rows)
    some = small[:: -(-len(small) // _ROWS)]
    means = MiniBatchKMeans(kinds, n_init=3, batch_size=2048, random_state=seed)
    # One thread: a run that goes on with more cores finds the same kinds again.
    with threadpool_limits(limits=1), warnings.catch_warnings():
        with np.errstate(invalid="ignore"):  # of equal pictures: a share of no variance
            found = PCA(min(_COORDINATES, *some.shape), svd_solver="covariance_eigh").fit(some)
        places = found.transform(small)
        warnings.simplefilter(
            "ignore", ConvergenceWarning
        )  # fewer different pictures than kinds: fewer kinds are found
        return np.asarray(means.fit(places).predict(places), dtype=np.int64)


def _small(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures (n, H, W, C) as (n, numbers), halved by means until they have at most 256 numbers."""
    height, width, channels = rows.shape[1:]
    down = across = 1
    while channels * -(-height // down) * -(-width // across) > _MOST_NUMBERS:
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
