"""The f-divergences and the games whose value they are.

For a convex f with f(1) = 0, D_f(p || q) = ∫ q f(p/q), with p the data and q the generator. Its conjugate
f*(t) = sup_u (u t - f(u)) gives the bound D_f(p || q) >= E_p[T] - E_q[f*(T)] for every T, tight at T =
f'(p/q). An output activation g_f maps any logit v into the domain of f*: T = g_f(v). So

    discriminator loss = -g_f(real) + f*(g_f(fake)),   generator loss = -f*(g_f(fake)).

Nowozin, Cseke, Tomioka 2016 (arXiv:1606.00709), tables 2 and 6. Two choices differ from those tables:
every g_f here *increases* with the logit (a high logit means real, also for reverse KL and squared
Hellinger), and Jensen-Shannon is the JSD itself, at most log 2, where the f of the tables gives twice that.

Logits of +-1e4 give finite losses and gradients: beyond 40 the exponential continues along its tangent. This
is the same game for densities whose ratio stays within exp(40) (2e17); beyond, the loss is still convex.

Real and fake logits must have the same shape: (B,) and (B, 1) would broadcast to (B, B) and still give a
plausible mean (`check_pairs`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

import torch
import torch.nn.functional as F
from torch import Tensor

from saddlepoint.errors import InputError

Loss = Callable[[Tensor, Tensor], Tensor]


def check_pairs(real_logits: Tensor, fake_logits: Tensor) -> None:
    """Raise an InputError unless real and fake logits have the same shape."""
    if real_logits.shape != fake_logits.shape:
        raise InputError(
            f"The real logits have shape {tuple(real_logits.shape)} and the fake ones "
            f"{tuple(fake_logits.shape)}; losses are taken pair by pair, so give both the same shape."
        )


def paired(loss: Loss) -> Loss:
    """Return `loss` with `check_pairs` before it."""

    @wraps(loss)
    def checked(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        check_pairs(real_logits, fake_logits)
        return loss(real_logits, fake_logits)

    return checked


Function = Callable[[Tensor], Tensor]

LARGEST_EXPONENT = 40.0


def exponential(v: Tensor) -> Tensor:
    """Return exp(v), elementwise, continued by its tangent beyond v = 40: convex, and finite in float32."""
    return v.clamp(max=LARGEST_EXPONENT).exp() * (1 + F.relu(v - LARGEST_EXPONENT))


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """One row of the f-divergence table: D_f(p || q) = ∫ q f(p/q), in nats where a logarithm is involved.

    `perspective` is q f(p/q), elementwise, written so that zero and tiny densities count rightly.
    `conjugate` is f*(t), `activation` is g_f(v), and `conjugate_of_activation` is f*(g_f(v)) in its stable
    form. `optimum_logit` maps log p/q to the best logit.
    """

    name: str
    formula: str
    perspective: Callable[[Tensor, Tensor], Tensor]
    conjugate: Function
    activation: Function
    conjugate_of_activation: Function
    optimum_logit: Function
    optimum: str

    def f(self, ratio: Tensor) -> Tensor:
        """Return f(u) at the density ratio u = p/q >= 0, elementwise: convex, 0 at u = 1."""
        return self.perspective(ratio, torch.ones_like(ratio))

    def discriminator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return -g_f(real) + f*(g_f(fake)), one per pair; its expectation is at least -D_f(p || q)."""
        check_pairs(real_logits, fake_logits)
        return self.conjugate_of_activation(fake_logits) - self.activation(real_logits)

    def generator_loss(self, real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        """Return -f*(g_f(fake)), one per fake; the real logits are not read."""
        return -self.conjugate_of_activation(fake_logits)

    def between(self, p: Tensor, q: Tensor, dx: float) -> Tensor:
        """Return D_f(p || q) = Σ q f(p/q) dx, a number, from two densities on one grid of cells dx.

        Raises:
            InputError: shapes differ, dx is not positive, a density is negative or does not integrate to 1.
        """
        _check_densities(p, q, dx)
        return self.perspective(p, q).sum() * dx


def _check_densities(p: Tensor, q: Tensor, dx: float) -> None:
    if p.shape != q.shape:
        raise InputError(
            f"The densities have shapes {tuple(p.shape)} and {tuple(q.shape)}; give both on the same grid."
        )
    if not dx > 0:
        raise InputError(f"The cell size dx is {dx}; it must be positive.")
    for name, density in (("p", p.detach()), ("q", q.detach())):
        if bool((density < 0).any()):
            raise InputError(
                f"The density {name} goes down to {float(density.min()):.3g}; it must not be negative."
            )
        mass = float(density.sum()) * dx
        if not abs(mass - 1) < 0.01:
            raise InputError(
                f"The density {name} integrates to {mass:.4g} on this grid, and must to 1 within 0.01: "
                "widen the grid or normalise it."
            )


# In the perspectives the masks come before every operation that could give inf or nan, so that gradients are
# right as well; a cell where both densities vanish costs nothing.


def _relative_entropy(p: Tensor, q: Tensor) -> Tensor:
    """Return p log(p/q), elementwise: infinite where only q vanishes."""
    inside = (p > 0) & (q > 0)
    logarithm = torch.where(inside, p, 1).log() - torch.where(inside, q, 1).log()
    return torch.where(inside, p * logarithm, torch.where(p > 0, math.inf, 0.0).to(p.dtype))


def _jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    middle = (p + q) / 2
    return (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2


def _root(p: Tensor) -> Tensor:
    return torch.where(p > 0, torch.where(p > 0, p, 1).sqrt(), 0)


def _pearson(p: Tensor, q: Tensor) -> Tensor:
    squares = (p - q) ** 2 / torch.where(q > 0, q, 1)
    return torch.where(q > 0, squares, torch.where(p > 0, math.inf, 0.0).to(p.dtype))


KL = Divergence(
    name="kl",
    formula="KL(p‖q) = ∫ p log(p/q)",
    perspective=_relative_entropy,
    conjugate=lambda t: (t - 1).exp(),
    activation=lambda v: v,
    conjugate_of_activation=lambda v: exponential(v - 1),
    optimum_logit=lambda log_ratio: 1 + log_ratio,
    optimum="1 + log(p/q)",
)
REVERSE_KL = Divergence(
    name="reverse-kl",
    formula="KL(q‖p) = ∫ q log(q/p)",
    perspective=lambda p, q: _relative_entropy(q, p),
    conjugate=lambda t: -1 - (-t).log(),
    activation=lambda v: -exponential(-v),
    conjugate_of_activation=lambda v: v - 1,
    optimum_logit=lambda log_ratio: log_ratio,
    optimum="log(p/q)",
)
JENSEN_SHANNON = Divergence(
    name="jensen-shannon",
    formula="JSD(p, q) = ½ KL(p‖m) + ½ KL(q‖m), m = (p+q)/2",
    perspective=_jensen_shannon,
    conjugate=lambda t: -(2 - (2 * t).exp()).log() / 2,
    activation=lambda v: (math.log(2) + F.logsigmoid(v)) / 2,
    conjugate_of_activation=lambda v: -(math.log(2) + F.logsigmoid(-v)) / 2,
    optimum_logit=lambda log_ratio: log_ratio,
    optimum="log(p/q)",
)
SQUARED_HELLINGER = Divergence(
    name="squared-hellinger",
    formula="H²(p, q) = ∫ (√p − √q)²",
    perspective=lambda p, q: (_root(p) - _root(q)) ** 2,
    conjugate=lambda t: t / (1 - t),
    activation=lambda v: 1 - exponential(-v),
    conjugate_of_activation=lambda v: exponential(v) - 1,
    optimum_logit=lambda log_ratio: log_ratio / 2,
    optimum="½ log(p/q)",
)
PEARSON = Divergence(
    name="pearson",
    formula="χ²(p‖q) = ∫ (p − q)²/q",
    perspective=_pearson,
    conjugate=lambda t: t * t / 4 + t,
    activation=lambda v: v,
    conjugate_of_activation=lambda v: v * v / 4 + v,
    optimum_logit=lambda log_ratio: 2 * log_ratio.expm1(),
    optimum="2(p/q − 1)",
)
TOTAL_VARIATION = Divergence(
    name="total-variation",
    formula="TV(p, q) = ½ ∫ |p − q|",
    perspective=lambda p, q: (p - q).abs() / 2,
    conjugate=lambda t: t,
    activation=lambda v: v.tanh() / 2,
    conjugate_of_activation=lambda v: v.tanh() / 2,
    optimum_logit=lambda log_ratio: torch.where(log_ratio == 0, 0.0, log_ratio * math.inf),
    optimum="±∞, the sign of p − q (a supremum, not attained)",
)

DIVERGENCES: dict[str, Divergence] = {
    divergence.name: divergence
    for divergence in (KL, REVERSE_KL, JENSEN_SHANNON, SQUARED_HELLINGER, PEARSON, TOTAL_VARIATION)
}
