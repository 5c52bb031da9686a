"""Multilayer perceptrons: the 2014 pair, and the residual pair of the modern recipe.

A network does not know whether it makes points or pictures: it gets the shape of a row and the width of the condition,
flattens on the way in and unflattens on the way out. The condition (class codes, one-hot) joins the input.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

Output = Literal["linear", "sigmoid"]


def concat_condition(rows: Tensor, condition: Tensor | None, width: int) -> Tensor:
    """Return rows flattened to (batch, n) with the condition of that width behind them."""
    flat = rows.flatten(1)
    if condition is None:
        return flat if width == 0 else torch.cat([flat, flat.new_zeros(len(flat), width)], 1)
    return torch.cat([flat, condition.to(flat.dtype)], 1)


def projection_directions(condition_width: int, width: int) -> nn.Linear | None:
    """Return E of a logit's part f E y for features f of that width and a condition y; None without a condition."""
    if not condition_width:
        return None
    classes = nn.Linear(condition_width, width, bias=False)
    nn.init.normal_(classes.weight, std=1.0 / math.sqrt(width))
    return classes


def projection_logit(
    logit: Tensor, features: Tensor, condition: Tensor | None, classes: nn.Linear | None
) -> Tensor:
    """Return the logit plus f E y (Miyato and Koyama 2018, arXiv 1802.05637), or alone where there is no condition."""
    if classes is None or condition is None:
        return logit
    projected: Tensor = (features * classes(condition.to(features.dtype))).sum(1, keepdim=True)
    return logit + projected


def initialise_uniformly(layers: Sequence[nn.Linear], bound: float) -> None:
    """Draw weights from uniform(-bound, bound) and set biases to zero, as the authors' code does ("irange")."""
    for layer in layers:
        nn.init.uniform_(layer.weight, -bound, bound)
        nn.init.zeros_(layer.bias)


class RectifierGenerator(nn.Module):
    """The paper's generator: rectifier layers, then sigmoid or linear units whose bias starts at the data's means.

    G(z) = s(W_3 relu(W_2 relu(W_1 z))); 100-1200-1200-784 with sigmoid units for MNIST. The last bias is the
    inverse sigmoid of the pixel means (or the means themselves for linear units). No dropout, no noise inside.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        shape: Sequence[int],
        hidden: Sequence[int] = (1200, 1200),
        output: Output = "sigmoid",
        initial_range: float = 0.05,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.shape, self.output, self.condition_width = tuple(shape), output, condition_width
        widths = [noise_width + condition_width, *hidden, math.prod(self.shape)]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        linears = [layer for layer in self.layers if isinstance(layer, nn.Linear)]
        initialise_uniformly(linears, initial_range)

    def init_output_bias(self, mean: Tensor) -> None:
        """Set the output bias so that first samples lie at the data's means, shape `shape`."""
        last = self.layers[-1]
        if isinstance(last, nn.Linear):
            set_output_bias(last, mean, self.output)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return rows (batch, *shape) for noise (batch, noise_width)."""
        h = concat_condition(z, condition, self.condition_width)
        for layer in self.layers[:-1]:
            h = functional.relu(layer(h))
        return activate(self.layers[-1](h), self.output).reshape(z.shape[0], *self.shape)


class MaxoutDiscriminator(nn.Module):
    """The paper's discriminator: maxout layers with dropout, then one logit.

    A maxout unit is the largest of `pieces` linear maps (Goodfellow et al. 2013, arXiv 1302.4389). Dropout keeps each
    input with probability keep_input and each hidden unit with probability keep_hidden, and divides by it; its masks
    are made from the uniform numbers that come with the rows, so a round stays a function of its inputs. Without
    such numbers nothing is dropped.
    """

    def __init__(
        self,
        *,
        shape: Sequence[int],
        hidden: Sequence[int] = (240, 240),
        pieces: int = 5,
        keep_input: float = 0.8,
        keep_hidden: float = 0.5,
        initial_range: float = 0.005,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.pieces, self.condition_width = pieces, condition_width
        widths = [math.prod(shape) + condition_width, *hidden]
        self.keep = [keep_input, *[keep_hidden] * len(hidden)]
        self.layers = nn.ModuleList(nn.Linear(a, b * pieces) for a, b in pairwise(widths))
        self.logit = nn.Linear(widths[-1], 1)
        initialise_uniformly(
            [*(each for each in self.layers if isinstance(each, nn.Linear)), self.logit], initial_range
        )
        self._widths = [width if keep < 1 else 0 for width, keep in zip(widths, self.keep, strict=True)]
        self.uniforms = sum(self._widths)

    def forward(
        self, rows: Tensor, condition: Tensor | None = None, *, uniforms: Tensor | None = None
    ) -> Tensor:
        """Return logits (batch, 1); uniforms is (batch, self.uniforms)."""
        draws = iter(
            [None] * len(self._widths) if uniforms is None else torch.split(uniforms, self._widths, 1)
        )
        h = concat_condition(rows, condition, self.condition_width)
        for layer, keep in zip(self.layers, self.keep[:-1], strict=True):
            h = layer(_dropped(h, next(draws), keep))
            h = h.unflatten(1, (-1, self.pieces)).amax(2)
        logit: Tensor = self.logit(_dropped(h, next(draws), self.keep[-1]))
        return logit


def _dropped(rows: Tensor, draws: Tensor | None, keep: float) -> Tensor:
    return rows if draws is None or keep >= 1 else rows * (draws < keep).to(rows.dtype) / keep


class ResidualBlock(nn.Module):
    """x + W_2 leaky(W_1 leaky(x)): the second layer starts at zero, so that a deep network starts as a shallow one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, h: Tensor) -> Tensor:
        """Return the block's output, the shape of its input (batch, width)."""
        out: Tensor = h + self.second(leaky(self.first(leaky(h))))
        return out


