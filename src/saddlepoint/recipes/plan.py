"""The game that all modern pairs play.

What a recipe may know of the data, and what it decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule, Settings


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a recipe may know of the data: kind, shape of an encoded row, rows to train on, width of the condition.

    start is where the generator begins; charts is how many charts an encoded row begins with (0 for start "plain");
    finest is the smallest scale of points that start plain, in standard deviations (`data.scale.smallest_scale`),
    and ranges their columns' (lowest, highest), encoded;
    spans are those of a table's row, (one-hot entries, scored) each; spread is the mean squared distance of encoded
    pictures from their mean, and bend how sharply their grey levels turn (`data.images.PicturesEncoder.curvature`).
    """

    kind: str
    shape: Sequence[int]
    rows: int
    condition_width: int = 0
    start: str = "noise"
    components: int = 0
    min_scale: float = 1.0
    ranges: Sequence[tuple[float, float]] = ()
    feature_blocks: Sequence[tuple[int, bool]] = ()
    variance: float = 1.0
    curvature: float = 2.0

    @property
    def width(self) -> int:
        """Numbers in one row."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a recipe decided: two networks by name and numbers, and the settings of their game."""

    recipe: str
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    settings: Settings

    def multiply_adds(self, one_row: int) -> float:
        """Return roughly how many multiply-adds one round takes: some six passes of the batch through both networks.

        one_row is what one row takes: the number of weights, where each is used once.
        """
        return 6.0 * self.settings.batch * one_row


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One recipe: the kinds of data it is for, and its plan."""

    name: str
    summary: str
    kinds: tuple[str, ...]
    plan: Callable[[Data, str], Plan]


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
