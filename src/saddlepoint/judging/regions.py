"""Where in space they differ: k-means cells that hold too many or too few fake rows.

Cells are fitted on fit rows of both sides (8, 24 and 64 centres); select rows choose the few cells with the
clearest gap and its direction; on evaluate rows a cell counts when the Clopper-Pearson bounds of its two
shares, at level alpha / (2 T) each for T tested cells, leave a gap between them. The JSD of the two Bernoulli
laws at the near ends bounds the JSD of the rows by data processing.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from saddlepoint.judging import betting
from saddlepoint.judging.point_referees import Floats, k_means
from saddlepoint.judging.samples import Samples
from saddlepoint.judging.splits import Splits

CENTRES = (8, 24, 64)
TESTED, SHOWN = 4, 3
MOST_ROWS = 8000
MOST_DIGITS = 8  # added to those that a name of a region has at first


def certify_regions(samples: Samples, splits: Splits, *, alpha: float, seed: int) -> list[dict[str, Any]]:
    """Return the certified cells, largest bound first, as places of kind "region"; nothing where there
    is no space.
    """
    parts = _space(samples, splits, seed=seed)
    if parts is None:
        return []
    (fit, select, evaluate), names, scaler, dates = parts
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
                centre[np.abs(centre) < 1e-9 * scaler.scale_] = 0.0  # what is left of a sum that cancels
            if centre is not None:
                place["centre"] = centre.tolist()
                place["columns"] = [names[i] for i in _telling(scaled)]
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
    called = name_regions([centre for *_, centre in kept], names, spread, dates)
    return [{"kind": place["kind"], "name": name, **place} for (place, *_), name in zip(kept, called)]


def _test(inside: list[NDArray[np.bool_]], *, missing: bool, alpha: float) -> dict[str, Any] | None:
    counts = [(int(rows.sum()), len(rows)) for rows in inside]
    (real_lower, real_upper), (fake_lower, fake_upper) = (
        betting.proportion_bounds(*one, alpha=alpha) for one in counts
    )
    near = (real_lower, fake_upper) if missing else (real_upper, fake_lower)
    if (near[0] - near[1]) * (1 if missing else -1) <= 0:
        return None
    return {
        "kind": "region",
        "real_share": counts[0][0] / counts[0][1],
        "fake_share": counts[1][0] / counts[1][1],
        "jsd_lower": betting.bernoulli_jsd(*near),
    }


def _space(samples: Samples, splits: Splits, *, seed: int) -> Any:
    """Return ((fit, select, evaluate) pairs of coordinates, column names, scaler, which are dates), or None
    without numbers.
    """
    sides = ("fit", "select", "evaluate")
    raw = [(samples.real[getattr(splits.real, s)], samples.fake[getattr(splits.fake, s)]) for s in sides]
    if samples.kind == "pictures":
        from saddlepoint.judging.picture_referees import project

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
    """Return what regions are called by their (centre, scaled centre), with digits enough to tell them apart.

    spread: standard deviation of each column, in its unit; dates: columns that hold seconds since 1970.
    """
    called: list[str] = []
    for finer in range(MOST_DIGITS):
        called = [_name(centre, scaled, names, spread, dates, finer=finer) for centre, scaled in centres]
        if spread is None or len(set(called)) == len(called):
            break
    return called


def _telling(scaled: Floats) -> list[int]:
    """Return the columns that say where a centre lies: all of three, else the two farthest from the middle."""
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
        i: (_moment if dates[i] else _figure)(float(centre[i]), float(spread[i]), finer)
        for i in _telling(scaled)
    }
    if len(centre) <= 3 and not any(dates):
        return f"the region round ({', '.join(figures.values())})"
    return "the region with " + ", ".join(f"{names[i]} near {figure}" for i, figure in figures.items())


def _figure(x: float, spread: float, finer: int) -> str:
    """Return x with three digits, or as many as show a hundredth of the spread, and `finer` more."""
    if x == 0 or not np.isfinite(x):
        return f"{x:g}"
    size = math.floor(math.log10(abs(x)))
    shown = size - math.floor(math.log10(spread)) + 2 if spread > 0 else 3
    digits = min(max(3, shown) + finer, 15)
    return f"{x:,.{max(0, digits - 1 - size)}f}" if 1000 <= abs(x) < 1e15 else f"{x:.{digits}g}"


def _moment(x: float, spread: float, finer: int) -> str:
    """Return seconds since 1970 as a day, or to the minute or second where the spread or `finer` asks for it."""
    steps = ("days", "minutes", "seconds")
    step = 0 if spread > 2 * 86400 else 1 if spread > 600 else 2
    try:
        moment = datetime(1970, 1, 1) + timedelta(seconds=x)
    except OverflowError:
        return _figure(x, spread, finer)
    said = moment.isoformat(sep=" ", timespec="microseconds")
    length = {"days": 10, "minutes": 16, "seconds": 19}[steps[min(step + finer, 2)]]
    # A time of day without a day is read as one of the first day that there is.
    return said[11:length] if length > 10 and said[:10] in ("1900-01-01", "1970-01-01") else said[:length]
