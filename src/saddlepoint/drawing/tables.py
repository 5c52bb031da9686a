"""Figures that compare two tables: marginal distributions and pairs of columns; numbers, dates and categories.

A missing number or date is left out only of the panels of its column, and the rest of its row is drawn. A missing category
is drawn as a category of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import dates as calendar
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from saddlepoint.drawing.points import MOST_MARKS, Floats, extent
from saddlepoint.drawing.style import DATA, MODEL, SMALL, WIDTH, Pen, fit, letter, new_figure, plain, styled
from saddlepoint.errors import InputError

MOST_COLUMNS = 5
MOST_MARGINS = 30
MOST_NAMES = 6
"""Number of categories drawn with their names; the rest are drawn together as "others"."""
MOST_WHOLE = 12
"""Whole numbers in a range of at most this many values are drawn as one bar per value."""
_DAY = 86400.0
_TIMES_OF_DAY = (
    0.0,
    -25567 * _DAY,
)  # 1970-01-01 and 1900-01-01, the days that times without a date are stored on
_LARGEST_WHOLE = 2.0**50  # beyond it halves cannot be represented as floats
_SPREAD = 0.3
_TURNS = 8
_TICKS = 3


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A column: `name`, `kind`, and for categories `words`, the names of the codes 0, 1, ...

    Dates are seconds since 1970, UTC; NaN is a missing cell of any kind.
    """

    name: str
    kind: Literal["number", "date", "category"] = "number"
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Axis:
    """A column in the units of the figure's axis: `real` and `fake` are positions, NaN if missing."""

    column: Drawn
    real: Floats
    fake: Floats
    limits: tuple[float, float]
    edges: Floats
    bars: tuple[str, ...] | None = (
        None  # the names of the places 0, 1, ...; None where the scale is one of numbers
    )
    single: bool = False  # each bin is one value


@styled
def table_pairs(
    real: ArrayLike, fake: ArrayLike, columns: Sequence[Drawn], *, title: str | None = None
) -> Figure:
    """Return the marginal distributions of the first 5 columns on the diagonal and scatter plots of pairs below it.

    Heights are relative to the cells that are not missing (for categories: to all cells): histograms with common bins and
    equal area, or one bar per value. Above the diagonal is Pearson's correlation if both columns are numbers. Each panel
    shows all rows whose cells of its columns are not missing.

    real, fake: (n, d) and (m, d), NaN where a cell is missing.
    columns: description of the d columns.
    title: of the figure.

    Raises InputError if shapes or the number of columns do not fit.
    """
    scales = _axes_of(real, fake, columns, most=MOST_COLUMNS)
    shown = len(scales)
    side = WIDTH if shown > 2 else WIDTH * 0.7
    figure = new_figure(side, side * 0.86)
    grid = figure.subplots(shown, shown, squeeze=False)
    for down in range(shown):
        for across in range(shown):
            axes: Axes = grid[down, across]
            if across < down:
                _scatter(axes, scales[across], scales[down])
            elif across == down:
                _margin(axes, scales[down])
            else:
                _correlations(axes, scales[across], scales[down])
                continue
            inches = 0.8 * side / shown
            _ticks(axes, scales[across], "x", labelled=down == shown - 1)
            if across < down:
                _ticks(axes, scales[down], "y", labelled=across == 0)
            if down == shown - 1:
                axes.set_xlabel(fit(columns[across].name, inches, SMALL), fontsize=SMALL, parse_math=False)
            if across == 0 < down:
                axes.set_ylabel(
                    fit(columns[down].name, 0.75 * inches, SMALL), fontsize=SMALL, parse_math=False
                )
            if across == down < shown - 1:
                axes.set_title(fit(columns[down].name, inches, SMALL), fontsize=SMALL, parse_math=False)
    letter(figure, title, _notes(scales, len(columns)), key=[_mark(DATA, "real"), _mark(MODEL, "fake")])
    return figure


