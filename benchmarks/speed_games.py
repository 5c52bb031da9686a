"""The five games of the speed benchmarks, in torch: networks, data, settings. Rivals in torch play the same networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from saddlepoint.networks import (
    MaxoutDiscriminator,
    RectifierGenerator,
    TabularDiscriminator,
    TabularGenerator,
)
from saddlepoint.training import OptimiserSettings, Schedule, Settings

ADULT = [
    *[(60, True)] * 3,
    (8, False),
    (16, False),
    *[(7, False)] * 3,
    (2, False),
    (40, False),
    *[(20, True)] * 3,
]
"""Feature blocks of the size of Adult's: 13 columns, 327 one-hot entries, 6 scores."""
TITLES = {
    "a": "2-D points, two hidden layers of 128, batch 256",
    "b": "the paper's MNIST pair: G 100-1200-1200-784, D maxout 240 x 5 twice with dropout, batch 100, SGD",
    "c": "32 x 32 colour pictures, transposed and strided convolutions, batch 64",
    "d": "(a) with R1 and R2",
    "e": "a table of Adult's size: the feature-block networks (`networks/tabular.py`), batch 500, R1 and R2, average of G",
}
_SGD = OptimiserSettings(name="sgd", rate=Schedule(start=0.05), momentum=Schedule(start=0.5))
_ADAM = OptimiserSettings(rate=Schedule(start=2e-4), betas=(0.5, 0.999))
_FOREVER = 10**6


@dataclass(frozen=True)
class SpeedGame:
    """Two networks, the data, and the settings."""

    generator: nn.Module
    discriminator: nn.Module
    rows: Tensor
    settings: Settings

    def batches(self) -> Iterator[Tensor]:
        """Yield random batches without end."""
        while True:
            yield self.rows.index_select(0, torch.randint(0, len(self.rows), (self.settings.batch,)))


def perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Return an MLP with two hidden layers of rectifiers."""
    layers = [
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, outputs),
    ]
    return nn.Sequential(*layers)


def points(
    width: int = 128, batch: int = 256, dimensions: int = 2, rows: int = 10_000, **changes: object
) -> SpeedGame:
    """Return game (a) or (d) with any sizes."""
    noise = max(2, dimensions)
    values = {"horizon": _FOREVER, "objective": "non-saturating", "batch": batch, "noise_width": noise}
    values |= {"discriminator": _ADAM, "generator": _ADAM}
    return SpeedGame(
        perceptron(noise, width, dimensions),
        perceptron(dimensions, width, 1),
        torch.randn(rows, dimensions),
        Settings(**(values | changes)),
    )


def pictures(side: int = 32, batch: int = 64, width: int = 32, rows: int = 1_000) -> SpeedGame:
    """Return game (c) with pictures of any side that is 8 times a power of two."""
    up: list[nn.Module] = [nn.Linear(100, 4 * width * 16), nn.Unflatten(1, (4 * width, 4, 4)), nn.ReLU()]
    down: list[nn.Module] = []
    channels, at = 4 * width, 4
    while at < side:
        last = 2 * at >= side
        narrower = 3 if last else max(width, channels // 2)
        up += [nn.ConvTranspose2d(channels, narrower, 4, 2, 1), nn.Tanh() if last else nn.ReLU()]
        down = [nn.Conv2d(narrower, channels, 4, 2, 1), nn.LeakyReLU(0.2), *down]
        channels, at = narrower, 2 * at
    down += [nn.Flatten(), nn.Linear(4 * width * 16, 1)]
    settings = Settings(
        horizon=_FOREVER,
        objective="non-saturating",
        batch=batch,
        noise_width=100,
        discriminator=_ADAM,
        generator=_ADAM,
    )
    return SpeedGame(
        nn.Sequential(*up), nn.Sequential(*down), torch.rand(rows, 3, side, side) * 2 - 1, settings
    )


def make(name: str) -> SpeedGame:
    """Return a game by its letter, always with the same initial weights."""
    torch.manual_seed(0)
    if name == "a":
        return points()
    if name == "d":
        return points(penalties=("r1", "r2"))
    if name == "b":
        settings = Settings(
            horizon=_FOREVER,
            objective="non-saturating",
            form="simultaneous",
            batch=100,
            noise_width=100,
            noise_distribution="uniform",
            discriminator=_SGD,
            generator=_SGD,
        )
        shape = [28, 28]
        pair = RectifierGenerator(noise_width=100, shape=shape), MaxoutDiscriminator(shape=shape)
        return SpeedGame(*pair, torch.rand(5_000, *shape), settings)
    if name == "c":
        return pictures()
    entries = sum(size for size, _ in ADULT)
    settings = Settings(
        horizon=_FOREVER,
        objective="relativistic",
        batch=500,
        noise_width=128 + entries,
        penalties=("r1", "r2"),
        average=0.1,
        discriminator=_ADAM,
        generator=_ADAM,
    )
    pair = (
        TabularGenerator(noise_width=128 + entries, feature_blocks=ADULT),
        TabularDiscriminator(feature_blocks=ADULT),
    )
    return SpeedGame(*pair, torch.randn(5_000, entries + sum(scored for _, scored in ADULT)), settings)
