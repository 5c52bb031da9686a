"""The null control: the same referees judge the real rows against real rows, and must find nothing.

Random halves of independent rows are exchangeable, so a control that fails has one of two causes: a fault in
the procedure, or rows that are not what they were taken for. It fails when its own bound at level 1 - 0.0005
exceeds zero, or its accuracy leaves 50 % with an exact binomial p below 0.0005: a false alarm in at most one
of 1,000 verdicts. A failed control gives no bound, so it can never add a false certificate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from saddlepoint.judging.reading import read
from saddlepoint.judging.referees import Pool, appoint
from saddlepoint.judging.samples import Samples
from saddlepoint.judging.splits import split

FALSE_ALARM = 0.001
MOST_ROWS = {"points": 10_000, "table": 10_000, "pictures": 4_000}
FEWEST_ROWS = 60


@dataclass(frozen=True, kw_only=True)
class Control:
    """Real rows judged against real rows: `jsd_lower` in nats at level 1 - FALSE_ALARM/2, `n` rows in all,
    `rows_read` of them told real or fake.
    """

    passed: bool
    accuracy: float
    jsd_lower: float
    p: float
    n: int
    rows_read: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return what the verdict's JSON shows."""
        return {
            "passed": self.passed,
            "accuracy": self.accuracy,
            "jsd_lower": self.jsd_lower,
            "rows_read": self.rows_read,
        }


def control(samples: Samples, *, groups: NDArray[Any] | None, size: Pool, seed: int) -> Control | None:
    """Return the control on two random halves of the real rows (one row a group), or None for too few
    rows.
    """
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(samples.real))
    if groups is not None:
        rows = rows[np.unique(np.asarray(groups)[rows], return_index=True)[1]]
        rows = rng.permutation(rows)
    rows = rows[: MOST_ROWS[samples.kind]]
    if len(rows) < FEWEST_ROWS:
        return None
    half = len(rows) // 2
    halves = Samples(
        kind=samples.kind,
        real=samples.real[rows[:half]],
        fake=samples.real[rows[half:]],
        names=samples.names,
        categorical=samples.categorical,
    )
    alpha = FALSE_ALARM / 2
    splits = split(len(halves.real), len(halves.fake), alpha=alpha, rng=rng)
    panel = appoint(halves, splits, size=size, alpha=alpha, seed=seed)
    found = read(panel, halves, splits, alpha=alpha)
    rows_read = len(found.real_logits) + len(found.fake_logits)
    p = float(binomtest(sum(found.right), rows_read, 0.5).pvalue)
    return Control(
        passed=found.lower <= 0 and p >= FALSE_ALARM / 2,
        accuracy=found.accuracy,
        jsd_lower=found.lower,
        p=p,
        n=len(rows),
        rows_read=rows_read,
    )
