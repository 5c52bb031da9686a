"""Encoders: invertible maps between rows and the tensors that the networks see.

decode(encode(x)) == x for the training rows: exact for whole numbers, booleans, constants and uint8 grey levels; floats to one
float32 rounding of the standardised value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch

from saddlepoint.data.dataset import Dataset
from saddlepoint.data.encoders.gaussian_mixture import MixtureEncoder
from saddlepoint.data.encoders.picture import PicturesEncoder, margin_of
from saddlepoint.data.encoders.standard import PointsEncoder
from saddlepoint.data.tables.parquet import ParquetRows
from saddlepoint.data.tables.schema import GIVEN, infer
from saddlepoint.data.transforms.streaming import fit_streaming
from saddlepoint.data.transforms.table import TableTransformer
from saddlepoint.errors import StoredFileError

AnyEncoder = PointsEncoder | MixtureEncoder | PicturesEncoder | TableTransformer
_ENCODERS: dict[Any, type[AnyEncoder]] = {
    "points": PointsEncoder,
    "mixture": MixtureEncoder,
    "pictures": PicturesEncoder,
    "tables": TableTransformer,
}


class Encoder(Protocol):
    """A fitted, invertible map between rows in their original form and float tensors; saved as JSON with the model."""

    @property
    def kind(self) -> str:
        """Return "points", "pictures" or "tables"."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return the shape of one encoded row: (width,) or (channels, height, width)."""

    @property
    def mean_encoded(self) -> torch.Tensor:
        """Return the mean of the encoded rows, a float32 tensor of shape `shape`; it is the start of output biases."""

    def encode(self, rows: Any, *, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return the rows as a tensor (n, *shape)."""

    def decode(self, encoded: torch.Tensor) -> Any:
        """Return an encoded tensor (n, *shape) as rows in the original dtype; a table as a frame."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything needed to restore the encoder, ready for JSON."""


def fit_encoder(
    dataset: Dataset, *, low: int = 0, ends: bool = False
) -> PointsEncoder | PicturesEncoder | TableTransformer:
    """Fit the encoder of the dataset's kind.

    low: of pictures: the encoded value of black, 0 or -1.
    ends: of pictures: separate black and white from grey by a margin where many values are black or white.
    """
    if dataset.kind == "pictures":
        margin = margin_of(dataset.rows, dataset.levels) if ends else 0.0
        return PicturesEncoder.fit(dataset.rows, levels=dataset.levels, low=low, margin=margin)
    if dataset.kind == "tables":
        if isinstance(dataset.rows, ParquetRows):
            columns = () if dataset.schema is None else dataset.schema.columns
            overrides = {column.name: column.kind for column in columns if column.reason == GIVEN}
            return fit_streaming(dataset.rows, overrides, name=dataset.name)
        return TableTransformer.fit(dataset.rows, dataset.schema or infer(dataset.rows, name=dataset.name))
    return PointsEncoder.fit(dataset.rows, names=dataset.columns)


def encoder_from_dict(stored: Mapping[str, Any]) -> AnyEncoder:
    """Restore an encoder from what `to_dict` returned; StoredFileError for any other kind."""
    kind = stored.get("kind") if isinstance(stored, Mapping) else None
    if kind not in _ENCODERS:
        raise StoredFileError(
            f"the stored encoder is of kind {kind!r}; this version reads {', '.join(map(repr, _ENCODERS))}: "
            "the file is damaged or was written by a later version."
        )
    return _ENCODERS[kind].from_dict(stored)
