"""(g) Convergence: a run in which p_g tends to p_data and D to 1/2."""

from __future__ import annotations

import numpy as np

from saddlepoint.drawing.curves import Panel, Trace, panels
from saddlepoint.paper import one_dimensional_game
from saddlepoint.paper.theory.result import Check, Finding


def converging_run(*, rounds: int = one_dimensional_game.ROUNDS, tolerance: float = 0.02) -> Finding:
    """(g) A real one-dimensional game: the distances of p_g to p_data and of D to 1/2 as rounds pass."""
    measured_rounds = sorted({0, *np.unique(np.geomspace(5, rounds, 14).astype(int)).tolist()})
    moments = one_dimensional_game.play(measured_rounds)
    x = one_dimensional_game.draw(4_000, 99)
    away = [one_dimensional_game.kolmogorov(moment.samples) for moment in moments]
    from_half = [float(np.abs(1 / (1 + np.exp(-moment.model.logits(x))) - 0.5).mean()) for moment in moments]
    last = moments[-1]
    grid = np.linspace(-3.5, 3.5, 200)
    d = 1 / (1 + np.exp(-last.model.logits(grid[:, None])))
    counts, edges = np.histogram(last.samples, bins=70, range=(-3.5, 3.5), density=True)
    figure = panels(
        [
            Panel(
                title="distance of p_g to p_data",
                across="round",
                up="Kolmogorov distance",
                traces=[Trace(x=measured_rounds[1:], y=away[1:], role="model")],
                log_x=True,
                log_y=True,
            ),
            Panel(
                title="distance of D from 1/2",
                across="round",
                up="mean |D - 1/2| on data",
                traces=[Trace(x=measured_rounds[1:], y=from_half[1:], role="discriminator")],
                log_x=True,
                log_y=True,
            ),
            Panel(
                title=f"round {last.round:,}",
                across="x",
                traces=[
                    Trace(x=(edges[1:] + edges[:-1]) / 2, y=counts, role="model", label="p_g"),
                    Trace(x=grid, y=one_dimensional_game.density(grid), role="data", label="p_data"),
                    Trace(x=grid, y=d, role="discriminator", label="D"),
                ],
                levels={"1/2": 0.5},
                levels_left=True,
                room=0.8,
            ),
        ],
        title="A game in which p_g tends to p_data, and D to 1/2",
    )
    return Finding(
        letter="g",
        title="A run that converges",
        paper="Proposition 2: with enough capacity and an optimal D in each round, p_g converges to p_data, where D is "
        "1/2 (Theorem 1). (Neural networks and simultaneous updates violate its assumptions; a run shows what happens.)",
        done=f"A game of {rounds:,} rounds on 20,000 points of a known distribution on the line, with noise of one dimension, "
        "a small R1 penalty, falling learning rates and the average of G; 20,000 samples compared with the exact distribution.",
        checks=(
            Check(
                what="largest difference of the distribution functions at the end",
                found=away[-1],
                expected=0,
                tolerance=tolerance,
            ),
            Check(what="the same, end minus beginning", found=away[-1] - away[0], expected=-0.1, below=True),
            Check(
                what="mean |D - 1/2| on data at the end", found=from_half[-1], expected=0, tolerance=tolerance
            ),
        ),
        reading="D is 1/2 when G has reached the data. A D too weak to see a difference is also 1/2, so the distance to the "
        "data is measured without D.",
        figure=figure,
    )
