"""Odd shapes of known factors: games come below a stated bound, sample exactly their size, and leave no pattern of squares."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.suites.picture_sets import ODD, discs

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import FitOptions, prepare
from saddlepoint.judging import judge
from saddlepoint.judging.metrics.gan_metrics import top_octave

ROOT = Path(__file__).parents[2]
REACHED = {"31x47x1": (120, 0.4), "33x33x4": (100, 0.42), "200x64x3": (30, 0.4)}
"""Rounds of a small pair, batches of 8, and the bound in nats that must not be exceeded, by 200 held-out pictures; where the
referees are never wrong, so few certify .44. Measured here .31, .36 and .28; on other rows (seeds 6 and 7) .34 to .43."""

STATED = {"31x47x1": 0.25, "33x33x4": 0.5, "200x64x3": 0.6}
"""The bound in nats, by 4,000 held-out pictures (.67 certified at most), of games about sprites, played to their end."""


@pytest.mark.parametrize("name", STATED)
def test_the_measured_game_about_an_odd_shape_is_below_the_stated_bound(name: str) -> None:
    stored = json.loads((ROOT / "benchmarks" / "results" / "pictures.json").read_text())["records"]
    bounds = [each["jsd_lower"] for each in stored if (each["set"], each["row"]) == (name, "ours")]
    assert bounds
    assert max(bounds) < STATED[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_a_short_game_about_an_odd_shape_comes_near(name: str) -> None:
    rounds, most = REACHED[name]
    rows = discs(2_700, ODD[name], seed=5)
    held, rows = rows[:200], rows[200:]
    preparation = prepare(
        open_source(rows), FitOptions(rounds=rounds, capacity="small", batch=8, compile="off")
    )
    fit = dataclasses.replace(preparation, threads=1).fit(strip=False)
    list(fit.play())
    made = np.asarray(fit.model().draw(400, random_state=1)[0], dtype=np.uint8)
    assert made.shape == (400, *ODD[name])
    verdict = judge(held, made, held_out="declared", random_state=0, pool="quick", control=False)
    assert verdict.jsd_lower < most
    assert top_octave(made) / top_octave(held) < 2.5  # folds that were not smooth left 4 to 7
