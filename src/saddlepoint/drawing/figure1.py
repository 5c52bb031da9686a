"""Figure 1 of Goodfellow et al. 2014 for 1-D data: densities of data and model, D, and the map from noise to samples.

p_data is dotted, p_g solid, D dashed; arrows show how x = G(z) maps noise of a simple density to p_g. At the
equilibrium p_g = p_data and D = 1/2 everywhere.

Densities are kernel estimates p_h(x) = 1 / (n h) sum_i phi((x - x_i) / h), phi the standard normal density, on binned
points (Silverman 1986, section 2.4). The bandwidth h is chosen by likelihood cross-validation (section 3.4.4), and the
figure states it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike
from scipy.signal import fftconvolve

from saddlepoint.drawing.points import Cloud, Floats, Logit, as_cloud, as_clouds, extent, outside, probability
from saddlepoint.drawing.style import (
    DATA,
    DISCRIMINATOR,
    MODEL,
    QUIET,
    SMALL,
    TEXT,
    WIDTH,
    fit,
    letter,
    new_figure,
    number,
    styled,
)
from saddlepoint.errors import InputError

BINS = 2048
_REACH = 6.0  # the kernel is cut at 6 h; 2e-9 of its mass is outside


def bandwidth(values: Floats, limits: tuple[float, float]) -> float:
    """Return the bandwidth h with the largest leave-one-out log-likelihood of the values (n,) inside the limits.

    Maximises sum_i log[(n h)^-1 sum_{j != i} phi((x_i - x_j) / h)] over 24 candidates, from 2 bins (of 2048 over the limits)
    to Silverman's 0.9 sd n^(-1/5), in the units of x. With fewer than 3 values inside, or all of them equal, h is 1/40 of
    the limits' width.
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
    """Return a grid (k,) over the limits and p_h on it, in 1 / (units of x).

    Values outside the limits count in n, so the area under the curve is the share of values inside.
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
    """Return the bandwidth of the first non-empty cloud, used for all, so that no difference is due to h."""
    return next((bandwidth(values, limits) for values in clouds if len(values)), (limits[1] - limits[0]) / 40)


def _smooth(counts: Floats, h: float, step: float) -> Floats:
    reach = int(np.ceil(_REACH * h / step))
    offsets = np.arange(-reach, reach + 1) * step
    kernel = np.exp(-0.5 * (offsets / h) ** 2) * _kernel_at_zero(h)
    answer: Floats = fftconvolve(counts, kernel, mode="same")
    return answer


def _kernel_at_zero(h: float) -> float:
    return 1.0 / (h * math.sqrt(2.0 * math.pi))


MOST_MOMENTS = 4
_ARROWS = 36


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One panel: the state of training at one round.

    data: (n,) or (n, 1).
    samples: (m,) or (m, 1).
    logit: D, maps x (k, 1) to logits (k,).
    transport: pairs (z, G(z)) as (j, 2), z one coordinate of the noise.
    density: the true p_data if it is known, maps x (k, 1) to (k,).
    label: title of the panel.
    """

    data: ArrayLike
    samples: ArrayLike
    logit: Logit | None = None
    transport: ArrayLike | None = None
    density: Callable[[Floats], ArrayLike] | None = None
    label: str | None = None


@styled
def figure1(
    data: ArrayLike,
    samples: ArrayLike,
    *,
    logit: Logit | None = None,
    transport: ArrayLike | None = None,
    density: Callable[[Floats], ArrayLike] | None = None,
    name: str = "x",
    title: str | None = None,
) -> Figure:
    """Return one round of 1-D training as Figure 1 of the paper; `Moment` describes the arguments.

    Densities are kernel estimates with one bandwidth for data and samples, stated below the figure; p_data is exact if
    `density` is given. D is drawn as a probability between 0 and 1, with a line at 1/2.

    Raises InputError if shapes do not fit.
    """
    moment = Moment(data=data, samples=samples, logit=logit, transport=transport, density=density)
    return _draw([moment], name=name, title=title)


