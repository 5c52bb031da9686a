"""Networks and rows that do not fit are told in words before the first round."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from saddlepoint.errors import InputError
from saddlepoint.training import Settings, play

SETTINGS = Settings(horizon=3, batch=8, noise_width=4)


def first_record(generator: nn.Module, discriminator: nn.Module, batch: object) -> object:
    return next(play(generator, discriminator, itertools.repeat(batch), settings=SETTINGS))


@pytest.mark.parametrize(
    ("generator", "discriminator", "batch", "words"),
    [
        (
            nn.Linear(5, 3),
            nn.Linear(3, 1),
            torch.zeros(8, 3),
            r"generator cannot take noise of shape \(8, 4\)",
        ),
        (
            nn.Linear(4, 2),
            nn.Linear(3, 1),
            torch.zeros(8, 3),
            r"rows of shape \(2,\) .* data's rows have shape \(3,\)",
        ),
        (
            nn.Linear(4, 3),
            nn.Linear(2, 1),
            torch.zeros(8, 3),
            r"discriminator cannot take the data's rows of shape \(3,\)",
        ),
        (
            nn.Linear(4, 3),
            nn.Linear(3, 2),
            torch.zeros(8, 3),
            r"returned shape \(8, 2\) for 8 rows; .* one logit a row",
        ),
        (nn.Linear(4, 3), nn.Linear(3, 1), torch.zeros(6, 3), r"first batch has 6 rows, the settings say 8"),
        (
            nn.Linear(4, 3),
            nn.Linear(3, 1),
            torch.zeros(8, 3).byte(),
            r"hold uint8 numbers.*batch\.float\(\) / 255",
        ),
    ],
)
def test_what_does_not_fit_is_told(
    generator: nn.Module, discriminator: nn.Module, batch: torch.Tensor, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        first_record(generator, discriminator, batch)


def test_a_network_that_returns_no_tensor_is_told() -> None:
    class Pair(nn.Linear):
        def forward(self, z: torch.Tensor) -> object:
            return super().forward(z), z

    with pytest.raises(InputError, match="returned tuple; it must return one torch tensor"):
        first_record(Pair(4, 3), nn.Linear(3, 1), torch.zeros(8, 3))


def test_your_own_dropout_is_seeded_and_the_global_generator_left_alone() -> None:
    def losses() -> list[torch.Tensor]:
        torch.manual_seed(0)
        generator, discriminator = nn.Linear(4, 3), nn.Sequential(nn.Dropout(0.5), nn.Linear(3, 1))
        torch.manual_seed(5)
        records = list(play(generator, discriminator, itertools.repeat(torch.ones(8, 3)), settings=SETTINGS))
        after.append(torch.rand(1).item())
        return [record.values for record in records]

    after: list[float] = []
    one, two = losses(), losses()
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    torch.manual_seed(5)
    assert after == [torch.rand(1).item()] * 2


def test_an_introduction_moves_no_running_statistics() -> None:
    generator = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    before = generator[1].running_mean.clone()
    with pytest.raises(InputError):
        first_record(generator, nn.Linear(3, 2), torch.zeros(8, 3))
    assert torch.equal(before, generator[1].running_mean)
    assert generator.training
