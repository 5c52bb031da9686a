"""(f) Saturation early in training: the gradient of G under log(1 - D) and under -log D."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from saddlepoint.drawing.curves import Panel, Trace, panels
from saddlepoint.paper.theory.distributions import Floats
from saddlepoint.paper.theory.result import Check, Finding
from saddlepoint.training import Settings, play
from saddlepoint.training.settings import OptimiserSettings, Schedule


def gradients(away: Floats, *, nodes: int = 200) -> tuple[Floats, Floats]:
    """Return d loss / dm of both losses of G for p_data = N(0, 1), p_g = N(m, 1) and the optimal D, at m in `away`.

    The logit of D* is m^2 / 2 - m x. With D held fixed d/dm E log(1 - D(m + z)) = m E D and d/dm E -log D(m + z) =
    m E (1 - D). The expectations over z are Gauss-Hermite quadratures of `nodes` nodes.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(nodes)
    weight = weight / weight.sum()
    x = away[:, None] + z[None]
    d = 1 / (1 + np.exp(-(away[:, None] ** 2 / 2 - away[:, None] * x)))
    return np.asarray(away * (d @ weight)), np.asarray(away * ((1 - d) @ weight))


def by_autograd(away: float, *, n: int = 400_000) -> tuple[float, float]:
    """Return the same two gradients at m = away, by automatic differentiation of a Monte Carlo mean (n antithetic draws)."""
    z = torch.randn(n // 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z = torch.cat([z, -z])
    found = []
    for loss in ("minimax", "non-saturating"):
        m = torch.tensor(away, dtype=torch.float64, requires_grad=True)
        x = m + z
        logit = away**2 / 2 - away * x
        mean = (
            -nn.functional.softplus(logit).mean()
            if loss == "minimax"
            else nn.functional.softplus(-logit).mean()
        )
        found.append(float(torch.autograd.grad(mean, m)[0]))
    return found[0], found[1]


def real_run(objective: str, *, rounds: int, seed: int = 0) -> tuple[Floats, Floats]:
    """Return G's gradient norm and mean sample in each round of a game that starts far from its data, N(6, 1).

    D takes 5 steps per round, so that it is ahead of G, as it is early in a real game.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        generator = nn.Linear(1, 1)
        discriminator = nn.Sequential(nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    with torch.no_grad():
        generator.weight.fill_(1.0)
        generator.bias.zero_()
    stream = torch.Generator().manual_seed(seed)

    def batches() -> Iterator[torch.Tensor]:
        while True:
            yield 6 + torch.randn(256, 1, generator=stream)

    optimiser = OptimiserSettings(name="sgd", rate=Schedule(start=0.1))
    settings = Settings(
        horizon=rounds,
        objective=objective,
        batch=256,
        noise_width=1,
        discriminator_steps=5,
        discriminator=optimiser,
        generator=optimiser,
        seed=seed,
    )
    norms, means = [], []
    for record in play(generator, discriminator, batches(), settings=settings):
        norms.append(record.to_dict()["generator_gradient"])
        means.append(float(generator.bias.detach()))
    return np.array(norms), np.array(means)


def early_gradients(*, rounds: int = 400) -> Finding:
    """(f) Where D is certain, the gradient of log(1 - D) vanishes and that of -log D does not."""
    away = np.linspace(0.1, 8, 80)
    minimax, other = gradients(away)
    checks = []
    for m in (1.0, 4.0):
        exact = [float(each[0]) for each in gradients(np.array([m]))]
        drawn = by_autograd(m)
        checks += [
            Check(
                what=f"{name} gradient at distance {m:g}: autograd minus quadrature",
                found=a - b,
                expected=0,
                tolerance=5e-3,
            )
            for name, a, b in zip(("minimax", "non-saturating"), drawn, exact, strict=True)
        ]
    at_six = [float(each[0]) for each in gradients(np.array([6.0]))]
    summed = minimax + other
    runs = {name: real_run(name, rounds=rounds) for name in ("minimax", "non-saturating")}
    figure = panels(
        [
            Panel(
                title="optimal D, exact",
                across="distance of p_g from p_data",
                up="gradient of G's loss",
                traces=[
                    Trace(x=away, y=minimax, role="first", label="log(1 - D)"),
                    Trace(x=away, y=other, role="model", label="-log D"),
                ],
                log_y=True,
            ),
            Panel(
                title="a real game, data at 6",
                across="round",
                up="norm of G's gradient",
                traces=[
                    Trace(x=np.arange(rounds), y=runs["minimax"][0] + 1e-9, role="first", label="log(1 - D)"),
                    Trace(
                        x=np.arange(rounds), y=runs["non-saturating"][0] + 1e-9, role="model", label="-log D"
                    ),
                ],
                log_y=True,
            ),
            Panel(
                title="the same game",
                across="round",
                up="mean of p_g",
                traces=[
                    Trace(x=np.arange(rounds), y=runs["minimax"][1], role="first", label="log(1 - D)"),
                    Trace(x=np.arange(rounds), y=runs["non-saturating"][1], role="model", label="-log D"),
                ],
                levels={"data": 6.0},
            ),
        ],
        title="Early in learning: minimax and non-saturating gradients",
    )
    reached = [int(np.argmax(np.abs(means - 6) < 1)) or rounds for _, means in runs.values()]
    return Finding(
        letter="f",
        title="Early gradients",
        paper="Early in learning log(1 - D(G(z))) saturates; maximising log D(G(z)) has the same fixed point and much "
        "stronger gradients.",
        done="Exact gradients for two normal distributions at a distance from each other, checked by automatic "
        "differentiation; and a real game that starts 6 standard deviations away, with five steps of D per round.",
        checks=(
            *checks,
            Check(
                what="largest |sum of both gradients - distance|",
                found=float(np.abs(summed - away).max()),
                expected=0,
                tolerance=1e-9,
            ),
            Check(what="minimax gradient at distance 6", found=at_six[0], expected=0.02, below=True),
            Check(what="non-saturating gradient at distance 6", found=at_six[1], expected=6, tolerance=0.02),
            Check(
                what=f"rounds until the mean is within 1 (at most {rounds:,}): non-saturating minus minimax",
                found=float(reached[1] - reached[0]),
                expected=-1,
                below=True,
            ),
        ),
        reading=f"The two gradients add up to the distance. Where D is certain, nearly all of it is the gradient of -log D (at "
        f"6 standard deviations {at_six[1] / at_six[0]:,.0f} times as much). In the game the mean came within 1 of the data "
        f"after {reached[1]:,} rounds with -log D, and with log(1 - D) "
        f"{f'not within {rounds:,} rounds' if reached[0] == rounds else f'after {reached[0]:,}'}.",
        figure=figure,
    )
