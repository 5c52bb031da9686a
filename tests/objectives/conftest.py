"""Pairs of known 1-D densities (p, q) on a grid of cells dx, shared by the tests of this room."""

import pytest
import torch

CELLS = 61
GRID = torch.linspace(-3, 3, CELLS, dtype=torch.float64)
DX = float(GRID[1] - GRID[0])


def normal(mean, scale, floor):
    density = torch.exp(-0.5 * ((GRID - mean) / scale) ** 2)
    density = density / (density.sum() * DX)
    return (1 - floor) * density + floor / (CELLS * DX)


# A little uniform density keeps every cell's weight, and so the optimisation, well conditioned; no cell has p = q, where
# a stepwise optimum would hang on the last bit of a logarithm.
PAIRS = {
    "shifted": (normal(-0.5, 0.8, 0.2), normal(0.53, 0.8, 0.2)),
    "wide-narrow": (normal(0.0, 1.0, 0.1), normal(0.2, 0.6, 0.2)),
    "two-modes-one": ((normal(-1.5, 0.4, 0.2) + normal(1.2, 0.5, 0.2)) / 2, normal(1.2, 0.6, 0.3)),
}


@pytest.fixture(params=list(PAIRS))
def pair(request):
    """The probabilities (p, q) of the cells, each summing to 1: D and G need no more."""
    p, q = PAIRS[request.param]
    return p * DX, q * DX
