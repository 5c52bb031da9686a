"""Known distributions on grids: the integrals of the theorems become sums of known precision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]
LOG4 = math.log(4.0)


@dataclass(frozen=True)
class Grid:
    """A regular grid.

    points: its points, (n, d).
    cell: the volume of a cell.
    shape: the number of points along each axis.
    """

    points: Floats
    cell: float
    shape: tuple[int, ...]

    def normalised(self, density: Floats) -> Floats:
        """Return the probabilities of the cells under a density, summing to 1."""
        return np.asarray(density / density.sum())


def line(low: float, high: float, count: int) -> Grid:
    """Return a grid of `count` points on the interval from low to high."""
    x = np.linspace(low, high, count)
    return Grid(x[:, None], float(x[1] - x[0]), (count,))


def plane(low: float, high: float, count: int) -> Grid:
    """Return a grid of `count` x `count` points on the square from low to high."""
    x = np.linspace(low, high, count)
    across, up = np.meshgrid(x, x)
    return Grid(np.column_stack([across.ravel(), up.ravel()]), float(x[1] - x[0]) ** 2, (count, count))


def mixture(points: Floats, centres: Floats, width: float) -> Floats:
    """Return the density at points (n, d) of an equally weighted mixture of N(c, width^2 I), c in centres (k, d)."""
    squared = ((points[:, None] - centres[None]) ** 2).sum(2)
    constant = (2 * math.pi * width**2) ** (-points.shape[1] / 2)
    return np.asarray(constant * np.exp(-squared / (2 * width**2)).mean(1))


def jsd(p: Floats, q: Floats) -> float:
    """Return the Jensen-Shannon divergence in nats of two vectors of probabilities, 0 <= JSD <= log 2."""
    m = (p + q) / 2
    parts = [float((each[each > 0] * np.log(each[each > 0] / m[each > 0])).sum()) for each in (p, q)]
    return 0.5 * sum(parts)


def best_value(p: Floats, q: Floats) -> float:
    """Return C = max_D V = sum p log D* + q log(1 - D*) with D* = p / (p + q), by this formula, not by the JSD."""
    both = p + q
    positive = [(each[each > 0], both[each > 0]) for each in (p, q)]
    return sum(float((each * np.log(each / total)).sum()) for each, total in positive)


def value(p: Floats, q: Floats, logits: Floats) -> float:
    """Return V(D, G) for D = sigmoid(logits) on the cells, the paper's equation 1."""
    return float(-(p * np.logaddexp(0, -logits)).sum() - (q * np.logaddexp(0, logits)).sum())


def trained_logits(
    grid: Grid, p: Floats, q: Floats, *, width: int = 48, steps: int = 400, seed: int = 0
) -> Floats:
    """Return the logits of an MLP D trained to convergence against fixed p and q: V maximised over its weights.

    The expectations are sums over the grid, so nothing is sampled. The optimiser is L-BFGS, in float64.

    grid: the grid.
    p: probabilities of its cells under p_data.
    q: probabilities of its cells under p_g.
    width: units of each of the two hidden layers.
    steps: the most iterations.
    seed: seed of the first weights.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        d = grid.points.shape[1]
        net = nn.Sequential(
            nn.Linear(d, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        ).double()
    x = torch.from_numpy(grid.points)
    weights = torch.from_numpy(p), torch.from_numpy(q)
    optimiser = torch.optim.LBFGS(
        net.parameters(),
        max_iter=steps,
        history_size=50,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-9,
        tolerance_change=1e-13,
    )

    def minus_value() -> Tensor:
        optimiser.zero_grad()
        logit = net(x)[:, 0]
        loss = (weights[0] * nn.functional.softplus(-logit)).sum()
        loss = loss + (weights[1] * nn.functional.softplus(logit)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(minus_value)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return np.asarray(net(x)[:, 0].numpy())
