"""The modern recipe for tables: rows of feature blocks, one-hot entries with or without a normal score."""

from __future__ import annotations

import math

from saddlepoint.recipes.plan import Data, Plan
from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule, Settings


def tables(data: Data, capacity: str) -> Plan:
    """Return the plan for tables: a fitted MADE that the game corrects, or all feature blocks at once from noise."""
    return _made(data, capacity) if data.start == "autoregressive" else _from_noise(data, capacity)


def _made(data: Data, capacity: str) -> Plan:
    """Return the plan of a MADE, which draws feature blocks in order; it is fitted by likelihood and the game corrects it."""
    scale = {"small": 0.5, "medium": 1.0, "large": 2.0}[capacity]
    steps = len(data.feature_blocks)
    free = 16
    generator = {
        "bins": _bins(data.rows),
        "units": max(4, round(scale * min(12, 480 / steps))),
        "noise_width": free + steps,
    }
    # So near to the data G needs a small learning rate: at 5e-4 it lost more than D could teach it; at 1e-4 single trials
    # on validation rows of Adult were sometimes better and sometimes worse than the start.
    generator_rate, discriminator_rate = (
        Schedule(start=each, end=each / 20, shape="cosine") for each in (1e-4, 1e-3)
    )
    gamma = Schedule(start=1.0)
    both = {
        "feature_blocks": [[size, scored] for size, scored in data.feature_blocks],
        "condition_width": data.condition_width,
    }
    return Plan(
        recipe="modern",
        generator={"name": "made-generator", **generator, **both},
        discriminator={
            "name": "tabular-discriminator",
            "layers": 2,
            "width": round(128 * scale),
            "frequencies": 8,
            "masked": True,
            **both,
        },
        settings=Settings(
            objective="relativistic",
            batch=min(500, data.rows),
            noise_width=free + steps,
            penalties=(PenaltySettings(name="r1", weight=gamma), PenaltySettings(name="r2", weight=gamma)),
            discriminator=OptimiserSettings(rate=discriminator_rate, betas=(0.0, 0.99)),
            generator=OptimiserSettings(rate=generator_rate, betas=(0.0, 0.99)),
            average=0.1,
            horizon=150,
        ),
    )


def _bins(rows: int) -> int:
    """Return the number of bins of a score: about sqrt(rows) / 4, between 4 and 32; more rows can show finer shapes."""
    return int(min(32, max(4, 2 ** round(math.log2(max(1, rows)) / 2 - 2))))


def _from_noise(data: Data, capacity: str) -> Plan:
    """Return the plan from noise: entries and scores all have scale 1, so a penalty of weight 1 fits any table."""
    width = {"small": 64, "medium": 128, "large": 256}[capacity]
    # Many rounds of narrow networks at a high learning rate beat fewer rounds of wide ones (Adult, 20 variants at equal
    # time).
    rate = Schedule(start=4e-3, end=8e-5, shape="cosine")
    gamma = Schedule(start=1.0)
    entries = sum(size for size, _ in data.feature_blocks)
    noise_width = 128 + entries
    feature_blocks = [[size, scored] for size, scored in data.feature_blocks]
    both = {"feature_blocks": feature_blocks, "width": width, "condition_width": data.condition_width}
    return Plan(
        recipe="modern",
        generator={"name": "tabular-generator", "noise_width": noise_width, "blocks": 2, **both},
        discriminator={"name": "tabular-discriminator", "layers": 2, **both},
        settings=Settings(
            objective="relativistic",
            batch=min(500, data.rows),
            noise_width=noise_width,
            penalties=(PenaltySettings(name="r1", weight=gamma), PenaltySettings(name="r2", weight=gamma)),
            discriminator=OptimiserSettings(rate=rate, betas=(0.0, 0.99)),
            generator=OptimiserSettings(rate=rate, betas=(0.0, 0.99)),
            average=0.1,
            horizon=4000,
        ),
    )
