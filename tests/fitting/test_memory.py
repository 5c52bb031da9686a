"""Less memory for a round, by gradient accumulation and by activations that are computed again: the options reach the game."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from benchmarks.picture_memory import PeakMemory, peak_bytes

from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, Preparation, prepare
from saddlepoint.fitting.fit import multiply_adds_of
from saddlepoint.networks import build

pytestmark = pytest.mark.usefixtures("quick_looks")

PICTURES = np.random.default_rng(0).integers(0, 256, (60, 48, 44, 3), dtype=np.uint8)


def prepared(**choices: object) -> Preparation:
    return prepare(
        open_source(PICTURES, name="X"),
        FitOptions(rounds=2, capacity="small", batch=8, compile="off", precision="float64", **choices),
    )


def test_bytes_that_live_at_once_are_counted() -> None:
    with PeakMemory() as memory:
        a = torch.zeros(1000)
        b = a.view(10, 100)  # the same memory
        c = b + 1
        del c
        torch.zeros(500)
    assert (memory.peak, memory.current) == (8000, 4000)


@pytest.mark.parametrize("choices", [{"accumulation_steps": 4}, {"recompute": True}])
def test_a_round_needs_less_memory_and_makes_the_same_step(choices: dict[str, object]) -> None:
    plain, saving = (prepared(**each).fit(strip=False) for each in ({}, choices))
    assert peak_bytes(saving.game, saving.batches.from_round(0)) < peak_bytes(
        plain.game, plain.batches.from_round(0)
    )
    for name in ("generator", "discriminator"):
        pairs = zip(plain.game.player(name).parameters(), saving.game.player(name).parameters(), strict=True)
        assert all(torch.allclose(one, two, rtol=0, atol=1e-6) for one, two in pairs)


def test_accumulation_steps_must_divide_the_batch() -> None:
    with pytest.raises(InputError, match=r"batch of 8 .* 3 micro-batches"):
        prepared(accumulation_steps=3)


@pytest.mark.parametrize("condition_width", [0, 3])
@pytest.mark.parametrize("name", ["strided", "picture"])
def test_multiply_adds_of_a_convolutional_network_are_counted(name: str, condition_width: int) -> None:
    """A convolution of the whole picture does more multiply-adds than it has weights, and twice the sides about four times."""
    one, two = (
        build(
            {
                "name": f"{name}-discriminator",
                "shape": [1, side, side],
                "width": 16,
                "condition_width": condition_width,
            }
        )
        for side in (24, 48)
    )
    assert multiply_adds_of(one) > sum(each.numel() for each in one.parameters()) / 2
    assert multiply_adds_of(two) > 1.5 * multiply_adds_of(one)
    shape = {"noise_width": 6, "shape": [1, 24, 24], "width": 16, "condition_width": condition_width}
    assert multiply_adds_of(build({"name": f"{name}-generator", **shape})) > 10_000