@styled
def table_margins(
    real: ArrayLike, fake: ArrayLike, columns: Sequence[Drawn], *, title: str | None = None
) -> Figure:
    """Return the marginal distribution of each of the first 30 columns, one panel each, as on the diagonal of `table_pairs`.

    real, fake: (n, d) and (m, d), NaN where a cell is missing.
    columns: description of the d columns.
    title: of the figure.

    Raises InputError if shapes or the number of columns do not fit.
    """
    scales = _axes_of(real, fake, columns, most=MOST_MARGINS)
    shown = len(scales)
    across = min(3, shown)
    down = -(-shown // across)
    figure = new_figure(WIDTH, 1.45 * down + 0.4)
    panels = figure.subplots(down, across, squeeze=False).flatten()
    for axes, scale in zip(panels, scales, strict=False):
        _margin(axes, scale)
        _ticks(axes, scale, "x", labelled=True)
        axes.set_title(fit(scale.column.name, 0.8 * WIDTH / across, SMALL), fontsize=SMALL, parse_math=False)
    for axes in panels[shown:]:
        axes.set_axis_off()
    notes = [f"The first {shown} of {len(columns)} columns are shown."] if shown < len(columns) else []
    letter(figure, title, notes, key=[_mark(DATA, "real"), _mark(MODEL, "fake")])
    return figure


def _axes_of(real: ArrayLike, fake: ArrayLike, columns: Sequence[Drawn], *, most: int) -> list[_Axis]:
    """Return the axis of each of the first columns of both tables."""
    sides = [np.asarray(side, dtype=np.float64) for side in (real, fake)]
    if any(side.ndim != 2 or side.shape[1] != len(columns) or not len(columns) for side in sides):
        raise InputError(
            f"The tables have shapes {sides[0].shape} and {sides[1].shape} for {len(columns)} columns; "
            "both must be (n, d) with d columns described."
        )
    return [_axis(columns[i], sides[0][:, i], sides[1][:, i]) for i in range(min(len(columns), most))]


def _axis(column: Drawn, real: Floats, fake: Floats) -> _Axis:
    real, fake = (np.where(np.isfinite(cells), cells, np.nan) for cells in (real, fake))
    if column.kind == "category":
        return _categories(column, real, fake)
    if column.kind == "date":
        real, fake = real / _DAY, fake / _DAY
    both = [cells[~np.isnan(cells)] for cells in (real, fake)]
    limits = extent(*both)
    values = np.unique(np.concatenate(both))
    whole = column.kind == "number" and bool((values == np.rint(values)).all())
    whole = whole and len(values) > 0 and float(np.abs(values).max()) < _LARGEST_WHOLE
    inside = values[(values >= limits[0]) & (values <= limits[1])]
    if whole and len(inside) and np.ptp(inside) < MOST_WHOLE:
        edges = np.arange(inside.min() - 0.5, inside.max() + 1)
        return _Axis(
            column=column, real=real, fake=fake, limits=(edges[0], edges[-1]), edges=edges, single=True
        )
    bins = int(np.clip(2 * np.cbrt(min(map(len, both)) or 1), 8, 60))
    if (
        whole
    ):  # all bins hold the same number of whole numbers; otherwise a comb appears that is not in the data
        step = max(1.0, np.ceil((limits[1] - limits[0]) / bins))
        edges = np.arange(np.floor(limits[0]) - 0.5, limits[1] + step, step)
    else:
        edges = np.linspace(*limits, bins + 1)
    return _Axis(column=column, real=real, fake=fake, limits=limits, edges=edges)


def _categories(column: Drawn, real: Floats, fake: Floats) -> _Axis:
    """Return an axis with categories by falling mean frequency of both tables, then one bar for the rare, one for missing."""
    both = [cells[~np.isnan(cells)] for cells in (real, fake)]
    codes = np.unique(np.concatenate(both))
    shares = np.array(
        [sum(float((cells == code).mean()) for cells in both if len(cells)) for code in codes],
        dtype=np.float64,
    )
    order = codes[np.argsort(-shares, kind="stable")]
    named = order if len(order) <= MOST_NAMES + 1 else order[:MOST_NAMES]
    names = [_word(column, code) for code in named]
    if len(named) < len(order):
        names.append(f"{len(order) - len(named):,} others")
    lacking = len(names)
    if sum(map(len, both)) < len(real) + len(fake):
        names.append("missing")
    placed = []
    for cells in (real, fake):
        places = np.where(np.isnan(cells), float(lacking), float(len(named)))
        for place, code in enumerate(named):
            places[cells == code] = place
        placed.append(places)
    edges = np.arange(max(len(names), 1) + 1, dtype=np.float64) - 0.5
    return _Axis(
        column=column,
        real=placed[0],
        fake=placed[1],
        limits=(edges[0], edges[-1]),
        edges=edges,
        bars=tuple(names),
        single=True,
    )


def _word(column: Drawn, code: float) -> str:
    index = int(code)
    return plain(column.words[index]) if 0 <= index < len(column.words) else f"{code:g}"


def _margin(axes: Axes, scale: _Axis) -> None:
    top = 0.0
    for cells, pen, filled in ((scale.real, DATA, True), (scale.fake, MODEL, False)):
        present = cells[~np.isnan(cells)]
        if not len(present):
            continue
        heights = np.histogram(present, bins=scale.edges)[0] / len(present)
        if not scale.single:
            heights = heights / np.diff(scale.edges)
        colour = (*to_rgb(pen.colour), 0.22) if filled else pen.colour
        if scale.single:
            centres = (scale.edges[:-1] + scale.edges[1:]) / 2
            left = centres - (0.38 if filled else 0.0)
            axes.bar(left, heights, width=0.38, align="edge", color=colour, linewidth=0)
        else:
            axes.stairs(heights, scale.edges, fill=filled, color=colour, linewidth=0 if filled else 1.3)
        top = max(top, float(heights.max(initial=0.0)))
    axes.set(xlim=scale.limits, ylim=(0, 1.08 * top if top else 1.0))
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _scatter(axes: Axes, across: _Axis, down: _Axis) -> None:
    clouds = []
    for cells, others, pen, factor, seed in (
        (across.fake, down.fake, MODEL, 1.8, 1),
        (across.real, down.real, DATA, 1.0, 2),
    ):
        points = np.column_stack([cells, others])
        points = points[~np.isnan(points).any(axis=1)]
        rng = np.random.default_rng(seed)
        if len(points) > MOST_MARKS:
            points = points[np.sort(rng.choice(len(points), MOST_MARKS, replace=False))]
        for axis, scale in enumerate((across, down)):
            if scale.single:
                points[:, axis] += rng.uniform(-_SPREAD, _SPREAD, len(points))
        clouds.append((points, pen, factor))
    # Drawn alternately, a part of each at a time, so that neither cloud covers the other.
    for part in range(_TURNS):
        for points, pen, factor in clouds:
            axes.scatter(
                points[part::_TURNS, 0],
                points[part::_TURNS, 1],
                s=factor * float(np.clip(1500 / (len(points) + 1), 3.0, 16.0)),
                marker=pen.marker,
                color=pen.colour,
                alpha=float(np.clip(16 / np.sqrt(len(points) + 1), 0.5, 0.95)),
                linewidths=0,
            )
    axes.set(xlim=across.limits, ylim=down.limits)


def _correlations(axes: Axes, across: _Axis, down: _Axis) -> None:
    axes.set_axis_off()
    if across.column.kind != "number" or down.column.kind != "number":
        return
    for cells, others, pen, high in (
        (across.real, down.real, DATA, 0.6),
        (across.fake, down.fake, MODEL, 0.4),
    ):
        both = ~np.isnan(cells) & ~np.isnan(others)
        two = np.column_stack([cells[both], others[both]])
        two = two / np.maximum(np.abs(two).max(axis=0, initial=0.0), 1e-300)  # squares of 1e200 overflow
        spread = np.ptp(two, axis=0).min() if len(two) > 1 else 0.0
        matrix: Floats = np.atleast_2d(np.corrcoef(two.T)) if spread > 0 else np.full((2, 2), np.nan)
        r = float(matrix[0, 1])
        text = "–" if np.isnan(r) else f"{round(r, 2) + 0.0:.2f}".replace("-", "−")
        axes.text(
            0.5, high, f"r = {text}", color=pen.colour, ha="center", va="center", transform=axes.transAxes
        )


def _ticks(axes: Axes, scale: _Axis, which: Literal["x", "y"], *, labelled: bool) -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    if scale.bars is not None:
        axis.set_ticks(np.arange(len(scale.bars)))
        names = [fit(name, 0.95, SMALL) for name in scale.bars] if labelled else []
        axis.set_ticklabels(
            names or [""] * len(scale.bars),
            rotation=90 if which == "x" else 0,
            fontsize=SMALL - 1,
            parse_math=False,
        )
    elif scale.column.kind == "date" and -719_162 <= scale.limits[0] < scale.limits[1] <= 2_932_896:
        start = scale.limits[0] * _DAY
        timed = any(day - _DAY <= start and scale.limits[1] * _DAY <= day + 2 * _DAY for day in _TIMES_OF_DAY)
        locator = calendar.AutoDateLocator(minticks=2, maxticks=_TICKS + 1)  # type: ignore[no-untyped-call]
        axis.set_major_locator(locator)
        date_format = "%H:%M" if timed else _date_format(scale.limits[1] - scale.limits[0])
        axis.set_major_formatter(calendar.DateFormatter(date_format))  # type: ignore[no-untyped-call]
        if which == "x":
            axes.tick_params(axis="x", labelrotation=90)
    else:
        axis.set_major_locator(MaxNLocator(_TICKS, integer=scale.single))
    axes.tick_params(axis=which, **{"labelbottom" if which == "x" else "labelleft": labelled})


def _date_format(days: float) -> str:
    if days > 3 * 365:
        return "%Y"
    return "%Y-%m" if days > 120 else "%Y-%m-%d" if days > 3 else "%d %H:%M" if days > 0.01 else "%H:%M:%S"


def _notes(scales: list[_Axis], width: int) -> list[str]:
    notes = []
    for name, count in (("real", len(scales[0].real)), ("fake", len(scales[0].fake))):
        if not count:
            notes.append(f"There are no {name} rows to draw.")
        elif count > MOST_MARKS and len(scales) > 1:
            notes.append(
                f"Marks are {MOST_MARKS:,} of {count:,} {name} rows, chosen at random; histograms are of all."
            )
    missing = []
    for scale in scales:
        of_real, of_fake = (
            float(np.isnan(cells).mean()) if len(cells) else 0.0 for cells in (scale.real, scale.fake)
        )
        if of_real or of_fake:
            missing.append(
                f"{plain(scale.column.name)} {of_real:.1%} of real and {of_fake:.1%} of fake cells"
            )
    if missing:
        notes.append(f"Missing, and left out of the panels of that column only: {'; '.join(missing)}.")
    for scale in scales:
        for name, cells in (("real", scale.real), ("fake", scale.fake)):
            out = int(((cells < scale.limits[0]) | (cells > scale.limits[1])).sum())
            if out:
                notes.append(f"Outside the picture: {out:,} {name} cells of {plain(scale.column.name)}.")
    if len(scales) > 1 and any(scale.single for scale in scales):
        notes.append("Marks of categories and of few whole numbers are jittered at random.")
    if sum(scale.column.kind == "number" for scale in scales) > 1:
        notes.append("r is Pearson's correlation of two columns of numbers, real above fake.")
    if len(scales) < width:
        notes.append(f"The first {len(scales)} of {width} columns are shown.")
    return notes


def _mark(pen: Pen, label: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker=pen.marker, markersize=4.5, color=pen.colour, label=label)
