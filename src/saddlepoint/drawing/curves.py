"""Line figures: training curves over the rounds (`curves`), and panels of lines, points or a map side by side (`panels`).

`curves` shows losses, logits and gradient norms over a common axis of rounds; `panels` illustrates theorems.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from saddlepoint.drawing.points import Floats
from saddlepoint.drawing.style import (
    DATA,
    DISCRIMINATOR,
    MODEL,
    QUIET,
    SMALL,
    TEXT,
    WIDTH,
    Pen,
    fit,
    letter,
    new_figure,
    number,
    styled,
)
from saddlepoint.errors import InputError

ROLE_PENS: dict[str, Pen] = {
    "data": DATA,
    "model": MODEL,
    "discriminator": DISCRIMINATOR,
    "first": Pen(colour="#c2571a", dash="solid", marker="D"),
    "second": Pen(colour="#7a5195", dash=(0, (4.0, 1.2, 1.0, 1.2)), marker="v"),
    "third": Pen(colour="#8a7a12", dash=(0, (2.0, 1.0)), marker="x"),
}
"""How a line or a set of points is drawn, by its role."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A line, or points if `marks`, of one role: x (n,), y (n,)."""

    x: ArrayLike
    y: ArrayLike
    role: str
    label: str = ""
    marks: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: traces, named horizontal lines (`levels`), optionally a map (rows, columns) over `extent` (x0, x1, y0, y1)."""

    title: str
    across: str
    up: str = ""
    traces: Sequence[Trace] = ()
    levels: Mapping[str, float] = field(default_factory=dict)
    field: ArrayLike | None = None
    extent: tuple[float, float, float, float] | None = None
    field_name: str = ""
    log_x: bool = False
    log_y: bool = False
    ticks_x: Sequence[float] = ()
    square: bool = False
    room: float = 0.0
    """Empty space above the lines for the legend, relative to their height."""
    levels_left: bool = False


@styled
def panels(
    given: Sequence[Panel],
    *,
    title: str | None = None,
    notes: Sequence[str] = (),
    height: float = 2.6,
    key_columns: int | None = None,
) -> Figure:
    """Return 1 to 4 panels side by side; with key_columns they share one legend of that many columns, above.

    Raises InputError if there are none or more than 4, or a role is unknown.
    """
    if not 1 <= len(given) <= 4:
        raise InputError(f"There are {len(given)} panels; a figure holds 1 to 4.")
    figure = new_figure(WIDTH * (0.62 if len(given) == 1 else 1.0), height)
    grid = figure.subplots(1, len(given), squeeze=False)[0]
    key: dict[str, Artist] = {}
    for axes, panel in zip(grid, given, strict=True):
        _draw(figure, axes, panel)
        handles, names = axes.get_legend_handles_labels()
        key |= dict(zip(names, handles, strict=True))
        if key_columns is None and names:
            axes.legend(markerscale=3, loc="upper right" if panel.room else "best")
    letter(figure, title, notes, key=list(key.values()) if key_columns else (), key_columns=key_columns)
    return figure


def _draw(figure: Figure, axes: Axes, panel: Panel) -> None:
    if panel.field is not None:
        values = np.asarray(panel.field, dtype=np.float64)
        image = axes.imshow(
            values,
            origin="lower",
            extent=panel.extent,
            aspect="equal" if panel.square else "auto",
            cmap="magma_r",
            interpolation="nearest",
        )
        bar = figure.colorbar(image, ax=axes, shrink=0.85)
        bar.set_label(panel.field_name)
        bar.outline.set_visible(False)
    for trace in panel.traces:
        if trace.role not in ROLE_PENS:
            raise InputError(f"The role {trace.role!r} is not known; give one of {', '.join(ROLE_PENS)}.")
        pen = ROLE_PENS[trace.role]
        if trace.marks:
            axes.plot(
                trace.x,
                trace.y,
                linestyle="none",
                marker=pen.marker,
                markersize=1.6,
                color=pen.colour,
                alpha=0.5,
                label=trace.label,
            )
        else:
            axes.plot(
                trace.x, trace.y, color=pen.colour, linestyle=pen.dash, linewidth=1.5, label=trace.label
            )
    for name, level in panel.levels.items():
        axes.axhline(level, color=QUIET, linewidth=0.8, linestyle=(0, (1.0, 2.0)))
        axes.annotate(
            name,
            (0.0 if panel.levels_left else 1.0, level),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            xytext=(3 if panel.levels_left else -2, 2),
            ha="left" if panel.levels_left else "right",
            fontsize=SMALL,
            color=QUIET,
        )
    axes.set_title(panel.title)
    axes.set_xlabel(panel.across)
    axes.set_ylabel(panel.up)
    if panel.log_x:
        axes.set_xscale("log")
    if panel.log_y:
        axes.set_yscale("log")
    if panel.ticks_x:
        axes.set_xticks(list(panel.ticks_x), [f"{tick:g}" for tick in panel.ticks_x])
        axes.xaxis.set_minor_formatter(NullFormatter())
    if panel.room:
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + panel.room * (high - low))
    if panel.square and panel.field is None:
        axes.set_aspect("equal", adjustable="datalim")


PENS: Mapping[str, Pen] = {
    "discriminator": DISCRIMINATOR,
    "generator": MODEL,
    "real": DATA,
    "data": DATA,
    "fake": MODEL,
    "samples": MODEL,
}
"""The pen of a line by a word in its label; other lines take the next pen of _OTHERS."""
_OTHERS = (
    Pen(colour="#c2571a", dash="solid", marker="D"),
    Pen(colour="#7a5195", dash=(0, (4.0, 1.2, 1.0, 1.2)), marker="v"),
    Pen(colour="#8a7a12", dash=(0, (2.0, 1.0)), marker="x"),
    DATA,
)
_BUCKETS = 700
_PLACES = 240
_FEW = 30


@styled
def curves(
    rounds: ArrayLike,
    series: Mapping[str, Mapping[str, ArrayLike]],
    *,
    references: Mapping[str, Mapping[str, float]] | None = None,
    log: Collection[str] = (),
    title: str | None = None,
) -> Figure:
    """Return one panel per quantity, one line per player: every value thin, the running median thick.

    The median is over the nearest 2% of the records; with 30 records or fewer there is none. With more than 1400 records
    only the minimum and maximum of each of 700 buckets are drawn. An axis cuts spikes that would flatten everything else;
    a note says so.

    rounds: increasing round numbers (r,).
    series: {panel name with unit: {label: values (r,)}}; a label with the word discriminator, generator, real, data, fake or
        samples gets that role's colour.
    references: horizontal lines of a panel, as `{"loss (nats)": {"log 4": 1.386}}`.
    log: panels with a logarithmic axis.
    title: of the figure.

    Raises InputError if lengths do not fit or a name in `references` or `log` is no panel.
    """
    at = _numbers(rounds, "rounds")
    if (np.diff(at) <= 0).any() or not np.isfinite(at).all():
        raise InputError(
            "rounds must be finite and increase from record to record; sort them and drop duplicates."
        )
    values = {
        panel: {
            label: _numbers(line, f"series[{panel!r}][{label!r}]", length=len(at))
            for label, line in lines.items()
        }
        for panel, lines in series.items()
    }
    levels = dict(references or {})
    for name in [*levels, *log]:
        if name not in values:
            raise InputError(
                f"There is no panel {name!r}; the panels are {', '.join(map(repr, values)) or 'none'}."
            )
    height = 0.75 + 1.55 * max(len(values), 1)
    figure = new_figure(WIDTH, height)
    notes: list[str] = []
    if not values or not len(at):
        notes.append("There are no records to draw.")
    grid = figure.subplots(max(len(values), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (panel, lines) in zip(grid, values.items(), strict=False):
        lost = _panel(axes, at, panel, lines, levels.get(panel, {}), log=panel in log)
        notes += [f"{panel}: {lost}"] if lost else []
    grid[-1].set_xlabel("rounds")
    grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    grid[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if len(at):
        pad = 0.01 * (at[-1] - at[0]) or 1.0
        grid[-1].set_xlim(at[0] - pad, at[-1] + pad)
    if len(at) > _FEW:
        notes.append(f"Thin: every record. Thick: the running median of {_window(len(at)):,} records.")
    letter(figure, title, notes)
    return figure


def _numbers(value: ArrayLike, what: str, *, length: int | None = None) -> Floats:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what} cannot be read as numbers: {error}.") from error
    if array.ndim != 1 or (length is not None and len(array) != length):
        wanted = "(records,)" if length is None else f"({length},), one value for each of the rounds"
        raise InputError(f"{what} has shape {array.shape}; give numbers of shape {wanted}.")
    return array


def _panel(
    axes: Axes, at: Floats, panel: str, lines: Mapping[str, Floats], levels: Mapping[str, float], *, log: bool
) -> str:
    """Draw one panel; return a note on values that were not drawn."""
    axes.set_title(fit(panel, 3.0, TEXT), parse_math=False)
    axes.grid(axis="y")
    if log:
        axes.set_yscale("log")
    lost = 0
    drawn: list[Floats] = []
    pens = _pens(list(lines))
    for label, values in lines.items():
        good = np.isfinite(values) & ((values > 0) if log else True)
        lost += int((~good).sum())
        x, y = at[good], values[good]
        drawn.append(y)
        pen = pens[label]
        few = len(x) <= _FEW
        kept = thinned(y)
        thin = 1.1 if few else 0.5
        raw: dict[str, Any] = {
            "color": pen.colour,
            "linewidth": thin,
            "alpha": 1.0 if few else 0.3,
            "zorder": 2,
        }
        if few:
            axes.plot(
                x,
                y,
                marker=pen.marker,
                markersize=3.0,
                linestyle=pen.dash,
                label=fit(label, 1.8, SMALL),
                **raw,
            )
        else:
            axes.plot(x[kept], y[kept], **raw)
            places, medians = running_median(x, y)
            axes.plot(
                places,
                medians,
                color=pen.colour,
                linestyle=pen.dash,
                linewidth=1.6,
                zorder=3,
                label=fit(label, 1.8, SMALL),
            )
    for level in levels.values():
        axes.axhline(level, color=QUIET, linewidth=0.7, zorder=1)
    beyond = _limits(axes, drawn, list(levels.values()), log=log)
    _name_levels(axes, levels)
    if log:
        _decades(axes)
    if axes.get_legend_handles_labels()[0]:
        key = axes.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 0.96),
            ncols=len(lines),
            borderaxespad=0.2,
            columnspacing=1.4,
        )
        for text in key.get_texts():
            text.set_parse_math(False)
    reason = "not finite or not positive" if log else "not finite"
    parts = (
        [f"not drawn because {reason}: {lost:,} of {sum(map(len, lines.values())):,} values"] if lost else []
    )
    return "; ".join([*parts, *beyond]) + "." if parts or beyond else ""


def _name_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Write the names of the reference lines at the right edge; names of lines too close together are joined."""
    low, high = axes.transData.transform([(0.0, edge) for edge in axes.get_ylim()])[:, 1]
    named: list[tuple[float, float, str]] = []
    for name, level in sorted(levels.items(), key=lambda item: item[1]):
        place = (axes.transData.transform((0.0, level))[1] - low) / (high - low)
        if named and place - named[-1][0] < 0.12:
            before = named.pop()
            named.append((before[0], before[1], f"{before[2]}, {name}"))
        else:
            named.append((place, level, name))
    for _, level, name in named:
        axes.annotate(
            fit(name, 1.4, SMALL),
            (1.0, level),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=SMALL,
            color=QUIET,
            parse_math=False,
            annotation_clip=False,
        )


