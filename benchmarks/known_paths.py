"""Generators of known law at every round: a ring of 8 modes whose width, weights and missing modes are chosen.

The checks that a real fit makes are run on them as they are (`Checks.check`); only the game is not played. So the state at
every check, and the true distance of every snapshot, are known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from saddlepoint.data.sources import open_source
from saddlepoint.fitting.check_plan import CheckPlan
from saddlepoint.fitting.checks import Checks

MODES, RADIUS, SD = 8, 2.0, 0.05
CHECKS = 24
EVERY = 100


@dataclass(frozen=True)
class Law:
    """A ring: the width of its modes and the weight of each."""

    sd: float
    weights: tuple[float, ...] = (1 / MODES,) * MODES
    sds: tuple[float, ...] | None = None

    def widths(self) -> np.ndarray:
        return np.full(len(self.weights), self.sd) if self.sds is None else np.array(self.sds)

    def centres(self) -> np.ndarray:
        angle = np.arange(len(self.weights)) * 2 * np.pi / len(self.weights)
        return RADIUS * np.column_stack([np.cos(angle), np.sin(angle)])

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        mode = rng.choice(len(self.weights), n, p=self.weights)
        return self.centres()[mode] + self.widths()[mode, None] * rng.normal(size=(n, 2))

    def log_density(self, x: np.ndarray) -> np.ndarray:
        squares = ((x[:, None] - self.centres()[None]) ** 2).sum(2)
        widths = self.widths()
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights) - 2 * np.log(widths) - squares / (2 * widths**2)
        return np.logaddexp.reduce(logs, axis=1) - np.log(2 * np.pi)


DATA = Law(SD)


def jsd(one: Law, other: Law, *, n: int = 200_000, seed: int = 0) -> float:
    """JSD in nats by Monte Carlo on 2n points of the known densities (standard error below 1e-3 sqrt(JSD))."""
    rng = np.random.default_rng(seed)
    total = 0.0
    for law in (one, other):
        x = law.draw(n, rng)
        p, q = one.log_density(x), other.log_density(x)
        total += float((law.log_density(x) - np.logaddexp(p, q) + np.log(2)).mean())
    return max(0.0, total / 2)


class KnownModel:
    """What `Checks` asks of a model: rows drawn from a known law, the same noise each time."""

    def __init__(self, law: Law) -> None:
        self.law = law

    def draw(self, n: int, *, random_state: int) -> tuple[np.ndarray, None]:
        return self.law.draw(n, np.random.default_rng(random_state)), None


def checks_on(
    rows: np.ndarray, *, until: str = "settled", tolerance: float = 0.017649, ruler: tuple = (), seed: int = 0
) -> Checks:
    """The checks of a fit to these rows: 80 % train, 10 % monitor."""
    dataset = open_source(rows, name="X")
    cut = int(0.8 * len(rows))
    plan = CheckPlan(
        until=until,
        tolerance=tolerance,
        on_collapse="stop",
        horizon=CHECKS * EVERY,
        count=CHECKS,
        final="quick",
        seconds_a_check=0.0,
        foreseen_seconds=0.0,
        ruler=ruler,
    )
    train, monitor = dataset.take(np.arange(cut)), dataset.take(np.arange(cut, cut + len(rows) // 10))
    return Checks(plan, train, monitor, seed=seed)


class Snapshot(nn.Module):
    """Stands for the weights of G."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.register_buffer("number", torch.tensor(float(number)))
