"""Pictures: perceptrons for small ones, convolutions for the others."""

from __future__ import annotations

import dataclasses
import math

from saddlepoint.recipes.plan import Data, Plan, modern_settings
from saddlepoint.training.settings import Schedule, Settings

FEW_PICTURES, AUGMENT = 2000, 0.4
"""Convolutions learn fewer pictures than this by heart before G can make them, so that D sees them changed."""

MOST_DENSE_NUMBERS = 256
"""Pictures of so many numbers or fewer (8 x 8 and 16 x 16 grey) get perceptrons, larger ones convolutions."""

MOST_STRIDED_PLACES = 40 * 40
"""Larger pictures up to so many places get strided convolutions under dense layers, unless they are smooth."""

_FOLDED_SIDE, _MOST_FOLDS = 14, 2
"""Side that other pictures are folded to, to the nearest power of two, so that rounds stay cheap; but not more than twice."""

_SMOOTH = 1.0
"""Pictures whose grey levels turn less sharply (`curvature`) are smooth: folded so that their means alone unfold to smooth ones."""

_COMPONENTS = 48
"""Principal components that G begins with, of 64 numbers of noise."""


def pictures(data: Data, capacity: str) -> Plan:
    """Return the game that pictures of this size and smoothness get.

    Perceptrons see a tiny picture whole, and play many rounds in the time; in a larger one each place would have to learn
    for itself what an edge is: there convolutions share their weights, and a dense layer still sees all that they found. In
    a large one that layer would be most of the game; and smooth pictures need layers that resample smoothly, where strided
    ones leave a pattern in the finest grey levels.
    """
    if data.width <= MOST_DENSE_NUMBERS:
        return perceptrons(data, capacity)
    small = math.prod(data.shape[1:]) <= MOST_STRIDED_PLACES
    return (_strided if small and data.curvature >= _SMOOTH else _residual)(data, capacity)


def perceptrons(data: Data, capacity: str = "medium") -> Plan:
    """Return the game of residual perceptrons, for pictures of any number of numbers."""
    # Wide rows need wide layers; steps matter more than width, so small ones stay narrow.
    width = {"small": 64, "medium": 128, "large": 256}[capacity] * (3 if data.width > 256 else 1)
    noise_width = 64 if data.width >= 32 else max(4, min(16, 2 * data.width))
    # Pictures keep a firm penalty, since D would learn a small training set by heart.
    gamma = Schedule(start=1.0, end=0.3, shape="geometric", finish=0.9)
    both = {
        "shape": list(data.shape),
        "width": width,
        "blocks": 2,
        "condition_width": data.condition_width,
    }
    return Plan(
        recipe="modern",
        # Grey levels end at black and white, and many pixels lie exactly there: linear units never would.
        generator={"name": "residual-generator", "noise_width": noise_width, "output": "sigmoid", **both},
        discriminator={"name": "residual-discriminator", **both},
        settings=modern_settings(rate=2e-3, gamma=gamma, noise_width=noise_width, horizon=5000),
    )


def _strided(data: Data, capacity: str) -> Plan:
    """Small pictures: two or three convolutions and dense layers for each player, and many cheap rounds."""
    times = {"small": 0.5, "medium": 1.0, "large": 2.0}[capacity]
    both = {
        "shape": list(data.shape),
        "hidden": round(256 * times),
        "condition_width": data.condition_width,
    }
    return Plan(
        recipe="modern",
        generator={
            "name": "strided-generator",
            "noise_width": 64,
            "output": "sigmoid",
            "components": _COMPONENTS,
            "width": round(32 * times),
            **both,
        },
        # D's penalties are most of a round: half of G's width plays two of them in the time, which is worth more.
        discriminator={"name": "strided-discriminator", "width": round(16 * times), **both},
        settings=_settings(data, horizon=20_000, batch=32),
    )


def _residual(data: Data, capacity: str) -> Plan:
    """Large or smooth pictures: depth by the sides, width by the number of pictures."""
    fold = min(_MOST_FOLDS, max(0, round(math.log2(math.sqrt(math.prod(data.shape[1:])) / _FOLDED_SIDE))))
    times = {"small": 0.5, "medium": 1.0, "large": 2.0}[capacity]
    if fold < _MOST_FOLDS:
        # D's penalties are most of a round: a D of half G's width plays two of them in the time, which is worth more.
        width, seeing, batch = 64, 32, 32
    else:
        # Many pictures feed a wider pair, few would be learnt by heart; slowly, since rounds count for more than width.
        width = seeing = round(96 * min(1.25, max(1.0, (data.rows / 10_000) ** 0.125)))
        batch = 16
    both = {
        "shape": list(data.shape),
        "blocks": 2 if capacity == "large" else 1,
        "condition_width": data.condition_width,
        "fold": fold,
        "smooth": data.curvature < _SMOOTH,
    }
    return Plan(
        recipe="modern",
        generator={
            "name": "picture-generator",
            "noise_width": 64,
            "output": "sigmoid",
            "components": _COMPONENTS,
            "width": round(times * width),
            **both,
        },
        discriminator={"name": "picture-discriminator", "width": round(times * seeing), **both},
        settings=_settings(data, horizon=8_000, batch=batch),
    )


def _settings(data: Data, *, horizon: int, batch: int) -> Settings:
    """The game of both convolved pairs: penalties by how far apart pictures lie; few pictures in small batches, changed."""
    few = data.rows < FEW_PICTURES
    # D's slope is measured by distances between pictures: twice as far apart, a quarter of the squared slope is as steep.
    firm = 1e-3 * max(data.variance, 1.0)
    settings = modern_settings(
        rate=1e-3,
        gamma=Schedule(start=firm, end=0.3 * firm, shape="geometric", finish=0.9),
        noise_width=64,
        horizon=horizon,
        batch=8 if few else batch,
        augment=AUGMENT if few else 0.0,
    )
    return _slower_generator(settings)


def _slower_generator(settings: Settings) -> Settings:
    """Half of D's rate for G, which otherwise runs ahead of a D that must first learn to see (arXiv 1706.08500)."""
    rate = settings.generator.rate
    slower = dataclasses.replace(rate, start=rate.start / 2, end=None if rate.end is None else rate.end / 2)
    return dataclasses.replace(settings, generator=dataclasses.replace(settings.generator, rate=slower))
