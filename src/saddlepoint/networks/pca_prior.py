"""The prior of a picture generator: the data's mean picture, and a Gaussian in its principal components (PCA)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from saddlepoint.networks.mlp import Output

LARGEST_BASE = 7
_MOST_OF_A_COMPONENT = 1024
_INSIDE = 0.02


class PCAPriorGenerator(nn.Module):
    """A generator of pictures (channels, height, width) whose layers are added to a fixed prior, before the output units.

    The prior is the mean picture and, with components k > 0, the Gaussian of the k largest principal components of the
    downsampled pictures, drawn by the first k numbers of z. With a condition the Gaussian is centred at the class mean, and
    its components are those within classes. So the first samples are blurred pictures rather than grey ones.
    """

    def __init__(
        self,
        *,
        shape: Sequence[int],
        noise_width: int,
        output: Output,
        condition_width: int,
        components: int,
    ) -> None:
        super().__init__()
        self.shape, self.output, self.condition_width = tuple(shape), output, condition_width
        self.noise_width = noise_width
        self.components = min(components, noise_width)
        self.register_buffer("mean", torch.zeros(self.shape))
        if self.components:
            sides = coarse(self.shape)
            self.register_buffer("drawn", torch.zeros(self.components, self.shape[0], *sides))
            if condition_width:
                self.register_buffer("of_classes", torch.zeros(condition_width, self.shape[0], *sides))

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width of a picture."""
        return self.shape[1], self.shape[2]

    @torch.no_grad()
    def init_output_bias(self, mean: Tensor) -> None:
        """Set the mean picture to the data's mean, of shape `shape`."""
        kept = self.get_buffer("mean")
        mean = mean.reshape(self.shape).to(kept.dtype)
        kept.copy_(torch.logit(mean, eps=1e-3) if self.output == "sigmoid" else mean)

    @torch.no_grad()
    def init_from_data(self, rows: Tensor, codes: Tensor | None = None) -> None:
        """Set the components to those of encoded pictures (n, *shape) of classes codes (n,), after `init_output_bias`."""
        if not self.components:
            return
        drawn = self.get_buffer("drawn")
        low = functional.adaptive_avg_pool2d(self.residual(rows), coarse(self.shape))
        if codes is not None and self.condition_width:
            middles = self.get_buffer("of_classes")
            hot = functional.one_hot(codes, self.condition_width).to(low)
            # A class without a picture here starts at the mean of all.
            counted = hot.sum(0)[:, None]
            sums = hot.T @ low.flatten(1)
            means = torch.where(counted > 0, sums / counted.clamp_min(1), low.flatten(1).mean(0))
            middles.copy_(means.reshape(middles.shape))
            low = low - means[codes].reshape(low.shape)
        found = principal(low.flatten(1), self.components)
        drawn.zero_()[: len(found)] = found.reshape(len(found), *drawn.shape[1:]).to(drawn)

    def residual(self, rows: Tensor) -> Tensor:
        """Return encoded pictures (n, *shape) minus the mean picture, before the output units."""
        rows = torch.logit(rows, eps=_INSIDE) if self.output == "sigmoid" else rows
        return rows - self.get_buffer("mean").to(rows)

    def draw_components(self, z: Tensor, condition: Tensor | None) -> Tensor | None:
        """Return z's draw from the components, plus the class mean, at low resolution; None without components."""
        if not self.components:
            return None
        drawn = self.get_buffer("drawn").to(z.dtype)
        shifted = z[:, : self.components] @ drawn.flatten(1)
        if condition is not None and self.condition_width:
            shifted = shifted + condition.to(z.dtype) @ self.get_buffer("of_classes").to(z.dtype).flatten(1)
        return shifted.reshape(z.shape[0], *drawn.shape[1:])

    def prior(self, drawn: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Return the mean picture plus the drawn components, before the output units."""
        mean = self.get_buffer("mean").to(dtype)
        return mean if drawn is None else mean + resize(drawn, self.sides)


def halved(sides: tuple[int, int]) -> tuple[int, int]:
    """Return the sides of the next coarser level: those of more than 7 halved, rounded up."""
    one, other = (-(-side // 2) if side > LARGEST_BASE else side for side in sides)
    return one, other


def coarse(shape: Sequence[int]) -> tuple[int, int]:
    """Return the sides at which components are kept: of the finest level with at most 1,024 numbers."""
    sides = (int(shape[1]), int(shape[2]))
    while shape[0] * math.prod(sides) > _MOST_OF_A_COMPONENT and max(sides) > LARGEST_BASE:
        sides = halved(sides)
    return sides


def resize(pictures: Tensor, sides: tuple[int, int]) -> Tensor:
    """Return pictures resized to these sides by bilinear interpolation."""
    return functional.interpolate(pictures, size=sides, mode="bilinear", align_corners=False)


def principal(rows: Tensor, most: int) -> Tensor:
    """Return the largest principal components of rows (n, d), times their standard deviations: (at most `most`, d).

    For u ~ N(0, I), u @ components has the rows' covariance, except for the components left out.
    """
    centred = rows.double() - rows.double().mean(0)
    wide = centred.shape[1] > len(rows)
    values, vectors = torch.linalg.eigh((centred @ centred.T if wide else centred.T @ centred) / len(rows))
    kept = torch.argsort(values, descending=True)[:most]
    kept = kept[values[kept] > 1e-9 * values.max()]
    # Of the small matrix X X' / n an eigenvector u with value v gives the component X' u / sqrt(n), of length sqrt(v).
    found: Tensor = vectors[:, kept].T * values[kept, None].sqrt()
    return vectors[:, kept].T @ centred / math.sqrt(len(rows)) if wide else found
