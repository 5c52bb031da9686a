"""Picture sets, each with training and held-out pictures: four from files, one stacked from MNIST, four generated here.

The generated ones have known factors of variation and any number of pictures: sprites of unusual sizes, and smooth discs.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from saddlepoint.errors import InputError

Bytes = NDArray[np.uint8]
ODD = {"31x47x1": (47, 31, 1), "200x64x3": (64, 200, 3), "33x33x4": (33, 33, 4)}
"""Width x height x channels, and the shape (height, width, channels) of the rows."""
FILES = {
    "mnist": "mnist.npz",
    "orl": "faces_orl",
    "cifar": "cifar10_exact4k.npz",
    "sunflowers": "fewshot_sunflowers_256",
    "stacked": "mnist.npz",
}
SMOOTH = "smooth"
DRAWN_SETS = (*ODD, SMOOTH)
SETS = (*FILES, *DRAWN_SETS)
ROUNDS = {
    "mnist": 20_000,
    "orl": 8_000,
    "cifar": 6_000,
    "sunflowers": 200,
    "stacked": 12_000,
    "31x47x1": 4_000,
    "200x64x3": 400,
    "33x33x4": 4_000,
    "smooth": 600,
}
"""Rounds of our own game: as many as one core plays in about twenty minutes; `--rounds` sets others."""
DRAWN, STACKED = 6_000, 50_000
_SEED = 20_141


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSet:
    """Training and held-out pictures (n, height, width, channels).

    name: the set's name.
    train: training pictures.
    held_out: held-out pictures.
    classes: classes of the training pictures, if the set has classes.
    held_out_classes: classes of the held-out pictures.
    flips: whether mirrored pictures are also training pictures.
    """

    name: str
    train: Bytes
    held_out: Bytes
    classes: NDArray[np.int64] | None = None
    held_out_classes: NDArray[np.int64] | None = None
    flips: bool = False


def picture_set(name: str, data: Path | None) -> PictureSet:
    """Return a set by name; `data` is the folder that holds the files.

    Raises:
        InputError: the folder is needed but not given, or does not hold the file.
    """
    if name in DRAWN_SETS:
        draw, shape = (sprites, ODD[name]) if name in ODD else (discs, ODD["31x47x1"])
        rows = draw(2 * DRAWN, shape, seed=_SEED)
        return PictureSet(name=name, train=rows[:DRAWN], held_out=rows[DRAWN:])
    path = None if data is None else data / FILES[name]
    if path is None or not path.exists():
        where = "no folder was given" if path is None else f"{data} does not hold it"
        raise InputError(f"The set {name!r} needs {FILES[name]}, and {where}: give --data FOLDER.")
    rows, classes = _opened(path)
    held_out = {"mnist": 10_000, "stacked": 10_000, "cifar": 800, "orl": 40, "sunflowers": 20}[name]
    order = np.random.default_rng(_SEED).permutation(len(rows))
    if name == "orl" and classes is not None:  # one picture of each person
        first = np.unique(classes[order], return_index=True)[1]
        order = np.concatenate([np.delete(order, first), order[first]])
    train, test = order[:-held_out], order[-held_out:]
    if name == "stacked":
        return PictureSet(
            name=name, train=stacked(rows[train], STACKED, 1), held_out=stacked(rows[test], held_out, 2)
        )
    return PictureSet(
        name=name,
        train=rows[train],
        held_out=rows[test],
        classes=None if classes is None else classes[train],
        held_out_classes=None if classes is None else classes[test],
        flips=name in ("orl", "cifar", "sunflowers"),
    )


def _opened(path: Path) -> tuple[Bytes, NDArray[np.int64] | None]:
    if path.is_dir():
        files = sorted(path.iterdir())
        rows = np.stack([_read(file) for file in files])
        people = [re.match(r"s(\d+)_", file.name) for file in files]
        if not all(people):
            return rows, None
        return rows, np.array([int(found[1]) - 1 for found in people if found], dtype=np.int64)
    with np.load(path, allow_pickle=False) as stored:
        part = "train_" if "train_images" in stored.files else ""
        rows, classes = stored[f"{part}images"], stored[f"{part}labels"].astype(np.int64)
    return (rows[..., None] if rows.ndim == 3 else rows), classes


def _read(file: Path) -> Bytes:
    with Image.open(file) as picture:
        pixels = np.asarray(picture, dtype=np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def stacked(digits: Bytes, n: int, seed: int) -> Bytes:
    """Return n pictures of three random digits each, one in each channel (arXiv 1611.02163, 1712.04086)."""
    chosen = np.random.default_rng([_SEED, seed]).integers(0, len(digits), (n, 3))
    return np.ascontiguousarray(digits[chosen][..., 0].transpose(0, 2, 3, 1))


def sprites(n: int, shape: tuple[int, int, int], *, seed: int) -> Bytes:
    """Return n pictures (height, width, channels) of a white sprite on black, with uniform and independent factors.

    Factors: shape (square, disc or bar), size, rotation, position (wholly inside), and which channels are white (at least one).
    After dSprites (Matthey et al. 2017), with antialiased edges.
    """
    height, width, channels = shape
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] + 0.5
    rows = np.empty((n, *shape), dtype=np.uint8)
    for row in rows:
        size = random.uniform(0.16, 0.3) * min(height, width)
        reach = math.sqrt(2) * size
        down = y - random.uniform(reach, height - reach)
        across = x - random.uniform(reach, width - reach)
        angle = random.uniform(0, 2 * np.pi)
        u = np.abs(np.cos(angle) * across + np.sin(angle) * down)
        v = np.abs(np.cos(angle) * down - np.sin(angle) * across)
        outside = (
            np.maximum(u, v) - size,
            np.hypot(u, v) - size,
            np.maximum(u - 1.3 * size, v - 0.5 * size),
        )[random.integers(3)]
        lit = (random.integers(1, 2**channels) >> np.arange(channels)) & 1
        row[:] = np.rint(255 * np.clip(0.5 - outside, 0, 1)[..., None] * lit)
    return rows


def discs(n: int, shape: tuple[int, int, int], *, seed: int) -> Bytes:
    """Return n pictures (height, width, channels) of a soft disc on a linear ramp, with uniform and independent factors.

    Factors: position, radius and brightness of the disc (one level per channel); slope and direction of the ramp. Grey levels
    vary smoothly over the picture, so that any roughness distinguishes a sample from data.
    """
    height, width, channels = shape
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] + 0.5
    short = min(height, width)
    rows = np.empty((n, *shape), dtype=np.uint8)
    for row in rows:
        at = random.uniform(0.25, 0.75, 2) * (height, width)
        radius = random.uniform(0.12, 0.24) * short
        angle, slope = random.uniform(0, 2 * np.pi), random.uniform(0, 60)
        ramp = slope * (np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5))
        inside = 1 / (1 + np.exp((np.hypot(y - at[0], x - at[1]) - radius) / 0.7))
        disc, ground = random.uniform(150, 250, channels), random.uniform(40, 90, channels)
        row[:] = np.rint((ground + ramp[..., None]) + inside[..., None] * (disc - ground))
    return rows
