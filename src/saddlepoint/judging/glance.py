"""A glance between rounds: one quick referee, an estimate with its standard error, no bound.

Half of the real rows and as many fakes fit boosted trees on the coordinates and the distances to cells, with logit l; on the other half

    JSD ~ log 2 + mean_real log s(l) / 2 + mean_fake log s(-l) / 2

in nats, s(l) = 1/(1 + e^-l), which in expectation is at most the true JSD (Goodfellow et al. 2014, theorem 1). It is good
for comparing snapshots of one game on the same rows; a verdict is what `judge` gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saddlepoint.errors import InputError
from saddlepoint.judging.point_referees import Briefing, geometry

FEWEST_ROWS = 50
_LARGEST_LOGIT = 8.0


@dataclass(frozen=True, kw_only=True)
class Glance:
    """An estimate of the JSD in nats and its standard error; it may lie below 0 where nothing is seen."""

    jsd: float
    error: float


def glance(real: NDArray[np.float64], fake: NDArray[np.float64], *, seed: int = 0) -> Glance:
    """Return how far fakes (m, d) seem to be from real rows (n, d), m and n at least 50.

    Raises:
        InputError: too few rows.
    """
    if min(len(real), len(fake)) < FEWEST_ROWS:
        raise InputError(
            f"{len(real)} real and {len(fake)} fake rows are too few for a glance; give {FEWEST_ROWS} of each."
        )
    order = np.random.default_rng(seed)
    real, fake = (rows[order.permutation(len(rows))] for rows in (real, fake))
    half_real, half_fake = len(real) // 2, len(fake) // 2
    briefing = Briefing(categorical=np.zeros(real.shape[1], dtype=bool), seed=seed, quick=True)
    logit = geometry(real[:half_real], fake[:half_fake], briefing)
    gains = [
        -np.logaddexp(0.0, -sign * np.clip(logit(part), -_LARGEST_LOGIT, _LARGEST_LOGIT))
        for part, sign in ((real[half_real:], 1.0), (fake[half_fake:], -1.0))
    ]
    jsd = np.log(2.0) + sum(float(part.mean()) for part in gains) / 2
    error = np.sqrt(sum(float(part.var()) / len(part) for part in gains)) / 2
    return Glance(jsd=float(jsd), error=float(error))
