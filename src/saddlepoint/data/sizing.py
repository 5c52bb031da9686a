"""Pictures brought to one size: scaled to cover it and cropped, or scaled to lie within it and padded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from saddlepoint.errors import InputError, nearest
from saddlepoint.names import OTHER_SIZES

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
MOST_SIDE = 4096


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """The size that all pictures get, and what is done to those that have another.

    other_sizes: "crop" scales a picture until it covers the size and cuts off what stands out on both sides alike; "pad"
    scales it until it lies within, and puts black (see-through, where there is opacity) on both sides alike; "refuse"
    refuses it. Scaling is by Lanczos' filter.
    """

    width: int
    height: int
    other_sizes: str = "crop"

    @classmethod
    def parse(cls, resolution: str | None, other_sizes: str | None) -> Sizing | None:
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
