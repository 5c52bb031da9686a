"""What stands in for samples in Table 1: real rows, rows with one known fault each, and rows of no model at all.

A Parzen score has no scale of its own. Real rows say what perfect samples would get; the same rows with a single fault
(too few of them, pixels lost, no grey levels, blurred) say what each fault costs, or gains; k-means centres and pixels
drawn each for itself are no samples of digits at all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from saddlepoint import compute
from saddlepoint.paper.datasets import Parts, fractions

Floats = NDArray[np.float64]
_Fault = Callable[[Floats, np.random.Generator], Floats]
"""Pictures (n, H, W, C) of grey levels in [0, 1] -> the same with a fault."""

BLUR = 0.6
LOST = 0.05


def _halved(rows: Floats, random: np.random.Generator) -> Floats:
    return rows[np.arange(len(rows)) % -(-len(rows) // 2)]


def _gaps(rows: Floats, random: np.random.Generator) -> Floats:
    return np.where(random.random(rows.shape) < LOST, 0.0, rows)


def _black_and_white(rows: Floats, random: np.random.Generator) -> Floats:
    return np.round(rows)


def _blurred(rows: Floats, random: np.random.Generator) -> Floats:
    return np.asarray(gaussian_filter(rows, (0.0, BLUR, BLUR, 0.0)), dtype=np.float64)


FAULTS: dict[str, _Fault] = {
    "half of the real rows": _halved,
    "real rows with gaps": _gaps,
    "real rows in black or white": _black_and_white,
    "real rows blurred": _blurred,
}
CONTROLS = {
    "real rows": "training rows, as they are",
    "k-means centres": "centres of the training rows, as many as samples or half as many as rows: no samples at all",
    "each pixel apart": "every pixel drawn for itself from the training rows",
    "half of the real rows": "half as many training rows, each twice",
    "real rows with gaps": f"training rows, {100 * LOST:.0f} % of their pixels black, each by chance",
    "real rows in black or white": "training rows, grey levels rounded to 0 or 1",
    "real rows blurred": f"training rows under a Gaussian filter of {BLUR:g} pixels",
}
"""What stands in for samples, by name, and in words."""


def control(model: str, parts: Parts, n: int, seed: int) -> Floats:
    """Return n rows (n, H W C) in [0, 1] that stand in for samples, as CONTROLS says of each."""
    rows = fractions(parts.train)
    random = np.random.default_rng(compute.key(seed, f"control/{model}"))
    n = min(n, len(rows))
    if model == "each pixel apart":
        return np.stack([random.permutation(rows[:, column])[:n] for column in range(rows.shape[1])], axis=1)
    if model == "k-means centres":
        return _centres(rows, min(n, len(rows) // 2), seed)  # as many centres as rows would be the rows
    chosen = rows[random.permutation(len(rows))[:n]]
    if model not in FAULTS:
        return chosen
    pictures = chosen.reshape(n, *parts.train.rows.shape[1:])
    return FAULTS[model](pictures, random).reshape(n, -1)


def _centres(rows: Floats, n: int, seed: int) -> Floats:
    from sklearn.cluster import KMeans

    fitted = KMeans(n, init="random", n_init=1, max_iter=20, random_state=seed).fit(rows.astype(np.float32))
    return np.asarray(fitted.cluster_centers_, dtype=np.float64)
