"""What makes a round cheap changes no number of it: one pass for both sides, and steps without bookkeeping."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import Tensor, nn

from saddlepoint.networks import MaxoutDiscriminator, ResidualDiscriminator, ResidualGenerator
from saddlepoint.objectives import OBJECTIVES
from saddlepoint.training import Game, OptimiserSettings, Schedule, Settings, algorithm, rounds
from saddlepoint.training.game import depends_on_batch


class Gated(nn.Module):
    """Rows see their batch's mean through a gate that starts shut."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.gate = nn.Linear(3, 1), nn.Parameter(torch.zeros(()))

    def forward(self, rows: Tensor) -> Tensor:
        return self.layer(rows) + self.gate * rows.mean()


DISCRIMINATORS = {
    "residual": (lambda: ResidualDiscriminator(shape=[3], width=8), False),
    "maxout": (lambda: MaxoutDiscriminator(shape=[3], hidden=[6], initial_range=0.5), False),
    "plain": (lambda: nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1)), False),
    "batch norm": (lambda: nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)), True),
    "own dropout": (lambda: nn.Sequential(nn.Linear(3, 8), nn.Dropout(), nn.Linear(8, 1)), True),
    "shut gate": (Gated, True),
    "one size of batch": (lambda: nn.Sequential(nn.Unflatten(0, (4, 4)), nn.Flatten(1)), True),
}


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_network_that_mixes_rows_is_found(name: str) -> None:
    torch.manual_seed(0)
    make, mixes = DISCRIMINATORS[name]
    module = make()
    before = [parameter.clone() for parameter in (*module.parameters(), *module.buffers())]
    assert (
        depends_on_batch(module, lambda each, rows: each(rows), torch.randn(16, 3), computed=torch.float32)
        == mixes
    )
    after = [*module.parameters(), *module.buffers()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def game(discriminator: nn.Module, **changes: object) -> Game:
    torch.manual_seed(0)
    values = {"horizon": 50, "batch": 8, "noise_width": 4, "precision": "float64", "average": 0.1} | changes
    return Game(ResidualGenerator(noise_width=4, shape=[3], width=8), discriminator, Settings(**values))


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("penalties", [(), ("r1", "r2"), ("r1",), ("gradient-penalty",)], ids=str)
@pytest.mark.parametrize("name", ["residual", "maxout"])
def test_one_pass_for_both_sides_gives_the_gradient_of_two(
    name: str, objective: str, penalties: tuple[str, ...]
) -> None:
    torch.manual_seed(1)
    both = game(DISCRIMINATORS[name][0](), objective=objective, penalties=penalties)
    real, fake = torch.randn(2, 8, 3, dtype=torch.float64)
    found = []
    assert both.can_share_pass(real, fake, None) == (penalties != ("r1",))
    for apart in (True, False):
        both._row_independent = apart
        loss, *logits = algorithm.discriminator_loss(both, real, fake, None, 0)
        found.append([loss, *logits, *both.gradients("discriminator", loss)])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(
    "settings",
    [
        OptimiserSettings(),
        OptimiserSettings(name="sgd", momentum=Schedule(start=0.0, end=0.9, shape="linear", begin=0.1)),
    ],
    ids=lambda each: each.name,
)
def test_steps_without_bookkeeping_are_torchs_own(settings: OptimiserSettings) -> None:
    torch.manual_seed(1)
    discriminator = ResidualDiscriminator(shape=[3], width=8)
    one, two = (game(copy.deepcopy(discriminator), generator=settings, horizon=20) for _ in range(2))
    mover = two.player_optimisers["generator"]

    def own(gradients: list[Tensor], paces: OptimiserSettings, round_: int, horizon: int) -> None:
        mover.set_rate(paces, round_, horizon)
        for parameter, gradient in zip(mover.parameters, gradients, strict=True):
            parameter.grad = gradient
        mover.optimiser.step()

    mover.step = own  # type: ignore[method-assign]
    data = [torch.randn(8, 3) for _ in range(12)]
    for each in (one, two):
        list(rounds(each, itertools.cycle(data), 12))
    for a, b in zip(one.generator.parameters(), two.generator.parameters(), strict=True):
        assert torch.equal(a, b)
