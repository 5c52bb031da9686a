"""Does a network look at each row alone? Only then may real and generated rows share one pass."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from saddlepoint import compute

_STIR, _AGREE = 0.3, 100.0


@torch.no_grad()
def mixes_rows(
    module: nn.Module, run: Callable[[nn.Module, Tensor], Tensor], rows: Tensor, *, computed: torch.dtype
) -> bool:
    """Return whether a network's outputs on rows hang on what else is in the batch, or on chance (own dropout).

    Asked of a copy whose parameters are stirred, since a part that mixes rows may start at zero. run(module, rows) is
    how the game runs a player. A network that cannot take a batch of half the rows counts as one that mixes.
    """
    if len(rows) < 2:
        return True
    trial = copy.deepcopy(module)
    for index, parameter in enumerate(trial.parameters()):
        noise = torch.randn(parameter.shape, generator=compute.stream(0, "stir", index))
        parameter.add_(_STIR * noise.to(parameter.device, parameter.dtype))
    half = len(rows) // 2
    try:
        apart = torch.cat([run(trial, rows[:half]), run(trial, rows[half:])]).flatten()
        whole = run(trial, rows).flatten()
    except (RuntimeError, ValueError, IndexError):
        return True
    if apart.shape != whole.shape:
        return True
    allowed = _AGREE * max(torch.finfo(computed).eps, torch.finfo(torch.float32).eps)
    scale = whole.abs().max().clamp_min(torch.finfo(whole.dtype).tiny)
    # A NaN is no agreement.
    return not bool((apart - whole).abs().max() <= allowed * scale)
