"""Residual convolutional networks for pictures of any width, height and number of channels, without normalisation.

Resolutions: a side of more than 7 is halved (rounded up) until none is left, so 92 x 112 goes by 46 x 56, 23 x 28 and
12 x 14 to 6 x 7. The resolution changes by one fixed low-pass filter, (1 3 3 1)/8 along each side, and back by its transpose,
bilinear interpolation, because strides without a filter alias (Zhang 2019, arXiv 1904.11486; Karras et al. 2021, arXiv
2106.12423). At each resolution there are residual blocks, 1 x 1, grouped 3 x 3, 1 x 1, after R3GAN (Huang et al. 2024, arXiv
2501.05441). Widths depend on the number of pixels, so that each resolution costs about the same; above 64 x 64 pixels, where
memory bandwidth is the limit, one 3 x 3 convolution replaces the blocks. With `recompute`, a level keeps only its input for the
backward pass and is computed again there (activation checkpointing: Chen et al. 2016, arXiv 1604.06174).

Large pictures are first transformed by a Haar wavelet transform: a quarter of the positions, four times the channels, nothing
lost. The pixels a b / c d of a square become their mean (a + b + c + d) / 4 and three halved differences, between rows
(a + b - c - d) / 2, columns (a - b + c - d) / 2 and diagonals (a - b - c + d) / 2. Layers on the coefficients cost a
quarter for each transform (Gal et al. 2021, arXiv 2102.06108, train whole GANs on them). Differences are small beside means,
so G outputs each coefficient in units of its own standard deviation.

In smooth pictures the differences can be predicted from neighbouring means: the mean above minus the mean below, a quarter, and
so on, which is exact where grey levels rise linearly. With `smooth`, only the prediction's error is stored (S + P transform:
Said and Pearlman 1996, doi 10.1109/83.517095): means alone then give a smooth picture rather than squares of 2 x 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from saddlepoint.networks.mlp import (
    Output,
    activate,
    concat_condition,
    leaky,
    projection_directions,
    projection_logit,
)
from saddlepoint.networks.pca_prior import LARGEST_BASE, PCAPriorGenerator, halved, resize


class HaarTransform(nn.Module):
    """The Haar transform of pictures (batch, *shape), applied `times` times; an odd side is padded by its last line."""

    def __init__(self, shape: Sequence[int], times: int, *, smooth: bool = False) -> None:
        super().__init__()
        self.smooth = smooth
        channels, height, width = shape
        self.times, self.sides = times, (height, width)
        size = 2**times
        self.shape = (channels * 4**times, -(-height // size), -(-width // size))
        self._border = [0, self.shape[2] * size - width, 0, self.shape[1] * size - height]

    def forward(self, pictures: Tensor) -> Tensor:
        """Return coefficients (batch, *self.shape): the last means first, then differences."""
        h = functional.pad(pictures, self._border, mode="replicate") if any(self._border) else pictures
        for _ in range(self.times):
            a, b, c, d = (h[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
            up, down = a + b, c + d
            left, right = a - b, c - d
            mean, details = (up + down) / 4, [(up - down) / 2, (left + right) / 2, (left - right) / 2]
            if self.smooth:
                details = [
                    each - predicted for each, predicted in zip(details, _predicted(mean), strict=True)
                ]
            h = torch.cat([mean, *details], 1)
        return h

    def inverse(self, coefficients: Tensor) -> Tensor:
        """Return pictures (batch, *shape): the inverse transform."""
        h = coefficients
        for _ in range(self.times):
            mean, rows, columns, diagonal = h.chunk(4, 1)
            if self.smooth:
                more = _predicted(mean)
                rows, columns, diagonal = rows + more[0], columns + more[1], diagonal + more[2]
            up, down = mean + rows / 2, mean - rows / 2
            left, right = (columns + diagonal) / 2, (columns - diagonal) / 2
            # (batch, channels, 4, height, width), the four in reading order, as pixel_shuffle wants them.
            h = torch.stack([up + left, up - left, down + right, down - right], 2).flatten(1, 2)
            h = functional.pixel_shuffle(h, 2)
        return h[..., : self.sides[0], : self.sides[1]]


def _predicted(mean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the halved differences between rows, columns and diagonals predicted from means (batch, channels, h, w)."""
    h = functional.pad(mean, (1, 1, 1, 1), mode="replicate")
    rise = h[..., :-2, :] - h[..., 2:, :]
    across = h[..., 1:-1, :-2] - h[..., 1:-1, 2:]
    return rise[..., 1:-1] / 4, across / 4, (rise[..., :-2] - rise[..., 2:]) / 32


