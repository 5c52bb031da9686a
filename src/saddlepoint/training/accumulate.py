"""Gradient accumulation: a round of Algorithm 1 in micro-batches, with the same steps and less memory.

Only the activations of one micro-batch are kept for the backward pass. Losses are means over samples and all micro-batches
have the same size, so the mean of their gradients is the gradient of the whole batch, up to the order of float additions.
Micro-batches are like ranks (`distributed.py`) that take turns: random numbers are drawn for the whole batch and sliced. The
fakes are computed twice, once for D's step and once for G's.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from saddlepoint.training.algorithm import discriminator_loss, generator_loss
from saddlepoint.training.distributed import ProcessRank
from saddlepoint.training.game import Game, Player, Rows
from saddlepoint.training.records import Record


def accumulated_round(game: Game, batches: Iterator[Rows]) -> Record:
    """Play one round of Algorithm 1, each batch in `settings.accumulation_steps` micro-batches of equal size."""
    k, fresh = game.settings.discriminator_steps, game.settings.fresh_noise
    for step in range(k):
        rows = game.next_batch(batches)
        d_gradients = _AccumulatedGradient(game, "discriminator")
        for micro, real, condition in _micro_batches(game, rows):
            fake = micro.generate(micro.noise(step), condition, step, graph=False)
            loss, *logits = discriminator_loss(micro, real, fake, condition, step)
            d_gradients.add(loss, *logits)
            game._row_independent = micro._row_independent
        d_norm = game.move("discriminator", d_gradients.mean())
    g_gradients, step = _AccumulatedGradient(game, "generator"), k if fresh else k - 1
    for micro, real, condition in _micro_batches(game, rows):
        fake = micro.generate(micro.noise(step), condition, step, graph=True)
        g_gradients.add(generator_loss(micro, real, fake, condition, k))
    g_norm = game.move("generator", g_gradients.mean())
    return game.end_round(
        *d_gradients.values()[:1], *g_gradients.values(), *d_gradients.values()[1:], d_norm, g_norm
    )


class _AccumulatedGradient:
    """One player's gradients and recorded values, accumulated over the micro-batches."""

    def __init__(self, game: Game, player: Player) -> None:
        self._game, self._parameters = game, game.player_optimisers[player].parameters
        self._total: list[Tensor] | None = None
        self._values: list[tuple[Tensor, ...]] = []

    def add(self, loss: Tensor, *others: Tensor) -> None:
        """Add the gradients of one micro-batch's loss, and free its graph."""
        gradients = torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
        if self._total is None:
            self._total = [each.clone() for each in gradients]
        else:
            torch._foreach_add_(self._total, list(gradients))
        self._values.append(tuple(each.detach().mean() for each in (loss, *others)))

    def mean(self) -> list[Tensor]:
        """Return the mean gradients over micro-batches and ranks."""
        total = list(torch._foreach_div(self._total or [], len(self._values)))
        self._game.process.average_(total)
        return total

    def values(self) -> list[Tensor]:
        """Return the mean loss and the means of the other values."""
        return [torch.stack(each).mean() for each in zip(*self._values, strict=True)]


class _MicroBatch(ProcessRank):
    """One micro-batch as a rank: it takes its slice of every draw, and does not average with other ranks.

    Averaging over ranks is done once, after the last micro-batch (`_AccumulatedGradient.mean`).
    """

    def average_(self, tensors: object) -> None:
        """Do nothing."""


def _micro_batches(
    game: Game, rows: tuple[Tensor, Tensor | None]
) -> Iterator[tuple[Game, Tensor, Tensor | None]]:
    """Yield for each micro-batch: a view of the game that sees only this slice, its rows, and their condition."""
    count = game.settings.accumulation_steps
    for index in range(count):
        micro = object.__new__(type(game))
        micro.__dict__.update(game.__dict__)
        micro.process = _MicroBatch(game.process.rank * count + index, game.process.count * count)
        real, condition = (None if each is None else each.chunk(count)[index] for each in rows)
        if real is not None:
            yield micro, real, condition
