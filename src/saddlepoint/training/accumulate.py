"""A round of Algorithm 1 whose batches are played in parts: the same step, and what backward passes keep is of one part.

Losses are means over samples and all parts have one size, so the mean of the parts' gradients is the batch's, to the order of
float additions: parts are ranks (`sharing.py`) that play one after another. Draws are made for the whole batch. G's fakes are
made twice, once for D and once for G's own step.
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
    """Play one round, each batch in `settings.accumulation_steps` parts of equal size."""
    k, fresh = game.settings.discriminator_steps, game.settings.fresh_noise
    for step in range(k):
        rows = game.next_batch(batches)
        d_gradients = _Sum(game, "discriminator")
        for part, real, condition in _parts(game, rows):
            fake = part.generate(part.noise(step), condition, step, graph=False)
            loss, *logits = discriminator_loss(part, real, fake, condition, step)
            d_gradients.add(loss, *logits)
            game._row_independent = part._row_independent
        d_norm = game.move("discriminator", d_gradients.mean())
    g_gradients, step = _Sum(game, "generator"), k if fresh else k - 1
    for part, real, condition in _parts(game, rows):
        fake = part.generate(part.noise(step), condition, step, graph=True)
        g_gradients.add(generator_loss(part, real, fake, condition, k))
    g_norm = game.move("generator", g_gradients.mean())
    return game.end_round(
        *d_gradients.values()[:1], *g_gradients.values(), *d_gradients.values()[1:], d_norm, g_norm
    )


class _Sum:
    """The sum over the parts of one player's gradients, and the values that are recorded."""

    def __init__(self, game: Game, player: Player) -> None:
        self._game, self._parameters = game, game.player_optimisers[player].parameters
        self._total: list[Tensor] | None = None
        self._said: list[tuple[Tensor, ...]] = []

    def add(self, loss: Tensor, *others: Tensor) -> None:
        """Add the gradients of one part's loss, whose graph is freed."""
        found = torch.autograd.grad(loss, self._parameters, allow_unused=True, materialize_grads=True)
        if self._total is None:
            self._total = [each.clone() for each in found]
        else:
            torch._foreach_add_(self._total, list(found))
        self._said.append(tuple(each.detach().mean() for each in (loss, *others)))

    def mean(self) -> list[Tensor]:
        """Return the mean of the parts' gradients, over all ranks."""
        total = list(torch._foreach_div(self._total or [], len(self._said)))
        self._game.share.average_(total)
        return total

    def values(self) -> list[Tensor]:
        """Return the means of what was added."""
        return [torch.stack(each).mean() for each in zip(*self._said, strict=True)]


class _MicroBatch(ProcessRank):
    """The share of one part: a slice of every draw, and no message to other ranks before all parts are played."""

    def average_(self, tensors: object) -> None:
        """Leave tensors as they are."""


def _parts(game: Game, rows: tuple[Tensor, Tensor | None]) -> Iterator[tuple[Game, Tensor, Tensor | None]]:
    """Yield each part as a game that sees only its slice, with its rows and their condition."""
    many = game.settings.accumulation_steps
    for index in range(many):
        part = object.__new__(type(game))
        part.__dict__.update(game.__dict__)
        part.share = _MicroBatch(game.share.rank * many + index, game.share.count * many)
        real, condition = (None if each is None else each.chunk(many)[index] for each in rows)
        if real is not None:
            yield part, real, condition
