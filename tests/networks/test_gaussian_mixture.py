"""The pair that plays in charts: where it starts, what it learns, and what D's slope is taken along."""

import numpy as np
import pytest
import torch
from scipy import stats

from saddlepoint.networks import MixtureDiscriminator, MixtureGenerator

SHARES = torch.tensor([[0.5, 0.3, 0.2]])
MEANS = torch.tensor([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
FACTORS = torch.tensor([[[1.0, 0.0], [0.5, 0.1]], [[2.0, 0.0], [0.0, 2.0]], [[0.1, 0.0], [0.0, 0.1]]])


def generator(start="mixture", classes=0, shares=SHARES):
    noise = MixtureGenerator.noise_for(3, 2, start)
    made = MixtureGenerator(
        noise_width=noise, components=3, local_width=2, width=16, start=start, condition_width=classes
    )
    made.components.init_from_data(shares, MEANS, FACTORS)
    return made, noise


def test_before_the_first_round_samples_are_the_mixtures():
    made, noise = generator()
    z = torch.randn(4000, noise, generator=torch.Generator().manual_seed(0))
    rows = made(z)
    torch.testing.assert_close(rows, made.base(z), rtol=0, atol=0)
    counts = rows[:, :3].sum(0).detach().numpy()
    assert stats.chisquare(counts, SHARES[0].numpy() * 4000).pvalue > 1e-4
    assert stats.kstest(rows[:, 3].detach().numpy(), "norm").pvalue > 1e-4
    x = made.components.decode(rows[:, :3], rows[:, 3:])
    of_first = x[rows[:, 0] == 1].detach().numpy()
    np.testing.assert_allclose(np.cov(of_first.T), (FACTORS[0] @ FACTORS[0].T).numpy(), atol=0.06)


def test_what_the_game_taught_can_be_taken_back():
    made, noise = generator()
    z = torch.randn(10, noise)
    torch.nn.init.ones_(made.local.leave.weight)
    assert not torch.equal(made(z), made.base(z))
    made.reset_to_start()
    torch.testing.assert_close(made(z), made.base(z), rtol=0, atol=0)


def test_each_class_draws_by_its_own_weights():
    made, noise = generator(classes=2, shares=torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]]))
    condition = torch.eye(2).repeat_interleave(2000, 0)
    code = made(torch.randn(4000, noise, generator=torch.Generator().manual_seed(1)), condition)[:, :3]
    assert code[:2000].sum(0).tolist() == [2000, 0, 0]
    assert stats.binomtest(int(code[2000:, 2].sum()), 2000, 0.75).pvalue > 1e-4


def test_a_learned_start_is_given_neither_weights_nor_shapes_and_can_learn_both():
    made, noise = generator("learned")
    z = torch.randn(2000, noise, generator=torch.Generator().manual_seed(2))
    rows = made(z)
    torch.testing.assert_close(rows[:, :3].sum(1), torch.ones(2000))
    (rows[:, 0].sum() + rows[:, 3:].square().sum()).backward()
    for player in (made.choice, made.local):
        assert all(
            p.grad is not None and p.grad.abs().sum() > 0 for p in (player.leave.weight, player.enter.weight)
        )
    again, _ = generator("learned", shares=torch.tensor([[0.01, 0.01, 0.98]]))
    again.load_state_dict({**made.state_dict(), "charts.shares": again.components.shares})
    torch.testing.assert_close(again(z), rows)  # whatever the weights are, they are not looked at


@pytest.mark.parametrize(("start", "along_code"), [("mixture", False), ("learned", True)])
def test_a_penalty_sees_the_slope_along_the_code_only_where_it_is_learned(start, along_code):
    critic = MixtureDiscriminator(components=3, local_width=2, width=16, start=start)
    critic.components.init_from_data(SHARES, MEANS, FACTORS)
    rows = torch.cat([torch.eye(3), torch.randn(3, 2)], 1).requires_grad_()
    (slope,) = torch.autograd.grad(critic(rows).sum(), rows)
    assert bool(slope[:, :3].abs().sum() > 0) is along_code
    assert slope[:, 3:].abs().sum() > 0
