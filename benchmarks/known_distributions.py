"""Gaussian mixtures of known density, in the place of data and of generators, so that their distances are known.

A ring and a grid in the plane, and *digits*: one Gaussian for each of the ten classes of scikit-learn's digits, in 16 principal
components. A generator differs from the data only in weights and widths, so it can be made to converge, stall, diverge or
collapse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np


@dataclass(frozen=True, eq=False)
class Mixture:
    """sum_c w_c N(m_c, (s_c L_c)(s_c L_c)'): means (k, d), factors L (k, d, d), weights w (k,), scales s (k,)."""

    means: np.ndarray
    factors: np.ndarray
    weights: np.ndarray
    scales: np.ndarray

    @property
    def modes(self) -> int:
        return len(self.means)

    @property
    def width(self) -> int:
        return self.means.shape[1]

    def with_(self, *, weights: np.ndarray | None = None, scales: np.ndarray | float = 1.0) -> Mixture:
        """Return the same modes with other weights, and with widths multiplied by `scales`."""
        weights = self.weights if weights is None else weights / weights.sum()
        return replace(self, weights=weights, scales=self.scales * np.asarray(scales))

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        mode = rng.choice(self.modes, n, p=self.weights)
        rows = self.scales[mode, None] * rng.normal(size=(n, self.width))
        for c in range(self.modes):
            rows[mode == c] = rows[mode == c] @ self.factors[c].T
        return rows + self.means[mode]

    def log_density(self, x: np.ndarray) -> np.ndarray:
        logs = np.empty((self.modes, len(x)))
        for c in range(self.modes):
            u = np.linalg.inv(self.factors[c]) @ (x - self.means[c]).T / self.scales[c]
            size = np.log(np.diag(self.factors[c])).sum() + self.width * np.log(self.scales[c])
            with np.errstate(divide="ignore"):
                logs[c] = np.log(self.weights[c]) - 0.5 * (u**2).sum(0) - size
        return np.logaddexp.reduce(logs, axis=0) - self.width / 2 * np.log(2 * np.pi)


def jsd(one: Mixture, other: Mixture, *, n: int = 10_000, seed: int = 0) -> float:
    """Return the JSD in nats by Monte Carlo on 2n points of the known densities, with the same noise for every pair."""
    total = 0.0
    for mixture in (one, other):
        x = mixture.draw(n, np.random.default_rng(seed))
        p, q = one.log_density(x), other.log_density(x)
        total += float((mixture.log_density(x) - np.logaddexp(p, q) + np.log(2)).mean())
    return max(0.0, total / 2)


def _round(means: np.ndarray, sd: float) -> Mixture:
    k = len(means)
    factors = np.tile(sd * np.eye(means.shape[1]), (k, 1, 1))
    return Mixture(means.astype(float), factors, np.full(k, 1 / k), np.ones(k))


def ring() -> Mixture:
    angle = np.arange(8) * np.pi / 4
    return _round(2 * np.column_stack([np.cos(angle), np.sin(angle)]), 0.05)


def grid() -> Mixture:
    return _round(np.array([(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)]), 0.05)


@cache
def digits() -> Mixture:
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    data = load_digits()
    rows = PCA(16, random_state=0).fit_transform(data.data)
    classes = [rows[data.target == each] for each in range(10)]
    covariances = [np.cov(each, rowvar=False) + 0.1 * np.eye(16) for each in classes]
    factors = np.array([np.linalg.cholesky(each) for each in covariances])
    weights = np.array([len(each) for each in classes]) / len(rows)
    return Mixture(np.array([each.mean(0) for each in classes]), factors, weights, np.ones(10))


DISTRIBUTIONS = {"ring": ring, "digits": digits}
