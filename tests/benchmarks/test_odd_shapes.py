"""Odd shapes of known factors: short games come below a stated bound, and leave no pattern of squares."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from saddlepoint.benchmarks.picture_sets import ODD, drawn
from saddlepoint.data.sources import open_source
from saddlepoint.fitting import Choices, prepare
from saddlepoint.judging import judge
from saddlepoint.judging.spectrum import top_octave

REACHED = {"31x47x1": (120, 0.4), "33x33x4": (100, 0.45), "200x64x3": (30, 0.4)}
"""Rounds of a small pair, batches of 8, and the bound in nats that must not be exceeded, by 200 held-out pictures."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_a_short_game_about_an_odd_shape_comes_near(name: str) -> None:
    rounds, most = REACHED[name]
    rows = drawn(2_700, ODD[name], seed=5)
    held, rows = rows[:200], rows[200:]
    preparation = prepare(open_source(rows), Choices(rounds=rounds, capacity="small", batch=8, compile="off"))
    fit = dataclasses.replace(preparation, threads=1).fit(strip=False)
    list(fit.play())
    made = np.asarray(fit.model().draw(400, random_state=1)[0], dtype=np.uint8)
    assert made.shape == (400, *ODD[name])
    verdict = judge(held, made, held_out="declared", random_state=0, pool="quick", control=False)
    assert verdict.jsd_lower < most
    assert top_octave(made) / top_octave(held) < 2.5  # folds that were not smooth left 4 to 7
