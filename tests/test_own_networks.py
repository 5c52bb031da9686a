"""`sp.training.play` with a user's own modules and batches: a small convolutional pair on digits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import saddlepoint as sp
from saddlepoint.errors import InputError
from saddlepoint.training import PenaltySettings, Settings

NOISE = 16


def generator(width=32):
    return nn.Sequential(
        nn.Linear(NOISE, width * 4),
        nn.Unflatten(1, (width, 2, 2)),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(width, width, 4, 2, 1),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
        nn.Sigmoid(),
    )


def discriminator(width=32):
    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.2),
        nn.Conv2d(width, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(width * 4, 1),
    )


@pytest.fixture(scope="module")
def digits():
    return torch.tensor(load_digits().images[:, None] / 16, dtype=torch.float32)


def batches(rows, size=64):
    random = np.random.default_rng(0)
    while True:
        yield rows[torch.from_numpy(random.integers(0, len(rows), size))]


def far(one, two):
    """Squared distance of the means plus that of the standard deviations, a pixel."""
    one, two = one.flatten(1).double(), two.flatten(1).double()
    return float(((one.mean(0) - two.mean(0)) ** 2 + (one.std(0) - two.std(0)) ** 2).mean())


def test_a_convolutional_pair_with_batch_norm_and_dropout_learns_digits(digits):
    torch.manual_seed(0)
    g, d = generator(), discriminator()
    z = torch.randn(500, NOISE)
    with torch.no_grad():
        before = far(g.eval()(z), digits)
    penalties = (PenaltySettings(name="r1"),)
    settings = Settings(horizon=250, batch=64, noise_width=NOISE, penalties=penalties)
    records = list(sp.training.play(g, d, batches(digits), settings=settings))
    assert [record.round for record in records] == list(range(250))
    assert g[2].num_batches_tracked > 0
    with torch.no_grad():
        after = far(g.eval()(z), digits)
    assert after < before / 3


def test_play_is_repeatable_with_dropout_and_batch_norm_inside(digits):
    def weights(seed):
        torch.manual_seed(1)
        g, d = generator(8), discriminator(8)
        settings = Settings(horizon=4, batch=64, noise_width=NOISE, seed=seed)
        for _ in sp.training.play(g, d, batches(digits), settings=settings):
            pass
        return torch.cat([value.flatten().double() for value in g.state_dict().values()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


@pytest.mark.parametrize("objective", ["minimax", "wasserstein", sp.objectives.get("hinge")])
def test_the_objective_stands_in_place_of_the_settings(digits, objective):
    def loss(**chosen):
        torch.manual_seed(1)
        settings = Settings(horizon=1, batch=64, noise_width=NOISE)
        record = next(
            sp.training.play(generator(8), discriminator(8), batches(digits), settings=settings, **chosen)
        )
        return record.to_dict()["discriminator_loss"]

    assert loss(objective=objective) != loss()


def test_a_condition_reaches_both_players(digits):
    class Joined(nn.Module):
        """Both players see the class; what they were called with is kept."""

        def __init__(self, inputs, outputs):
            super().__init__()
            self.layer, self.seen = nn.Linear(inputs + 10, outputs), []

        def forward(self, rows, condition):
            self.seen.append(tuple(condition.shape))
            return self.layer(torch.cat([rows, condition], 1))

    labels = nn.functional.one_hot(torch.tensor(load_digits().target[:64])).float()
    batch = (digits[:64].flatten(1), labels)
    g, d = Joined(NOISE, 64), Joined(64, 1)
    settings = Settings(horizon=2, batch=64, noise_width=NOISE)
    for _ in sp.training.play(g, d, itertools.repeat(batch), settings=settings):
        pass
    assert set(g.seen) == {(64, 10)}
    assert set(d.seen) == {(64, 10), (128, 10)}  # real and generated rows in one pass for D's step


def same(rows):
    return rows


WRONG = {
    "a generator of flat rows": (
        lambda: nn.Linear(NOISE, 64),
        discriminator,
        same,
        "The generator made rows of shape (64,) from noise of width 16, but the data's rows have shape (1, 8, 8): "
        "change the generator's last layer or the batches.",
    ),
    "a discriminator without a last layer": (
        generator,
        lambda: nn.Conv2d(1, 1, 4, 2, 1),
        same,
        "The discriminator returned shape (64, 1, 4, 4) for 64 rows; it must return one logit per row",
    ),
    "a discriminator of other pictures": (
        generator,
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(49, 1)),
        same,
        "The discriminator cannot take the data's rows of shape (1, 8, 8): mat1 and mat2 shapes cannot be",
    ),
    "a generator of other noise": (
        lambda: nn.Linear(8, 64),
        discriminator,
        same,
        "The generator cannot take noise of shape (64, 16): ",
    ),
    "batches of another size": (
        generator,
        discriminator,
        lambda rows: rows[:9],
        "The first batch has 9 rows, the settings say 64",
    ),
    "batches of whole numbers": (
        generator,
        discriminator,
        lambda rows: (rows * 16).to(torch.uint8),
        "The batches hold uint8 numbers; the game needs floating-point rows",
    ),
}


def play_one(g, d, batch):
    settings = Settings(horizon=3, batch=64, noise_width=NOISE)
    return next(sp.training.play(g, d, itertools.repeat(batch), settings=settings))


def refusals():
    """Yield what is done and the act, for the page of errors."""
    rows = torch.rand(64, 1, 8, 8)
    for title, (g, d, made, _) in WRONG.items():
        yield f"`play` with {title}", lambda g=g, d=d, made=made: play_one(g(), d(), made(rows))


@pytest.mark.parametrize("title", WRONG)
def test_what_does_not_fit_is_told_before_the_first_round(digits, title):
    g, d, made, sentence = WRONG[title]
    one, two = g(), d()
    before = [value.clone() for value in (*one.state_dict().values(), *two.state_dict().values())]
    with pytest.raises(InputError) as caught:
        play_one(one, two, made(digits[:64]))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)
    after = [*one.state_dict().values(), *two.state_dict().values()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_fitted_generator_is_a_plain_module_that_torch_can_use(digits):
    gan = sp.GAN(capacity="small", rounds=3, random_state=0).fit((digits[:, 0] * 16).numpy().astype(np.uint8))
    module = gan.model_.generator
    assert isinstance(module, nn.Module)
    z = torch.randn(5, gan.model_.noise_width, requires_grad=True)
    module(z).sum().backward()
    assert z.grad is not None
    assert z.grad.abs().sum() > 0
    pictures = gan.model_.sample(noise=z.detach())
    np.testing.assert_array_equal(pictures[..., None], gan.model_.encoder.decode(module(z).detach()))
