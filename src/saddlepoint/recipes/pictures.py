"""The modern recipe for pictures: perceptrons for tiny pictures, convolutions for the others."""

from __future__ import annotations

import dataclasses
import math

from saddlepoint.recipes.plan import Data, Plan, modern_settings
from saddlepoint.training.settings import Schedule, Settings

FEW_PICTURES, AUGMENT = 2000, 0.4
"""With fewer pictures than this, D of a convolutional pair would memorise them before G is good: D sees them augmented."""

MOST_DENSE_NUMBERS = 256
"""Pictures of at most this many numbers (8 x 8 and 16 x 16 grey) get perceptrons, larger ones convolutions."""

MOST_STRIDED_PLACES = 40 * 40
"""Larger pictures of at most this many pixels get strided convolutions with dense layers, unless they are smooth."""

_FOLDED_SIDE, _MOST_FOLDS = 14, 2
"""Other pictures are folded by Haar transforms, at most twice, to a side near this one, so that rounds stay cheap."""

_SMOOTH = 1.0
"""Pictures with a smaller `curvature` are smooth: their folding makes the means alone unfold to a smooth picture."""

_COMPONENTS = 48
"""Principal components of the PCA prior; the noise has 64 numbers."""


def pictures(data: Data, capacity: str) -> Plan:
    """Return the plan for pictures of this size and smoothness.

    For tiny pictures perceptrons see the whole picture and play many rounds in the same time. In larger pictures a
    perceptron would have to learn again at each pixel what an edge is; convolutions share these weights, and a dense layer
    above them still sees the whole picture. In large pictures that dense layer would cost most of the time, so they get a
    residual pyramid. Smooth pictures get it too, because they need smooth resampling: strided convolutions leave a pattern
    in the finest grey levels.
    """
    if data.width <= MOST_DENSE_NUMBERS:
        return perceptrons(data, capacity)
    small = math.prod(data.shape[1:]) <= MOST_STRIDED_PLACES
    return (_strided if small and data.curvature >= _SMOOTH else _residual)(data, capacity)


def perceptrons(data: Data, capacity: str = "medium") -> Plan:
    """Return the plan of residual perceptrons, for pictures of any size."""
    # Wide rows need wide layers. Steps matter more than width, so layers for small pictures stay narrow.
    width = {"small": 64, "medium": 128, "large": 256}[capacity] * (3 if data.width > 256 else 1)
    noise_width = 64 if data.width >= 32 else max(4, min(16, 2 * data.width))
    # For pictures the penalty stays strong, because D would memorise a small training set.
    gamma = Schedule(start=1.0, end=0.3, shape="geometric", finish=0.9)
    both = {
        "shape": list(data.shape),
        "width": width,
        "blocks": 2,
        "condition_width": data.condition_width,
    }
    return Plan(
        recipe="modern",
        # Many pixels are exactly black or white, which linear output units cannot produce.
        generator={"name": "residual-generator", "noise_width": noise_width, "output": "sigmoid", **both},
        discriminator={"name": "residual-discriminator", **both},
        settings=modern_settings(rate=2e-3, gamma=gamma, noise_width=noise_width, horizon=5000),
    )


def _strided(data: Data, capacity: str) -> Plan:
    """Return the plan for small pictures: two or three strided convolutions and dense layers per network, many rounds."""
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
        # D's penalties take most of a round. With half of G's width D plays two rounds in the time of one, which is better.
        discriminator={"name": "strided-discriminator", "width": round(16 * times), **both},
        settings=_settings(data, horizon=20_000, batch=32),
    )


def _residual(data: Data, capacity: str) -> Plan:
    """Return the plan for large or smooth pictures: depth from their sides, width from their number."""
    fold = min(_MOST_FOLDS, max(0, round(math.log2(math.sqrt(math.prod(data.shape[1:])) / _FOLDED_SIDE))))
    times = {"small": 0.5, "medium": 1.0, "large": 2.0}[capacity]
    if fold < _MOST_FOLDS:
        # D's penalties take most of a round. With half of G's width D plays two rounds in the time of one, which is better.
        width, discriminator_width, batch = 64, 32, 32
    else:
        # Many pictures allow wider networks; few would be overfitted. Width grows slowly, because rounds matter more.
        width = discriminator_width = round(96 * min(1.25, max(1.0, (data.rows / 10_000) ** 0.125)))
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
        discriminator={"name": "picture-discriminator", "width": round(times * discriminator_width), **both},
        settings=_settings(data, horizon=8_000, batch=batch),
    )


def _settings(data: Data, *, horizon: int, batch: int) -> Settings:
    """Return the settings of both convolutional pairs: penalties by the variance of pictures, augmentation for few."""
    few = data.rows < FEW_PICTURES
    # D's gradient is relative to distances between pictures: at twice the distance, a quarter of the squared gradient norm
    # is equally steep.
    strong = 1e-3 * max(data.variance, 1.0)
    settings = modern_settings(
        rate=1e-3,
        gamma=Schedule(start=strong, end=0.3 * strong, shape="geometric", finish=0.9),
        noise_width=64,
        horizon=horizon,
        batch=8 if few else batch,
        augment=AUGMENT if few else 0.0,
    )
    return _slower_generator(settings)


def _slower_generator(settings: Settings) -> Settings:
    """Return settings with half of D's learning rate for G, because D needs time to learn features (arXiv 1706.08500)."""
    rate = settings.generator.rate
    slower = dataclasses.replace(rate, start=rate.start / 2, end=None if rate.end is None else rate.end / 2)
    return dataclasses.replace(settings, generator=dataclasses.replace(settings.generator, rate=slower))
