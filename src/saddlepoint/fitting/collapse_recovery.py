"""What is done about a collapse: go back to the snapshot with the fewest lost regions, and (remedy) go on more carefully.

A remedy halves both learning rates and triples the penalties' weights (a game without penalties gets R1 of weight 1 on D).
The round is not set back: the budget is what it was, and the draws are fresh.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from torch import Tensor

from saddlepoint.objectives import get_penalty
from saddlepoint.training import Game, OptimiserSettings, PenaltySettings, Schedule, Settings, checkpoint
from saddlepoint.training.checkpoint import Checkpoint

MOST_RECOVERIES = 2
RATE, PENALTY = 0.5, 3.0


def remedied(settings: Settings, times: int) -> Settings:
    """Return settings with rates times 0.5 and penalties times 3, so many times over."""
    if times == 0:
        return settings
    penalties = settings.penalties or (PenaltySettings(name="r1", weight=Schedule(start=1 / PENALTY)),)
    return dataclasses.replace(
        settings,
        discriminator=_slower(settings.discriminator, RATE**times),
        generator=_slower(settings.generator, RATE**times),
        penalties=tuple(
            dataclasses.replace(each, weight=_scaled(each.weight, PENALTY**times)) for each in penalties
        ),
    )


def adopt(game: Game, settings: Settings) -> None:
    """Let a game go on under other settings (rates and penalties)."""
    game.settings = settings
    game.penalties = [
        (get_penalty(each.name), partial(each.weight.at, horizon=settings.horizon))
        for each in settings.penalties
    ]


class CollapseRecovery:
    """The way back after a collapse: the whole game at the safest check, and the rounds at which it was taken.

    Every rank holds its own, all alike. mend: go on more carefully each time (`remedied`); else only go back.
    """

    def __init__(self, game: Game, *, mend: bool) -> None:
        self.mend, self.rounds = mend, list[int]()
        self._settings = game.settings
        self._snapshot: dict[str, Tensor] = {}

    def remember(self, game: Game) -> None:
        """Keep the game as it stands."""
        self._snapshot = checkpoint.state_of(game)

    def apply(self, game: Game) -> None:
        """Put players, optimisers and average back to what was kept; the round stays."""
        checkpoint.restore(game, Checkpoint(game.round, self._snapshot, {}))
        self.rounds.append(game.round)
        self._adopt(game)

    def said(self) -> str:
        """Return in words what was done last."""
        how = "; it goes on with half the learning rates and three times the penalty" if self.mend else ""
        return (
            f"a region was lost: at round {self.rounds[-1]:,} the game went back to its safest snapshot{how}"
        )

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what a checkpoint stores: tensors by name, and plain JSON values."""
        return {f"recovery.{name}": value for name, value in self._snapshot.items()}, {
            "remedies": self.rounds
        }

    def restore(self, game: Game, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over what `state` returned, and let the game go on under the settings of then."""
        self.rounds[:] = facts.get("remedies", [])
        self._snapshot = {
            key.removeprefix("recovery."): value
            for key, value in tensors.items()
            if key.startswith("recovery.")
        }
        self._adopt(game)

    def _adopt(self, game: Game) -> None:
        if self.mend:
            adopt(game, remedied(self._settings, len(self.rounds)))


def _slower(optimiser: OptimiserSettings, factor: float) -> OptimiserSettings:
    return dataclasses.replace(optimiser, rate=_scaled(optimiser.rate, factor))


def _scaled(schedule: Schedule, factor: float) -> Schedule:
    end = None if schedule.end is None else schedule.end * factor
    return dataclasses.replace(schedule, start=schedule.start * factor, end=end)
