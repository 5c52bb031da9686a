"""Laws of the losses: signs, stable forms, invariances, what a sample's loss may depend on."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from saddlepoint.errors import InputError
from saddlepoint.objectives import OBJECTIVES, discriminator_probability, get, value

NAMES = list(OBJECTIVES)
PAIRED = [(name, "discriminator_loss") for name in NAMES] + [
    (name, "generator_loss") for name in NAMES if OBJECTIVES[name].generator_needs_real
]


def sigmoid(v):
    return 1 / (1 + torch.exp(-v))


def logits(count=200, scale=8.0, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return (2 * torch.rand(2, count, generator=draws, dtype=torch.float64) - 1) * scale


NAIVE = {
    "minimax": (
        lambda r, f: -torch.log(sigmoid(r)) - torch.log(1 - sigmoid(f)),
        lambda r, f: torch.log(1 - sigmoid(f)),
    ),
    "non-saturating": (
        lambda r, f: -torch.log(sigmoid(r)) - torch.log(1 - sigmoid(f)),
        lambda r, f: -torch.log(sigmoid(f)),
    ),
    "least-squares": (lambda r, f: 0.5 * (r - 1) ** 2 + 0.5 * f**2, lambda r, f: 0.5 * (f - 1) ** 2),
    "hinge": (
        lambda r, f: torch.maximum(1 - r, 0 * r) + torch.maximum(1 + f, 0 * f),
        lambda r, f: -f,
    ),
    "wasserstein": (lambda r, f: f - r, lambda r, f: -f),
    "relativistic": (lambda r, f: -torch.log(sigmoid(r - f)), lambda r, f: -torch.log(sigmoid(f - r))),
    "relativistic-average": (
        lambda r, f: -torch.log(sigmoid(r - f.mean())) - torch.log(1 - sigmoid(f - r.mean())),
        lambda r, f: -torch.log(sigmoid(f - r.mean())) - torch.log(1 - sigmoid(r - f.mean())),
    ),
    "kl": (lambda r, f: -r + torch.exp(f - 1), lambda r, f: -torch.exp(f - 1)),
    "reverse-kl": (
        lambda r, f: torch.exp(-r) - 1 - torch.log(torch.exp(-f)),
        lambda r, f: 1 + torch.log(torch.exp(-f)),
    ),
    "jensen-shannon": (
        lambda r, f: -0.5 * torch.log(2 * sigmoid(r)) - 0.5 * torch.log(2 - 2 * sigmoid(f)),
        lambda r, f: 0.5 * torch.log(2 - 2 * sigmoid(f)),
    ),
    "squared-hellinger": (
        lambda r, f: -(1 - torch.exp(-r)) + (1 - torch.exp(-f)) / torch.exp(-f),
        lambda r, f: -(1 - torch.exp(-f)) / torch.exp(-f),
    ),
    "pearson": (lambda r, f: -r + f**2 / 4 + f, lambda r, f: -(f**2) / 4 - f),
    "total-variation": (
        lambda r, f: 0.5 * (torch.tanh(f) - torch.tanh(r)),
        lambda r, f: -0.5 * torch.tanh(f),
    ),
}


def test_naive_forms_cover_every_objective():
    assert set(NAIVE) == set(OBJECTIVES)


@pytest.mark.parametrize("name", NAMES)
def test_stable_forms_equal_the_naive_ones(name):
    real, fake = logits()
    objective = get(name)
    for loss, naive in zip(
        (objective.discriminator_loss, objective.generator_loss), NAIVE[name], strict=True
    ):
        torch.testing.assert_close(loss(real, fake), naive(real, fake), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_losses_and_gradients_are_finite_at_huge_logits(name, dtype):
    huge = torch.tensor([-1e4, 1e4, -1e4, 1e4, 0.0], dtype=dtype)
    real, fake = huge.clone().requires_grad_(), huge[[0, 1, 3, 2, 4]].clone().requires_grad_()
    for loss in (get(name).discriminator_loss, get(name).generator_loss):
        losses = loss(real, fake)
        assert losses.isfinite().all()
        gradients = torch.autograd.grad(losses.sum(), (real, fake), materialize_grads=True, allow_unused=True)
        assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", NAMES)
def test_each_player_pushes_the_logits_its_own_way(name):
    """D raises real logits and lowers fake ones, G raises fake ones: fails if (real, fake) are exchanged."""
    real = torch.full((3,), 0.3, dtype=torch.float64, requires_grad=True)
    fake = torch.full((3,), 0.3, dtype=torch.float64, requires_grad=True)
    on_real, on_fake = torch.autograd.grad(get(name).discriminator_loss(real, fake).sum(), (real, fake))
    assert (on_real < 0).all()
    assert (on_fake > 0).all()
    on_real, on_fake = torch.autograd.grad(
        get(name).generator_loss(real, fake).sum(), (real, fake), materialize_grads=True
    )
    assert (on_fake < 0).all()
    assert (on_real > 0).all() if get(name).generator_needs_real else (on_real == 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_discriminator_that_is_right_has_a_smaller_loss_than_one_that_is_wrong(name):
    high, low = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([-1.0, -0.5, -2.0])
    loss = get(name).discriminator_loss
    assert (loss(high, low) < loss(low, high)).all()


@pytest.mark.parametrize("name", [name for name in NAMES if not OBJECTIVES[name].generator_needs_real])
def test_the_generator_reads_no_real_logits_unless_it_says_so(name):
    fake = logits()[1]
    assert get(name).generator_loss(torch.tensor(math.nan), fake).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_depends_on_its_batch_only_where_that_is_said(name):
    real, fake = logits(32, scale=3.0)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(1))
    for loss in (get(name).discriminator_loss, get(name).generator_loss):
        whole = loss(real, fake)
        assert whole.shape == real.shape
        torch.testing.assert_close(loss(real[order], fake[order]), whole[order])
        alone = torch.cat([loss(real[i : i + 1], fake[i : i + 1]) for i in range(32)])
        assert torch.allclose(alone, whole, rtol=1e-12, atol=0) is not get(name).batch_averaged


@pytest.mark.parametrize("name", NAMES)
def test_losses_keep_the_shape_of_the_logits(name):
    real, fake = logits(6)
    column = get(name).discriminator_loss(real.view(6, 1), fake.view(6, 1))
    assert column.shape == (6, 1)
    torch.testing.assert_close(column.view(6), get(name).discriminator_loss(real, fake))


@pytest.mark.parametrize(("name", "player"), PAIRED)
def test_shapes_that_would_broadcast_are_refused(name, player):
    with pytest.raises(InputError, match=r"\(4,\) .*\(4, 1\)"):
        getattr(get(name), player)(torch.zeros(4), torch.zeros(4, 1))


def test_value_at_one_half_is_minus_log_four():
    zero = torch.zeros(5, dtype=torch.float64)
    torch.testing.assert_close(value(zero, zero), torch.full_like(zero, -math.log(4)), rtol=1e-15, atol=0)


def test_value_is_its_definition_and_never_positive():
    real, fake = logits()
    expected = discriminator_probability(real).log() + (1 - discriminator_probability(fake)).log()
    torch.testing.assert_close(value(real, fake), expected, rtol=1e-11, atol=1e-12)
    assert (value(real, fake) <= 0).all()


def test_value_keeps_the_tail_that_a_thresholded_softplus_drops():
    tail = torch.tensor([-25.0], dtype=torch.float64)
    expected = -25 - math.log1p(math.exp(-25)) - math.log1p(math.exp(-25))
    assert float(value(tail, tail)) == expected


def test_minimax_and_non_saturating_share_the_discriminator():
    assert get("minimax").discriminator_loss is get("non-saturating").discriminator_loss


def test_generator_gradients_differ_by_the_odds_against_the_fake():
    """d/dv -log D = (1 - D)/D * d/dv log(1 - D): same sign, and large where minimax's vanishes."""
    fake = logits()[1].requires_grad_()
    (saturating,) = torch.autograd.grad(get("minimax").generator_loss(fake, fake).sum(), fake)
    (non_saturating,) = torch.autograd.grad(get("non-saturating").generator_loss(fake, fake).sum(), fake)
    probability = discriminator_probability(fake.detach())
    torch.testing.assert_close(non_saturating, saturating * (1 - probability) / probability)
    assert (saturating.sign() == non_saturating.sign()).all()


