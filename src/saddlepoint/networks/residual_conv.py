"""Residual convolutional networks for pictures of any width, height and number of channels; no normalisation.

A pyramid of sizes: a side of more than 7 is halved (rounded up) until none is left, so 92 x 112 goes by 46 x 56, 23 x 28
and 12 x 14 to 6 x 7. Sizes change by one fixed low-pass filter, (1 3 3 1)/8 along each side, and back by its transpose,
bilinear interpolation: strides and zeros in between would alias (Zhang 2019, arXiv 1904.11486; Karras et al. 2021, arXiv
2106.12423). Between changes stand residual blocks without normalisation, 1 x 1, grouped 3 x 3, 1 x 1, after Huang et al.
2024 (arXiv 2501.05441). Widths follow the number of places, so that each level costs about the same; above 64 x 64 places,
where moving memory is what costs, one plain 3 x 3 convolution stands in place of the blocks. Large pictures may be folded
first (`folding.py`), so that no layer works at their full number of places. With `recompute` a level keeps its input alone for
the backward pass and runs again there (Chen et al. 2016, arXiv 1604.06174).

Pictures folded by Haar's transform: a quarter of the places, four times the channels, nothing lost.

Each 2 x 2 places a b / c d become their mean m = (a + b + c + d) / 4 and three halved differences, between the rows
(a + b - c - d) / 2, the columns (a - b + c - d) / 2 and the diagonals (a - b - c + d) / 2. Layers that work on folded pictures
cost a quarter for each fold (Gal et al. 2021, arXiv 2102.06108, play whole games on such coefficients). Details are small
beside means, so G makes each coefficient in units of its own standard deviation.

Of smooth pictures the differences follow from the means beside: by the mean above less the mean below, a quarter, and so on,
which is exact where grey levels rise evenly. With `smooth` the differences are kept less these (the S + P transform of Said and
Pearlman 1996, doi 10.1109/83.517095): means alone then unfold to a smooth picture, not to squares of 2 x 2.
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
from saddlepoint.networks.pca_prior import LARGEST_BASE, PCAPriorGenerator, halved, stretched


class HaarTransform(nn.Module):
    """Fold pictures (batch, *shape) so many times, and unfold them; a side that does not halve gets its last line again."""

    def __init__(self, shape: Sequence[int], times: int, *, smooth: bool = False) -> None:
        super().__init__()
        self.smooth = smooth
        channels, height, width = shape
        self.times, self.sides = times, (height, width)
        size = 2**times
        self.shape = (channels * 4**times, -(-height // size), -(-width // size))
        self._border = [0, self.shape[2] * size - width, 0, self.shape[1] * size - height]

    def forward(self, pictures: Tensor) -> Tensor:
        """Return coefficients (batch, *self.shape): means of the last fold first, then details."""
        h = functional.pad(pictures, self._border, mode="replicate") if any(self._border) else pictures
        for _ in range(self.times):
            a, b, c, d = (h[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
            up, down = a + b, c + d
            left, right = a - b, c - d
            mean, details = (up + down) / 4, [(up - down) / 2, (left + right) / 2, (left - right) / 2]
            if self.smooth:
                details = [each - expected for each, expected in zip(details, _expected(mean), strict=True)]
            h = torch.cat([mean, *details], 1)
        return h

    def inverse(self, coefficients: Tensor) -> Tensor:
        """Return pictures (batch, *shape): the inverse of folding."""
        h = coefficients
        for _ in range(self.times):
            mean, rows, columns, diagonal = h.chunk(4, 1)
            if self.smooth:
                more = _expected(mean)
                rows, columns, diagonal = rows + more[0], columns + more[1], diagonal + more[2]
            up, down = mean + rows / 2, mean - rows / 2
            left, right = (columns + diagonal) / 2, (columns - diagonal) / 2
            # (batch, channels, 4, height, width), the four in reading order, as pixel_shuffle wants them.
            h = torch.stack([up + left, up - left, down + right, down - right], 2).flatten(1, 2)
            h = functional.pixel_shuffle(h, 2)
        return h[..., : self.sides[0], : self.sides[1]]


def _expected(mean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the halved differences between rows, columns and diagonals that means (batch, channels, h, w) let expect."""
    h = functional.pad(mean, (1, 1, 1, 1), mode="replicate")
    rise = h[..., :-2, :] - h[..., 2:, :]
    across = h[..., 1:-1, :-2] - h[..., 1:-1, 2:]
    return rise[..., 1:-1] / 4, across / 4, (rise[..., :-2] - rise[..., 2:]) / 32


