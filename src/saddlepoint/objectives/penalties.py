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
    logits, gradient = _gradient(critic, points, create_graph=True)
    return logits, gradient.square().sum(1)


def gradient_norm(critic: Critic, points: Tensor) -> tuple[Tensor, Tensor]:
    """Return (logits, (|∇D| - 1)²) at each point, both of shape (B,), by double backward.

    Raises as `squared_gradient` does. Gulrajani et al. 2017, equation 3, to be taken at points `between`.
    """
    logits, gradient = _gradient(critic, points, create_graph=True)
    return logits, (torch.linalg.vector_norm(gradient, dim=1) - 1).square()


def squared_gradient_by_differences(
    critic: Critic, points: Tensor, *, step: float | None = None
) -> tuple[Tensor, Tensor]:
    """Return (logits, ((D(x + h u) - D(x - h u)) / 2h)²), both of shape (B,): |∇D|² without double backward.

    u = ∇D/|∇D| is held fixed. It maximises ∇D·u over unit u, so by the envelope theorem the parameter
    gradient of the quotient is that of |∇D|², up to O(h²). `step` is h, a Euclidean length in the points'
    units; by default the cube root of the rounding unit that is at work, right for points of scale about 1.
    It costs one more run of the critic, on a batch of 2 B rows.

    Limits. The critic must not draw anything (dropout) and not mix rows. A zero gradient gives 0; points so
    large that x + h u rounds to x give nan. In bfloat16 h is 0.2: the error is some percent, and up to a
    third where |∇D| is small beside |D|. With a piecewise-linear critic (ReLU, LeakyReLU) the value agrees
    to O(h), the parameter gradient does not: it also counts how kinks move between x - h u and x + h u. In
    expectation that is the gradient of the expected penalty, where double backward leaves the kinks out,
    but its variance grows like 1/h. Prefer `squared_gradient` wherever it runs: it is also faster in eager
    mode. This one is for critics that cannot be differentiated twice, as torch.compile'd ones cannot.

    Raises an InputError for a step that is not positive, and as `squared_gradient` does.
    """
    if step is not None and not 0 < step < float("inf"):
        raise InputError(f"The step of the differences is {step}; it must be a positive number.")
    logits, gradient = _gradient(critic, points, create_graph=False)
    length = _rounding_unit(points, logits) ** (1 / 3) if step is None else step
    # A half-precision sum of squares, or quotient of small differences, would lose what is being measured.
    gradient = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    norm = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
    direction = torch.where(norm > 0, gradient / torch.where(norm > 0, norm, 1), 0)
    shift = (length * direction).view(points.shape)
    ahead, behind = ((points.detach() + sign * shift).to(points.dtype) for sign in (1, -1))
    two = torch.stack([ahead, behind])
    ends = _logits(critic, two.flatten(0, 1)).to(gradient.dtype).view(2, -1)
    # Divided by the way really travelled, rounding of the points themselves cancels: it is 2h but for that.
    travelled = ((ahead - behind).flatten(1).to(gradient.dtype) * direction).sum(1)
    slope = (ends[0] - ends[1]) / torch.where(norm.squeeze(1) > 0, travelled, 1)
    return logits, slope.square()


def _rounding_unit(points: Tensor, logits: Tensor) -> float:
    """Return the coarsest relative spacing of numbers that the critic may have computed with."""
    units = [torch.finfo(points.dtype).eps, torch.finfo(logits.dtype).eps]
    device = points.device.type
    if torch.is_autocast_enabled(device):
        units.append(torch.finfo(torch.get_autocast_dtype(device)).eps)
    if device == "cuda" and points.dtype == torch.float32:
        units.append(2.0**-10)  # TF32, which cuDNN's convolutions use unless told otherwise
    return max(units)


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


def _gradient(critic: Critic, points: Tensor, *, create_graph: bool) -> tuple[Tensor, Tensor]:
    """Return the logits, with their graph, and the gradient of their sum as rows (B, d)."""
    if not points.is_floating_point():
        raise InputError(
            f"The points are {points.dtype}; a penalty on gradients needs floating-point points."
        )
    points = points.detach().requires_grad_()
    logits = _logits(critic, points)
    if not logits.requires_grad:
        raise InputError(
            "The critic's logits carry no gradient; call a penalty outside torch.no_grad() and do not detach them."
        )
    (gradient,) = torch.autograd.grad(
        logits.sum(), points, create_graph=create_graph, retain_graph=True, materialize_grads=True
    )
    return logits, gradient.flatten(1)


def _logits(critic: Critic, points: Tensor) -> Tensor:
    logits = critic(points)
    if logits.numel() != len(points):
        raise InputError(
            f"The critic gave logits of shape {tuple(logits.shape)} for {len(points)} points; "
            "it must give one logit a row."
        )
    return logits.reshape(len(points))


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
    "r1-differences": Penalty(
        name="r1-differences",
        measure=squared_gradient_by_differences,
        where="real",
        factor=0.5,
        references=("mescheder2018",),
    ),
    "r2-differences": Penalty(
        name="r2-differences",
        measure=squared_gradient_by_differences,
        where="fake",
        factor=0.5,
        references=("mescheder2018",),
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
