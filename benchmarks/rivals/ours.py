"""saddlepoint itself, with eager or compiled rounds."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.speed_games import make

from saddlepoint.training import CompiledRound, Game, rounds
from saddlepoint.training.records import checked


def begin(name: str, how: str) -> Callable[[int], None]:
    """Return a function that plays `count` rounds of a game; how is "eager" or "compiled"."""
    made = make(name)
    game = Game(made.generator, made.discriminator, made.settings)
    play_round = CompiledRound() if how == "compiled" else None
    records = iter(checked(rounds(game, made.batches(), 10**9, play_round)))
    for _ in range(3):
        next(records)

    def play(count: int) -> None:
        for _ in range(count):
            next(records)

    return play
