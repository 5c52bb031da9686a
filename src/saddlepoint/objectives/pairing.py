"""Losses are taken pair by pair: real and fake logits must have one shape.

Without this check logits of shapes (B,) and (B, 1) would broadcast to (B, B) and still give a plausible mean.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

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
