"""Recovery from mode collapse: go back to the safest snapshot, and with `--on-collapse remedy` change the settings.

The safest snapshot is the one with the fewest lost regions. A remedy halves both learning rates and triples the weights of
the penalties (a game without penalties gets R1 of weight 1 on D). The round number is not set back: the budget stays the
same, and the random draws are new ones.
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
    """Return settings with learning rates times 0.5 and penalties times 3, applied `times` times."""
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


def apply_settings(game: Game, settings: Settings) -> None:
    """Continue a game with other settings (learning rates and penalties)."""
    game.settings = settings
    game.penalties = [
        (get_penalty(each.name), partial(each.weight.at, horizon=settings.horizon))
        for each in settings.penalties
    ]


class CollapseRecovery:
    """A snapshot of the whole game at the safest check, and the rounds at which the game went back to it.

    Every rank has its own copy, and all are equal.

    game: the game.
    remedy: whether settings are changed each time (`remedied`); else the game only goes back.
    """

    def __init__(self, game: Game, *, remedy: bool) -> None:
        self.remedy, self.rounds = remedy, list[int]()
        self._settings = game.settings
        self._snapshot: dict[str, Tensor] = {}

    def remember(self, game: Game) -> None:
        """Keep the current state of the game as the snapshot."""
        self._snapshot = checkpoint.state_of(game)

    def apply(self, game: Game) -> None:
        """Set players, optimisers and average back to the snapshot; the round number stays."""
        checkpoint.restore(game, Checkpoint(game.round, self._snapshot, {}))
        self.rounds.append(game.round)
        self._apply_remedy(game)

    def sentence(self) -> str:
        """Return in words what was done last."""
        changed = (
            "; it goes on with half the learning rates and three times the penalty" if self.remedy else ""
        )
        return f"a region was lost: at round {self.rounds[-1]:,} the game went back to its safest snapshot{changed}"

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return what a checkpoint stores: tensors by name, and plain JSON values."""
        return {f"recovery.{name}": value for name, value in self._snapshot.items()}, {
            "remedies": self.rounds
        }

    def restore(self, game: Game, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over what `state` returned, and give the game the settings that belong to it."""
        self.rounds[:] = facts.get("remedies", [])
        self._snapshot = {
            key.removeprefix("recovery."): value
            for key, value in tensors.items()
            if key.startswith("recovery.")
        }
        self._apply_remedy(game)

    def _apply_remedy(self, game: Game) -> None:
        if self.remedy:
            apply_settings(game, remedied(self._settings, len(self.rounds)))


def _slower(optimiser: OptimiserSettings, factor: float) -> OptimiserSettings:
    return dataclasses.replace(optimiser, rate=_scaled(optimiser.rate, factor))


def _scaled(schedule: Schedule, factor: float) -> Schedule:
    end = None if schedule.end is None else schedule.end * factor
    return dataclasses.replace(schedule, start=schedule.start * factor, end=end)
