"""Neural networks as classifiers of the two-sample test; they share no code with the generator and discriminator.

Each is trained from scratch on balanced batches (as many real as fake rows), keeps the weights of its best epoch on a
seventh of the fit rows, and becomes a function from rows to logits.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from saddlepoint.compute import one_thread

Encode = Callable[[NDArray[Any]], Tensor]
CHUNK = 2048


def dense(width: int) -> nn.Module:
    """Return a network of two hidden layers of 64 units: (n, width) -> (n, 1)."""
    return nn.Sequential(nn.Linear(width, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))


def convolutional(channels: int, height: int, width: int) -> nn.Module:
    """Return a small convolutional network, (n, channels, height, width) -> (n, 1); about 1e5 weights at 28 x 28."""
    layers: list[nn.Module] = []
    out, deepest = 24, 96
    while True:
        layers += [
            nn.Conv2d(channels, out, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.SiLU(),
        ]
        channels, height, width = out, (height + 1) // 2, (width + 1) // 2
        if max(height, width) <= 4:
            break
        out = min(2 * out, deepest)
    layers += [
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(channels * height * width, 64),
        nn.SiLU(),
        nn.Linear(64, 1),
    ]
    return nn.Sequential(*layers)


@one_thread()
def train(
    build: Callable[[], nn.Module],
    encode: Encode,
    real: NDArray[Any],
    fake: NDArray[Any],
    *,
    seed: int,
    epochs: int,
    batch: int = 128,
    rate: float = 2e-3,
    patience: int = 5,
) -> Callable[[NDArray[Any]], NDArray[np.float64]]:
    """Return the logit function of a network trained to classify real and fake rows, with early stopping.

    In an epoch as many rows of each side are used as the smaller side has (at least one batch). The global random state
    of torch is not changed.

    build: makes the network.
    encode: maps rows to its input.
    real, fake: the fit rows.
    seed: of weights and batches.
    epochs: at most.
    batch: rows of each side per step.
    rate: learning rate of AdamW, with cosine decay.
    patience: epochs without improvement before training stops.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build()
        optimiser = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=1e-3)
        sizes = [max(1, len(rows) // 7) for rows in (real, fake)]
        validation = [encode(rows[:n]) for rows, n in zip((real, fake), sizes)]
        training = [encode(rows[n:]) for rows, n in zip((real, fake), sizes)]
        steps = max(1, min(len(rows) for rows in training) // batch)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * steps)
        best, kept, waited = np.inf, copy.deepcopy(network.state_dict()), 0
        for _ in range(epochs):
            network.train()
            orders = [_order(len(rows), steps * batch) for rows in training]
            for step in range(steps):
                piece = slice(step * batch, (step + 1) * batch)
                pair = [rows[order[piece]] for rows, order in zip(training, orders)]
                logits = network(torch.cat(pair))[:, 0]
                loss = F.softplus(-logits[: len(pair[0])]).mean() + F.softplus(logits[len(pair[0]) :]).mean()
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
            loss_now = float(
                F.softplus(-_logits(network, validation[0])).mean()
                + F.softplus(_logits(network, validation[1])).mean()
            )
            if loss_now < best - 1e-4:
                best, kept, waited = loss_now, copy.deepcopy(network.state_dict()), 0
            else:
                waited += 1
                if waited >= patience:
                    break
    network.load_state_dict(kept)

    @one_thread()
    def logit(rows: NDArray[Any]) -> NDArray[np.float64]:
        pieces = [_logits(network, encode(rows[i : i + CHUNK])) for i in range(0, len(rows), CHUNK)]
        return np.asarray(torch.cat(pieces).numpy(), dtype=np.float64)

    return logit


def _order(n: int, wanted: int) -> Tensor:
    repeats = -(-wanted // n)
    return torch.cat([torch.randperm(n) for _ in range(repeats)])[:wanted]


def _logits(network: nn.Module, rows: Tensor) -> Tensor:
    network.eval()
    with torch.no_grad():
        return torch.cat([network(rows[i : i + CHUNK])[:, 0] for i in range(0, len(rows), CHUNK)])
