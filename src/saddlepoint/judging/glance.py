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
from saddlepoint.judging.table_referees import pairs, trees

FEWEST_ROWS = 10
_LARGEST_LOGIT = 6.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Glance:
    """An estimate of the JSD in nats, which may lie below 0 where nothing is seen.

    real (n,), fake (m,): log s(l) + log 2 of each real row and log s(-l) + log 2 of each fake; the mean of their means is
    the estimate. Of two glances at the same real rows, and at fakes of the same noise, they are compared row by row.
    """

    real: Floats
    fake: Floats

    @property
    def jsd(self) -> float:
        """Return the estimate in nats."""
        return float(self.real.mean() + self.fake.mean()) / 2

    @property
    def error(self) -> float:
        """Return its standard error."""
        return _error(self.real, self.fake)

    def error_of_difference(self, other: Glance) -> float:
        """Return the standard error of the difference of two estimates, row by row."""
        return _error(self.real - other.real, self.fake - other.fake)


def glance(
    real: Floats, fake: Floats, *, categorical: NDArray[np.bool_] | None = None, seed: int = 0
) -> Glance:
    """Return how far fakes (m, d) seem to be from real rows (n, d), n and m at least 10; more fakes see more.

    Of a table `categorical` (d,) marks columns of codes, and trees and pairs of columns are the referees.

    Raises:
        InputError: too few rows.
    """
    if min(len(real), len(fake)) < FEWEST_ROWS:
        raise InputError(
            f"{len(real)} real and {len(fake)} fake rows are too few for a glance; give {FEWEST_ROWS} of each."
        )
    none = np.zeros(real.shape[1], dtype=bool)
    briefing = Briefing(categorical=none if categorical is None else categorical, seed=seed, quick=True)
    referees = (geometry, network) if categorical is None else (trees, pairs)
    order = np.random.default_rng(seed)
    halves = [np.array_split(order.permutation(len(rows)), 2) for rows in (real, fake)]
    gains = [np.empty(len(real)), np.empty(len(fake))]
    for fitted, read in ((0, 1), (1, 0)):
        logits = [referee(real[halves[0][fitted]], fake[halves[1][fitted]], briefing) for referee in referees]
        for side, (rows, sign) in enumerate(((real, 1.0), (fake, -1.0))):
            part = halves[side][read]
            mean = np.mean([logit(rows[part]) for logit in logits], axis=0).clip(
                -_LARGEST_LOGIT, _LARGEST_LOGIT
            )
            gains[side][part] = np.log(2.0) - np.logaddexp(0.0, -sign * mean)
    return Glance(real=gains[0], fake=gains[1])


def _error(real: Floats, fake: Floats) -> float:
    return float(np.sqrt(real.var() / len(real) + fake.var() / len(fake)) / 2)
