"""A pair for points from plain noise: a generator that tosses coins, a discriminator that sees fast waves.

Both are plain perceptrons of three hidden layers: on the grid of 25 modes a residual pair of the same cost kept 4 to 25
modes, this one all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from saddlepoint.networks.mlp import activate, concat_condition, leaky, set_output_bias

_LAYERS = 3
_COIN = 1.4
_FIRST_SHARE = 0.3  # of the perceptron's first weights, where coins have places of their own to start from


class Perceptron(nn.Module):
    """Three hidden layers of leaky rectifiers between two widths, (batch, inputs) -> (batch, outputs)."""

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
    """G from noise (batch, noise_width) to rows (batch, *shape) that sees its last `sign_bits` numbers by their signs.

    A continuous map of connected noise cannot leave the ground between two modes empty; one that also sees coins
    (+-1.4, fair, each the sign of a normal number) can. With spread s > 0 the coins also move rows directly, by a linear
    map that starts as s times a rotation: the 2^coins patterns then begin at places of their own all over the data's
    range (standard deviation s in each column), and each has only to go to a mode nearby, instead of all leaving one
    spot together.
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
                self.places.weight.mul_(spread / _COIN / self.places.weight.norm(dim=1, keepdim=True))
                self.trunk.leave.weight.mul_(_FIRST_SHARE)

    def init_output_bias(self, mean: Tensor) -> None:
        """Set the output bias so that first samples lie at the data's means, shape `shape`."""
        set_output_bias(self.trunk.leave, mean, "linear")

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return rows (batch, *shape)."""
        normals = z.shape[1] - self.sign_bits
        tossed = torch.cat([z[:, :normals], _COIN * torch.sign(z[:, normals:])], 1)
        rows = self.trunk(concat_condition(tossed, condition, self.condition_width))
        if self.places is not None:
            rows = rows + self.places(tossed[:, normals:])
        return activate(rows, "linear").reshape(len(z), *self.shape)


class FourierDiscriminator(nn.Module):
    """D on x and on 2^(-fade k) times sin, cos of 2^k pi x / 2 for k < octaves: logits (batch, 1).

    A network learns slow functions first, and modes much narrower than their distances are fast ones (Tancik et al.
    2020, arXiv 2006.10739). With fade > 0 fast waves are fainter: D sees first where modes are, then how narrow.
    ranges: (lowest, highest) of each column in the data. Outside it the waves stand still, or they would repeat there
    the traces of modes, and fakes beyond the data would settle in them instead of finding back.
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
    """Return (a_k sin(2^k pi x / 2), a_k cos(2^k pi x / 2)), k < octaves, a_k = 2^(-fade k).

    Rows are (batch, n), the result is (batch, 2 n octaves).
    """
    each = torch.arange(octaves, device=rows.device, dtype=rows.dtype)
    angles = rows[:, None] * (math.pi / 2 * 2.0**each)[:, None]
    heights = (2.0 ** (-fade * each))[:, None]
    return torch.cat([(heights * angles.sin()).flatten(1), (heights * angles.cos()).flatten(1)], 1)
