"""A lower bound of the time of a round: its matrix products in the same shapes, and streaming the optimisers' bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from benchmarks.speed_games import SpeedGame, make
from torch.utils._python_dispatch import TorchDispatchMode

from saddlepoint.training import Game, rounds

_PRODUCTS = ("mm", "addmm", "bmm", "convolution", "convolution_backward")


class Products(TorchDispatchMode):
    """Records the matrix products and convolutions that are executed."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[Any, tuple[Any, ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in _PRODUCTS:
            # The bias of addmm is not a product, so it is left out.
            operation = (torch.ops.aten.mm.default, args[1:3]) if "addmm" in str(func) else (func, args)
            self.found.append(operation)
        return func(*args, **(kwargs or {}))


def products_of(made: SpeedGame) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return the matrix products of one eager round."""
    game = Game(made.generator, made.discriminator, made.settings)
    records = rounds(game, made.batches(), 2)
    next(records)
    with Products() as products:
        next(records)
    return products.found


def moved_bytes(made: SpeedGame) -> float:
    """Return the bytes that optimisers and average of G must read and write in a round, each tensor once."""
    of_g, of_d = (sum(p.numel() for p in net.parameters()) for net in (made.generator, made.discriminator))
    each = 5 if made.settings.generator.name == "sgd" else 7
    return 4.0 * (each * (of_g + of_d) + (0 if made.settings.average is None else 3 * of_g))


def begin(name: str) -> Callable[[int], float]:
    """Return a function that measures the lower bound of the CPU seconds of `count` rounds of a game."""
    made = make(name)
    found = products_of(made)
    long = torch.zeros(2**24), torch.ones(2**24)

    @torch.no_grad()
    def limit(count: int) -> float:
        began = time.process_time()
        for _ in range(count):
            for func, args in found:
                func(*args)
        products = time.process_time() - began
        began = time.process_time()
        torch.add(*long, out=long[0])
        stream = 12.0 * 2**24 / (time.process_time() - began)
        return products + count * moved_bytes(made) / stream

    return limit
