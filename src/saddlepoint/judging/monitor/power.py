"""The ruler: a defect of exactly known size, planted in the user's own rows, and how often it is found.

Two thirds of the training rows play the generator after every row of a region has been taken away: a ball about a row drawn at
random, its radius chosen on *other* rows so that it holds the mass m. Their law is P conditioned off the region, whose
distance from P is known exactly without any density (`missing_mass`). The referees of the ringside judge them on the same
held-back rows as in a check, at the same level. So "no difference certified" is read as it should be: a missing cluster of
m was found in so many of so many trials. That is power against this kind of defect; others may be harder to see.

A missing cluster as a distance: the exact JSD between a law and the same law without a region of mass m.

Let Q be P conditioned off a region C with P(C) = m. On C the mixture M = (P + Q)/2 has density p/2, off C it has
p (1 + 1/(1-m))/2 = p (2-m)/(2(1-m)). So KL(P|M) = m log 2 + (1-m) log(2(1-m)/(2-m)) and KL(Q|M) = log(2/(2-m)), and

    JSD(m) = 1/2 [ m log 2 + (1-m) log(2(1-m)/(2-m)) + log(2/(2-m)) ]   nats, about (m/2) log 2 for small m,

whatever P is: a ruler that needs no density. It rises from 0 at m = 0 to log 2 at m = 1. By symmetry the same holds for
an invented region: P = Q conditioned off it.
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
from saddlepoint.judging.monitor.quick_c2st import FAKES_PER_REAL, QuickJudge, read
from saddlepoint.judging.monitor.stopping import POWER

DEFAULT_TOLERANCE = "5%"


def jsd_of_missing(mass: float) -> float:
    """Return JSD(P, P conditioned off a region of that mass) in nats, 0 <= mass <= 1.

    >>> round(jsd_of_missing(0.05), 6)
    0.017649
    """
    if not 0 <= mass <= 1:
        raise InputError(f"A missing mass of {mass} is none; give a share between 0 and 1.")
    if mass in (0.0, 1.0):
        return mass * math.log(2)
    off = (1 - mass) * (math.log(2) + math.log1p(-mass) - math.log(2 - mass))
    return (mass * math.log(2) + off + math.log(2) - math.log(2 - mass)) / 2


def missing_of_jsd(jsd: float) -> float:
    """Return the missing mass whose JSD is that many nats: the inverse of `jsd_of_missing`.

    >>> round(missing_of_jsd(jsd_of_missing(0.2)), 9)
    0.2
    """
    if not 0 <= jsd <= math.log(2):
        raise InputError(f"A JSD of {jsd} nats is none; it lies between 0 and log 2 = 0.693.")
    return float(brentq(lambda mass: jsd_of_missing(mass) - jsd, 0.0, 1.0, xtol=1e-12))


def tolerance_of(text: str | float) -> float:
    """Return a tolerance in nats: a number of nats, or a missing cluster as "5%" or "a missing cluster of 5 %".

    >>> tolerance_of(0.02), round(tolerance_of("5 %"), 6)
    (0.02, 0.017649)

    Raises:
        InputError: it is neither, or lies outside (0, log 2) nats.
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
            f"The tolerance {text!r} is neither nats (a number between 0 and 0.693) nor a missing cluster in per cent, "
            "like 5%; give one of them."
        )
    return nats


TRIALS = 5
MASSES = (0.01, 0.02, 0.05, 0.1, 0.2)
_READ, _SELECT = 0.4, 0.15
MOST_MASS = 0.4
FEWEST_ROWS, MOST_ROWS = 100, 12_000


@dataclass(frozen=True, kw_only=True)
class PowerEstimate:
    """One mark of the ruler: a missing region of `mass` (JSD in nats), found so many times of so many.

    recall: mean estimate / jsd; rows: held-back rows read in each trial.
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
            f"times (recall {self.recall:.2f})"
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
    """Return one mark for each mass, of so many trials, or fewer once it is missed too often to count as found.

    train: rows as they came; pilot: a miss in the first trial is enough.

    Fewer rows play the fakes than a generator could draw, so that a check sees at least as much. Empty below 100 rows.
    """
    if len(train) < FEWEST_ROWS:
        return []
    order = np.random.default_rng(seed).permutation(len(train))[:MOST_ROWS]
    rows = quick_judge.space(train[order])
    return [
        _mark(rows, quick_judge, mass, alpha=alpha, trials=trials, seed=seed, pilot=pilot) for mass in masses
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
    """Return the marks of these masses, and where the largest is not found those of twice, four times it ... until one is.

    So that few rows too are told what they would show; at most 0.4. On the way up a mass below the floor of so many rows is
    passed over, and one that is missed at once is left for the next.
    """
    marks = power_analysis(train, quick_judge, masses=masses, alpha=alpha, trials=trials, seed=seed)
    floor = betting_bound.floor(len(quick_judge.held), alpha=alpha, fakes=quick_judge.fakes)
    while marks and smallest_detected(marks) is None and 2 * marks[-1].mass <= MOST_MASS:
        mass = 2 * marks[-1].mass
        while jsd_of_missing(mass) < floor and 2 * mass <= MOST_MASS:
            mass *= 2
        marks += power_analysis(
            train,
            quick_judge,
            masses=[round(mass, 9)],
            alpha=alpha,
            trials=trials,
            seed=seed,
            pilot=2 * mass <= MOST_MASS,
        )
    return marks


def _mark(
    rows: Floats, quick_judge: QuickJudge, mass: float, *, alpha: float, trials: int, seed: int, pilot: bool
) -> PowerEstimate:
    jsd, found, seen, read_rows = jsd_of_missing(mass), 0, [], 0
    for trial in range(trials):
        random = np.random.default_rng([seed, trial])
        mine, others = np.split(rows[random.permutation(len(rows))], [len(rows) // 3])
        planted = without_region(others, like=mine, mass=mass, random=random)
        share = int(_READ * len(planted))
        per = max(1, min(FAKES_PER_REAL, share // len(quick_judge.held)))
        held = quick_judge.held[: share // per]
        chosen = int(_SELECT * len(planted)) // per
        fakes = np.split(planted, np.cumsum([per * len(held), per * chosen]))
        real = [held, mine[:chosen], mine[chosen : chosen + len(quick_judge.fit)]]
        sight = read(real, fakes, fakes_per_real=per, alpha=alpha, seed=quick_judge.seed)
        found += sight.lower > 0
        seen.append(sight.estimate)
        read_rows = len(held)
        if len(seen) - found > (0 if pilot and trial == 0 else (1 - POWER) * trials + 1e-9):
            break  # it cannot count as found any more, and every trial costs a check
    return PowerEstimate(
        mass=mass, jsd=jsd, found=int(found), of=len(seen), recall=float(np.mean(seen)) / jsd, rows=read_rows
    )


def without_region(rows: Floats, *, like: Floats, mass: float, random: np.random.Generator) -> Floats:
    """Return the rows outside a ball that holds `mass` of other rows of the same law (`like`), about one of these."""
    centre = like[random.integers(len(like))]
    radius = np.quantile(np.linalg.norm(like - centre, axis=1), mass)
    return np.asarray(rows[np.linalg.norm(rows - centre, axis=1) > radius])


def smallest_detected(marks: Sequence[PowerEstimate]) -> PowerEstimate | None:
    """Return the mark of the smallest mass that was found in at least 4 of 5 trials, as all larger ones were; or None."""
    best = None
    for mark in sorted(marks, key=lambda each: -each.mass):
        if mark.found < POWER * mark.of:
            break
        best = mark
    return best
