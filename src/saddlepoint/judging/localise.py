"""Localisation: in which columns, pairs of columns and regions of space real and fake rows differ, by certified bounds.

Run only after a difference was certified. Columns and regions get half of the level each, so all places hold together
with probability 1 - alpha. The rows that the referee is surest about are listed too, without a bound.

**Columns.** A shuffled column has the right marginal distribution but is independent of the others: one-column tests
see nothing, and every pair with it differs. So single columns are tested (a histogram of <= 32 bins as referee) and
pairs (<= 12 x 12 cells). Fit rows fill the histograms; select rows choose the few candidates that are tested at all;
each of those T is then tested once on evaluate rows by its own betting bound at level alpha / T (Bonferroni). So with
probability 1 - alpha every certified column and pair really differs.

**Naming.** Call a set F of columns *faulty* when the rest agree: p and q are equal without F. Every differing pair must
contain a column of F. A column certified alone is named by its values. Among the certified pairs without such a column,
the column in most pairs is named, if it is in at least two (by its relation to its partners), then the next. The pairs
that remain are reported as pairs, because nothing in a single pair tells which of its two columns is faulty. If exactly
one column is faulty, no other column is named with more than probability alpha, because all pairs that differ contain
the faulty one. This does not show that no second column is faulty: a fault too small to certify is not found.

**Regions.** k-means cells that hold too many or too few fake rows. Cells are fitted on fit rows of both sides (8, 24 and
64 centres); select rows choose the few cells with the clearest gap, and its direction. On evaluate rows a cell counts
when the Clopper-Pearson bounds of its two shares, at level alpha / (2 T) each for T tested cells, leave a gap. The JSD
of the two Bernoulli distributions at the near ends is a lower bound for the JSD of the rows (data processing).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from saddlepoint.judging.c2st import betting_bound
from saddlepoint.judging.c2st.ensemble import Evaluation
from saddlepoint.judging.c2st.splits import Splits
from saddlepoint.judging.c2st.stacking import DecisionRule, choose
from saddlepoint.judging.classifiers.points import Floats, k_means
from saddlepoint.judging.classifiers.tables import fit_bins
from saddlepoint.judging.samples import Samples

Codes = NDArray[np.int64]
MOST_COLUMNS, MOST_PAIRS = 8, 12  # tested on evaluate rows
WIDEST_FOR_PAIRS = 60
ROUGH_CLIPS = (0.2, 0.5, 0.85, 0.98)


@dataclass(frozen=True, kw_only=True)
class Certified:
    """One or two columns whose joint distribution is certified to differ.

    lower: a lower bound for the JSD of that distribution, and so for the JSD of the rows, in nats.
    """

    columns: tuple[int, ...]
    lower: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _BinnedSplits:
    """Bin codes of the (real, fake) rows of each split, and the number of bins of each column."""

    fit: tuple[Codes, Codes]
    select: tuple[Codes, Codes]
    evaluate: tuple[Codes, Codes]
    sizes: Codes


def certify_columns(samples: Samples, splits: Splits, *, alpha: float) -> list[Certified]:
    """Return the columns and pairs of columns that differ; with probability 1 - alpha all of them do."""
    width = samples.real.shape[1]
    single = _bin_splits(samples, splits, most=int(np.clip(len(splits.real.fit) / 25, 4, 32)))
    joint = _bin_splits(samples, splits, most=int(np.clip(math.sqrt(len(splits.real.fit) / 20), 4, 12)))
    pairs: list[tuple[int, ...]] = []
    if width <= WIDEST_FOR_PAIRS:
        pairs = list(itertools.combinations(range(width), 2))
    level = alpha / (width + len(pairs))
    columns = _preselect([(i,) for i in range(width)], single, splits, alpha=level)[:MOST_COLUMNS]
    chosen_columns = {column for (column,) in columns}
    pairs = _preselect([p for p in pairs if not chosen_columns & set(p)], joint, splits, alpha=level)[
        :MOST_PAIRS
    ]
    tested = [(one, single) for one in columns] + [(two, joint) for two in pairs]
    found = []
    for chosen, binned in tested:
        lower = _bound(chosen, binned, splits, alpha=alpha / len(tested))
        if lower > 0:
            found.append(Certified(columns=chosen, lower=lower))
    return found


def name_columns(found: list[Certified], names: tuple[str, ...]) -> list[dict[str, Any]]:
    """Return the places named by certified columns and pairs, largest bound first (see **Naming** above)."""
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


def _bin_splits(samples: Samples, splits: Splits, *, most: int) -> _BinnedSplits:
    fit = samples.real[splits.real.fit], samples.fake[splits.fake.fit]
    # The bins are fitted on both sides, so that values of fake rows only have a bin too.
    bins = fit_bins(np.concatenate([fit[0], fit[1][: len(fit[0])]]), samples.categorical, most=most)

    def codes(name: str) -> tuple[Codes, Codes]:
        return (
            bins.codes(samples.real[getattr(splits.real, name)]),
            bins.codes(samples.fake[getattr(splits.fake, name)]),
        )

    return _BinnedSplits(
        fit=codes("fit"), select=codes("select"), evaluate=codes("evaluate"), sizes=bins.sizes
    )


def _cells(chosen: tuple[int, ...], codes: Codes, sizes: Codes) -> Codes:
    cell = codes[:, chosen[0]]
    return cell if len(chosen) == 1 else cell * sizes[chosen[1]] + codes[:, chosen[1]]


def _log_ratios(chosen: tuple[int, ...], binned: _BinnedSplits) -> Floats:
    """Return the log ratio real / fake of every cell; two pseudo-counts per side shrink rare cells towards zero."""
    cells = int(np.prod(binned.sizes[list(chosen)]))
    real, fake = (np.bincount(_cells(chosen, codes, binned.sizes), minlength=cells) for codes in binned.fit)
    return np.asarray(np.log((real + 2) / (fake * len(binned.fit[0]) / len(binned.fit[1]) + 2)))


def _preselect(
    candidates: list[tuple[int, ...]], binned: _BinnedSplits, splits: Splits, *, alpha: float
) -> list[tuple[int, ...]]:
    """Return the candidates for which the select rows predict a bound above zero, best first."""
    goal = math.log(1 / alpha)
    scored = []
    for chosen in candidates:
        ratios = _log_ratios(chosen, binned)
        real, fake = (ratios[_cells(chosen, codes, binned.sizes)][None] for codes in binned.select)
        best = -math.inf
        for clip in ROUGH_CLIPS:
            rule = DecisionRule(name="", weights=(1.0,), intercept=0.0, clip_low=clip, clip_high=clip)
            z = rule.payoffs(real, fake, reals=splits.reals, fakes=splits.fakes)
            low, high = rule.range
            n = splits.n_evaluate
            spread = math.sqrt(2 * float(z.var()) * goal / n) + (high - low) * goal / (3 * n)
            best = max(best, float(z.mean()) - spread)
        if best > 0:
            scored.append((best, chosen))
    return [chosen for _, chosen in sorted(scored, reverse=True)]


def _bound(chosen: tuple[int, ...], binned: _BinnedSplits, splits: Splits, *, alpha: float) -> float:
    ratios = _log_ratios(chosen, binned)
    real, fake = (ratios[_cells(chosen, codes, binned.sizes)][None] for codes in binned.select)
    shape = {"reals": splits.reals, "fakes": splits.fakes}
    rule = choose(real, fake, names=("cells",), n_evaluate=splits.n_evaluate, alpha=alpha, **shape).bound
    real, fake = (ratios[_cells(chosen, codes, binned.sizes)][None] for codes in binned.evaluate)
    return float(betting_bound.lower_bound(rule.payoffs(real, fake, **shape), *rule.range, alpha=alpha))


CENTRES = (8, 24, 64)
TESTED, SHOWN = 4, 3
MOST_ROWS = 8000
MOST_DIGITS = 8  # tried on top of the digits that the name of a region has at first


def certify_regions(samples: Samples, splits: Splits, *, alpha: float, seed: int) -> list[dict[str, Any]]:
    """Return the certified cells as places of kind "region", largest bound first; empty without numeric columns."""
    coordinates = _coordinates(samples, splits, seed=seed)
    if coordinates is None:
        return []
    (fit, select, evaluate), names, scaler, dates = coordinates
    half = MOST_ROWS // 2
    sample = np.concatenate([fit[0][:half], fit[1][:half]])
    candidates = []
    for centres in CENTRES:
        if len(sample) < 20 * centres:
            continue
        cells = k_means(sample, centres, seed)
        placed = [cells.predict(rows) for rows in select]
        shares = [np.bincount(p, minlength=centres) / len(p) for p in placed]
        middle = (shares[0] + shares[1]) / 2
        noise = np.sqrt((middle + 1e-9) * (1 / len(placed[0]) + 1 / len(placed[1])))
        for cell in range(centres):
            gap = float(shares[0][cell] - shares[1][cell])
            candidates.append((abs(gap) / noise[cell], gap > 0, cell, cells))
    tested = sorted(candidates, key=lambda one: -one[0])[:TESTED]
    found = []
    for _, missing, cell, cells in tested:
        inside = [cells.predict(rows) == cell for rows in evaluate]
        place = _test(inside, missing=missing, alpha=alpha / (2 * len(tested)))
        if place is not None:
            scaled = cells.cluster_centers_[cell]
            centre = None
            if scaler is not None:
                centre = scaler.inverse_transform(scaled[None])[0]
                centre[np.abs(centre) < 1e-9 * scaler.scale_] = 0.0  # rounding error of a sum that cancels
            if centre is not None:
                place["centre"] = centre.tolist()
                place["columns"] = [names[i] for i in _naming_columns(scaled)]
            place["indices"] = splits.real.evaluate[inside[0]][:8].tolist()
            place["fake_indices"] = splits.fake.evaluate[inside[1]][:8].tolist()
            found.append((place, np.concatenate(inside), (centre, scaled)))
    found.sort(key=lambda one: -one[0]["jsd_lower"])
    kept: list[tuple[dict[str, Any], NDArray[np.bool_], Any]] = []
    for place, rows, centre in found:
        if all((rows & other).sum() < 0.5 * min(rows.sum(), other.sum()) for _, other, _ in kept):
            kept.append((place, rows, centre))
    kept = kept[:SHOWN]
    spread = scaler.scale_ if scaler is not None else None
    region_names = name_regions([centre for *_, centre in kept], names, spread, dates)
    return [{"kind": place["kind"], "name": name, **place} for (place, *_), name in zip(kept, region_names)]


def _test(inside: list[NDArray[np.bool_]], *, missing: bool, alpha: float) -> dict[str, Any] | None:
    counts = [(int(rows.sum()), len(rows)) for rows in inside]
    (real_lower, real_upper), (fake_lower, fake_upper) = (
        betting_bound.proportion_bounds(*one, alpha=alpha) for one in counts
    )
    near = (real_lower, fake_upper) if missing else (real_upper, fake_lower)
    if (near[0] - near[1]) * (1 if missing else -1) <= 0:
        return None
    return {
        "kind": "region",
        "real_share": counts[0][0] / counts[0][1],
        "fake_share": counts[1][0] / counts[1][1],
        "jsd_lower": betting_bound.bernoulli_jsd(*near),
    }


def _coordinates(samples: Samples, splits: Splits, *, seed: int) -> Any:
    """Return (fit, select, evaluate) pairs of coordinates, column names, scaler and which columns are dates.

    None without numeric columns.
    """
    sides = ("fit", "select", "evaluate")
    raw = [(samples.real[getattr(splits.real, s)], samples.fake[getattr(splits.fake, s)]) for s in sides]
    if samples.kind == "pictures":
        from saddlepoint.judging.classifiers.pictures import project

        fitted, place = project(*raw[0], seed=seed)
        return [fitted, *((place(real), place(fake)) for real, fake in raw[1:])], (), None, ()
    numbers = np.flatnonzero(~samples.categorical)
    if len(numbers) == 0:
        return None
    names = tuple(samples.names[i] for i in numbers)
    dates = tuple(bool(samples.dates[i]) for i in numbers) if samples.dates else (False,) * len(numbers)
    middle = np.nan_to_num(
        [np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else 0.0 for c in raw[0][0][:, numbers].T]
    )
    scaler = StandardScaler()

    def fill(rows: Floats) -> Floats:
        rows = rows[:, numbers]
        return np.where(np.isnan(rows), middle, rows)

    scaler.fit(fill(raw[0][0]))
    return [tuple(scaler.transform(fill(rows)) for rows in pair) for pair in raw], names, scaler, dates


def name_regions(
    centres: list[tuple[Floats | None, Floats]],
    names: tuple[str, ...],
    spread: Floats | None,
    dates: tuple[bool, ...],
) -> list[str]:
    """Return a name for each region, with enough digits to make all names different.

    centres: (centre in the columns' units, standardised centre) of each region.
    names: of the columns.
    spread: standard deviation of each column, in its unit.
    dates: True for columns that hold seconds since 1970.
    """
    region_names: list[str] = []
    for finer in range(MOST_DIGITS):
        region_names = [
            _name(centre, scaled, names, spread, dates, finer=finer) for centre, scaled in centres
        ]
        if spread is None or len(set(region_names)) == len(region_names):
            break
    return region_names


def _naming_columns(scaled: Floats) -> list[int]:
    """Return the columns that a region's name gives: all of up to three, else the two farthest from their mean."""
    return list(range(len(scaled))) if len(scaled) <= 3 else np.sort(np.argsort(-np.abs(scaled))[:2]).tolist()


def _name(
    centre: Floats | None,
    scaled: Floats,
    names: tuple[str, ...],
    spread: Floats | None,
    dates: tuple[bool, ...],
    *,
    finer: int,
) -> str:
    if centre is None or spread is None:
        return "a group of similar pictures"
    figures = {
        i: (_format_date if dates[i] else _format_number)(float(centre[i]), float(spread[i]), finer)
        for i in _naming_columns(scaled)
    }
    if len(centre) <= 3 and not any(dates):
        return f"the region around ({', '.join(figures.values())})"
    return "the region with " + ", ".join(f"{names[i]} near {figure}" for i, figure in figures.items())


def _format_number(x: float, spread: float, finer: int) -> str:
    """Return x with three digits, or enough to show a hundredth of the spread, plus `finer` more."""
    if x == 0 or not np.isfinite(x):
        return f"{x:g}"
    size = math.floor(math.log10(abs(x)))
    shown = size - math.floor(math.log10(spread)) + 2 if spread > 0 else 3
    digits = min(max(3, shown) + finer, 15)
    return f"{x:,.{max(0, digits - 1 - size)}f}" if 1000 <= abs(x) < 1e15 else f"{x:.{digits}g}"


def _format_date(x: float, spread: float, finer: int) -> str:
    """Return seconds since 1970 as a day, or to the minute or second where the spread or `finer` needs it."""
    steps = ("days", "minutes", "seconds")
    step = 0 if spread > 2 * 86400 else 1 if spread > 600 else 2
    try:
        moment = datetime(1970, 1, 1) + timedelta(seconds=x)
    except OverflowError:
        return _format_number(x, spread, finer)
    text = moment.isoformat(sep=" ", timespec="microseconds")
    length = {"days": 10, "minutes": 16, "seconds": 19}[steps[min(step + finer, 2)]]
    # A time of day without a date is stored with the parser's first date.
    return text[11:length] if length > 10 and text[:10] in ("1900-01-01", "1970-01-01") else text[:length]


SUREST = 8


def find_places(
    samples: Samples, splits: Splits, found: Evaluation, *, alpha: float, seed: int
) -> tuple[dict[str, Any], ...]:
    """Return places as dictionaries by `kind`: "column", "pair" and "region" (certified), and "rows" (examples).

    "rows" hold indices into the arrays given: the evaluate rows that the referee is surest are real, and those it
    is surest are fake, surest first. They carry no bound.
    """
    places: list[dict[str, Any]] = []
    if samples.kind != "pictures":
        places += name_columns(certify_columns(samples, splits, alpha=alpha / 2), samples.names)
    places += certify_regions(samples, splits, alpha=alpha / 2, seed=seed)
    real = np.argsort(-found.real_logits, kind="stable")[:SUREST]
    fake = np.argsort(found.fake_logits, kind="stable")[:SUREST]
    for name, rows in (("real", splits.real.evaluate[real]), ("fake", splits.fake.evaluate[fake])):
        places.append({"kind": "rows", "name": name, "jsd_lower": None, "indices": rows.tolist()})
    return tuple(places)
