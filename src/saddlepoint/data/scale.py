"""The smallest scale of points: how far apart the rows of the densest places are."""

from __future__ import annotations

import torch
from torch import Tensor

_ROWS, _NEIGHBOUR_SHARE, _DENSEST = 4_000, 0.01, 0.1


def smallest_scale(rows: Tensor) -> float:
    """Return the 10 % quantile, over encoded rows (n, width), of the distance to the (n / 100)-th nearest other row.

    In standard deviations where the rows are standardised; at most 4,000 rows are looked at (evenly spaced ones, so
    that the same rows always have the same scale). Tight clusters have a small one, a lone Gaussian a large one.
    """
    some = rows[:: max(1, -(-len(rows) // _ROWS))].to(torch.float64)
    neighbour = max(1, round(_NEIGHBOUR_SHARE * len(some)))
    if len(some) <= neighbour:
        return 0.0
    distances = torch.cat(
        [torch.cdist(part, some).kthvalue(neighbour + 1, dim=1).values for part in torch.split(some, 500)]
    )
    return float(distances.quantile(_DENSEST))
