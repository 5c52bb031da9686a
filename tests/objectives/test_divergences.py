"""The f-divergence table against definitions (conjugates, activations, optima) and closed forms (values)."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import ndtr

from saddlepoint.errors import InputError
from saddlepoint.objectives import DIVERGENCES, get
from saddlepoint.objectives.divergences import exponential

NAMES = list(DIVERGENCES)
SMOOTH = [name for name in NAMES if name != "total-variation"]
LOG_RATIOS = torch.linspace(-4, 4, 41, dtype=torch.float64)
GRID = torch.linspace(-9, 9, 3601, dtype=torch.float64)
DX = float(GRID[1] - GRID[0])


def gaussian(mean, scale=1.0):
    return torch.exp(-0.5 * ((GRID - mean) / scale) ** 2) / (scale * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("name", NAMES)
def test_f_is_zero_at_one_and_convex(name):
    f = DIVERGENCES[name].f
    assert float(f(torch.ones((), dtype=torch.float64))) == 0
    u = LOG_RATIOS.exp()
    middle = f((u[:-1] + u[1:]) / 2)
    assert (middle <= (f(u[:-1]) + f(u[1:])) / 2 + 1e-12).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_conjugate_is_the_supremum_that_defines_it(name):
    """f*(t) = sup_u (u t - f(u)), by brute force over u, at some t that the activation reaches."""
    divergence = DIVERGENCES[name]
    t = divergence.activation(torch.linspace(-1.9, 2, 14, dtype=torch.float64))
    u = torch.cat([torch.zeros(1), torch.linspace(-12, 8, 200_001)]).double()
    u[1:] = u[1:].exp()
    largest = (t[:, None] * u - divergence.f(u)).max(1).values
    torch.testing.assert_close(divergence.conjugate(t), largest, rtol=1e-6, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_composed_form_is_the_conjugate_of_the_activation(name):
    divergence = DIVERGENCES[name]
    v = torch.linspace(-6, 6, 61, dtype=torch.float64)
    composed = divergence.conjugate(divergence.activation(v))
    torch.testing.assert_close(divergence.conjugate_of_activation(v), composed, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_the_activation_rises_with_the_logit(name):
    v = torch.linspace(-6, 6, 61, dtype=torch.float64)
    assert (DIVERGENCES[name].activation(v).diff() > 0).all()


@pytest.mark.parametrize("name", SMOOTH)
def test_the_optimum_logit_activates_to_the_slope_of_f(name):
    divergence = DIVERGENCES[name]
    ratio = LOG_RATIOS.exp().requires_grad_()
    (slope,) = torch.autograd.grad(divergence.f(ratio).sum(), ratio)
    activated = divergence.activation(divergence.optimum_logit(LOG_RATIOS))
    torch.testing.assert_close(activated, slope, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_fenchel_and_young_meet_at_the_optimum(name):
    """r T - f*(T) = f(r) at T = f'(r), and less anywhere else: the bound is tight there only."""
    divergence = DIVERGENCES[name]
    ratio, best = LOG_RATIOS.exp(), divergence.optimum_logit(LOG_RATIOS)

    def bound(v):
        return ratio * divergence.activation(v) - divergence.conjugate_of_activation(v)

    torch.testing.assert_close(bound(best), divergence.f(ratio), rtol=1e-9, atol=1e-12)
    for away in (-0.5, 0.5):
        aside = best + away if name in SMOOTH else torch.full_like(best, away)
        other = bound(aside)
        unequal = LOG_RATIOS != 0 if name not in SMOOTH else torch.ones_like(ratio, dtype=torch.bool)
        assert (other[unequal] < divergence.f(ratio)[unequal]).all()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("kl", math.log(1.5 / 1.0) + (1.0 + 0.7**2) / (2 * 1.5**2) - 0.5),
        ("reverse-kl", math.log(1.0 / 1.5) + (1.5**2 + 0.7**2) / 2 - 0.5),
        (
            "squared-hellinger",
            2 - 2 * math.sqrt(2 * 1.5 / (1 + 1.5**2)) * math.exp(-(0.7**2) / (4 * (1 + 1.5**2))),
        ),
    ],
)
def test_divergences_of_gaussians_of_unlike_width(name, expected):
    """p = N(0, 1), q = N(0.7, 1.5²): closed forms, and the direction of the two KLs."""
    found = DIVERGENCES[name].between(gaussian(0.0), gaussian(0.7, 1.5), DX)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_divergences_of_shifted_gaussians():
    p, q = gaussian(0.0), gaussian(0.7)
    assert float(DIVERGENCES["pearson"].between(p, q, DX)) == pytest.approx(math.expm1(0.7**2), rel=1e-9)
    assert float(DIVERGENCES["total-variation"].between(p, q, DX)) == pytest.approx(
        2 * ndtr(0.35) - 1, abs=1e-6
    )
    reference = jensenshannon(p.numpy(), q.numpy()) ** 2
    assert float(DIVERGENCES["jensen-shannon"].between(p, q, DX)) == pytest.approx(reference, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("kl", math.inf),
        ("reverse-kl", math.inf),
        ("jensen-shannon", math.log(2)),
        ("squared-hellinger", 2.0),
        ("pearson", math.inf),
        ("total-variation", 1.0),
    ],
)
def test_densities_that_share_no_cell(name, apart):
    p, q = (
        torch.tensor([0.5, 0.5, 0.0, 0.0, 0.0]).double(),
        torch.tensor([0.0, 0.0, 0.25, 0.75, 0.0]).double(),
    )
    assert float(DIVERGENCES[name].between(p, q, 1.0)) == pytest.approx(apart, rel=1e-12)


