"""The laws of a round: who moves, from what, and to where theory says."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from saddlepoint.errors import GameError, InputError
from saddlepoint.networks import (
    MaxoutDiscriminator,
    RectifierGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
)
from saddlepoint.objectives import OBJECTIVES
from saddlepoint.training import (
    Game,
    OptimiserSettings,
    PenaltySettings,
    Schedule,
    Settings,
    algorithm,
    follow,
    play,
    rounds,
)

SGD = OptimiserSettings(name="sgd", rate=Schedule(start=0.05), momentum=Schedule(start=0.5))
R1R2 = (PenaltySettings(name="r1"), PenaltySettings(name="r2"))


def batches(settings: Settings, width: int = 3, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(1)
    for _ in itertools.count():
        yield torch.randn(settings.batch, width, generator=generator).to(dtype)


def small_game(**changes: object) -> Game:
    settings = Settings(**({"horizon": 50, "batch": 8, "noise_width": 4, "precision": "float64"} | changes))
    torch.manual_seed(0)
    return Game(
        ResidualGenerator(noise_width=4, shape=[3], width=8),
        ResidualDiscriminator(shape=[3], width=8),
        settings,
    )


def weights(module: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_step_of_one_player_leaves_the_other_bitwise_unchanged() -> None:
    game = small_game(penalties=R1R2)
    real, _ = game.next_batch(batches(game.settings))
    fake = game.generate(game.noise(0), None, 0, graph=True)
    before_d, before_g = weights(game.discriminator), weights(game.generator)
    loss, _, _ = algorithm.discriminator_loss(game, real, fake.detach(), None, 0)
    game.descend("discriminator", loss)
    assert same(before_g, weights(game.generator))
    assert not same(before_d, weights(game.discriminator))
    before_d = weights(game.discriminator)
    game.descend("generator", algorithm.generator_loss(game, real, fake, None, 1))
    assert same(before_d, weights(game.discriminator))
    assert not same(before_g, weights(game.generator))


@pytest.mark.parametrize("pair", ["residual", "2014"])
@pytest.mark.parametrize("form", ["alternating", "simultaneous"])
def test_gradients_reach_every_parameter_of_the_active_player(pair: str, form: str) -> None:
    torch.manual_seed(0)
    if pair == "residual":
        generator = ResidualGenerator(noise_width=4, shape=[2, 3], width=8)
        discriminator = ResidualDiscriminator(shape=[2, 3], width=8)
        # Second layers start at zero and keep their block's first layer still in the very first round.
        for block in (*generator.blocks, *discriminator.blocks):
            nn.init.normal_(block.second.weight)
    else:
        generator = RectifierGenerator(noise_width=4, shape=[2, 3], hidden=[16, 16], initial_range=0.5)
        discriminator = MaxoutDiscriminator(shape=[2, 3], hidden=[6, 6], initial_range=0.5)
    settings = Settings(
        horizon=5, batch=64, noise_width=4, precision="float64", form=form, objective="non-saturating"
    )
    game = Game(generator, discriminator, settings)
    data = (torch.rand(64, 2, 3, dtype=torch.float64) for _ in itertools.count())
    list(rounds(game, data, 1))
    for player in ("generator", "discriminator"):
        for name, parameter in game.player(player).named_parameters():
            assert parameter.grad is not None
            assert parameter.grad.abs().sum() > 0, f"{player} {name}"


def test_the_simultaneous_form_moves_both_from_the_same_parameters() -> None:
    """Its G gradient is that of D before its step; the alternating form's is that of D after it."""
    moves = {}
    for form in ("simultaneous", "alternating"):
        game = small_game(form=form, objective="non-saturating", generator=SGD, discriminator=SGD)
        start = weights(game.generator)
        fake = game.generate(game.noise(0), None, 0, graph=True)
        expected = torch.autograd.grad(
            game.objective.generator_loss(torch.zeros(8), game.critic("fake", None, 0)(fake)).mean(),
            list(game.generator.parameters()),
        )
        list(rounds(game, batches(game.settings), 1))
        moves[form] = [a - b for a, b in zip(weights(game.generator), start, strict=True)]
        close = all(
            torch.allclose(move, -0.05 * gradient, atol=1e-14)
            for move, gradient in zip(moves[form], expected, strict=True)
        )
        assert close == (form == "simultaneous")


def test_algorithm_1_draws_new_noise_for_the_generator_and_k_batches_a_round() -> None:
    taken = 0

    def counted(settings: Settings):
        nonlocal taken
        for batch in batches(settings):
            taken += 1
            yield batch

    game = small_game(discriminator_steps=3, fresh_noise=True, objective="minimax")
    list(rounds(game, counted(game.settings), 2))
    assert taken == 6
    fresh, reused = small_game(fresh_noise=True), small_game(fresh_noise=False)
    for each in (fresh, reused):
        list(rounds(each, batches(each.settings), 1))
    assert same(weights(fresh.discriminator), weights(reused.discriminator))
    assert not same(weights(fresh.generator), weights(reused.generator))


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
@pytest.mark.parametrize("form", ["alternating", "simultaneous"])
def test_every_objective_plays_in_both_forms(name: str, form: str) -> None:
    game = small_game(objective=name, form=form)
    before = weights(game.generator)
    records = list(follow(game, batches(game.settings), 3))
    assert [record.round for record in records] == [0, 1, 2]
    assert not same(before, weights(game.generator))


