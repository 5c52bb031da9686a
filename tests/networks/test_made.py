"""MADE: rows whose every feature block is drawn given those before it, and given known cells."""

from __future__ import annotations

import math

import pytest
import torch

from saddlepoint.networks import MADEGenerator, TabularDiscriminator
from saddlepoint.networks.made import log_likelihood

SPANS = ((3, False), (3, True), (0, True), (2, False))
ENTRIES, STEPS, FREE, BINS = 8, 4, 4, 4
SHARES = torch.tensor([0.2, 0.3, 0.5, 0.25, 0.25, 0.5, 0.6, 0.4])


def generator(strength: float = 0.15, classes: int = 0) -> MADEGenerator:
    made = MADEGenerator(
        noise_width=FREE + STEPS, feature_blocks=SPANS, bins=BINS, units=5, condition_width=classes
    )
    torch.manual_seed(0)
    weights = made.first_weights(SHARES.log())
    if strength:
        weights = {
            name: value if name == "noise" else value + strength * torch.randn_like(value)
            for name, value in weights.items()
        }
    made.init_from_data(weights, torch.tensor([0, 0, 0, -1.0, 1.0, 0, 0, 0]))
    return made


def noise(rows: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(rows, FREE + STEPS, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_each_span_has_exactly_one_entry_and_atoms_keep_their_scores() -> None:
    rows = generator()(noise(2000))
    for start, stop in ((0, 3), (3, 6), (6, 8)):
        torch.testing.assert_close(rows[:, start:stop].sum(1), torch.ones(2000), rtol=0, atol=0)
    assert set(rows[:, :ENTRIES].unique().tolist()) == {0.0, 1.0}
    assert (rows[rows[:, 3] == 1, ENTRIES] == -1).all()
    assert (rows[rows[:, 4] == 1, ENTRIES] == 1).all()
    assert len(rows[rows[:, 5] == 1, ENTRIES].unique()) > 500


@torch.no_grad()
def test_the_first_weights_draw_independent_spans_of_the_shares() -> None:
    rows = generator(strength=0.0)(noise(20_000))
    torch.testing.assert_close(rows[:, :ENTRIES].mean(0), SHARES, rtol=0, atol=0.015)
    ranks = torch.special.ndtr(rows[:, -1]).sort().values
    assert (ranks - torch.linspace(0, 1, 20_000)).abs().max() < 0.015
    assert torch.corrcoef(rows[:, [0, 3, 6, 9]].T).fill_diagonal_(0).abs().max() < 0.03


@torch.no_grad()
def test_the_likelihood_is_a_density_and_the_law_that_is_drawn() -> None:
    made, n = generator(), 200_000
    order, weights, none = made.order, made.weights(torch.float32), torch.zeros(200_000, len(SPANS))
    draws = torch.Generator().manual_seed(2)
    first, second, last = (torch.randint(k, (n,), generator=draws) for k in (3, 3, 2))
    inside, third = 1.5 * torch.randn(2, n, generator=draws)
    hot = torch.zeros(n, ENTRIES)
    for column in (first, 3 + second, 6 + last):
        hot[torch.arange(n), column] = 1
    score = torch.where(second == 0, -1.0, torch.where(second == 1, 1.0, inside))
    rows = torch.cat([hot, score[:, None], third[:, None]], 1)
    free = torch.where(second == 2, inside, 0.0)
    wider = math.log(1.5) * (1 + (second == 2)) - (free**2 + third**2) * (1 - 1 / 1.5**2) / 2
    density = (log_likelihood(order, weights, order.inputs_of_rows(rows), none).sum(1) + wider).exp()
    assert float((density * 18).mean()) == pytest.approx(1.0, abs=0.02)
    # And part by part: how often (first, second and its bin, bin of the third, last) occur is what the density says.
    parts = 3 * (2 + BINS) * BINS * 2

    def cells(seen: torch.Tensor) -> torch.Tensor:
        widths = [3, 2 + BINS, 1, BINS, 1, 2]
        codes = [each.argmax(1) for each in torch.split(seen, widths, 1) if each.shape[1] > 1]
        return ((codes[0] * (2 + BINS) + codes[1]) * BINS + codes[2]) * 2 + codes[3]

    said = torch.zeros(parts).scatter_add_(0, cells(order.inputs_of_rows(rows)), density * 18 / n)
    seen = torch.bincount(cells(order.inputs_of_rows(made(noise(n)))), minlength=parts) / n
    assert float((said - seen).abs().max()) < 0.005


@torch.no_grad()
def test_a_guess_without_bins_is_the_gaussian_law_of_its_mean_and_spread() -> None:
    """The second score is N(0.5 + 0.8 s, 0.6^2) of the first; 50,000 draws have a standard error of 0.003."""
    made = MADEGenerator(noise_width=2, feature_blocks=((0, True), (0, True)), bins=BINS, units=5)
    weights = made.first_weights(torch.zeros(0))
    one, other = made.order.steps
    weights["direct"][one.inputs.stop - 1, other.prediction.start] = 0.8
    weights["leave_bias"][other.prediction] = torch.tensor([0.5, math.log(0.6)])
    made.init_from_data(weights, torch.zeros(0))
    x, y = made(torch.randn(50_000, 2, generator=torch.Generator().manual_seed(4))).T
    left = (y - 0.5 - 0.8 * x) / 0.6
    inside = x.abs() < 2  # beyond, what is drawn is cut off at the last rank
    assert float(left[inside].mean()) == pytest.approx(0.0, abs=0.02)
    assert float(left[inside].std()) == pytest.approx(1.0, abs=0.02)
    assert abs(float(torch.corrcoef(torch.stack([left, x]))[0, 1])) < 0.03


@torch.no_grad()
def test_known_cells_stay_and_all_others_change_with_them() -> None:
    made = generator(strength=0.5)
    rows = made(noise(4000))
    known = torch.zeros(4000, len(SPANS))
    known[:, 1] = known[:, 3] = 1
    kept = made(noise(4000, seed=2), torch.cat([rows, known], 1))
    torch.testing.assert_close(kept[:, 3:6], rows[:, 3:6], rtol=0, atol=0)
    torch.testing.assert_close(kept[:, 6:9], rows[:, 6:9], rtol=0, atol=0)
    # The last span is known, so the first one, drawn before it, must follow: its shares differ between the two.
    by_last = [kept[kept[:, 6 + value] == 1, :3].mean(0) for value in (0, 1)]
    assert float((by_last[0] - by_last[1]).abs().max()) > 0.05
    nothing = made(noise(4000, seed=2), torch.cat([rows, torch.zeros_like(known)], 1))
    torch.testing.assert_close(nothing, made(noise(4000, seed=2)))


def test_the_gradient_reaches_every_weight_and_forgetting_goes_back_to_the_start() -> None:
    made = generator(classes=2)
    rows, known = made(noise(500)).detach(), torch.zeros(500, len(SPANS))
    known[:250, 1] = 1
    before = made(noise(500)).detach()
    condition = torch.cat([torch.eye(2)[torch.arange(500) % 2], rows, known], 1)
    out = made(noise(500), condition)
    gradients = torch.autograd.grad(
        (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(3))).sum(),
        list(made.parameters()),
    )
    names = [name for name, _ in made.named_parameters()]
    assert [name for name, each in zip(names, gradients, strict=True) if not each.abs().max() > 0] == []
    steps = made.order.steps
    bias = gradients[names.index("leave_bias")]
    assert all(float(bias[step.outputs].abs().max()) > 0 for step in steps)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3)
    assert not torch.equal(made(noise(500)), before)
    made.reset_to_start()
    assert torch.equal(made(noise(500)), before)


@torch.no_grad()
def test_entries_that_are_forbidden_are_never_drawn() -> None:
    never = torch.zeros(ENTRIES, dtype=torch.bool)
    never[[1, 4]] = True
    rows = generator()(noise(3000), never=never)
    assert (rows[:, [1, 4]] == 0).all()
    assert (rows[:, [0, 2, 3, 5]].sum(0) > 0).all()


@torch.no_grad()
def test_the_discriminator_sees_which_spans_were_known_and_waves_of_scores() -> None:
    torch.manual_seed(0)
    critic = TabularDiscriminator(feature_blocks=SPANS, width=16, frequencies=3, masked=True)
    rows, known = generator()(noise(8)), torch.zeros(8, len(SPANS))
    first = critic(rows, torch.cat([rows, known], 1))
    torch.testing.assert_close(first, critic(rows))
    known[:, 0] = 1
    assert not torch.allclose(critic(rows, torch.cat([rows, known], 1)), first)
