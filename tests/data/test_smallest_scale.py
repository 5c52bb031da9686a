"""The smallest scale of points: a length, the same whichever way the rows are turned."""

from __future__ import annotations

import math

import pytest
import torch

from saddlepoint.data.encoders.standard import smallest_scale


def gaussian(n: int, clusters: int = 1, width: float = 1.0) -> torch.Tensor:
    random = torch.Generator().manual_seed(0)
    rows = width * torch.randn(n, 2, generator=random, dtype=torch.float64)
    return rows + 100 * torch.randint(clusters, (n, 1), generator=random)


def test_it_is_a_length() -> None:
    rows = gaussian(3000)
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    assert smallest_scale(7 * rows) == pytest.approx(7 * smallest_scale(rows))
    assert smallest_scale(rows @ turn + 5) == pytest.approx(smallest_scale(rows))


@pytest.mark.parametrize("clusters", [1, 8, 25])
def test_it_follows_the_width_of_the_clusters(clusters: int) -> None:
    """A share m of a plane's Gaussian lies within s sqrt(-2 log(1 - m)) of its centre; the 10 % of rows nearest to the
    centre see a density lower by at most exp(-0.105)."""
    radius = 0.05 * math.sqrt(-2 * math.log(1 - 0.01 * clusters))
    found = smallest_scale(gaussian(4000, clusters, 0.05))
    assert 0.85 * radius < found < 1.15 * radius


def test_rows_that_repeat_have_none() -> None:
    assert smallest_scale(torch.ones(500, 3)) == 0.0
    assert smallest_scale(torch.ones(1, 3)) == 0.0
