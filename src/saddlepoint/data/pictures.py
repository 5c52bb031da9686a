"""Image loading and preprocessing: decoding files, resizing to one size, and horizontal flips.

`read_picture` decodes a PNG, JPEG, WebP, TIFF or BMP file to (H, W, C) uint8, upright. `TargetSize` resizes by cropping
or padding.

Flips (`--flips`) are for data whose left and right are interchangeable: the distribution to learn is then that of x or its
mirror image, each with probability 1/2. The training set holds every picture and its mirror image, so that G and D see both
equally often and the memorisation test finds copies of either. Each held-out picture is mirrored with probability 1/2, so
that held-out pictures stay independent draws from that distribution, which the judge's bound requires.
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
from saddlepoint.errors import InputError, one_of
from saddlepoint.names import OTHER_SIZES

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
MOST_SIDE = 4096


@dataclass(frozen=True, kw_only=True)
class TargetSize:
    """The size of all pictures, and what to do with pictures of another size.

    width, height: the size in pixels.
    other_sizes: "crop" scales a picture (Lanczos filter) until it covers the size, and crops it about its centre; "pad"
        scales it until it fits inside, and centres it on black (transparent, if there is an alpha channel); "refuse"
        raises InputError.
    """

    width: int
    height: int
    other_sizes: str = "crop"

    @classmethod
    def parse(cls, resolution: str | None, other_sizes: str | None) -> TargetSize | None:
        """Return the target size; None if neither option was given.

        resolution: "64x48", width x height.
        other_sizes: "crop", "pad" or "refuse"; None: "crop".

        Raises:
            InputError: an option is not valid, or `other_sizes` was given without `resolution`.
        """
        if other_sizes is not None:
            one_of("other_sizes", other_sizes, OTHER_SIZES)
        if resolution is None:
            if other_sizes is not None:
                raise InputError(
                    f"other sizes ({other_sizes!r}) was given without a resolution; give the resolution too, such as 64x48."
                )
            return None
        found = re.fullmatch(r"\s*(\d{1,5})\s*[xX×]\s*(\d{1,5})\s*", str(resolution))
        width, height = (int(side) for side in found.groups()) if found else (0, 0)
        if not (1 <= width <= MOST_SIDE and 1 <= height <= MOST_SIDE):
            raise InputError(
                f"The resolution {resolution!r} is not valid; write WIDTHxHEIGHT, such as 64x48, with sides of 1 to "
                f"{MOST_SIDE:,}."
            )
        return cls(width=width, height=height, other_sizes=other_sizes or "crop")

    def apply(self, picture: npt.NDArray[np.uint8], name: str) -> npt.NDArray[np.uint8]:
        """Return one picture (H, W, C) as (height, width, C); a picture of that size is returned unchanged.

        Raises:
            InputError: the picture has another size, and `other_sizes` is "refuse".
        """
        had_height, had_width, channels = picture.shape
        if (had_height, had_width) == (self.height, self.width):
            return picture
        if self.other_sizes == "refuse":
            raise InputError(
                f"{name} is {had_width} wide x {had_height} high, not {self.width} x {self.height}, and other sizes are "
                "refused; choose 'crop' or 'pad', or leave this picture out."
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
        """Return pictures (n, H, W, C) as (n, height, width, C). Raises InputError as `apply` does."""
        if pictures.shape[1:3] == (self.height, self.width):
            return pictures
        return np.stack([self.apply(each, f"{name}[{index}]") for index, each in enumerate(pictures)])

    def describe(self, changed: int) -> str:
        """Return a sentence: what was done to the `changed` pictures of another size."""
        how = "cropped about their centre" if self.other_sizes == "crop" else "padded with black"
        what = (
            "1 picture of another size was" if changed == 1 else f"{changed:,} pictures of other sizes were"
        )
        return f"{what} scaled and {how} to {self.width} x {self.height}"


# Pillow logs an error before it raises it. Without a handler of the user's own, this would print the message doubled.
logging.getLogger("PIL").addHandler(logging.NullHandler())

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
MOST_PIXELS = 2**26
"""A picture with more pixels than this (67 million) is refused as a decompression bomb."""

_MODE_READ = {**{mode: mode for mode in _MODES.values()}, "1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}


@dataclass
class DecodeNotes:
    """What to report about the pictures read.

    warnings: warnings of Pillow, with the names of the pictures.
    deep: number of pictures with 16 bits a channel.
    resized: number of pictures that had another size.
    """

    warnings: list[str] = field(default_factory=list)
    deep: int = 0
    resized: int = 0

    def add(self, other: DecodeNotes) -> None:
        """Add the notes on other pictures."""
        self.warnings += other.warnings
        self.deep, self.resized = self.deep + other.deep, self.resized + other.resized


_THREAD = threading.local()


@contextmanager
def warnings_by_thread() -> Iterator[None]:
    """Allow several threads to call `read_picture`: each warning is recorded for the picture that its thread reads."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        caught = getattr(_THREAD, "caught", None)
        if caught is not None:
            caught.append(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = show
        yield


def read_picture(
    source: Path | IO[bytes], name: str, *, notes: DecodeNotes, target_size: TargetSize | None = None
) -> npt.NDArray[np.uint8]:
    """Return one picture as (H, W, C) uint8, turned upright by its EXIF orientation.

    C is 1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA). Grey of 16 bits is converted to 8. Call it inside
    `warnings_by_thread`.

    source: path or open file.
    name: what messages call the picture.
    notes: receives Pillow's warnings (damaged EXIF and other metadata) and the counts.
    target_size: size to bring the picture to; None: its own.

    Raises:
        InputError: truncated or damaged, too many pixels, 32 bits a channel, several frames, or a size that is refused.
    """
    _THREAD.caught = caught = list[str]()
    with library_failures_as_input_error(name, "a picture"):
        try:
            opened = Image.open(source, formats=FORMATS)
        except Image.DecompressionBombError:
            raise InputError(_too_many(name, "far too many")) from None
        except UnidentifiedImageError:
            formats = ", ".join(FORMATS)
            raise InputError(f"{name} is not a picture, or is damaged; allowed are {formats}.") from None
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
            array = _from_16_bits(upright) if deep else _to_array(upright)
        notes.deep += deep
        if target_size is not None:
            notes.resized += array.shape[:2] != (target_size.height, target_size.width)
            array = target_size.apply(array, name)
    notes.warnings += [f"{name}: {warning}" for warning in caught]
    return array


def _from_16_bits(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """Return a grey picture of 16 bits as (H, W, 1) uint8; 65,535 becomes 255."""
    deep = np.asarray(picture).astype(np.uint32)
    return ((deep + 128) // 257).astype(np.uint8)[..., None]


def _too_many(name: str, pixels: str) -> str:
    limit = f"the limit is {MOST_PIXELS:,} (against decompression bombs)"
    return f"{name} has {pixels} pixels, {limit}; scale it down."


def _to_array(picture: Image.Image) -> npt.NDArray[np.uint8]:
    """Return a loaded picture as (H, W, C); palettes and other colour spaces are converted to RGB or RGBA."""
    mode = _MODE_READ.get(picture.mode)
    if mode is None:
        mode = "RGBA" if picture.mode == "P" and "transparency" in picture.info else "RGB"
    array: npt.NDArray[Any] = np.asarray(picture if picture.mode == mode else picture.convert(mode))
    return array[..., None] if array.ndim == 2 else array


def with_channels(pictures: npt.NDArray[np.uint8], channels: int) -> npt.NDArray[np.uint8]:
    """Return pictures (..., C) with more channels: grey repeated as RGB, and an opaque alpha channel added."""
    had = pictures.shape[-1]
    if had == channels:
        return pictures
    colour = pictures[..., : had - 1 if had in (2, 4) else had]
    alpha = pictures[..., -1:] if had in (2, 4) else np.full_like(pictures[..., :1], 255)
    if channels >= 3 and colour.shape[-1] == 1:
        colour = np.repeat(colour, 3, axis=-1)
    return np.concatenate([colour, alpha], axis=-1) if channels in (2, 4) else colour


def common_channels(first: int, second: int) -> int:
    """Return the smallest number of channels that holds both: RGB if either has it, alpha if either has it."""
    return (3 if max(first, second) >= 3 else 1) + (first in (2, 4) or second in (2, 4))


def refuse_flips(dataset: Dataset) -> Dataset:
    """Return the dataset with `flips` set. Raises InputError if its rows are not pictures."""
    if dataset.kind != "pictures":
        raise InputError(
            f"{dataset.name} holds {dataset.kind}; mirror images (--flips) are for pictures only; leave the option out."
        )
    return replace(dataset, flips=True)


def with_mirror_images(train: Dataset) -> Dataset:
    """Return the training pictures followed by their mirror images, with the same labels and groups."""
    doubled = train.take(np.tile(np.arange(len(train)), 2))
    doubled.rows[len(train) :] = train.rows[:, :, ::-1]
    return doubled


def mirrored_at_random(pictures: Dataset, seed: int, purpose: str) -> Dataset:
    """Return held-out pictures, each mirrored with probability 1/2; (seed, purpose) choose the random stream."""
    mirrored = numpy_generator(seed, f"flips/{purpose}").random(len(pictures)) < 0.5
    rows = pictures.rows.copy()
    rows[mirrored] = rows[mirrored][:, :, ::-1]
    return replace(pictures, rows=rows)
