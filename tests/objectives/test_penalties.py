"""Laws of the penalties: exact on critics of known gradient; differences against double backward."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from saddlepoint.errors import InputError
from saddlepoint.objectives import PENALTIES, between, get_penalty
from saddlepoint.objectives.penalties import (
    _rounding_unit,
    gradient_norm,
    squared_gradient,
    squared_gradient_by_differences,
)

MEASURES = [squared_gradient, gradient_norm, squared_gradient_by_differences]
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
def test_differences_are_exact_for_a_linear_critic(shape):
    weights, critic = linear_critic(shape)
    _, penalty = squared_gradient_by_differences(critic, draw(7, *shape))
    torch.testing.assert_close(penalty, weights.detach().square().sum().expand(7), rtol=1e-8, atol=0)
    (slope,) = torch.autograd.grad(penalty.mean(), weights)
    torch.testing.assert_close(slope, 2 * weights.detach(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_quadratic_critic_pays_row_by_row(shape):
    """D = |x|²/2 has gradient x: each row's own, whatever the rest of the batch."""
    points = draw(7, *shape)
    squares = points.flatten(1).square().sum(1)

    def critic(x):
        return x.flatten(1).square().sum(1, keepdim=True) / 2

    torch.testing.assert_close(squared_gradient(critic, points)[1], squares)
    torch.testing.assert_close(gradient_norm(critic, points)[1], (squares.sqrt() - 1) ** 2)
    torch.testing.assert_close(squared_gradient_by_differences(critic, points)[1], squares, rtol=1e-7, atol=0)


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


@pytest.mark.parametrize("kind", ["points", "pictures"])
def test_differences_agree_with_double_backward_in_value_and_parameter_gradient(kind):
    critic, points = smooth_critic(kind)
    exact, found = squared_gradient(critic, points)[1], squared_gradient_by_differences(critic, points)[1]
    assert relative(found, exact) < 1e-8
    assert relative(parameter_gradient(found, critic), parameter_gradient(exact, critic)) < 1e-8


@pytest.mark.parametrize("kind", ["points", "pictures"])
def test_the_error_of_differences_falls_as_the_square_of_the_step(kind):
    critic, points = smooth_critic(kind)
    exact = squared_gradient(critic, points)[1]
    exact_gradient = parameter_gradient(exact, critic)
    values, gradients = [], []
    for step in (0.02, 0.01):
        found = squared_gradient_by_differences(critic, points, step=step)[1]
        values.append(relative(found, exact))
        gradients.append(relative(parameter_gradient(found, critic), exact_gradient))
    assert values[0] / values[1] == pytest.approx(4, rel=0.02)
    assert gradients[0] / gradients[1] == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float32", 1e-3), ("autocast", 0.1), ("bfloat16", 0.1)]
)
@pytest.mark.parametrize("kind", ["points", "pictures"])
def test_the_step_suits_the_precision_at_work(kind, precision, tolerance):
    """Errors of penalty and parameter gradient; with float32's step, bfloat16 would be several-fold off."""
    critic, points = smooth_critic(kind)
    exact = squared_gradient(critic, points)[1]
    exact_gradient = parameter_gradient(exact, critic)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    coarse, rows = copy.deepcopy(critic).to(dtype), points.to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == "autocast"):
        _, found = squared_gradient_by_differences(coarse, rows)
        _, unsuited = squared_gradient_by_differences(coarse, rows, step=0.005)
    assert relative(found, exact) < tolerance
    assert relative(parameter_gradient(found, coarse), exact_gradient) < tolerance
    if precision != "float32":
        assert relative(unsuited, exact) > 3 * tolerance


def test_autocast_is_seen_behind_logits_cast_back_to_float32():
    critic, points = smooth_critic("points")
    exact = squared_gradient(critic, points)[1]
    coarse = copy.deepcopy(critic).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, found = squared_gradient_by_differences(lambda x: coarse(x).float(), points.float())
    assert relative(found, exact) < 0.1


def test_the_rounding_unit_is_the_coarsest_at_work():
    """On CUDA float32 may be computed as TF32, of 10 bits; no GPU is needed to say so."""
    rows = torch.zeros(2)
    assert _rounding_unit(rows, rows) == 2**-23
    assert _rounding_unit(rows.double(), rows.double()) == 2**-52
    assert _rounding_unit(rows, rows.bfloat16()) == 2**-7
    on_gpu = SimpleNamespace(dtype=torch.float32, device=SimpleNamespace(type="cuda"))
    assert _rounding_unit(on_gpu, rows) == 2**-10


def test_differences_count_moving_kinks_where_double_backward_does_not():
    """D = a lrelu(x - b), x uniform on [-1, 1]: E|D'|² = a² (1.04 - .96 b)/2, so d/db is -.48 a².

    Double backward gives 0 for b, as no row sees the kink. Differences give the true slope, from the few
    rows within a step of it: here 4001 equidistant points, of which 400 are.
    """
    points = torch.linspace(-1, 1, 4001, dtype=torch.float64)[:, None]
    a, b = (torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in (1.5, 0.2001))

    def critic(x):
        return a * nn.functional.leaky_relu(x[:, 0] - b, 0.2)

    exact = squared_gradient(critic, points)[1].mean()
    found = squared_gradient_by_differences(critic, points, step=0.1)[1].mean()
    expectation = 1.5**2 * (1.04 - 0.96 * 0.2001) / 2
    assert float(exact.detach()) == pytest.approx(expectation, rel=1e-3)
    assert float(found.detach()) == pytest.approx(expectation, rel=0.03)
    assert torch.autograd.grad(exact, b, allow_unused=True, materialize_grads=True)[0] == 0
    assert float(torch.autograd.grad(found, b)[0]) == pytest.approx(-0.48 * 1.5**2, rel=0.02)


def test_a_step_lost_in_the_rounding_of_the_points_is_loud():
    """Never a plausible 0: nan stops the game with a message."""
    points = torch.full((2, 3), 1e9)
    _, penalty = squared_gradient_by_differences(lambda x: x.sum(1), points)
    assert penalty.isnan().all()


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
        "r1-differences": "real",
        "r2-differences": "fake",
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


@pytest.mark.parametrize("step", [0.0, -0.1, math.nan, math.inf])
def test_a_step_that_is_none_is_refused(step):
    with pytest.raises(InputError, match=f"step of the differences is {step}; it must be a positive number"):
        squared_gradient_by_differences(lambda x: x.sum(1), torch.zeros(3, 2), step=step)


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
    assert str(caught.value) == (
        "No penalty is called 'R1', did you mean 'r1'? "
        "The penalties are r1, r2, gradient-penalty, r1-differences, r2-differences."
    )
