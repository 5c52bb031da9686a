"""Figures of points: samples over D(x) in the plane, scatter plots of pairs of columns, interpolations in noise space.

Also what all figures of points share: dropping rows that are not finite, limits of axes, and subsets of large samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from saddlepoint.drawing.style import (
    DATA,
    DISCRIMINATOR,
    FIELD,
    MODEL,
    SMALL,
    WIDTH,
    Pen,
    fit,
    letter,
    new_figure,
    plain,
    styled,
)
from saddlepoint.errors import InputError

Floats = NDArray[np.float64]
Logit = Callable[[Floats], ArrayLike]
"""D as a callable: points (k, d) in float64 to logits (k,) or (k, 1)."""

MOST_MARKS = 2000
"""Largest number of points drawn of one cloud; more would only hide each other."""


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """Points of one origin: `values` the finite rows (n, d), `given` the number of all rows, `what` their name."""

    values: Floats
    given: int
    what: str

    @property
    def width(self) -> int:
        """The number of columns d."""
        return int(self.values.shape[1])

    @property
    def marks(self) -> Floats:
        """The rows to draw: all, or 2000 drawn without replacement with a fixed seed."""
        if len(self.values) <= MOST_MARKS:
            return self.values
        chosen = np.random.default_rng(0).choice(len(self.values), MOST_MARKS, replace=False)
        return self.values[np.sort(chosen)]

    def notes(self, *, marked: bool = True) -> list[str]:
        """Return notes on rows that are not drawn."""
        lines = []
        rows = f"rows of {self.what}" if self.what == "data" else self.what
        if self.given == 0:
            return [f"There are no {self.what} to draw."]
        dropped = self.given - len(self.values)
        if dropped:
            lines.append(f"Not drawn because not finite: {dropped:,} of {self.given:,} {rows}.")
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
    """Return the limits of one axis: all data, and the middle 99% of the samples up to one data range beyond.

    Samples far from the data must not squeeze the data into one dot; `outside` counts those that are not shown.

    real, fake: (n,) and (m,).
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
    block = high - low
    if block <= 1e-9 * max(abs(low), abs(high)):
        pad = 0.5 if low == 0 else max(abs(low) * 0.1, 1e-12)
    else:
        pad = 0.05 * block
    return low - pad, high + pad


def outside(cloud: Cloud, limits: Sequence[tuple[float, float]]) -> list[str]:
    """Return a note if rows of the cloud are outside the limits of any drawn column."""
    low, high = (np.array(side) for side in zip(*limits, strict=True))
    columns = cloud.values[:, : len(limits)]
    count = int(((columns < low) | (columns > high)).any(axis=1).sum())
    return [f"Outside the picture: {count:,} of {cloud.given:,} {cloud.what}."] if count else []


