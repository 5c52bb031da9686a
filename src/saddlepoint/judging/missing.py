"""Columns whose share of missing cells differs: too small a difference for the panel, yet plain when counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

from saddlepoint.judging.samples import Samples

FALSE_ALARM = 1e-3  # of any such note, over all columns


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
        if p < FALSE_ALARM / len(samples.names):
            notes.append(
                f"Column {name} lacks {here:,} of {all_here:,} real cells ({here / all_here:.1%}) and "
                f"{there:,} of {all_there:,} fake ones ({there / all_there:.1%}); "
                f"by chance that far apart with p = {max(p, 1e-300):.1g} (Fisher's exact test)."
            )
    return notes
