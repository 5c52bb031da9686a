"""The convolutional pair of Goodfellow et al. 2014 for pictures of 32 x 32 (the authors' cifar10_convolutional.yaml).

G: rectifiers, sigmoid units reshaped to 80 maps of 10 x 10, and one deconvolution (5 x 5 kernels, stride 3) to 32 x 32.
D: three convolutional maxout layers with max pooling, a dense maxout layer, one logit; dropout before every layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from saddlepoint.errors import InputError
from saddlepoint.networks.mlp import Output, activate, concat_condition

_MAPS, _SIDE, _KERNEL, _STRIDE = 80, 10, 5, 3
_PICTURE = (_SIDE - 1) * _STRIDE + _KERNEL
_LAYERS = ((8, 4, 4, 2), (8, 3, 4, 2), (5, 3, 2, 2))
"""Of each convolutional layer: kernel, padding, pool, and stride of the pool."""


class DeconvolutionGenerator(nn.Module):
    """The paper's convolutional generator: noise z (batch, noise_width) -> pictures (batch, channels, 32, 32).

    Rectifiers, 8,000 sigmoid units as 80 x 10 x 10 maps, one deconvolution with a separate bias for each pixel, as in the
    authors' code (Goodfellow et al. 2014, arXiv 1406.2661). Noise: uniform in the paper. A condition is appended to z.

    hidden: rectifiers in the first layer.
    output: "sigmoid" or "linear" output units.
    initial_range: weights start uniform in (-initial_range, initial_range).
    centred: subtract 1/2 from the sigmoid units. With the bias the network can represent the same functions, but a step of
        the deconvolution's weights then no longer shifts every pixel of every sample by half of itself.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        shape: Sequence[int],
        hidden: int = 8000,
        output: Output = "sigmoid",
        initial_range: float = 0.05,
        centred: bool = False,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        _refuse_sides(shape)
        self.shape, self.output, self.condition_width = tuple(shape), output, condition_width
        self.middle = 0.5 if centred else 0.0
        self.first = nn.Linear(noise_width + condition_width, hidden)
        self.second = nn.Linear(hidden, _MAPS * _SIDE**2)
        self.spread = nn.ConvTranspose2d(_MAPS, shape[0], _KERNEL, _STRIDE, bias=False)
        self.bias = nn.Parameter(torch.zeros(self.shape))
        for layer in (self.first, self.second, self.spread):
            nn.init.uniform_(layer.weight, -initial_range, initial_range)
        for dense in (self.first, self.second):
            nn.init.zeros_(dense.bias)

    @torch.no_grad()
    def init_output_bias(self, mean: Tensor) -> None:
        """Set the output bias so that the first samples are near the data's mean, of shape `shape`."""
        mean = mean.reshape(self.shape).to(self.bias.dtype)
        middle = functional.conv_transpose2d(
            torch.full((1, _MAPS, _SIDE, _SIDE), 0.5 - self.middle, dtype=self.bias.dtype),
            self.spread.weight,
            stride=_STRIDE,
        )[0]
        self.bias.copy_((torch.logit(mean, eps=1e-3) if self.output == "sigmoid" else mean) - middle)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return pictures (batch, channels, 32, 32) for noise (batch, noise_width)."""
        h = functional.relu(self.first(concat_condition(z, condition, self.condition_width)))
        h = torch.sigmoid(self.second(h)) - self.middle
        return activate(self.spread(h.reshape(-1, _MAPS, _SIDE, _SIDE)) + self.bias, self.output)


class MaxoutConvolutionDiscriminator(nn.Module):
    """The paper's convolutional discriminator: pictures (batch, channels, 32, 32) -> logits (batch, 1).

    Three times a convolution with maxout and max pooling, then a dense maxout layer and the logit (Goodfellow et al. 2014;
    maxout: Goodfellow et al. 2013, arXiv 1302.4389). Dropout is as in `MaxoutDiscriminator`: `forward` gets one uniform
    number for each input of a layer; without them nothing is dropped.

    maps: channels after each convolution (the authors note "192 ran out of memory" on the second).
    pieces, hidden_pieces: linear pieces of a maxout unit in convolutions and in the dense layer.
    hidden: maxout units of the dense layer.
    keep_input, keep_hidden: probabilities of keeping a pixel and a hidden unit.
    initial_range: weights start uniform in (-initial_range, initial_range).
    """

    def __init__(
        self,
        *,
        shape: Sequence[int],
        maps: Sequence[int] = (32, 32, 192),
        pieces: int = 2,
        hidden: int = 500,
        hidden_pieces: int = 5,
        keep_input: float = 0.8,
        keep_hidden: float = 0.5,
        initial_range: float = 0.005,
    ) -> None:
        super().__init__()
        _refuse_sides(shape)
        self.shape, self.pieces, self.hidden_pieces = tuple(shape), pieces, hidden_pieces
        channels = [shape[0], *maps]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b * pieces, kernel, padding=padding)
            for (a, b), (kernel, padding, _, _) in zip(pairwise(channels), _LAYERS, strict=True)
        )
        shapes, side = [self.shape], _PICTURE
        for each, (kernel, padding, pool, stride) in zip(maps, _LAYERS, strict=True):
            side = math.ceil((side + 2 * padding - kernel + 1 - pool) / stride) + 1
            shapes.append((each, side, side))
        self.dense = nn.Linear(math.prod(shapes[-1]), hidden * hidden_pieces)
        self.logit = nn.Linear(hidden, 1)
        for layer in (*self.layers, self.dense, self.logit):
            nn.init.uniform_(layer.weight, -initial_range, initial_range)
            nn.init.zeros_(layer.bias)
        self._shapes: list[tuple[int, ...]] = [*shapes, (hidden,)]
        self._keep = [keep_input, *[keep_hidden] * (len(self._shapes) - 1)]
        self.uniforms = sum(math.prod(each) for each in self._shapes)

    def forward(self, rows: Tensor, *, uniforms: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1); uniforms is (batch, self.uniforms)."""
        drop = self._dropper(uniforms)
        h = drop(rows.reshape(len(rows), *self.shape), 0)
        for index, (layer, (_, _, pool, stride)) in enumerate(zip(self.layers, _LAYERS, strict=True)):
            h = layer(h).unflatten(1, (-1, self.pieces)).amax(2)
            h = drop(functional.max_pool2d(h, pool, stride, ceil_mode=True), index + 1)
        h = self.dense(h.flatten(1)).unflatten(1, (-1, self.hidden_pieces)).amax(2)
        logit: Tensor = self.logit(drop(h, len(self._shapes) - 1))
        return logit

    def _dropper(self, uniforms: Tensor | None) -> Callable[[Tensor, int], Tensor]:
        """Return dropout as a function (inputs of a layer, number of the layer) -> inputs."""
        by_layer = None
        if uniforms is not None:
            by_layer = torch.split(uniforms, [math.prod(each) for each in self._shapes], 1)

        def drop(h: Tensor, layer: int) -> Tensor:
            keep = self._keep[layer]
            if by_layer is None or keep >= 1:
                return h
            return h * (by_layer[layer].reshape(h.shape) < keep).to(h.dtype) / keep

        return drop


def _refuse_sides(shape: Sequence[int]) -> None:
    if len(shape) != 3 or tuple(shape[1:]) != (_PICTURE, _PICTURE):
        raise InputError(
            f"The paper's convolutional networks are for pictures (channels, {_PICTURE}, {_PICTURE}), not for rows of "
            f"shape {tuple(shape)}; give such pictures or use the fully connected recipe."
        )
