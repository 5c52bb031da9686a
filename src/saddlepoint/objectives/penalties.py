r"""Penalties on D's gradient with respect to its input, for points (B, d) and pictures (B, C, H, W) alike.

A penalty takes (critic, points) and returns (logits, penalty), both of shape (B,): the logits keep their
graph, so D's loss needs no second run of the critic on the same points. |.| is the Euclidean norm over all
axes but the batch.

- R1 and R2 (Mescheder et al. 2018, arXiv:1801.04406, equation 9): weight/2 E|∇D|², on real or on fake
  samples.
- Gradient penalty (Gulrajani et al. 2017, arXiv:1704.00028, equation 3): weight E(|∇D| - 1)², in between.

A row's gradient is the gradient of the *sum* of the logits: it is that row's own only where the critic does
not mix rows (batch normalisation and batch statistics do). Points are detached first: no penalty ever
reaches G.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from saddlepoint.errors import InputError, nearest

Critic = Callable[[Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Penalty:
    """A penalty and its place: D's loss gains factor * weight * mean of measure(critic, points)[1].

    `where` says on which points: the real ones, the fake ones, or points `between` the two. With `factor`
    1/2 the weight is the gamma of R1 and R2; with factor 1 it is the lambda of the gradient penalty.
    """

    name: str
    measure: Callable[[Critic, Tensor], tuple[Tensor, Tensor]]
    where: Literal["real", "fake", "between"]
    factor: float
    references: tuple[str, ...]


def squared_gradient(critic: Critic, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return (logits, |∇D|²) at each point, both of shape (B,), by double backward.

    Raises an InputError for points that are not floating, a critic that does not give one logit a row, or
    logits that carry no graph. Mescheder et al. 2018, equation 9.
    """
    logits, gradient = _gradient(critic, points)
    return logits, gradient.square().sum(1)


def gradient_norm(critic: Critic, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return (logits, (|∇D| - 1)²) at each point, both of shape (B,), by double backward.

    Raises as `squared_gradient` does. Gulrajani et al. 2017, equation 3, to be taken at points `between`.
    """
    logits, gradient = _gradient(critic, points)
    return logits, (torch.linalg.vector_norm(gradient, dim=1) - 1).square()


def between(real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """Return mix * real + (1 - mix) * fake, detached, row by row: mix of shape (B,), uniform on [0, 1].

    Gulrajani et al. 2017, algorithm 1. Raises an InputError if the shapes do not fit.
    """
    if real.shape != fake.shape or mix.shape != real.shape[:1]:
        raise InputError(
            f"Real {tuple(real.shape)}, fake {tuple(fake.shape)} and mix {tuple(mix.shape)} do not fit: "
            "real and fake need one shape, and mix one number a row."
        )
    share = mix.view(-1, *[1] * (real.ndim - 1))
    return torch.lerp(fake.detach(), real.detach(), share)


def _gradient(critic: Critic, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits, with their graph, and the gradient of their sum as rows (B, d)."""
    if not points.is_floating_point():
        raise InputError(
            f"The points are {points.dtype}; a penalty on gradients needs floating-point points."
        )
    points = points.detach().requires_grad_()
    logits = critic(points)
    if logits.numel() != len(points):
        raise InputError(
            f"The critic gave logits of shape {tuple(logits.shape)} for {len(points)} points; "
            "it must give one logit a row."
        )
    logits = logits.reshape(len(points))
    if not logits.requires_grad:
        raise InputError(
            "The critic's logits carry no gradient; call a penalty outside torch.no_grad() and do not detach them."
        )
    (gradient,) = torch.autograd.grad(logits.sum(), points, create_graph=True, materialize_grads=True)
    return logits, gradient.flatten(1)


PENALTIES: dict[str, Penalty] = {
    "r1": Penalty(
        name="r1",
        measure=squared_gradient,
        where="real",
        factor=0.5,
        references=("mescheder2018",),
    ),
    "r2": Penalty(
        name="r2",
        measure=squared_gradient,
        where="fake",
        factor=0.5,
        references=("mescheder2018",),
    ),
    "gradient-penalty": Penalty(
        name="gradient-penalty",
        measure=gradient_norm,
        where="between",
        factor=1.0,
        references=("gulrajani2017",),
    ),
}


def get_penalty(name: str) -> Penalty:
    """Return the penalty of this name.

    Raises:
        InputError: there is none; the message names the nearest one and all of them.

    >>> get_penalty("r1").where
    'real'
    """
    if name not in PENALTIES:
        raise InputError(
            f"No penalty is called {name!r}{nearest(name, tuple(PENALTIES)) or '.'} "
            f"The penalties are {', '.join(PENALTIES)}."
        )
    return PENALTIES[name]
