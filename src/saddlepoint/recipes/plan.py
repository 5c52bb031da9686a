"""The input and output of a recipe (`Data`, `Plan`), and the settings that the modern recipes share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule, Settings


@dataclass(frozen=True, kw_only=True)
class Data:
    """The facts about the data that a recipe uses.

    kind: "points", "pictures" or "tables".
    shape: shape of an encoded row.
    rows: number of training rows.
    condition_width: width of the condition, the number of classes.
    start: the generator's start.
    components: number of mixture components in an encoded row (0 for start "noise").
    min_scale: smallest scale of points that start from noise, in standard deviations (`smallest_scale`).
    ranges: lowest and highest value of each column of such points, encoded.
    feature_blocks: the blocks of a table's encoded row, each as (one-hot entries, whether it has a score).
    variance: mean squared distance of encoded pictures from their mean.
    curvature: how sharply the grey levels of pictures change (`PicturesEncoder.curvature`).
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
        """The number of values in one encoded row."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The output of a recipe: two networks, as names and numbers, and the settings of their game."""

    recipe: str
    generator: dict[str, Any]
    discriminator: dict[str, Any]
    settings: Settings

    def multiply_adds(self, one_row: int) -> float:
        """Return the approximate multiply-adds of one round: about six passes of the batch through both networks.

        one_row: multiply-adds of one row; the number of weights, where each weight is used once.
        """
        return 6.0 * self.settings.batch * one_row


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One recipe: its name, the kinds of data it is for, and the function that plans."""

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
    """Return the settings of all modern games: relativistic, R1 and R2, Adam without momentum, EMA of G.

    rate: learning rate of D, and of G where generator_rate is not given; a number decays to a fiftieth by half a cosine.
    generator_rate: learning rate of G.
    gamma: weight of both penalties.
    noise_width: numbers in one z.
    horizon: rounds.
    batch: rows in a batch.
    clip, augment: as in `Settings`.
    """
    if not isinstance(rate, Schedule):
        rate = Schedule(start=rate, end=rate * 0.02, shape="cosine", warm_up=0.01)
    of_discriminator, of_generator = (
        OptimiserSettings(rate=each, betas=(0.0, 0.99)) for each in (rate, generator_rate or rate)
    )
    return Settings(
        objective="relativistic",
        batch=batch,
        noise_width=noise_width,
        penalties=(PenaltySettings(name="r1", weight=gamma), PenaltySettings(name="r2", weight=gamma)),
        discriminator=of_discriminator,
        generator=of_generator,
        average=0.03,
        clip=clip,
        augment=augment,
        horizon=horizon,
    )
