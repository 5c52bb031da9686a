"""What the rows' own order and repeats say about the one assumption behind every bound: independent rows."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata

from saddlepoint.judging.samples import Samples
from saddlepoint.judging.splits import cannot_repeat, copies_as_groups, row_keys

FALSE_ALARM = 1e-4  # of the note on order, over all columns


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
    level = float(norm.isf(FALSE_ALARM / 2 / rows.shape[1]))
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
