"""The classifier ensemble of the two-sample test: referees fitted on fit rows, combined on select rows, evaluated once.

No family of classifiers is best everywhere (boosted trees miss wrong mode widths, networks miss categories, nearest
neighbours fail in many dimensions), so several are fitted and combined. The evaluate rows are used once, by `evaluate`,
for the bound, the estimate, the accuracy and the bound on total variation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saddlepoint.judging.c2st import betting_bound
from saddlepoint.judging.c2st.splits import Splits
from saddlepoint.judging.c2st.stacking import Selection, choose
from saddlepoint.judging.classifiers import points
from saddlepoint.judging.classifiers.points import FitContext, Floats, Logit, Referee
from saddlepoint.judging.samples import Kind, Samples

Pool = Literal["full", "quick"]
POOLS: tuple[Pool, ...] = ("full", "quick")
MOST_FOR_NEIGHBOURS = 30_000  # fit rows; with more, nearest neighbours cost more than they add
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassifierEnsemble:
    """Fitted referees by name, in order, and the combination of them that the select rows chose."""

    referees: dict[str, Logit]
    choice: Selection

    def logits(self, rows: NDArray[Any]) -> Floats:
        """Return every referee's logits, shape (referees, n)."""
        return np.stack([referee(rows) for referee in self.referees.values()])


def pool(kind: Kind, size: Pool, *, n_fit: int, categorical: NDArray[np.bool_]) -> dict[str, Referee]:
    """Return the referees for this kind of data: the full pool, or a quick one (a weaker bound, just as valid)."""
    if kind == "points":
        members: dict[str, Referee] = {"logistic": points.logistic, "trees": points.trees}
        if size == "full":
            members |= {"geometry": points.geometry, "network": points.network}
            if n_fit <= MOST_FOR_NEIGHBOURS:
                members["neighbours"] = points.neighbours
        return members
    if kind == "tables":
        from saddlepoint.judging.classifiers import tables

        return tables.pool(size, categorical=categorical)
    from saddlepoint.judging.classifiers import pictures

    return pictures.pool(size)


def fit_ensemble(
    samples: Samples, splits: Splits, *, size: Pool, alpha: float, seed: int, progress: Progress | None = None
) -> ClassifierEnsemble:
    """Return the ensemble: referees fitted on the fit rows and combined on the select rows; evaluate rows are not used."""
    real, fake = samples.real[splits.real.fit], samples.fake[splits.fake.fit]
    context = FitContext(categorical=samples.categorical, seed=seed, quick=size == "quick")
    fitted: dict[str, Logit] = {}
    for name, referee in pool(
        samples.kind, size, n_fit=len(real) + len(fake), categorical=samples.categorical
    ).items():
        if progress is not None:
            progress(f"fitting the referee {name!r}")
        fitted[name] = referee(real, fake, context)
    selected = samples.real[splits.real.select], samples.fake[splits.fake.select]
    logits = [np.stack([logit(rows) for logit in fitted.values()]) for rows in selected]
    choice = choose(
        logits[0],
        logits[1],
        names=tuple(fitted),
        reals=splits.reals,
        fakes=splits.fakes,
        n_evaluate=splits.n_evaluate,
        alpha=alpha,
    )
    return ClassifierEnsemble(referees=fitted, choice=choice)


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Results on the evaluate rows: JSDs in nats, rates between 0 and 1.

    lower: certified lower bound for the JSD.
    estimate: mean payoff of the combination with the largest one.
    accuracy: classifier accuracy, real and fake rows weighted equally.
    tv_lower: lower bound for the total variation distance.
    right: correctly classified (real, fake) rows.
    real_logits, fake_logits: combined logit of every row.
    """

    lower: float
    estimate: float
    accuracy: float
    tv_lower: float
    right: tuple[int, int]
    real_logits: Floats
    fake_logits: Floats


def evaluate(ensemble: ClassifierEnsemble, samples: Samples, splits: Splits, *, alpha: float) -> Evaluation:
    """Return the results of the ensemble's fixed decision on the evaluate rows; each bound holds at level 1 - alpha."""
    real = ensemble.logits(samples.real[splits.real.evaluate])
    fake = ensemble.logits(samples.fake[splits.fake.evaluate])
    rule = ensemble.choice.bound
    payoffs = rule.payoffs(real, fake, reals=splits.reals, fakes=splits.fakes)
    lower = max(0.0, float(betting_bound.lower_bound(payoffs, *rule.range, alpha=alpha)))
    mean = float(ensemble.choice.estimate.payoffs(real, fake, reals=splits.reals, fakes=splits.fakes).mean())
    real_logits, fake_logits = rule.logit(real), rule.logit(fake)
    right = int((real_logits > 0).sum()), int((fake_logits <= 0).sum())
    return Evaluation(
        lower=lower,
        # Bound and estimate have clips of their own: if the bound is above this mean, the mean of the other is better.
        estimate=max(0.0, mean, float(payoffs.mean()) if mean < lower else 0.0),
        accuracy=float(np.mean([right[0] / len(real_logits), right[1] / len(fake_logits)])),
        tv_lower=betting_bound.total_variation_bound(
            right[0], len(real_logits), right[1], len(fake_logits), alpha=alpha
        ),
        right=right,
        real_logits=real_logits,
        fake_logits=fake_logits,
    )
