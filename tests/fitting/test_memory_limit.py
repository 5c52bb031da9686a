"""A limit on what a round holds: obeyed by gradient accumulation, measured, and refused where one row is too much."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare
from saddlepoint.fitting.memory_limit import _PeakMemory, bytes_of, peak_bytes

PICTURES = np.random.default_rng(0).integers(0, 256, (60, 48, 44, 3), dtype=np.uint8)


def prepared(**choices):
    return prepare(
        open_source(PICTURES, name="X"),
        FitOptions(rounds=2, capacity="small", batch=8, compile="off", **choices),
    )


def peak_of(preparation) -> int:
    fit = preparation.fit(strip=False)
    return peak_bytes(fit.game, fit.batches.from_round(0))


def test_bytes_that_live_at_once_are_counted():
    with _PeakMemory() as memory:
        a = torch.zeros(1000)
        b = a.view(10, 100)  # the same memory
        c = b + 1
        del c
        torch.zeros(500)
    assert (memory.peak, memory.current) == (8000, 4000)


def test_a_limit_is_kept_by_as_few_accumulation_steps_as_do():
    whole = peak_of(prepared())
    parted = prepared(memory=f"{whole / 2:.0f}")
    assert parted.plan.settings.accumulation_steps in (2, 4)
    assert peak_of(parted) <= whole / 2
    assert prepared(memory="1GB").plan.settings.accumulation_steps == 1


def test_levels_run_again_hold_less_and_move_nothing():
    preparation = prepared()
    fit = preparation.fit(strip=False)
    again = copy.deepcopy(fit.game)
    again.generator.recompute = again.discriminator.recompute = True
    batches = fit.batches.from_round
    assert peak_bytes(again, batches(0)) < peak_bytes(fit.game, batches(0))
    for name in ("generator", "discriminator"):
        for one, two in zip(fit.game.player(name).parameters(), again.player(name).parameters(), strict=True):
            assert torch.equal(one, two)


def test_less_than_one_row_takes_is_refused():
    with pytest.raises(
        InputError,
        match=r"^memory is 200KB, and a round needs \d+ MB even one row at a time: give more memory",
    ):
        prepared(memory="200KB")


@pytest.mark.parametrize("text", ["", "much", "-3MB", "0", "5TB"])
def test_what_is_no_number_of_bytes_is_refused(text):
    with pytest.raises(
        InputError, match=rf"^memory is '{text}'; give the memory that a round may use, such as 500MB"
    ):
        FitOptions(memory=text)
    assert bytes_of("2 gb") == 2 * bytes_of("1000M") == 2 * 10**9
