"""The Parzen window against scikit-learn's KernelDensity, and as the density it claims to be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.neighbors import KernelDensity

from saddlepoint.errors import InputError
from saddlepoint.judging.metrics import parzen


def rows(n, d, seed=0, *, scale=1.0, shift=0.0):
    return np.random.default_rng(seed).normal(shift, scale, (n, d))


@pytest.mark.parametrize("sigma", [0.05, 0.3, 2.0])
@pytest.mark.parametrize("d", [1, 3, 20])
def test_it_is_scikit_learn_s_kernel_density(d, sigma):
    points, samples = rows(200, d), rows(300, d, 1)
    # One leaf: across the leaves of its tree scikit-learn 1.9 loses the tails (0.2 where the naive sum gives -2732).
    reference = KernelDensity(bandwidth=sigma, leaf_size=len(samples), rtol=0, atol=0).fit(samples)
    expected = reference.score_samples(points)
    np.testing.assert_allclose(parzen.log_density(points, samples, sigma), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("sigma", [0.05, 2.0])
def test_it_is_the_naive_mixture_of_gaussians(sigma):
    points, samples = rows(40, 3), rows(50, 3, 1)
    parts = norm(samples[None], sigma).logpdf(points[:, None]).sum(axis=2)
    expected = logsumexp(parts, axis=1) - np.log(50)
    np.testing.assert_allclose(parzen.log_density(points, samples, sigma), expected, rtol=1e-9, atol=1e-9)


def test_one_sample_is_one_gaussian():
    x = np.linspace(-3, 3, 7)
    found = parzen.log_density(x[:, None], [[0.5]], 0.7)
    np.testing.assert_allclose(found, norm(0.5, 0.7).logpdf(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("chunk", [1, 299, 300, 301, 7_000])
def test_the_size_of_a_chunk_changes_nothing(chunk, monkeypatch):
    points, samples = rows(157, 4), rows(300, 4, 1)
    whole = parzen.log_density(points, samples, 0.4)
    monkeypatch.setattr(parzen, "_CHUNK_NUMBERS", chunk)
    np.testing.assert_allclose(parzen.log_density(points, samples, 0.4), whole, rtol=0, atol=1e-9)


@pytest.mark.parametrize("sigma", [0.1, 1.0])
def test_in_one_dimension_it_integrates_to_one(sigma):
    samples = rows(50, 1, scale=3.0)
    grid = np.linspace(samples.min() - 9 * sigma, samples.max() + 9 * sigma, 4001)
    density = np.exp(parzen.log_density(grid[:, None], samples, sigma))
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-9)


def test_moving_everything_changes_nothing_and_scaling_costs_the_volume():
    points, samples = rows(60, 3), rows(80, 3, 1)
    here = parzen.log_density(points, samples, 0.5)
    np.testing.assert_allclose(parzen.log_density(points + 1e6, samples + 1e6, 0.5), here, atol=1e-6)
    wider = parzen.log_density(10 * points, 10 * samples, 5.0)
    np.testing.assert_allclose(wider, here - 3 * np.log(10), atol=1e-9)


def test_the_order_and_copies_of_samples_change_nothing():
    points, samples = rows(60, 3), rows(80, 3, 1)
    here = parzen.log_density(points, samples, 0.5)
    np.testing.assert_allclose(parzen.log_density(points, samples[::-1], 0.5), here, atol=1e-9)
    np.testing.assert_allclose(parzen.log_density(points, np.tile(samples, (3, 1)), 0.5), here, atol=1e-9)


def test_far_points_stay_finite():
    found = parzen.log_density([[1e4]], rows(10, 1), 0.01)
    assert np.isfinite(found).all()
    assert found < -1e10


def test_several_windows_at_once_are_the_same_as_one_by_one():
    points, samples = rows(40, 2), rows(90, 2, 1)
    sigmas = [0.1, 0.4, 1.0]
    each = [parzen.log_density(points, samples, sigma) for sigma in sigmas]
    np.testing.assert_allclose(parzen.log_densities(points, samples, sigmas), each, atol=1e-12)


def test_the_window_chosen_is_the_best_of_the_list_on_the_validation_rows():
    validation, samples, sigmas = rows(300, 2), rows(300, 2, 1), [0.01, 0.1, 0.3, 1.0, 3.0]
    means = [parzen.log_density(validation, samples, sigma).mean() for sigma in sigmas]
    best = parzen.choose_sigma(validation, samples, sigmas)
    assert best == sigmas[int(np.argmax(means))]
    assert best in (0.1, 0.3)  # neither spikes nor one blob, for 300 points of a normal law


@pytest.mark.parametrize(
    ("points", "samples", "sigma", "sentence"),
    [
        (
            np.zeros((2, 3)),
            np.zeros((2, 2)),
            1.0,
            "The points have 3 numbers per row and the samples 2; both must have",
        ),
        (
            np.zeros(3),
            np.zeros((2, 2)),
            1.0,
            r"The points have shape \(3,\); give a non-empty array of shape \(n, d\)",
        ),
        (np.zeros((2, 2)), np.zeros((0, 2)), 1.0, r"The samples have shape \(0, 2\)"),
        (np.zeros((2, 2)), np.zeros((2, 2)), 0.0, r"The bandwidths \[0\.0\] must be finite numbers above 0"),
        (np.zeros((2, 2)), np.zeros((2, 2)), np.inf, r"The bandwidths \[inf\] must be finite"),
    ],
)
def test_what_cannot_be_a_density(points, samples, sigma, sentence):
    with pytest.raises(InputError, match=sentence):
        parzen.log_density(points, samples, sigma)
