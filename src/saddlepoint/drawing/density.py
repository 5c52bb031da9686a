"""Densities of 1-D points as curves, with a bandwidth that the points themselves choose and the figure
states.

p_h(x) = 1 / (n h) sum_i phi((x - x_i) / h), phi the standard normal density, on binned points (Silverman
1986, section 2.4; 3.4.4 for the choice of h by likelihood cross-validation).
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.signal import fftconvolve

from saddlepoint.drawing.clouds import Floats

BINS = 2048
_REACH = 6.0  # the kernel ends at so many h, beyond which lies 2e-9 of its mass


def bandwidth(values: Floats, limits: tuple[float, float]) -> float:
    """Return the h of 24 candidates with the largest leave-one-out log-likelihood of the values (n,) inside
    limits.

    Candidates run from 2 bins of (limits / 2048) to Silverman's 0.9 sd n^(-1/5); in the units of x. With
    fewer than 3 values inside, or all of them equal, 1/40 of the limits.

    sum_i log[(n h)^-1 sum_{j != i} phi((x_i - x_j) / h)] is what is maximised.
    """
    low, high = limits
    inside = values[(values >= low) & (values <= high)]
    step = (high - low) / BINS
    n = len(inside)
    if n < 3 or np.ptp(inside) == 0:
        return (high - low) / 40
    widest = max(0.9 * float(inside.std()) * n**-0.2, 4 * step)
    counts = np.histogram(inside, bins=BINS, range=limits)[0].astype(np.float64)
    taken = counts > 0
    scores = []
    candidates = np.geomspace(2 * step, widest, 24)
    for h in candidates:
        others = _smooth(counts, h, step)[taken] - _kernel_at_zero(h)
        scores.append(float((counts[taken] * np.log(np.maximum(others, 1e-12))).sum()))
    return float(candidates[int(np.argmax(scores))])


def density(values: Floats, limits: tuple[float, float], h: float) -> tuple[Floats, Floats]:
    """Return the points (k,) of a grid over limits and p_h there, in 1 / (units of x).

    What lies outside the limits counts in n, so that the curve shows only the mass that is there.
    """
    low, high = limits
    step = (high - low) / BINS
    beyond = int(np.ceil(_REACH * h / step))
    wide = (low - beyond * step, high + beyond * step)
    counts = np.histogram(values, bins=BINS + 2 * beyond, range=wide)[0].astype(np.float64)
    smooth = _smooth(counts, h, step) / max(len(values), 1)
    middle: Floats = np.asarray(low + (np.arange(BINS) + 0.5) * step, dtype=np.float64)
    answer: Floats = np.maximum(smooth[beyond : beyond + BINS], 0.0)
    return middle, answer


def common_bandwidth(clouds: Sequence[Floats], limits: tuple[float, float]) -> float:
    """Return the bandwidth of the first cloud that has points: one h for all: no difference is due to it."""
    return next((bandwidth(values, limits) for values in clouds if len(values)), (limits[1] - limits[0]) / 40)


def _smooth(counts: Floats, h: float, step: float) -> Floats:
    reach = int(np.ceil(_REACH * h / step))
    offsets = np.arange(-reach, reach + 1) * step
    kernel = np.exp(-0.5 * (offsets / h) ** 2) * _kernel_at_zero(h)
    answer: Floats = fftconvolve(counts, kernel, mode="same")
    return answer


def _kernel_at_zero(h: float) -> float:
    return 1.0 / (h * math.sqrt(2.0 * math.pi))
