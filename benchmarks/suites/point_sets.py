"""Point sets, from known distributions (drawn again for every seed) and real ones, split into training and judged rows.

Ring and grid are PacGAN's (Lin et al. 2018, arXiv 1712.04086, section 4.1): radius 1 and standard deviation .01 for 8
modes; -4..4 in steps of 2 and standard deviation .05 for 25 modes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Draw = Callable[[int, np.random.Generator], Floats]

DISTRIBUTION_SEED = 5
"""Fixes the mixtures themselves; a run's seed draws rows from them."""


@dataclass(frozen=True, kw_only=True)
class PointSet:
    """A point set.

    name: its name.
    about: what it is, in a few words.
    draw: draws n rows of its distribution, if that is known.
    rows: returns all rows of a real set.
    centres: the centres of its modes, if it has modes.
    width: the standard deviation of a mode.
    weights: the modes' weights; equal if None.
    """

    name: str
    about: str
    draw: Draw | None = None
    rows: Callable[[], NDArray[Any]] | None = None
    centres: Floats | None = None
    width: float = 0.0
    weights: Floats | None = None

    def split(self, train: int, judged: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return training rows and judged rows; of a real set all rows are used, a fifth (at most `judged`) of them judged."""
        random = np.random.default_rng([seed, sum(map(ord, self.name))])
        if self.draw is not None:
            rows = self.draw(train + judged, random)
            return rows[:train], rows[train:]
        if self.rows is None:
            raise ValueError(self.name)
        rows = self.rows()
        rows = rows[random.permutation(len(rows))]
        judged = min(judged, len(rows) // 5)
        return rows[judged : judged + train], rows[:judged]


def _mixture(centres: Floats, width: float, weights: Floats | None = None) -> Draw:
    def draw(n: int, random: np.random.Generator) -> Floats:
        mode = random.choice(len(centres), n, p=weights)
        rows: Floats = centres[mode] + width * random.normal(size=(n, centres.shape[1]))
        return rows

    return draw


def normals(width: int, count: int, spread: float) -> Draw:
    """Return a mixture of `count` Gaussians in `width` columns: centres `spread` times N(0, I), random covariances."""
    fixed = np.random.default_rng([DISTRIBUTION_SEED, width])
    centres = spread * fixed.normal(size=(count, width))
    factors = fixed.normal(size=(count, width, width)) / np.sqrt(width)

    def draw(n: int, random: np.random.Generator) -> Floats:
        mode = random.integers(count, size=n)
        offsets: Floats = np.einsum("nij,nj->ni", factors[mode], random.normal(size=(n, width)))
        return np.asarray(centres[mode] + offsets)

    return draw


def _moons(n: int, random: np.random.Generator) -> Floats:
    upper = random.random(n) < 0.5
    angle = random.uniform(0, np.pi, n)
    x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
    y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    return np.column_stack([x, y]) + 0.05 * random.normal(size=(n, 2))


def _swiss_roll(n: int, random: np.random.Generator) -> Floats:
    t = 1.5 * np.pi * (1 + 2 * random.random(n))
    return np.column_stack([t * np.cos(t), t * np.sin(t)]) + 0.5 * random.normal(size=(n, 2))


def _spirals(n: int, random: np.random.Generator) -> Floats:
    t = np.sqrt(random.random(n)) * 3 * np.pi
    side = np.where(random.random(n) < 0.5, 1.0, -1.0)
    return side[:, None] * np.column_stack([t * np.cos(t), t * np.sin(t)]) + 0.3 * random.normal(size=(n, 2))


def _checkerboard(n: int, random: np.random.Generator) -> Floats:
    column, row = random.integers(4, size=n), random.integers(2, size=n)
    corner = np.column_stack([column, 2 * row + column % 2])
    rows: Floats = corner + random.random((n, 2)) - 2.0
    return rows


def _pinwheel(n: int, random: np.random.Generator) -> Floats:
    arm = random.integers(5, size=n)
    x = random.normal(size=(n, 2)) * [0.3, 0.05] + [1.0, 0.0]
    angle = 2 * np.pi * arm / 5 + 0.25 * np.exp(x[:, 0]) * 2
    return np.column_stack(
        [x[:, 0] * np.cos(angle) - x[:, 1] * np.sin(angle), x[:, 0] * np.sin(angle) + x[:, 1] * np.cos(angle)]
    )


def _correlated(n: int, random: np.random.Generator) -> Floats:
    return np.asarray(random.normal(size=(n, 2)) @ np.array([[1.0, 0.0], [0.95, 0.3122]]).T)


def _scales(n: int, random: np.random.Generator) -> Floats:
    return _moons(n, random) * [1.0, 1000.0]


def _curved(n: int, random: np.random.Generator) -> Floats:
    """Twelve sines of integer combinations of three angles, noise .05: a curved manifold that few Gaussians cannot fit."""
    fixed = np.random.default_rng(7)
    frequencies = fixed.integers(-2, 3, size=(12, 3))
    frequencies[(frequencies == 0).all(1)] = 1
    phases = fixed.uniform(0, 2 * np.pi, 12)
    angles = random.uniform(0, 2 * np.pi, (n, 3))
    return np.sin(angles @ frequencies.T + phases) + 0.05 * random.normal(size=(n, 12))


def _sklearn(name: str) -> Callable[[], NDArray[Any]]:
    def rows() -> NDArray[Any]:
        from sklearn import datasets

        data: NDArray[Any] = getattr(datasets, f"load_{name}")().data
        return data

    return rows


def mnist_components(path: str, components: int = 50) -> PointSet:
    """Return MNIST's first principal components as a point set, from an .npz of pictures."""

    def rows() -> NDArray[Any]:
        from sklearn.decomposition import PCA

        with np.load(path) as stored:
            pictures = np.concatenate([stored[name] for name in stored.files if stored[name].ndim == 3])
        flat = pictures.reshape(len(pictures), -1) / 255.0
        scores: NDArray[Any] = PCA(components, random_state=0).fit_transform(flat)
        return scores

    return PointSet(name="mnist", about=f"MNIST, first {components} principal components", rows=rows)


_ANGLES = np.arange(8) * np.pi / 4
RING = np.column_stack([np.cos(_ANGLES), np.sin(_ANGLES)])
GRID = np.array([(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)], dtype=float)
UNEQUAL = np.array([10.0, 1.0] * 4) / 44.0

SETS: dict[str, PointSet] = {
    each.name: each
    for each in (
        PointSet(name="ring", about="8 modes", draw=_mixture(RING, 0.01), centres=RING, width=0.01),
        PointSet(name="grid", about="25 modes", draw=_mixture(GRID, 0.05), centres=GRID, width=0.05),
        PointSet(
            name="unequal", about="8 modes, weights 10:1", draw=_mixture(RING, 0.05, UNEQUAL), centres=RING,
            width=0.05, weights=UNEQUAL,
        ),
        PointSet(name="moons", about="two half circles", draw=_moons),
        PointSet(name="scales", about="moons, one axis x 1000", draw=_scales),
        PointSet(name="swiss roll", about="a roll in the plane", draw=_swiss_roll),
        PointSet(name="spirals", about="two arms", draw=_spirals),
        PointSet(name="checkerboard", about="8 of 16 squares", draw=_checkerboard),
        PointSet(name="pinwheel", about="5 bent arms", draw=_pinwheel),
        PointSet(name="correlated", about="one Gaussian, correlation .95", draw=_correlated),
        PointSet(name="mixture 10-D", about="10 Gaussians in 10-D", draw=normals(10, 10, 3.0)),
        PointSet(name="mixture 64-D", about="10 Gaussians in 64-D", draw=normals(64, 10, 3.0)),
        PointSet(name="curved 12-D", about="sines of three angles, in 12-D", draw=_curved),
        PointSet(name="breast cancer", about="569 rows, 30 columns", rows=_sklearn("breast_cancer")),
        PointSet(name="wine", about="178 rows, 13 columns", rows=_sklearn("wine")),
        PointSet(name="digits", about="1,797 digits as 64-D points", rows=_sklearn("digits")),
    )
}  # fmt: skip
