"""What every encoder does: turn rows into what networks play with, and back.

Law: decode(encode(x)) == x for the rows it was fitted on; exact for whole numbers, booleans, constants and
uint8 grey levels, floats to one float32 rounding of the standardised value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy.typing as npt
import torch

from saddlepoint.data.charts import ChartsEncoder
from saddlepoint.data.dataset import Dataset
from saddlepoint.data.images import PicturesEncoder
from saddlepoint.data.points import PointsEncoder
from saddlepoint.errors import StoredFileError


class Encoder(Protocol):
    """A fitted, invertible map between rows as they came and float tensors; saved as JSON with the model."""

    @property
    def kind(self) -> str:
        """Return "points" or "pictures"."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one encoded row: (width,) or (channels, height, width)."""

    @property
    def mean_encoded(self) -> torch.Tensor:
        """Return the mean of the encoded rows, a float32 tensor of shape `shape`, for output biases."""

    def encode(self, rows: npt.NDArray[Any], *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return the rows as a tensor (n, *shape)."""

    def decode(self, encoded: torch.Tensor) -> npt.NDArray[Any]:
        """Return an encoded tensor (n, *shape) as rows in the original dtype."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything needed to restore the encoder, ready for JSON."""


def fit_encoder(dataset: Dataset, *, low: int = 0) -> PointsEncoder | PicturesEncoder:
    """Fit the encoder of the dataset's kind; `low` (0 or -1) is where black lies in encoded pictures."""
    if dataset.kind == "pictures":
        return PicturesEncoder.fit(dataset.rows, levels=dataset.levels, low=low)
    return PointsEncoder.fit(dataset.rows, names=dataset.columns)


def encoder_from_dict(stored: Mapping[str, Any]) -> PointsEncoder | ChartsEncoder | PicturesEncoder:
    """Restore an encoder from what `to_dict` returned; StoredFileError if it is not one of ours."""
    kind = stored.get("kind") if isinstance(stored, Mapping) else None
    if kind == "points":
        return PointsEncoder.from_dict(stored)
    if kind == "charts":
        return ChartsEncoder.from_dict(stored)
    if kind == "pictures":
        return PicturesEncoder.from_dict(stored)
    raise StoredFileError(
        f"the stored encoder is of kind {kind!r}; this version knows 'points', 'charts' and 'pictures': "
        "the file is damaged or was written by a later version."
    )