def _decades(axes: Axes) -> None:
    """Label a logarithmic axis with plain numbers: powers of ten, and on a short axis 2 and 5 times these."""
    low, high = axes.get_ylim()
    between = (1.0,) if high > 200 * low else (1.0, 2.0, 5.0)
    axes.yaxis.set_major_locator(LogLocator(subs=between, numticks=6))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.yaxis.set_minor_locator(NullLocator())


def _pens(labels: list[str]) -> dict[str, Pen]:
    """Return a pen for each label: that of its role, or the next free one."""
    others = iter(_OTHERS * (1 + len(labels) // len(_OTHERS)))
    chosen: dict[str, Pen] = {}
    for label in labels:
        words = re.findall("[a-z]+", label.lower())
        roles = [PENS[word] for word in words if word in PENS and PENS[word] not in chosen.values()]
        chosen[label] = roles[0] if roles else next(others)
    return chosen


def _limits(axes: Axes, drawn: list[Floats], levels: list[float], *, log: bool) -> list[str]:
    """Set the limits of the value axis: all values, or the middle 98% if all values span 3 times as much; return notes."""
    values = np.concatenate([*drawn, np.empty(0)])
    if not len(values):
        return []
    scale = np.log10 if log else np.asarray
    everything = scale(values)
    out = min(0.1, max(0.01, 2.0 / len(everything)))  # with few values, the largest two may be the spike
    middle = np.quantile(everything, [out, 1.0 - out])
    marks = [float(scale(level)) for level in levels if np.isfinite(level) and (level > 0 or not log)]
    low, high = min([middle[0], *marks]), max([middle[1], *marks])
    core = high - low
    full = float(everything.min()), float(everything.max())
    notes = []
    if core > 0 and full[1] - full[0] > 3 * core:
        low, high = low - 0.35 * core, high + 0.35 * core
        if full[1] > high:
            notes.append(f"spikes up to {number(float(values.max()))} are cut")
        if full[0] < low:
            notes.append(f"spikes down to {number(float(values.min()))} are cut")
        low, high = max(low, min([full[0], *marks])), min(high, max([full[1], *marks]))
    else:
        low, high = min(full[0], low), max(full[1], high)
    pad = 0.06 * (high - low) or (0.5 if log else max(0.1 * abs(high), 0.1))
    low, high = low - pad, high + pad
    axes.set_ylim((10**low, 10**high) if log else (low, high))
    return notes


def thinned(values: Floats) -> NDArray[np.intp]:
    """Return the indices to draw of values (n,): all up to 1400, else the minimum and maximum of each of 700 buckets.

    The first, the last and all extremes are kept, so the drawn line covers the same dots as all values would.
    """
    count = len(values)
    if count <= 2 * _BUCKETS:
        return np.arange(count)
    edges = np.linspace(0, count, _BUCKETS + 1).astype(int)
    kept = [0, count - 1]
    for start, stop in pairwise(edges):
        part = values[start:stop]
        kept += [start + int(part.argmin()), start + int(part.argmax())]
    return np.unique(kept)


def running_median(at: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return positions (p,) and the medians there of the nearest 2% of the records (at least 5); p is at most 240.

    Near the ends the window is cut off there, so a spike in the first record does not become the first median.
    """
    count = len(values)
    half = _window(count) // 2
    chosen = np.unique(np.linspace(0, count - 1, min(count, _PLACES)).round().astype(int))
    medians = [float(np.median(values[max(0, place - half) : place + half + 1])) for place in chosen]
    return at[chosen], np.array(medians)


def _window(count: int) -> int:
    return 2 * max(2, count // 100) + 1
