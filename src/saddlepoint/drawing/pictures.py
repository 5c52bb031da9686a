"""Sheets of pictures: samples beside their nearest training examples (the paper's Figure 2), the same noise
through the rounds, and straight lines through noise space (Figure 3). Goodfellow et al. 2014, section 5.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from saddlepoint.drawing.sheet import Cell, Pixels, Scale, arrange, scale_for
from saddlepoint.drawing.style import DATA, MODEL, styled
from saddlepoint.errors import InputError

MOST_SAMPLES = 100
"""Samples on one sheet at most: the first ones, since a chosen picture proves nothing."""
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

    `samples` and `nearest` are uint8 pictures (n, H, W, C) with C of 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA;
    `captions` are n short texts; `columns` counts samples (pairs) in a row. At the figure's own dpi a small
    picture is enlarged by an integer (`sheet.scale_for`), never distorted.

    Raises InputError if shapes, dtypes or counts do not fit. Source: the manner of Goodfellow et al. 2014,
    Figure 2.
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
    """Return what the same noise becomes through the rounds: one row a noise vector, time from left to right.

    `frames` are uint8 pictures (t, n, H, W, C), `rounds` their t round numbers. Of more than 12 moments 12
    are shown, evenly chosen with the first and the last; of more than 10 noise vectors the first 10.

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
    """Return pictures along straight lines in noise space: one row a line, from its start to its end.

    `frames` are uint8 pictures (rows, steps, H, W, C). Of more than 12 steps 12 are shown, evenly chosen with
    both ends; of more than 10 rows the first 10.

    Raises InputError if the shape or dtype does not fit. Source: Goodfellow et al. 2014, Figure 3.
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
    """Return at most `most` of the indices 0 .. count - 1, evenly spaced, the first and the last among them.

    >>> evenly(9, 5), evenly(2, 5)
    ([0, 2, 4, 6, 8], [0, 1])
    """
    if count <= most:
        return list(range(count))
    return [round(index * (count - 1) / (most - 1)) for index in range(most)]


def _columns(count: int, size: tuple[int, ...], each: int) -> int:
    """Return how many columns make the sheet about as wide as high, at most 12 pictures across."""
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
