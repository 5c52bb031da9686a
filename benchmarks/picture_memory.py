"""Memory of a round of pictures: whole batches, gradient accumulation and recomputed activations, with and without penalties.

`python -m benchmarks.picture_memory` writes benchmarks/results/picture_memory.json: the peak of bytes during a round, minus
those allocated before it, and CPU seconds per round.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.suites.picture_sets import discs

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import Fit, FitOptions, prepare
from saddlepoint.fitting.memory_limit import peak_bytes
from saddlepoint.training import rounds

RESULTS = Path(__file__).parent / "results" / "picture_memory.json"
SIDES, BATCH = (64, 256), 8


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
