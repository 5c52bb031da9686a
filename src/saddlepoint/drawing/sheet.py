"""A sheet of pictures, composed pixel by pixel: every tile keeps its exact colours at an integer enlargement.

The sheet is one uint8 array that fills the figure, so that at the figure's own dpi one array element is one
dot; only the words are drawn by matplotlib.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from saddlepoint.drawing.style import DPI, FAINT, INK, QUIET, SMALL, TEXT, TITLE, WASH, Pen
from saddlepoint.drawing.text import fit, wrap

Pixels = NDArray[np.uint8]

WIDTH = 1536
"""The most dots (8 inches) that the tiles of one row take together."""
TILE = 192
"""Small pictures are enlarged until their longer side takes this many dots (1 inch) at most."""
_MARGIN, _GAP, _FRAME, _HAIR, _PLATE, _LABELLED = 28, 16, 4, 2, 8, 96


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How a picture is shown: a pixel as enlarge x enlarge dots, or reduce x reduce pixels as one dot."""

    enlarge: int = 1
    reduce: int = 1


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One place of the sheet: a picture or several that belong together, each with the frame of its role."""

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
    """Return one picture (H, W, C) as its dots (h, w, 3); what is transparent shows a chequerboard."""
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
    """Return the cells as a figure, row by row; `key` explains frames, `columns` stand over the columns.

    Every cell holds equally many pictures of one size; the figure is as wide as the row, and wide enough for
    its words.
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
    # A hairline keeps a white picture from melting into the paper.
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