@pytest.mark.parametrize("name", ["relativistic", "relativistic-average"])
def test_relativistic_losses_ignore_a_constant(name):
    real, fake = logits(scale=3.0)
    for loss in (get(name).discriminator_loss, get(name).generator_loss):
        torch.testing.assert_close(loss(real + 7.5, fake + 7.5), loss(real, fake), rtol=1e-12, atol=1e-13)
        assert not torch.allclose(loss(real + 7.5, fake), loss(real, fake))


def test_the_relativistic_generator_plays_the_discriminators_game_exchanged():
    real, fake = logits()
    for name in ("relativistic", "relativistic-average"):
        assert torch.equal(get(name).generator_loss(real, fake), get(name).discriminator_loss(fake, real))


def test_wasserstein_is_linear():
    (real, fake), (other_real, other_fake) = logits(seed=0), logits(seed=1)
    for loss in (get("wasserstein").discriminator_loss, get("wasserstein").generator_loss):
        mixed = loss(2.5 * real - 3 * other_real, 2.5 * fake - 3 * other_fake)
        torch.testing.assert_close(mixed, 2.5 * loss(real, fake) - 3 * loss(other_real, other_fake))


def test_the_discriminators_hinge_is_flat_beyond_the_margin():
    real = torch.tensor([1.01, 5.0, 0.99, -3.0], requires_grad=True)
    fake = torch.tensor([-1.01, -5.0, -0.99, 3.0], requires_grad=True)
    gradients = torch.autograd.grad(get("hinge").discriminator_loss(real, fake).sum(), (real, fake))
    assert gradients[0].tolist() == [0, 0, -1, -1]
    assert gradients[1].tolist() == [0, 0, 1, 1]


def test_a_linear_discriminator_is_logistic_regression():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0.4, 1.0, (300, 3)), rng.normal(0.0, 1.3, (300, 3))
    x = np.concatenate([real, fake])
    y = np.repeat([1, 0], 300)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y)

    weights = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-12, tolerance_change=1e-16
    )

    def closure():
        optimiser.zero_grad()
        on_real, on_fake = (torch.from_numpy(rows) @ weights[:3] + weights[3] for rows in (real, fake))
        loss = get("minimax").discriminator_loss(on_real, on_fake).mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    fitted = weights.detach().numpy()
    np.testing.assert_allclose(fitted[:3], reference.coef_[0], atol=1e-5)
    np.testing.assert_allclose(fitted[3], reference.intercept_[0], atol=1e-5)
    assert np.abs(fitted).max() > 0.1


def test_an_unknown_objective_is_named_with_the_nearest_and_all():
    with pytest.raises(InputError) as caught:
        get("relativstic")
    assert "'relativstic', did you mean 'relativistic'?" in str(caught.value)
    assert ", ".join(OBJECTIVES) in str(caught.value)


def test_every_objective_is_filed_under_its_name_and_frozen():
    for name, objective in OBJECTIVES.items():
        assert objective.name == name
        with pytest.raises(AttributeError):
            objective.name = "other"
