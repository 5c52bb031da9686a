"""Laws of the convolutional pair: any shape, exact sizes, a smooth resampling, gradients twice through D."""

from __future__ import annotations

import pytest
import torch

from saddlepoint.networks import build
from saddlepoint.networks.pca_prior import LARGEST_BASE, principal
from saddlepoint.networks.residual_conv import ConvolutionBlock, Downsample, HaarTransform, Upsample, pyramid
from saddlepoint.objectives import get_penalty

SHAPES = [(1, 31, 47), (3, 200, 64), (4, 33, 33), (1, 5, 7), (2, 1, 40), (3, 8, 8), (1, 1, 1)]


def pair(shape, *, width=16, blocks=1, classes=0, output="sigmoid", fold=0, components=0):
    torch.manual_seed(0)
    both = {"shape": list(shape), "width": width, "blocks": blocks, "condition_width": classes, "fold": fold}
    return (
        build(
            {
                "name": "picture-generator",
                "noise_width": 6,
                "output": output,
                "components": components,
                **both,
            }
        ),
        build({"name": "picture-discriminator", **both}),
    )


@pytest.mark.parametrize(("classes", "fold", "components"), [(0, 0, 0), (3, 0, 4), (0, 2, 4)])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_comes_out_exactly_and_gets_one_logit(shape, classes, fold, components):
    generator, discriminator = pair(shape, classes=classes, fold=fold, components=components)
    condition = torch.eye(3)[:2] if classes else None
    rows = generator(torch.randn(2, 6), condition)
    assert rows.shape == (2, *shape)
    assert bool(((rows > 0) & (rows < 1)).all())
    assert discriminator(rows, condition).shape == (2, 1)


def test_the_penalty_is_the_squared_slope_measured_by_differences():
    _, discriminator = pair((2, 9, 6))
    discriminator.double()
    rows = torch.rand(2, 2, 9, 6, dtype=torch.float64)
    _, values = get_penalty("r1").measure(discriminator, rows)
    step = 1e-6
    moves = step * torch.eye(108, dtype=torch.float64).reshape(1, 108, 2, 9, 6)
    with torch.no_grad():
        ahead, behind = (discriminator((rows[:, None] + sign * moves).flatten(0, 1)) for sign in (1, -1))
    total = ((ahead - behind) / (2 * step)).square().reshape(2, 108).sum(1)
    torch.testing.assert_close(values.detach(), total, rtol=1e-5, atol=0)


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_a_constant_picture_is_representable(output):
    generator, _ = pair((3, 31, 20), output=output)
    mean = torch.rand(3, 31, 20) * 0.9 + 0.05
    generator.init_output_bias(mean)
    for parameter in generator.leave.parameters():
        torch.nn.init.zeros_(parameter)
    rows = generator(torch.randn(2, 6))
    torch.testing.assert_close(rows, mean.expand(2, -1, -1, -1), rtol=0, atol=1e-5)
    assert "mean" in dict(generator.named_buffers())  # kept with the weights, moved by no optimiser


