"""The modern recipe for points: in mixture coordinates, or from noise on standardised columns."""

from __future__ import annotations

import math

from saddlepoint.networks import MixtureGenerator
from saddlepoint.recipes.plan import Data, Plan, modern_settings
from saddlepoint.training.settings import Schedule

_FEWEST_ROUNDS = 300


def points(data: Data, capacity: str) -> Plan:
    """Return the plan for points: in mixture coordinates where rows are encoded by component, else from noise."""
    return _from_noise(data, capacity) if data.components == 0 else _in_components(data, capacity)


def _width(columns: int, capacity: str) -> int:
    """Return the hidden units for points: few for few columns, where more rounds help more than more units."""
    return {"small": 32, "medium": 64, "large": 128}[capacity] * (1 if columns <= 4 else 2)


def _in_components(data: Data, capacity: str) -> Plan:
    """Return the plan for points encoded by component: all scales are about 1, so no number depends on the data's scales."""
    local = data.width - data.components
    # Two dimensions are learnt in 1,000 rounds; more dimensions need more rounds, but only slowly more.
    horizon = min(4000, 100 * round(10 * math.sqrt(max(2, local) / 2)))
    # With few rows the game overfits: on 1,152 digits near copies appeared after about 1,000 rounds (each row seen 200
    # times), and with a shorter horizon, where learning rates decay earlier, samples were nearer to fresh rows at that
    # point. Half as many rounds gained less.
    horizon = min(horizon, max(_FEWEST_ROUNDS, data.rows))
    width = _width(local, capacity)
    # From a start so near to the data a weak penalty keeps D smooth enough, and a weaker one late lets D see detail.
    # Component weights and shapes that must be learnt from scratch need the strong penalty to the end.
    weak = Schedule(start=0.1, end=0.03, shape="geometric", finish=0.9)
    gamma = Schedule(start=1.0) if data.start == "learned" else weak
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


def _from_noise(data: Data, capacity: str) -> Plan:
    """Return the plan for points from noise: D must see fine detail early, and G must be able to leave gaps."""
    width = _width(data.width, capacity)
    # Each mode gets a whole number of the 2^sign_bits sign patterns, almost at random. With more patterns the masses of
    # modes are nearer to the truth; beyond about 2,000 patterns the network no longer separates them.
    sign_bits = 11
    noise_width = sign_bits + (64 if data.width >= 32 else max(4, min(16, data.width)))
    # The highest Fourier frequency makes a quarter turn within the smallest scale; a scale of about 1 needs no Fourier
    # features.
    octaves = min(7, max(0, 1 + math.floor(math.log2(0.87 / max(data.min_scale, 1e-3)))))
    # A strong penalty lets mass move between modes while they are still connected. It is held for a fifth of the rounds:
    # held for a tenth, masses stayed unequal (reverse KL 0.06) in one seed of four. A weak penalty late lets D see the
    # smallest scale.
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
        # With equal amplitudes D reacts to the highest frequencies before G has found every mode, and on the ring some
        # seeds lost modes. So amplitudes fade with frequency.
        discriminator={
            "name": "fourier-discriminator",
            "octaves": octaves,
            "fade": 0.5,
            "ranges": [list(ends) for ends in data.ranges],
            **both,
        },
        settings=modern_settings(
            # Detail is learnt late, and a learning rate that decays from the first round is too small by then. But a G
            # with D's rate oscillates around each mode by more than the mode's width. D takes the oscillation for width,
            # and the average of G, in which it cancels, is too narrow (spread 0.7 to 0.85). So G's rate decays earlier,
            # while D learns finer scales.
            rate=Schedule(start=8e-4, end=1.6e-5, shape="cosine", begin=0.6, warm_up=0.01),
            generator_rate=Schedule(start=8e-4, end=1e-5, shape="geometric", begin=0.35, warm_up=0.01),
            gamma=gamma,
            noise_width=noise_width,
            horizon=5000,
            clip=2.0,
        ),
    )
