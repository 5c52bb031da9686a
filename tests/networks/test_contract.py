"""What every network holds to: shapes, seeded weights, a state that comes back, conditions, gradients, float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from saddlepoint.errors import StoredFileError
from saddlepoint.networks import NETWORKS, PCAPriorGenerator, build
from saddlepoint.objectives import get_penalty

BLOCKS = [[3, True], [2, False], [0, True]]
ROWS = 6
NOISE = 15
POINTS = {"shape": [2, 3]}
PICTURES = {"shape": [2, 9, 11]}
PAPER = {"shape": [1, 32, 32]}
MIXTURE = {"components": 3, "local_width": 2, "width": 8}
TABLE = {"feature_blocks": BLOCKS}

# One description a network at least; rows of an encoded kind say their width themselves.
GENERATORS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("rectifier-generator", POINTS | {"hidden": [7, 5], "output": "linear"}, (2, 3)),
    ("residual-generator", POINTS | {"width": 8}, (2, 3)),
    ("deconvolution-generator", PAPER | {"hidden": 8}, (1, 32, 32)),
    ("mixture-generator", MIXTURE, (5,)),
    ("mixture-generator", MIXTURE | {"start": "learned"}, (5,)),
    ("sign-noise-generator", POINTS | {"sign_bits": 4, "spread": 0.5}, (2, 3)),
    ("made-generator", TABLE | {"bins": 4, "units": 3}, (7,)),
    ("picture-generator", PICTURES | {"width": 8, "components": 2}, (2, 9, 11)),
    ("picture-generator", PICTURES | {"width": 8, "fold": 1}, (2, 9, 11)),
    ("strided-generator", PICTURES | {"width": 4, "hidden": 6, "components": 2}, (2, 9, 11)),
    ("tabular-generator", TABLE | {"width": 8}, (7,)),
]
DISCRIMINATORS: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
    ("maxout-discriminator", POINTS | {"hidden": [4, 3]}, (2, 3)),
    ("residual-discriminator", POINTS | {"width": 8}, (2, 3)),
    ("maxout-convolution-discriminator", PAPER | {"maps": [2, 3, 4], "hidden": 5}, (1, 32, 32)),
    ("mixture-discriminator", MIXTURE, (5,)),
    ("fourier-discriminator", POINTS | {"octaves": 3, "ranges": [[-3, 3]] * 6}, (2, 3)),
    ("picture-discriminator", PICTURES | {"width": 8, "fold": 1}, (2, 9, 11)),
    ("strided-discriminator", PICTURES | {"width": 4, "hidden": 6}, (2, 9, 11)),
    ("tabular-discriminator", TABLE | {"width": 8, "frequencies": 2}, (7,)),
]
EVERY = [
    *((name, {"noise_width": NOISE} | more, (NOISE,), shape) for name, more, shape in GENERATORS),
    *((name, more, shape, (1,)) for name, more, shape in DISCRIMINATORS),
]
UNCONDITIONAL = {"deconvolution-generator", "maxout-convolution-discriminator"}
CONDITIONAL = [each for each in EVERY if each[0] not in UNCONDITIONAL]

Shape = tuple[int, ...]


def network(name: str, more: dict[str, Any], seed: int = 0, classes: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build({"name": name} | more | ({"condition_width": classes} if classes else {}))


def moved(made: nn.Module) -> nn.Module:
    """The network in general position: where a layer starts at zero, nothing before it has a gradient."""
    if isinstance(made, PCAPriorGenerator):
        made.init_from_data(torch.rand(9, *made.shape))
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return made


def inputs(shape: Shape) -> Tensor:
    return torch.rand(ROWS, *shape, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8


def equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def test_every_network_is_held_to_the_contract() -> None:
    assert {name for name, *_ in EVERY} == NETWORKS.keys()
    assert {type(network(name, more)) for name, more, *_ in EVERY} == set(NETWORKS.values())


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each[0])
def test_rows_in_rows_out_by_seeded_weights_that_can_be_stored(
    each: tuple[str, dict[str, Any], Shape, Shape],
) -> None:
    name, more, given, shape = each
    made, again, other = (network(name, more, seed) for seed in (0, 0, 1))
    x = inputs(given)
    out = made(x)
    assert out.shape == (ROWS, *shape)
    assert out.dtype == torch.float32
    assert bool(torch.isfinite(out).all())
    torch.testing.assert_close(made(x[2:4]), out[2:4])  # rows do not mix
    assert equal(made.state_dict(), again.state_dict())
    assert torch.equal(again(x), out)
    stored = moved(made).state_dict()
    assert not equal(stored, other.state_dict())
    other.load_state_dict(stored)
    assert torch.equal(other(x), made(x))


@pytest.mark.parametrize("each", CONDITIONAL, ids=lambda each: each[0])
def test_a_condition_changes_the_output_and_none_is_no_error(
    each: tuple[str, dict[str, Any], Shape, Shape],
) -> None:
    name, more, given, shape = each
    made, x = moved(network(name, more, classes=3)), inputs(given)
    first, second = (made(x, torch.eye(3)[[label] * ROWS]) for label in (0, 1))
    assert first.shape == (ROWS, *shape)
    assert not torch.equal(first, second)
    assert made(x).shape == (ROWS, *shape)


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each[0])
def test_gradients_reach_every_parameter_and_float64_is_the_same_function(
    each: tuple[str, dict[str, Any], Shape, Shape],
) -> None:
    name, more, given, _ = each
    classes = 0 if name in UNCONDITIONAL else 2
    made = moved(network(name, more, classes=classes))
    x, condition = inputs(given), [torch.eye(2)[torch.arange(ROWS) % 2]] * bool(classes)
    out = made(x, *condition)
    made.double()
    exact = made(x.double(), *(y.double() for y in condition))
    assert exact.dtype == torch.float64
    torch.testing.assert_close(out.double(), exact, rtol=1e-3, atol=1e-4)
    weights = torch.randn(exact.shape, dtype=torch.float64)
    slopes = torch.autograd.grad((exact * weights).sum(), list(made.parameters()))
    for (each_name, _), slope in zip(made.named_parameters(), slopes, strict=True):
        assert slope.abs().max() > 0, each_name
        if each_name.endswith(
            "leave.weight"
        ):  # each output unit on its own: also the logits of what is drawn
            assert bool((slope.flatten(1).abs().amax(1) > 0).all()), each_name


@pytest.mark.parametrize("each", DISCRIMINATORS, ids=lambda each: each[0])
def test_a_penalty_on_the_slope_reaches_every_weight(each: tuple[str, dict[str, Any], Shape]) -> None:
    """It says nothing about a constant, and of a piecewise linear D the slope has no other biases."""
    name, more, given = each
    classes = 0 if name in UNCONDITIONAL else 2
    made = moved(network(name, more, classes=classes)).double()
    condition = [torch.eye(2, dtype=torch.float64)[torch.arange(ROWS) % 2]] * bool(classes)
    _, values = get_penalty("r2").measure(lambda rows: made(rows, *condition), inputs(given).double())
    slopes = torch.autograd.grad(
        values.sum(), list(made.parameters()), allow_unused=True, materialize_grads=True
    )
    names = [name for name, _ in made.named_parameters()]
    silent = [name for name, slope in zip(names, slopes, strict=True) if not slope.abs().max() > 0]
    assert all(name.endswith("bias") for name in silent)


@pytest.mark.parametrize(
    "description", [{"name": "transformer"}, {"name": "residual-generator", "depth": 3}, {}]
)
def test_a_description_of_another_version_is_refused(description: dict[str, object]) -> None:
    with pytest.raises(StoredFileError, match="cannot build the network"):
        build(description)
