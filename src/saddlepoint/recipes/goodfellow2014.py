"""The networks and schedules of the paper's own code (github goodfeli/adversarial, mnist.yaml)."""

from __future__ import annotations

import math

from saddlepoint.recipes.plan import Data, Plan
from saddlepoint.training.settings import OptimiserSettings, Schedule, Settings


def goodfellow2014(data: Data, capacity: str) -> Plan:
    """Return the plan for points or pictures: maxout D, rectifier G, SGD with schedules over 250 epochs."""
    pictures = data.kind == "pictures"
    # 1200 and 240 x 5 units are the paper's for 784 pixels; a row with fewer numbers gets narrower layers.
    scale = {"small": 0.5, "medium": 1.0, "large": 2.0}[capacity] * min(1.0, (data.width / 784) ** 0.5)
    generator_width, discriminator_width = max(32, round(1200 * scale)), max(16, round(240 * scale))
    epoch = max(1, data.rows // 100)
    # The authors' cost of D is half of -V: with plain SGD this halves their learning rate of 0.1.
    # Rates are divided by 1.000004 after every update, down to 1e-6.
    rounds_to_floor = math.log(1e5) / math.log(1.000004)
    discriminator_rate, generator_rate = (
        Schedule(start=start, end=start * 1e-5, shape="geometric", unit="rounds", finish=rounds_to_floor)
        for start in (0.05, 0.1)
    )
    momentum = Schedule(start=0.5, end=0.7, shape="linear", unit="rounds", begin=epoch, finish=250 * epoch)
    return Plan(
        recipe="goodfellow2014",
        generator={
            "name": "rectifier-generator",
            "noise_width": 100,
            "shape": list(data.shape),
            "hidden": [generator_width, generator_width],
            "output": "sigmoid" if pictures else "linear",
            "initial_range": 0.05,
            "condition_width": data.condition_width,
        },
        discriminator={
            "name": "maxout-discriminator",
            "shape": list(data.shape),
            "hidden": [discriminator_width, discriminator_width],
            "pieces": 5,
            # Dropping one of a point's few coordinates would hide the point; the paper's inputs were pictures.
            "keep_input": 0.8 if data.width >= 32 else 1.0,
            "keep_hidden": 0.5,
            "initial_range": 0.005 if pictures else 0.05,
            "condition_width": data.condition_width,
        },
        settings=Settings(
            objective="non-saturating",
            form="simultaneous",
            batch=100,
            noise_width=100,
            noise_distribution="uniform",
            discriminator=OptimiserSettings(name="sgd", rate=discriminator_rate, momentum=momentum),
            generator=OptimiserSettings(name="sgd", rate=generator_rate, momentum=momentum),
            horizon=250 * epoch,
        ),
    )
