"""Points: in charts of a mixture, or from noise on raw coordinates."""

from __future__ import annotations

import math

from saddlepoint.networks import MixtureGenerator
from saddlepoint.recipes.plan import Data, Plan, modern_settings
from saddlepoint.training.settings import Schedule

_FEWEST_ROUNDS = 300


def points(data: Data, capacity: str) -> Plan:
    """Return the plan for points: charts, where the rows are written in them, else the paper's noise."""
    return _plain(data, capacity) if data.components == 0 else _in_components(data, capacity)


def _width(columns: int, capacity: str) -> int:
    """Hidden units for points: narrow for few columns, where rounds count for more than units."""
    return {"small": 32, "medium": 64, "large": 128}[capacity] * (1 if columns <= 4 else 2)


def _in_components(data: Data, capacity: str) -> Plan:
    """Points in charts: every scale is about 1 there, so that no number depends on the data's own scales."""
    local = data.width - data.components
    # A plane is learnt in 1,000 rounds; what is left to correct grows with the dimension, slowly.
    horizon = min(4000, 100 * round(10 * math.sqrt(max(2, local) / 2)))
    # Few rows are learnt by heart: of 1,152 digits samples near copies came after some 1,000 rounds (each row seen 200
    # times), while rates that fall sooner left samples nearer to fresh rows by then. Half as many gained less.
    horizon = min(horizon, max(_FEWEST_ROUNDS, data.rows))
    width = _width(local, capacity)
    # From a start this near the data a light penalty is enough to keep D smooth, and a lighter one late shows detail;
    # frequencies and shapes that must be learnt from nothing want the firm one to the end.
    light = Schedule(start=0.1, end=0.03, shape="geometric", finish=0.9)
    gamma = Schedule(start=1.0) if data.start == "learned" else light
    noise_width = MixtureGenerator.noise_for(data.components, local, data.start)
    both = {
        "components": data.components,
        "local_width": local,
        "width": width,
        "blocks": 2,
        "start": data.start,
        "condition_width": data.condition_width,
    }
    return Plan(
        recipe="modern",
        generator={"name": "mixture-generator", "noise_width": noise_width, **both},
        discriminator={"name": "mixture-discriminator", **both},
        settings=modern_settings(rate=2e-3, gamma=gamma, noise_width=noise_width, horizon=horizon),
    )


def _plain(data: Data, capacity: str) -> Plan:
    """Points from noise on raw coordinates: D must see fine detail early, and G must be able to leave gaps."""
    width = _width(data.width, capacity)
    # Modes get whole numbers of the 2^coins sign patterns, almost at random: more patterns, masses nearer to the truth;
    # beyond some 2,000 of them the network no longer keeps them apart.
    sign_bits = 11
    noise_width = sign_bits + (64 if data.width >= 32 else max(4, min(16, data.width)))
    # The fastest wave turns a quarter within the smallest scale; none are needed where that is about 1.
    octaves = min(7, max(0, 1 + math.floor(math.log2(0.87 / max(data.min_scale, 1e-3)))))
    # A firm penalty lets masses flow between modes while they are still joined (held for a fifth: after a tenth they
    # froze unequal, reverse KL .06, in one seed of four); a light one late shows the smallest scale.
    end = min(0.1, max(3e-3, 15.0 * data.min_scale**2))
    gamma = Schedule(start=1.0, end=end, shape="geometric", begin=0.2, finish=0.9)
    both = {"shape": list(data.shape), "width": width, "condition_width": data.condition_width}
    return Plan(
        recipe="modern",
        generator={
            "name": "sign-noise-generator",
            "noise_width": noise_width,
            "sign_bits": sign_bits,
            "spread": 0.7,
            **both,
        },
        # Waves of equal height let D answer to the fastest ones before G has found every mode: ring seeds lost modes so.
        discriminator={
            "name": "fourier-discriminator",
            "octaves": octaves,
            "fade": 0.5,
            "ranges": [list(ends) for ends in data.ranges],
            **both,
        },
        settings=modern_settings(
            # Detail comes late, and a rate that falls from the first round is spent by then. But a G that moves as fast
            # as D swings about each mode by more than the mode's width; D sees the swing as width, and the average,
            # in which it cancels, comes out too narrow (spread .7 to .85). So G slows as D learns finer scales.
            rate=Schedule(start=8e-4, end=1.6e-5, shape="cosine", begin=0.6, warm_up=0.01),
            generator_rate=Schedule(start=8e-4, end=1e-5, shape="geometric", begin=0.35, warm_up=0.01),
            gamma=gamma,
            noise_width=noise_width,
            horizon=5000,
            clip=2.0,
        ),
    )
