"""Laws of the strided pair: any shape exactly, a start at the data, gradients twice through D, the work it tells."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from saddlepoint.networks import build
from saddlepoint.networks.dcgan import halvings

SHAPES = [(1, 28, 28), (1, 47, 31), (4, 33, 33), (1, 5, 7), (2, 1, 40), (3, 9, 2), (1, 1, 1)]


def pair(shape, *, classes=0, output="sigmoid", components=0, **both):
    torch.manual_seed(0)
    both = {"shape": list(shape), "width": 4, "hidden": 12, "condition_width": classes, **both}
    generator = {"name": "strided-generator", "noise_width": 6, "output": output, "components": components}
    return build(generator | both), build({"name": "strided-discriminator", **both})


@pytest.mark.parametrize(("classes", "components"), [(0, 0), (3, 4)])
@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape_comes_out_exactly_and_gets_one_logit(shape, classes, components):
    generator, discriminator = pair(shape, classes=classes, components=components)
    condition = torch.eye(3)[:2] if classes else None
    rows = generator(torch.randn(2, 6), condition)
    assert rows.shape == (2, *shape)
    assert bool(((rows > 0) & (rows < 1)).all())
    assert discriminator(rows, condition).shape == (2, 1)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_place_is_seen_and_made(shape):
    generator, discriminator = pair(shape, output="linear")
    rows = torch.rand(5, *shape, requires_grad=True)
    (slope,) = torch.autograd.grad(discriminator(rows).sum(), rows)
    assert bool((slope.abs().sum(0) > 0).all())
    assert bool((generator(torch.randn(5, 6)).std(0) > 0).all())


@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_without_its_layers_g_draws_the_mean_and_the_covariance_of_blurred_rows(output):
    rows = 0.5 + 0.1 * (torch.randn(400, 3, 1) @ torch.randn(1, 16 * 12)).sum(1).reshape(400, 1, 16, 12) / 3
    rows = rows.clamp(0.05, 0.95)
    generator, _ = pair((1, 16, 12), output=output, components=3)
    generator.init_output_bias(rows.mean(0))
    generator.init_from_data(rows)
    for parameter in generator.layers[-1].parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        drawn = generator(torch.randn(20_000, 6))
    drawn, wanted = (torch.logit(each) if output == "sigmoid" else each for each in (drawn, rows))
    centre = generator.mean
    assert float((drawn.mean(0) - centre).abs().max()) < 0.03 * float(wanted.std())
    covariances = [torch.cov((each - centre).flatten(1).T, correction=0) for each in (drawn, wanted)]
    assert float((covariances[0] - covariances[1]).norm() / covariances[1].norm()) < 0.05


@torch.no_grad()
def test_first_layers_keep_the_size_of_numbers():
    generator, discriminator = pair((3, 32, 32), width=32, hidden=256)
    h = torch.randn(200, 3, 32, 32)
    for layer in discriminator.layers:
        h = torch.nn.functional.leaky_relu(layer(h), 0.2)
        assert 0.5 < float(h.square().mean().sqrt()) < 1.5
    h = torch.randn(200, *generator._start)
    for layer in generator.layers[:-1]:
        h = layer(torch.nn.functional.leaky_relu(h, 0.2))
        assert 0.5 < float(h.square().mean().sqrt()) < 1.5


@pytest.mark.parametrize("sides", [(28, 28), (47, 31), (1, 40), (40, 40), (8, 3)])
def test_levels_halve_to_a_base_of_eight(sides):
    levels = halvings(sides)
    assert levels[0] == sides
    assert max(levels[-1]) <= 8
    assert all(max(level) > 8 for level in levels[:-1])
    assert all(half == tuple(max(1, side // 2) for side in fine) for fine, half in pairwise(levels))


@pytest.mark.parametrize("name", ["strided-generator", "picture-generator"])
def test_a_traced_generator_takes_any_number_of_rows(name):
    """What is exported to ONNX is this trace; a batch size read by len() would stay in it."""
    torch.manual_seed(0)
    generator = build(
        {
            "name": name,
            "noise_width": 6,
            "shape": [1, 20, 24],
            "condition_width": 2,
            "components": 3,
            "width": 16,
        }
    )
    z, y = torch.randn(5, 6), torch.eye(2)[[0, 1, 1, 0, 1]]
    n = torch.export.Dim("n", min=2, max=64)
    traced = torch.export.export(generator, (z, y), dynamic_shapes=({0: n}, {0: n})).module()
    torch.testing.assert_close(traced(z[:3], y[:3]), generator(z[:3], y[:3]))
