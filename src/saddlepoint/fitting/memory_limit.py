"""What a round holds at most, and how it is brought below a limit: batches in parts, then levels that are run again.

Counted are the bytes of all tensors that live at one moment, beside those from before the round: what backward passes keep,
gradients, their sum over parts. Measured on a copy of the game with one and with two rows; it grows by the row.
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
        InputError: it is not written so, or is none.

    >>> bytes_of("1.5GB")
    1500000000
    """
    found = _FORM.fullmatch(str(text).strip())
    number = 0 if found is None else int(float(found[1]) * _UNITS[found[2].upper()])
    if number < 1:
        raise InputError(f"memory is {text!r}; give what a round may hold, such as 500MB or 2GB.")
    return number


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors made under it that live, and the most at one moment."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lives = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what it made."""
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
                    self.lives += size
                    self.most = max(self.most, self.lives)
                    weakref.finalize(storage, self._gone, key, size)
        return out

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.lives -= size


def held(game: Game, batches: Iterator[Rows]) -> int:
    """Return the bytes that a round holds at most beyond what was there before it; the game moves by two rounds."""
    play = form_of(game)
    with game.seeded_modules():
        play(game, batches)  # optimisers make their state in the first round
        with _Watch() as watch:
            play(game, batches)
    most: int = watch.most
    return most


def parts_for(game: Game, batches: Callable[[], Iterator[Rows]], limit: int) -> tuple[int | None, int]:
    """Return in how few parts a batch stays below a limit in bytes, None where one row is too much; and what one row takes.

    batches makes the rows anew. Measured on copies, so that nothing moves.
    """
    count, batch = game.share.count, game.settings.batch
    one, two = (held(*_smaller(game, batches(), rows * count)) for rows in (1, 2))
    summed = max(sum(each.nbytes for each in mover.parameters) for mover in game.player_optimisers.values())
    for accumulation_steps in range(1, batch // count + 1):
        rows, left_over = divmod(batch, accumulation_steps * count)
        if (
            left_over == 0
            and one + (rows - 1) * (two - one) + (summed if accumulation_steps > 1 else 0) <= limit
        ):
            return accumulation_steps, one + summed
    return None, one + summed


def _smaller(game: Game, batches: Iterator[Rows], batch: int) -> tuple[Game, Iterator[Rows]]:
    """Return a copy of a game that plays so few rows a round, and these."""
    trial = copy.deepcopy(game)
    trial.settings = dataclasses.replace(trial.settings, batch=batch, accumulation_steps=1)
    own = batch // game.share.count

    def first() -> Iterator[Rows]:
        for rows in batches:
            yield (
                tuple(None if x is None else x[:own] for x in rows) if isinstance(rows, tuple) else rows[:own]
            )  # type: ignore[misc]

    return trial, first()
