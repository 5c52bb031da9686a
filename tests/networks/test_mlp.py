"""Networks: shapes, first weights, maxout and dropout as defined, conditions that matter."""

from __future__ import annotations

import pytest
import torch

from saddlepoint.networks import (
    MaxoutDiscriminator,
    RectifierGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
)

GENERATORS = (RectifierGenerator, ResidualGenerator)
DISCRIMINATORS = (MaxoutDiscriminator, ResidualDiscriminator)


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
