"""The players' optimisers: torch's own, with rate and momentum set from their schedules before each step."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from saddlepoint.training.settings import OptimiserSettings


def make(settings: OptimiserSettings, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return the optimiser of one player.

    SGD's momentum is v <- mu v + g, x <- x - rate v. The paper's code writes v <- mu v - rate g, x <- x + v,
    which is the same for a constant rate and differs by the rate's relative change a round (4e-6) otherwise.
    """
    if settings.name == "sgd":
        # The first momentum may be 0 while a later one is not: torch reads it anew at each step.
        return torch.optim.SGD(parameters, lr=settings.rate.start, momentum=settings.momentum.start)
    return torch.optim.Adam(
        parameters, lr=settings.rate.start, betas=settings.betas, eps=settings.eps, fused=True
    )


def set_pace(
    optimiser: torch.optim.Optimizer, settings: OptimiserSettings, round_: int, horizon: int
) -> None:
    """Set the learning rate and momentum of a round."""
    for group in optimiser.param_groups:
        group["lr"] = settings.rate.at(round_, horizon)
        if "momentum" in group:
            group["momentum"] = settings.momentum.at(round_, horizon)