@pytest.mark.parametrize("fine", [(12, 10), (20, 3), (8, 200)])
def test_resampling_keeps_the_mean_of_even_sides(fine):
    coarse = tuple(side // 2 if side > LARGEST_BASE else side for side in fine)
    rows = torch.randn(2, 3, *fine, dtype=torch.float64)
    torch.testing.assert_close(Downsample(fine, coarse).double()(rows).mean((2, 3)), rows.mean((2, 3)))
    small = torch.randn(2, 3, *coarse, dtype=torch.float64)
    torch.testing.assert_close(Upsample(coarse, fine)(small).mean((2, 3)), small.mean((2, 3)))


@pytest.mark.parametrize("fine", [(13, 9), (12, 11)])
def test_resampling_keeps_constants_and_straight_lines_within(fine):
    coarse = tuple(-(-side // 2) for side in fine)
    flat = torch.full((1, 1, *fine), 0.7)
    torch.testing.assert_close(Downsample(fine, coarse)(flat), torch.full((1, 1, *coarse), 0.7))
    torch.testing.assert_close(Upsample(coarse, fine)(flat[..., : coarse[0], : coarse[1]]), flat)
    # Places of the coarse grid lie between two of the fine one: 2 i + 1/2.
    line = torch.arange(coarse[0]).float().reshape(1, 1, -1, 1).expand(-1, -1, -1, coarse[1])
    grown = Upsample(coarse, fine)(line)[0, 0, 1 : fine[0] - 1, 0]
    wanted = ((torch.arange(fine[0]) - 0.5) / 2)[1:-1].clamp(max=coarse[0] - 1)
    torch.testing.assert_close(grown, wanted)


def test_resampling_is_consistent_with_shifts():
    rows = torch.zeros(1, 1, 40, 40)
    rows[..., 14:22, 16:20] = torch.rand(8, 4)
    shrink, grow = Downsample((40, 40), (20, 20)), Upsample((20, 20), (40, 40))
    shifted = shrink(rows.roll((4, -6), (2, 3)))
    torch.testing.assert_close(shifted, shrink(rows).roll((2, -3), (2, 3)))
    small = shrink(rows)
    torch.testing.assert_close(grow(small.roll((2, -3), (2, 3))), grow(small).roll((4, -6), (2, 3)))


def test_growing_is_shrinking_turned_round_and_doubled_and_no_checkerboard_passes():
    shrink, grow = Downsample((12, 10), (6, 5)), Upsample((6, 5), (12, 10))
    down = shrink(torch.eye(120).reshape(120, 1, 12, 10)).flatten(1)  # (120, 30)
    up = grow(torch.eye(30).reshape(30, 1, 6, 5)).flatten(1)  # (30, 120)
    torch.testing.assert_close(up, 4 * down.T)
    checkered = (torch.arange(12)[:, None] + torch.arange(10)) % 2
    smooth = shrink(checkered.float().reshape(1, 1, 12, 10))
    assert float((smooth[..., 1:-1, 1:-1] - 0.5).abs().max()) < 1e-6


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("times", [0, 1, 3])
@pytest.mark.parametrize("smooth", [False, True])
def test_folding_loses_nothing(shape, times, smooth):
    folding = HaarTransform(shape, times, smooth=smooth)
    rows = torch.rand(2, *shape, dtype=torch.float64)
    folded = folding(rows)
    assert folded.shape[1:] == folding.shape
    torch.testing.assert_close(folding.inverse(folded), rows)


def test_folds_are_means_and_details_of_equal_noise():
    folding = HaarTransform((2, 8, 4), 2)
    flat = folding(torch.full((1, 2, 8, 4), 0.3, dtype=torch.float64))
    torch.testing.assert_close(flat[:, :2], torch.full((1, 2, 2, 1), 0.3, dtype=torch.float64))
    assert float(flat[:, 2:].abs().max()) < 1e-12
    # As a matrix, its columns are orthogonal: what is white noise stays white, in each coefficient's own unit.
    matrix = folding(torch.eye(64, dtype=torch.float64).reshape(64, 2, 8, 4)).flatten(1)
    square = matrix.T @ matrix
    assert float((square - square.diag().diag()).abs().max()) < 1e-12


def test_of_evenly_rising_pictures_a_smooth_fold_keeps_means_alone():
    y, x = torch.arange(16.0, dtype=torch.float64)[:, None], torch.arange(12.0, dtype=torch.float64)
    rows = (2 * y - 3 * x + 0.5 * x * y + 1).expand(1, 2, -1, -1)
    folded = HaarTransform((2, 16, 12), 1, smooth=True)(rows)
    torch.testing.assert_close(folded[:, :2], HaarTransform((2, 16, 12), 1)(rows)[:, :2])
    assert float(folded[:, 2:, 1:-1, 1:-1].abs().max()) < 1e-12
    assert float(HaarTransform((2, 16, 12), 1)(rows)[:, 2:].abs().min()) > 0.2


@pytest.mark.parametrize(("rows", "width"), [(40, 12), (8, 12)])
def test_components_have_the_rows_covariance(rows, width):
    torch.manual_seed(0)
    given = torch.randn(rows, width, dtype=torch.float64)
    found = principal(given, width)
    assert len(found) == min(width, rows - 1)
    torch.testing.assert_close(found.T @ found, torch.cov(given.T, correction=0))
    kept = found.square().sum(1)
    assert bool((kept[:-1] >= kept[1:]).all())


def test_a_started_generator_draws_the_data_s_coarse_gaussian():
    torch.manual_seed(0)
    generator, _ = pair((1, 9, 8), output="linear", components=3)
    patterns = torch.randn(3, 1, 9, 8)
    data = 0.5 + torch.einsum("nk,kchw->nchw", 0.1 * torch.randn(500, 3), patterns)
    generator.init_output_bias(data.mean(0))
    generator.init_from_data(data)
    for parameter in generator.leave.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        made = generator(torch.randn(10_000, 6))
    assert float((made.mean(0) - data.mean(0)).abs().max()) < 0.02
    mine, theirs = (torch.cov(each.flatten(1).T) for each in (made, data))
    assert float((mine - theirs).norm() / theirs.norm()) < 0.05


def test_a_folded_generator_makes_details_in_units_of_their_own_spread():
    generator, _ = pair((1, 40, 40), fold=2)
    smooth = torch.nn.functional.interpolate(torch.rand(50, 1, 10, 10), size=40, mode="bilinear")
    generator.init_from_data(smooth + 0.01 * torch.rand(50, 1, 40, 40))
    assert float(generator.scales[0]) > 5 * float(generator.scales[-1]) > 0
    generator.init_output_bias(torch.full((1, 40, 40), 0.5))
    generator.init_from_data(torch.full((3, 1, 40, 40), 0.5))  # pictures that are all alike give no unit
    assert bool((generator.scales > 0).all())


def test_a_block_starts_as_large_as_it_is_told():
    torch.manual_seed(0)
    h = torch.randn(4, 32, 8, 8)
    small, large = (float((ConvolutionBlock(32, gain)(h) - h).detach().std()) for gain in (0.1, 1.0))
    assert 0 < small < 0.2 < 0.5 < large


def test_the_pyramid_ends_small_costs_alike():
    levels = pyramid((1, 256, 256), 128, 2)
    assert [level.sides[0] for level in levels] == [256, 128, 64, 32, 16, 8, 4]
    assert [level.channels for level in levels] == [16, 16, 32, 64, 128, 128, 128]
    assert [level.blocks for level in levels] == [0, 0, 2, 2, 2, 2, 2]
    for shape in SHAPES:
        ends = pyramid(shape, 64, 1)[-1].sides
        assert all(end <= LARGEST_BASE for end in ends)
        assert all(end >= 4 or end == side for end, side in zip(ends, shape[1:], strict=True))
