"""Differentiable augmentation: D sees real and fake pictures shifted, cut out, brighter and with other contrast.

This keeps D from memorising a small data set. The four augmentations are those of Zhao et al. 2020 (arXiv 2006.10738); each
is applied to a picture with probability a < 1/2. That is why they do not leak into the samples: an augmentation applied with
probability a maps a distribution p to T p = (1 - a) p + a K p. A Markov kernel K does not increase total variation, so
|T p - T q| >= (1 - a) |p - q| - a |p - q| = (1 - 2 a) |p - q|. Hence T p_g = T p_data only if p_g = p_data, and the same holds
for several augmentations in sequence (compare Karras et al. 2020, arXiv 2006.06676, section 2.2). If pictures were always
augmented, G could learn an augmented distribution and D could not see the difference.
"""

from __future__ import annotations

import torch
from torch import Tensor

from saddlepoint.errors import InputError

DRAWS = 10
"""Uniform(0, 1) numbers per picture: four decide which augmentations are applied, six decide how (see `augmented`)."""
_SHIFT, _CUT, _BRIGHTNESS, _CONTRAST = 0.125, 0.5, 0.2, 0.3


def augmented(rows: Tensor, draws: Tensor, probability: float) -> Tensor:
    """Return augmented pictures (n, C, H, W); the result is twice differentiable in the rows.

    - shift: by up to an eighth of each side, the border repeated,
    - cut-out: a rectangle of half of each side is set to the picture's mean,
    - brightness: up to 0.2 is added or subtracted everywhere,
    - contrast: the difference from the picture's mean is multiplied by 0.7 to 1.3.

    rows: pictures (n, C, H, W).
    draws: uniform(0, 1) numbers (n, 10).
    probability: with which each augmentation is applied.

    Raises:
        InputError: the rows are not pictures.
    """
    if rows.ndim != 4:
        raise InputError(
            f"Augmentation is for pictures (channels, height, width), not for rows of shape {tuple(rows.shape[1:])}: set "
            "augment to 0."
        )
    applied = (draws[:, :4] < probability).to(rows.dtype)
    strength = 2.0 * draws[:, 4:] - 1.0
    rows = _shifted(rows, strength[:, :2] * applied[:, :1])
    mean = rows.mean((1, 2, 3), keepdim=True)
    rows = torch.lerp(
        rows, mean.expand_as(rows), _cut_out_mask(rows, draws[:, 6:8]) * _per_picture(applied[:, 1])
    )
    rows = rows + _per_picture(_BRIGHTNESS * strength[:, 4] * applied[:, 2])
    mean = rows.mean((1, 2, 3), keepdim=True)
    return mean + (rows - mean) * _per_picture(1.0 + _CONTRAST * strength[:, 5] * applied[:, 3])


def _per_picture(numbers: Tensor) -> Tensor:
    """Return numbers (n,) as (n, 1, 1, 1)."""
    return numbers[:, None, None, None]


def _shifted(rows: Tensor, strength: Tensor) -> Tensor:
    """Return rows shifted by whole pixels, at most an eighth of each side; strength (n, 2) is in [-1, 1]."""
    for axis, fraction in ((2, strength[:, 0]), (3, strength[:, 1])):
        side = rows.shape[axis]
        shift = (fraction * (side * _SHIFT + 0.5)).trunc().long()
        pixels = (torch.arange(side, device=rows.device) - shift[:, None]).clamp(0, side - 1)
        pixels = pixels[:, None, :, None] if axis == 2 else pixels[:, None, None, :]
        rows = rows.gather(axis, pixels.expand_as(rows))
    return rows


def _cut_out_mask(rows: Tensor, centre: Tensor) -> Tensor:
    """Return a mask (n, 1, H, W): 1 in a rectangle of half of each side around a centre (n, 2) in [0, 1]^2, 0 outside."""
    inside = []
    for axis in (0, 1):
        side = rows.shape[2 + axis]
        distance = torch.arange(side, device=rows.device) + 0.5 - centre[:, axis : axis + 1] * side
        inside.append(distance.abs() <= _CUT * side / 2)
    return (inside[0][:, None, :, None] & inside[1][:, None, None, :]).to(rows.dtype)
