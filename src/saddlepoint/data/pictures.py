"""One picture file as numbers: PNG, JPEG, WebP, TIFF or BMP, upright, as (H, W, C) uint8."""

from __future__ import annotations

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from saddlepoint.data.reading import foreign_failures
from saddlepoint.data.sizing import Sizing
from saddlepoint.errors import InputError

# Pillow logs what it then raises; without a handler of the user's own that would be a second message.
logging.getLogger("PIL").addHandler(logging.NullHandler())

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
MOST_PIXELS = 2**26
"""A picture of more pixels than this (67 million) is taken for a decompression bomb."""

_KEPT = {
    "L": "L",
    "LA": "LA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "1": "L",
    "La": "LA",
    "RGBa": "RGBA",
    "PA": "RGBA",
}


@dataclass
class Asides:
    """What is to be said of the pictures read: warnings of Pillow, how many had 16 bits, how many another size."""

    warnings: list[str] = field(default_factory=list)
    deep: int = 0
    resized: int = 0

    def add(self, other: Asides) -> None:
        """Take in what is to be said of other pictures."""
        self.warnings += other.warnings
        self.deep, self.resized = self.deep + other.deep, self.resized + other.resized


_OF_THIS_THREAD = threading.local()


@contextmanager
def warnings_by_thread() -> Iterator[None]:
    """Let `read_picture` be called by several threads inside: each warning goes to the picture that its thread reads."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        said = getattr(_OF_THIS_THREAD, "said", None)
        if said is not None:
            said.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield


def read_picture(
    source: Path | IO[bytes], name: str, *, asides: Asides, sizing: Sizing | None = None
) -> npt.NDArray[np.uint8]:
    """Return one picture as (H, W, C) uint8, C from 1 (grey) to 4 (colour and opacity), turned upright by its EXIF.

    16 bits of grey are brought to 8. To be called inside `warnings_by_thread`; what Pillow warns of (damaged EXIF and
    other metadata) is put into `asides`.

    Raises:
        InputError: truncated or damaged, too many pixels, 32 bits a channel, several frames, or a size to be refused.
    """
    _OF_THIS_THREAD.said = said = list[str]()
    with foreign_failures(name, "a picture"):
        try:
            opened = Image.open(source, formats=FORMATS)
        except Image.DecompressionBombError:
            raise InputError(_too_many(name, "far too many")) from None
        except UnidentifiedImageError:
            kinds = ", ".join(FORMATS)
            raise InputError(f"{name} is no picture, or a damaged one; allowed are {kinds}.") from None
        with opened as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                raise InputError(_too_many(name, f"{width} x {height}"))
            if getattr(picture, "n_frames", 1) > 1:
                frames = picture.n_frames  # type: ignore[attr-defined]
                raise InputError(f"{name} holds {frames} frames; save each as a picture of its own.")
            deep = picture.mode.startswith("I;16")
            if picture.mode.startswith(("I", "F")) and not deep:
                raise InputError(
                    f"{name} has more than 16 bits a channel (mode {picture.mode}); save it with 8."
                )
            picture.load()
            upright = ImageOps.exif_transpose(picture)
            array = _of_16_bits(upright) if deep else _numbers(upright)
        asides.deep += deep
        if sizing is not None:
            asides.resized += array.shape[:2] != (sizing.height, sizing.width)
            array = sizing.apply(array, name)
    asides.warnings += [f"{name}: {one}" for one in said]
    return array


def _of_16_bits(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """Return grey of 16 bits as (H, W, 1) of 8: 65,535 becomes 255."""
    deep = np.asarray(picture).astype(np.uint32)
    return ((deep + 128) // 257).astype(np.uint8)[..., None]


def _too_many(name: str, pixels: str) -> str:
    limit = f"the limit is {MOST_PIXELS:,} (against decompression bombs)"
    return f"{name} has {pixels} pixels, {limit}; scale it down."


def _numbers(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """Return a loaded picture as (H, W, C); a palette and colour spaces other than RGB become RGB."""
    mode = _KEPT.get(picture.mode)
    if mode is None:
        mode = "RGBA" if picture.mode == "P" and "transparency" in picture.info else "RGB"
    array: npt.NDArray[Any] = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    return array[..., None] if array.ndim == 2 else array


def with_channels(pictures: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    """Return pictures (..., C) with more channels: grey repeated into colour, full opacity where none was."""
    had = pictures.shape[-1]
    if had == channels:
        return pictures
    colour = pictures[..., : had - 1 if had in (2, 4) else had]
    opacity = pictures[..., -1:] if had in (2, 4) else np.full_like(pictures[..., :1], 255)
    if channels >= 3 and colour.shape[-1] == 1:
        colour = np.repeat(colour, 3, axis=-1)
    return np.concatenate([colour, opacity], axis=-1) if channels in (2, 4) else colour


def common_channels(first: int, second: int) -> int:
    """Return the fewest channels that hold both: colour if either has it, opacity if either has it."""
    return (3 if max(first, second) >= 3 else 1) + (first in (2, 4) or second in (2, 4))
