"""(g) A run in which p_g tends to p_data and D to 1/2."""

from __future__ import annotations

import numpy as np

from saddlepoint.drawing.curves import Panel, Trace, panels
from saddlepoint.paper import one_dimensional_game
from saddlepoint.paper.theory.result import Check, Finding


def converging_run(*, rounds: int = one_dimensional_game.ROUNDS, tolerance: float = 0.02) -> Finding:
    """(g) A real game on a line: distance of p_g to p_data, and of D to 1/2, through the rounds."""
    looks = sorted({0, *np.unique(np.geomspace(5, rounds, 14).astype(int)).tolist()})
    moments = one_dimensional_game.play(looks)
    x = one_dimensional_game.draw(4_000, 99)
    away = [one_dimensional_game.kolmogorov(moment.samples) for moment in moments]
    unsure = [float(np.abs(1 / (1 + np.exp(-moment.model.logits(x))) - 0.5).mean()) for moment in moments]
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
                traces=[Trace(x=looks[1:], y=away[1:], role="model")],
                log_x=True,
                log_y=True,
            ),
            Panel(
                title="how sure D is",
                across="round",
                up="mean |D - 1/2| on data",
                traces=[Trace(x=looks[1:], y=unsure[1:], role="discriminator")],
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
        paper="Proposition 2: with enough capacity and D at its best in each round, p_g converges to p_data, where D is "
        "1/2 (Theorem 1). (Perceptrons and joint updates void its assumptions; a run shows what happens.)",
        done=f"A game of {rounds:,} rounds on 20,000 points of a known law on the line, noise of one dimension, with a "
        "light R1 penalty, falling rates and the average of G; 20,000 samples compared with the exact law.",
        checks=(
            Check(
                what="largest difference of the distribution functions at the end",
                found=away[-1],
                expected=0,
                tolerance=tolerance,
            ),
            Check(what="the same, end minus beginning", found=away[-1] - away[0], expected=-0.1, below=True),
            Check(
                what="mean |D - 1/2| on data at the end", found=unsure[-1], expected=0, tolerance=tolerance
            ),
        ),
        reading="D at 1/2 is what a won game looks like; a D too weak to see a difference looks the same, which is why "
        "the distance to the data is measured apart from D.",
        figure=figure,
    )
