"""The average of G: an exponential moving average of its parameters, from which samples are drawn.

Simultaneous and alternating gradient play circles around the saddle point rather than walking into it; the
average damps the circling (Yazici et al. 2019, arXiv 1806.04498). The half-life grows with the rounds played, so
that the average forgets the beginning without knowing the horizon.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class ExponentialAverage:
    """The moving average of a module: a <- d a + (1 - d) x with d = 2^(-1 / (half_life (round + 1)))."""

    def __init__(self, module: nn.Module, half_life: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.half_life = half_life
        self._means: list[Tensor] = list(self.module.parameters())
        self._kept: list[Tensor] = list(self.module.buffers())

    def decay(self, round_: int) -> float:
        """Return d after a round."""
        rounds = self.half_life * (round_ + 1)
        return 0.5 ** (1.0 / rounds) if rounds > 0 else 0.0

    @torch.no_grad()
    def update(self, live: nn.Module, round_: int) -> None:
        """Move the average towards the live module after a round; buffers are copied."""
        values: list[Tensor] = list(live.parameters())
        torch._foreach_lerp_(self._means, values, 1.0 - self.decay(round_))
        if self._kept:
            torch._foreach_copy_(self._kept, list(live.buffers()))
