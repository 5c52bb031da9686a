"""The average of G: an exponential moving average of its parameters, from which samples are drawn.

Simultaneous and alternating gradient play circles around the saddle point rather than walking into it; the
average damps the circling (Yazici et al. 2019, arXiv 1806.04498). The half-life grows with the rounds played, so
that the average forgets the beginning without knowing the horizon.
"""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """The moving average of a module: a <- d a + (1 - d) x with d = 2^(-1 / (half_life (round + 1)))."""

    def __init__(self, module: nn.Module, half_life: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False).eval()
        self.half_life = half_life

    @torch.no_grad()
    def update(self, live: nn.Module, round_: int) -> None:
        """Move the average towards the live module after a round; buffers are copied."""
        rounds = self.half_life * (round_ + 1)
        decay = 0.5 ** (1.0 / rounds) if rounds > 0 else 0.0
        for mean, value in zip(self.module.parameters(), live.parameters(), strict=True):
            mean.lerp_(value, 1.0 - decay)
        for kept, buffer in zip(self.module.buffers(), live.buffers(), strict=True):
            kept.copy_(buffer)
