"""Power analysis: how often the quick two-sample test finds a defect of known size, planted in the user's own rows.

Two thirds of the training rows, with every row of one region removed, are tested as if they were samples. The region is a
ball around a row drawn at random; its radius is chosen on *other* rows so that it holds the mass m. Their distribution is P
conditioned on lying outside the region, whose distance from P is known exactly without any density. The quick test compares
them with the same held-out rows as in a check, at the same level. So "no difference certified" gets its meaning: a missing
cluster of mass m was found in this many of the trials. That is power against this kind of defect; others may be harder to
detect.

**The exact JSD between a distribution and the same distribution without a region of mass m.** Let Q be P conditioned on
lying outside a region C with P(C) = m. On C the mixture M = (P + Q)/2 has density p/2, outside C it has p (1 + 1/(1-m))/2 =
p (2-m)/(2(1-m)). So KL(P|M) = m log 2 + (1-m) log(2(1-m)/(2-m)) and KL(Q|M) = log(2/(2-m)), and

    JSD(m) = 1/2 [ m log 2 + (1-m) log(2(1-m)/(2-m)) + log(2/(2-m)) ]   nats, about (m/2) log 2 for small m,

whatever P is. It rises from 0 at m = 0 to log 2 at m = 1. By symmetry the same holds for an invented region: P = Q
conditioned on lying outside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from saddlepoint.errors import InputError
from saddlepoint.judging.c2st import betting_bound
from saddlepoint.judging.classifiers.points import Floats
from saddlepoint.judging.monitor.quick_c2st import FAKES_PER_REAL, QuickJudge, evaluate_quickly
from saddlepoint.judging.monitor.stopping import POWER

DEFAULT_TOLERANCE = "5%"


def jsd_of_missing(mass: float) -> float:
    """Return JSD(P, P conditioned on lying outside a region of this mass) in nats, 0 <= mass <= 1.

    >>> round(jsd_of_missing(0.05), 6)
    0.017649
    """
    if not 0 <= mass <= 1:
        raise InputError(f"The missing mass is {mass}; give a share between 0 and 1.")
    if mass in (0.0, 1.0):
        return mass * math.log(2)
    off = (1 - mass) * (math.log(2) + math.log1p(-mass) - math.log(2 - mass))
    return (mass * math.log(2) + off + math.log(2) - math.log(2 - mass)) / 2


def missing_of_jsd(jsd: float) -> float:
    """Return the missing mass that has this JSD (nats): the inverse of `jsd_of_missing`.

    >>> round(missing_of_jsd(jsd_of_missing(0.2)), 9)
    0.2
    """
    if not 0 <= jsd <= math.log(2):
        raise InputError(f"The JSD is {jsd} nats; give a number between 0 and log 2 = 0.693.")
    return float(brentq(lambda mass: jsd_of_missing(mass) - jsd, 0.0, 1.0, xtol=1e-12))


def tolerance_of(text: str | float) -> float:
    """Return a tolerance in nats, from a number of nats or a missing cluster as "5%" or "a missing cluster of 5 %".

    >>> tolerance_of(0.02), round(tolerance_of("5 %"), 6)
    (0.02, 0.017649)

    Raises:
        InputError: it is neither, or outside (0, log 2) nats.
    """
    share = re.fullmatch(r"(?:a missing cluster of )?\s*([0-9.]+)\s*%", str(text).strip())
    try:
        if share:
            mass = float(share.group(1)) / 100
            if not 0 < mass < 1:
                raise ValueError
            return jsd_of_missing(mass)
        nats = float(text)
    except ValueError:
        nats = math.nan
    if not 0 < nats < math.log(2):
        raise InputError(
            f"The tolerance {text!r} is neither a number of nats between 0 and 0.693 nor a missing cluster in per cent, "
            "as 5%; give one of them."
        )
    return nats


TRIALS = 5
MASSES = (0.01, 0.02, 0.05, 0.1, 0.2)
_READ, _SELECT = 0.4, 0.15
MOST_MASS = 0.4
FEWEST_ROWS, MOST_ROWS = 100, 12_000


@dataclass(frozen=True, kw_only=True)
class PowerEstimate:
    """Power against one missing region.

    mass: of the region.
    jsd: its exact distance, in nats.
    found, of: trials that found it, and all trials.
    recall: mean estimate / jsd.
    rows: held-out rows read in each trial.
    """

    mass: float
    jsd: float
    found: int
    of: int
    recall: float
    rows: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "mass": self.mass,
            "jsd": self.jsd,
            "found": self.found,
            "of": self.of,
            "recall": self.recall,
            "rows": self.rows,
        }

    def __str__(self) -> str:
        return (
            f"a missing cluster of {100 * self.mass:.3g} % (JSD {self.jsd:.4f}) was found {self.found} of {self.of} "
            f"times (mean estimate {100 * self.recall:.0f} % of that JSD)"
        )


def power_analysis(
    train: NDArray[Any],
    quick_judge: QuickJudge,
    *,
    masses: Sequence[float],
    alpha: float,
    trials: int = TRIALS,
    seed: int = 0,
    pilot: bool = False,
) -> list[PowerEstimate]:
    """Return one power estimate per mass; empty below 100 rows.

    A mass gets fewer trials once it was missed too often to count as found. Fewer rows stand in for samples than a
    generator can draw, so a check has at least this power.

    train: rows as they were given.
    quick_judge: the quick two-sample test of the checks.
    masses: of the missing regions.
    alpha: level of the bound in each trial.
    trials: per mass.
    seed: of regions and row samples.
    pilot: stop at a mass if its first trial misses.
    """
    if len(train) < FEWEST_ROWS:
        return []
    order = np.random.default_rng(seed).permutation(len(train))[:MOST_ROWS]
    rows = quick_judge.space(train[order])
    return [
        _estimate_power(rows, quick_judge, mass, alpha=alpha, trials=trials, seed=seed, pilot=pilot)
        for mass in masses
    ]


def power_upwards(
    train: NDArray[Any],
    quick_judge: QuickJudge,
    *,
    masses: Sequence[float],
    alpha: float,
    trials: int = TRIALS,
    seed: int = 0,
) -> list[PowerEstimate]:
    """Return power estimates of these masses and, while the largest is not found, of twice, four times ... that mass.

    So even with few rows the user learns which defect would be found; at most 0.4. On the way up, masses below the floor of
    this many rows are skipped, and a mass that is missed in its first trial gets no more. Arguments as `power_analysis`.
    """
    estimates = power_analysis(train, quick_judge, masses=masses, alpha=alpha, trials=trials, seed=seed)
    floor = betting_bound.floor(len(quick_judge.validation_rows), alpha=alpha, fakes=quick_judge.fakes)
    while estimates and smallest_detected(estimates) is None and 2 * estimates[-1].mass <= MOST_MASS:
        mass = 2 * estimates[-1].mass
        while jsd_of_missing(mass) < floor and 2 * mass <= MOST_MASS:
            mass *= 2
        estimates += power_analysis(
            train,
            quick_judge,
            masses=[round(mass, 9)],
            alpha=alpha,
            trials=trials,
            seed=seed,
            pilot=2 * mass <= MOST_MASS,
        )
    return estimates


def _estimate_power(
    rows: Floats, quick_judge: QuickJudge, mass: float, *, alpha: float, trials: int, seed: int, pilot: bool
) -> PowerEstimate:
    jsd, found, jsd_estimates, rows_read = jsd_of_missing(mass), 0, [], 0
    for trial in range(trials):
        random = np.random.default_rng([seed, trial])
        mine, others = np.split(rows[random.permutation(len(rows))], [len(rows) // 3])
        planted = without_region(others, like=mine, mass=mass, random=random)
        most_read = int(_READ * len(planted))
        per = max(1, min(FAKES_PER_REAL, most_read // len(quick_judge.validation_rows)))
        validation_rows = quick_judge.validation_rows[: most_read // per]
        chosen = int(_SELECT * len(planted)) // per
        fakes = np.split(planted, np.cumsum([per * len(validation_rows), per * chosen]))
        real = [validation_rows, mine[:chosen], mine[chosen : chosen + len(quick_judge.fit)]]
        quick_verdict = evaluate_quickly(real, fakes, fakes_per_real=per, alpha=alpha, seed=quick_judge.seed)
        found += quick_verdict.lower > 0
        jsd_estimates.append(quick_verdict.estimate)
        rows_read = len(validation_rows)
        if len(jsd_estimates) - found > (0 if pilot and trial == 0 else (1 - POWER) * trials + 1e-9):
            break  # it cannot count as found any more, and every trial costs as much as a check
    return PowerEstimate(
        mass=mass,
        jsd=jsd,
        found=int(found),
        of=len(jsd_estimates),
        recall=float(np.mean(jsd_estimates)) / jsd,
        rows=rows_read,
    )


def without_region(rows: Floats, *, like: Floats, mass: float, random: np.random.Generator) -> Floats:
    """Return the rows outside a ball around one row of `like` (rows of the same distribution) that holds `mass` of them."""
    centre = like[random.integers(len(like))]
    radius = np.quantile(np.linalg.norm(like - centre, axis=1), mass)
    return np.asarray(rows[np.linalg.norm(rows - centre, axis=1) > radius])


def smallest_detected(estimates: Sequence[PowerEstimate]) -> PowerEstimate | None:
    """Return the estimate of the smallest mass that was found in at least 4 of 5 trials, as all larger ones were; or None."""
    smallest = None
    for estimate in sorted(estimates, key=lambda each: -each.mass):
        if estimate.found < POWER * estimate.of:
            break
        smallest = estimate
    return smallest
