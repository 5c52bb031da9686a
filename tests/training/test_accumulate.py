"""A batch played in parts is the batch: the same players after many rounds, whatever the game asks of them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from saddlepoint.errors import InputError
from saddlepoint.networks import (
    MaxoutDiscriminator,
    PictureDiscriminator,
    PictureGenerator,
    ResidualGenerator,
)
from saddlepoint.training import Game, PenaltySettings, Schedule, Settings, rounds

PENALTIES = tuple(
    PenaltySettings(name=name, weight=Schedule(start=0.5)) for name in ("r1", "r2", "gradient-penalty")
)


def batches():
    """Rows of 1 x 9 x 8, with classes."""
    for index in range(10**9):
        random = torch.Generator().manual_seed(index)
        yield (
            torch.rand(12, 1, 9, 8, generator=random, dtype=torch.float64),
            torch.eye(2)[torch.arange(12) % 2],
        )


def played(
    accumulation_steps: int, *, recompute: bool = False, dropout: bool = False, count: int = 6, **changes
) -> tuple[Game, list]:
    torch.manual_seed(0)
    settings = Settings(
        horizon=20,
        batch=12,
        noise_width=4,
        penalties=PENALTIES,
        average=0.1,
        precision="float64",
        accumulation_steps=accumulation_steps,
    )
    both = {"shape": [1, 9, 8], "width": 16, "condition_width": 2}
    if dropout:
        pair = (
            ResidualGenerator(noise_width=4, shape=[1, 9, 8], width=8, condition_width=2),
            MaxoutDiscriminator(shape=[1, 9, 8], hidden=[6], initial_range=0.5, condition_width=2),
        )
    else:
        pair = (
            PictureGenerator(noise_width=4, components=2, recompute=recompute, **both),
            PictureDiscriminator(recompute=recompute, **both),
        )
    game = Game(*pair, dataclasses.replace(settings, **changes))
    return game, [record.to_dict() for record in rounds(game, batches(), count)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dropout": True},
        {"fresh_noise": True, "discriminator_steps": 2, "objective": "wasserstein"},
        {"augment": 0.4, "objective": "non-saturating"},
    ],
)
@pytest.mark.parametrize("accumulation_steps", [3, 12])
def test_parts_of_a_batch_take_the_steps_of_the_whole(accumulation_steps, changes):
    whole, said = played(1, **changes)
    apart, heard = played(accumulation_steps, **changes)
    for name in ("generator", "discriminator"):
        for one, two in zip(whole.player(name).parameters(), apart.player(name).parameters(), strict=True):
            torch.testing.assert_close(two, one, rtol=1e-7, atol=1e-9)
    for one, two in zip(said, heard, strict=True):
        assert two == pytest.approx(one, rel=1e-7, abs=1e-9)


def test_levels_that_are_run_again_take_the_very_same_steps():
    kept, said = played(1, augment=0.4)
    again, heard = played(1, augment=0.4, recompute=True)
    assert said == heard
    for name in ("generator", "discriminator"):
        for one, two in zip(kept.player(name).parameters(), again.player(name).parameters(), strict=True):
            assert torch.equal(one, two)


@pytest.mark.parametrize(
    "changes",
    [
        {"accumulation_steps": 5},
        {"accumulation_steps": 3, "form": "simultaneous"},
        {"accumulation_steps": 3, "clip": 2.0},
    ],
)
def test_parts_that_are_not_the_batch_are_refused(changes):
    with pytest.raises(InputError, match=f"batch of 12 .* {changes['accumulation_steps']} micro-batches"):
        Settings(horizon=1, batch=12, **changes)


def test_logits_beside_their_batch_s_mean_are_not_played_in_parts():
    with pytest.raises(InputError, match=r"relativistic-average.* 3 processes or micro-batches"):
        played(3, objective="relativistic-average")
