"""Panels side by side: lines over an axis, a map over a plane, or marks in it; for theorems made visible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import ArrayLike

from saddlepoint.drawing.style import (
    DATA,
    DISCRIMINATOR,
    MODEL,
    QUIET,
    SMALL,
    WIDTH,
    Pen,
    letter,
    new_figure,
    styled,
)
from saddlepoint.errors import InputError

PENS: dict[str, Pen] = {
    "data": DATA,
    "model": MODEL,
    "discriminator": DISCRIMINATOR,
    "first": Pen(colour="#c2571a", dash="solid", marker="D"),
    "second": Pen(colour="#7a5195", dash=(0, (4.0, 1.2, 1.0, 1.2)), marker="v"),
    "third": Pen(colour="#8a7a12", dash=(0, (2.0, 1.0)), marker="x"),
}
"""How a line or a cloud is drawn, by its role."""


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A line (or, with `marks`, points) of one role: x (n,), y (n,)."""

    x: ArrayLike
    y: ArrayLike
    role: str
    label: str = ""
    marks: bool = False


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One panel: traces, levels by name, and perhaps a map (rows, columns) over `extent` (x0, x1, y0, y1)."""

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
    """Empty room above the lines, as a share of their height, for the key."""
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
    """Return the panels side by side, at most 4; with key_columns one key for all of them, above.

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
        if trace.role not in PENS:
            raise InputError(f"The role {trace.role!r} is not known; give one of {', '.join(PENS)}.")
        pen = PENS[trace.role]
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
