"""Pictures of odd shapes: short games come below a bound, sample exactly the shape, and leave no grid of squares."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from benchmarks.suites.picture_sets import discs

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import FitOptions, prepare
from saddlepoint.judging import judge
from saddlepoint.judging.metrics.gan_metrics import top_octave

pytestmark = pytest.mark.usefixtures("quick_looks")

REACHED = {(17, 17, 4): (60, 0.435), (50, 16, 3): (30, 0.41)}
"""Rounds of a small pair, batches of 8, and a bound in nats that is not exceeded, by 200 held-out pictures; classifiers that
are never wrong certify .44 on so few. Measured on seeds 5 to 8: .33 to .43 and .32 to .36."""


@pytest.mark.slow
@pytest.mark.parametrize("shape", REACHED)
def test_a_short_game_about_an_odd_shape_comes_near(shape: tuple[int, int, int]) -> None:
    rounds, most = REACHED[shape]
    rows = discs(1_300, shape, seed=5)
    held_out, rows = rows[:200], rows[200:]
    preparation = prepare(
        open_source(rows), FitOptions(rounds=rounds, capacity="small", batch=8, compile="off")
    )
    fit = dataclasses.replace(preparation, threads=1).fit(strip=False)
    list(fit.play())
    samples = np.asarray(fit.model().draw(400, random_state=1)[0], dtype=np.uint8)
    assert samples.shape == (400, *shape)
    verdict = judge(held_out, samples, held_out="declared", random_state=0, pool="quick", control=False)
    assert verdict.jsd_lower < most
    assert top_octave(samples) / top_octave(held_out) < 2.5  # folds that were not smooth left 4 to 7
