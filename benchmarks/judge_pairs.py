"""Pairs of distributions with a known JSD, by closed forms and quadrature, with a sampler for each side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import integrate, stats
from scipy.special import xlogy

Sampler = Callable[[int, np.random.Generator], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Pair:
    name: str
    jsd: float
    real: Sampler
    fake: Sampler
    categorical: bool = False


def discrete(p, q) -> float:
    p, q = np.asarray(p, float) / np.sum(p), np.asarray(q, float) / np.sum(q)
    m = (p + q) / 2
    return float((xlogy(p, p) - xlogy(p, m) + xlogy(q, q) - xlogy(q, m)).sum() / 2)


def line(log_p, log_q, cuts) -> float:
    """JSD of two densities on the real line, integrated piecewise between the cuts."""

    def density(x):
        a, b = log_p(x), log_q(x)
        m = np.logaddexp(a, b) - np.log(2)
        return sum(0.5 * np.exp(t) * (t - m) for t in (a, b) if t > -700)

    return sum(integrate.quad(density, u, v, epsabs=1e-12, limit=300)[0] for u, v in pairwise(cuts))


def radial(d: int, one: float, other: float) -> float:
    """JSD of N(0, one^2 I) and N(0, other^2 I) in d dimensions, which is that of their radii."""
    top = (np.sqrt(d) + 9) * max(one, other)
    return line(
        lambda r: stats.chi.logpdf(r / one, d) - np.log(one),
        lambda r: stats.chi.logpdf(r / other, d) - np.log(other),
        np.linspace(1e-12, top, 80),
    )


def correlated(rho: float, *, limit: float = 9, points: int = 1201) -> float:
    x = np.linspace(-limit, limit, points)
    u, v = np.meshgrid(x, x)
    p = -np.log(2 * np.pi) - (u * u + v * v) / 2
    det = 1 - rho * rho
    q = -np.log(2 * np.pi) - 0.5 * np.log(det) - (u * u - 2 * rho * u * v + v * v) / (2 * det)
    m = np.logaddexp(p, q) - np.log(2)
    return float((np.exp(p) * (p - m) + np.exp(q) * (q - m)).sum() / 2 * (x[1] - x[0]) ** 2)


def normal(mean=0.0, sd=1.0, d=1) -> Sampler:
    return lambda n, rng: mean + sd * rng.standard_normal((n, d))


def modes(centres, *, sd=0.05, weights=None) -> Sampler:
    centres = np.asarray(centres, float)
    weights = np.ones(len(centres)) if weights is None else np.asarray(weights, float)

    def draw(n, rng):
        which = rng.choice(len(centres), n, p=weights / weights.sum())
        return centres[which] + sd * rng.standard_normal((n, centres.shape[1]))

    return draw


def gaussian_2d(rho) -> Sampler:
    root = np.linalg.cholesky([[1, rho], [rho, 1]])
    return lambda n, rng: rng.standard_normal((n, 2)) @ root.T


def _column(draw) -> Sampler:
    return lambda n, rng: np.asarray(draw(n, rng), float)[:, None]


ANGLES = np.arange(8) * np.pi / 4
RING = 2 * np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
GRID = np.array([[a, b] for a in range(-4, 5, 2) for b in range(-4, 5, 2)], float)
KEPT = np.delete(GRID, [0, 6, 12, 18, 24], axis=0)
CUTS = [-60, -15, -8, -4, -2, -1, 0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 15, 60]
gauss = lambda mean, sd: lambda x: stats.norm.logpdf(x, mean, sd)  # noqa: E731
ring = modes(RING)


def known_pairs() -> list[Pair]:
    pairs = [
        Pair(
            name=f"N(0,1) | N({m:g},1)",
            jsd=line(gauss(0, 1), gauss(m, 1), CUTS),
            real=normal(),
            fake=normal(m),
        )
        for m in (0.1, 0.5, 1, 2, 3)
    ]
    two = lambda x: np.logaddexp(gauss(-1.5, 0.5)(x), gauss(1.5, 0.5)(x)) - np.log(2)  # noqa: E731
    dirty = lambda x: np.logaddexp(np.log(0.95) + gauss(0, 1)(x), np.log(0.05) + gauss(4, 0.5)(x))  # noqa: E731
    laplace = lambda x: stats.laplace.logpdf(x, 0, np.sqrt(0.5))  # noqa: E731
    exponential = lambda scale: lambda x: stats.expon.logpdf(x, 0, scale)  # noqa: E731
    counts = np.arange(200)

    def draw(name, jsd, real, fake, categorical=False):
        pairs.append(Pair(name=name, jsd=jsd, real=real, fake=fake, categorical=categorical))

    draw("N(0,1) | N(0,variance 4)", line(gauss(0, 1), gauss(0, 2), CUTS), normal(), normal(0, 2))
    draw(
        "N(0,1) | Laplace, variance 1",
        line(gauss(0, 1), laplace, CUTS),
        normal(),
        _column(lambda n, rng: rng.laplace(0, np.sqrt(0.5), n)),
    )
    draw(
        "N(0,1) | two humps",
        line(gauss(0, 1), two, CUTS),
        normal(),
        modes([[-1.5], [1.5]], sd=0.5),
    )
    draw(
        "N(0,1) | 5 % outliers",
        line(gauss(0, 1), dirty, CUTS),
        normal(),
        _column(lambda n, rng: np.where(rng.random(n) < 0.05, rng.normal(4, 0.5, n), rng.normal(0, 1, n))),
    )
    draw(
        "Exp(1) | Exp(rate 2)",
        line(exponential(1), exponential(0.5), [0, 0.7, 1, 2, 4, 8, 16, 40]),
        _column(lambda n, rng: rng.exponential(1, n)),
        _column(lambda n, rng: rng.exponential(0.5, n)),
    )
    draw("ring of 8 | 7 of its modes", discrete([1] * 8, [1] * 7 + [0]), ring, modes(RING[:7]))
    draw("grid of 25 | 20 of its modes", discrete([1] * 25, [1] * 20 + [0] * 5), modes(GRID), modes(KEPT))
    draw("ring, mode sd .05 | .06", radial(2, 0.05, 0.06), ring, modes(RING, sd=0.06))
    draw("ring, mode sd .05 | .10", radial(2, 0.05, 0.10), ring, modes(RING, sd=0.10))
    draw("ring, equal weights | 2:1", discrete([1] * 8, [2, 1] * 4), ring, modes(RING, weights=[2, 1] * 4))
    draw("2-D Gaussian, rho 0 | .5", correlated(0.5), normal(d=2), gaussian_2d(0.5))
    draw("2-D Gaussian, rho 0 | .9", correlated(0.9), normal(d=2), gaussian_2d(0.9))
    draw("10-D N(0,I) | N(0,1.21 I)", radial(10, 1, 1.1), normal(d=10), normal(0, 1.1, d=10))
    for shift in (0.05, 0.1, 0.3):
        draw(
            f"U[0,1] | U[{shift:g},{1 + shift:g}]",
            shift * np.log(2),
            _column(lambda n, rng: rng.random(n)),
            _column(lambda n, rng, shift=shift: rng.random(n) + shift),
        )
    draw(
        "Poisson 3 | 4",
        discrete(stats.poisson.pmf(counts, 3), stats.poisson.pmf(counts, 4)),
        _column(lambda n, rng: rng.poisson(3, n)),
        _column(lambda n, rng: rng.poisson(4, n)),
    )
    draw(
        "categories (.5,.3,.2) | (.2,.3,.5)",
        discrete([5, 3, 2], [2, 3, 5]),
        _column(lambda n, rng: rng.choice(3, n, p=[0.5, 0.3, 0.2])),
        _column(lambda n, rng: rng.choice(3, n, p=[0.2, 0.3, 0.5])),
        categorical=True,
    )
    draw("ring | the same ring", 0.0, ring, ring)
    return pairs


def dropped_mode(weight: float = 0.01) -> Pair:
    """Real: two distant modes, the smaller with the given weight; fake: without it."""
    return Pair(
        name=f"a mode of {100 * weight:g} % dropped",
        jsd=discrete([1 - weight, weight], [1, 0]),
        real=modes([[0, 0], [8, 8]], sd=1.0, weights=[1 - weight, weight]),
        fake=modes([[0, 0]], sd=1.0),
    )


def near_disjoint() -> Pair:
    """.998 N(0,.01) + .002 N(8,.01) against N(8,.01): the pair for which normal intervals fail."""
    return Pair(
        name="near disjoint",
        jsd=discrete([0.998, 0.002], [0, 1]),
        real=modes([[0], [8]], sd=0.1, weights=[0.998, 0.002]),
        fake=modes([[8]], sd=0.1),
    )
