"""A walk through noise space as a film: from sample to sample and back to the first, every moment itself a sample."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from saddlepoint.model import Model

FRAMES_BETWEEN = 20


def walk(model: Model, frames: int, seed: int) -> Tensor:
    """Return z of a closed walk, (frames, noise_width), past one draw every 20 frames, at least two in all.

    On the way from a to b normal noise goes along cos(t) a + sin(t) b, 0 <= t <= pi/2, which is N(0, I) at every t when a
    and b are; uniform noise goes straight, and stays within its range.
    """
    legs = max(2, round(frames / FRAMES_BETWEEN))
    ends = model.noise(legs, seed)
    place = torch.arange(frames) * (legs / frames)
    leg = place.floor().long()
    share = (place - leg)[:, None]
    a, b = ends[leg], ends[(leg + 1) % legs]
    if model.description["noise_law"] == "normal":
        return torch.cos(share * math.pi / 2) * a + torch.sin(share * math.pi / 2) * b
    return a.lerp(b, share)