@pytest.mark.parametrize("penalty", ["r1", "r2", "gradient-penalty"])
@pytest.mark.parametrize("form", ["alternating", "simultaneous"])
def test_every_penalty_changes_the_game(penalty: str, form: str) -> None:
    plain = small_game(form=form, objective="non-saturating")
    penalised = small_game(form=form, objective="non-saturating", penalties=(PenaltySettings(name=penalty),))
    for game in (plain, penalised):
        list(rounds(game, batches(game.settings), 2))
    assert not same(weights(plain.discriminator), weights(penalised.discriminator))


def test_a_linear_discriminator_is_logistic_regression() -> None:
    """D's loss is logistic loss: on fixed samples D's maximum of V is scikit-learn's unpenalised fit."""
    rng = np.random.default_rng(3)
    real, fake = rng.normal(0.4, 1.0, (60, 2)), rng.normal(-0.2, 1.3, (60, 2))

    class Fixed(nn.Module):
        uniforms = 0

        def __init__(self) -> None:
            super().__init__()
            self.shift = nn.Parameter(torch.zeros(2))

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(fake) + 0.0 * self.shift

    class Linear(nn.Linear):
        uniforms = 0

    settings = Settings(
        horizon=3000,
        batch=60,
        noise_width=2,
        precision="float64",
        objective="minimax",
        discriminator=OptimiserSettings(name="sgd", rate=Schedule(start=1.0), momentum=Schedule(start=0.9)),
    )
    discriminator = Linear(2, 1)
    list(play(Fixed(), discriminator, itertools.repeat(torch.from_numpy(real)), settings=settings))
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    reference.fit(np.r_[real, fake], np.r_[np.ones(60), np.zeros(60)])
    assert discriminator.weight.detach().numpy() == pytest.approx(reference.coef_, abs=1e-5)
    assert discriminator.bias.item() == pytest.approx(reference.intercept_[0], abs=1e-5)


def test_the_discriminator_of_a_one_dimensional_game_tends_to_p_over_p_plus_q() -> None:
    """Proposition 1, with p = N(0, 1), q = N(1, 1) held fixed: the optimal logit is 1/2 - x.

    A quadratic critic can represent it; the tolerance is three standard errors of a fit on 40 x 4,000 draws.
    """

    class Shifted(nn.Module):
        uniforms = 0

        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.ones(1))

        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return z + self.one.detach() + 0.0 * self.one

    class Quadratic(nn.Module):
        uniforms = 0

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.cat([x, x * x], 1))

    settings = Settings(
        horizon=600,
        batch=4000,
        noise_width=1,
        precision="float64",
        objective="minimax",
        discriminator=OptimiserSettings(
            name="sgd", rate=Schedule(start=0.5, end=0.005, shape="geometric"), momentum=Schedule(start=0.8)
        ),
    )
    torch.manual_seed(0)
    discriminator = Quadratic()
    list(play(Shifted(), discriminator, batches(settings, width=1), settings=settings))
    slope, curvature = discriminator.head.weight.detach().numpy()[0]
    assert slope == pytest.approx(-1.0, abs=0.05)
    assert curvature == pytest.approx(0.0, abs=0.03)
    assert discriminator.head.bias.item() == pytest.approx(0.5, abs=0.05)


def test_a_non_finite_loss_stops_the_game_and_names_player_and_round() -> None:
    game = small_game()

    def broken():
        for number, batch in enumerate(batches(game.settings)):
            yield batch * float("inf") if number == 4 else batch

    with pytest.raises(GameError, match=r"discriminator's loss is nan in round 4"):
        list(follow(game, broken(), 10))
    assert game.round == 5


def test_a_generator_that_breaks_is_named() -> None:
    game = small_game(
        objective="non-saturating", generator=dataclasses.replace(SGD, rate=Schedule(start=1e200))
    )
    with pytest.raises(GameError, match="round 1"):
        list(follow(game, batches(game.settings), 10))


def test_batches_that_run_out_are_told_in_words() -> None:
    game = small_game()
    with pytest.raises(InputError, match=r"ran out in round 3"):
        list(follow(game, itertools.islice(batches(game.settings), 3), 10))


def test_the_algorithm_is_short_enough_to_be_read_beside_the_paper() -> None:
    with open(algorithm.__file__, encoding="utf-8") as file:
        assert len(file.readlines()) < 150


@pytest.mark.parametrize("form", ["alternating", "simultaneous"])
def test_no_fake_pulls_harder_than_the_clip_allows(form: str) -> None:
    """G's gradient under clip c is the pull-back of each fake's own gradient, cut to c times their mean norm."""
    clipped, free = small_game(clip=1.0, form=form), small_game(form=form)
    fake = free.generate(free.noise(0), None, 0, graph=True)
    (pull,) = torch.autograd.grad(algorithm.generator_loss(free, fake.detach(), fake, None, 0), fake)
    norms = pull.norm(dim=1)
    cut = pull * (norms.mean() / norms).clamp(max=1.0)[:, None]
    assert (norms > norms.mean()).any()
    expected = torch.autograd.grad(
        (free.generate(free.noise(0), None, 0, graph=True) * cut).sum(), list(free.generator.parameters())
    )
    fake = clipped.generate(clipped.noise(0), None, 0, graph=True)
    found = clipped.gradients("generator", algorithm.generator_loss(clipped, fake.detach(), fake, None, 0))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert not same(moved(clipped), moved(free))


def moved(game: Game) -> list[torch.Tensor]:
    """G's weights after one round."""
    list(rounds(game, batches(game.settings), 1))
    return weights(game.generator)


def test_a_clip_that_nothing_reaches_changes_nothing() -> None:
    assert all(
        torch.allclose(a, b) for a, b in zip(moved(small_game(clip=1e6)), moved(small_game()), strict=True)
    )
