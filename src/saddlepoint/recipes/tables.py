"""Tables: rows of spans, one-hot entries with a score or without."""

from __future__ import annotations

import math

from saddlepoint.recipes.plan import Data, Plan
from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule, Settings


def tables(data: Data, capacity: str) -> Plan:
    """Return the plan for tables: heads in order from a fitted law, or all spans at once from noise."""
    return _in_order(data, capacity) if data.start == "autoregressive" else _in_spans(data, capacity)


def _in_order(data: Data, capacity: str) -> Plan:
    """Rows of spans drawn one after the other from a law fitted by likelihood, which the game corrects."""
    scale = {"small": 0.5, "medium": 1.0, "large": 2.0}[capacity]
    steps = len(data.feature_blocks)
    free = 16
    generator = {
        "bins": _bins(data.rows),
        "units": max(4, round(scale * min(12, 480 / steps))),
        "noise_width": free + steps,
    }
    # So near to the data G must move slowly: at 5e-4 it lost more than D could teach it; at 1e-4 single trials on a held
    # part of Adult went either way.
    rate, pace = (Schedule(start=each, end=each / 20, shape="cosine") for each in (1e-4, 1e-3))
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
            discriminator=OptimiserSettings(rate=pace, betas=(0.0, 0.99)),
            generator=OptimiserSettings(rate=rate, betas=(0.0, 0.99)),
            average=0.1,
            horizon=150,
        ),
    )


def _bins(rows: int) -> int:
    """Bins of a score: enough to show the shapes that so many rows can show."""
    return int(min(32, max(4, 2 ** round(math.log2(max(1, rows)) / 2 - 2))))


def _in_spans(data: Data, capacity: str) -> Plan:
    """Rows of spans: one-hot entries and normal scores, all of scale 1, so that a penalty of weight 1 fits any table."""
    width = {"small": 64, "medium": 128, "large": 256}[capacity]
    # Many rounds of a narrow pair at a high rate beat fewer of a wide one (Adult, 20 variants at equal time).
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
