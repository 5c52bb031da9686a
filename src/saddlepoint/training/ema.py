"""EMA of G: an exponential moving average of its parameters, from which samples are drawn.

Gradient descent-ascent circles around the saddle point instead of converging to it; averaging damps this rotation
(Yazici et al. 2019, arXiv 1806.04498). The half-life is a fixed fraction of the rounds played so far, so the average forgets
the first rounds without knowing the horizon.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class ExponentialAverage:
    """The exponential moving average a of a module's parameters x.

    a <- d a + (1 - d) x,  d = 2^(-1 / (half_life (round + 1)))

    half_life: as a fraction of the rounds played so far.
    """

    def __init__(self, module: nn.Module, half_life: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.half_life = half_life
        self._means: list[Tensor] = list(self.module.parameters())
        self._kept: list[Tensor] = list(self.module.buffers())

    def decay(self, round_: int) -> float:
        """Return d of the update after a round."""
        rounds = self.half_life * (round_ + 1)
        return 0.5 ** (1.0 / rounds) if rounds > 0 else 0.0

    @torch.no_grad()
    def update(self, live: nn.Module, round_: int) -> None:
        """Update the average from the trained module after a round; buffers are copied."""
        values: list[Tensor] = list(live.parameters())
        torch._foreach_lerp_(self._means, values, 1.0 - self.decay(round_))
        if self._kept:
            torch._foreach_copy_(self._kept, list(live.buffers()))
