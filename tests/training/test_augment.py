"""Augmentation before D: what each change does, twice differentiable, drawn by the round, and that it does not leak."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

import saddlepoint as sp
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare
from saddlepoint.networks import build
from saddlepoint.objectives import get_penalty
from saddlepoint.training import Game, Settings, play
from saddlepoint.training.augment import DRAWS, augmented

CHANGES = ("shift", "cut-out", "brightness", "contrast")
OFF, ON = 0.99, 0.0


def draws(n: int, change: str | None, seed: int = 0) -> torch.Tensor:
    """Return draws by which one change alone is made to every picture."""
    made = torch.rand(n, DRAWS, generator=torch.Generator().manual_seed(seed))
    made[:, :4] = OFF
    if change is not None:
        made[:, CHANGES.index(change)] = ON
    return made


def test_a_picture_that_nothing_is_done_to_stays_to_the_bit():
    rows = torch.rand(5, 3, 9, 7)
    torch.testing.assert_close(augmented(rows, draws(5, None), 0.4), rows, rtol=0, atol=1e-6)


def test_each_change_does_what_it_says():
    rows = torch.rand(200, 2, 16, 24)
    mean = rows.mean((1, 2, 3), keepdim=True)
    light = (augmented(rows, draws(200, "brightness"), 0.4) - rows).flatten(1)
    assert float(light.std(1).max()) < 1e-6
    assert 0.19 < float(light.abs().max()) <= 0.2
    ratio = (
        ((augmented(rows, draws(200, "contrast"), 0.4) - mean) / (rows - mean)).flatten(1).median(1).values
    )
    assert 0.7 <= float(ratio.min()) < 0.72
    assert 1.28 < float(ratio.max()) <= 1.3
    cut = augmented(rows, draws(200, "cut-out"), 0.4)
    holes = (cut - rows).abs().amax(1) > 1e-4
    inside = holes[:, None].expand_as(cut)
    torch.testing.assert_close(cut[inside], mean.expand_as(cut)[inside])
    assert int(holes.sum((1, 2)).max()) == 8 * 12
    moved = augmented(rows, draws(200, "shift"), 0.4)
    shifts = set()
    for one, other in zip(rows, moved, strict=True):
        found = [
            (dy, dx)
            for dy, dx in itertools.product(range(-2, 3), range(-3, 4))
            if torch.allclose(one.roll((dy, dx), (1, 2))[:, 3:-3, 3:-3], other[:, 3:-3, 3:-3], atol=1e-6)
        ]
        assert len(found) == 1
        shifts |= set(found)
    assert [{each[axis] for each in shifts} for axis in (0, 1)] == [set(range(-2, 3)), set(range(-3, 4))]


def test_a_penalty_goes_through_it():
    torch.manual_seed(0)
    net = build({"name": "picture-discriminator", "shape": [1, 9, 8], "width": 16}).double()
    rows = torch.rand(6, 1, 9, 8, dtype=torch.float64)
    change = torch.rand(6, DRAWS, dtype=torch.float64)
    _, values = get_penalty("r1").measure(lambda points: net(augmented(points, change, 0.4)), rows)
    gradients = torch.autograd.grad(values.sum(), [net.filters, net.leave.weight])
    assert all(float(each.abs().max()) > 0 for each in gradients)
    points = rows[:2, :, :4, :4].requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: augmented(x, change[:2], 0.4), points)


def test_changes_are_draws_of_the_round_for_real_and_fake_apart():
    nets = [
        torch.nn.Sequential(torch.nn.Linear(4, 9), torch.nn.Unflatten(1, (1, 3, 3))),
        torch.nn.Linear(9, 1),
    ]
    one, two = (
        Game(*nets, Settings(horizon=9, batch=8, noise_width=4, augment=0.3, seed=seed)) for seed in (0, 0)
    )
    assert torch.equal(one.augmentation_draws("real", 0), two.augmentation_draws("real", 0))
    others = [one.augmentation_draws("fake", 0), one.augmentation_draws("real", 1)]
    one.round = 1
    others.append(one.augmentation_draws("real", 1))
    assert not any(torch.equal(two.augmentation_draws("real", 0), other) for other in others)
    plain = Game(*nets, Settings(horizon=9, batch=8, noise_width=4))
    assert plain.augmentation_draws("real", 0) is None
    stored = Settings(horizon=9).to_dict()
    del stored["augment"]  # as a run of an earlier version says
    assert Settings.from_dict(stored) == Settings(horizon=9)


@pytest.mark.parametrize("change", CHANGES)
def test_two_laws_stay_apart_whatever_they_are(change):
    """|T p - T q| >= (1 - 2 a) |p - q| on a world of 12 pictures, T by its draws: changed only where the coin says so."""
    probability, n = 0.4, 4000
    world = torch.zeros(12, 1, 2, 8)
    world[:8, 0, 0] = torch.eye(8)
    world[8:, 0, 1] = torch.tensor([0.0, 0.2, 0.4, 0.6])[:, None]
    place = CHANGES.index(change)
    given = draws(n, None)
    given[:, place] = (torch.arange(n) + 0.5) / n  # every coin alike often
    columns: list[dict[bytes, float]] = []
    for picture in world:
        made = (
            augmented(picture.expand(n, -1, -1, -1), given, probability)
            .mul(20)
            .round()
            .to(torch.int8)
            .numpy()
        )
        kinds, counts = np.unique(made.reshape(n, -1), axis=0, return_counts=True)
        columns.append({kind.tobytes(): count / n for kind, count in zip(kinds, counts, strict=True)})
    keys = sorted(set().union(*columns))
    kernel = np.array([[column.get(key, 0.0) for column in columns] for key in keys])
    random = np.random.default_rng(0)
    for _ in range(200):
        p, q = random.dirichlet(np.full(12, 0.3), 2)
        apart = np.abs(p - q).sum()
        # Pictures are told apart after rounding to twentieths, which can only join some of them.
        assert np.abs(kernel @ (p - q)).sum() >= (1 - 2 * probability) * apart - 1e-9


def test_what_is_never_shifted_does_not_come_back_shifted():
    """A bar that always stands in the same column, of random brightness: with changes played, samples keep its place."""
    random = np.random.default_rng(0)
    pictures = torch.full((512, 1, 8, 8), 0.1)
    pictures[..., 3] = torch.from_numpy(random.uniform(0.5, 0.9, (512, 1, 1))).float()
    torch.manual_seed(0)
    both = {"shape": [1, 8, 8], "width": 64}
    generator = build({"name": "residual-generator", "noise_width": 8, "output": "sigmoid", **both})
    discriminator = build({"name": "residual-discriminator", **both})
    generator.init_output_bias(torch.full((1, 8, 8), 0.3))  # it does not begin with the place of the bar
    settings = Settings(
        horizon=400,
        batch=64,
        noise_width=8,
        penalties=("r1", "r2"),
        average=0.1,
        augment=0.4,
        generator=sp.training.OptimiserSettings(rate=sp.training.Schedule(start=2e-3)),
        discriminator=sp.training.OptimiserSettings(rate=sp.training.Schedule(start=2e-3)),
    )
    for _ in play(generator, discriminator, list(pictures.split(64)), settings=settings, threads=1):
        pass
    with torch.no_grad():
        made = generator(torch.randn(500, 8, generator=torch.Generator().manual_seed(1)))
    columns = made.mean((1, 2))
    assert float((columns.argmax(1) == 3).float().mean()) > 0.98
    beside = columns[:, [2, 4]].max(1).values
    assert float((beside > 0.3).float().mean()) < 0.02  # the data's other columns are 0.1


def test_it_is_on_where_large_pictures_are_few():
    large = np.random.default_rng(0).integers(0, 256, (60, 40, 30, 1), dtype=np.uint8)
    tiny = np.random.default_rng(0).integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)

    def planned(rows, **chosen):
        small = FitOptions(rounds=1, capacity="small", batch=4, compile="off", **chosen)
        return prepare(open_source(rows), small).plan.settings.augment

    assert (planned(large), planned(large, augment="off"), planned(tiny), planned(tiny, augment="on")) == (
        0.4,
        0.0,
        0.0,
        0.4,
    )


def test_rows_that_are_no_pictures_are_refused():
    with pytest.raises(InputError, match=r"\(3,\): set augment to 0"):
        augmented(torch.rand(2, 3), draws(2, None), 0.4)
