"""The Parzen-window score of points: the paper's own (section 5), on standardised columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from saddlepoint import compute
from saddlepoint.data.charts import ChartsEncoder
from saddlepoint.data.points import PointsEncoder
from saddlepoint.errors import InputError
from saddlepoint.judging.parzen import choose_sigma, log_density
from saddlepoint.model import Model

SAMPLES, ROWS = 10_000, 1_000
_SIGMAS = tuple(float(sigma) for sigma in np.logspace(-2, 0, 13))


@dataclass(frozen=True, kw_only=True, eq=False)
class Window:
    """Encoded samples (n, width), the width sigma of a Gaussian about each, and the log-volume by which encoding shrinks."""

    encoder: PointsEncoder
    samples: NDArray[Any]
    sigma: float
    volume: float

    @classmethod
    def of(cls, model: Model, *, held_out: NDArray[Any] | None = None, sigma: float | None = None) -> Window:
        """Return the window of a model's samples, its width chosen on held-out rows (None: on fresh samples) or given.

        Raises:
            InputError: the model makes tables or pictures.
        """
        encoder = _points_of(model)

        def drawn(n: int, purpose: str) -> NDArray[Any]:
            return _encoded(encoder, model.draw(n, random_state=compute.key(0, purpose))[0])

        samples = drawn(SAMPLES, "parzen")
        if sigma is None:
            rows = drawn(ROWS, "window") if held_out is None else _encoded(encoder, held_out)
            sigma = choose_sigma(rows, samples, _SIGMAS)
        scales = [column.scale for column in encoder.columns if not column.constant]
        return cls(encoder=encoder, samples=samples, sigma=sigma, volume=float(np.log(scales).sum()))

    def log_density(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return the log-density (nats) of rows (n, d), in the units that they came in."""
        return log_density(_encoded(self.encoder, rows), self.samples, self.sigma) - self.volume


def _points_of(model: Model) -> PointsEncoder:
    encoder = model.encoder
    points = encoder.points if isinstance(encoder, ChartsEncoder) else encoder
    if encoder.kind == "tables":
        raise InputError(
            "A Parzen log-density needs distances, which categories have not, so there is no score of a table; compare "
            "samples with saddlepoint.judge, or use decision_function."
        )
    if not isinstance(points, PointsEncoder):
        raise InputError(
            "A Parzen log-density of pictures says nothing about them, so there is no score; compare samples with "
            "saddlepoint.judge, or use decision_function."
        )
    return points


def _encoded(encoder: PointsEncoder, rows: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(encoder.encode(rows, dtype=torch.float64).numpy())
