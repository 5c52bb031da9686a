"""Differentiable changes of pictures, real and fake alike, before D sees them: few pictures are not learnt by heart.

Shift, cut-out, brightness and contrast (Zhao et al. 2020, arXiv 2006.10738), each made to a picture with probability a < 1/2
and left out otherwise. So they do not leak: a change that is made with probability a maps a law p to
T p = (1 - a) p + a K p, and since a kernel K lengthens no difference, |T p - T q| >= (1 - a) |p - q| - a |p - q|
= (1 - 2 a) |p - q| in total variation. Hence T p_g = T p_data only where p_g = p_data, and the same holds for one change
after another (compare Karras et al. 2020, arXiv 2006.06676, section 2.2). Pictures that always came changed could not be told
from a law that is itself changed, and a generator might learn that.
"""

from __future__ import annotations

import torch
from torch import Tensor

from saddlepoint.errors import InputError

DRAWS = 10
"""Uniform(0, 1) numbers for one picture: whether and how for each change, in the order of `augmented`."""
_SHIFT, _CUT, _BRIGHTER, _CONTRAST = 0.125, 0.5, 0.2, 0.3


def augmented(rows: Tensor, draws: Tensor, probability: float) -> Tensor:
    """Return pictures (n, C, H, W), each changed as its draws (n, 10) say, twice differentiable.

    - shift by up to an eighth of each side, the border repeated,
    - cut-out: a rectangle of half of each side, set to the picture's mean,
    - brightness: up to 0.2 more or less everywhere,
    - contrast: the distance from the picture's mean times 0.7 to 1.3.

    Raises:
        InputError: the rows are no pictures.
    """
    if rows.ndim != 4:
        raise InputError(
            f"Augmentation is for pictures (channels, height, width), not for rows of shape {tuple(rows.shape[1:])}: set "
            "augment to 0."
        )
    draws = draws.repeat(len(rows) // len(draws), 1)  # a penalty by differences asks for each picture twice
    changed = (draws[:, :4] < probability).to(rows.dtype)
    how = 2.0 * draws[:, 4:] - 1.0
    rows = _shifted(rows, how[:, :2] * changed[:, :1])
    mean = rows.mean((1, 2, 3), keepdim=True)
    rows = torch.lerp(rows, mean.expand_as(rows), _hole(rows, draws[:, 6:8]) * _aside(changed[:, 1]))
    rows = rows + _aside(_BRIGHTER * how[:, 4] * changed[:, 2])
    mean = rows.mean((1, 2, 3), keepdim=True)
    return mean + (rows - mean) * _aside(1.0 + _CONTRAST * how[:, 5] * changed[:, 3])


def _aside(numbers: Tensor) -> Tensor:
    return numbers[:, None, None, None]


def _shifted(rows: Tensor, how: Tensor) -> Tensor:
    """Shift by whole places, at most an eighth of each side."""
    for axis, share in ((2, how[:, 0]), (3, how[:, 1])):
        side = rows.shape[axis]
        by = (share * (side * _SHIFT + 0.5)).trunc().long()
        places = (torch.arange(side, device=rows.device) - by[:, None]).clamp(0, side - 1)
        places = places[:, None, :, None] if axis == 2 else places[:, None, None, :]
        rows = rows.gather(axis, places.expand_as(rows))
    return rows


def _hole(rows: Tensor, where: Tensor) -> Tensor:
    """Return 1 within a rectangle of half of each side, its middle anywhere, and 0 outside, (n, 1, H, W)."""
    inside = []
    for axis in (0, 1):
        side = rows.shape[2 + axis]
        away = torch.arange(side, device=rows.device) + 0.5 - where[:, axis : axis + 1] * side
        inside.append(away.abs() <= _CUT * side / 2)
    return (inside[0][:, None, :, None] & inside[1][:, None, None, :]).to(rows.dtype)