@styled
def moments(panels: Sequence[Moment], *, name: str = "x", title: str | None = None) -> Figure:
    """Return 1 to 4 rounds of one run side by side with shared axes, as in Figure 1 of the paper.

    Raises InputError if there are none or more than 4, or if shapes do not fit.
    """
    if not 1 <= len(panels) <= MOST_MOMENTS:
        raise InputError(f"There are {len(panels)} moments; Figure 1 shows 1 to {MOST_MOMENTS} side by side.")
    return _draw(panels, name=name, title=title)


def _draw(panels: Sequence[Moment], *, name: str, title: str | None) -> Figure:
    clouds = [as_clouds(panel.data, panel.samples) for panel in panels]
    for real, _ in clouds:
        if real.width != 1:
            raise InputError(f"data has {real.width} columns; Figure 1 needs points of shape (n,) or (n, 1).")
    arrows = [_transport(panel.transport) for panel in panels]
    limits = extent(
        np.concatenate([real.values[:, 0] for real, _ in clouds]),
        np.concatenate([fake.values[:, 0] for _, fake in clouds]),
    )
    h = common_bandwidth([cloud.values[:, 0] for pair in clouds for cloud in pair], limits)
    curves = [_curves(panel, pair, limits, h) for panel, pair in zip(panels, clouds, strict=True)]
    mapped = any(arrow is not None for arrow in arrows)
    top, off = _top(curves)
    wide = WIDTH * (0.8 if len(panels) == 1 else 1.15)
    figure = new_figure(wide, 4.4 if mapped else 3.2)
    heights = [2.6, 1.0] if mapped else [1.0]
    grid = figure.subplots(
        len(heights), len(panels), squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights}
    )
    notes = [f"Densities are smoothed with a Gaussian kernel of standard deviation {number(h)}."] if h else []
    if all(panel.density is not None for panel in panels):
        notes = [
            f"p_data is exact; p_g is smoothed with a Gaussian kernel of standard deviation {number(h)}."
        ]
    if off:
        notes.append(f"A density is cut at the upper edge; its peak is {number(off)}.")
    for index, (panel, pair, (grid_x, p_data, p_g)) in enumerate(zip(panels, clouds, curves, strict=True)):
        axes: Axes = grid[0, index]
        first, last = index == 0, index == len(panels) - 1
        axes.plot(grid_x, p_g, color=MODEL.colour, linestyle=MODEL.dash, linewidth=1.6)
        # Drawn last, so that its dots stay visible where both curves agree.
        axes.plot(grid_x, p_data, color=DATA.colour, linestyle=DATA.dash, linewidth=1.8)
        axes.set(xlim=limits, ylim=(0, top))
        if panel.label:
            axes.set_title(fit(panel.label, 0.85 * wide / len(panels), TEXT), parse_math=False)
        if first:
            axes.set_ylabel("density")
        else:
            axes.tick_params(left=False, labelleft=False)
        if panel.logit is not None:
            notes += _probability(axes, panel.logit, grid_x, labelled=last)
        where = f"{panel.label}: " if panel.label and len(panels) > 1 else ""
        for cloud in pair:
            found = [
                *cloud.notes(marked=False),
                *(where + note for note in outside(cloud, [limits])),
            ]
            notes += [note for note in found if note not in notes]
        bottom: Axes = axes
        if mapped:
            bottom = grid[1, index]
            axes.tick_params(labelbottom=False)
            _arrows(bottom, arrows[index], limits, named=first, name=fit(name, 1.5, SMALL))
        else:
            axes.set_xlabel(fit(name, 0.85 * wide / len(panels), TEXT), parse_math=False)
    letter(figure, title, notes, key=_key(panels))
    return figure


def _curves(
    panel: Moment, pair: tuple[Cloud, Cloud], limits: tuple[float, float], h: float
) -> tuple[Floats, Floats, Floats]:
    real, fake = pair
    grid, p_data = density(real.values[:, 0], limits, h)
    p_g = density(fake.values[:, 0], limits, h)[1]
    if panel.density is not None:
        p_data = np.asarray(panel.density(grid[:, None]), dtype=np.float64).reshape(-1)
        if p_data.shape != grid.shape:
            raise InputError(
                f"density was evaluated at points of shape {(len(grid), 1)} and returned {p_data.size} values; "
                "it must return one value per point."
            )
    return grid, p_data, p_g


