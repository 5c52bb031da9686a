"""The paper's argument: every number with its tolerance, and the exact pieces against other ways to the same number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from saddlepoint.errors import GameError, InputError
from saddlepoint.paper import one_dimensional_game, theory
from saddlepoint.paper.results import Results
from saddlepoint.paper.theory import (
    convergence,
    distributions,
    duality,
    independence,
    low_dimensional_support,
    optimum,
    saturation,
)


def holds(finding):
    missed = [str(check) for check in finding.checks if not check.holds]
    assert not missed


def test_a_trained_d_is_the_ratio_of_the_densities():
    holds(optimum.best_discriminator(steps=200))


def test_b_the_value_is_the_jensen_shannon_divergence():
    holds(optimum.value_of_the_game(steps=80))


def test_c_min_max_is_max_min_only_with_mixtures_at_hand():
    holds(duality.saddle_point(rounds=20_000))


@pytest.mark.parametrize("seed", range(3))
def test_the_best_value_is_where_no_d_does_better(seed):
    random = np.random.default_rng(seed)
    p, q = random.dirichlet(np.ones(6)), random.dirichlet(np.ones(6))
    found = minimize(lambda logits: -distributions.value(p, q, logits), np.zeros(6), tol=1e-12)
    assert distributions.best_value(p, q) == pytest.approx(-found.fun, abs=1e-9)
    assert distributions.best_value(p, q) == pytest.approx(
        -distributions.LOG4 + 2 * distributions.jsd(p, q), abs=1e-14
    )
    assert distributions.jsd(p, p) == 0
    assert distributions.jsd(np.eye(2)[0], np.eye(2)[1]) == pytest.approx(math.log(2), abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_the_second_term_of_the_gap_is_what_no_g_beats(seed):
    random = np.random.default_rng(seed)
    p, logits = random.dirichlet(np.ones(7)), random.normal(size=7)
    least = duality.gap_terms(p, p, logits)[1]
    for _ in range(200):
        assert distributions.value(p, random.dirichlet(0.3 * np.ones(7)), logits) >= least - 1e-12
    assert distributions.value(p, np.eye(7)[int(logits.argmax())], logits) == pytest.approx(least, abs=1e-12)


def test_with_points_alone_for_g_the_order_of_min_and_max_matters():
    # p on two points, G one of the two points: min max = -log 4 + 2 JSD, max min = -log 4 at D = 1/2.
    p, points = np.array([0.5, 0.5]), np.array([[1 - 1e-9, 1e-9], [1e-9, 1 - 1e-9]])
    lower, upper, weights = duality.bounds_of_max_min(p, points)
    assert (lower, upper) == (
        pytest.approx(-distributions.LOG4, abs=1e-6),
        pytest.approx(-distributions.LOG4, abs=1e-6),
    )
    np.testing.assert_allclose(weights, 0.5, atol=1e-6)
    assert distributions.best_value(p, points[0]) == pytest.approx(
        0.5 * math.log(1 / 3) + math.log(2 / 3), abs=1e-6
    )


def test_d_disjoint_supports_saturate_and_noise_tells_them_apart():
    assert low_dimensional_support.smoothed_jsd(0.02, 1e-3) == pytest.approx(math.log(2), abs=1e-9)
    sigmas = np.geomspace(0.01, 1, 12)
    found = [low_dimensional_support.smoothed_jsd(0.1, sigma) for sigma in sigmas]
    assert (np.diff(found) < 0).all()
    grid = distributions.plane(-2, 2, 301)
    p, q = (
        grid.normalised(distributions.mixture(grid.points, np.array([[shift, 0.0]]), 0.25))
        for shift in (0.0, 0.1)
    )
    assert low_dimensional_support.smoothed_jsd(0.1, 0.25) == pytest.approx(distributions.jsd(p, q), abs=1e-6)


def test_e_the_exact_jsd_of_perfect_marginals_is_that_of_a_large_sample():
    random = np.random.default_rng(0)
    centres = independence._centres()
    x = centres[random.integers(8, size=100_000)] + 0.1 * random.normal(size=(100_000, 2))
    y = np.column_stack([random.permutation(x[:, 0]), x[:, 1]])

    def one(values, column):
        return distributions.mixture(values[:, [column]], centres[:, [column]], 0.1)

    def ratio(points):
        joint = distributions.mixture(points, centres, 0.1)
        return joint / (joint + one(points, 0) * one(points, 1))

    value = np.log(ratio(x)).mean() + np.log1p(-ratio(y)).mean()
    # The standard error of this Monte Carlo mean is .002: a false alarm in 10,000 runs is not to be feared.
    assert independence.exact_jsd() == pytest.approx((value + math.log(4)) / 2, abs=0.008)


def test_f_early_on_minus_log_d_has_the_gradient():
    holds(saturation.early_gradients(rounds=200))


@pytest.mark.slow
def test_g_a_run_converges():
    holds(convergence.converging_run(rounds=250, tolerance=0.05))


def test_the_one_dimensional_distribution_is_one():
    x = np.linspace(-6, 6, 4001)
    assert np.trapezoid(one_dimensional_game.density(x), x) == pytest.approx(1, abs=1e-9)
    steps = np.cumsum(one_dimensional_game.density(x)) * (x[1] - x[0])
    np.testing.assert_allclose(steps, one_dimensional_game.distribution(x), atol=2e-3)
    assert one_dimensional_game.kolmogorov(one_dimensional_game.draw(20_000, 0)[:, 0]) < 1.95 / math.sqrt(
        20_000
    )  # 0.1 % level


def test_a_number_is_written_with_the_digits_that_its_tolerance_leaves():
    def text(**how):
        return str(theory.Check(what="it", **how))

    assert text(found=0.650483, expected=0.593147, tolerance=0.1) == "it: 0.65 (0.593 within 0.1)"
    assert text(found=0.00042379, expected=0.0, tolerance=2e-3) == "it: 0.000424 (0 within 0.002)"
    assert text(found=1.0, expected=1.0) == "it: 1 (1 exactly)"
    assert text(found=-355.0, expected=-1.0, below=True) == "it: -355 (below -1)"
    assert text(found=2.0, expected=1.0, below=True) == "it: 2 (below 1; NOT MET)"
    assert text(found=math.nan, expected=1.0, tolerance=1.0) == "it: nan (1 within 1; NOT MET)"


def test_a_step_is_written_once_and_an_unknown_one_refused(tmp_path, monkeypatch):
    calls = []

    def step(**how):
        calls.append(how)
        return optimum.value_of_the_game(steps=5)

    monkeypatch.setitem(theory.STEPS, "b", (step, {"steps": 5}))
    lines: list[str] = []
    held = [theory.run(Results(tmp_path), steps=["b"], quick=True, say=lines.append) for _ in range(2)]
    assert held[0] == (len(calls) == 1)
    text = (tmp_path / "theory-quick.md").read_text()
    assert "A quick version" in text
    assert "![(b)](theory-quick-b.png)" in text
    assert (tmp_path / "theory-quick-b.png").stat().st_size < 300_000
    with pytest.raises(InputError, match="There is no step 'h'; the steps are a, b"):
        theory.run(Results(tmp_path), steps=["h"])
    with pytest.raises(GameError, match="marked NOT MET"):
        theory.refuse(False)
