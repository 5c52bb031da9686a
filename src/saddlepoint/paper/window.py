"""The paper's Parzen protocol (the authors' parzen_ll.py), exactly.

1. 10,000 samples of G, grey levels in [0, 1]. 2. sigma is the one of 10 values, log-spaced from 0.1 to 1, under which
the first 1,000 validation rows have the largest mean log-likelihood. 3. The score is the mean over all test rows, its
"+-" the standard deviation over the square root of their number. A sigma at the grid's edge says that the best one lies
beyond: the number would mean nothing (with sigma = .01 the authors' code printed -256,075), so it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saddlepoint.errors import InputError
from saddlepoint.judging.metrics.parzen import log_densities, log_density

SIGMAS: tuple[float, ...] = tuple(float(sigma) for sigma in np.logspace(-1, 0, 10))
SAMPLES = 10_000
VALIDATION = 1_000


@dataclass(frozen=True, kw_only=True)
class Score:
    """A Parzen score: mean log-likelihood of the test rows and its standard error (nats), and how it came."""

    log_likelihood: float
    standard_error: float
    sigma: float
    n_samples: int
    n_test: int


def on_validation(samples: NDArray[np.float64], validation: NDArray[np.float64]) -> tuple[float, float, bool]:
    """Return the best mean log-likelihood of the first 1,000 validation rows, its sigma, and whether that is an edge."""
    means = log_densities(validation[:VALIDATION], samples, SIGMAS).mean(axis=1)
    best = int(np.argmax(means))
    return float(means[best]), SIGMAS[best], best in (0, len(SIGMAS) - 1)


def score(samples: NDArray[np.float64], validation: NDArray[np.float64], test: NDArray[np.float64]) -> Score:
    """Return the score of samples (n, d) by the protocol.

    Raises:
        InputError: the best sigma lies at an edge of the grid.
    """
    found, sigma, edge = on_validation(samples, validation)
    if edge:
        raise InputError(
            f"The best sigma of the grid {SIGMAS[0]:g} ... {SIGMAS[-1]:g} is its edge {sigma:g} (validation "
            f"log-likelihood {found:.1f}), so the score would mean nothing: train on, or draw other samples."
        )
    each = log_density(test, samples, sigma)
    return Score(
        log_likelihood=float(each.mean()),
        standard_error=float(each.std() / np.sqrt(len(each))),
        sigma=round(sigma, 4),
        n_samples=len(samples),
        n_test=len(test),
    )
