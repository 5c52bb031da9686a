"""Memory of a round of pictures: whole batches, gradient accumulation and recomputed activations, with and without penalties.

`python -m benchmarks.picture_memory` writes benchmarks/results/picture_memory.json: the peak of bytes during a round, minus
those allocated before it, and CPU seconds per round.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.suites.picture_sets import discs
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import Fit, FitOptions, prepare
from saddlepoint.training import rounds
from saddlepoint.training.algorithm import form_of
from saddlepoint.training.game import Game, Rows

RESULTS = Path(__file__).parent / "results" / "picture_memory.json"
SIDES, BATCH = (64, 256), 8


class PeakMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
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
        with PeakMemory() as memory:
            play(game, batches)
    peak: int = memory.peak
    return peak


def measured(fit: Fit, accumulation_steps: int, recompute: bool) -> dict[str, Any]:
    """Return peak memory and CPU seconds of a round in one way of playing, on a copy of the game."""
    game = copy.deepcopy(fit.game)
    game.settings = dataclasses.replace(game.settings, accumulation_steps=accumulation_steps)
    game.generator.recompute = game.discriminator.recompute = recompute  # type: ignore[assignment]
    most = peak_bytes(game, fit.batches.from_round(0))
    began = time.process_time()
    list(rounds(game, fit.batches.from_round(0), 3))
    return {
        "parts": accumulation_steps,
        "again": recompute,
        "bytes": most,
        "cpu_seconds": (time.process_time() - began) / 3,
    }


def main() -> None:
    """Measure, and write the results."""
    records = []
    for side in SIDES:
        preparation = prepare(
            open_source(discs(20, (side, side, 3), seed=0)), FitOptions(rounds=3, compile="off", batch=BATCH)
        )
        plan = preparation.plan
        for penalties in (plan.settings.penalties, ()):
            settings = dataclasses.replace(plan.settings, penalties=penalties)
            fit = dataclasses.replace(
                preparation, threads=1, plan=dataclasses.replace(plan, settings=settings)
            ).fit(strip=False)
            for accumulation_steps, recompute in (
                (1, False),
                (1, True),
                (2, False),
                (BATCH, False),
                (BATCH, True),
            ):
                facts = {
                    "side": side,
                    "penalties": bool(penalties),
                    **measured(fit, accumulation_steps, recompute),
                }
                records.append(facts)
                print(facts, flush=True)
    RESULTS.write_text(json.dumps({"batch": BATCH, "records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
