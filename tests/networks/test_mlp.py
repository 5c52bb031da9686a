"""Networks: shapes, first weights, maxout and dropout as defined, conditions that matter."""

from __future__ import annotations

import pytest
import torch

from saddlepoint.errors import StoredFileError
from saddlepoint.networks import (
    NETWORKS,
    MaxoutDiscriminator,
    RectifierGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
    build,
)

GENERATORS = (RectifierGenerator, ResidualGenerator)
DISCRIMINATORS = (MaxoutDiscriminator, ResidualDiscriminator)


@pytest.mark.parametrize("shape", [(2,), (1, 7, 5), (3, 4, 4)])
@pytest.mark.parametrize("condition_width", [0, 3])
def test_shapes_of_rows_and_logits(shape: tuple[int, ...], condition_width: int) -> None:
    condition = torch.eye(3)[torch.arange(6) % 3] if condition_width else None
    for generator, discriminator in zip(GENERATORS, DISCRIMINATORS, strict=True):
        rows = generator(noise_width=5, shape=shape, condition_width=condition_width)(
            torch.randn(6, 5), condition
        )
        assert rows.shape == (6, *shape)
        assert discriminator(shape=shape, condition_width=condition_width)(rows, condition).shape == (6, 1)


@pytest.mark.parametrize("generator", GENERATORS)
@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_first_samples_lie_at_the_datas_means(generator: type, output: str) -> None:
    torch.manual_seed(0)
    mean = torch.tensor([[0.2, 0.5], [0.7, 0.9]])
    network = generator(noise_width=5, shape=(2, 2), output=output)
    network.init_output_bias(mean)
    with torch.no_grad():
        assert network(torch.zeros(1, 5))[0].shape == (2, 2)
        for module in network.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.zero_()
        if isinstance(network, RectifierGenerator):
            assert network(torch.randn(3, 5)).mean(0) == pytest.approx(mean, abs=1e-6)
        else:
            assert network.leave.bias.reshape(2, 2) == pytest.approx(
                torch.logit(mean) if output == "sigmoid" else mean, abs=1e-6
            )


def test_sigmoid_units_stay_between_black_and_white() -> None:
    network = ResidualGenerator(noise_width=5, shape=(4,), output="sigmoid")
    rows = network(100 * torch.randn(50, 5))
    assert rows.min() >= 0
    assert rows.max() <= 1


def test_a_maxout_unit_is_the_largest_of_its_linear_pieces() -> None:
    torch.manual_seed(0)
    network = MaxoutDiscriminator(shape=[4], hidden=[3], pieces=5, initial_range=1.0)
    rows = torch.randn(7, 4)
    layer = network.layers[0]
    expected = torch.stack(
        [
            torch.stack(
                [rows @ layer.weight[5 * unit + piece] + layer.bias[5 * unit + piece] for piece in range(5)]
            )
            .max(0)
            .values
            for unit in range(3)
        ],
        1,
    )
    torch.testing.assert_close(network(rows), network.logit(expected))


def test_dropout_keeps_the_stated_share_and_divides_by_it() -> None:
    """With unit weights the logit is the sum of the kept inputs; 20,000 Bernoulli(0.8) have sd 0.003 (tolerance 4 sd)."""
    network = MaxoutDiscriminator(shape=[4], hidden=[], keep_input=0.8)
    with torch.no_grad():
        network.logit.weight.fill_(1.0)
    assert network.uniforms == 4
    rows = torch.ones(5000, 4)
    uniforms = torch.rand(5000, 4, generator=torch.Generator().manual_seed(0))
    logits = network(rows, uniforms=uniforms)
    torch.testing.assert_close(logits.squeeze().detach(), (uniforms < 0.8).sum(1) / 0.8)
    assert logits.mean().item() / 4 == pytest.approx(1.0, abs=0.015)
    assert torch.equal(network(rows), torch.full((5000, 1), 4.0))  # nothing is dropped without such numbers


def test_the_papers_pair_has_the_papers_size() -> None:
    generator = RectifierGenerator(noise_width=100, shape=(1, 28, 28))
    discriminator = MaxoutDiscriminator(shape=(1, 28, 28))
    sizes = [sum(p.numel() for p in module.parameters()) for module in (generator, discriminator)]
    assert sizes == [100 * 1200 + 1200 + 1200**2 + 1200 + 1200 * 784 + 784, (784 + 1 + 241) * 1200 + 241]
    assert discriminator.uniforms == 784 + 240 + 240
    assert max(p.abs().max().item() for p in discriminator.parameters()) <= 0.005


def test_an_unconditioned_call_of_a_conditional_network_equals_the_zero_condition() -> None:
    network = ResidualDiscriminator(shape=[2], condition_width=3)
    rows = torch.randn(4, 2)
    assert torch.equal(network(rows), network(rows, torch.zeros(4, 3)))
    assert not torch.equal(network(rows), network(rows, torch.eye(3)[[0, 1, 2, 0]]))


def test_every_network_is_built_again_from_its_description() -> None:
    descriptions = {
        "rectifier-generator": {"noise_width": 3, "shape": [2]},
        "maxout-discriminator": {"shape": [2]},
        "residual-generator": {"noise_width": 3, "shape": [2]},
        "residual-discriminator": {"shape": [2]},
        "mixture-generator": {"noise_width": 11, "components": 3, "local_width": 2},
        "mixture-discriminator": {"components": 3, "local_width": 2},
        "sign-noise-generator": {"noise_width": 15, "shape": [2]},
        "fourier-discriminator": {"shape": [2], "octaves": 3},
        "picture-generator": {"noise_width": 3, "shape": [1, 9, 8]},
        "picture-discriminator": {"shape": [1, 9, 8]},
        "strided-generator": {"noise_width": 3, "shape": [1, 9, 8]},
        "strided-discriminator": {"shape": [1, 9, 8]},
        "made-generator": {
            "noise_width": 9,
            "feature_blocks": [[3, True], [2, False], [0, True]],
            "bins": 4,
        },
        "tabular-generator": {"noise_width": 9, "feature_blocks": [[3, True], [2, False], [0, True]]},
        "tabular-discriminator": {"feature_blocks": [[3, True], [2, False], [0, True]]},
        "deconvolution-generator": {"noise_width": 3, "shape": [3, 32, 32], "hidden": 8},
        "maxout-convolution-discriminator": {"shape": [3, 32, 32]},
    }
    assert descriptions.keys() == NETWORKS.keys()
    for name, numbers in descriptions.items():
        assert type(build({"name": name, **numbers})) is NETWORKS[name]


@pytest.mark.parametrize(
    "description", [{"name": "transformer"}, {"name": "residual-generator", "depth": 3}, {}]
)
def test_a_description_of_another_version_is_refused(description: dict[str, object]) -> None:
    with pytest.raises(StoredFileError, match="cannot build the network"):
        build(description)