@pytest.mark.parametrize(("name", "finite"), [("kl", True), ("reverse-kl", False), ("pearson", True)])
def test_data_on_part_of_the_generators_cells(name, finite):
    p, q = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.5, 0.5]).double()
    assert math.isfinite(DIVERGENCES[name].between(p, q, 1.0)) is finite
    assert math.isfinite(DIVERGENCES[name].between(q, p, 1.0)) is not finite


probabilities = st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4).filter(lambda cells: sum(cells) > 0.1)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(probabilities, probabilities)
def test_divergences_are_non_negative_zero_at_home_and_some_symmetric(p, q):
    p, q = (torch.tensor(cells, dtype=torch.float64) / sum(cells) for cells in (p, q))
    for name, divergence in DIVERGENCES.items():
        assert float(divergence.between(p, q, 1.0)) >= -1e-15
        assert float(divergence.between(p, p, 1.0)) == pytest.approx(0, abs=1e-15)
        if name in ("jensen-shannon", "squared-hellinger", "total-variation"):
            there, back = divergence.between(p, q, 1.0), divergence.between(q, p, 1.0)
            assert float(there) == pytest.approx(float(back), rel=1e-9, abs=1e-14)
    kl, reverse = DIVERGENCES["kl"].between(p, q, 1.0), DIVERGENCES["reverse-kl"].between(q, p, 1.0)
    assert float(kl) == pytest.approx(float(reverse), rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_a_divergence_pass_cells_where_a_density_vanishes(name):
    p, q = torch.tensor([0.5, 0.5, 0.0]).double(), torch.tensor([0.25, 0.75, 0.0]).double().requires_grad_()
    DIVERGENCES[name].between(p, q, 1.0).backward()
    assert q.grad[:2].isfinite().all()
    assert not q.grad.isnan().any()


@pytest.mark.parametrize("name", NAMES)
def test_a_tail_as_thin_as_floats_allow_does_no_harm(name):
    """q falls to the smallest normal float where p does not: no overflow, no nan."""
    thin = 2.3e-308
    p, q = torch.tensor([0.5, 0.5], dtype=torch.float64), torch.tensor([1.0, thin], dtype=torch.float64)
    found = float(DIVERGENCES[name].between(p, q, 1.0))
    expected = {
        "kl": math.log(0.5) - 0.5 * math.log(thin),
        "reverse-kl": math.log(2),
        "jensen-shannon": 0.5 * (0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(2) + math.log(1 / 0.75)),
        "squared-hellinger": (1 - math.sqrt(0.5)) ** 2 + 0.5,
        "pearson": 0.25 + 0.25 / thin,
        "total-variation": 0.5,
    }
    assert found == pytest.approx(expected[name], rel=1e-12)


def test_jensen_shannon_is_half_of_minimax_moved_to_zero():
    real, fake = torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    half = get("minimax").discriminator_loss(real, fake) / 2 - math.log(2)
    torch.testing.assert_close(get("jensen-shannon").discriminator_loss(real, fake), half)


def test_the_exponential_goes_on_along_its_tangent():
    v = torch.tensor([-1e4, -3.0, 0.0, 39.0, 40.0, 41.0, 1e4], dtype=torch.float64, requires_grad=True)
    found = exponential(v)
    (slope,) = torch.autograd.grad(found.sum(), v)
    expected = [0.0, math.exp(-3), 1.0, math.exp(39), math.exp(40), 2 * math.exp(40), 9961 * math.exp(40)]
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-14)
    np.testing.assert_allclose(slope.numpy(), [*expected[:5], math.exp(40), math.exp(40)], rtol=1e-14)


HALVES = torch.tensor([0.5, 0.5])


@pytest.mark.parametrize(
    ("p", "q", "dx", "message"),
    [
        (HALVES, torch.ones(3) / 3, 1.0, r"shapes \(2,\) and \(3,\); give both on the same grid"),
        (HALVES, HALVES, 0.0, r"dx is 0\.0; it must be positive"),
        (HALVES, HALVES, math.nan, r"dx is nan; it must be positive"),
        (torch.tensor([1.5, -0.5]), HALVES, 1.0, r"density p goes down to -0\.5; it must not be negative"),
        (HALVES, HALVES / 2, 1.0, r"density q integrates to 0\.5 on this grid"),
        (torch.tensor([math.nan, 0.5]), HALVES, 1.0, r"density p integrates to nan"),
    ],
)
def test_densities_that_are_none_are_refused(p, q, dx, message):
    with pytest.raises(InputError, match=message):
        DIVERGENCES["kl"].between(p, q, dx)