class ResidualGenerator(nn.Module):
    """A residual perceptron from noise (batch, noise_width) to rows (batch, *shape); no normalisation."""

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        shape: Sequence[int],
        width: int = 128,
        blocks: int = 2,
        output: Output = "linear",
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.shape, self.output, self.condition_width = tuple(shape), output, condition_width
        self.enter = nn.Linear(noise_width + condition_width, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.leave = nn.Linear(width, math.prod(self.shape))

    def init_output_bias(self, mean: Tensor) -> None:
        """Set the output bias so that first samples lie at the data's means, shape `shape`."""
        set_output_bias(self.leave, mean, self.output)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return rows (batch, *shape)."""
        h = self.enter(concat_condition(z, condition, self.condition_width))
        for block in self.blocks:
            h = block(h)
        return activate(self.leave(leaky(h)), self.output).reshape(z.shape[0], *self.shape)


class ResidualDiscriminator(nn.Module):
    """A residual perceptron from rows (batch, *shape) to logits (batch, 1); no normalisation, no dropout."""

    uniforms = 0

    def __init__(
        self, *, shape: Sequence[int], width: int = 128, blocks: int = 2, condition_width: int = 0
    ) -> None:
        super().__init__()
        self.condition_width = condition_width
        self.enter = nn.Linear(math.prod(shape) + condition_width, width)
        self.blocks = nn.ModuleList(ResidualBlock(width) for _ in range(blocks))
        self.leave = nn.Linear(width, 1)

    def forward(self, rows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1)."""
        h = self.enter(concat_condition(rows, condition, self.condition_width))
        for block in self.blocks:
            h = block(h)
        logit: Tensor = self.leave(leaky(h))
        return logit


def leaky(h: Tensor) -> Tensor:
    """Return the leaky rectifier max(h, 0.2 h)."""
    return functional.leaky_relu(h, 0.2)


def activate(h: Tensor, output: Output) -> Tensor:
    """Return the output units' values: sigmoid into (0, 1), or linear."""
    return torch.sigmoid(h) if output == "sigmoid" else h


@torch.no_grad()
def set_output_bias(layer: nn.Linear, mean: Tensor, output: Output) -> None:
    """Let a network's first samples have the data's means: b = logit(mean) for sigmoid units, mean for linear ones."""
    mean = mean.flatten().to(layer.bias.dtype)
    layer.bias.copy_(torch.logit(mean, eps=1e-3) if output == "sigmoid" else mean)
