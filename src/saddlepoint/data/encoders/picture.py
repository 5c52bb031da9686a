"""Picture encoder: grey level x in 0..levels becomes low + (1 - low) f(x), with low 0 or -1.

f(x) = x / levels. With a margin m, black and white stay at 0 and 1, and all levels between become m + (1 - 2 m) x / levels. In
pictures that are mostly black, a generator's last units come near 0 but never reach it: with a margin, everything below it is
decoded as black, not as faint grey.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from saddlepoint.errors import InputError, StoredFileError

_MARGIN, _MANY_AT_THE_ENDS = 0.02, 0.1


@dataclass(frozen=True, kw_only=True)
class PicturesEncoder:
    """uint8 pictures (n, H, W, C) <-> float tensors (n, C, H, W) in [low, 1]; the round trip is exact.

    height, width, channels: of each picture.
    levels: the highest grey level.
    low: the encoded value of black, 0 or -1.
    margin: m, from 0 to below 1/4.
    mean: the mean of f for each encoded value, flat in the order C, H, W; may be empty.
    """

    height: int
    width: int
    channels: int
    levels: int = 255
    low: int = 0
    margin: float = 0.0
    mean: tuple[float, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.low not in (0, -1):
            raise InputError(f"low is {self.low}; give 0 (pictures in [0, 1]) or -1 (pictures in [-1, 1]).")
        if not 0 <= self.margin < 0.25:
            raise InputError(f"margin is {self.margin}; give a share of the range from 0 to below 1/4.")
        if not 1 <= self.levels <= 255:
            raise InputError(f"levels is {self.levels}; give the highest grey level, from 1 to 255.")
        if min(self.height, self.width) < 1 or not 1 <= self.channels <= 4:
            raise InputError(
                f"pictures of {self.height} x {self.width} with {self.channels} channels cannot be encoded; "
                "height and width must be 1 or more, channels 1 to 4."
            )
        if self.mean and len(self.mean) != math.prod(self.shape):
            raise InputError(
                f"there are {len(self.mean)} pixel means for pictures of shape {self.shape}; give one for each value."
            )

    @classmethod
    def fit(
        cls, rows: npt.NDArray[Any], *, levels: int = 255, low: int = 0, margin: float = 0.0
    ) -> PicturesEncoder:
        """Return the encoder of pictures (n, H, W, C) uint8; InputError for any other array."""
        if rows.ndim != 4 or rows.dtype != np.uint8 or rows.size == 0:
            raise InputError(
                f"pictures must be a non-empty (n, H, W, C) uint8 array, not {rows.shape} {rows.dtype}."
            )
        _, height, width, channels = rows.shape
        total = np.zeros(rows.shape[1:])
        for start in range(0, len(rows), 1024):
            part = rows[start : start + 1024]
            total += (1 - 2 * margin) / levels * part.sum(axis=0, dtype=np.float64)
            if margin:
                total += margin * (len(part) - (part == 0).sum(axis=0) + (part == levels).sum(axis=0))
        fractions = (total / len(rows)).transpose(2, 0, 1).ravel()
        # Six decimals (far below one grey level) keep the JSON of a large picture small.
        mean = tuple(round(value, 6) for value in fractions.tolist())
        return cls(
            height=height,
            width=width,
            channels=channels,
            levels=levels,
            low=low,
            margin=margin,
            mean=mean,
        )

    @property
    def kind(self) -> str:
        """Return "pictures"."""
        return "pictures"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (channels, height, width)."""
        return (self.channels, self.height, self.width)

    @cached_property
    def mean_encoded(self) -> torch.Tensor:
        """Return the mean encoded picture (C, H, W) float32; the middle of the range if no means are stored."""
        mean = np.array(self.mean).reshape(self.shape) if self.mean else np.full(self.shape, 0.5)
        return torch.from_numpy(self.low + (1 - self.low) * mean).to(torch.float32)

    def variance(self, rows: npt.NDArray[Any], *, most: int = 1000) -> float:
        """Return the mean squared distance of encoded pictures (n, H, W, C) from their mean, from at most `most` of them."""
        some = self.encode(rows[:: -(-len(rows) // most)])
        return float((some - self.mean_encoded).square().flatten(1).sum(1).mean())

    def curvature(self, rows: npt.NDArray[Any], *, most: int = 300) -> float:
        """Return the roughness E (x_1 - 2 x_2 + x_3)^2 / E (x_2 - x_1)^2 of neighbouring pixels along both axes.

        It is 0 for linear ramps, below 1 for smooth pictures, about 1.5 to 2 for photographs and handwriting, and 3 for white
        noise. It is measured on at most `most` of the pictures (n, H, W, C).
        """
        some = rows[:: -(-len(rows) // most)].astype(np.float64)
        steps = [np.diff(some, axis=axis) for axis in (1, 2)]
        turns = [np.diff(step, axis=axis) for axis, step in enumerate(steps, start=1)]
        first, second = (
            sum(np.square(part).mean() for part in parts if part.size) for parts in (steps, turns)
        )
        return float(second / first) if first else 0.0

    def encode(self, rows: npt.NDArray[Any], *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return uint8 pictures (n, H, W, C) as a tensor (n, C, H, W) in [low, 1]; InputError otherwise."""
        wanted = (self.height, self.width, self.channels)
        if rows.ndim != 4 or rows.shape[1:] != wanted or rows.dtype != np.uint8:
            raise InputError(
                f"pictures of shape (n, {', '.join(map(str, wanted))}) uint8 are needed, not "
                f"{rows.shape} {rows.dtype}."
            )
        if rows.size and int(rows.max()) > self.levels:
            raise InputError(
                f"grey level {int(rows.max())} was given; these pictures have levels 0..{self.levels}."
            )
        planes = torch.from_numpy(np.ascontiguousarray(rows.transpose(0, 3, 1, 2))).to(dtype)
        if not self.margin:
            return planes.mul_((1 - self.low) / self.levels).add_(self.low)
        within = planes.mul((1 - 2 * self.margin) / self.levels).add_(self.margin)
        within = torch.where(planes == 0, 0.0, torch.where(planes == self.levels, 1.0, within))
        return within.mul_(1 - self.low).add_(self.low)

    def decode(self, encoded: torch.Tensor) -> npt.NDArray[Any]:
        """Return a tensor (n, C, H, W) as uint8 pictures (n, H, W, C): rounded, and clipped to 0..levels.

        Raises:
            InputError: for another shape, or for numbers that are not finite.
        """
        if encoded.ndim != 4 or tuple(encoded.shape[1:]) != self.shape:
            raise InputError(
                f"encoded pictures of shape (n, {', '.join(map(str, self.shape))}) are needed, not "
                f"{tuple(encoded.shape)}."
            )
        out = np.empty((len(encoded), self.height, self.width, self.channels), dtype=np.uint8)
        for start in range(0, len(encoded), 1024):
            part = encoded[start : start + 1024].detach().to(device="cpu", dtype=torch.float32)
            grey = (part - self.low) * (self.levels / (1 - self.low))
            if self.margin:
                grey = (grey - self.margin * self.levels) / (1 - 2 * self.margin)
            if not bool(torch.isfinite(grey).all()):
                raise InputError("encoded pictures with NaN or infinity cannot be decoded.")
            out[start : start + 1024] = (
                grey.round().clamp(0, self.levels).to(torch.uint8).permute(0, 2, 3, 1).numpy()
            )
        return out

    def to_dict(self) -> dict[str, Any]:
        """Return the encoder as plain JSON values."""
        names = ("kind", "height", "width", "channels", "levels", "low", "margin")
        return {name: getattr(self, name) for name in names} | {"mean": list(self.mean)}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> PicturesEncoder:
        """Restore what `to_dict` returned; StoredFileError if something is missing or of the wrong type."""
        try:
            whole = {name: stored[name] for name in ("height", "width", "channels", "levels", "low")}
            if not all(type(value) is int for value in whole.values()):
                raise TypeError("sizes must be whole numbers")
            mean = tuple(float(value) for value in stored["mean"])
            return cls(**whole, margin=float(stored.get("margin", 0.0)), mean=mean)
        except (KeyError, TypeError, ValueError) as error:
            raise StoredFileError(f"the stored pictures encoder is damaged ({error!r}).") from None


def margin_of(rows: npt.NDArray[Any], levels: int, *, most: int = 2000) -> float:
    """Return the margin for pictures (n, H, W, C): 0 unless a tenth of their values are black or white.

    Otherwise it is 0.02 less half a grey level, which rounding gives already: pictures of few levels need no margin. It is
    decided from at most `most` pictures.
    """
    some = rows[:: -(-len(rows) // most)]
    ends = float(((some == 0) | (some == levels)).mean())
    return max(0.0, round(_MARGIN - 0.5 / levels, 4)) if ends >= _MANY_AT_THE_ENDS else 0.0
