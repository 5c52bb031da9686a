"""All networks by name: a model stores a network as its name and arguments, and `build` makes it from them."""

from __future__ import annotations

from typing import Any

from torch import nn

from saddlepoint.errors import StoredFileError
from saddlepoint.networks.dcgan import StridedDiscriminator, StridedGenerator
from saddlepoint.networks.fourier import FourierDiscriminator, SignNoiseGenerator
from saddlepoint.networks.gaussian_mixture import MixtureDiscriminator, MixtureGenerator
from saddlepoint.networks.goodfellow_conv import DeconvolutionGenerator, MaxoutConvolutionDiscriminator
from saddlepoint.networks.made import MADEGenerator
from saddlepoint.networks.mlp import (
    MaxoutDiscriminator,
    RectifierGenerator,
    ResidualDiscriminator,
    ResidualGenerator,
)
from saddlepoint.networks.pca_prior import PCAPriorGenerator
from saddlepoint.networks.residual_conv import PictureDiscriminator, PictureGenerator
from saddlepoint.networks.tabular import TabularDiscriminator, TabularGenerator

NETWORKS: dict[str, type[nn.Module]] = {
    "rectifier-generator": RectifierGenerator,
    "maxout-discriminator": MaxoutDiscriminator,
    "residual-generator": ResidualGenerator,
    "residual-discriminator": ResidualDiscriminator,
    "deconvolution-generator": DeconvolutionGenerator,
    "maxout-convolution-discriminator": MaxoutConvolutionDiscriminator,
    "mixture-generator": MixtureGenerator,
    "mixture-discriminator": MixtureDiscriminator,
    "sign-noise-generator": SignNoiseGenerator,
    "fourier-discriminator": FourierDiscriminator,
    "made-generator": MADEGenerator,
    "picture-generator": PictureGenerator,
    "picture-discriminator": PictureDiscriminator,
    "strided-generator": StridedGenerator,
    "strided-discriminator": StridedDiscriminator,
    "tabular-generator": TabularGenerator,
    "tabular-discriminator": TabularDiscriminator,
}


def build(description: dict[str, Any]) -> nn.Module:
    """Return the network of a description {"name": ..., **arguments}.

    Raises:
        StoredFileError: this version has no such network, or it takes other arguments.
    """
    arguments = {key: value for key, value in description.items() if key != "name"}
    try:
        return NETWORKS[description["name"]](**arguments)
    except (KeyError, TypeError) as error:
        raise StoredFileError(
            f"This version cannot build the network {description!r} ({error}): use the version that saved it."
        ) from error


__all__ = [
    "NETWORKS",
    "DeconvolutionGenerator",
    "FourierDiscriminator",
    "MADEGenerator",
    "MaxoutConvolutionDiscriminator",
    "MaxoutDiscriminator",
    "MixtureDiscriminator",
    "MixtureGenerator",
    "PCAPriorGenerator",
    "PictureDiscriminator",
    "PictureGenerator",
    "RectifierGenerator",
    "ResidualDiscriminator",
    "ResidualGenerator",
    "SignNoiseGenerator",
    "StridedDiscriminator",
    "StridedGenerator",
    "TabularDiscriminator",
    "TabularGenerator",
    "build",
]
