"""Peak memory of a round, and the number of gradient accumulation steps that keeps it below a limit (--memory).

The peak counts the bytes of all tensors that exist at one moment, except those from before the round: activations kept for
the backward pass, gradients, and the sum of gradients over micro-batches. It is measured on copies of the game with one and
with two rows, and grows linearly with the number of rows.
"""

from __future__ import annotations

import copy
import dataclasses
import re
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from saddlepoint.errors import InputError
from saddlepoint.training.algorithm import form_of
from saddlepoint.training.game import Game, Rows

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", re.IGNORECASE)


def bytes_of(text: str) -> int:
    """Return a number of bytes written as 500MB, 1.5 GB or 200000.

    Raises:
        InputError: the text has another form, or the number is below 1.

    >>> bytes_of("1.5GB")
    1500000000
    """
    found = _FORM.fullmatch(str(text).strip())
    number = 0 if found is None else int(float(found[1]) * _UNITS[found[2].upper()])
    if number < 1:
        raise InputError(f"memory is {text!r}; give the memory that a round may use, such as 500MB or 2GB.")
    return number


class _PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of existing tensors that were made inside the context, now (`current`) and at most (`peak`)."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.current = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count the tensors that it made."""
        before = {
            each.untyped_storage()._cdata for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)
        }
        out = func(*args, **(kwargs or {}))
        for each in tree_leaves(out):
            if isinstance(each, Tensor):
                storage = each.untyped_storage()
                key, size = storage._cdata, storage.nbytes()
                if key not in self._known and key not in before:
                    self._known.add(key)
                    self.current += size
                    self.peak = max(self.peak, self.current)
                    weakref.finalize(storage, self._gone, key, size)
        return out

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.current -= size


def peak_bytes(game: Game, batches: Iterator[Rows]) -> int:
    """Return the peak memory of a round in bytes, without the tensors from before it; this plays two rounds."""
    play = form_of(game)
    with game.seeded_modules():
        play(game, batches)  # optimisers make their state in the first round
        with _PeakMemory() as memory:
            play(game, batches)
    peak: int = memory.peak
    return peak


def accumulation_steps_for(
    game: Game, batches: Callable[[], Iterator[Rows]], limit: int
) -> tuple[int | None, int]:
    """Return the fewest accumulation steps that keep a round within a limit, and the bytes of a round of one row.

    The steps are None where even one row is too much. All is measured on copies, so that the game does not change.

    game: the game.
    batches: returns a new iterator over batches from round 0.
    limit: peak memory in bytes.
    """
    count, batch = game.process.count, game.settings.batch
    one, two = (peak_bytes(*_smaller(game, batches(), rows * count)) for rows in (1, 2))
    summed = max(
        sum(each.nbytes for each in optimiser.parameters) for optimiser in game.player_optimisers.values()
    )
    for accumulation_steps in range(1, batch // count + 1):
        rows, left_over = divmod(batch, accumulation_steps * count)
        if (
            left_over == 0
            and one + (rows - 1) * (two - one) + (summed if accumulation_steps > 1 else 0) <= limit
        ):
            return accumulation_steps, one + summed
    return None, one + summed


def _smaller(game: Game, batches: Iterator[Rows], batch: int) -> tuple[Game, Iterator[Rows]]:
    """Return a copy of a game with a smaller batch, and its batches cut to that size."""
    trial = copy.deepcopy(game)
    trial.settings = dataclasses.replace(trial.settings, batch=batch, accumulation_steps=1)
    own = batch // game.process.count

    def first() -> Iterator[Rows]:
        for rows in batches:
            yield (
                tuple(None if x is None else x[:own] for x in rows) if isinstance(rows, tuple) else rows[:own]
            )  # type: ignore[misc]

    return trial, first()
