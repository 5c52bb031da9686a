"""The quick two-sample test between rounds: `QuickJudge` with certified bounds for checks, `quick_estimate` without.

**QuickJudge** takes a fraction of a second. Three cheap classifiers work on the coordinates of `feature_space` (numbers
standardised, categories one-hot, pictures in principal components), so that all kinds of data can be checked: a quadratic
logistic regression, nearest neighbours, and a table of shares by cell and distance from its centre. (Boosted trees on the
distances to centres were tried too: they took four times as long and detected no more.)

The rows used to fit and to choose are *training* rows, and every validation row (monitor) is read. That is valid (for any
decision fixed before the rows are read, its mean payoff is at most the JSD) and uses no validation row for fitting. It cannot
detect copies, because they resemble the rows that it was fitted on; that is the memorisation test (`memorisation`).

**quick_estimate** gives an estimate with its standard error and no bound. Rows of both sides are split in two; each half is
read by two classifiers fitted on the other half. Their mean logit is l (of boosted trees on coordinates and distances to
cells, and of a small network). Then

    JSD ~ log 2 + mean_real log s(l) / 2 + mean_fake log s(-l) / 2

in nats, s(l) = 1/(1 + e^-l), which in expectation is at most the true JSD (Goodfellow et al. 2014, theorem 1). It serves to
compare snapshots of one game on the same rows; for a verdict use `judge`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saddlepoint.errors import InputError
from saddlepoint.judging.c2st import betting_bound
from saddlepoint.judging.c2st.stacking import Selection, choose
from saddlepoint.judging.classifiers import points
from saddlepoint.judging.classifiers.points import (
    FitContext,
    Floats,
    Logit,
    Referee,
    geometry,
    k_means,
    network,
)
from saddlepoint.judging.classifiers.tables import pairs, trees
from saddlepoint.judging.feature_space import feature_space

FEWEST_ROWS = 10
_LARGEST_LOGIT = 6.0


@dataclass(frozen=True, kw_only=True, eq=False)
class QuickEstimate:
    """An estimate of the JSD in nats; it may be below 0 if no difference is detected.

    The estimate is the mean of the two means. Two estimates on the same real rows, and fakes from the same noise, can be
    compared row by row.

    real: log s(l) + log 2 of each real row, (n,).
    fake: log s(-l) + log 2 of each fake, (m,).
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

    def error_of_difference(self, other: QuickEstimate) -> float:
        """Return the standard error of the difference of two estimates, row by row."""
        return _error(self.real - other.real, self.fake - other.fake)


def quick_estimate(
    real: Floats, fake: Floats, *, categorical: NDArray[np.bool_] | None = None, seed: int = 0
) -> QuickEstimate:
    """Return an estimate of the JSD between real rows and fakes; with more fakes it detects more.

    real, fake: (n, d) and (m, d), n and m at least 10.
    categorical: for tables: bool (d,), True for columns of codes; the classifiers are then trees and pairs of columns.
    seed: of halves and classifiers.

    Raises:
        InputError: too few rows.
    """
    if min(len(real), len(fake)) < FEWEST_ROWS:
        raise InputError(
            f"{len(real)} real and {len(fake)} fake rows are too few for a quick estimate; give {FEWEST_ROWS} of each."
        )
    none = np.zeros(real.shape[1], dtype=bool)
    context = FitContext(categorical=none if categorical is None else categorical, seed=seed, quick=True)
    referees = (geometry, network) if categorical is None else (trees, pairs)
    order = np.random.default_rng(seed)
    halves = [np.array_split(order.permutation(len(rows)), 2) for rows in (real, fake)]
    gains = [np.empty(len(real)), np.empty(len(fake))]
    for fitted, read in ((0, 1), (1, 0)):
        logits = [referee(real[halves[0][fitted]], fake[halves[1][fitted]], context) for referee in referees]
        for side, (rows, sign) in enumerate(((real, 1.0), (fake, -1.0))):
            part = halves[side][read]
            mean = np.mean([logit(rows[part]) for logit in logits], axis=0).clip(
                -_LARGEST_LOGIT, _LARGEST_LOGIT
            )
            gains[side][part] = np.log(2.0) - np.logaddexp(0.0, -sign * mean)
    return QuickEstimate(real=gains[0], fake=gains[1])


def _error(real: Floats, fake: Floats) -> float:
    return float(np.sqrt(real.var() / len(real) + fake.var() / len(fake)) / 2)


MOST_TO_FIT, MOST_TO_CHOOSE, MOST_TO_READ = 4000, 1000, 4000
FAKES_PER_REAL = 4
MOST_FAKES = 10_000
COARSE = 0.5
SELECT = 0.2
_CELLS, _SHELLS = 48, 4


@dataclass(frozen=True, kw_only=True, eq=False)
class QuickVerdict:
    """Results of a quick test in nats, see `stopping.Check`; payoffs: (n,), of the rows read; their mean is the estimate."""

    estimate: float
    error: float
    lower: float
    upper: float
    floor: float
    payoffs: Floats


