"""Algorithm 1 of Goodfellow et al. 2014 (arXiv 1406.2661) for any two networks and any batches.

`play` trains your own networks in one call; it is made of `Game` (the state) and `rounds` (the loop).
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

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


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
    """Train your own two networks against each other; yield one record per round, `settings.horizon` in all.

    generator: maps noise (batch, noise_width) to rows (batch, ...); trained in place.
    discriminator: maps rows (batch, ...) to one logit each; trained in place.
    batches: rows (batch, ...) or pairs (rows, condition), as torch tensors or numpy arrays. With a condition both networks
        get it as their second argument. A list of batches or a DataLoader is iterated again whenever it has run out; a
        shorter last batch of a pass is left out, with a warning.
    settings: everything else that defines the game.
    objective: replaces `settings.objective`.
    device: where to train; by default where the generator's parameters are.
    threads: CPU threads during a round; outside a round your own number is in force. By default as many as the work of a
        round can use (small networks are faster on one), at most torch.get_num_threads(), so that a lower number of yours
        is kept. If OMP_NUM_THREADS or MKL_NUM_THREADS is set, torch's number is used unchanged.
    compile: trace the whole round into one graph and compile it. This needs a C++ compiler and takes 20 to 40 s once, less
        when its files are still on this disk. The graph keeps every branch that Python takes in your networks in the first
        round, and the first value of every attribute that is not a tensor.

    Raises:
        InputError: the networks and the rows do not fit (checked before the first round), or the batches run out.
        GameError: a loss or a gradient is not finite; the message names the player and the round.
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
        process=ProcessRank.of_this_process(),
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
    """Check that the players and the batches fit, then play `count` rounds and check each record.

    game: the game to play on.
    batches, threads: as in `play`.
    count: the number of rounds.
    play_round: a compiled round (`CompiledRound`), or None for eager rounds.
    """
    stream = endless_batches(batches, game.settings.batch // game.process.count)
    first = next(stream, None)
    thread_count = threads or torch.get_num_threads()
    if first is not None:
        work = check_shapes(game, first)
        stream = itertools.chain([first], stream)
        if threads is None and not any(os.environ.get(name) for name in _THREAD_VARIABLES):
            thread_count = min(thread_count, compute.choose_threads(work))
    records = iter(checked(rounds(game, stream, count, play_round)))
    while True:
        with compute.threads(thread_count):
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
