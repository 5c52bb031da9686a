"""The panel: a pool of fresh referees per kind, fitted on fit rows, and the combination that select rows
chose.

No family of referees wins everywhere (boosted trees miss wrong mode widths, networks miss categories,
neighbours miss many dimensions), so all are fitted and combined. The panel never sees the evaluate rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from saddlepoint.judging import point_referees
from saddlepoint.judging.combining import Choice, choose
from saddlepoint.judging.point_referees import Briefing, Floats, Logit, Referee
from saddlepoint.judging.samples import Kind, Samples
from saddlepoint.judging.splits import Splits

Pool = Literal["full", "quick"]
POOLS: tuple[Pool, ...] = ("full", "quick")
MOST_FOR_NEIGHBOURS = 30_000  # fit rows; beyond, the vote costs more than it adds
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """Fitted referees by name, in order, and what the select rows chose to make of them."""

    referees: dict[str, Logit]
    choice: Choice

    def logits(self, rows: NDArray[Any]) -> Floats:
        """Return every referee's logits, shape (referees, n)."""
        return np.stack([referee(rows) for referee in self.referees.values()])


def pool(kind: Kind, size: Pool, *, n_fit: int, categorical: NDArray[np.bool_]) -> dict[str, Referee]:
    """Return the referees of this kind of data: the full pool, or a quick one (weaker bound, just as
    valid).
    """
    if kind == "points":
        members: dict[str, Referee] = {"logistic": point_referees.logistic, "trees": point_referees.trees}
        if size == "full":
            members |= {"geometry": point_referees.geometry, "network": point_referees.network}
            if n_fit <= MOST_FOR_NEIGHBOURS:
                members["neighbours"] = point_referees.neighbours
        return members
    if kind == "table":
        from saddlepoint.judging import table_referees

        return table_referees.pool(size, categorical=categorical)
    from saddlepoint.judging import picture_referees

    return picture_referees.pool(size)


def appoint(
    samples: Samples, splits: Splits, *, size: Pool, alpha: float, seed: int, progress: Progress | None = None
) -> Panel:
    """Return the panel: referees fitted on the fit rows, combined on the select rows, with no look at
    the others.
    """
    real, fake = samples.real[splits.real.fit], samples.fake[splits.fake.fit]
    briefing = Briefing(categorical=samples.categorical, seed=seed, quick=size == "quick")
    fitted: dict[str, Logit] = {}
    for name, referee in pool(
        samples.kind, size, n_fit=len(real) + len(fake), categorical=samples.categorical
    ).items():
        if progress is not None:
            progress(f"fitting the referee {name!r}")
        fitted[name] = referee(real, fake, briefing)
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
    return Panel(referees=fitted, choice=choice)
