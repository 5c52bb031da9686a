"""Recipes: the paper's numbers where the paper gives them, and rules that hold for any data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from saddlepoint import recipes
from saddlepoint.data.encoders.picture import PicturesEncoder
from saddlepoint.data.opening import open_source
from saddlepoint.errors import InputError
from saddlepoint.fitting import FitOptions, prepare
from saddlepoint.networks import build

MNIST = recipes.Data(kind="pictures", shape=(1, 28, 28), rows=50_000)


def test_goodfellow2014_is_the_papers_recipe_on_mnist() -> None:
    plan = recipes.plan(recipes.choose("goodfellow2014", "pictures"), MNIST)
    s = plan.settings
    assert (s.batch, s.noise_width, s.noise_distribution, s.form) == (100, 100, "uniform", "simultaneous")
    assert s.objective == "non-saturating"  # the authors' G maximises log D(G(z)) throughout
    assert s.horizon == 250 * 500
    assert plan.generator["hidden"] == [1200, 1200]
    assert plan.discriminator["hidden"] == [240, 240]
    assert (plan.generator["initial_range"], plan.discriminator["initial_range"]) == (0.05, 0.005)
    momentum = s.generator.momentum
    assert [momentum.at(round_, s.horizon) for round_ in (0, 500, 125_000)] == pytest.approx([0.5, 0.5, 0.7])
    assert s.generator.rate.at(125_000, s.horizon) == pytest.approx(0.1 / 1.000004**125_000)
    assert s.discriminator.rate.at(77, s.horizon) == pytest.approx(s.generator.rate.at(77, s.horizon) / 2)


@pytest.mark.parametrize("name", ["auto", "goodfellow2014", "modern"])
@pytest.mark.parametrize("capacity", ["small", "medium", "large"])
@pytest.mark.parametrize("condition_width", [0, 4])
@pytest.mark.parametrize(
    ("kind", "shape"),
    [("points", (1,)), ("points", (40,)), ("pictures", (3, 5, 7)), ("pictures", (4, 33, 17))],
)
def test_any_shape_gets_two_networks_that_fit(
    name: str, capacity: str, condition_width: int, kind: str, shape: tuple[int, ...]
) -> None:
    data = recipes.Data(kind=kind, shape=shape, rows=100, condition_width=condition_width)
    plan = recipes.plan(recipes.choose(name, kind), data, capacity=capacity)
    generator, discriminator = build(plan.generator), build(plan.discriminator)
    condition = torch.eye(4)[:3] if condition_width else None
    rows = generator(torch.zeros(3, plan.settings.noise_width), condition)
    assert rows.shape == (3, *shape)
    assert discriminator(rows, condition).shape == (3, 1)


def test_capacity_is_one_dial() -> None:
    sizes = []
    for capacity in ("small", "medium", "large"):
        plan = recipes.plan(recipes.choose("modern", "pictures"), MNIST, capacity=capacity)
        sizes.append(sum(p.numel() for p in build(plan.generator).parameters()))
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    ("shape", "curvature", "name"),
    [
        ((1, 8, 8), 2.0, "residual"),
        ((1, 16, 16), 0.5, "residual"),
        ((1, 28, 28), 2.0, "strided"),
        ((4, 33, 33), 2.0, "strided"),
        ((4, 33, 33), 0.5, "picture"),
        ((3, 40, 40), 1.0, "strided"),
        ((3, 41, 40), 2.0, "picture"),
    ],
)
def test_the_pair_goes_by_size_and_smoothness(shape: tuple[int, ...], curvature: float, name: str) -> None:
    data = recipes.Data(kind="pictures", shape=shape, rows=1000, curvature=curvature)
    plan = recipes.plan(recipes.choose("auto", "pictures"), data)
    assert plan.generator["name"] == f"{name}-generator"
    assert plan.discriminator["name"] == f"{name}-discriminator"


def test_convolutions_grow_with_rows_and_capacity_and_their_penalty_with_the_distances() -> None:
    def planned(rows: int, capacity: str = "medium", variance: float = 100.0) -> recipes.Plan:
        data = recipes.Data(kind="pictures", shape=(3, 64, 48), rows=rows, variance=variance)
        return recipes.plan(recipes.choose("modern", "pictures"), data, capacity=capacity)

    widths = [planned(rows).generator["width"] for rows in (50, 10_000, 30_000, 50_000)]
    assert widths[0] == widths[1] < widths[2] < widths[3]
    sizes = [
        sum(p.numel() for p in build(planned(1000, capacity).generator).parameters())
        for capacity in ("small", "medium", "large")
    ]
    assert sizes == sorted(set(sizes))
    near, far = (planned(1000, variance=variance).settings.penalties[0].weight for variance in (100.0, 400.0))
    assert [far.at(r, 100) for r in (0, 50, 100)] == pytest.approx(
        [4 * near.at(r, 100) for r in (0, 50, 100)]
    )


def test_smooth_pictures_are_folded_smoothly_by_both_players() -> None:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:20, :30]
    ramps = np.rint(100 + random.uniform(-2, 2, (40, 1, 1)) * y + random.uniform(-2, 2, (40, 1, 1)) * x)
    noise = random.integers(0, 256, (400, 20, 30))
    plans, bends = [], []
    for rows in (ramps, noise, np.zeros((40, 20, 30))):
        dataset = open_source(rows.astype(np.uint8)[..., None], name="X")
        plans.append(prepare(dataset, FitOptions(rounds=1, compile="off")).plan)
        bends.append(PicturesEncoder.fit(dataset.rows).curvature(dataset.rows))
    assert bends[0] < 0.5
    assert bends[1:] == [pytest.approx(3, abs=0.02), 0]
    for plan, smooth in zip(plans, (True, False, True), strict=True):
        # Where grey levels turn sharply, small pictures need no folds.
        assert plan.generator.get("smooth", False) is plan.discriminator.get("smooth", False) is smooth
    large = recipes.Data(kind="pictures", shape=(1, 64, 64), rows=1000, curvature=bends[1])
    plan = recipes.plan(recipes.choose("auto", "pictures"), large)
    assert plan.generator["smooth"] is plan.discriminator["smooth"] is False


def test_few_rows_are_not_played_until_they_are_known_by_heart() -> None:
    def horizon(rows: int, columns: int) -> int:
        data = recipes.Data(kind="points", shape=(2 + columns,), rows=rows, start="mixture", components=2)
        return recipes.plan(recipes.choose("auto", "points"), data).settings.horizon

    assert horizon(100_000, 2) == 1000
    assert horizon(100_000, 64) == 4000
    assert horizon(1_152, 64) == 1_152
    assert horizon(50, 64) == horizon(300, 64) == 300


def test_plain_points_slow_g_before_d_and_tell_d_the_range() -> None:
    data = recipes.Data(
        kind="points", shape=(2,), rows=100, min_scale=0.01, ranges=((-1.0, 2.0), (-3.0, 0.5))
    )
    plan = recipes.plan(recipes.choose("auto", "points"), data)
    s = plan.settings
    rates = [
        (s.generator.rate.at(round_, s.horizon), s.discriminator.rate.at(round_, s.horizon))
        for round_ in range(0, s.horizon, 100)
    ]
    assert all(own <= other + 1e-12 for own, other in rates)
    network = build(plan.discriminator)
    torch.testing.assert_close(network.low, torch.tensor([-1.0, -3.0]))
    torch.testing.assert_close(network.high, torch.tensor([2.0, 0.5]))


def test_a_recipe_for_another_kind_is_refused() -> None:
    with pytest.raises(InputError, match="'goodfellow2014' is for points and pictures, not for tables"):
        recipes.choose("goodfellow2014", "tables")


@pytest.mark.parametrize(
    ("sides", "fold"),
    [
        ((18, 19), 0),
        ((31, 47), 1),
        ((32, 32), 1),
        ((64, 64), 2),
        ((112, 92), 2),
        ((64, 200), 2),
        ((512, 512), 2),
    ],
)
def test_large_and_smooth_pictures_are_folded_by_both_players(sides: tuple[int, int], fold: int) -> None:
    data = recipes.Data(kind="pictures", shape=(3, *sides), rows=1000, curvature=0.5)
    plan = recipes.plan(recipes.choose("auto", "pictures"), data)
    assert plan.generator["fold"] == plan.discriminator["fold"] == fold
