"""Snapshots of a generator: its weights, and the generator to keep, which a mixture that it started from may be instead."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from saddlepoint.networks import ChartGenerator


def weights_of(generator: nn.Module) -> dict[str, Tensor]:
    """Return a generator's weights, copied to the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in generator.state_dict().items()}


def starts_as_mixture(generator: nn.Module) -> bool:
    """Return whether a generator started as a mixture of Gaussians, of which the game must be nearer to the data."""
    return isinstance(generator, ChartGenerator) and generator.start == "charts"


def with_weights(generator: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """Return a copy of a generator with these weights."""
    chosen = copy.deepcopy(generator)
    chosen.load_state_dict(weights)
    return chosen


def mixture_of(generator: nn.Module) -> nn.Module:
    """Return a copy of a generator that makes the mixture it started from, as it was before the game."""
    chosen = copy.deepcopy(generator)
    if isinstance(chosen, ChartGenerator):
        chosen.forget()
    return chosen