def probability(logit: Logit, points: Floats) -> Floats:
    """Return D(x) = 1 / (1 + exp(-logit(x))) at points (k, d), shape (k,); NaN where the logit is NaN.

    Raises InputError if the callable does not return one logit per point.
    """
    from scipy.special import expit

    logits = np.asarray(logit(points), dtype=np.float64)
    if logits.size != len(points):
        raise InputError(
            f"logit was evaluated at points of shape {points.shape} and returned shape {logits.shape}; "
            f"it must return one logit per point, shape ({len(points)},)."
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


MOST_COLUMNS = 5
MOST_PATHS = 40
_FIELD_CELLS = 128
_TURNS = 8


@styled
def decision_field(
    data: ArrayLike,
    samples: ArrayLike,
    *,
    logit: Logit | None = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Return 2-D data and, in a second panel, samples over D(x) = 1 / (1 + exp(-logit(x))), with the line D = 1/2.

    Two panels with the same axes, because two clouds of thousands of points cannot be distinguished in one. The field of D
    is white at 1/2, in the data's colour above and in the model's below.

    data, samples: points (n, 2) and (m, 2).
    logit: D, maps points (k, 2) to logits (k,); evaluated once, at 128 x 128 points.
    names: of the two columns.
    title: of the figure.

    Raises InputError if shapes do not fit.
    """
    real, fake = as_clouds(data, samples)
    if real.width != 2:
        raise InputError(f"data has {real.width} columns; a decision field needs points of shape (n, 2).")
    across, down = column_names(names, 2)
    limits = [extent(real.values[:, axis], fake.values[:, axis]) for axis in (0, 1)]
    feature_blocks = [high - low for low, high in limits]
    equal = max(feature_blocks) <= 3 * min(feature_blocks)
    shape = feature_blocks[1] / feature_blocks[0] if equal else 0.75
    across_inches = min(3.2, 5.2 / shape)
    figure = new_figure(2 * across_inches + 2.0, across_inches * shape + 0.9)
    panels: list[Axes] = list(figure.subplots(1, 2, sharex=True, sharey=True))
    notes = [*real.notes(), *fake.notes(), *outside(fake, limits)]
    if logit is not None:
        notes += _field(figure, panels, logit, limits)
    for axes, cloud, pen, label in zip(panels, (real, fake), (DATA, MODEL), ("data", "samples"), strict=True):
        _marks(axes, cloud, pen, (0, 1), factor=1.0)
        axes.set(xlim=limits[0], ylim=limits[1])
        axes.set_title(label, fontsize=SMALL)
        if equal:
            axes.set_aspect("equal", adjustable="box")
        _name_axes(axes, across, down if cloud is real else "", inches=3.0)
    handles = [_mark(DATA, "data"), _mark(MODEL, "samples of the model")]
    if logit is not None:
        half = Line2D([], [], color=DISCRIMINATOR.colour, linestyle=DISCRIMINATOR.dash, label="D = 1/2")
        handles.append(half)
    letter(figure, title, notes, key=handles)
    return figure


@styled
def pairs(
    data: ArrayLike,
    samples: ArrayLike,
    *,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Return the marginal distributions of the first 5 columns on the diagonal and scatter plots of pairs below it.

    Histograms have common bins and equal area. Above the diagonal is Pearson's correlation of the two columns, in the data
    and in the samples.

    data, samples: (n, d) and (m, d).
    names: of the d columns.
    title: of the figure.

    Raises InputError if shapes or the number of names do not fit.
    """
    real, fake = as_clouds(data, samples)
    labels = column_names(names, real.width)
    shown = min(real.width, MOST_COLUMNS)
    limits = [extent(real.values[:, axis], fake.values[:, axis]) for axis in range(shown)]
    side = WIDTH if shown > 2 else WIDTH * 0.7
    figure = new_figure(side, side * 0.86)
    grid = figure.subplots(shown, shown, squeeze=False)
    for down in range(shown):
        for across in range(shown):
            axes: Axes = grid[down, across]
            if across < down:
                _scatter(axes, real, fake, (across, down))
                axes.set(xlim=limits[across], ylim=limits[down])
            elif across == down:
                _margin(axes, real, fake, down, limits[down])
            else:
                _correlations(axes, real, fake, (across, down))
                continue
            axes.xaxis.set_major_locator(MaxNLocator(3))
            if across < down:
                axes.yaxis.set_major_locator(MaxNLocator(3))
            axes.tick_params(labelbottom=down == shown - 1, labelleft=across == 0 and down > 0)
            inches = 0.8 * side / shown
            if down == shown - 1:
                axes.set_xlabel(fit(labels[across], inches, SMALL), fontsize=SMALL, parse_math=False)
            if across == 0 < down:
                axes.set_ylabel(fit(labels[down], 0.75 * inches, SMALL), fontsize=SMALL, parse_math=False)
            if across == down < shown - 1:
                axes.set_title(fit(labels[down], inches, SMALL), fontsize=SMALL, parse_math=False)
    notes = [*real.notes(), *fake.notes(), *outside(fake, limits)]
    if shown > 1:
        notes.append("r is Pearson's correlation of two columns, in the data and, below, in the samples.")
    if shown < real.width:
        notes.append(f"The first {shown} of {real.width} columns are shown.")
    handles = [_mark(DATA, "data"), _mark(MODEL, "samples of the model")]
    letter(figure, title, notes, key=handles)
    return figure


@styled
def lines(
    frames: ArrayLike,
    *,
    data: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Return G(z) along straight lines in noise space: one path per line, marked at each step.

    The counterpart for points of Figure 3 of Goodfellow et al. 2014. Of more than 40 paths the first 40 are drawn; a path
    breaks where a point is not finite.

    frames: points (paths, steps, d); d is 1 (drawn against the position on the line, 0 to 1) or 2 (drawn in the plane).
    data: (n, d), drawn behind.
    names: of the d columns.
    title: of the figure.

    Raises InputError if shapes do not fit.
    """
    paths = _paths(frames)
    count, steps, width = paths.shape
    behind = as_cloud(np.empty((0, width)) if data is None else data, "data")
    if behind.width != width:
        raise InputError(
            f"data has {behind.width} columns and frames have {width}; both must be the same points."
        )
    labels = column_names(names, width)
    notes = [] if data is None else behind.notes()
    if not count or not steps:
        notes.append("There are no paths to draw.")
    if count > MOST_PATHS:
        notes.append(f"The first {MOST_PATHS} of {count:,} paths are drawn.")
    broken = int((~np.isfinite(paths)).any(axis=2).sum())
    if broken:
        notes.append(f"Not drawn because not finite: {broken:,} of {count * steps:,} points of the paths.")
    notes.append("Each path goes from its open mark to its filled mark.")
    along = np.linspace(0.0, 1.0, steps) if steps > 1 else np.zeros(steps)
    figure = new_figure(WIDTH * 0.8, WIDTH * (0.62 if width == 2 else 0.45))
    axes = figure.add_subplot()
    flat = paths.reshape(-1, width)
    finite = flat[np.isfinite(flat).all(axis=1)]
    if width == 2:
        marks = behind.marks
        axes.scatter(marks[:, 0], marks[:, 1], s=5, color=DATA.colour, alpha=0.25, linewidths=0)
        drawn = paths[:MOST_PATHS]
        limits = [extent(behind.values[:, axis], finite[:, axis]) for axis in (0, 1)]
        _name_axes(axes, labels[0], labels[1], inches=4.0)
    else:
        axes.hlines(behind.marks[:, 0], 0, 0.012, color=DATA.colour, alpha=0.25, linewidth=0.5)
        drawn = np.stack([np.broadcast_to(along, (count, steps)), paths[..., 0]], axis=-1)[:MOST_PATHS]
        limits = [(-0.02, 1.02), extent(behind.values[:, 0], finite[:, 0])]
        _name_axes(axes, "position on the line in noise space", labels[0], inches=4.0)
    axes.add_collection(LineCollection(list(drawn), colors=MODEL.colour, linewidths=1.0, alpha=0.85))
    if steps:
        size = 9 if steps <= 30 else 0
        axes.scatter(drawn[..., 0], drawn[..., 1], s=size, color=MODEL.colour, linewidths=0)
        first, last = drawn[:, 0], drawn[:, -1]
        ring: dict[str, Any] = {"facecolor": "white", "edgecolor": MODEL.colour, "linewidths": 1.2}
        axes.scatter(first[:, 0], first[:, 1], s=30, zorder=3, **ring)
        axes.scatter(last[:, 0], last[:, 1], s=30, zorder=3, color=MODEL.colour, linewidths=0)
    axes.set(xlim=limits[0], ylim=limits[1])
    handles = [Line2D([], [], color=MODEL.colour, label="the model's points")]
    if data is not None:
        handles.insert(0, _mark(DATA, "data"))
    letter(figure, title, notes, key=handles)
    return figure


def _paths(frames: ArrayLike) -> Floats:
    try:
        paths = np.asarray(frames, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"frames cannot be read as an array of numbers: {error}.") from error
    if paths.ndim != 3 or paths.shape[2] not in (1, 2):
        raise InputError(
            f"frames has shape {paths.shape}; give points of shape (paths, steps, d) with d of 1 or 2, "
            "and choose two columns if there are more."
        )
    return paths


def _field(
    figure: Figure, panels: Sequence[Axes], logit: Logit, limits: Sequence[tuple[float, float]]
) -> list[str]:
    """Draw D over the limits in each panel; return a note on points where it is not finite."""
    ticks = [low + (np.arange(_FIELD_CELLS) + 0.5) / _FIELD_CELLS * (high - low) for low, high in limits]
    across, down = np.meshgrid(*ticks)
    values = probability(logit, np.stack([across.ravel(), down.ravel()], axis=1)).reshape(across.shape)
    box = (*limits[0], *limits[1])
    finite = np.isfinite(values)
    for axes in panels:
        image = axes.imshow(
            values,
            origin="lower",
            extent=box,
            cmap=FIELD,
            vmin=0.0,
            vmax=1.0,
            aspect="auto",
            interpolation="bilinear",
        )
        if finite.any() and values[finite].min() < 0.5 < values[finite].max():
            axes.contour(
                *ticks,
                values,
                levels=[0.5],
                colors=DISCRIMINATOR.colour,
                linestyles=[DISCRIMINATOR.dash],
                linewidths=1.4,
            )
    bar = figure.colorbar(image, cax=panels[-1].inset_axes((1.03, 0.0, 0.028, 1.0)))
    bar.set_ticks([0.0, 0.5, 1.0], labels=["0: says model", "1/2", "1: says data"])
    bar.ax.set_title("D(x)", fontsize=SMALL, fontweight="normal")
    bar.outline.set_visible(False)
    undefined = int((~finite).sum())
    return [f"D is not finite at {undefined:,} of {values.size:,} points of the field."] if undefined else []


def _scatter(axes: Axes, real: Cloud, fake: Cloud, columns: tuple[int, int]) -> None:
    # Drawn alternately, a part of each at a time, so that neither cloud covers the other.
    for part in range(_TURNS):
        for cloud, pen, factor in ((fake, MODEL, 1.8), (real, DATA, 1.0)):
            _marks(axes, cloud, pen, columns, factor=factor, turn=slice(part, None, _TURNS))


def _marks(
    axes: Axes,
    cloud: Cloud,
    pen: Pen,
    columns: tuple[int, int],
    *,
    factor: float,
    turn: slice = slice(None),
) -> None:
    """Draw one cloud's marks, or those of the slice `turn`; with many marks they are small and translucent."""
    marks = cloud.marks[:, list(columns)]
    axes.scatter(
        marks[turn, 0],
        marks[turn, 1],
        s=factor * float(np.clip(1500 / (len(marks) + 1), 3.0, 16.0)),
        marker=pen.marker,
        color=pen.colour,
        alpha=float(np.clip(16 / np.sqrt(len(marks) + 1), 0.5, 0.95)),
        linewidths=0,
    )


def _margin(axes: Axes, real: Cloud, fake: Cloud, column: int, limits: tuple[float, float]) -> None:
    bins = int(np.clip(2 * np.cbrt(min(len(real.values), len(fake.values)) or 1), 8, 60))
    edges = np.linspace(*limits, bins + 1)
    top = 0.0
    for cloud, pen, filled in ((real, DATA, True), (fake, MODEL, False)):
        if not len(cloud.values):
            continue
        heights = np.histogram(cloud.values[:, column], bins=edges)[0] / len(cloud.values) / np.diff(edges)
        colour = (*_rgb(pen), 0.22) if filled else pen.colour
        axes.stairs(heights, edges, fill=filled, color=colour, linewidth=0 if filled else 1.3)
        top = max(top, float(heights.max()))
    axes.set(xlim=limits, ylim=(0, 1.08 * top if top else 1.0))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _rgb(pen: Pen) -> tuple[float, float, float]:
    from matplotlib.colors import to_rgb

    return to_rgb(pen.colour)


def _correlations(axes: Axes, real: Cloud, fake: Cloud, columns: tuple[int, int]) -> None:
    axes.set_axis_off()
    for cloud, pen, high in ((real, DATA, 0.6), (fake, MODEL, 0.4)):
        two = cloud.values[:, list(columns)]
        spread = np.ptp(two, axis=0).min() if len(two) > 1 else 0.0
        matrix: Floats = np.atleast_2d(np.corrcoef(two.T)) if spread > 0 else np.full((2, 2), np.nan)
        r = "–" if np.isnan(matrix[0, 1]) else f"{round(float(matrix[0, 1]), 2) + 0.0:.2f}".replace("-", "−")
        axes.text(0.5, high, f"r = {r}", color=pen.colour, ha="center", va="center", transform=axes.transAxes)


def _mark(pen: Pen, label: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker=pen.marker, markersize=4.5, color=pen.colour, label=label)


def _name_axes(axes: Axes, across: str, down: str, *, inches: float) -> None:
    axes.set_xlabel(fit(across, inches, SMALL), parse_math=False)
    axes.set_ylabel(fit(down, inches, SMALL), parse_math=False)
