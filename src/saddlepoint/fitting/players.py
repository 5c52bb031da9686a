"""The two players of a fit, with their first weights and what they take from the data before round 0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from saddlepoint import compute
from saddlepoint.data.charts import ChartsEncoder
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoding import Encoder
from saddlepoint.data.table_encoder import TableEncoder
from saddlepoint.networks import (
    ChartDiscriminator,
    ChartGenerator,
    CoinGenerator,
    DeconvolutionGenerator,
    PictureLaw,
    RectifierGenerator,
    ResidualGenerator,
    SpanGenerator,
    build,
)
from saddlepoint.recipes import Plan

_START_PICTURES, _START_NUMBERS = 5_000, 50_000_000


def make_players(plan: Plan, encoder: Encoder) -> tuple[nn.Module, nn.Module]:
    """Return a plan's two networks with their first weights, which are a function of the seed."""
    with torch.random.fork_rng([]):
        torch.manual_seed(compute.key(plan.settings.seed, "weights"))
        generator, discriminator = build(plan.generator), build(plan.discriminator)
    if isinstance(
        generator,
        RectifierGenerator | ResidualGenerator | CoinGenerator | DeconvolutionGenerator | PictureLaw,
    ):
        generator.start_at(encoder.mean_encoded)
    if isinstance(generator, SpanGenerator) and isinstance(encoder, TableEncoder):
        generator.start_with(encoder.log_frequencies, encoder.entry_scores)
    for player in (generator, discriminator):
        if isinstance(player, ChartGenerator | ChartDiscriminator) and isinstance(encoder, ChartsEncoder):
            player.charts.start_with(
                *(torch.from_numpy(each) for each in (encoder.shares, encoder.means, encoder.factors))
            )
    return generator, discriminator


def start_pictures(
    generator: nn.Module, train: Dataset, encoder: Encoder, codes: np.ndarray[Any, Any] | None
) -> None:
    """Let a convolutional generator take its fixed law and its units from some of the training pictures."""
    if isinstance(generator, PictureLaw):
        most = max(2, min(len(train), _START_PICTURES, _START_NUMBERS // math.prod(encoder.shape)))
        some = slice(None, None, -(-len(train) // most))
        told = None if codes is None else torch.from_numpy(np.ascontiguousarray(codes[some]))
        generator.start_with(encoder.encode(train.rows[some]), told)


def work_of(player: nn.Module) -> int:
    """Return the multiply-adds of one row: told by a network that shares weights between places, else one for each weight."""
    told = getattr(player, "multiply_adds", None)
    return told if isinstance(told, int) else sum(each.numel() for each in player.parameters())
