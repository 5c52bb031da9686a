"""Checks of what the bound assumes: the null control (an A/A test), dependent or repeated rows, and missing cells.

**Null control.** The same referees judge real rows against real rows and must find nothing. Random halves of
independent rows are exchangeable, so a control that fails has one of two causes: a fault in the procedure, or rows that
are not independent. It fails if its own bound at level 1 - 0.0005 exceeds zero, or if its accuracy differs from 50 %
with an exact binomial p below 0.0005: a false alarm in at most one of 1,000 verdicts. After a failed control there is no
bound, so it can never add a false certificate.

**Notes.** On the order of the real rows, on repeats, on rows that both sides share, and on columns whose shares of
missing cells differ (a count reveals a difference that is too small for the ensemble).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, fisher_exact, norm, rankdata

from saddlepoint.judging.c2st.ensemble import Pool, evaluate, fit_ensemble
from saddlepoint.judging.c2st.splits import cannot_repeat, copies_as_groups, row_keys, split
from saddlepoint.judging.samples import Samples

SERIAL_FALSE_ALARM = 1e-4  # level of the note on order, over all columns


def serial_note(samples: Samples) -> str | None:
    """Return a note if real rows resemble the next row (serial correlation), else None.

    The lag-one autocorrelation of each column's ranks (pictures: of their mean and standard deviation), times
    sqrt(n), is standard normal for rows in random order; a column counts beyond the two-sided level 1e-4 / columns.
    """
    rows, names = samples.real, samples.names
    if samples.kind == "pictures":
        flat = rows.reshape(len(rows), -1)
        rows = np.column_stack([flat.mean(axis=1), flat.std(axis=1)])
        names = ("mean level", "spread of levels")
    worst, column = 0.0, 0
    for i in range(rows.shape[1]):
        ranks = rankdata(np.nan_to_num(rows[:, i], nan=-np.inf))
        ranks = ranks - ranks.mean()
        squares = float(ranks @ ranks)
        correlation = float(ranks[:-1] @ ranks[1:]) / squares if squares > 0 else 0.0
        if abs(correlation) > abs(worst):
            worst, column = correlation, i
    level = float(norm.isf(SERIAL_FALSE_ALARM / 2 / rows.shape[1]))
    if abs(worst) * np.sqrt(len(rows)) <= level:
        return None
    what = names[column] if samples.kind == "pictures" else f"column {names[column]}"
    return (
        f"The order of the real rows matters ({what}: correlation {worst:.2f} with the next row). If the "
        f"rows form a series or groups, give groups: the bound holds for independent rows only."
    )


def repeats_note(samples: Samples) -> str | None:
    """Return a note if real rows repeat exactly although equal rows cannot be independent draws, else None."""
    groups, repeated = copies_as_groups(samples.real)
    if groups is None:
        return None
    return (
        f"{repeated} of the real rows repeat an earlier one exactly; identical rows were kept in one split."
    )


def same_rows(samples: Samples) -> bool:
    """Return whether both samples are the same rows in any order (if most rows repeat: in the same order)."""
    real, fake = samples.real, samples.fake
    if real.shape != fake.shape:
        return False
    if np.array_equal(real, fake, equal_nan=samples.kind != "pictures"):
        return True
    sides = [row_keys(rows) for rows in (real, fake)]
    distinct = len(np.unique(sides[0]))
    return distinct > len(real) / 2 and bool(np.array_equal(np.sort(sides[0]), np.sort(sides[1])))


def shared_note(samples: Samples) -> str | None:
    """Return a note if fake rows are exact copies of real ones although equal rows cannot be independent draws."""
    if not cannot_repeat(samples.real):
        return None
    shared = int(np.isin(row_keys(samples.fake), row_keys(samples.real)).sum())
    if shared == 0:
        return None
    return f"{shared} of the {len(samples.fake)} fake rows are exact copies of real rows given here."


MISSINGNESS_FALSE_ALARM = 1e-3  # level of the notes on missing cells, over all columns


def missing_notes(samples: Samples, groups: NDArray[Any] | None = None) -> list[str]:
    """Return a note for each column whose shares of missing cells differ: Fisher's exact test at level 0.001 / columns.

    groups: labels (n,) of the real rows; one row per group is counted.
    """
    if samples.kind != "tables":
        return []
    real = samples.real
    if groups is not None:
        real = real[np.unique(np.asarray(groups), return_index=True)[1]]
    sides = [np.isnan(rows).sum(axis=0) for rows in (real, samples.fake)]
    notes = []
    for name, *counts in zip(samples.names, *sides, strict=True):
        (here, all_here), (there, all_there) = zip(counts, (len(real), len(samples.fake)), strict=True)
        if here * all_there == there * all_here:
            continue
        p = float(fisher_exact(np.array([[here, all_here - here], [there, all_there - there]])).pvalue)
        if p < MISSINGNESS_FALSE_ALARM / len(samples.names):
            notes.append(
                f"In column {name}, {here:,} of {all_here:,} real cells are missing ({here / all_here:.1%}) and "
                f"{there:,} of {all_there:,} fake ones ({there / all_there:.1%}): "
                f"p = {max(p, 1e-300):.1g} (Fisher's exact test)."
            )
    return notes


CONTROL_FALSE_ALARM = 0.001
MOST_CONTROL_ROWS = {"points": 10_000, "tables": 10_000, "pictures": 4_000}
FEWEST_CONTROL_ROWS = 60


@dataclass(frozen=True, kw_only=True)
class NullControl:
    """Result of the null control, real rows against real rows.

    jsd_lower: in nats, at level 1 - CONTROL_FALSE_ALARM / 2.
    p: exact binomial p-value of the accuracy.
    n: rows in all.
    rows_read: rows that were classified.
    """

    passed: bool
    accuracy: float
    jsd_lower: float
    p: float
    n: int
    rows_read: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return what the verdict stores."""
        return {
            "passed": self.passed,
            "accuracy": self.accuracy,
            "jsd_lower": self.jsd_lower,
            "rows_read": self.rows_read,
        }


def null_control(
    samples: Samples, *, groups: NDArray[Any] | None, size: Pool, seed: int
) -> NullControl | None:
    """Return the control on two random halves of the real rows (one row per group), or None for too few rows."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(samples.real))
    if groups is not None:
        rows = rows[np.unique(np.asarray(groups)[rows], return_index=True)[1]]
        rows = rng.permutation(rows)
    rows = rows[: MOST_CONTROL_ROWS[samples.kind]]
    if len(rows) < FEWEST_CONTROL_ROWS:
        return None
    half = len(rows) // 2
    halves = Samples(
        kind=samples.kind,
        real=samples.real[rows[:half]],
        fake=samples.real[rows[half:]],
        names=samples.names,
        categorical=samples.categorical,
    )
    alpha = CONTROL_FALSE_ALARM / 2
    splits = split(len(halves.real), len(halves.fake), alpha=alpha, rng=rng)
    ensemble = fit_ensemble(halves, splits, size=size, alpha=alpha, seed=seed)
    found = evaluate(ensemble, halves, splits, alpha=alpha)
    rows_read = len(found.real_logits) + len(found.fake_logits)
    p = float(binomtest(sum(found.right), rows_read, 0.5).pvalue)
    return NullControl(
        passed=found.lower <= 0 and p >= CONTROL_FALSE_ALARM / 2,
        accuracy=found.accuracy,
        jsd_lower=found.lower,
        p=p,
        n=len(rows),
        rows_read=rows_read,
    )
