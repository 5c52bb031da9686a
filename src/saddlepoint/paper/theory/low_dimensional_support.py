"""(d) Low-dimensional support: with noise of fewer dimensions than the data the JSD is log 2, however good samples are."""

from __future__ import annotations

import math

import numpy as np
from scipy.integrate import quad
from scipy.stats import norm

from saddlepoint.drawing.curves import Panel, Trace, panels
from saddlepoint.judging import judge
from saddlepoint.paper.theory.distributions import Floats
from saddlepoint.paper.theory.result import Check, Finding

_GAPS = (0.5, 0.1, 0.02)


def smoothed_jsd(gap: float, sigma: float) -> float:
    """Return the JSD (nats) of two parallel lines `gap` apart in the plane, after adding N(0, sigma^2 I) noise to both.

    Along the lines nothing differs; across them it is the JSD of N(0, sigma^2) and N(gap, sigma^2).
    """
    far = gap / sigma

    def integrand(t: float) -> float:
        a, b = norm.logpdf(t), norm.logpdf(t, far)
        m = np.logaddexp(a, b) - math.log(2)
        return float(0.5 * (np.exp(a) * (a - m) + np.exp(b) * (b - m)))

    return float(quad(integrand, -10, far + 10, limit=400, epsabs=1e-12, points=[0.0, far / 2, far])[0])


def circle(n: int, radius: float, random: np.random.Generator) -> Floats:
    """Return n points (n, 2) on a circle: one-dimensional noise, two-dimensional data."""
    angle = random.uniform(0, 2 * np.pi, n)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)])


def disjoint_supports(*, rows: int = 2_000) -> Finding:
    """(d) Two disjoint curves have JSD log 2 even when they are close; noise on both makes the JSD depend on the distance."""
    sigmas = np.geomspace(3e-3, 1, 60)
    exact = {gap: np.array([smoothed_jsd(gap, sigma) for sigma in sigmas]) for gap in _GAPS}
    random = np.random.default_rng(0)
    verdicts = {}
    for gap in (0.1, 0.02):
        verdicts[gap] = judge(
            circle(rows, 1.0, random), circle(rows, 1.0 + gap, random), held_out="declared", pool="quick"
        )
    near, far = (smoothed_jsd(0.02, s) for s in (1e-3, 0.2))
    roles = ("first", "model", "second")
    arc = np.linspace(0, 2 * np.pi, 300)
    figure = panels(
        [
            Panel(
                title="data, and samples 0.1 away",
                across="x",
                up="y",
                traces=[
                    Trace(x=np.cos(arc), y=np.sin(arc), role="data", label="data"),
                    Trace(x=1.1 * np.cos(arc), y=1.1 * np.sin(arc), role="model", label="samples"),
                ],
                square=True,
            ),
            Panel(
                title="JSD after noise on both",
                across="standard deviation of the noise",
                up="nats",
                traces=[
                    Trace(x=sigmas, y=exact[gap], role=role, label=f"{gap:g} apart")
                    for gap, role in zip(_GAPS, roles, strict=True)
                ],
                levels={"log 2: without noise": math.log(2)},
                room=0.5,
                levels_left=True,
                log_x=True,
            ),
        ],
        title="Noise of fewer dimensions than the data",
        notes=["Right: exact, for two parallel lines, which approximate two such circles locally."],
    )
    bounds = {gap: verdict.jsd_lower or 0.0 for gap, verdict in verdicts.items()}
    smoothed = {
        gap: [level["jsd_estimate"] for level in verdict.noise_smoothed or ()]
        for gap, verdict in verdicts.items()
    }
    estimates = "; ".join(
        f"{gap:g} away: certified JSD >= {bounds[gap]:.3f}, after noise of .1, .2, .4, .8 standard deviations of the data "
        + (", ".join(f"{max(0.0, each):.3f}" for each in smoothed[gap]) or "not estimated")
        for gap in bounds
    )
    return Finding(
        letter="d",
        title="Low-dimensional support",
        paper="The proofs write E_z log(1 - D(G(z))) as an integral over x against a density p_g(x). With noise of fewer "
        "dimensions than x (100 against 784) there is no such density, so that step, as we read it, needs an assumption.",
        done=f"The JSD of two disjoint curves a gap apart: exactly, and by the judge on {rows:,} + {rows:,} points of "
        "circles of radius 1 and 1 + gap.",
        checks=(
            Check(what="JSD at noise 0.001, gap 0.02", found=near, expected=math.log(2), tolerance=1e-9),
            Check(
                what="C(G) = -log 4 + 2 JSD there",
                found=-math.log(4) + 2 * near,
                expected=0,
                tolerance=1e-9,
            ),
            Check(
                what="JSD at noise 0.2, gap 0.02, against gap^2 / (8 sigma^2)",
                found=far,
                expected=0.02**2 / (8 * 0.2**2),
                tolerance=1e-5,
            ),
            Check(
                what="ratio of the JSDs of gaps 0.1 and 0.02 at noise 0.4",
                found=smoothed_jsd(0.1, 0.4) / smoothed_jsd(0.02, 0.4),
                expected=25,
                tolerance=0.3,
            ),
            Check(
                what="the judge's bound for circles 0.1 apart: at most log 2, and near it",
                found=bounds[0.1],
                expected=math.log(2) - 0.1,
                tolerance=0.1,
            ),
        ),
        reading=f"Without noise every such G scores C(G) = 0, the worst value, and no gradient shows which of them is nearer. "
        f"The same noise on both sides tells them apart (the noise-smoothed bounds of `saddlepoint judge`): {estimates}.",
        figure=figure,
    )
