"""The null control: the same referees judge the real rows against real rows, and must find nothing.

Random halves of independent rows are exchangeable, so a control that fails has one of two causes: a fault in
the procedure, or rows that are not what they were taken for. It fails when its own bound at level 1 - 0.0005
exceeds zero, or its accuracy leaves 50 % with an exact binomial p below 0.0005: a false alarm in at most one
of 1,000 verdicts. A failed control gives no bound, so it can never add a false certificate.

Columns whose share of missing cells differs: too small a difference for the panel, yet plain when counted.

What the rows' own order and repeats say about the one assumption behind every bound: independent rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, fisher_exact, norm, rankdata

from saddlepoint.judging.c2st.ensemble import Pool, fit_ensemble, read
from saddlepoint.judging.c2st.splits import cannot_repeat, copies_as_groups, row_keys, split
from saddlepoint.judging.samples import Samples

SERIAL_FALSE_ALARM = 1e-4  # of the note on order, over all columns


def serial_note(samples: Samples) -> str | None:
    """Return a sentence when real rows resemble their neighbours in the file, else None.

    Lag-one autocorrelation of each column's ranks (for pictures: of the mean level and its spread), times
    sqrt(n), is standard normal for rows in random order; a column counts beyond the two-sided level 1e-4 /
    columns.
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
        power = float(ranks @ ranks)
        correlation = float(ranks[:-1] @ ranks[1:]) / power if power > 0 else 0.0
        if abs(correlation) > abs(worst):
            worst, column = correlation, i
    level = float(norm.isf(SERIAL_FALSE_ALARM / 2 / rows.shape[1]))
    if abs(worst) * np.sqrt(len(rows)) <= level:
        return None
    what = names[column] if samples.kind == "pictures" else f"column {names[column]}"
    return (
        f"The order of the real rows matters ({what}: correlation {worst:.2f} with the next row): if "
        f"rows form a "
        f"series or come in families, give groups, since the bound holds for independent rows only."
    )


def repeats_note(samples: Samples) -> str | None:
    """Return a sentence when real rows repeat exactly though two equal rows cannot be two draws, else
    None.
    """
    groups, repeated = copies_as_groups(samples.real)
    if groups is None:
        return None
    return f"{repeated} of the real rows repeat an earlier one exactly; identical rows were kept on one side."


def same_rows(samples: Samples) -> bool:
    """Tell whether both samples are the same rows, in any order (rows of few distinct values: in the
    same order).
    """
    real, fake = samples.real, samples.fake
    if real.shape != fake.shape:
        return False
    if np.array_equal(real, fake, equal_nan=samples.kind != "pictures"):
        return True
    sides = [row_keys(rows) for rows in (real, fake)]
    distinct = len(np.unique(sides[0]))
    return distinct > len(real) / 2 and bool(np.array_equal(np.sort(sides[0]), np.sort(sides[1])))


def shared_note(samples: Samples) -> str | None:
    """Return a sentence when fake rows are exact copies of real ones though equal rows cannot be two
    draws.
    """
    if not cannot_repeat(samples.real):
        return None
    shared = int(np.isin(row_keys(samples.fake), row_keys(samples.real)).sum())
    if shared == 0:
        return None
    return f"{shared} of the {len(samples.fake)} fake rows are exact copies of real rows given here."


MISSINGNESS_FALSE_ALARM = 1e-3  # of any such note, over all columns


def missing_notes(samples: Samples, groups: NDArray[Any] | None = None) -> list[str]:
    """Return a sentence for each column whose shares of missing cells differ: Fisher's exact test at 0.001 / columns.

    groups: labels (n,) of the real rows; one row of each is counted.
    """
    if samples.kind != "table":
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
                f"Column {name} lacks {here:,} of {all_here:,} real cells ({here / all_here:.1%}) and "
                f"{there:,} of {all_there:,} fake ones ({there / all_there:.1%}); "
                f"by chance that far apart with p = {max(p, 1e-300):.1g} (Fisher's exact test)."
            )
    return notes


CONTROL_FALSE_ALARM = 0.001
MOST_CONTROL_ROWS = {"points": 10_000, "table": 10_000, "pictures": 4_000}
FEWEST_CONTROL_ROWS = 60


@dataclass(frozen=True, kw_only=True)
class NullControl:
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


def control(samples: Samples, *, groups: NDArray[Any] | None, size: Pool, seed: int) -> NullControl | None:
    """Return the control on two random halves of the real rows (one row a group), or None for too few
    rows.
    """
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
    found = read(ensemble, halves, splits, alpha=alpha)
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
