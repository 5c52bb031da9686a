"""Stacking: one decision rule out of the referees' logits, chosen on select rows only.

Every candidate is a weighted sum of the referees' logits: each referee alone, their mean, and a stack (a logistic
regression on the logits); each as it is and recalibrated (Platt: slope and intercept). Its decision is d = 2D - 1 =
tanh(logit / 2), clipped to [-clip_low, clip_high]: a clipped D is just another D, so clipping adds no bias, and the
payoff of a block

    Z = 1/2 [mean log(1 + d(real)) + mean log(1 - d(fake))],   E Z = log 2 + V(D)/2 <= JSD(p_data, p_g)

is bounded (Goodfellow et al. 2014, section 4.1, turned into a bound for any D). The two ends have clips of their own: a
mode that the fake rows lack needs d near 1 and no d below 0. Two rules are chosen: the one with the largest *predicted
lower bound*, and for the point estimate the one with the largest mean payoff, because the former is conservative near
the floor.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

Floats = NDArray[np.float64]
CLIPS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 0.995, 0.999)
LARGEST_LOGIT = 15.0
MOST_BLOCKS = 4000  # of the select rows, when clips are tried
BETS = np.array([0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0])


@dataclass(frozen=True, kw_only=True)
class DecisionRule:
    """A decision rule: logit = intercept + sum of weights x referees' logits, d clipped to [-clip_low, clip_high]."""

    name: str
    weights: tuple[float, ...]
    intercept: float
    clip_low: float
    clip_high: float

    def logit(self, logits: Floats) -> Floats:
        """Return the combined logits (n,) from the referees' logits (referees, n)."""
        clipped = np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT)
        return np.asarray(np.asarray(self.weights) @ clipped + self.intercept)

    def payoffs(self, real: Floats, fake: Floats, *, reals: int, fakes: int) -> Floats:
        """Return the payoffs Z (blocks,), in nats, from the referees' logits of real and fake rows in blocks."""
        gain, loss = _log_terms(self.logit(real), self.logit(fake))
        return _blocks(gain, loss, self.clip_low, self.clip_high, reals=reals, fakes=fakes)

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest possible payoff, in nats."""
        return _range(self.clip_low, self.clip_high)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """What the select rows chose: a rule for the bound, one for the estimate, and the predicted bound."""

    bound: DecisionRule
    estimate: DecisionRule
    predicted: float


def choose(
    real: Floats,
    fake: Floats,
    *,
    names: tuple[str, ...],
    reals: int,
    fakes: int,
    n_evaluate: int,
    alpha: float,
) -> Selection:
    """Return the rules with the largest predicted bound at n_evaluate blocks and with the largest mean payoff.

    real: logits of the *select* rows, (referees, blocks * reals).
    fake: likewise, (referees, blocks * fakes).
    names: of the referees.
    reals, fakes: rows per block.
    n_evaluate: number of evaluate blocks.
    alpha: level of the bound.
    """
    best: tuple[float, DecisionRule] | None = None
    most: tuple[float, DecisionRule] | None = None
    for name, weights, intercept in _candidates(real, fake, names):
        plain = DecisionRule(name=name, weights=weights, intercept=intercept, clip_low=0.5, clip_high=0.5)
        gain, loss = _log_terms(plain.logit(real), plain.logit(fake))
        tried = _try_clips(gain, loss, reals=reals, fakes=fakes, n_evaluate=n_evaluate, alpha=alpha)
        for predicted, mean, clip_low, clip_high in tried:
            rule = DecisionRule(
                name=name, weights=weights, intercept=intercept, clip_low=clip_low, clip_high=clip_high
            )
            if predicted is not None and (best is None or predicted > best[0]):
                best = (predicted, rule)
            if most is None or mean > most[0]:
                most = (mean, rule)
    if best is None or most is None:
        raise RuntimeError("no candidate was tried")
    return Selection(bound=best[1], estimate=most[1], predicted=best[0])


def _candidates(
    real: Floats, fake: Floats, names: tuple[str, ...]
) -> list[tuple[str, tuple[float, ...], float]]:
    count = len(names)
    rules: list[tuple[str, Floats, float]] = [(name, np.eye(count)[i], 0.0) for i, name in enumerate(names)]
    if count > 1:
        rules.append(("mean", np.full(count, 1 / count), 0.0))
        weights, intercept = _regress(real, fake, strength=0.3)
        rules.append(("stack", weights, intercept))
    out = []
    for name, weights, intercept in rules:
        out.append((name, tuple(weights.tolist()), intercept))
        rule = DecisionRule(
            name=name, weights=tuple(weights), intercept=intercept, clip_low=0.5, clip_high=0.5
        )
        slope, shift = _regress(rule.logit(real)[None], rule.logit(fake)[None], strength=1e3)
        if slope[0] > 0:
            out.append((name, tuple((slope[0] * weights).tolist()), float(slope[0] * intercept + shift)))
    return out


def _regress(real: Floats, fake: Floats, *, strength: float) -> tuple[Floats, float]:
    rows = np.clip(np.concatenate([real, fake], axis=1).T, -LARGEST_LOGIT, LARGEST_LOGIT)
    labels = np.repeat([1, 0], [real.shape[1], fake.shape[1]])
    balance = np.where(labels == 1, 1.0, real.shape[1] / fake.shape[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=strength, max_iter=200).fit(rows, labels, sample_weight=balance)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def _log_terms(real: Floats, fake: Floats) -> tuple[Floats, Floats]:
    """Return log(1 + d) of real rows and log(1 - d) of fake rows, as log 2 + log sigmoid(+-logit) (numerically stable)."""
    return math.log(2) - np.logaddexp(0, -real), math.log(2) - np.logaddexp(0, fake)


def _range(clip_low: float, clip_high: float) -> tuple[float, float]:
    low = (math.log1p(-clip_low) + math.log1p(-clip_high)) / 2
    return low, (math.log1p(clip_low) + math.log1p(clip_high)) / 2


def _blocks(
    gain: Floats, loss: Floats, clip_low: float, clip_high: float, *, reals: int, fakes: int
) -> Floats:
    gain = np.clip(gain, math.log1p(-clip_low), math.log1p(clip_high))
    loss = np.clip(loss, math.log1p(-clip_high), math.log1p(clip_low))
    return np.asarray((gain.reshape(-1, reals).mean(axis=1) + loss.reshape(-1, fakes).mean(axis=1)) / 2)


def _try_clips(
    gain: Floats, loss: Floats, *, reals: int, fakes: int, n_evaluate: int, alpha: float, finalists: int = 3
) -> list[tuple[float | None, float, float, float]]:
    """Return (predicted bound or None, mean, clip_low, clip_high) for every pair of clips; predictions for the best few."""
    blocks = min(len(gain) // reals, MOST_BLOCKS)
    gain, loss = gain[: blocks * reals], loss[: blocks * fakes]
    goal = math.log(1 / alpha)
    tried = []
    for clip_low in CLIPS:
        for clip_high in CLIPS:
            z = _blocks(gain, loss, clip_low, clip_high, reals=reals, fakes=fakes)
            low, high = _range(clip_low, clip_high)
            mean = float(z.mean())
            spread = math.sqrt(2 * float(z.var()) * goal / n_evaluate) + (high - low) * goal / (
                3 * n_evaluate
            )
            tried.append((mean - spread, mean, clip_low, clip_high))
    tried.sort(key=lambda one: -one[0])
    out: list[tuple[float | None, float, float, float]] = []
    for place, (_, mean, clip_low, clip_high) in enumerate(tried):
        predicted = None
        if place < finalists:
            z = _blocks(gain, loss, clip_low, clip_high, reals=reals, fakes=fakes)
            predicted = predicted_bound(z, *_range(clip_low, clip_high), n_evaluate=n_evaluate, alpha=alpha)
        out.append((predicted, mean, clip_low, clip_high))
    return out


def predicted_bound(z: Floats, low: float, high: float, *, n_evaluate: int, alpha: float) -> float:
    """Return the bound that n_evaluate blocks like these would give: the largest m at which some constant bet wins.

    This is the largest m with ``n_evaluate max_lambda mean log(1 + lambda (u - m)) >= log(1/alpha)``, u = z on [0, 1].
    """
    u = (z - low) / (high - low)
    goal = math.log(1 / alpha) / n_evaluate
    bets = BETS * math.sqrt(2 * goal / max(float(u.var()), 1e-8))
    below, above = 1e-6, 1.0
    for _ in range(18):
        m = (below + above) / 2
        growth = np.log1p(np.minimum(bets, 0.9 / m)[:, None] * (u - m)).mean(axis=1).max()
        below, above = (m, above) if growth >= goal else (below, m)
    return low + (high - low) * below
