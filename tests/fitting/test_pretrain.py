"""The start of a table's game: closed forms, steps that held-out rows end, and starts that copy made weaker."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from saddlepoint.data.opening import open_source
from saddlepoint.fitting import FitOptions, Preparation, Pretraining, prepare, restore
from saddlepoint.fitting.pretrain import (
    STEPS,
    PretrainResult,
    _Likelihood,
    _Pretrainer,
    pretrain,
    ridge_regressions,
)

pytestmark = pytest.mark.usefixtures("quick_looks")


def line(n: int = 300, seed: int = 0) -> pd.DataFrame:
    """Rows of a straight line with noise: the rank correlation of normal scores is .8; beside it a column of words."""
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "y": 0.8 * x + 0.6 * random.normal(size=n),
            "word": np.where(random.random(n) < 0.4, "a", "b"),
        }
    )


def prepared(n: int = 300, **choices: object) -> Preparation:
    return prepare(open_source(line(n), name="line"), FitOptions(**{"rounds": 1, **choices}))  # type: ignore[arg-type]


def fitted(copied) -> PretrainResult:
    preparation = prepared()
    fit = preparation.fit(strip=False)
    generator, encoder = fit.game.generator, preparation.encoder
    validation = encoder.to_codes(preparation.monitor.rows)
    steps = pretrain(generator, encoder, fit.batches.cell_codes, validation, seed=0, copied=copied)
    while True:
        try:
            next(steps)
        except StopIteration as stopped:
            return stopped.value


def test_a_guess_finds_the_line_and_what_is_left_of_it() -> None:
    """y given x is N(.8 x, .6^2): with 2,400 rows the slope has a standard error of .012; words say nothing of y."""
    preparation = prepared(3000)
    fit = preparation.fit(strip=False)
    order = fit.game.generator.order
    weights, biases = ridge_regressions(order, preparation.encoder, fit.batches.cell_codes, 0)
    x, y, word = order.steps
    assert float(weights[x.inputs.stop - 1, y.prediction.start]) == pytest.approx(0.8, abs=0.06)
    assert float(biases[y.prediction.start + 1].exp()) == pytest.approx(0.6, abs=0.05)
    assert float(weights[:, word.outputs].abs().max()) == 0.0
    assert float(biases[x.prediction.start + 1].exp()) == pytest.approx(1.0, abs=0.05)


def test_with_more_columns_than_rows_a_guess_does_not_take_noise_for_structure() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(60, 50)), columns=[f"x{i}" for i in range(50)])
    frame["word"] = np.where(random.random(60) < 0.5, "a", "b")
    preparation = prepare(open_source(frame, name="plain"), FitOptions(rounds=1))
    fit = preparation.fit(strip=False)
    order = fit.game.generator.order
    _, biases = ridge_regressions(order, preparation.encoder, fit.batches.cell_codes, 0)
    spreads = torch.stack([biases[step.prediction.start + 1].exp() for step in order.steps[:-1]])
    assert float(spreads.median()) > 0.8


def test_conditioning_leaves_the_distribution_of_whole_rows_as_it_is() -> None:
    preparation = prepared()
    fit = preparation.fit(strip=False)
    generator, encoder, codes = fit.game.generator, preparation.encoder, fit.batches.cell_codes
    torch.manual_seed(0)
    first = {
        name: value + 0.1 * torch.randn_like(value)
        for name, value in generator.weights(torch.float32).items()
    }
    likelihood = _Likelihood(generator, encoder, 0)
    pretrainer = _Pretrainer(
        first, generator.order, torch.zeros(generator.order.outputs), len(codes)
    ).only_conditioning_from(first)
    for step in range(20):
        pretrainer.step(-likelihood.of_step(pretrainer.current_weights(), codes, None, step).sum(1).mean())
    noise = torch.randn(500, preparation.plan.settings.noise_width)
    known = torch.zeros(500, len(encoder.feature_blocks))
    known[:, 1] = 1.0
    drawn = []
    for weights in (first, pretrainer.average_weights()):
        generator.init_from_data(weights, encoder.entry_scores)
        seen = generator(noise).detach()
        drawn.append((seen, generator(noise, torch.cat([seen, known], 1)).detach()))
    torch.testing.assert_close(drawn[0][0], drawn[1][0], rtol=0, atol=0)
    assert not torch.allclose(drawn[0][1], drawn[1][1])


def test_a_start_that_copies_is_made_weaker_until_it_does_not() -> None:
    best = fitted(None)
    assert best.kept > 0
    asked: list[bool] = []

    def twice() -> bool:
        asked.append(len(asked) < 2)
        return asked[-1]

    weaker = fitted(twice)
    assert weaker.weaker
    assert asked == [True, True, False]
    assert weaker.kept <= best.kept // 2
    # Where all but independent columns count as copies, the closed forms stay, which know no row.
    steps_down: list[bool] = []

    def all_but_independent_columns() -> bool:
        steps_down.append(len(steps_down) < last)
        return steps_down[-1]

    last = len(asked) + 100
    tried = fitted(all_but_independent_columns)
    last, steps_down = len(steps_down) - 1, []
    weakest = fitted(all_but_independent_columns)
    assert (weakest.kept, weakest.weaker, weakest.copies) == (0, True, True)
    # What even independent columns show a weaker start cannot mend: the best stays.
    assert (tried.kept, tried.weaker, tried.copies) == (best.kept, False, False)


def test_minutes_hold_the_fit_of_the_start_too() -> None:
    preparation = prepared(rounds=None, minutes=0.001, compile="off")
    assert preparation.start_steps is not None
    assert preparation.start_steps < STEPS
    events = [
        event for event in preparation.fit(strip=False).play(until_round=1) if isinstance(event, Pretraining)
    ]
    assert len(events) <= preparation.start_steps + 1  # one before the closed forms
    assert all(event.steps == preparation.start_steps for event in events)
    again = restore(open_source(line(), name="line"), preparation.to_dict())
    assert again.start_steps == preparation.start_steps
