"""MLP generator and discriminator for tables: rows of feature blocks, described by `((entries, scored), ...)`.

A row is all one-hot entries, block after block, then all scores. A network does not know what a block stands for: a category,
a number with its frequent values, a weekday. Entries are drawn by Gumbel-softmax (Jang et al. 2017, arXiv 1611.01144) with the
straight-through estimator (Bengio et al. 2013, arXiv 1308.3432).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from saddlepoint.networks.mlp import concat_condition, leaky

_TEMPERATURE = 0.5
_FARTHEST = 5.0


class TabularHeads(nn.Module):
    """Output units of a table: raw outputs (batch, width) and noise (batch, entries) -> one-hot entries and scores.

    Forward, each block's entries are exactly one-hot, drawn by logits + Gumbel noise; backward, the gradient is that of the
    softmax at temperature 1/2. A score is sum_k e_k s_k + e_other s: the fixed score s_k of the drawn entry, or the free
    output s if the last entry, "other", was drawn. So a frequent value and its score always agree.
    """

    entry_scores: Tensor
    members: Tensor
    fixed: Tensor
    free: Tensor
    always: Tensor

    def __init__(self, feature_blocks: Sequence[tuple[int, bool]]) -> None:
        super().__init__()
        sizes = [entries for entries, _ in feature_blocks if entries]
        self.entries, self.scores = sum(sizes), sum(bool(scored) for _, scored in feature_blocks)
        self.offsets = [0]
        for size in sizes:
            self.offsets.append(self.offsets[-1] + size)
        members = torch.zeros(self.entries, len(sizes))
        fixed, free = torch.zeros(2, self.entries, self.scores)
        always = torch.zeros(self.scores)
        at, block, score = 0, 0, 0
        for entries, scored in feature_blocks:
            if entries:
                members[at : at + entries, block] = 1.0
                block += 1
            if scored:
                fixed[at : at + entries, score] = 1.0
                if entries:
                    free[at + entries - 1, score] = 1.0
                else:
                    always[score] = 1.0
                score += 1
            at += entries
        self.register_buffer("members", members, persistent=False)
        self.register_buffer("fixed", fixed, persistent=False)
        self.register_buffer("free", free, persistent=False)
        self.register_buffer("always", always, persistent=False)
        self.register_buffer("entry_scores", torch.zeros(self.entries))

    def forward(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Return rows (batch, entries + scores)."""
        if not self.entries:
            return raw
        logits, scores = raw[:, : self.entries], raw[:, self.entries :]
        entries = self._chosen(logits, noise)
        if not self.scores:
            return entries
        fixed = entries @ (self.fixed * self.entry_scores[:, None]).to(raw.dtype)
        return torch.cat(
            [entries, fixed + (entries @ self.free.to(raw.dtype) + self.always.to(raw.dtype)) * scores], 1
        )

    def _chosen(self, logits: Tensor, noise: Tensor) -> Tensor:
        gumbel = -torch.log(-torch.log(torch.special.ndtr(noise.clamp(-_FARTHEST, _FARTHEST))))
        noisy = logits + gumbel
        members = self.members.to(noisy.dtype)
        with torch.no_grad():
            tops = torch.stack([noisy[:, start:end].amax(1) for start, end in pairwise(self.offsets)], 1)
            largest = tops @ members.T
        powers = torch.exp((noisy - largest) / _TEMPERATURE)
        soft = powers / ((powers @ members) @ members.T)
        hard = (noisy >= largest).to(soft.dtype)
        return hard + soft - soft.detach()


class TabularGenerator(nn.Module):
    """A residual MLP from noise to rows. Noise: [z | one number for each entry, for Gumbel draws], all N(0, 1).

    h = leaky(W_0 z), h <- h + leaky(W h) for each residual block, then one linear layer for all feature blocks.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        noise_width: int,
        feature_blocks: Sequence[tuple[int, bool]],
        width: int = 128,
        blocks: int = 2,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.heads = TabularHeads(feature_blocks)
        self.condition_width = condition_width
        self.free = noise_width - self.heads.entries
        self.enter = nn.Linear(self.free + condition_width, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(blocks))
        self.leave = nn.Linear(width, self.heads.entries + self.heads.scores)

    @torch.no_grad()
    def init_from_data(self, log_frequencies: Tensor, entry_scores: Tensor) -> None:
        """Set the output bias to the entries' log-frequencies, and the fixed scores that go with entries."""
        self.leave.bias[: self.heads.entries].copy_(log_frequencies)
        self.heads.entry_scores.copy_(entry_scores)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return rows (batch, entries + scores)."""
        h = leaky(self.enter(concat_condition(z[:, : self.free], condition, self.condition_width)))
        for block in self.blocks:
            h = h + leaky(block(h))
        rows: Tensor = self.heads(self.leave(h), z[:, self.free :])
        return rows


class TabularDiscriminator(nn.Module):
    """An MLP from rows to one logit; no normalisation, no dropout.

    frequencies: number of cosines cos(pi k Phi(s)) of each score s, so that D sees steps in a score's rank.
    masked: the condition is [classes | rows | known], of which D sees the classes and which blocks were known.
    """

    uniforms = 0

    def __init__(
        self,
        *,
        feature_blocks: Sequence[tuple[int, bool]],
        width: int = 128,
        layers: int = 2,
        frequencies: int = 0,
        masked: bool = False,
        condition_width: int = 0,
    ) -> None:
        super().__init__()
        self.frequencies, self.condition_width = frequencies, condition_width
        self.known = len(feature_blocks) if masked else 0
        self.scores = sum(bool(scored) for _, scored in feature_blocks)
        self.row = sum(entries for entries, _ in feature_blocks) + self.scores
        inputs = self.row + frequencies * self.scores + condition_width + self.known
        self.layers = nn.ModuleList(nn.Linear(each, width) for each in [inputs, *[width] * (layers - 1)])
        self.logit = nn.Linear(width, 1)

    def forward(self, rows: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return logits (batch, 1)."""
        known = rows.new_zeros(len(rows), self.known)
        if condition is not None and self.known and condition.shape[1] > self.condition_width:
            known = condition[:, -self.known :]
            condition = condition[:, : self.condition_width] if self.condition_width else None
        parts = [concat_condition(rows, condition, self.condition_width), known]
        if self.frequencies and self.scores:
            ranks = torch.special.ndtr(rows[:, self.row - self.scores :])
            parts += [torch.cos(math.pi * k * ranks) for k in range(1, self.frequencies + 1)]
        h = torch.cat(parts, 1)
        for layer in self.layers:
            h = leaky(layer(h))
        logit: Tensor = self.logit(h)
        return logit