def _top(curves: Sequence[tuple[Floats, Floats, Floats]]) -> tuple[float, float]:
    """Return the upper limit of the density axis and the height of the peak that it cuts, or 0 if it cuts none.

    The samples of a collapsed generator are a spike, which must not flatten the data's density.
    """
    data = max((float(np.nanmax(p_data)) for _, p_data, _ in curves), default=0.0)
    model = max((float(p_g.max()) for _, _, p_g in curves), default=0.0)
    if data > 0 and model > 3 * data:
        return 3 * data, model
    return 1.12 * max(data, model) or 1.0, 0.0


def _probability(axes: Axes, logit: Logit, grid: Floats, *, labelled: bool) -> list[str]:
    other = axes.twinx()
    other.axhline(0.5, color=DISCRIMINATOR.colour, linewidth=0.6, alpha=0.5)
    values = probability(logit, grid[:, None])
    other.plot(grid, values, color=DISCRIMINATOR.colour, linestyle=DISCRIMINATOR.dash, linewidth=1.4)
    other.set_ylim(0, 1)
    other.set_yticks([0, 0.5, 1], labels=["0", "1/2", "1"] if labelled else ["", "", ""])
    other.tick_params(colors=DISCRIMINATOR.colour)
    other.spines["right"].set_visible(True)
    other.spines["right"].set_color(DISCRIMINATOR.colour)
    if labelled:
        other.set_ylabel("D(x)", color=DISCRIMINATOR.colour)
    undefined = int((~np.isfinite(values)).sum())
    return [f"D is not finite at {undefined:,} of {len(grid):,} points."] if undefined else []


def _transport(pairs: ArrayLike | None) -> Cloud | None:
    if pairs is None:
        return None
    cloud = as_cloud(pairs, "noise vectors")
    if cloud.width != 2:
        raise InputError(
            f"transport has {cloud.width} columns; give pairs (z, G(z)) of shape (n, 2), one coordinate each."
        )
    return cloud


def _arrows(axes: Axes, cloud: Cloud | None, limits: tuple[float, float], *, named: bool, name: str) -> None:
    """Draw z on the lower line and G(z) on the upper one, both as wide as the panel, z on its own scale."""
    low, high = limits
    axes.set(xlim=limits, ylim=(0, 1))
    axes.set_yticks([0, 1], labels=["z", name] if named else ["", ""], fontsize=TEXT)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False)
    if cloud is None or not len(cloud.values):
        return
    chosen = cloud.values[np.argsort(cloud.values[:, 0], kind="stable")]
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, _ARROWS).round().astype(int))]
    z_low, z_high = float(chosen[0, 0]), float(chosen[-1, 0])
    inset = 0.03 * (high - low)
    place = np.full(len(chosen), (low + high) / 2)
    if z_high > z_low:
        place = low + inset + (chosen[:, 0] - z_low) / (z_high - z_low) * (high - low - 2 * inset)
    axes.quiver(
        place,
        np.zeros(len(chosen)),
        chosen[:, 1] - place,
        np.ones(len(chosen)),
        angles="xy",
        scale_units="xy",
        scale=1,
        units="inches",
        width=0.011,
        headwidth=5,
        headlength=6,
        headaxislength=5.5,
        color=MODEL.colour,
        alpha=0.8,
    )
    ends = ((low + inset, "left", z_low), (high - inset, "right", z_high)) if z_high > z_low else ()
    for x, align, z in ends:
        axes.text(x, -0.08, number(z), ha=align, va="top", fontsize=SMALL, color=QUIET)


def _key(panels: Sequence[Moment]) -> list[Line2D]:
    handles = [
        Line2D([], [], color=DATA.colour, linestyle=DATA.dash, linewidth=1.8, label="data, p_data"),
        Line2D([], [], color=MODEL.colour, linestyle=MODEL.dash, linewidth=1.6, label="model, p_g"),
    ]
    if any(panel.logit is not None for panel in panels):
        handles.append(
            Line2D(
                [],
                [],
                color=DISCRIMINATOR.colour,
                linestyle=DISCRIMINATOR.dash,
                linewidth=1.4,
                label="discriminator, D",
            )
        )
    if any(panel.transport is not None for panel in panels):
        handles.append(
            Line2D([], [], color=MODEL.colour, marker="^", markersize=4, linewidth=0.7, label="z to G(z)")
        )
    return handles
