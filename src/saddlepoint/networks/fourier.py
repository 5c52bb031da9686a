"""A pair for points with separate modes: sign noise in G, and Fourier features in D (Tancik et al. 2020, arXiv 2006.10739).

Both are MLPs with three hidden layers: on the grid of 25 modes a residual pair of the same cost kept 4 to 25 modes, this pair
all 25.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from saddlepoint.networks.mlp import activate, concat_condition, leaky, set_output_bias

_LAYERS = 3
_SIGN_SCALE = 1.4
_OUTPUT_SCALE = 0.3  # of the MLP's initial output weights, if sign bits also move rows directly


class Perceptron(nn.Module):
    """An MLP with three hidden layers of leaky rectifiers, (batch, inputs) -> (batch, outputs)."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        widths = [inputs, *[width] * _LAYERS]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.leave = nn.Linear(width, outputs)

    def forward(self, h: Tensor) -> Tensor:
        """Return (batch, outputs)."""
        for layer in self.hidden:
            h = leaky(layer(h))
        out: Tensor = self.leave(h)
        return out


class SignNoiseGenerator(nn.Module):
    """An MLP from noise z (batch, noise_width) to rows (batch, *shape) that reads its last `sign_bits` numbers as signs.

    Noise: z ~ N(0, 1); the last `sign_bits` numbers are replaced by 1.4 times their sign, +1.4 or -1.4 with equal
    probability. A continuous map of connected noise cannot leave the space between two modes empty; a map of sign bits can.
    With spread s > 0 the sign bits are also added to the rows by a linear map that starts as s times a rotation: the
    2^sign_bits patterns then start at different points all over the data's range (standard deviation s in each column), and
    each only has to move to a mode nearby; otherwise all would start from one point. A condition is appended to z.

    width: of the hidden layers.
    sign_bits: the numbers of z that are read as signs.
    spread: s; 0 for no direct linear map.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        shape: Sequence[int],
        width: int = 64,
        sign_bits: int = 8,
        spread: float = 0.0,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.shape, self.sign_bits, self.condition_width = tuple(shape), sign_bits, condition_width
        self.trunk = Perceptron(noise_width + condition_width, width, math.prod(self.shape))
        self.places = None if spread == 0 else nn.Linear(sign_bits, math.prod(self.shape), bias=False)
        if self.places is not None:
            nn.init.orthogonal_(self.places.weight)
            with torch.no_grad():
                self.places.weight.mul_(spread / _SIGN_SCALE / self.places.weight.norm(dim=1, keepdim=True))
                self.trunk.leave.weight.mul_(_OUTPUT_SCALE)

    def init_output_bias(self, mean: Tensor) -> None:
        """Set the output bias so that the first samples are near the data's mean, of shape `shape`."""
        set_output_bias(self.trunk.leave, mean, "linear")

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return rows (batch, *shape)."""
        normals = z.shape[1] - self.sign_bits
        noise = torch.cat([z[:, :normals], _SIGN_SCALE * torch.sign(z[:, normals:])], 1)
        rows = self.trunk(concat_condition(noise, condition, self.condition_width))
        if self.places is not None:
            rows = rows + self.places(noise[:, normals:])
        return activate(rows, "linear").reshape(len(z), *self.shape)


class FourierDiscriminator(nn.Module):
    """An MLP on rows x (batch, *shape) and their Fourier features (Tancik et al. 2020, arXiv 2006.10739): logits (batch, 1).

    The features are 2^(-fade k) sin(2^k pi x / 2) and 2^(-fade k) cos(2^k pi x / 2) for k < octaves. A network learns low
    frequencies first, and modes much narrower than their distances need high ones. A condition is appended to the input.

    width: of the hidden layers.
    octaves: the number of frequencies; 0 for none.
    fade: with fade > 0 high frequencies are weaker, so that D learns first where the modes are, then how narrow they are.
    ranges: (lowest, highest) of each column in the data. Outside it the features are constant. Otherwise they would repeat
        there the pattern of the modes, and fakes outside the data would stay in these copies instead of moving back.
    """

    low: Tensor
    high: Tensor

    uniforms = 0

    def __init__(
        self,
        *,
        shape: Sequence[int],
        width: int = 64,
        octaves: int = 0,
        fade: float = 0.0,
        ranges: Sequence[Sequence[float]] = (),
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.octaves, self.fade, self.condition_width = octaves, fade, condition_width
        ends = torch.tensor(ranges or [(-math.inf, math.inf)] * math.prod(shape)).T
        for name, values in zip(("low", "high"), ends, strict=True):
            self.register_buffer(name, values.clone(), persistent=False)
        self.trunk = Perceptron(math.prod(shape) * (1 + 2 * octaves) + condition_width, width, 1)

    def forward(self, rows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1) of rows (batch, *shape)."""
        flat = rows.flatten(1)
        if self.octaves > 0:
            within = flat.clamp(self.low.to(flat.dtype), self.high.to(flat.dtype))
            flat = torch.cat([flat, fourier_features(within, self.octaves, self.fade)], 1)
        logit: Tensor = self.trunk(concat_condition(flat, condition, self.condition_width))
        return logit


def fourier_features(rows: Tensor, octaves: int, fade: float = 0.0) -> Tensor:
    """Return Fourier features (batch, 2 n octaves) of rows x (batch, n).

    They are a_k sin(2^k pi x / 2), then a_k cos(2^k pi x / 2), for k < octaves, with a_k = 2^(-fade k).
    """
    k = torch.arange(octaves, device=rows.device, dtype=rows.dtype)
    angles = rows[:, None] * (math.pi / 2 * 2.0**k)[:, None]
    amplitudes = (2.0 ** (-fade * k))[:, None]
    return torch.cat([(amplitudes * angles.sin()).flatten(1), (amplitudes * angles.cos()).flatten(1)], 1)
