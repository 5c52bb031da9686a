"""Where in space they differ: k-means cells that hold too many or too few fake rows.

Cells are fitted on fit rows of both sides (8, 24 and 64 centres); select rows choose the few cells with the
clearest gap and its direction; on evaluate rows a cell counts when the Clopper-Pearson bounds of its two
shares, at level alpha / (2 T) each for T tested cells, leave a gap between them. The JSD of the two Bernoulli
laws at the near ends bounds the JSD of the rows by data processing.
"""

from __future__ import annotations

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


def certify_regions(samples: Samples, splits: Splits, *, alpha: float, seed: int) -> list[dict[str, Any]]:
    """Return the certified cells, largest bound first, as places of kind "region"; nothing where there
    is no space.
    """
    parts = _space(samples, splits, seed=seed)
    if parts is None:
        return []
    (fit, select, evaluate), names, scaler = parts
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
            place["name"] = _name(centre, scaled, names)
            if centre is not None:
                place["centre"] = centre.tolist()
            place["indices"] = splits.real.evaluate[inside[0]][:8].tolist()
            place["fake_indices"] = splits.fake.evaluate[inside[1]][:8].tolist()
            found.append((place, np.concatenate(inside)))
    found.sort(key=lambda one: -one[0]["jsd_lower"])
    kept: list[tuple[dict[str, Any], NDArray[np.bool_]]] = []
    for place, rows in found:
        if all((rows & other).sum() < 0.5 * min(rows.sum(), other.sum()) for _, other in kept):
            kept.append((place, rows))
    return [place for place, _ in kept[:SHOWN]]


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
    """Return ((fit, select, evaluate) pairs of coordinates, column names, scaler), or None without two
    numbers.
    """
    sides = ("fit", "select", "evaluate")
    raw = [(samples.real[getattr(splits.real, s)], samples.fake[getattr(splits.fake, s)]) for s in sides]
    if samples.kind == "pictures":
        from saddlepoint.judging.picture_referees import project

        fitted, place = project(*raw[0], seed=seed)
        return [fitted, *((place(real), place(fake)) for real, fake in raw[1:])], (), None
    numbers = np.flatnonzero(~samples.categorical)
    if len(numbers) == 0:
        return None
    names = tuple(samples.names[i] for i in numbers)
    middle = np.nan_to_num(
        [np.median(c[~np.isnan(c)]) if (~np.isnan(c)).any() else 0.0 for c in raw[0][0][:, numbers].T]
    )
    scaler = StandardScaler()

    def fill(rows: Floats) -> Floats:
        rows = rows[:, numbers]
        return np.where(np.isnan(rows), middle, rows)

    scaler.fit(fill(raw[0][0]))
    return [tuple(scaler.transform(fill(rows)) for rows in pair) for pair in raw], names, scaler


def _name(centre: Floats | None, scaled: Floats, names: tuple[str, ...]) -> str:
    if centre is None:
        return "a group of similar pictures"
    if len(centre) <= 3:
        return f"the region round ({', '.join(_figure(x) for x in centre)})"
    far = np.argsort(-np.abs(scaled))[:2]
    return "the region with " + ", ".join(f"{names[i]} near {_figure(centre[i])}" for i in np.sort(far))


def _figure(x: float) -> str:
    return f"{x:,.0f}" if 1000 <= abs(x) < 1e9 else f"{x:.3g}"
