"""Figures that others report beside a distance, as pure functions of two samples: nothing here is a bound.

Neighbours. x_i is covered by samples in its ball, whose radius r_k(x_i) is the distance to its k-th nearest other row.
    precision   share of fakes inside the ball of any real row      recall     share of real rows inside the ball of any fake
    density     (1/kM) sum_ij 1[y_j in ball(x_i)]                   coverage   share of real rows whose ball holds a fake
Kynkäänniemi et al. 2019 (arXiv 1904.06991); Naeem et al. 2020 (arXiv 2002.09797).

Two samples of one law, as unbiased U-statistics, with an exact permutation test:
    energy      2 E|X - Y| - E|X - X'| - E|Y - Y'|                  MMD^2      E k(X,X') + E k(Y,Y') - 2 E k(X,Y)
Székely and Rizzo 2013; Gretton et al. 2012. With k(x, y) = (x.y/d + 1)^3 the latter is the kernel distance (arXiv 1801.01401).

Frechet: |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), of means and covariances (arXiv 1706.08500).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
PRECISION_K, COVERAGE_K = 3, 5
BANDWIDTHS = (0.5, 1.0, 2.0)


def neighbour_figures(apart: Floats, real: Whole, fake: Whole) -> Floats:
    """Return precision, recall, density and coverage, (4,), of rows real and fake of a matrix of distances (n, n)."""
    within_real = _radii(apart, real, (PRECISION_K, COVERAGE_K))
    (fake_radius,) = _radii(apart, fake, (PRECISION_K,))
    across = apart[np.ix_(real, fake)]
    precision = (across <= within_real[0][:, None]).any(0).mean()
    recall = (across <= fake_radius).any(1).mean()
    inside = across <= within_real[1][:, None]
    return np.array([precision, recall, inside.sum() / (COVERAGE_K * len(fake)), inside.any(1).mean()])


def _radii(apart: Floats, rows: Whole, ks: tuple[int, ...]) -> list[Floats]:
    """Return for each k the distance of each row to its k-th nearest other one; the nearest of all is the row itself."""
    own = np.partition(apart[np.ix_(rows, rows)], ks, axis=1)
    return [own[:, k] for k in ks]


def expected_coverage(n: int, m: int) -> float:
    """Return the mean coverage of n real rows by m fakes of the same continuous law.

    A ball holds no fake where the k nearest of the other n - 1 + m rows are all real.
    """
    steps = np.arange(COVERAGE_K)
    return float(1 - np.prod((n - 1 - steps) / (n + m - 1 - steps)))


def frechet(one: Floats, other: Floats) -> float:
    """Return the Frechet distance of the Gaussians with the moments of two samples (n, d)."""
    means, covariances = zip(*((rows.mean(0), np.cov(rows, rowvar=False, ddof=1)) for rows in (one, other)))
    first, second = (np.atleast_2d(each) for each in covariances)
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ second @ root), 0, None)).sum()
    apart = ((means[0] - means[1]) ** 2).sum()
    return float(max(0.0, apart + np.trace(first) + np.trace(second) - 2 * cross))


def distances(rows: Floats) -> Floats:
    """Return all Euclidean distances, (n, n)."""
    return np.asarray(squareform(pdist(rows)))


def gaussian_kernel(apart: Floats) -> Floats:
    """Return the mean of three Gaussian kernels, of half, once and twice the median distance.

    The median is over all rows, blind to which are real: only then may labels be permuted.
    """
    median = float(np.median(apart[np.triu_indices(len(apart), 1)])) or 1.0
    squares = -0.5 * (apart / median) ** 2
    return np.asarray(sum(np.exp(squares / width**2) for width in BANDWIDTHS) / len(BANDWIDTHS))


def cubic_kernel(rows: Floats) -> Floats:
    """Return (x.y/d + 1)^3 for all pairs of rows (n, d)."""
    return np.asarray((rows @ rows.T / rows.shape[1] + 1) ** 3)


def u_statistics(kernel: Floats, real: NDArray[np.bool_], fake: NDArray[np.bool_] | None = None) -> Floats:
    """Return mean k(X,X') + mean k(Y,Y') - 2 mean k(X,Y) without diagonals for each labelling, (labellings,).

    kernel: (n, n), symmetric; real, fake: (n, labellings) marks, fake all others if left out. The energy distance is this of
    the negative distances.
    """
    ours = real.astype(np.float64)
    theirs = 1 - ours if fake is None else fake.astype(np.float64)
    n, m = ours.sum(0), theirs.sum(0)
    one, two = kernel @ ours, kernel @ theirs
    diagonal = np.diag(kernel)
    within = ((ours * one).sum(0) - diagonal @ ours) / (n * (n - 1))
    beside = ((theirs * two).sum(0) - diagonal @ theirs) / (m * (m - 1))
    return np.asarray(within + beside - 2 * (ours * two).sum(0) / (n * m))


def permutation_p(kernel: Floats, n: int, *, permutations: int, rng: np.random.Generator) -> float:
    """Return P(a random labelling of the same sizes gives as much or more), the given one counted: P(p <= a) <= a.

    The first n rows of the kernel are the real ones.
    """
    marks = np.zeros((len(kernel), permutations + 1), dtype=bool)
    marks[:n] = True
    marks[:, 1:] = rng.permuted(marks[:, 1:], axis=0)
    found = u_statistics(kernel, marks)
    return float((found >= found[0] - 1e-12 * np.abs(kernel).max()).mean())
