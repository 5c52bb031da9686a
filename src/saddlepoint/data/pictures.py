"""One picture file as numbers: PNG, JPEG, WebP, TIFF or BMP of 8 bits, upright, as (H, W, C) uint8."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from saddlepoint.data.reading import foreign_bytes
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


def read_picture(source: Path | IO[bytes], name: str, *, said: list[str]) -> npt.NDArray[np.uint8]:
    """Return one picture as (H, W, C) uint8, C from 1 (grey) to 4 (colour and opacity), turned upright by its
    EXIF.

    What Pillow warns of (damaged EXIF and other metadata) is put into `said`.

    Raises:
        InputError: truncated or damaged, too many pixels, more than 8 bits a channel, several frames.
    """
    with foreign_bytes(name, "a picture"), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
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
            if picture.mode.startswith(("I", "F")):
                raise InputError(
                    f"{name} has more than 8 bits a channel (mode {picture.mode}); save it with 8."
                )
            picture.load()
            array = _numbers(ImageOps.exif_transpose(picture))
    said.extend(f"{name}: {one.message}" for one in caught)
    return array


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
