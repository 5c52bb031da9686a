"""A real one-dimensional game with known p_data, for Figure 1 and for the last step of the theory.

The game is the paper's own (V for D, the non-saturating loss for G). Later methods make it converge instead of cycle: a small
R1 penalty on D (Mescheder et al. 2018, arXiv 1801.04406), falling learning rates, batches of 1,024 (256 points cannot
distinguish distributions that differ by 6 %), and the average of G, which the figures show as p_g.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from saddlepoint import compute, recipes
from saddlepoint.data.encoders import fit_encoder
from saddlepoint.data.opening import open_source
from saddlepoint.fitting import Fit
from saddlepoint.model import Model
from saddlepoint.paper.resumable_game import with_settings
from saddlepoint.training.settings import OptimiserSettings, PenaltySettings, Schedule

Floats = NDArray[np.float64]

_WEIGHTS, _MEANS, _WIDTHS = (0.4, 0.6), (-1.3, 1.0), (0.5, 0.7)
ROUNDS, _BATCH = 1_000, 1_024


def density(x: Floats) -> Floats:
    """Return the density p_data at points (n,) or (n, 1): a mixture of two overlapping normal distributions."""
    return np.asarray(norm.pdf(x.reshape(-1, 1), _MEANS, _WIDTHS) @ np.array(_WEIGHTS))


def distribution(x: Floats) -> Floats:
    """Return P(X <= x) under p_data, for x (n,)."""
    return np.asarray(norm.cdf(x[:, None], _MEANS, _WIDTHS) @ np.array(_WEIGHTS))


def draw(n: int, seed: int) -> Floats:
    """Return n points (n, 1) drawn from p_data."""
    random = compute.numpy_generator(seed, "line")
    component = (random.random(n) > _WEIGHTS[0]).astype(int)
    points = np.array(_MEANS)[component] + np.array(_WIDTHS)[component] * random.normal(size=n)
    return np.asarray(points[:, None])


@dataclass(frozen=True, kw_only=True)
class Moment:
    """The state of the game at one round.

    round: the round.
    model: the model at that round.
    noise: noise (n, 1), the same at every round.
    samples: G of this noise (n,).
    """

    round: int
    model: Model
    noise: Floats
    samples: Floats


def play(
    measured_rounds: Sequence[int],
    *,
    seed: int = 0,
    rows: int = 20_000,
    shown: int = 20_000,
    objective: str = "non-saturating",
    say: Callable[[str], None] = lambda line: None,
) -> list[Moment]:
    """Play to the last of the measured rounds and return the game at each of them; p_g is that of the average of G.

    measured_rounds: the rounds whose state is returned.
    seed: seed of data, networks and noise.
    rows: training points.
    shown: samples at each of these rounds.
    objective: the game's objective.
    say: prints progress.
    """
    data = open_source(draw(rows, seed), name="line")
    encoder = fit_encoder(data)
    plan = recipes.plan(
        recipes.choose("modern", "points"), recipes.Data(kind="points", shape=encoder.shape, rows=rows)
    )
    network = {"shape": list(encoder.shape), "width": 64, "blocks": 1}
    plan = dataclasses.replace(
        plan,
        generator={"name": "residual-generator", "noise_width": 1, **network},
        discriminator={"name": "residual-discriminator", **network},
    )
    plan = with_settings(
        plan,
        noise_width=1,
        objective=objective,
        batch=_BATCH,
        seed=seed,
        horizon=max(measured_rounds),
        average=0.05,
        penalties=(PenaltySettings(name="r1", weight=Schedule(start=0.02)),),
        discriminator=_optimiser(2e-3),
        generator=_optimiser(1e-3),
    )
    fit = Fit(data, encoder, plan, strip=False)
    z = compute.noise("normal", shown, 1, compute.random_generator(seed, "line/shown"))
    moments = []
    for target in sorted(measured_rounds):
        for _ in fit.play(until_round=target):
            pass
        model = fit.playing()
        samples = model.encoder.decode(model.generate(z)).reshape(-1).astype(np.float64)
        moments.append(Moment(round=target, model=model, noise=z.numpy().astype(np.float64), samples=samples))
        say(f"round {target:,} of {max(measured_rounds):,}")
    return moments


def _optimiser(rate: float) -> OptimiserSettings:
    falling = Schedule(start=rate, end=rate / 100, shape="cosine", warm_up=0.01)
    return OptimiserSettings(rate=falling, betas=(0.0, 0.99))


def kolmogorov(samples: Floats) -> float:
    """Return the Kolmogorov distance: the largest difference of the samples' distribution function and p_data's."""
    x = np.sort(samples)
    steps = np.arange(len(x) + 1) / len(x)
    exact = distribution(x)
    return float(max((steps[1:] - exact).max(), (exact - steps[:-1]).max()))
