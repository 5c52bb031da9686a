"""Networks and rows that do not fit are told in words before the first round."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from saddlepoint import compute
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
            r"returned shape \(8, 2\) for 8 rows; .* one logit per row",
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

    with pytest.raises(InputError, match=r"returned tuple; .* one torch tensor"):
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


LONG = Settings(horizon=12, batch=8, noise_width=4)
ROWS = torch.rand(40, 3)


def pair() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return nn.Linear(4, 3), nn.Linear(3, 1)


def numbers(batches: object, settings: Settings = LONG) -> list[list[float]]:
    return [record.values.tolist() for record in play(*pair(), batches, settings=settings)]


@pytest.mark.parametrize(
    "batches",
    [
        ROWS.split(8),
        list(ROWS.split(8)),
        DataLoader(ROWS, batch_size=8),
        DataLoader(TensorDataset(ROWS), batch_size=8),
        [[each] for each in ROWS.split(8)],
        [(each, None) for each in ROWS.split(8)],
        [each.numpy() for each in ROWS.split(8)],
        itertools.cycle(ROWS.double().numpy().reshape(5, 8, 3)),
    ],
)
def test_batches_that_can_be_iterated_again_are_and_all_forms_are_one(batches: object) -> None:
    expected = numbers(itertools.cycle(ROWS.split(8)))
    assert len(expected) == 12
    assert numbers(batches) == expected


def test_a_shorter_last_batch_is_left_out_with_a_warning() -> None:
    with pytest.warns(UserWarning, match=r"4 rows, .* 8"):
        found = numbers(DataLoader(ROWS[:36], batch_size=8))
    assert found == numbers(ROWS[:32].split(8))


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        (iter(ROWS.split(8)), "The batches ran out in round 5"),
        (ROWS, r"The batches are one Tensor of shape \(40, 3\); give batches of 8 rows"),
        (ROWS.numpy(), "The batches are one ndarray"),
        (3, "The batches are a int, which cannot be iterated"),
        ([], "The batches are empty"),
        ([ROWS[:8], ROWS[:5], ROWS[:8]], "Batch 1 has 5 rows, the settings say 8"),
        ([ROWS[:8], ROWS[:9]], "Batch 1 has 9 rows, the settings say 8"),
        ([(ROWS[:8], ROWS[:8], ROWS[:8])], "A batch holds 3 items; it must be rows, or a pair"),
        ([{"x": ROWS[:8]}], "A batch holds a dict; it must be a torch tensor or a numpy array"),
        (
            [(ROWS[:8], ROWS[:7])],
            r"8 rows and a condition of shape \(7, 3\); give one condition for each row",
        ),
        ([np.array(["a"] * 8)], "A batch holds an array of <U1"),
        ([(ROWS[:8], torch.zeros(8))], "pairs .rows, condition., but the generator takes only rows"),
    ],
)
def test_batches_that_cannot_be_played_are_told(batches: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        numbers(batches)


def test_rows_alone_for_networks_that_take_a_condition_are_told() -> None:
    class Joined(nn.Linear):
        def forward(self, rows: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
            return super().forward(rows) + condition

    with pytest.raises(InputError, match="The generator takes a condition, but the batches are only rows"):
        first_record(Joined(4, 3), nn.Linear(3, 1), torch.zeros(8, 3))


@pytest.mark.parametrize(
    ("generator", "discriminator", "words"),
    [
        (nn.Linear, nn.Linear(3, 1), "The generator is the class Linear itself; give an instance of it"),
        (
            nn.Linear(4, 3),
            len,
            "The discriminator is a builtin_function_or_method; it must be a torch.nn.Module",
        ),
        (nn.Flatten(), nn.Linear(3, 1), "The generator has no parameters, so it cannot learn"),
        (nn.Linear(4, 3), nn.Flatten(), "The discriminator has no parameters, so it cannot learn"),
        (nn.Linear(4, 3).requires_grad_(False), nn.Linear(3, 1), "'weight' has requires_grad=False"),
    ],
)
def test_what_is_no_player_is_told(generator: nn.Module, discriminator: nn.Module, words: str) -> None:
    with pytest.raises(InputError, match=words):
        first_record(generator, discriminator, torch.zeros(8, 3))


def test_threads_go_by_the_work_unless_the_user_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen inside a round: a small game takes one thread, a large one as many as torch had, an order is an order."""

    class Watched(nn.Sequential):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            seen.append(torch.get_num_threads())
            return super().forward(rows)

    def used(**options: int) -> int:
        torch.manual_seed(0)
        records = play(Watched(nn.Linear(4, 3)), nn.Linear(3, 1), [ROWS[:8]], settings=LONG, **options)
        next(records)
        assert torch.get_num_threads() == 3  # outside a round the user's number is in force
        return seen[-1]

    seen: list[int] = []
    asked: list[float] = []
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    with compute.threads(3):
        assert used() == 1
        assert used(threads=2) == 2
        monkeypatch.setattr(compute, "choose_threads", lambda work: asked.append(work) or 8)
        assert used() == 3
        assert asked == [6.0 * 8 * (4 * 3 + 3 * 1)]
        monkeypatch.setattr(compute, "choose_threads", lambda work: 1)
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        assert used() == 3
    with pytest.raises(InputError, match="threads is 0; it must be a whole number"):
        play(*pair(), [ROWS[:8]], settings=LONG, threads=0)


def test_the_work_of_convolutions_is_counted_at_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(compute, "choose_threads", lambda work: asked.append(work) or 1)
    generator = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.ConvTranspose2d(1, 3, 4, 2, 1))
    discriminator = nn.Sequential(nn.Conv2d(3, 5, 4, 2, 1), nn.Flatten(), nn.Linear(20, 1))
    next(play(generator, discriminator, [torch.rand(8, 3, 4, 4)], settings=LONG))
    assert asked == [6.0 * 8 * (4 * 3 * 16 + 4 * 5 * 3 * 16 + 20)]