GROUP = 16
"""Channels of a convolution's group: narrower groups take the same time on a CPU with vectors of 512 bits."""
_MOST_PIXELS_FOR_BLOCKS = 64 * 64
_BLOCK_GAIN = {"generator": 0.5, "discriminator": 1.0}
"""Gain of the last layers of a level's blocks together. If D's blocks started near zero, D would be linear at first and not see
detail, because only the blocks see what the filters between levels remove."""
_FIRST = 0.3
_LEAST_SPREAD = 0.03
_SLOPE_GAIN = math.sqrt(2.0 / (1.0 + 0.2**2))


@dataclass(frozen=True)
class PyramidLevel:
    """One resolution: height and width, channels, and number of residual blocks (0: one convolution)."""

    sides: tuple[int, int]
    channels: int
    blocks: int


def pyramid(shape: Sequence[int], width: int, blocks: int) -> tuple[PyramidLevel, ...]:
    """Return the resolutions of pictures (channels, height, width), finest first.

    width is the number of channels at 16 x 16 pixels and below; finer resolutions get 16 width / sqrt(pixels), rounded to
    groups of 16.

    >>> [level.sides for level in pyramid((1, 112, 92), 96, 1)]
    [(112, 92), (56, 46), (28, 23), (14, 12), (7, 6)]
    """
    sides = [(int(shape[1]), int(shape[2]))]
    while max(sides[-1]) > LARGEST_BASE:
        sides.append(halved(sides[-1]))
    levels = []
    for height, across in sides:
        pixels = height * across
        channels = width * min(1.0, 16 / math.sqrt(pixels))
        groups = max(1, round(channels / GROUP))
        levels.append(
            PyramidLevel((height, across), GROUP * groups, blocks if pixels <= _MOST_PIXELS_FOR_BLOCKS else 0)
        )
    return tuple(levels)


class Downsample(nn.Module):
    """Downsampling by 2: the filter (1 3 3 1)/8 along each halved side, with a replicated border; an odd side is padded by one.

    The mean is kept, and a shift by two pixels of the input is a shift by one of the output. It is computed as the transpose
    of `Upsample`, normalised, which takes a third of the time of a convolution.
    """

    def __init__(self, fine: tuple[int, int], coarse: tuple[int, int]) -> None:
        super().__init__()
        self.coarse = coarse
        self.factors = [2.0 if one != other else 1.0 for one, other in zip(coarse, fine, strict=True)]
        self._even = [round(side * factor) for side, factor in zip(coarse, self.factors, strict=True)]
        # In torch's order: left, right, top, bottom.
        self._border = [0, self._even[1] - fine[1], 0, self._even[0] - fine[0]]

    def forward(self, h: Tensor) -> Tensor:
        """Return (batch, channels, *coarse) for (batch, channels, *fine)."""
        if any(self._border):
            h = functional.pad(h, self._border, mode="replicate")
        size = [*h.shape[:2], *self.coarse]
        summed: Tensor = torch.ops.aten.upsample_bilinear2d_backward(
            h, self._even, size, False, *self.factors
        )
        return summed / math.prod(self.factors)


class Upsample(nn.Module):
    """Upsampling by 2: bilinear interpolation, the transpose of `Downsample` times 4; an odd side drops its last line."""

    def __init__(self, coarse: tuple[int, int], fine: tuple[int, int]) -> None:
        super().__init__()
        self.fine = fine
        self.factors = [2.0 if one != other else 1.0 for one, other in zip(coarse, fine, strict=True)]

    def forward(self, h: Tensor) -> Tensor:
        """Return (batch, channels, *fine) for (batch, channels, *coarse)."""
        h = functional.interpolate(h, scale_factor=self.factors, mode="bilinear", align_corners=False)
        return h[:, :, : self.fine[0], : self.fine[1]]


