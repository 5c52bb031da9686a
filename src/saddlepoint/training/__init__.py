"""Algorithm 1 for any differentiable pair and any iterator of batches.

`play` is the short way for your own networks; `Game` and `rounds` are its two halves.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import torch
from torch import nn

from saddlepoint.objectives import Objective
from saddlepoint.training.algorithm import rounds
from saddlepoint.training.game import Game, Rows
from saddlepoint.training.introduction import introduce
from saddlepoint.training.records import Record, checked
from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule, Settings
from saddlepoint.training.sharing import Share


def play(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Iterable[Rows],
    *,
    settings: Settings,
    objective: str | Objective | None = None,
    device: torch.device | None = None,
) -> Iterator[Record]:
    """Play the game between your own two networks and yield one record a round, `settings.horizon` in all.

    generator maps noise (batch, noise_width) to rows; discriminator maps rows to one logit each. batches yields rows
    (batch, ...), or pairs (rows, condition); with a condition both networks get it as their second argument.
    The networks are trained in place. `objective` stands in place of `settings.objective`.

    Raises:
        InputError: the networks and the rows do not fit, told before the first round.
        GameError: a loss or a gradient is not finite; the player and the round are named.
    """
    if isinstance(objective, str):
        settings, objective = dataclasses.replace(settings, objective=objective), None
    game = Game(
        generator,
        discriminator,
        settings,
        objective=objective,
        device=device or next(generator.parameters()).device,
        share=Share.of_this_process(),
    )
    return follow(game, batches, settings.horizon)


def follow(game: Game, batches: Iterable[Rows], count: int) -> Iterator[Record]:
    """Introduce the players to each other, then play so many rounds, checking each record."""
    rest = iter(batches)
    first = next(rest, None)
    if first is not None:
        introduce(game, first)
        rest = itertools.chain([first], rest)
    yield from checked(rounds(game, rest, count))


__all__ = [
    "Game",
    "OptimiserSettings",
    "PenaltySettings",
    "Record",
    "Schedule",
    "Settings",
    "Share",
    "checked",
    "follow",
    "introduce",
    "play",
    "rounds",
]
