"""The Parzen-window log-likelihood of Table 1 (Goodfellow et al. 2014, section 5; Breuleux et al. 2011).

    log p(x) = log mean_i N(x; s_i, sigma^2 I)
             = logsumexp_i(-|x - s_i|^2 / (2 sigma^2)) - log n - d log(sigma sqrt(2 pi))

with s_i drawn from the generator and sigma chosen on rows that are neither trained on nor scored. It grows with the
number of samples and rewards blurred averages (Theis et al. 2016, arXiv 1511.01844): compare it only between equal numbers
of samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from saddlepoint.errors import InputError

Floats = npt.NDArray[np.float64]
_CHUNK_NUMBERS = 2**21


def log_density(points: npt.ArrayLike, samples: npt.ArrayLike, sigma: float) -> Floats:
    """Return the Parzen log-density (nats) of each point (n, d) under samples (m, d); float64, in chunks.

    Raises:
        InputError: widths differ, an array is empty, or sigma is not above 0.
    """
    density: Floats = log_densities(points, samples, [sigma])[0]
    return density


def log_densities(points: npt.ArrayLike, samples: npt.ArrayLike, sigmas: Sequence[float]) -> Floats:
    """Return log-densities (len(sigmas), n) for several bandwidths at the cost of one distance matrix.

    Raises:
        InputError: widths differ, an array is empty, or a sigma is not above 0.
    """
    x, s = _rows(points, "points"), _rows(samples, "samples")
    if x.shape[1] != s.shape[1]:
        raise InputError(
            f"The points have {x.shape[1]} numbers per row and the samples {s.shape[1]}; both must have the same."
        )
    widths = np.asarray(sigmas, dtype=np.float64)
    if widths.size == 0 or not (np.isfinite(widths) & (widths > 0)).all():
        raise InputError(f"The bandwidths {list(sigmas)} must be finite numbers above 0.")
    # Distances by x.x - 2 x.s + s.s lose digits far from the origin: centre first.
    centre = s.mean(axis=0)
    x, s = x - centre, s - centre
    length = np.einsum("ij,ij->i", s, s)
    constant = np.log(len(s)) + s.shape[1] * (np.log(widths) + 0.5 * np.log(2 * np.pi))
    out = np.empty((len(widths), len(x)))
    step = max(1, _CHUNK_NUMBERS // len(s))
    for start in range(0, len(x), step):
        part = x[start : start + step]
        squared = part @ s.T
        squared *= -2
        squared += length
        squared += np.einsum("ij,ij->i", part, part)[:, None]
        np.maximum(squared, 0.0, out=squared)
        nearest = squared.min(axis=1)
        squared -= nearest[:, None]
        terms = np.empty_like(squared)
        for row, sigma in enumerate(widths):
            scale = -0.5 / sigma**2
            np.multiply(squared, scale, out=terms)
            np.exp(terms, out=terms)
            out[row, start : start + step] = np.log(terms.sum(axis=1)) + scale * nearest
    return np.asarray(out - constant[:, None])


def choose_sigma(validation: npt.ArrayLike, samples: npt.ArrayLike, sigmas: Sequence[float]) -> float:
    """Return the bandwidth that gives the validation rows the largest mean log-density."""
    means = log_densities(validation, samples, sigmas).mean(axis=1)
    return float(sigmas[int(np.argmax(means))])


def _rows(values: npt.ArrayLike, what: str) -> npt.NDArray[Any]:
    rows = np.asarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.size == 0:
        raise InputError(f"The {what} have shape {rows.shape}; give a non-empty array of shape (n, d).")
    return rows
