"""(c) Saddle or not: min max against max min, solved exactly, and the duality gap of a played game in its two halves."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from saddlepoint.drawing.curves import Panel, Trace, panels
from saddlepoint.paper.theory.distributions import LOG4, Floats, best_value, jsd, line, value
from saddlepoint.paper.theory.result import Check, Finding

_CELLS = 48


def bounds_of_max_min(p: Floats, laws: Floats, *, steps: int = 20_000) -> tuple[float, float, Floats]:
    """Return a lower and an upper bound of max_D min_j V(D, laws[j]) and the mixture of laws between them.

    laws is (j, cells), rows of masses. By Sion's theorem the max min is the least max_D V over mixtures of the laws,
    a convex problem, solved by multiplicative updates. Any mixture gives an upper bound; its D* = p / (p + q) against
    the worst law gives a lower one; where they meet the problem is solved.
    """
    weights = np.full(len(laws), 1 / len(laws))
    lower, upper = -np.inf, np.inf
    for _ in range(steps):
        q = weights @ laws
        upper = min(upper, best_value(p, q))
        # V(D*, law) = sum p log D* + sum law log(1 - D*): what each law would pay against this D.
        both = p + q
        pays = float((p * np.log(p / both)).sum()) + laws @ np.log(q / both)
        lower = max(lower, float(pays.min()))
        if upper - lower < 1e-7:
            break
        weights *= np.exp(-2.0 * (pays - pays.min()))
        weights /= weights.sum()
    return lower, upper, weights


def halves(p: Floats, q: Floats, logits: Floats) -> tuple[float, float]:
    """Return max_D' V(G, D') and min_G' V(G', D): the two halves of the duality gap, exact for tabulated players.

    The best G' against a fixed D puts all its mass where D is largest.
    """
    worst_for_g = best_value(p, q)
    worst_for_d = float(-(p * np.logaddexp(0, -logits)).sum() - np.logaddexp(0, logits.max()))
    return worst_for_g, worst_for_d


def climbed(p: Floats, q: Floats, logits: Floats, steps: int, rate: float = 20.0) -> float:
    """Return V(G, D') after so many gradient steps of D' from D: what an estimate of the first half sees."""
    logits = logits.copy()
    for _ in range(steps):
        d = 1 / (1 + np.exp(-logits))
        logits += rate * (p * (1 - d) - q * d)
    return value(p, q, logits)


def played(p: Floats, rounds: int, *, rate: float = 2.0) -> list[tuple[int, Floats, Floats]]:
    """Play the game with tables: G softmax logits, D one logit a cell, both moved at once; return moments of it."""
    g, d = np.linspace(2.0, -2.0, len(p)), np.zeros(len(p))
    kept = []
    looks = set(np.unique(np.geomspace(1, rounds, 60).astype(int)))
    for number in range(1, rounds + 1):
        q = np.exp(g - g.max())
        q /= q.sum()
        probability = 1 / (1 + np.exp(-d))
        # G descends E_q log(1 - D) by its logits; the average of it is taken off, since masses sum to 1.
        pays = -np.logaddexp(0, d)
        step_g = q * (pays - q @ pays)
        d = d + 5 * rate * (p * (1 - probability) - q * probability)
        g = g - rate * step_g
        if number in looks:
            kept.append((number, q.copy(), d.copy()))
    return kept


def saddle(*, rounds: int = 20_000) -> Finding:
    """(c) With all laws at hand min max = max min; with normal laws alone it is not; and what a duality gap can say."""
    grid = line(-7, 7, 561)
    x = grid.points[:, 0]
    p = grid.normalised(0.5 * norm.pdf(x, -2) + 0.5 * norm.pdf(x, 2))
    shifts = np.linspace(-4, 4, 161)
    laws = np.stack([grid.normalised(norm.pdf(x, shift)) for shift in shifts])
    each = np.array([best_value(p, law) for law in laws])
    min_max = float(each.min())
    lower, upper, weights = bounds_of_max_min(p, laws)
    gap = 2 * min(jsd(p, law) for law in laws)
    cells = np.linspace(-3, 3, _CELLS)
    target = 0.5 * norm.pdf(cells, -1.2, 0.5) + 0.5 * norm.pdf(cells, 1.2, 0.5)
    target /= target.sum()
    course = played(target, rounds)
    parts = [halves(target, q, d) for _, q, d in course]
    gaps = np.array([first - second for first, second in parts])
    twice = np.array([2 * jsd(target, q) for _, q, _ in course])
    number, q, d = course[len(course) // 4]
    first = halves(target, q, d)[0]
    tries = [1, 10, 100, 1_000, 10_000]
    seen = [climbed(target, q, d, each) for each in tries]
    figure = panels(
        [
            Panel(
                title="G may only be N(m, 1)",
                across="m",
                up="nats",
                traces=[Trace(x=shifts, y=each, role="model", label="max over D of V")],
                levels={"min max": min_max, "max min = -log 4": lower},
                levels_left=True,
            ),
            Panel(
                title="a played game",
                across="round",
                traces=[
                    Trace(x=[n for n, _, _ in course], y=gaps, role="first", label="duality gap"),
                    Trace(x=[n for n, _, _ in course], y=twice + 1e-12, role="model", label="2 JSD(p, p_g)"),
                ],
                log_x=True,
                log_y=True,
            ),
            Panel(
                title=f"first half, estimated (round {number})",
                across="gradient steps of D'",
                traces=[Trace(x=tries, y=seen, role="discriminator", label="V after so many steps")],
                levels={"max over D' of V": first},
                levels_left=True,
                log_x=True,
            ),
        ],
        title="A saddle point, or only a minimum of a maximum?",
    )
    return Finding(
        letter="c",
        title="Saddle or not",
        paper="The game is min_G max_D V. Whether the order of min and max matters the paper does not ask; its proofs move "
        "densities p_g themselves (Proposition 2), where V is linear in p_g and concave in D, and there it does not: "
        "min max = max min = -log 4.",
        done="p_data = two normal laws at -2 and 2. G may be one normal law N(m, 1): min max by going through 161 "
        "means, max min over mixtures of those laws (the same number, and a convex problem), bounded from both sides. Then a "
        "game was played by simultaneous gradient steps in which G and D are tables of 48 numbers in place of networks, so "
        "that both halves of its duality gap are exact.",
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
                what="smallest (first half + log 4) - 2 JSD",
                found=float(min(h[0] + LOG4 - t for h, t in zip(parts, twice, strict=True))),
                expected=0,
                tolerance=1e-10,
            ),
            Check(
                what="largest second half + log 4",
                found=float(max(h[1] for h in parts)) + LOG4,
                expected=0,
                tolerance=1e-9,
                below=True,
            ),
            Check(what="duality gap at the end", found=float(gaps[-1]), expected=0, tolerance=0.02),
            Check(
                what="estimated first half after 10 steps minus the true one",
                found=seen[1] - first,
                expected=-1e-3,
                below=True,
            ),
            Check(
                what="largest estimate minus the true half",
                found=max(seen) - first,
                expected=1e-9,
                below=True,
            ),
        ),
        reading=f"With single normal laws for G the order matters by {min_max - lower:.3f} nats: no G answers every D, "
        "only a mixture of Gs does, and the game has no saddle point. The gap of a played game (Grnarova et al. 2018, "
        "arXiv 1811.05512) is max over D' of V(G, D') minus min over G' of V(G', D): its first half is -log 4 + 2 JSD, so "
        "that G still owes 2 JSD; its second is -log 4 less what D owes. Each is found by training a fresh player, which "
        "never gets past the true optimum: an estimated gap is a lower bound, so a small one proves nothing, and it "
        "holds D's faults against G.",
        figure=figure,
    )
