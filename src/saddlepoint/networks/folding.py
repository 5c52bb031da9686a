"""Pictures folded by Haar's transform: a quarter of the places, four times the channels, nothing lost.

Each 2 x 2 places a b / c d become their mean m = (a + b + c + d) / 4 and three halved differences, between the rows
(a + b - c - d) / 2, the columns (a - b + c - d) / 2 and the diagonals (a - b - c + d) / 2. Layers that work on folded pictures
cost a quarter for each fold (Gal et al. 2021, arXiv 2102.06108, play whole games on such coefficients). Details are small
beside means, so G makes each coefficient in units of its own standard deviation.

Of smooth pictures the differences follow from the means beside: by the mean above less the mean below, a quarter, and so on,
which is exact where grey levels rise evenly. With `smooth` the differences are kept less these (the S + P transform of Said and
Pearlman 1996, doi 10.1109/83.517095): means alone then unfold to a smooth picture, not to squares of 2 x 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class Folding(nn.Module):
    """Fold pictures (batch, *shape) so many times, and unfold them; a side that does not halve gets its last line again."""

    def __init__(self, shape: Sequence[int], times: int, *, smooth: bool = False) -> None:
        super().__init__()
        self.smooth = smooth
        channels, height, width = shape
        self.times, self.sides = times, (height, width)
        size = 2**times
        self.shape = (channels * 4**times, -(-height // size), -(-width // size))
        self._border = [0, self.shape[2] * size - width, 0, self.shape[1] * size - height]

    def forward(self, pictures: Tensor) -> Tensor:
        """Return coefficients (batch, *self.shape): means of the last fold first, then details."""
        h = functional.pad(pictures, self._border, mode="replicate") if any(self._border) else pictures
        for _ in range(self.times):
            a, b, c, d = (h[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
            up, down = a + b, c + d
            left, right = a - b, c - d
            mean, details = (up + down) / 4, [(up - down) / 2, (left + right) / 2, (left - right) / 2]
            if self.smooth:
                details = [each - expected for each, expected in zip(details, _expected(mean), strict=True)]
            h = torch.cat([mean, *details], 1)
        return h

    def back(self, coefficients: Tensor) -> Tensor:
        """Return pictures (batch, *shape): the inverse of folding."""
        h = coefficients
        for _ in range(self.times):
            mean, rows, columns, diagonal = h.chunk(4, 1)
            if self.smooth:
                more = _expected(mean)
                rows, columns, diagonal = rows + more[0], columns + more[1], diagonal + more[2]
            up, down = mean + rows / 2, mean - rows / 2
            left, right = (columns + diagonal) / 2, (columns - diagonal) / 2
            # (batch, channels, 4, height, width), the four in reading order, as pixel_shuffle wants them.
            h = torch.stack([up + left, up - left, down + right, down - right], 2).flatten(1, 2)
            h = functional.pixel_shuffle(h, 2)
        return h[..., : self.sides[0], : self.sides[1]]


def _expected(mean: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the halved differences between rows, columns and diagonals that means (batch, channels, h, w) let expect."""
    h = functional.pad(mean, (1, 1, 1, 1), mode="replicate")
    rise = h[..., :-2, :] - h[..., 2:, :]
    across = h[..., 1:-1, :-2] - h[..., 1:-1, 2:]
    return rise[..., 1:-1] / 4, across / 4, (rise[..., :-2] - rise[..., 2:]) / 32
