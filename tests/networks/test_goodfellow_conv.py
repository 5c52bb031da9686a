"""The paper's convolutional pair: shapes, maxout and pooling as defined, dropout from the numbers given, first samples."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from saddlepoint.errors import InputError
from saddlepoint.networks import DeconvolutionGenerator, MaxoutConvolutionDiscriminator, build


def test_shapes_are_the_authors():
    generator = DeconvolutionGenerator(noise_width=4, shape=(3, 32, 32), hidden=16)
    assert generator(torch.randn(2, 4)).shape == (2, 3, 32, 32)
    discriminator = MaxoutConvolutionDiscriminator(shape=(3, 32, 32))
    assert discriminator(torch.rand(2, 3, 32, 32)).shape == (2, 1)
    assert discriminator._shapes == [(3, 32, 32), (32, 16, 16), (32, 7, 7), (192, 5, 5), (500,)]
    assert [each.weight.shape[0] for each in discriminator.layers] == [64, 64, 384]
    thin = MaxoutConvolutionDiscriminator(shape=(3, 32, 32), maps=(4, 5, 6), hidden=7)
    assert thin._shapes == [(3, 32, 32), (4, 16, 16), (5, 7, 7), (6, 5, 5), (7,)]


def test_d_is_maxout_then_pooling_written_out():
    torch.manual_seed(0)
    net = MaxoutConvolutionDiscriminator(shape=(1, 32, 32), initial_range=0.1, hidden=20)
    rows = torch.rand(2, 1, 32, 32)
    h = rows
    for layer, pad, pool in zip(net.layers, (4, 3, 3), (4, 4, 2), strict=True):
        pieces = [
            functional.conv2d(h, layer.weight[piece::2], layer.bias[piece::2], padding=pad)
            for piece in (0, 1)
        ]
        h = functional.max_pool2d(torch.maximum(*pieces), pool, 2, ceil_mode=True)
    h = torch.stack(
        [functional.linear(h.flatten(1), net.dense.weight[k::5], net.dense.bias[k::5]) for k in range(5)]
    )
    expected = net.logit(h.amax(0))
    torch.testing.assert_close(net(rows), expected, rtol=1e-4, atol=1e-5)


def test_dropout_is_a_function_of_the_numbers_given():
    torch.manual_seed(0)
    net = MaxoutConvolutionDiscriminator(shape=(3, 32, 32), initial_range=0.05, hidden=20)
    rows, draws = torch.rand(2, 3, 32, 32), torch.rand(2, net.uniforms)
    once, again = net(rows, uniforms=draws), net(rows, uniforms=draws.clone())
    assert torch.equal(once, again)
    assert not torch.allclose(once, net(rows))
    # A number 1 is never kept: with all of them 1 nothing enters, and the logit is its bias.
    torch.testing.assert_close(net(rows, uniforms=torch.ones_like(draws)), net.logit.bias.expand(2, 1))


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("output", ["sigmoid", "linear"])
def test_first_samples_lie_at_the_data_s_means(output, centred):
    torch.manual_seed(0)
    mean = 0.2 + 0.6 * torch.rand(3, 32, 32)
    net = DeconvolutionGenerator(noise_width=4, shape=(3, 32, 32), hidden=16, output=output, centred=centred)
    net.init_output_bias(mean)
    net.second.weight.data.zero_()  # every hidden unit at its middle, 1/2
    torch.testing.assert_close(net(torch.randn(1, 4))[0], mean, rtol=1e-4, atol=1e-5)


def test_centred_units_make_the_same_functions_by_another_bias():
    torch.manual_seed(0)
    plain, centred = (
        DeconvolutionGenerator(noise_width=4, shape=(3, 32, 32), hidden=16, centred=centred).double()
        for centred in (False, True)
    )
    centred.load_state_dict(plain.state_dict())
    for net in (plain, centred):
        net.init_output_bias(torch.full((3, 32, 32), 0.4))
    z = torch.randn(5, 4, dtype=torch.float64)
    assert not torch.equal(plain.bias, centred.bias)
    torch.testing.assert_close(plain(z), centred(z), rtol=0, atol=1e-7)


def test_other_sides_are_refused():
    for name in ("deconvolution-generator", "maxout-convolution-discriminator"):
        more = {"noise_width": 4} if name.startswith("dec") else {}
        with pytest.raises(InputError, match=r"\(channels, 32, 32\), .*\(1, 28, 28\)"):
            build({"name": name, "shape": [1, 28, 28], **more})
