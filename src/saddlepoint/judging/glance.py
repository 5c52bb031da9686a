"""A glance between rounds: two quick referees, an estimate with its standard error, no bound.

Rows of both sides are cut in two; each half is read by referees that were fitted on the other: the mean logit l of boosted
trees on coordinates and distances to cells, and of a small network. Then

    JSD ~ log 2 + mean_real log s(l) / 2 + mean_fake log s(-l) / 2

in nats, s(l) = 1/(1 + e^-l), which in expectation is at most the true JSD (Goodfellow et al. 2014, theorem 1). It is good
for comparing snapshots of one game on the same rows; a verdict is what `judge` gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from saddlepoint.errors import InputError
from saddlepoint.judging.point_referees import Briefing, geometry, network

FEWEST_ROWS = 50
_LARGEST_LOGIT = 6.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Glance:
    """An estimate of the JSD in nats, which may lie below 0 where nothing is seen.

    gains (2, n): log s(l) + log 2 of each real row and log s(-l) + log 2 of each fake; their mean is the estimate. Of two
    glances at the same real rows, and at fakes of the same noise, they may be compared row by row.
    """

    gains: Floats

    @property
    def jsd(self) -> float:
        """Return the estimate in nats."""
        return float(self.gains.mean())

    @property
    def error(self) -> float:
        """Return its standard error."""
        return _error(self.gains)

    def error_of_difference(self, other: Glance) -> float:
        """Return the standard error of the difference of two estimates, row by row."""
        return _error(self.gains - other.gains)


def glance(real: Floats, fake: Floats, *, seed: int = 0) -> Glance:
    """Return how far fakes (n, d) seem to be from real rows (n, d), n at least 50.

    Raises:
        InputError: too few rows, or another number of fakes than of real rows.
    """
    if len(real) < FEWEST_ROWS or len(real) != len(fake):
        raise InputError(
            f"A glance was asked at {len(real)} real and {len(fake)} fake rows; give as many of both, "
            f"at least {FEWEST_ROWS}."
        )
    briefing = Briefing(categorical=np.zeros(real.shape[1], dtype=bool), seed=seed, quick=True)
    gains = np.empty((2, len(real)))
    halves = np.array_split(np.random.default_rng(seed).permutation(len(real)), 2)
    for fitted, read in (halves, halves[::-1]):
        logits = [referee(real[fitted], fake[fitted], briefing) for referee in (geometry, network)]
        for side, (rows, sign) in enumerate(((real, 1.0), (fake, -1.0))):
            mean = np.mean([logit(rows[read]) for logit in logits], axis=0)
            gains[side, read] = np.log(2.0) - np.logaddexp(
                0.0, -sign * np.clip(mean, -_LARGEST_LOGIT, _LARGEST_LOGIT)
            )
    return Glance(gains=gains)


def _error(gains: Floats) -> float:
    return float(np.sqrt((gains.var(1) / gains.shape[1]).sum()) / 2)
