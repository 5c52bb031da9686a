"""The game that all modern pairs play."""

from __future__ import annotations

from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule, Settings


def modern_settings(
    *,
    rate: float | Schedule,
    generator_rate: Schedule | None = None,
    gamma: Schedule,
    noise_width: int,
    horizon: int,
    batch: int = 256,
    clip: float | None = None,
    augment: float = 0.0,
) -> Settings:
    """The game that all modern pairs play: relativistic, R1 and R2, Adam without momentum, an average of G.

    rate is D's, and G's too where generator_rate is not given; a number falls to a fiftieth by half a cosine.
    """
    if not isinstance(rate, Schedule):
        rate = Schedule(start=rate, end=rate * 0.02, shape="cosine", warm_up=0.01)
    pace, own = (OptimiserSettings(rate=each, betas=(0.0, 0.99)) for each in (rate, generator_rate or rate))
    return Settings(
        objective="relativistic",
        batch=batch,
        noise_width=noise_width,
        penalties=(PenaltySettings(name="r1", weight=gamma), PenaltySettings(name="r2", weight=gamma)),
        discriminator=pace,
        generator=own,
        average=0.03,
        clip=clip,
        augment=augment,
        horizon=horizon,
    )