class ConvolutionBlock(nn.Module):
    """x + W_3 leaky(W_2 leaky(W_1 x)): 1 x 1, 3 x 3 in groups of 16 channels, 1 x 1 of the gain given."""

    def __init__(self, channels: int, gain: float = 1.0) -> None:
        super().__init__()
        self.first = convolution(channels, channels, 1)
        self.second = convolution(channels, channels, 3, groups=channels // GROUP)
        self.third = convolution(channels, channels, 1, gain=gain)

    def forward(self, h: Tensor) -> Tensor:
        """Return the block's output, the shape of its input (batch, channels, height, width)."""
        out: Tensor = h + self.third(leaky(self.second(leaky(self.first(h)))))
        return out


def convolution(
    before: int, after: int, side: int, *, groups: int = 1, gain: float = _SLOPE_GAIN
) -> nn.Conv2d:
    """Return a convolution that keeps the size, its weights normal with standard deviation gain / sqrt(fan in)."""
    layer = nn.Conv2d(before, after, side, padding=side // 2, groups=groups)
    nn.init.normal_(layer.weight, std=gain / math.sqrt(before // groups * side**2))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def _channel_change(before: int, after: int) -> nn.Module:
    """Return the linear 1 x 1 convolution between two numbers of channels, or the identity if they are the same."""
    return nn.Identity() if before == after else convolution(before, after, 1, gain=1.0)


def _blocks(level: PyramidLevel, gain: float) -> list[nn.Module]:
    return [ConvolutionBlock(level.channels, gain) for _ in range(level.blocks)]


def _one_convolution(before: int, level: PyramidLevel) -> nn.Module:
    """Return the one convolution of a level without blocks, with its leaky rectifier."""
    return nn.Sequential(convolution(before, level.channels, 3), nn.LeakyReLU(0.2))


def _run(level: nn.Module, h: Tensor, *, recompute: bool) -> Tensor:
    """Run a level; with recompute its activations are computed again in the backward pass, also for double backward."""
    if not (recompute and torch.is_grad_enabled()):
        out: Tensor = level(h)
        return out
    again: Tensor = checkpoint(level, h, use_reentrant=False, preserve_rng_state=False)
    return again


class PictureGenerator(PCAPriorGenerator):
    """Noise (batch, noise_width) [and a condition] -> pictures (batch, channels, height, width), from coarse to fine.

    The layers' output is added to the prior of `PCAPriorGenerator`; the last level also sees the drawn prior.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        shape: Sequence[int],
        width: int = 128,
        blocks: int = 1,
        output: Output = "sigmoid",
        condition_width: int = 0,
        fold: int = 0,
        components: int = 0,
        smooth: bool = False,
        recompute: bool = False,
    ) -> None:
        super().__init__(
            shape=shape,
            noise_width=noise_width,
            output=output,
            condition_width=condition_width,
            components=components,
        )
        self.recompute = recompute
        self.folding = HaarTransform(shape, fold, smooth=smooth)
        gain = _BLOCK_GAIN["generator"] / max(1, blocks)
        coarse, *finer = pyramid(self.folding.shape, width, blocks)[::-1]
        self._start = (coarse.channels, *coarse.sides)
        self.enter = nn.Linear(noise_width + condition_width, math.prod(self._start))
        nn.init.normal_(self.enter.weight, std=1.0 / math.sqrt(noise_width + min(1, condition_width)))
        nn.init.zeros_(self.enter.bias)
        self.levels = nn.ModuleList([nn.Sequential(*_blocks(coarse, gain))])
        for level in finer:
            # A 1 x 1 convolution commutes with interpolation; before it, it costs a quarter.
            change = _channel_change(coarse.channels, level.channels)
            layers = nn.Sequential(*(_blocks(level, gain) or [_one_convolution(level.channels, level)]))
            self.levels.append(nn.Sequential(change, Upsample(coarse.sides, level.sides), layers))
            coarse = level
        self._finest, self._rectified = coarse.sides, coarse.blocks == 0
        self.leave = convolution(coarse.channels, self.folding.shape[0], 3, gain=_FIRST)
        self.tell: nn.Module | None = None
        if components and finer:
            self.tell = convolution(self.shape[0], coarse.channels, 3)
        if fold:
            self.register_buffer("scales", torch.ones(self.folding.shape[0], 1, 1))

    @torch.no_grad()
    def init_from_data(self, rows: Tensor, codes: Tensor | None = None) -> None:
        """Set components and the scales of Haar coefficients from encoded pictures (n, *shape), after `init_output_bias`."""
        super().init_from_data(rows, codes)
        if self.folding.times:
            self.get_buffer("scales").copy_(_deviations(self.folding(self.residual(rows))))

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return pictures (batch, *shape)."""
        h = self.enter(concat_condition(z, condition, self.condition_width)).reshape(z.shape[0], *self._start)
        h = h.contiguous(memory_format=torch.channels_last)
        last, drawn = len(self.levels) - 1, self.draw_components(z.to(h.dtype), condition)
        for index, level in enumerate(self.levels):
            if index == last and self.tell is not None and drawn is not None:
                change, upsample, layers = level.children()
                h = upsample(change(h)) + self.tell(resize(drawn, self._finest))
                level = layers
            h = _run(level, h, recompute=self.recompute)
        h = self.leave(h if self._rectified else leaky(h))
        if self.folding.times:
            h = self.folding.inverse(h * self.get_buffer("scales").to(h.dtype))
        return activate(h + self.prior(drawn, h.dtype), self.output)


def _deviations(coefficients: Tensor) -> Tensor:
    """Return each channel's standard deviation, (channels, 1, 1), at least 3 % of the largest."""
    found = coefficients.double().std((0, 2, 3), correction=0)
    return found.clamp_min(_LEAST_SPREAD * float(found.max()) or 1.0)[:, None, None]


class PictureDiscriminator(nn.Module):
    """Pictures (batch, channels, height, width) [and a condition] -> logits (batch, 1), from fine to coarse.

    Features f are the last feature map, weighted by one filter of its size for each channel; the logit is w f + b, plus a
    projection f E y with a condition y (Miyato and Koyama 2018, arXiv 1802.05637).
    """

    uniforms = 0

    def __init__(
        self,
        *,
        shape: Sequence[int],
        width: int = 128,
        blocks: int = 1,
        condition_width: int = 0,
        fold: int = 0,
        smooth: bool = False,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.recompute = recompute
        self.shape, self.condition_width = tuple(shape), condition_width
        self.folding = HaarTransform(shape, fold, smooth=smooth)
        gain = _BLOCK_GAIN["discriminator"] / max(1, blocks)
        levels = pyramid(self.folding.shape, width, blocks)
        self.levels = nn.ModuleList()
        before = self.folding.shape[0]
        for index, level in enumerate(levels):
            if level.blocks == 0:
                layers = [_one_convolution(before, level)]
            elif index == 0:
                layers = [convolution(before, level.channels, 3, gain=1.0), *_blocks(level, gain)]
            else:
                layers = [_channel_change(before, level.channels), *_blocks(level, gain)]
            if index + 1 < len(levels):
                layers.append(Downsample(level.sides, levels[index + 1].sides))
            self.levels.append(nn.Sequential(*layers))
            before = level.channels
        pixels = math.prod(levels[-1].sides)
        self.filters = nn.Parameter(torch.randn(before, *levels[-1].sides) / math.sqrt(pixels))
        self.leave = nn.Linear(before, 1)
        nn.init.normal_(self.leave.weight, std=1.0 / math.sqrt(before))
        nn.init.zeros_(self.leave.bias)
        self.classes = projection_directions(condition_width, before)

    def forward(self, rows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1)."""
        h = self.folding(rows.reshape(len(rows), *self.shape) * 2.0 - 1.0)
        h = h.contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            h = _run(level, h, recompute=self.recompute)
        features = (leaky(h) * self.filters).sum((2, 3))
        return projection_logit(self.leave(features), features, condition, self.classes)
