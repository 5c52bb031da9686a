"""Which columns differ: by their own values, or by their relation to others.

A shuffled column has the right values and the wrong company, so one-column tests see nothing and every pair
with it differs. The tests are therefore of single columns (a histogram of <= 32 bins as referee) and of pairs
(<= 12 x 12 cells). Fit rows fill the histograms; select rows decide which few are tested at all; each of
those T is then tested once on evaluate rows by its own betting bound at level alpha / T (Bonferroni). So with
probability 1 - alpha every certified column and pair differs in truth.

**Naming.** Call a set F of columns *at fault* when the rest agree: p and q are equal without F. Every
differing pair must meet F. A column certified alone is named by its values. Of the certified pairs that hold
no such column, the column that meets most is named, when it meets at least two (by its relation to its
partners), then the next; what remains is reported as pairs, for nothing in a lone pair tells its two columns
apart. In particular, when one column alone is at fault, then no other column is ever named with more than
probability alpha, since all truly differing pairs meet in the faulty one. That no second column is at fault
is not claimed: a fault too small to certify stays unseen.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saddlepoint.judging import betting
from saddlepoint.judging.bins import fit_bins
from saddlepoint.judging.combining import Combination, choose
from saddlepoint.judging.samples import Samples
from saddlepoint.judging.splits import Splits

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
MOST_COLUMNS, MOST_PAIRS = 8, 12  # tested on evaluate rows
WIDEST_FOR_PAIRS = 60
ROUGH_CLIPS = (0.2, 0.5, 0.85, 0.98)


@dataclass(frozen=True, kw_only=True)
class Certified:
    """One or two columns whose joint law differs for certain: `lower` bounds its JSD, and so that of the
    rows, in nats.
    """

    columns: tuple[int, ...]
    lower: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Parts:
    """Codes of the six parts, and how many rows of each side a block holds."""

    fit: tuple[Codes, Codes]
    select: tuple[Codes, Codes]
    evaluate: tuple[Codes, Codes]
    sizes: Codes


def certify_columns(samples: Samples, splits: Splits, *, alpha: float) -> list[Certified]:
    """Return the columns and pairs of columns that differ, all true together with probability 1 - alpha."""
    width = samples.real.shape[1]
    single = _parts(samples, splits, most=int(np.clip(len(splits.real.fit) / 25, 4, 32)))
    joint = _parts(samples, splits, most=int(np.clip(math.sqrt(len(splits.real.fit) / 20), 4, 12)))
    pairs: list[tuple[int, ...]] = []
    if width <= WIDEST_FOR_PAIRS:
        pairs = list(itertools.combinations(range(width), 2))
    level = alpha / (width + len(pairs))
    columns = _promising([(i,) for i in range(width)], single, splits, alpha=level)[:MOST_COLUMNS]
    suspects = {column for (column,) in columns}
    pairs = _promising([p for p in pairs if not suspects & set(p)], joint, splits, alpha=level)[:MOST_PAIRS]
    tested = [(one, single) for one in columns] + [(two, joint) for two in pairs]
    found = []
    for chosen, parts in tested:
        lower = _bound(chosen, parts, splits, alpha=alpha / len(tested))
        if lower > 0:
            found.append(Certified(columns=chosen, lower=lower))
    return found


def name_columns(found: list[Certified], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the places that the certified columns and pairs name, largest bound first."""
    places: list[dict[str, Any]] = [
        {"kind": "column", "name": names[one.columns[0]], "jsd_lower": one.lower, "how": "values", "with": []}
        for one in found
        if len(one.columns) == 1
    ]
    alone = {one.columns[0] for one in found if len(one.columns) == 1}
    pairs = [two for two in found if len(two.columns) == 2 and not alone & set(two.columns)]
    while pairs:
        counts = Counter(column for pair in pairs for column in pair.columns)
        strength = {c: sum(pair.lower for pair in pairs if c in pair.columns) for c in counts}
        column = max(counts, key=lambda c: (counts[c], strength[c]))
        mine = sorted((pair for pair in pairs if column in pair.columns), key=lambda pair: -pair.lower)
        if len(mine) < 2:
            break
        partners = [names[next(c for c in pair.columns if c != column)] for pair in mine]
        places.append(
            {
                "kind": "column",
                "name": names[column],
                "jsd_lower": mine[0].lower,
                "how": "relation",
                "with": partners,
            }
        )
        pairs = [pair for pair in pairs if column not in pair.columns]
    for pair in pairs:
        both = [names[c] for c in pair.columns]
        places.append({"kind": "pair", "name": " and ".join(both), "columns": both, "jsd_lower": pair.lower})
    return sorted(places, key=lambda place: -place["jsd_lower"])


