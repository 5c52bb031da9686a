"""Rows of numbers made fit to draw: what is finite, how far axes reach, which rows stand for many."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from saddlepoint.drawing.text import plain
from saddlepoint.errors import InputError

Floats = NDArray[np.float64]
Logit = Callable[[Floats], ArrayLike]
"""D as a callable: points (k, d) in float64 to logits (k,) or (k, 1)."""

MOST_MARKS = 2000
"""Points drawn of one cloud at most; more would only hide each other."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Points (n, d) of one origin: `values` the finite rows, `given` how many came, `what` their name."""

    values: Floats
    given: int
    what: str

    @property
    def width(self) -> int:
        """The number of columns d."""
        return int(self.values.shape[1])

    @property
    def marks(self) -> Floats:
        """The rows to draw as single marks: all, or 2000 without replacement from a stream of fixed seed."""
        if len(self.values) <= MOST_MARKS:
            return self.values
        chosen = np.random.default_rng(0).choice(len(self.values), MOST_MARKS, replace=False)
        return self.values[np.sort(chosen)]

    def notes(self, *, marked: bool = True) -> list[str]:
        """Return what a reader must know about rows that are not drawn."""
        lines = []
        rows = f"rows of {self.what}" if self.what == "data" else self.what
        if self.given == 0:
            return [f"There are no {self.what} to draw."]
        lost = self.given - len(self.values)
        if lost:
            lines.append(f"Not drawn because not finite: {lost:,} of {self.given:,} {rows}.")
        if marked and len(self.values) > MOST_MARKS:
            lines.append(f"Drawn, chosen at random: {MOST_MARKS:,} of {len(self.values):,} {rows}.")
        return lines


def as_cloud(value: ArrayLike, what: str) -> Cloud:
    """Return numbers of shape (n,) or (n, d) as a cloud; rows with a number that is not finite are left out.

    Raises InputError naming the shape and dtype that were given.
    """
    try:
        raw = np.asarray(value)
        array = raw.astype(np.float64) if raw.dtype.kind in "biufO" else None
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} cannot be read as an array of numbers: {error}.") from error
    if array is None or array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] == 0):
        raise InputError(
            f"{what} has shape {raw.shape} and dtype {raw.dtype}; give numbers of shape (n, d) or (n,)."
        )
    rows = array[:, None] if array.ndim == 1 else array
    return Cloud(values=rows[np.isfinite(rows).all(axis=1)], given=len(rows), what=what)


def as_clouds(data: ArrayLike, samples: ArrayLike) -> tuple[Cloud, Cloud]:
    """Return data and samples as clouds of equal width; raises InputError if their columns differ."""
    real, fake = as_cloud(data, "data"), as_cloud(samples, "samples")
    if real.width != fake.width:
        raise InputError(
            f"data has {real.width} columns and samples {fake.width}; both must be points of the same space."
        )
    return real, fake


def extent(real: Floats, fake: Floats) -> tuple[float, float]:
    """Return the limits of one axis: all of the data, and the middle 99% of the samples up to one data range
    beyond.

    `real` and `fake` have shape (n,). A generator far off must not squeeze the data into one dot; whoever
    draws says how many samples lie outside (`outside`).
    """
    low = high = None
    if len(real):
        low, high = float(real.min()), float(real.max())
    if len(fake):
        inner_low, inner_high = (float(edge) for edge in np.quantile(fake, [0.005, 0.995]))
        if low is None or high is None or low == high:
            reach = np.inf
        else:
            reach = high - low
        low = inner_low if low is None else min(low, max(inner_low, low - reach))
        high = inner_high if high is None else max(high, min(inner_high, high + reach))
    if low is None or high is None:
        return 0.0, 1.0
    span = high - low
    if span <= 1e-9 * max(abs(low), abs(high)):
        pad = 0.5 if low == 0 else max(abs(low) * 0.1, 1e-12)
    else:
        pad = 0.05 * span
    return low - pad, high + pad


def outside(cloud: Cloud, limits: Sequence[tuple[float, float]]) -> list[str]:
    """Return a note if rows of the cloud lie outside the limits of any of the drawn columns."""
    low, high = (np.array(side) for side in zip(*limits, strict=True))
    columns = cloud.values[:, : len(limits)]
    count = int(((columns < low) | (columns > high)).any(axis=1).sum())
    return [f"Outside the picture: {count:,} of {cloud.given:,} {cloud.what}."] if count else []


def probability(logit: Logit, points: Floats) -> Floats:
    """Return D(x) = 1 / (1 + exp(-logit(x))) at points (k, d), shape (k,); NaN where the logit is NaN.

    Raises InputError if the callable does not return one logit a point.
    """
    from scipy.special import expit

    logits = np.asarray(logit(points), dtype=np.float64)
    if logits.size != len(points):
        raise InputError(
            f"logit was asked at points of shape {points.shape} and returned shape {logits.shape}; "
            f"it must return one logit a point, shape ({len(points)},)."
        )
    answer: Floats = expit(logits.reshape(-1))
    return answer


def column_names(names: Sequence[str] | None, width: int) -> list[str]:
    """Return the names of d columns, x1, x2, ... if none are given; InputError if the count is wrong."""
    if names is None:
        return ["x"] if width == 1 else [f"x{index + 1}" for index in range(width)]
    if len(names) != width:
        raise InputError(f"There are {len(names)} names for {width} columns; give one for each.")
    return [plain(name) for name in names]
