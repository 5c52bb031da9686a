"""Strided convolutions and dense layers for small pictures: a player that sees the picture whole, at a small price.

Convolutions of stride 2 find strokes and edges; a dense layer over all places then sees how they stand to each other. On a
processor that is a better bargain than many layers of few channels: a pair of many more weights plays more rounds in the time.
Dense layers grow with the places, so this is for small pictures. The shape is that of DCGAN (Radford et al. 2016, arXiv
1511.06434) with a dense layer more on each side and no batch normalisation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from saddlepoint.networks.mlp import (
    Output,
    activate,
    concat_condition,
    leaky,
    projection_directions,
    projection_logit,
)
from saddlepoint.networks.pca_prior import PCAPriorGenerator

_KERNEL, _LARGEST_BASE = 4, 8
_FIRST = 0.3
_SLOPE_GAIN = math.sqrt(2.0 / (1.0 + 0.2**2))


def halvings(sides: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the sides of every level, finest first: both halved, rounded down but to no less than 1, until none is above 8.

    >>> halvings((28, 28)), halvings((47, 31))
    ([(28, 28), (14, 14), (7, 7)], [(47, 31), (23, 15), (11, 7), (5, 3)])
    """
    levels = [sides]
    while max(levels[-1]) > _LARGEST_BASE:
        height, width = levels[-1]
        levels.append((max(1, height // 2), max(1, width // 2)))
    return levels


def _step(side: int, half: int) -> tuple[int, int, int]:
    """Return kernel, stride and what a transpose adds at the end, between a side and its half."""
    return (1, 1, 0) if side == half else (_KERNEL, 2, side - 2 * half)


def _layer(
    kind: type[nn.Conv2d] | type[nn.ConvTranspose2d],
    channels: tuple[int, int],
    fine: tuple[int, int],
    half: tuple[int, int],
    gain: float = _SLOPE_GAIN,
) -> nn.Module:
    """Return the (transposed) convolution between two levels, its weights normal with deviation gain / sqrt(fan in)."""
    (high, down, more), (wide, across, rest) = (_step(*each) for each in zip(fine, half, strict=True))
    kernel, stride, padding = (high, wide), (down, across), (high // 4, wide // 4)
    places = high * wide
    if kind is nn.Conv2d:
        layer: nn.Module = nn.Conv2d(*channels, kernel, stride, padding)
    else:
        layer = nn.ConvTranspose2d(*channels, kernel, stride, padding, (more, rest))
        places //= down * across  # so many of the kernel's weights meet in one number
    _start(layer, gain / math.sqrt(channels[0] * places))
    return layer


def _dense(before: int, after: int, gain: float = _SLOPE_GAIN) -> nn.Linear:
    layer = nn.Linear(before, after)
    _start(layer, gain / math.sqrt(before))
    return layer


def _start(layer: nn.Module, deviation: float) -> None:
    for name, weight in layer.named_parameters():
        if name == "bias":
            nn.init.zeros_(weight)
        else:
            nn.init.normal_(weight, std=deviation)


def _work(layer: nn.Module, places: int) -> int:
    return places * sum(weight.numel() for weight in layer.parameters() if weight.ndim > 1)


class StridedGenerator(PCAPriorGenerator):
    """Noise (batch, noise_width) [and a condition] -> pictures (batch, channels, height, width).

    Two dense layers lay out the coarsest level, transposed convolutions of stride 2 double it; what they make is added to the
    fixed law of `PCAPriorGenerator`. width is the number of channels of the finest level that is not the picture; each coarser one
    has twice as many.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        shape: Sequence[int],
        width: int = 32,
        hidden: int = 256,
        output: Output = "sigmoid",
        condition_width: int = 0,
        components: int = 0,
    ) -> None:
        super().__init__(
            shape=shape,
            noise_width=noise_width,
            output=output,
            condition_width=condition_width,
            components=components,
        )
        levels = halvings(self.sides)[::-1]
        channels = [width * 2 ** (len(levels) - 2 - i) for i in range(len(levels) - 1)] or [width]
        self._start = (channels[0], *levels[0])
        self.enter = _dense(noise_width + condition_width, hidden)
        nn.init.normal_(self.enter.weight, std=_SLOPE_GAIN / math.sqrt(noise_width + min(1, condition_width)))
        self.lay_out = _dense(hidden, math.prod(self._start))
        self.layers = nn.ModuleList()
        self.multiply_adds = self.enter.weight.numel() + self.lay_out.weight.numel()
        ends = [*channels, self.shape[0]]
        steps = list(pairwise(levels)) or [
            (levels[0], levels[0])
        ]  # a picture so small is one plain layer away
        for index, (half, fine) in enumerate(steps):
            gain = _FIRST if index + 1 == len(steps) else _SLOPE_GAIN
            self.layers.append(_layer(nn.ConvTranspose2d, (ends[index], ends[index + 1]), fine, half, gain))
            self.multiply_adds += _work(self.layers[-1], math.prod(half))

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return pictures (batch, *shape)."""
        h = leaky(self.enter(concat_condition(z, condition, self.condition_width)))
        h = self.lay_out(h).reshape(z.shape[0], *self._start).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            h = layer(leaky(h))
        return activate(h + self.begin(self.drift(z.to(h.dtype), condition), h.dtype), self.output)


class StridedDiscriminator(nn.Module):
    """Pictures (batch, channels, height, width) [and a condition] -> logits (batch, 1).

    Convolutions of stride 2, a dense layer of features f over all places; the logit is w f + b, with a condition y also
    f E y (Miyato and Koyama 2018, arXiv 1802.05637).
    """

    uniforms = 0

    def __init__(
        self, *, shape: Sequence[int], width: int = 16, hidden: int = 256, condition_width: int = 0
    ) -> None:
        super().__init__()
        self.shape, self.condition_width = tuple(shape), condition_width
        levels = halvings((self.shape[1], self.shape[2]))
        self.layers = nn.ModuleList()
        self.multiply_adds, before = 0, self.shape[0]
        for index, (fine, half) in enumerate(pairwise(levels)):
            self.layers.append(_layer(nn.Conv2d, (before, width * 2**index), fine, half))
            self.multiply_adds += _work(self.layers[-1], math.prod(half))
            before = width * 2**index
        self.see = _dense(before * math.prod(levels[-1]), hidden)
        self.leave = _dense(hidden, 1, 1.0)
        self.classes = projection_directions(condition_width, hidden)
        self.multiply_adds += self.see.weight.numel()

    def forward(self, rows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1)."""
        h = rows.reshape(rows.shape[0], *self.shape) * 2.0 - 1.0
        h = h.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            h = leaky(layer(h))
        features = leaky(self.see(h.flatten(1)))
        return projection_logit(self.leave(features), features, condition, self.classes)
