"""Snapshots of a generator: its weights, and the generator to keep, which a law that it started from may be instead."""

from __future__ import annotations

import copy

from torch import Tensor, nn

from saddlepoint.networks import ChartGenerator, OrderedGenerator


def weights_of(generator: nn.Module) -> dict[str, Tensor]:
    """Return a generator's weights, copied to the CPU."""
    return {name: value.detach().to("cpu", copy=True) for name, value in generator.state_dict().items()}


def starts_fitted(generator: nn.Module) -> bool:
    """Return whether a generator started at a law fitted to the data, than which the game must come nearer to it."""
    return isinstance(generator, OrderedGenerator) or (
        isinstance(generator, ChartGenerator) and generator.start == "charts"
    )


def start_in_words(generator: nn.Module) -> str:
    """Return what such a generator started from, in words."""
    return "fitted heads" if isinstance(generator, OrderedGenerator) else "mixture of Gaussians"


def with_weights(generator: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """Return a copy of a generator with these weights."""
    chosen = copy.deepcopy(generator)
    chosen.load_state_dict(weights)
    return chosen


def start_of(generator: nn.Module) -> nn.Module:
    """Return a copy of a generator that makes what it started from, as it was before the game."""
    chosen = copy.deepcopy(generator)
    if isinstance(chosen, ChartGenerator | OrderedGenerator):
        chosen.forget()
    return chosen
