"""Mirror images, where the user says that left and right are alike: the law to learn is then that of x or its mirror image.

Training pictures are there twice, once mirrored, so that both are played alike often and copies of either are found. Of
held-back pictures each is mirrored by a coin: they stay independent draws from that law, which the judge's bound needs.

One picture file as numbers: PNG, JPEG, WebP, TIFF or BMP, upright, as (H, W, C) uint8.

Pictures brought to one size: scaled to cover it and cropped, or scaled to lie within it and padded.
"""

from __future__ import annotations

import logging
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from saddlepoint.compute import numpy_generator
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.untrusted import library_failures_as_input_error
from saddlepoint.errors import InputError, nearest
from saddlepoint.names import OTHER_SIZES

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
MOST_SIDE = 4096


@dataclass(frozen=True, kw_only=True)
class TargetSize:
    """The size that all pictures get, and what is done to those that have another.

    other_sizes: "crop" scales a picture until it covers the size and cuts off what stands out on both sides alike; "pad"
    scales it until it lies within, and puts black (see-through, where there is opacity) on both sides alike; "refuse"
    refuses it. Scaling is by Lanczos' filter.
    """

    width: int
    height: int
    other_sizes: str = "crop"

    @classmethod
    def parse(cls, resolution: str | None, other_sizes: str | None) -> TargetSize | None:
        """Return the sizing that "64x48" (width x height) and a name ask for; None where nothing was asked.

        Raises:
            InputError: either is not understood, or there is a name without a size.
        """
        if other_sizes is not None and other_sizes not in OTHER_SIZES:
            raise InputError(
                f"Unknown way {other_sizes!r} with pictures of other sizes{nearest(other_sizes, OTHER_SIZES) or '.'} "
                f"Allowed are {', '.join(OTHER_SIZES)}."
            )
        if resolution is None:
            if other_sizes is not None:
                raise InputError(
                    f"other sizes are to be handled by {other_sizes!r}, but other than which is not said; give the "
                    "resolution too, as 64x48."
                )
            return None
        found = re.fullmatch(r"\s*(\d{1,5})\s*[xX×]\s*(\d{1,5})\s*", str(resolution))
        width, height = (int(side) for side in found.groups()) if found else (0, 0)
        if not (1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE):
            raise InputError(
                f"The resolution {resolution!r} is not understood; write WIDTHxHEIGHT, such as 64x48, with sides of 1 to "
                f"{MOST_SIDE:,}."
            )
        return cls(width=width, height=height, other_sizes=other_sizes or "crop")

    def apply(self, picture: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
        """Return one picture (H, W, C) as (height, width, C); one that has the size already comes back as it is.

        Raises:
            InputError: it has another size, and these are to be refused.
        """
        had_height, had_width, channels = picture.shape
        if (had_height, had_width) == (self.height, self.width):
            return picture
        if self.other_sizes == "refuse":
            raise InputError(
                f"{name} is {had_width} wide x {had_height} high, not {self.width} x {self.height}, and other sizes are to "
                "be refused; take 'crop' or 'pad', or leave it out."
            )
        scales = self.width / had_width, self.height / had_height
        scale = max(scales) if self.other_sizes == "crop" else min(scales)
        image = Image.fromarray(picture[..., 0] if channels == 1 else picture, _MODES[channels])
        if self.other_sizes == "crop":
            wide, high = self.width / scale, self.height / scale
            left, top = (had_width - wide) / 2, (had_height - high) / 2
            box = (max(0.0, left), max(0.0, top), min(had_width, left + wide), min(had_height, top + high))
            done = np.asarray(image.resize((self.width, self.height), Image.Resampling.LANCZOS, box=box))
            return done.reshape(self.height, self.width, channels)
        wide, high = max(1, round(had_width * scale)), max(1, round(had_height * scale))
        small = np.asarray(image.resize((wide, high), Image.Resampling.LANCZOS)).reshape(high, wide, channels)
        out = np.zeros((self.height, self.width, channels), dtype=np.uint8)
        top, left = (self.height - high) // 2, (self.width - wide) // 2
        out[top : top + high, left : left + wide] = small
        return out

    def apply_to_all(self, pictures: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
        """Return pictures (n, H, W, C) as (n, height, width, C); InputError as `apply`."""
        if pictures.shape[1:3] == (self.height, self.width):
            return pictures
        return np.stack([self.apply(each, f"{name}[{index}]") for index, each in enumerate(pictures)])

    def said(self, changed: int) -> str:
        """Return in words what was done to so many pictures of another size."""
        how = "cropped about their middle" if self.other_sizes == "crop" else "padded with black"
        what = (
            "1 picture of another size was" if changed == 1 else f"{changed:,} pictures of other sizes were"
        )
        return f"{what} scaled and {how} to {self.width} x {self.height}"


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
class DecodeNotes:
    """What is to be said of the pictures read: warnings of Pillow, how many had 16 bits, how many another size."""

    warnings: list[str] = field(default_factory=list)
    deep: int = 0
    resized: int = 0

    def add(self, other: DecodeNotes) -> None:
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
    source: Path | IO[bytes], name: str, *, asides: DecodeNotes, target_size: TargetSize | None = None
) -> npt.NDArray[np.uint8]:
    """Return one picture as (H, W, C) uint8, C from 1 (grey) to 4 (colour and opacity), turned upright by its EXIF.

    16 bits of grey are brought to 8. To be called inside `warnings_by_thread`; what Pillow warns of (damaged EXIF and
    other metadata) is put into `asides`.

    Raises:
        InputError: truncated or damaged, too many pixels, 32 bits a channel, several frames, or a size to be refused.
    """
    _OF_THIS_THREAD.said = said = list[str]()
    with library_failures_as_input_error(name, "a picture"):
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
        if target_size is not None:
            asides.resized += array.shape[:2] != (target_size.height, target_size.width)
            array = target_size.apply(array, name)
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


def refuse_flips(dataset: Dataset) -> Dataset:
    """Return the pictures with flips asked for; InputError for rows that are no pictures."""
    if dataset.kind != "pictures":
        raise InputError(
            f"{dataset.name} holds {dataset.kind}; mirror images (--flips) are for pictures: leave it out."
        )
    return replace(dataset, flips=True)


def with_mirror_images(train: Dataset) -> Dataset:
    """Return training pictures followed by their mirror images, with the same labels and groups."""
    twice = train.take(np.tile(np.arange(len(train)), 2))
    twice.rows[len(train) :] = train.rows[:, :, ::-1]
    return twice


def mirrored_at_random(held: Dataset, seed: int, purpose: str) -> Dataset:
    """Return held-back pictures, each mirrored with probability 1/2 by the stream (seed, purpose)."""
    mirrored = numpy_generator(seed, f"flips/{purpose}").random(len(held)) < 0.5
    rows = held.rows.copy()
    rows[mirrored] = rows[mirrored][:, :, ::-1]
    return replace(held, rows=rows)
