"""The record of one round (losses, logits, gradient norms), and the check that all numbers are finite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from saddlepoint.errors import GameError

_ROUNDS_BETWEEN_CHECKS = 32


@dataclass(frozen=True)
class Record:
    """The numbers of one round, in the order of NAMES, as a tensor: so a round does not wait for a transfer to the host.

    Losses are in nats and include penalties, logits are means over the batch, gradients are Euclidean norms.
    """

    round: int
    values: Tensor
    NAMES: ClassVar[tuple[str, ...]] = (
        "discriminator_loss",
        "generator_loss",
        "real_logit",
        "fake_logit",
        "discriminator_gradient",
        "generator_gradient",
    )

    def to_dict(self) -> dict[str, float]:
        """Return the round and its numbers as plain floats."""
        return {"round": self.round, **dict(zip(self.NAMES, self.values.tolist(), strict=True))}

    def check(self) -> None:
        """Raise a GameError if a number is not finite; it names the player whose number failed first."""
        numbers = self.to_dict()
        for what in ("discriminator_loss", "discriminator_gradient", "generator_loss", "generator_gradient"):
            if not math.isfinite(numbers[what]):
                player, kind = what.split("_")
                raise GameError(
                    f"The {player}'s {kind} is {numbers[what]} in round {self.round}, so the game stopped there; "
                    "what was saved before is kept. Lower that player's learning rate or check the data's range."
                )


def checked(records: Iterable[Record]) -> Iterable[Record]:
    """Yield the records and check each: at once on the CPU, every 32 rounds on a device, where reading makes it wait."""
    waiting: list[Record] = []
    for record in records:
        waiting.append(record)
        if record.values.device.type == "cpu" or len(waiting) >= _ROUNDS_BETWEEN_CHECKS:
            for each in waiting:
                each.check()
            waiting.clear()
        yield record
    for each in waiting:
        each.check()