GROUP = 16
"""Channels of a group: narrower ones take the same time on a CPU with vectors of 512 bits, and see less."""
_MOST_PLACES_FOR_BLOCKS = 64 * 64
_OF_A_BLOCK = {"generator": 0.5, "discriminator": 1.0}
"""Gain of the last layer of a level's blocks together. A D whose blocks start at next to nothing is linear at first, and sees
no detail: what the filters between levels leave out is seen by its blocks alone."""
_FIRST = 0.3
_LEAST_SPREAD = 0.03
_SLOPE_GAIN = math.sqrt(2.0 / (1.0 + 0.2**2))


@dataclass(frozen=True)
class PyramidLevel:
    """One size of the pyramid: height and width, channels, and how many blocks (0: one plain convolution)."""

    sides: tuple[int, int]
    channels: int
    blocks: int


def pyramid(shape: Sequence[int], width: int, blocks: int) -> tuple[PyramidLevel, ...]:
    """Return the levels of pictures (channels, height, width), finest first.

    width is the number of channels of a level of 16 x 16 places, and of coarser ones; finer ones get
    16 width / sqrt(places); always whole groups of 16.

    >>> [level.sides for level in pyramid((1, 112, 92), 96, 1)]
    [(112, 92), (56, 46), (28, 23), (14, 12), (7, 6)]
    """
    sides = [(int(shape[1]), int(shape[2]))]
    while max(sides[-1]) > LARGEST_BASE:
        sides.append(halved(sides[-1]))
    levels = []
    for height, across in sides:
        places = height * across
        channels = width * min(1.0, 16 / math.sqrt(places))
        groups = max(1, round(channels / GROUP))
        levels.append(
            PyramidLevel((height, across), GROUP * groups, blocks if places <= _MOST_PLACES_FOR_BLOCKS else 0)
        )
    return tuple(levels)


