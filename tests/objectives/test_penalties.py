"""Laws of the penalties: exact on critics of known gradient; differences against double backward."""

import copy
import math

import pytest
import torch
from torch import nn

from saddlepoint.errors import InputError
from saddlepoint.objectives import PENALTIES, between, get_penalty
from saddlepoint.objectives.penalties import (
    gradient_norm,
    squared_gradient,
)

MEASURES = [squared_gradient, gradient_norm]
SHAPES = [(5,), (3, 4, 4)]


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linear_critic(shape, seed=1):
    weights = draw(*shape, seed=seed).requires_grad_()
    return weights, lambda x: (x * weights).flatten(1).sum(1) + 0.5


def smooth_critic(kind, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        if kind == "points":
            critic = nn.Sequential(
                nn.Linear(5, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU(), nn.Linear(32, 1)
            )
            return critic.double(), draw(64, 5)
        critic = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.SiLU(), nn.Flatten(), nn.Linear(8 * 16, 1))
        return critic.double(), draw(32, 3, 8, 8).tanh()


def parameter_gradient(penalty, critic):
    gradients = torch.autograd.grad(
        penalty.mean(), list(critic.parameters()), materialize_grads=True, allow_unused=True
    )
    return torch.cat([gradient.flatten() for gradient in gradients]).double()


def relative(found, exact):
    return float((found.detach() - exact.detach()).norm() / exact.detach().norm())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_linear_critic_pays_its_squared_norm(shape):
    weights, critic = linear_critic(shape)
    logits, penalty = squared_gradient(critic, draw(7, *shape))
    norm = weights.detach().norm()
    torch.testing.assert_close(penalty, (norm**2).expand(7), rtol=1e-14, atol=0)
    torch.testing.assert_close(logits, critic(draw(7, *shape)))
    (slope,) = torch.autograd.grad(penalty.mean(), weights)
    torch.testing.assert_close(slope, 2 * weights.detach())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_linear_critic_pays_its_distance_from_norm_one(shape):
    weights, critic = linear_critic(shape)
    _, penalty = gradient_norm(critic, draw(7, *shape))
    norm = weights.detach().norm()
    torch.testing.assert_close(penalty, ((norm - 1) ** 2).expand(7))
    (slope,) = torch.autograd.grad(penalty.mean(), weights)
    torch.testing.assert_close(slope, 2 * (norm - 1) * weights.detach() / norm)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quadratic_critic_pays_row_by_row(shape):
    """D = |x|²/2 has gradient x: each row's own, whatever the rest of the batch."""
    points = draw(7, *shape)
    squares = points.flatten(1).square().sum(1)

    def critic(x):
        return x.flatten(1).square().sum(1, keepdim=True) / 2

    torch.testing.assert_close(squared_gradient(critic, points)[1], squares)
    torch.testing.assert_close(gradient_norm(critic, points)[1], (squares.sqrt() - 1) ** 2)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("kind", ["points", "pictures"])
def test_logits_come_with_their_graph_and_need_no_second_run(measure, kind):
    critic, points = smooth_critic(kind)
    logits, penalty = measure(critic, points)
    assert logits.shape == penalty.shape == (len(points),)
    torch.testing.assert_close(logits, critic(points)[:, 0])
    torch.testing.assert_close(
        parameter_gradient(logits, critic), parameter_gradient(critic(points)[:, 0], critic)
    )


@pytest.mark.parametrize("measure", MEASURES)
def test_no_penalty_reaches_the_generator(measure):
    critic, points = smooth_critic("points")
    source = points.clone().requires_grad_()
    logits, penalty = measure(critic, source * 2)
    found = torch.autograd.grad((logits + penalty).mean(), source, allow_unused=True)
    assert found == (None,)
    leaf = points.clone()
    measure(critic, leaf)
    assert not leaf.requires_grad


@pytest.mark.parametrize("measure", MEASURES)
def test_rows_do_not_depend_on_their_batch(measure):
    critic, points = smooth_critic("points")
    whole = measure(critic, points)[1]
    alone = torch.cat([measure(critic, points[i : i + 1])[1] for i in range(len(points))])
    # Differences divide rounding by the step: a few digits of float64 go there.
    torch.testing.assert_close(alone, whole, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_flat_critic_pays_without_nan(measure):
    """Gradient zero: R1 is 0, the gradient penalty 1, and every parameter gradient a number."""
    slope = torch.zeros((), dtype=torch.float64, requires_grad=True)
    _, penalty = measure(lambda x: slope * x.sum(1), draw(4, 5))
    assert penalty.tolist() == [1.0 if measure is gradient_norm else 0.0] * 4
    (gradient,) = torch.autograd.grad(penalty.mean(), slope)
    assert float(gradient) == 0


@pytest.mark.parametrize("measure", MEASURES)
def test_rows_with_and_without_a_gradient_mix(measure):
    points = torch.cat([draw(3, 5).abs() + 1, -draw(3, 5).abs() - 1])
    weight = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    _, penalty = measure(lambda x: weight * torch.relu(x).sum(1), points)
    assert penalty.isfinite().all()
    assert (penalty[3:] == (1 if measure is gradient_norm else 0)).all()
    expected = (2 * math.sqrt(5) - 1) ** 2 if measure is gradient_norm else 20.0
    assert penalty[:3].tolist() == pytest.approx([expected] * 3, rel=1e-8)


@pytest.mark.parametrize("measure", [squared_gradient, gradient_norm])
def test_parameter_gradients_are_those_of_finite_differences_in_the_parameters(measure):
    critic, points = smooth_critic("points")
    exact = parameter_gradient(measure(critic, points[:8])[1], critic)
    direction = draw(len(exact), seed=3)
    ends = []
    for sign in (1, -1):
        moved = copy.deepcopy(critic)
        flat = nn.utils.parameters_to_vector(moved.parameters()).detach()
        nn.utils.vector_to_parameters(flat + sign * 1e-6 * direction, moved.parameters())
        ends.append(float(measure(moved, points[:8])[1].detach().mean()))
    assert float(exact @ direction) == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_points_between_real_and_fake():
    real, fake, mix = torch.ones(3, 2, 2, 2), torch.zeros(3, 2, 2, 2), torch.tensor([0.0, 0.25, 1.0])
    found = between(real, fake.requires_grad_(), mix)
    assert found.flatten(1).amin(1).tolist() == found.flatten(1).amax(1).tolist() == [0.0, 0.25, 1.0]
    assert not found.requires_grad
    torch.testing.assert_close(between(draw(3, 2), draw(3, 2, seed=1), torch.ones(3).double()), draw(3, 2))


def test_factors_make_the_weight_the_papers():
    """gamma/2 |w|² for R1 and R2, lambda (|w| - 1)² for the gradient penalty."""
    weights, critic = linear_critic((5,))
    norm = float(weights.detach().norm())
    weight = 3.0
    for name, penalty in PENALTIES.items():
        cost = penalty.factor * weight * float(penalty.measure(critic, draw(4, 5))[1].detach().mean())
        expected = weight * (norm - 1) ** 2 if name == "gradient-penalty" else weight / 2 * norm**2
        assert cost == pytest.approx(expected, rel=1e-8)


def test_penalties_are_filed_under_their_names_with_their_places():
    assert {name: penalty.where for name, penalty in PENALTIES.items()} == {
        "r1": "real",
        "r2": "fake",
        "gradient-penalty": "between",
    }
    for name in PENALTIES:
        assert get_penalty(name).name == name
        with pytest.raises(AttributeError):
            get_penalty(name).factor = 2.0


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("critic", "points", "message"),
    [
        (lambda x: x.sum(1), torch.zeros(3, 2, dtype=torch.int64), r"points are torch\.int64"),
        (lambda x: x, torch.zeros(3, 2), r"shape \(3, 2\) for 3 points; it must give one logit a row"),
        (
            lambda x: x.detach().sum(1),
            torch.zeros(3, 2),
            r"carry no gradient; call a penalty outside torch\.no_grad",
        ),
    ],
)
def test_critics_and_points_that_cannot_be_penalised_are_refused(measure, critic, points, message):
    with pytest.raises(InputError, match=message):
        measure(critic, points)


@pytest.mark.parametrize(
    ("real", "fake", "mix"), [((3, 2), (4, 2), (3,)), ((3, 2), (3, 2), (3, 1)), ((3, 2), (3, 2), (2,))]
)
def test_between_refuses_shapes_that_do_not_fit(real, fake, mix):
    with pytest.raises(InputError, match="do not fit") as caught:
        between(torch.zeros(real), torch.zeros(fake), torch.zeros(mix))
    assert all(str(shape) in str(caught.value) for shape in (real, fake, mix))


def test_an_unknown_penalty_is_named_with_the_nearest_and_all():
    with pytest.raises(InputError) as caught:
        get_penalty("R1")
    assert "'R1', did you mean 'r1'?" in str(caught.value)
    assert ", ".join(PENALTIES) in str(caught.value)