class QuickJudge:
    """The quick two-sample test, with real rows in coordinates, for repeated use on fakes.

    train: rows to fit (4 in 5) and to choose a combination.
    validation: rows that are only read.
    categorical: bool (d,), True for columns of codes.
    seed: of row samples and classifiers.
    """

    def __init__(
        self,
        train: NDArray[Any],
        validation: NDArray[Any],
        *,
        categorical: NDArray[np.bool_] | None = None,
        seed: int = 0,
    ) -> None:
        self.seed = seed
        random = np.random.default_rng(seed)
        order = random.permutation(len(train))
        chosen = min(MOST_TO_CHOOSE, int(SELECT * len(train)))
        self.space = feature_space(train[order[:MOST_TO_FIT]], train[:1], categorical, random_state=seed)
        self.select = self.space(train[order[:chosen]])
        self.fit = self.space(train[order[chosen : chosen + MOST_TO_FIT]])
        self.validation_rows = self.space(validation[random.permutation(len(validation))[:MOST_TO_READ]])
        self.fakes = max(1, min(FAKES_PER_REAL, MOST_FAKES // len(self.validation_rows)))

    @property
    def fakes_wanted(self) -> int:
        """The number of fake rows that a test needs: to be read, to choose, to fit."""
        return self.fakes * (len(self.validation_rows) + len(self.select)) + len(self.fit)

    def judge(self, fake: NDArray[Any], *, alpha: float) -> QuickVerdict:
        """Return the results on fakes, rows as they were drawn; each bound holds at level 1 - alpha."""
        return self.judge_encoded(self.space(fake), alpha=alpha)

    def judge_encoded(self, fake: Floats, *, alpha: float, coarse: bool = False) -> QuickVerdict:
        """Return the results on fakes in coordinates, `fakes_wanted` rows: to be read, to choose, to fit.

        coarse: add noise of half a standard deviation to both sides, the same noise each time.
        """
        sides = [self.validation_rows, self.select, self.fit]
        ends = np.cumsum([self.fakes * len(self.validation_rows), self.fakes * len(self.select)])
        fakes = np.split(fake, ends)
        if coarse:
            random = np.random.default_rng(self.seed)
            sides, fakes = ([_noisy(each, random) for each in side] for side in (sides, fakes))
        return evaluate_quickly(sides, fakes, fakes_per_real=self.fakes, alpha=alpha, seed=self.seed)


def evaluate_quickly(
    real: list[Floats],
    fake: list[Floats],
    *,
    fakes_per_real: int,
    alpha: float,
    seed: int,
) -> QuickVerdict:
    """Return the results on the first array of each side, of classifiers fitted on the third and combined on the second."""
    context = FitContext(categorical=np.zeros(real[0].shape[1], dtype=bool), seed=seed, quick=True)
    members: dict[str, Referee] = {
        "logistic": points.logistic,
        "neighbours": points.neighbours,
        "cells": cells,
    }
    fitted = [referee(real[2], fake[2], context) for referee in members.values()]
    chosen = _choose(fitted, tuple(members), real, fake, fakes_per_real, alpha)
    logits = [_logits(fitted, side[0]) for side in (real, fake)]
    rule, other = chosen.estimate, chosen.bound
    payoffs, cautious = (each.payoffs(*logits, reals=1, fakes=fakes_per_real) for each in (rule, other))
    low, high = rule.range
    n = len(payoffs)
    return QuickVerdict(
        estimate=float(payoffs.mean()),
        error=float(payoffs.std() / np.sqrt(n)),
        lower=max(0.0, float(betting_bound.lower_bound(cautious, *other.range, alpha=alpha))),
        upper=-float(betting_bound.lower_bound(-payoffs, -high, -low, alpha=alpha)),
        floor=betting_bound.floor(n, alpha=alpha, fakes=fakes_per_real),
        payoffs=payoffs,
    )


def cells(real: Floats, fake: Floats, context: FitContext) -> Logit:
    """The log ratio of real to fake shares by k-means cell (of the real rows) and distance from its centre.

    Four shells per cell, at the quartiles of the real rows' distances; a half is added to each count. It detects missing
    modes, wrong weights and wrong widths quickly.
    """
    n_cells = max(2, min(_CELLS, len(real) // 40))
    centres = k_means(real, n_cells, context.seed)
    own, away = _placed(centres, real)
    edges = np.zeros((n_cells, _SHELLS - 1))
    for cell in range(n_cells):
        if (own == cell).any():
            edges[cell] = np.quantile(away[own == cell], np.arange(1, _SHELLS) / _SHELLS)

    def shell(rows: Floats) -> NDArray[np.int64]:
        cell, distance = _placed(centres, rows)
        return np.asarray(cell * _SHELLS + (distance[:, None] > edges[cell]).sum(1))

    counts = [np.bincount(shell(rows), minlength=n_cells * _SHELLS) + 0.5 for rows in (real, fake)]
    log_ratios = np.log(counts[0] / counts[0].sum()) - np.log(counts[1] / counts[1].sum())
    return lambda rows: np.asarray(log_ratios[shell(rows)])


def _placed(centres: Any, rows: Floats) -> tuple[NDArray[np.int64], Floats]:
    distances = centres.transform(rows)
    cell = distances.argmin(1)
    return cell, distances[np.arange(len(rows)), cell]


def _choose(
    fitted: list[Logit],
    names: tuple[str, ...],
    real: list[Floats],
    fake: list[Floats],
    per: int,
    alpha: float,
) -> Selection:
    return choose(
        _logits(fitted, real[1]),
        _logits(fitted, fake[1]),
        names=names,
        reals=1,
        fakes=per,
        n_evaluate=len(real[0]),
        alpha=alpha,
    )


def _logits(fitted: list[Logit], rows: Floats) -> Floats:
    return np.stack([logit(rows) for logit in fitted])


def _noisy(rows: Floats, random: np.random.Generator) -> Floats:
    return np.asarray(rows + COARSE * random.standard_normal(rows.shape))
