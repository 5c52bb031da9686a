"""Sheets of pictures (Goodfellow et al. 2014, Figures 2 and 3): samples beside nearest training examples, interpolations.

Also the samples of fixed noise through the rounds. A sheet is one uint8 array that fills the figure, so at the figure's own
dpi one array element is one dot: every tile keeps its exact colours at an integer enlargement. Matplotlib draws only the
text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from saddlepoint.drawing.style import (
    DATA,
    DPI,
    FAINT,
    INK,
    MODEL,
    QUIET,
    SMALL,
    TEXT,
    TITLE,
    WASH,
    Pen,
    fit,
    styled,
    wrap,
)
from saddlepoint.errors import InputError

Pixels = NDArray[np.uint8]

WIDTH = 1536
"""Largest width of a row of tiles, in dots (8 inches)."""
TILE = 192
"""Small pictures are enlarged until their longer side has at most this many dots (1 inch)."""
_MARGIN, _GAP, _FRAME, _HAIR, _PLATE, _LABELLED = 28, 16, 4, 2, 8, 96


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Scale of a picture: one pixel is enlarge x enlarge dots, or reduce x reduce pixels are one dot."""

    enlarge: int = 1
    reduce: int = 1


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of the sheet: one picture, or several that belong together, each with the frame of its role."""

    pictures: Sequence[Pixels]
    frames: Sequence[Pen | None]
    caption: str | None = None


@dataclass(kw_only=True)
class _Words:
    text: str
    left: float
    top: float
    size: float = SMALL
    colour: str = INK
    align: str = "left"
    bold: bool = False
    swatches: Sequence[Pen] = field(default_factory=tuple)


def scale_for(height: int, width: int, *, across: int) -> Scale:
    """Return the scale for pictures of height x width pixels, `across` of them in a row.

    Enlarged by the largest integer k with k max(height, width) <= 192 dots and across k width <= 1536 dots;
    where no k >= 1 fits the row (or 1536 dots in height), reduced by the smallest integer that does.
    """
    room = max(1, WIDTH // across)
    enlarge = min(TILE // max(height, width), room // width)
    if enlarge >= 1:
        return Scale(enlarge=enlarge)
    return Scale(reduce=max(1, -(-width // room), -(-height // WIDTH)))


def tile(picture: Pixels, scale: Scale) -> Pixels:
    """Return one picture (H, W, C) as dots (h, w, 3); transparent parts show a chequerboard."""
    rgba = _rgba(picture)
    if scale.reduce > 1:
        rgba = np.asarray(Image.fromarray(rgba).reduce(scale.reduce))
    dots = rgba.repeat(scale.enlarge, axis=0).repeat(scale.enlarge, axis=1)
    if dots[..., 3].min() == 255:
        return dots[..., :3]
    down, right = np.indices(dots.shape[:2])
    board = np.where((down // 12 + right // 12) % 2, 206, 238)[..., None]
    alpha = dots[..., 3:].astype(np.int64)
    mixed: Pixels = ((dots[..., :3] * alpha + board * (255 - alpha) + 127) // 255).astype(np.uint8)
    return mixed


def _rgba(picture: Pixels) -> Pixels:
    channels = picture.shape[-1]
    colour = picture[..., :3] if channels >= 3 else picture[..., :1].repeat(3, axis=-1)
    opaque = np.full((*picture.shape[:-1], 1), 255, dtype=np.uint8)
    alpha = picture[..., -1:] if channels in (2, 4) else opaque
    return np.ascontiguousarray(np.concatenate([colour, alpha], axis=-1))


def arrange(
    rows: Sequence[Sequence[Cell]],
    *,
    scale: Scale,
    title: str,
    key: Sequence[tuple[Pen, str]] = (),
    columns: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Figure:
    """Return the cells as a figure, row by row.

    All cells hold the same number of pictures of one size. The figure is as wide as a row, and wide enough for its text.

    rows: the cells.
    scale: of all pictures.
    title: above the sheet.
    key: explains the frames.
    columns: captions above the columns.
    notes: lines below the sheet.
    """
    tiles = [[[tile(picture, scale) for picture in cell.pictures] for cell in row] for row in rows]
    heights = [dots.shape[0] for row in tiles for cell in row for dots in cell]
    widths = [_cell_width(cell) for row in tiles for cell in row]
    captioned = any(cell.caption is not None for row in rows for cell in row)
    cell_height = max(heights, default=0) + 2 * _FRAME
    inner = max(widths, default=0)
    plate = _PLATE if any(len(cell.pictures) > 1 for row in rows for cell in row) else 0
    cell_height += 2 * plate
    pitch = max(inner, _LABELLED if captioned or columns else 0) + _GAP
    across = max((len(row) for row in rows), default=0)
    grid_width = across * pitch
    page_width = max(grid_width + 2 * _MARGIN, 3 * DPI)
    inches = (page_width - 2 * _MARGIN) / DPI

    words: list[_Words] = []
    top = float(_MARGIN)
    for line in wrap(title, inches, TITLE):
        words.append(_Words(text=line, left=_MARGIN, top=top, size=TITLE, bold=True))
        top += _line(TITLE)
    for pen, meaning in key:
        words.append(_Words(text=meaning, left=_MARGIN, top=top, size=TEXT, swatches=(pen,)))
        top += _line(TEXT)
    top += 10
    if columns:
        for index, label in enumerate(columns):
            centre = _MARGIN + index * pitch + (pitch - _GAP) / 2
            text = fit(label, pitch / DPI, SMALL)
            words.append(_Words(text=text, left=centre, top=top, colour=QUIET, align="center"))
        top += _line(SMALL) + 2
    pastes: list[tuple[Pixels, int, int, Pen | None]] = []
    plates: list[tuple[int, int, int]] = []
    for row, dots_row in zip(rows, tiles, strict=True):
        for index, (cell, dots_cell) in enumerate(zip(row, dots_row, strict=True)):
            left = _MARGIN + index * pitch + (pitch - _GAP - _cell_width(dots_cell)) // 2
            if plate:
                plates.append((int(top), left, left + _cell_width(dots_cell)))
            left += plate
            for dots, frame in zip(dots_cell, cell.frames, strict=True):
                pastes.append((dots, left + _FRAME, int(top) + plate + _FRAME, frame))
                left += dots.shape[1] + 2 * _FRAME + plate
            if cell.caption is not None:
                text = fit(cell.caption, (pitch - _GAP / 2) / DPI, SMALL)
                centre = _MARGIN + index * pitch + (pitch - _GAP) / 2
                below = top + cell_height + 4
                words.append(_Words(text=text, left=centre, top=below, colour=QUIET, align="center"))
        top += cell_height + _GAP + (_line(SMALL) if captioned else 0)
    for note in notes:
        for line in wrap(note, inches, SMALL):
            words.append(_Words(text=line, left=_MARGIN, top=top, colour=QUIET))
            top += _line(SMALL)
    page = np.full((int(top) + _MARGIN, page_width, 3), 255, dtype=np.uint8)
    for high, left, right in plates:
        page[high : high + cell_height, left:right] = _rgb(WASH)
    for dots, left, high, frame in pastes:
        _paste(page, dots, left, high, frame)
    return _figure(page, words)


def _cell_width(dots: Sequence[Pixels]) -> int:
    plates = _PLATE * (len(dots) + 1) if len(dots) > 1 else 0
    return sum(int(one.shape[1]) + 2 * _FRAME for one in dots) + plates


def _line(size: float) -> int:
    return round(size * 1.5 * DPI / 72.0)


def _paste(page: Pixels, dots: Pixels, left: int, top: int, pen: Pen | None) -> None:
    height, width = dots.shape[:2]
    # A hairline separates a white picture from the white page.
    edge, colour = (_HAIR, FAINT) if pen is None else (_FRAME, pen.colour)
    page[top - edge : top + height + edge, left - edge : left + width + edge] = _rgb(colour)
    page[top : top + height, left : left + width] = dots


def _rgb(colour: str) -> Pixels:
    return np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)], dtype=np.uint8)


def _figure(page: Pixels, words: Sequence[_Words]) -> Figure:
    height, width = page.shape[:2]
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    for word in words:
        left = word.left
        for pen in word.swatches:
            side = round(word.size * DPI / 72.0)
            high = round(word.top)
            page[high : high + side, round(left) : round(left) + side] = _rgb(pen.colour)
            page[high + 5 : high + side - 5, round(left) + 5 : round(left) + side - 5] = 255
            left += side + 14
        figure.text(
            left / width,
            1.0 - word.top / height,
            word.text,
            fontsize=word.size,
            color=word.colour,
            ha=word.align,
            va="top",
            fontweight="bold" if word.bold else "normal",
            parse_math=False,
        )
    axes.imshow(page, interpolation="nearest", aspect="auto")
    return figure


MOST_SAMPLES = 100
"""Largest number of samples on one sheet: the first ones, because selected pictures prove nothing."""
MOST_ROWS, MOST_FRAMES = 10, 12


@styled
def sample_grid(
    samples: ArrayLike,
    nearest: ArrayLike | None = None,
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    title: str | None = None,
) -> Figure:
    """Return samples in reading order, each beside its nearest training example if `nearest` is given.

    As Figure 2 of Goodfellow et al. 2014. At the figure's own dpi a small picture is enlarged by an integer (`scale_for`),
    never distorted.

    samples, nearest: uint8 pictures (n, H, W, C); C is 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA.
    captions: n short texts.
    columns: samples (or pairs) in a row.
    title: of the figure.

    Raises InputError if shapes, dtypes or counts do not fit.
    """
    pictures = as_pictures(samples, "samples", dimensions=4)
    beside = None if nearest is None else as_pictures(nearest, "nearest", dimensions=4)
    if beside is not None and beside.shape[:3] != pictures.shape[:3]:
        raise InputError(
            f"nearest has shape {beside.shape} and samples {pictures.shape}; "
            "every sample needs one nearest example of the same height and width."
        )
    if captions is not None and len(captions) != len(pictures):
        raise InputError(
            f"There are {len(captions)} captions for {len(pictures)} samples; give one for each."
        )
    if columns is not None and columns < 1:
        raise InputError(f"columns is {columns}; give 1 or more, or leave it out.")
    shown = min(len(pictures), MOST_SAMPLES)
    each = 1 if beside is None else 2
    across = min(columns or _columns(shown, pictures.shape[1:3], each), max(shown, 1))
    scale = scale_for(*pictures.shape[1:3], across=across * each)
    cells = [
        Cell(
            pictures=[pictures[index]] if beside is None else [pictures[index], beside[index]],
            frames=[None] if beside is None else [MODEL, DATA],
            caption=None if captions is None else captions[index],
        )
        for index in range(shown)
    ]
    heading = "Samples" if beside is None else "Samples, each beside its nearest training example"
    left_right = ((MODEL, "left: a sample G(z)"), (DATA, "right: the training example nearest to it"))
    return arrange(
        [cells[start : start + across] for start in range(0, shown, across)],
        scale=scale,
        title=title or heading,
        key=() if beside is None else left_right,
        notes=[*_counted("sample", shown, len(pictures)), *_scaled(scale)],
    )


@styled
def strip(frames: ArrayLike, rounds: Sequence[int], *, title: str | None = None) -> Figure:
    """Return the samples of fixed noise through the rounds: one row per noise vector, rounds from left to right.

    frames: uint8 pictures (t, n, H, W, C); of more than 12 rounds, 12 evenly spaced ones are shown, with the first and the
        last; of more than 10 noise vectors, the first 10.
    rounds: the t round numbers.
    title: of the figure.

    Raises InputError if shapes or counts do not fit.
    """
    pictures = as_pictures(frames, "frames", dimensions=5)
    if len(rounds) != len(pictures):
        raise InputError(f"There are {len(rounds)} rounds for {len(pictures)} frames; give one for each.")
    moments = evenly(len(pictures), MOST_FRAMES)
    rows = min(pictures.shape[1], MOST_ROWS) if moments else 0
    scale = scale_for(*pictures.shape[2:4], across=max(len(moments), 1))
    notes = _counted("moment", len(moments), len(pictures), rule=", evenly chosen")
    return arrange(
        [[Cell(pictures=[pictures[t, row]], frames=[None]) for t in moments] for row in range(rows)],
        scale=scale,
        title=title or "The same noise through the rounds",
        columns=[f"round {rounds[t]:,}" if t == moments[0] else f"{rounds[t]:,}" for t in moments],
        notes=[*notes, *_counted("noise vector", rows, pictures.shape[1]), *_scaled(scale)],
    )


@styled
def interpolation(frames: ArrayLike, *, title: str | None = None) -> Figure:
    """Return pictures along straight lines in noise space, one row per line, as Figure 3 of Goodfellow et al. 2014.

    frames: uint8 pictures (rows, steps, H, W, C); of more than 12 steps, 12 evenly spaced ones are shown, with both ends; of
        more than 10 rows, the first 10.
    title: of the figure.

    Raises InputError if the shape or dtype does not fit.
    """
    pictures = as_pictures(frames, "frames", dimensions=5)
    steps = evenly(pictures.shape[1], MOST_FRAMES) if len(pictures) else []
    rows = min(len(pictures), MOST_ROWS)
    scale = scale_for(*pictures.shape[2:4], across=max(len(steps), 1))
    last = max(pictures.shape[1] - 1, 1)
    labels = [f"{step / last:.2f}".rstrip("0").rstrip(".") for step in steps]
    notes = ["Numbers: how far along the line from one noise vector (0) to another (1)."] if rows else []
    return arrange(
        [[Cell(pictures=[pictures[row, step]], frames=[None]) for step in steps] for row in range(rows)],
        scale=scale,
        title=title or "Along straight lines in noise space",
        columns=labels,
        notes=[
            *notes,
            *_counted("step", len(steps), pictures.shape[1], rule=", evenly chosen"),
            *_counted("line", rows, len(pictures)),
            *_scaled(scale),
        ],
    )


def as_pictures(value: ArrayLike, what: str, *, dimensions: int) -> Pixels:
    """Return `value` as uint8 pictures, (n, H, W, C) for 4 `dimensions`, (t, n, H, W, C) for 5.

    Raises InputError naming the shape and dtype that were given.
    """
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:  # ragged lists, tensors on another device
        raise InputError(f"{what} cannot be read as one array of pictures: {error}.") from error
    wanted = "(n, height, width, channels)" if dimensions == 4 else "(t, n, height, width, channels)"
    good = array.ndim == dimensions and array.shape[-1] in (1, 2, 3, 4) and min(array.shape[-3:]) > 0
    if not good or array.dtype != np.uint8:
        raise InputError(
            f"{what} has shape {array.shape} and dtype {array.dtype}; give uint8 pictures of shape {wanted} "
            "with 1 to 4 channels."
        )
    return array


def evenly(count: int, most: int) -> list[int]:
    """Return at most `most` of the indices 0 .. count - 1, evenly spaced, including the first and the last.

    >>> evenly(9, 5), evenly(2, 5)
    ([0, 2, 4, 6, 8], [0, 1])
    """
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]


def _columns(count: int, size: tuple[int, ...], each: int) -> int:
    """Return the number of columns that makes the sheet about square, at most 12 pictures across."""
    height, width = size
    ideal = math.ceil(math.sqrt(max(count, 1) * height / (width * each)))
    return max(1, min(ideal, 12 // each))


def _counted(thing: str, shown: int, given: int, *, rule: str = "") -> list[str]:
    if given == 0:
        return [f"There are no {thing}s to show."]
    if shown == given:
        return []
    first = "The first " if not rule else ""
    return [f"{first}{shown:,} of {given:,} {thing}s are shown{rule}."]


def _scaled(scale: Scale) -> list[str]:
    if scale.reduce == 1:
        return []
    return [f"Pictures are reduced 1:{scale.reduce} in height and width."]
