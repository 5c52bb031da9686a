"""(c) Minimax duality: min max against max min, solved exactly, and the two terms of the duality gap of a game."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from saddlepoint.drawing.curves import Panel, Trace, panels
from saddlepoint.paper.theory.distributions import LOG4, Floats, best_value, jsd, line, value
from saddlepoint.paper.theory.result import Check, Finding

_CELLS = 48


def bounds_of_max_min(p: Floats, generators: Floats, *, steps: int = 20_000) -> tuple[float, float, Floats]:
    """Return a lower and an upper bound of max_D min_j V(D, generators[j]) and the mixture's weights that give them.

    By Sion's theorem the max min is the smallest max_D V over mixtures of the generators' distributions, a convex problem,
    solved by multiplicative updates. Any mixture q gives an upper bound; its D* = p / (p + q) against the generator with the
    smallest V gives a lower bound; where they meet the problem is solved.

    p: probabilities of the cells under p_data.
    generators: (j, cells), one distribution on the cells in each row.
    steps: the most updates.
    """
    weights = np.full(len(generators), 1 / len(generators))
    lower, upper = -np.inf, np.inf
    for _ in range(steps):
        q = weights @ generators
        upper = min(upper, best_value(p, q))
        # V(D*, generator) = sum p log D* + sum generator log(1 - D*), for each generator against this D.
        both = p + q
        values = float((p * np.log(p / both)).sum()) + generators @ np.log(q / both)
        lower = max(lower, float(values.min()))
        if upper - lower < 1e-7:
            break
        weights *= np.exp(-2.0 * (values - values.min()))
        weights /= weights.sum()
    return lower, upper, weights


def gap_terms(p: Floats, q: Floats, logits: Floats) -> tuple[float, float]:
    """Return max_D' V(G, D') and min_G' V(G', D), the two terms of the duality gap, exact for tabular players.

    The best G' against a fixed D puts all its mass where D is largest.
    """
    worst_for_g = best_value(p, q)
    worst_for_d = float(-(p * np.logaddexp(0, -logits)).sum() - np.logaddexp(0, logits.max()))
    return worst_for_g, worst_for_d


def value_after_ascent(p: Floats, q: Floats, logits: Floats, steps: int, rate: float = 20.0) -> float:
    """Return V(G, D') after `steps` gradient steps of D' from D: an estimate of the first term, as training gives it."""
    logits = logits.copy()
    for _ in range(steps):
        d = 1 / (1 + np.exp(-logits))
        logits += rate * (p * (1 - d) - q * d)
    return value(p, q, logits)


def tabular_game(p: Floats, rounds: int, *, rate: float = 2.0) -> list[tuple[int, Floats, Floats]]:
    """Play a tabular game by simultaneous gradient steps: G is softmax logits, D one logit per cell.

    Returns (round, p_g, D's logits) at 60 rounds or fewer, spaced logarithmically.
    """
    g, d = np.linspace(2.0, -2.0, len(p)), np.zeros(len(p))
    kept = []
    kept_rounds = set(np.unique(np.geomspace(1, rounds, 60).astype(int)))
    for number in range(1, rounds + 1):
        q = np.exp(g - g.max())
        q /= q.sum()
        probability = 1 / (1 + np.exp(-d))
        # G descends E_q log(1 - D) in its logits; the mean is subtracted, because probabilities sum to 1.
        losses = -np.logaddexp(0, d)
        step_g = q * (losses - q @ losses)
        d = d + 5 * rate * (p * (1 - probability) - q * probability)
        g = g - rate * step_g
        if number in kept_rounds:
            kept.append((number, q.copy(), d.copy()))
    return kept


def saddle_point(*, rounds: int = 20_000) -> Finding:
    """(c) Over all distributions min max = max min; over normal ones alone it is not; and what a duality gap shows."""
    grid = line(-7, 7, 561)
    x = grid.points[:, 0]
    p = grid.normalised(0.5 * norm.pdf(x, -2) + 0.5 * norm.pdf(x, 2))
    shifts = np.linspace(-4, 4, 161)
    normals = np.stack([grid.normalised(norm.pdf(x, shift)) for shift in shifts])
    best_values = np.array([best_value(p, q) for q in normals])
    min_max = float(best_values.min())
    lower, upper, weights = bounds_of_max_min(p, normals)
    gap = 2 * min(jsd(p, q) for q in normals)
    cells = np.linspace(-3, 3, _CELLS)
    target = 0.5 * norm.pdf(cells, -1.2, 0.5) + 0.5 * norm.pdf(cells, 1.2, 0.5)
    target /= target.sum()
    course = tabular_game(target, rounds)
    terms = [gap_terms(target, q, d) for _, q, d in course]
    gaps = np.array([first - second for first, second in terms])
    twice_jsd = np.array([2 * jsd(target, q) for _, q, _ in course])
    number, q, d = course[len(course) // 4]
    first = gap_terms(target, q, d)[0]
    ascent_steps = [1, 10, 100, 1_000, 10_000]
    estimates = [value_after_ascent(target, q, d, steps) for steps in ascent_steps]
    figure = panels(
        [
            Panel(
                title="G may only be N(m, 1)",
                across="m",
                up="nats",
                traces=[Trace(x=shifts, y=best_values, role="model", label="max over D of V")],
                levels={"min max": min_max, "max min = -log 4": lower},
                levels_left=True,
            ),
            Panel(
                title="a tabular game",
                across="round",
                traces=[
                    Trace(x=[n for n, _, _ in course], y=gaps, role="first", label="duality gap"),
                    Trace(
                        x=[n for n, _, _ in course], y=twice_jsd + 1e-12, role="model", label="2 JSD(p, p_g)"
                    ),
                ],
                log_x=True,
                log_y=True,
            ),
            Panel(
                title=f"first term, estimated (round {number})",
                across="gradient steps of D'",
                traces=[
                    Trace(x=ascent_steps, y=estimates, role="discriminator", label="V after these steps")
                ],
                levels={"max over D' of V": first},
                levels_left=True,
                log_x=True,
            ),
        ],
        title="Does the game have a saddle point?",
    )
    return Finding(
        letter="c",
        title="Minimax duality",
        paper="The game is min_G max_D V. The paper does not ask whether the order of min and max matters. Its proofs update "
        "the density p_g itself (Proposition 2), where V is linear in p_g and concave in D, and there it does not matter: "
        "min max = max min = -log 4.",
        done="p_data is a mixture of two normal distributions at -2 and 2. G may be one normal distribution N(m, 1). Min max "
        "was found by trying 161 means, max min as a minimum over mixtures of those distributions (the same number, and a "
        "convex problem), bounded from both sides. Then a game was played by simultaneous gradient steps in which G and D are "
        "tables of 48 numbers in place of networks, so that both terms of its duality gap are exact.",
        checks=(
            Check(what="upper minus lower bound of max min", found=upper - lower, expected=0, tolerance=2e-5),
            Check(what="max min", found=lower, expected=-LOG4, tolerance=1e-4),
            Check(what="min max - max min", found=min_max - lower, expected=gap, tolerance=1e-4),
            Check(
                what="weight of the mixture near -2 and 2",
                found=float(weights[np.abs(np.abs(shifts) - 2) < 0.26].sum()),
                expected=1,
                tolerance=0.05,
            ),
            Check(
                what="smallest (first term + log 4) - 2 JSD",
                found=float(
                    min(term[0] + LOG4 - twice for term, twice in zip(terms, twice_jsd, strict=True))
                ),
                expected=0,
                tolerance=1e-10,
            ),
            Check(
                what="largest second term + log 4",
                found=float(max(term[1] for term in terms)) + LOG4,
                expected=0,
                tolerance=1e-9,
                below=True,
            ),
            Check(what="duality gap at the end", found=float(gaps[-1]), expected=0, tolerance=0.02),
            Check(
                what="estimated first term after 10 steps minus the true one",
                found=estimates[1] - first,
                expected=-1e-3,
                below=True,
            ),
            Check(
                what="largest estimate minus the true term",
                found=max(estimates) - first,
                expected=1e-9,
                below=True,
            ),
        ),
        reading=f"If G is one normal distribution, the order matters by {min_max - lower:.3f} nats: no G is optimal against "
        "every D, only a mixture of Gs is, and the game has no saddle point. The duality gap of a game (Grnarova et al. 2018, "
        "arXiv 1811.05512) is max over D' of V(G, D') minus min over G' of V(G', D). Its first term is -log 4 + 2 JSD, so "
        "2 JSD is G's part of the gap; its second term is -log 4 minus D's part. Each term is estimated by training a new "
        "player, which never exceeds the true optimum. So an estimated gap is a lower bound: a small one proves nothing, and "
        "it counts the weaknesses of D against G.",
        figure=figure,
    )