def _parts(samples: Samples, splits: Splits, *, most: int) -> _Parts:
    fit = samples.real[splits.real.fit], samples.fake[splits.fake.fit]
    # Both sides fill the bins, so that what only fakes hold has a bin too.
    bins = fit_bins(np.concatenate([fit[0], fit[1][: len(fit[0])]]), samples.categorical, most=most)

    def codes(name: str) -> tuple[Codes, Codes]:
        return (
            bins.codes(samples.real[getattr(splits.real, name)]),
            bins.codes(samples.fake[getattr(splits.fake, name)]),
        )

    return _Parts(fit=codes("fit"), select=codes("select"), evaluate=codes("evaluate"), sizes=bins.sizes)


def _cells(chosen: tuple[int, ...], codes: Codes, sizes: Codes) -> Codes:
    cell = codes[:, chosen[0]]
    return cell if len(chosen) == 1 else cell * sizes[chosen[1]] + codes[:, chosen[1]]


def _table(chosen: tuple[int, ...], parts: _Parts) -> Floats:
    """Return the log ratio of every cell, two pseudo-rows a side drawing rare cells towards zero."""
    cells = int(np.prod(parts.sizes[list(chosen)]))
    real, fake = (np.bincount(_cells(chosen, codes, parts.sizes), minlength=cells) for codes in parts.fit)
    return np.asarray(np.log((real + 2) / (fake * len(parts.fit[0]) / len(parts.fit[1]) + 2)))


def _promising(
    candidates: list[tuple[int, ...]], parts: _Parts, splits: Splits, *, alpha: float
) -> list[tuple[int, ...]]:
    """Return the candidates whose select rows predict a bound above zero, best first."""
    goal = math.log(1 / alpha)
    scored = []
    for chosen in candidates:
        table = _table(chosen, parts)
        real, fake = (table[_cells(chosen, codes, parts.sizes)][None] for codes in parts.select)
        best = -math.inf
        for clip in ROUGH_CLIPS:
            rule = Combination(name="", weights=(1.0,), intercept=0.0, clip_low=clip, clip_high=clip)
            z = rule.payoffs(real, fake, reals=splits.reals, fakes=splits.fakes)
            low, high = rule.range
            n = splits.n_evaluate
            spread = math.sqrt(2 * float(z.var()) * goal / n) + (high - low) * goal / (3 * n)
            best = max(best, float(z.mean()) - spread)
        if best > 0:
            scored.append((best, chosen))
    return [chosen for _, chosen in sorted(scored, reverse=True)]


def _bound(chosen: tuple[int, ...], parts: _Parts, splits: Splits, *, alpha: float) -> float:
    table = _table(chosen, parts)
    real, fake = (table[_cells(chosen, codes, parts.sizes)][None] for codes in parts.select)
    shape = {"reals": splits.reals, "fakes": splits.fakes}
    rule = choose(real, fake, names=("cells",), n_evaluate=splits.n_evaluate, alpha=alpha, **shape).bound
    real, fake = (table[_cells(chosen, codes, parts.sizes)][None] for codes in parts.evaluate)
    return float(betting.lower_bound(rule.payoffs(real, fake, **shape), *rule.range, alpha=alpha))
