"""What the players reach on pairs of known densities: D's optimum, its value, and G's direction."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.stats import wasserstein_distance

from saddlepoint.objectives import DIVERGENCES, OBJECTIVES, get, value

SMOOTH = [
    "minimax", "non-saturating", "least-squares", "relativistic",
    "kl", "reverse-kl", "jensen-shannon", "squared-hellinger", "pearson",
]  # fmt: skip
STEPWISE = ["hinge", "total-variation"]
NO_CLOSED_FORM = ["wasserstein", "relativistic-average"]


def expected(loss, logits, p, q):
    """The expectation of a loss over independent pairs, cell i real with p_i and cell j fake with q_j."""
    return p @ loss(*torch.broadcast_tensors(logits[:, None], logits[None, :])) @ q


def f_divergence(name, p, q):
    return DIVERGENCES[name].between(p, q, 1.0)


def triangular(p, q):
    return ((p - q) ** 2 / (p + q)).sum()


def jsd_of_pairs(p, q):
    return f_divergence("jensen-shannon", torch.outer(p, q).flatten(), torch.outer(q, p).flatten())


# D's smallest loss, as a function of the two densities.
SMALLEST = {
    "minimax": lambda p, q: math.log(4) - 2 * f_divergence("jensen-shannon", p, q),
    "non-saturating": lambda p, q: math.log(4) - 2 * f_divergence("jensen-shannon", p, q),
    "least-squares": lambda p, q: 0.25 - triangular(p, q) / 8,
    "hinge": lambda p, q: 2 - 2 * f_divergence("total-variation", p, q),
    "relativistic": lambda p, q: math.log(2) - jsd_of_pairs(p, q),
} | {name: lambda p, q, name=name: -f_divergence(name, p, q) for name in DIVERGENCES}

# What G's loss goes down, D being at its optimum: `Objective.divergence` as a function.
FOLLOWED = {
    "minimax": lambda p, q: 2 * f_divergence("jensen-shannon", p, q),
    "non-saturating": lambda p, q: f_divergence("kl", q, p) - 2 * f_divergence("jensen-shannon", p, q),
    "least-squares": lambda p, q: f_divergence("kl", p, (p + q) / 2) - triangular(p, q) / 8,
    "hinge": lambda p, q: 2 * f_divergence("total-variation", p, q),
    "relativistic": lambda p, q: f_divergence("kl", q, p) - jsd_of_pairs(p, q),
} | {name: lambda p, q, name=name: f_divergence(name, p, q) for name in DIVERGENCES}


def test_every_objective_is_in_one_group():
    assert sorted(SMOOTH + STEPWISE + NO_CLOSED_FORM) == sorted(OBJECTIVES)
    assert set(SMALLEST) == set(FOLLOWED) == set(SMOOTH + STEPWISE)
    assert [
        name for name, objective in OBJECTIVES.items() if objective.optimum_logit is None
    ] == NO_CLOSED_FORM


@pytest.mark.parametrize("name", SMOOTH)
def test_the_best_discriminator_is_the_documented_one(name, pair):
    """One free logit a cell, fitted by LBFGS from zero, against the closed form; then its value."""
    p, q = pair
    objective = get(name)
    logits = torch.zeros_like(p, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [logits], max_iter=2000, history_size=60, line_search_fn="strong_wolfe", tolerance_grad=1e-10,
        tolerance_change=0,
    )  # fmt: skip

    def closure():
        optimiser.zero_grad()
        loss = expected(objective.discriminator_loss, logits, p, q)
        loss.backward()
        return loss

    optimiser.step(closure)
    found, documented = logits.detach(), objective.optimum_logit(torch.log(p / q))
    smallest = expected(objective.discriminator_loss, found, p, q)
    if name == "relativistic":
        found, documented = found - found.mean(), documented - documented.mean()
    torch.testing.assert_close(found, documented, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(smallest, SMALLEST[name](p, q), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", STEPWISE)
def test_the_best_stepwise_discriminator_has_the_documented_value(name, pair):
    """Brute force, cell by cell: these losses are a function of the real logit plus one of the fake."""
    p, q = pair
    loss = get(name).discriminator_loss
    tries = torch.linspace(-25, 25, 1001, dtype=torch.float64)
    zero = torch.zeros_like(tries)
    cells = p[:, None] * loss(tries, zero) + q[:, None] * loss(zero, tries)
    smallest = cells.min(1).values.sum() - loss(zero, zero)[0]
    torch.testing.assert_close(smallest, SMALLEST[name](p, q), rtol=1e-12, atol=1e-12)
    best = get(name).optimum_logit(torch.log(p / q))
    torch.testing.assert_close(expected(loss, best, p, q), smallest, rtol=1e-12, atol=1e-12)
    if name == "hinge":
        told_apart = (p - q).abs() > 1e-12
        torch.testing.assert_close(tries[cells.argmin(1)][told_apart], torch.sign(p - q)[told_apart])


@pytest.mark.parametrize("name", SMOOTH + STEPWISE)
def test_the_generator_goes_down_the_documented_divergence(name, pair):
    """With D held at its optimum for the current q, G's gradient is the documented functional's."""
    p, q = pair
    logits = get(name).optimum_logit(torch.log(p / q))
    free = q.log().requires_grad_()
    current = torch.softmax(free, 0)
    (played,) = torch.autograd.grad(expected(get(name).generator_loss, logits, p, current), free)
    current = torch.softmax(free, 0)
    (documented,) = torch.autograd.grad(FOLLOWED[name](p, current), free)
    torch.testing.assert_close(played, documented, rtol=1e-9, atol=1e-12)
    assert played.abs().max() > 1e-4


@pytest.mark.parametrize("name", SMOOTH + STEPWISE)
def test_what_the_generator_follows_is_smallest_at_the_data(name, pair):
    p, q = pair
    at_home = FOLLOWED[name](p, p)
    for share in (0.01, 0.3, 1.0):
        assert FOLLOWED[name](p, share * q + (1 - share) * p) > at_home


def test_value_at_the_optimum_is_twice_the_jsd_minus_log_four(pair):
    """Goodfellow et al. 2014, theorem 1, with D* = p/(p+q); the JSD does not mind the order of p and q."""
    p, q = pair
    found = expected(value, torch.log(p / q), p, q)
    jsd = f_divergence("jensen-shannon", p, q)
    torch.testing.assert_close(found, 2 * jsd - math.log(4))
    torch.testing.assert_close(expected(value, torch.log(q / p), q, p), found)
    assert 0.01 < jsd < math.log(2)


def test_the_best_lipschitz_critic_reaches_the_transport_distance(pair):
    """Kantorovich's dual, solved as a linear programme over 1-Lipschitz logits, scored by our loss."""
    p, q = pair
    grid = np.linspace(-3, 3, len(p))
    steps = np.diff(np.eye(len(p)), axis=0)
    solved = linprog(
        (q - p).numpy(),
        A_ub=np.concatenate([steps, -steps]),
        b_ub=np.tile(np.diff(grid), 2),
        bounds=[(0, 0)] + [(None, None)] * (len(p) - 1),
    )
    critic = torch.from_numpy(solved.x)
    loss = expected(get("wasserstein").discriminator_loss, critic, p, q)
    assert -float(loss) == pytest.approx(wasserstein_distance(grid, grid, p.numpy(), q.numpy()), rel=1e-8)
    there = expected(get("wasserstein").generator_loss, critic, p, q)
    back = expected(get("wasserstein").generator_loss, critic, p, p)
    assert float(there - back) == pytest.approx(-float(loss), rel=1e-8)
