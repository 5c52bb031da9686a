"""The pair for plain noise: coins are signs, waves have the periods they should have."""

from __future__ import annotations

import math

import pytest
import torch

from saddlepoint.networks import FourierDiscriminator, SignNoiseGenerator
from saddlepoint.networks.fourier import fourier_features


def test_a_coin_is_seen_by_its_sign_alone() -> None:
    torch.manual_seed(0)
    network = SignNoiseGenerator(noise_width=9, shape=[3], sign_bits=4)
    z = torch.randn(50, 9)
    other = z.clone()
    other[:, 5:] *= 3.0
    assert torch.equal(network(z), network(other))
    other[:, 5] *= -1.0
    assert not torch.isclose(network(z), network(other)).all(1).any()


@pytest.mark.parametrize("octave", [0, 1, 2, 3])
def test_octave_k_repeats_after_4_over_2_to_the_k(octave: int) -> None:
    rows = torch.randn(20, 2, dtype=torch.float64)
    moved = rows + 4 / 2**octave
    sines, cosines = (slice(2 * octave + 8 * side, 2 + 2 * octave + 8 * side) for side in (0, 1))
    for part in (sines, cosines):
        torch.testing.assert_close(fourier_features(rows, 4)[:, part], fourier_features(moved, 4)[:, part])
    half = fourier_features(rows + 2 / 2**octave, 4)
    torch.testing.assert_close(half[:, sines], -fourier_features(rows, 4)[:, sines])


def test_waves_by_hand() -> None:
    row = torch.tensor([[0.5, -1.0]], dtype=torch.float64)
    angles = [math.pi / 4, -math.pi / 2, math.pi / 2, -math.pi]
    expected = [*map(math.sin, angles), *map(math.cos, angles)]
    torch.testing.assert_close(fourier_features(row, 2), torch.tensor([expected], dtype=torch.float64))


def test_waves_let_d_tell_apart_what_lies_close() -> None:
    """The slope of a fresh D along its input grows with the octaves it sees."""
    slopes = []
    for octaves in (0, 3, 6):
        torch.manual_seed(1)
        rows = torch.randn(200, 2).requires_grad_()
        network = FourierDiscriminator(shape=[2], octaves=octaves)
        (slope,) = torch.autograd.grad(network(rows).sum(), rows)
        slopes.append(float(slope.norm(dim=1).mean()))
    assert slopes[0] < slopes[1] < slopes[2]


def test_spread_coins_begin_all_over_the_range_and_each_pattern_at_a_place_of_its_own() -> None:
    """The 2^11 patterns: standard deviation .9 in each of two uncorrelated columns, but for the small first perceptron."""
    torch.manual_seed(2)
    network = SignNoiseGenerator(noise_width=15, shape=[2], sign_bits=11, spread=0.9)
    network.init_output_bias(torch.tensor([3.0, -1.0]))
    patterns = 1.0 - 2.0 * (torch.arange(2**11)[:, None] >> torch.arange(11) & 1)
    rows = network(torch.cat([torch.zeros(2**11, 4), patterns], 1)).detach()
    torch.testing.assert_close(rows.mean(0), torch.tensor([3.0, -1.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(rows.T.cov(), 0.81 * torch.eye(2), atol=0.12, rtol=0)
    assert len(torch.unique(rows.round(decimals=4), dim=0)) > 2_000
    together = SignNoiseGenerator(noise_width=15, shape=[2], sign_bits=11)
    rows = together(torch.cat([torch.zeros(2**11, 4), patterns], 1)).detach()
    assert float(rows.std(0).max()) < 0.3


@pytest.mark.parametrize("columns", [1, 2, 30])
def test_every_column_gets_the_same_spread(columns: int) -> None:
    network = SignNoiseGenerator(noise_width=20, shape=[columns], sign_bits=11, spread=0.9)
    assert network.places is not None
    norms = 1.4 * network.places.weight.norm(dim=1)
    torch.testing.assert_close(norms, torch.full((columns,), 0.9))


def test_faded_waves_are_fainter_by_their_octave() -> None:
    rows = torch.randn(20, 2, dtype=torch.float64)
    plain, faded = fourier_features(rows, 3), fourier_features(rows, 3, fade=0.5)
    heights = torch.tensor([1.0, 2**-0.5, 0.5], dtype=torch.float64).repeat_interleave(2).repeat(2)
    torch.testing.assert_close(faded, heights * plain)


def test_outside_the_range_waves_stand_still() -> None:
    """Beyond a column's highest value D is that of the rows' own numbers alone, whose slope leads back."""
    torch.manual_seed(3)
    network = FourierDiscriminator(shape=[2], octaves=4, ranges=[(-1.0, 2.0), (-0.5, 0.5)]).double()
    free = FourierDiscriminator(shape=[2], octaves=4).double()
    free.load_state_dict(network.state_dict())
    inside = torch.rand(50, 2, dtype=torch.float64) - 0.5
    torch.testing.assert_close(network(inside), free(inside))
    beyond = torch.tensor([[3.0, 0.1], [3.0, -4.0]], dtype=torch.float64)
    held = torch.tensor([[2.0, 0.1], [2.0, -0.5]], dtype=torch.float64)
    torch.testing.assert_close(
        network(beyond),
        network.trunk(torch.cat([beyond, fourier_features(held, 4)], 1)),
        rtol=0,
        atol=1e-12,
    )
    assert not torch.isclose(network(beyond), free(beyond)).any()
