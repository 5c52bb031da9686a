"""Networks by name: a model stores a network as a name and plain numbers, and builds it again from them."""

from __future__ import annotations

from typing import Any

from torch import nn

from saddlepoint.errors import StoredFileError
from saddlepoint.networks.dcgan import StridedDiscriminator, StridedGenerator
from saddlepoint.networks.fourier import CoinGenerator, WaveDiscriminator
from saddlepoint.networks.gaussian_mixture import ChartDiscriminator, ChartGenerator
from saddlepoint.networks.goodfellow_conv import DeconvolutionGenerator, MaxoutConvolutionDiscriminator
from saddlepoint.networks.made import OrderedGenerator
from saddlepoint.networks.mlp import (
    MaxoutDiscriminator,
    RectifierGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
)
from saddlepoint.networks.pca_prior import PictureLaw
from saddlepoint.networks.residual_conv import PictureDiscriminator, PictureGenerator
from saddlepoint.networks.tabular import SpanDiscriminator, SpanGenerator

NETWORKS: dict[str, type[nn.Module]] = {
    "rectifier-generator": RectifierGenerator,
    "maxout-discriminator": MaxoutDiscriminator,
    "residual-generator": ResidualGenerator,
    "residual-discriminator": ResidualDiscriminator,
    "deconvolution-generator": DeconvolutionGenerator,
    "maxout-convolution-discriminator": MaxoutConvolutionDiscriminator,
    "chart-generator": ChartGenerator,
    "chart-discriminator": ChartDiscriminator,
    "coin-generator": CoinGenerator,
    "wave-discriminator": WaveDiscriminator,
    "ordered-generator": OrderedGenerator,
    "picture-generator": PictureGenerator,
    "picture-discriminator": PictureDiscriminator,
    "strided-generator": StridedGenerator,
    "strided-discriminator": StridedDiscriminator,
    "span-generator": SpanGenerator,
    "span-discriminator": SpanDiscriminator,
}


def build(description: dict[str, Any]) -> nn.Module:
    """Return the network of a description {"name": ..., **numbers}.

    Raises:
        StoredFileError: the name or a number is not one of this version's networks.
    """
    numbers = {key: value for key, value in description.items() if key != "name"}
    try:
        return NETWORKS[description["name"]](**numbers)
    except (KeyError, TypeError) as error:
        raise StoredFileError(f"This version cannot build the network {description!r} ({error}).") from error


__all__ = [
    "NETWORKS",
    "ChartDiscriminator",
    "ChartGenerator",
    "CoinGenerator",
    "DeconvolutionGenerator",
    "MaxoutConvolutionDiscriminator",
    "MaxoutDiscriminator",
    "OrderedGenerator",
    "PictureDiscriminator",
    "PictureGenerator",
    "PictureLaw",
    "RectifierGenerator",
    "ResidualDiscriminator",
    "ResidualGenerator",
    "SpanDiscriminator",
    "SpanGenerator",
    "StridedDiscriminator",
    "StridedGenerator",
    "WaveDiscriminator",
    "build",
]
