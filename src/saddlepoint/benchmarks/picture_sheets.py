"""Sheets of made pictures: each beside the training picture nearest to it, and a shuffled one for eyes that do not know."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from saddlepoint.benchmarks.picture_sets import Bytes
from saddlepoint.drawing.pictures import sample_grid
from saddlepoint.drawing.style import to_png
from saddlepoint.runs.figures import nearest_rows

_SHOWN, _OF_EACH, _ACROSS, _GAP = 18, 20, 8, 8


def beside_nearest(path: Path, made: Bytes, train: Bytes) -> None:
    """Write the first 18 made pictures, none chosen, each beside its nearest training picture."""
    shown = made[:_SHOWN]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_png(sample_grid(shown, nearest_rows(shown, train), columns=6), colours=128))


def shuffled(path: Path, made: Bytes, real: Bytes, *, seed: int = 0) -> None:
    """Write 20 real and 20 made pictures in random order, numbered in reading order from 1, and beside them the key (.json).

    Small pictures are enlarged four times, by repeating pixels.
    """
    order = np.random.default_rng(seed).permutation(2 * _OF_EACH)
    rows = np.concatenate([real[:_OF_EACH], made[:_OF_EACH]])[order]
    times = 4 if max(rows.shape[1:3]) <= 64 else 1
    rows = rows.repeat(times, 1).repeat(times, 2)
    _, height, width, channels = rows.shape
    down = -(-len(rows) // _ACROSS)
    sheet = np.full((down * (height + _GAP), _ACROSS * (width + _GAP), channels), 128, dtype=np.uint8)
    for index, row in enumerate(rows):
        y, x = (place * (side + _GAP) for place, side in zip(divmod(index, _ACROSS), (height, width)))
        sheet[y : y + height, x : x + width] = row
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet[..., :3]).save(path)
    key = {str(index + 1): "real" if place < _OF_EACH else "made" for index, place in enumerate(order)}
    path.with_suffix(".json").write_text(json.dumps(key, indent=1) + "\n")
