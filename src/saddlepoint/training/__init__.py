"""Algorithm 1 for any differentiable pair and any batches.

`play` is the short way for your own networks; `Game` and `rounds` are its two halves.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from saddlepoint import compute
from saddlepoint.errors import InputError
from saddlepoint.objectives import Objective
from saddlepoint.training.algorithm import rounds
from saddlepoint.training.batches import endless_batches
from saddlepoint.training.compiling import CannotCompileError, CompiledRound, refuse_without_compiler
from saddlepoint.training.distributed import ProcessRank
from saddlepoint.training.game import Game
from saddlepoint.training.preflight import check_players, check_shapes
from saddlepoint.training.records import Record, checked
from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule, Settings

_SET_BY_THE_USER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def play(
    generator: nn.Module,
    discriminator: nn.Module,
    batches: Iterable[Any],
    *,
    settings: Settings,
    objective: str | Objective | None = None,
    device: torch.device | str | None = None,
    threads: int | None = None,
    compile: bool = False,
) -> Iterator[Record]:
    """Play the game between your own two networks and yield one record a round, `settings.horizon` in all.

    generator maps noise (batch, noise_width) to rows; discriminator maps rows to one logit each. batches yields rows
    (batch, ...), or pairs (rows, condition), as torch tensors or numpy arrays; with a condition both networks get it as
    their second argument. A list of batches or a DataLoader is iterated again whenever it has run out; a shorter last
    batch of a pass is left out, with a warning. The networks are trained in place. `objective` stands in place of
    `settings.objective`.

    A round is played on so many CPU threads as its work can feed (small networks are faster on one), and on no more than
    torch.get_num_threads(), so that a lower number you set stands. Where OMP_NUM_THREADS or MKL_NUM_THREADS is set,
    torch's number stands as it is. `threads` overrules both. Outside a round your own number is in force.

    compile: make one graph of the whole round and compile it (a C++ compiler is needed; some 20 to 40 s once, less when
    its files are still on this disk). The graph keeps every decision that Python takes in your networks at the first
    round, and every attribute of theirs that is no tensor.

    Raises:
        InputError: the networks and the rows do not fit, told before the first round; or the batches run out.
        GameError: a loss or a gradient is not finite; the player and the round are named.
    """
    check_players(generator, discriminator)
    if threads is not None and (type(threads) is not int or threads < 1):
        raise InputError(f"threads is {threads!r}; it must be a whole number of at least 1, or None.")
    if isinstance(objective, str):
        settings, objective = dataclasses.replace(settings, objective=objective), None
    game = Game(
        generator,
        discriminator,
        settings,
        objective=objective,
        device=next(generator.parameters()).device if device is None else compute.choose_device(str(device)),
        share=ProcessRank.of_this_process(),
    )
    if compile:
        refuse_without_compiler()
    return follow(
        game, batches, settings.horizon, threads=threads, play_round=CompiledRound() if compile else None
    )


def follow(
    game: Game,
    batches: Iterable[Any],
    count: int,
    *,
    threads: int | None = None,
    play_round: CompiledRound | None = None,
) -> Iterator[Record]:
    """Introduce the players to each other, then play so many rounds, checking each record.

    Batches and threads are those of `play`.
    """
    rest = endless_batches(batches, game.settings.batch // game.share.count)
    first = next(rest, None)
    used = threads or torch.get_num_threads()
    if first is not None:
        work = check_shapes(game, first)
        rest = itertools.chain([first], rest)
        if threads is None and not any(os.environ.get(name) for name in _SET_BY_THE_USER):
            used = min(used, compute.choose_threads(work))
    records = iter(checked(rounds(game, rest, count, play_round)))
    while True:
        with compute.threads(used):
            try:
                record = next(records, None)
            except CannotCompileError as error:
                raise InputError(
                    f"The round of these networks cannot be compiled ({error}): use compile=False."
                ) from error
        if record is None:
            return
        yield record


__all__ = [
    "CompiledRound",
    "Game",
    "OptimiserSettings",
    "PenaltySettings",
    "ProcessRank",
    "Record",
    "Schedule",
    "Settings",
    "check_shapes",
    "checked",
    "follow",
    "play",
    "rounds",
]
