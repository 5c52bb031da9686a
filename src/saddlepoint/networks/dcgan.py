"""DCGAN for small pictures (Radford et al. 2016, arXiv 1511.06434), with one more dense layer in each network and no batch
normalisation.

Convolutions of stride 2 detect strokes and edges; a dense layer over all positions then sees how they are arranged. On a CPU
this is cheaper than many layers with few channels: a pair with many more weights plays more rounds in the same time. Dense
layers grow with the number of pixels, so this pair is for small pictures.
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
    """Return the sides of every level, finest first.

    Both are halved, rounded down but at least 1, until none is larger than 8.

    >>> halvings((28, 28)), halvings((47, 31))
    ([(28, 28), (14, 14), (7, 7)], [(47, 31), (23, 15), (11, 7), (5, 3)])
    """
    levels = [sides]
    while max(levels[-1]) > _LARGEST_BASE:
        height, width = levels[-1]
        levels.append((max(1, height // 2), max(1, width // 2)))
    return levels


def _step(side: int, half: int) -> tuple[int, int, int]:
    """Return kernel, stride and output padding of the (transposed) convolution between a side and its half."""
    return (1, 1, 0) if side == half else (_KERNEL, 2, side - 2 * half)


def _layer(
    kind: type[nn.Conv2d] | type[nn.ConvTranspose2d],
    channels: tuple[int, int],
    fine: tuple[int, int],
    half: tuple[int, int],
    gain: float = _SLOPE_GAIN,
) -> nn.Module:
    """Return the (transposed) convolution between two levels, its weights normal with standard deviation gain / sqrt(fan in).

    kind: Conv2d from fine to half, or ConvTranspose2d from half to fine.
    channels: in and out.
    fine, half: the sides of the two levels.
    """
    rows, columns = (_step(*each) for each in zip(fine, half, strict=True))
    kernel, stride, output_padding = zip(rows, columns, strict=True)
    padding = (kernel[0] // 4, kernel[1] // 4)
    taps = math.prod(kernel)
    if kind is nn.Conv2d:
        layer: nn.Module = nn.Conv2d(*channels, kernel, stride, padding)
    else:
        layer = nn.ConvTranspose2d(*channels, kernel, stride, padding, output_padding)
        taps //= math.prod(stride)  # weights of the kernel that contribute to one output
    _initialise(layer, gain / math.sqrt(channels[0] * taps))
    return layer


def _dense(inputs: int, outputs: int, gain: float = _SLOPE_GAIN) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    _initialise(layer, gain / math.sqrt(inputs))
    return layer


def _initialise(layer: nn.Module, deviation: float) -> None:
    """Set biases to zero and draw weights from a normal distribution with this standard deviation."""
    for name, weight in layer.named_parameters():
        if name == "bias":
            nn.init.zeros_(weight)
        else:
            nn.init.normal_(weight, std=deviation)


class StridedGenerator(PCAPriorGenerator):
    """DCGAN's generator (Radford et al. 2016): noise z (batch, noise_width) -> pictures (batch, channels, height, width).

    Two dense layers make the coarsest level, transposed convolutions of stride 2 double it up to the picture. The result is
    added to the fixed Gaussian of `PCAPriorGenerator`, before the output units. Noise: z ~ N(0, 1); its first `components`
    numbers also draw from that Gaussian. A condition (batch, condition_width) is appended to z.

    width: channels of the finest level before the picture; each coarser level has twice as many.
    hidden: units between the two dense layers.
    output: "sigmoid" or "linear" output units.
    components: principal components of the fixed Gaussian; 0 for the mean picture alone.
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
        ends = [*channels, self.shape[0]]
        steps = list(pairwise(levels)) or [
            (levels[0], levels[0])
        ]  # a picture of one level gets one layer that keeps the size
        for index, (half, fine) in enumerate(steps):
            gain = _FIRST if index + 1 == len(steps) else _SLOPE_GAIN
            self.layers.append(_layer(nn.ConvTranspose2d, (ends[index], ends[index + 1]), fine, half, gain))

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return pictures (batch, *shape)."""
        h = leaky(self.enter(concat_condition(z, condition, self.condition_width)))
        h = self.lay_out(h).reshape(z.shape[0], *self._start).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            h = layer(leaky(h))
        return activate(h + self.prior(self.draw_components(z.to(h.dtype), condition), h.dtype), self.output)


class StridedDiscriminator(nn.Module):
    """DCGAN's discriminator (Radford et al. 2016): pictures (batch, channels, height, width) -> logits (batch, 1).

    Convolutions of stride 2, then a dense layer of features f over all positions. The logit is w f + b; with a condition y
    (batch, condition_width) a projection f E y is added (Miyato and Koyama 2018, arXiv 1802.05637). No noise, no dropout.

    width: channels of the first convolution; each further one has twice as many.
    hidden: number of features.
    """

    uniforms = 0

    def __init__(
        self, *, shape: Sequence[int], width: int = 16, hidden: int = 256, condition_width: int = 0
    ) -> None:
        super().__init__()
        self.shape, self.condition_width = tuple(shape), condition_width
        levels = halvings((self.shape[1], self.shape[2]))
        self.layers = nn.ModuleList()
        before = self.shape[0]
        for index, (fine, half) in enumerate(pairwise(levels)):
            self.layers.append(_layer(nn.Conv2d, (before, width * 2**index), fine, half))
            before = width * 2**index
        self.see = _dense(before * math.prod(levels[-1]), hidden)
        self.leave = _dense(hidden, 1, 1.0)
        self.classes = projection_directions(condition_width, hidden)

    def forward(self, rows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1)."""
        h = rows.reshape(rows.shape[0], *self.shape) * 2.0 - 1.0
        h = h.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            h = leaky(layer(h))
        features = leaky(self.see(h.flatten(1)))
        return projection_logit(self.leave(features), features, condition, self.classes)
