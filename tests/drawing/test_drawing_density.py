import numpy as np
import pytest
from scipy.stats import gaussian_kde, norm

from saddlepoint.drawing.figure1 import bandwidth, common_bandwidth, density

LIMITS = (-6.0, 6.0)


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(size=500)


def test_a_density_inside_its_limits_integrates_to_one_and_outside_mass_is_missing(values):
    grid, p = density(values, LIMITS, 0.2)
    assert (p >= 0).all()
    assert np.trapezoid(p, grid) == pytest.approx(1.0, abs=1e-6)
    half = np.concatenate([values, np.full(500, 1e6)])
    assert np.trapezoid(density(half, LIMITS, 0.2)[1], grid) == pytest.approx(0.5, abs=1e-6)


def test_it_equals_the_kernel_sum_of_scipy_up_to_its_bins(values):
    grid, p = density(values, LIMITS, 0.2)
    exact = gaussian_kde(values, bw_method=0.2 / values.std(ddof=1))(grid)
    assert np.abs(p - exact).max() < 2e-3 * exact.max()


def test_shifting_and_scaling_the_points_shifts_and_scales_the_bandwidth(values):
    h = bandwidth(values, LIMITS)
    moved = bandwidth(3 * values + 10, (3 * LIMITS[0] + 10, 3 * LIMITS[1] + 10))
    assert moved == pytest.approx(3 * h, rel=1e-6)


def test_two_narrow_modes_are_not_smeared_into_one():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(-3, 0.1, 2000), rng.normal(3, 0.1, 2000)])
    h = bandwidth(values, LIMITS)
    assert h < 0.1  # Silverman's rule would say about 0.5
    grid, p = density(values, LIMITS, h)
    truth = 0.5 * norm.pdf(grid, -3, 0.1) + 0.5 * norm.pdf(grid, 3, 0.1)
    assert np.trapezoid(np.abs(p - truth), grid) < 0.1


@pytest.mark.parametrize("values", [[], [1.0], [2.0] * 50])
def test_no_points_one_point_and_equal_points_have_a_bandwidth_too(values):
    h = bandwidth(np.array(values), LIMITS)
    assert h == pytest.approx(12 / 40)
    assert np.isfinite(density(np.array(values), LIMITS, h)[1]).all()


def test_the_first_cloud_with_points_gives_the_common_bandwidth(values):
    assert common_bandwidth([values, 5 * values], LIMITS) == bandwidth(values, LIMITS)
    assert common_bandwidth([np.empty(0), values], LIMITS) == bandwidth(values, LIMITS)
    assert common_bandwidth([np.empty(0)], LIMITS) == pytest.approx(0.3)
