"""Noise-smoothed bounds: the test repeated after the same noise was added to both sides, for JSDs that saturate at log 2.

Two distributions on low-dimensional supports have JSD log 2 however near they are (Arjovsky & Bottou, arXiv 1701.04862;
instance noise: Sønderby et al., arXiv 1610.04490). Adding N(0, sigma^2) to both sides is data processing, so the bound
at each noise level is a lower bound for the JSD of the data too. How fast the bounds fall with sigma compares generators
that all saturate. alpha is divided evenly over the noise levels: the bounds hold jointly. The quick pool is used, on at
most 3,000 fit rows per side.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from saddlepoint.judging.c2st.ensemble import evaluate, fit_ensemble
from saddlepoint.judging.c2st.splits import Side, Splits
from saddlepoint.judging.samples import Samples

NOISE_LEVELS = (
    0.1,
    0.2,
    0.4,
    0.8,
)  # in standard deviations of the real fit rows, column by column (pictures: over all pixels)
SATURATED = 0.9 * math.log(2)
MOST_FIT, MOST_BLOCKS = 3000, 3000


def smooth_with_noise(
    samples: Samples, splits: Splits, *, alpha: float, seed: int
) -> tuple[dict[str, Any], ...]:
    """Return one record per noise level: sigma (in standard deviations), jsd_lower and jsd_estimate in nats."""
    fewer = _fewer(splits)
    used = [np.concatenate([side.fit, side.select, side.evaluate]) for side in (fewer.real, fewer.fake)]
    renumbered = replace(fewer, real=_renumbered(fewer.real), fake=_renumbered(fewer.fake))
    spread = samples.real[fewer.real.fit].std(axis=None if samples.kind == "pictures" else 0)
    rng = np.random.default_rng(seed)
    out = []
    for sigma in NOISE_LEVELS:
        noisy = [
            _add(rows[chosen], sigma * spread, rng)
            for rows, chosen in zip((samples.real, samples.fake), used)
        ]
        smoothed = replace(samples, real=noisy[0], fake=noisy[1])
        level = alpha / len(NOISE_LEVELS)
        ensemble = fit_ensemble(smoothed, renumbered, size="quick", alpha=level, seed=seed)
        found = evaluate(ensemble, smoothed, renumbered, alpha=level)
        out.append({"sigma": sigma, "jsd_lower": found.lower, "jsd_estimate": found.estimate})
    return tuple(out)


def _fewer(splits: Splits) -> Splits:
    real, fake = (
        Side(
            fit=side.fit[: MOST_FIT * per],
            select=side.select[: MOST_BLOCKS // 2 * per],
            evaluate=side.evaluate[: MOST_BLOCKS * per],
        )
        for side, per in ((splits.real, splits.reals), (splits.fake, splits.fakes))
    )
    return replace(splits, real=real, fake=fake)


def _renumbered(side: Side) -> Side:
    ends = np.cumsum([len(side.fit), len(side.select), len(side.evaluate)])
    numbers = np.split(np.arange(ends[-1]), ends[:-1])
    return Side(fit=numbers[0], select=numbers[1], evaluate=numbers[2])


def _add(rows: NDArray[Any], scale: Any, rng: np.random.Generator) -> NDArray[Any]:
    dtype = np.float32 if rows.ndim == 4 else np.float64
    return np.asarray(rows + scale * rng.standard_normal(rows.shape, dtype=dtype), dtype=dtype)
