"""Choosing on select rows: payoffs are V turned into a bound, and the choice sees what is there to see."""

import math

import numpy as np
import pytest

from saddlepoint.judging.c2st.stacking import DecisionRule, choose, predicted_bound


def rule(low=0.999, high=0.999, weights=(1.0,)):
    return DecisionRule(name="x", weights=weights, intercept=0.0, clip_low=low, clip_high=high)


def test_mean_payoff_is_log_two_plus_half_the_value_of_the_game():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0.5, 1, (1, 400)), rng.normal(-0.5, 1, (1, 400))
    d_real, d_fake = (1 / (1 + np.exp(-x)) for x in (real, fake))
    value = np.log(d_real).mean() + np.log(1 - d_fake).mean()
    payoff = rule().payoffs(real, fake, reals=1, fakes=1).mean()
    assert payoff == pytest.approx(math.log(2) + value / 2, abs=1e-12)


def test_the_best_discriminator_reaches_the_jsd_of_known_proportions():
    p, q = np.array([5, 3, 2]), np.array([2, 3, 5])
    logits = np.log(p / q)
    real, fake = np.repeat(logits, p)[None], np.repeat(logits, q)[None]
    assert rule().payoffs(real, fake, reals=1, fakes=1).mean() == pytest.approx(0.06641431, abs=1e-8)


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.999), (0.7, 0.3), (0.5, 0.5)])
def test_payoffs_stay_in_their_range_whatever_the_logits(low, high):
    logits = np.array([[-1e4, -3.0, 0.0, 3.0, 1e4, 15.0]])
    for fake in (logits, logits[:, ::-1]):
        z = rule(low, high).payoffs(logits, fake, reals=1, fakes=1)
        assert np.all(np.isfinite(z))
        assert z.min() >= rule(low, high).range[0] - 1e-12
        assert z.max() <= rule(low, high).range[1] + 1e-12


def test_swapping_the_sides_of_a_negated_logit_changes_nothing():
    rng = np.random.default_rng(5)
    real, fake = rng.normal(1, 1, (1, 50)), rng.normal(-1, 1, (1, 50))
    plain = rule(0.3, 0.95).payoffs(real, fake, reals=1, fakes=1)
    np.testing.assert_allclose(rule(0.95, 0.3).payoffs(-fake, -real, reals=1, fakes=1), plain, atol=1e-12)


def test_blocks_average_the_plentiful_side():
    rng = np.random.default_rng(1)
    real, fake = rng.normal(size=(1, 10)), rng.normal(size=(1, 40))
    z = rule().payoffs(real, fake, reals=1, fakes=4)
    assert z.shape == (10,)
    apart = [rule().payoffs(real, fake[:, i::4], reals=1, fakes=1) for i in range(4)]
    np.testing.assert_allclose(z, np.mean(apart, axis=0))
    assert rule().payoffs(fake, real, reals=4, fakes=1).shape == (10,)


def test_choice_prefers_the_referee_that_sees():
    rng = np.random.default_rng(2)
    real = np.stack([rng.normal(0, 1, 800), rng.normal(0.7, 1, 800)])
    fake = np.stack([rng.normal(0, 1, 800), rng.normal(-0.7, 1, 800)])
    found = choose(real, fake, names=("blind", "sharp"), reals=1, fakes=1, n_evaluate=1200, alpha=0.05)
    blind, sharp = np.abs(found.bound.weights)
    assert sharp > 5 * blind
    assert 0.05 < found.predicted < found.estimate.payoffs(real, fake, reals=1, fakes=1).mean() + 1e-9


def test_overconfident_logits_are_recalibrated():
    rng = np.random.default_rng(3)
    real, fake = rng.normal(0.125, 0.5, (1, 4000)), rng.normal(-0.125, 0.5, (1, 4000))
    options = {"names": ("x",), "reals": 1, "fakes": 1, "n_evaluate": 6000, "alpha": 0.05}
    plain, loud = choose(real, fake, **options), choose(8 * real, 8 * fake, **options)
    assert loud.predicted > 0.5 * plain.predicted > 0
    assert loud.bound.weights[0] < 0.5


def test_a_missing_mode_is_clipped_on_one_side_only():
    real = np.concatenate([np.full(95, -0.05), np.full(5, 9.0)])[None].repeat(20, axis=1)
    fake = np.full((1, 2000), -0.05)
    found = choose(real, fake, names=("x",), reals=1, fakes=1, n_evaluate=3000, alpha=0.05)
    assert found.bound.clip_high > 0.9
    assert found.bound.clip_low <= 0.2


def test_more_evaluate_rows_predict_a_higher_bound_below_the_mean():
    z = np.random.default_rng(4).normal(0.05, 0.2, 3000).clip(-0.6, 0.6)
    bounds = [predicted_bound(z, -0.7, 0.7, n_evaluate=n, alpha=0.05) for n in (100, 1000, 10_000)]
    assert bounds == sorted(bounds)
    assert bounds[-1] < z.mean()