class Shrink(nn.Module):
    """Half the size: (1 3 3 1)/8 along each side that is halved, its border repeated; an odd side counts as one longer.

    Sums over an even side are exactly halved, so the mean stays; a shift by two places in is a shift by one out. It is
    computed as the transpose of `Grow`, divided by what that multiplies sums by: a third of the time of a convolution.
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


class Grow(nn.Module):
    """Twice the size: bilinear interpolation, which is `Shrink` turned round and doubled; an odd side loses its last line."""

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


def _narrowed(before: int, after: int) -> nn.Module:
    """Return the linear 1 x 1 layer between two numbers of channels, or nothing where they are the same."""
    return nn.Identity() if before == after else convolution(before, after, 1, gain=1.0)


def _blocks(level: PyramidLevel, gain: float) -> list[nn.Module]:
    return [ConvolutionBlock(level.channels, gain) for _ in range(level.blocks)]


def _plain(before: int, level: PyramidLevel) -> nn.Module:
    """Return the one layer of a level without blocks, with its leaky rectifier."""
    return nn.Sequential(convolution(before, level.channels, 3), nn.LeakyReLU(0.2))


def _run(level: nn.Module, h: Tensor, *, recompute: bool) -> Tensor:
    """Run a level; with recompute what is inside is made again when it is needed to go back, also twice."""
    if not (recompute and torch.is_grad_enabled()):
        out: Tensor = level(h)
        return out
    again: Tensor = checkpoint(level, h, use_reentrant=False, preserve_rng_state=False)
    return again


def _work(module: nn.Module, places: int) -> int:
    """Multiply-adds of one picture in layers that all work at so many places."""
    return places * sum(weight.numel() for weight in module.parameters() if weight.ndim > 1)


class PictureGenerator(PCAPriorGenerator):
    """Noise (batch, noise_width) [and a condition] -> pictures (batch, channels, height, width), from coarse to fine.

    What the layers make is added to the fixed law of `PCAPriorGenerator`; the last level is told which picture it adds to.
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
        gain = _OF_A_BLOCK["generator"] / max(1, blocks)
        coarse, *finer = pyramid(self.folding.shape, width, blocks)[::-1]
        self._start = (coarse.channels, *coarse.sides)
        self.enter = nn.Linear(noise_width + condition_width, math.prod(self._start))
        nn.init.normal_(self.enter.weight, std=1.0 / math.sqrt(noise_width + min(1, condition_width)))
        nn.init.zeros_(self.enter.bias)
        self.levels = nn.ModuleList([nn.Sequential(*_blocks(coarse, gain))])
        self.multiply_adds = self.enter.weight.numel() + _work(self.levels[0], math.prod(coarse.sides))
        for level in finer:
            # A 1 x 1 layer and an interpolation may change places: first it costs a quarter.
            narrow = _narrowed(coarse.channels, level.channels)
            layers = nn.Sequential(*(_blocks(level, gain) or [_plain(level.channels, level)]))
            self.levels.append(nn.Sequential(narrow, Grow(coarse.sides, level.sides), layers))
            self.multiply_adds += _work(narrow, math.prod(coarse.sides)) + _work(
                layers, math.prod(level.sides)
            )
            coarse = level
        self._finest, self._rectified = coarse.sides, coarse.blocks == 0
        self.leave = convolution(coarse.channels, self.folding.shape[0], 3, gain=_FIRST)
        self.tell: nn.Module | None = None
        if components and finer:
            self.tell = convolution(self.shape[0], coarse.channels, 3)
        for layer in (self.leave, self.tell):
            self.multiply_adds += 0 if layer is None else _work(layer, math.prod(coarse.sides))
        if fold:
            self.register_buffer("scales", torch.ones(self.folding.shape[0], 1, 1))

    @torch.no_grad()
    def init_from_data(self, rows: Tensor, codes: Tensor | None = None) -> None:
        """Set components, and the units of folded coefficients, to those of encoded pictures (n, *shape), after `init_output_bias`."""
        super().init_from_data(rows, codes)
        if self.folding.times:
            self.get_buffer("scales").copy_(_spreads(self.folding(self.apart(rows))))

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return pictures (batch, *shape)."""
        h = self.enter(concat_condition(z, condition, self.condition_width)).reshape(z.shape[0], *self._start)
        h = h.contiguous(memory_format=torch.channels_last)
        last, drift = len(self.levels) - 1, self.draw_components(z.to(h.dtype), condition)
        for index, level in enumerate(self.levels):
            if index == last and self.tell is not None and drift is not None:
                narrow, grow, layers = level.children()
                h = grow(narrow(h)) + self.tell(stretched(drift, self._finest))
                level = layers
            h = _run(level, h, recompute=self.recompute)
        h = self.leave(h if self._rectified else leaky(h))
        if self.folding.times:
            h = self.folding.inverse(h * self.get_buffer("scales").to(h.dtype))
        return activate(h + self.prior(drift, h.dtype), self.output)


def _spreads(coefficients: Tensor) -> Tensor:
    """Return each channel's standard deviation, (channels, 1, 1), at least 3 % of the largest."""
    found = coefficients.double().std((0, 2, 3), correction=0)
    return found.clamp_min(_LEAST_SPREAD * float(found.max()) or 1.0)[:, None, None]


class PictureDiscriminator(nn.Module):
    """Pictures (batch, channels, height, width) [and a condition] -> logits (batch, 1), from fine to coarse.

    Features f come from the last map by one filter of its own size for each channel; the logit is w f + b, with a
    condition y also f E y (Miyato and Koyama 2018, arXiv 1802.05637).
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
        gain = _OF_A_BLOCK["discriminator"] / max(1, blocks)
        levels = pyramid(self.folding.shape, width, blocks)
        self.levels = nn.ModuleList()
        self.multiply_adds, before = 0, self.folding.shape[0]
        for index, level in enumerate(levels):
            if level.blocks == 0:
                layers = [_plain(before, level)]
            elif index == 0:
                layers = [convolution(before, level.channels, 3, gain=1.0), *_blocks(level, gain)]
            else:
                layers = [_narrowed(before, level.channels), *_blocks(level, gain)]
            if index + 1 < len(levels):
                layers.append(Shrink(level.sides, levels[index + 1].sides))
            self.levels.append(nn.Sequential(*layers))
            self.multiply_adds += _work(self.levels[-1], math.prod(level.sides))
            before = level.channels
        places = math.prod(levels[-1].sides)
        self.filters = nn.Parameter(torch.randn(before, *levels[-1].sides) / math.sqrt(places))
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
