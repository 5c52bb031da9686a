"""The players' optimisers: torch's own, with rate and momentum set from their schedules before each step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saddlepoint.training.settings import OptimiserSettings


class Mover:
    """Moves one player: torch's optimiser and its state, stepped without the bookkeeping of `Optimizer.step`.

    SGD's momentum is v <- mu v + g, x <- x - rate v. The paper's code writes v <- mu v - rate g, x <- x + v,
    which is the same for a constant rate and differs by the rate's relative change a round (4e-6) otherwise.
    """

    def __init__(self, settings: OptimiserSettings, parameters: Sequence[nn.Parameter]) -> None:
        self.settings = settings
        self.parameters: list[Tensor] = list(parameters)
        self.optimiser: torch.optim.Optimizer
        if settings.name == "sgd":
            # The first momentum may be 0 while a later one is not: torch reads it anew at each step.
            self.optimiser = torch.optim.SGD(
                self.parameters, lr=settings.rate.start, momentum=settings.momentum.start, fused=True
            )
        else:
            self.optimiser = torch.optim.Adam(
                self.parameters, lr=settings.rate.start, betas=settings.betas, eps=settings.eps, fused=True
            )
        self._gathered: tuple[object, dict[str, list[Tensor]]] | None = None

    def state(self) -> dict[str, list[Tensor]] | None:
        """Return the optimiser's tensors by name, one for each parameter; None before the first step."""
        state = self.optimiser.state
        if self._gathered is None or self._gathered[0] is not state:  # a checkpoint brings a state of its own
            entries = [state.get(parameter, {}) for parameter in self.parameters]
            names = ("momentum_buffer",) if self.settings.name == "sgd" else ("exp_avg", "exp_avg_sq", "step")
            if not all(isinstance(entry.get(name), Tensor) for entry in entries for name in names):
                return None
            self._gathered = state, {name: [entry[name] for entry in entries] for name in names}
        return self._gathered[1]

    def pace(self, settings: OptimiserSettings, round_: int, horizon: int) -> tuple[float, float]:
        """Return the learning rate and the momentum of a round, and write them into the optimiser."""
        rate, momentum = settings.rate.at(round_, horizon), settings.momentum.at(round_, horizon)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
            if "momentum" in group:
                group["momentum"] = momentum
        return rate, momentum

    @torch.no_grad()
    def step(self, gradients: list[Tensor], settings: OptimiserSettings, round_: int, horizon: int) -> None:
        """Move the parameters down their gradients at the pace of a round."""
        rate, momentum = self.pace(settings, round_, horizon)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        state = self.state()
        if state is None or (momentum == 0.0 and settings.name == "sgd"):
            self.optimiser.step()  # which makes the state
        elif settings.name == "sgd":
            torch._fused_sgd_(
                self.parameters,
                gradients,
                state["momentum_buffer"],
                weight_decay=0.0,
                momentum=momentum,
                lr=rate,
                dampening=0.0,
                nesterov=False,
                maximize=False,
                is_first_step=False,
            )
        else:
            torch._foreach_add_(state["step"], 1)
            torch._fused_adam_(
                self.parameters,
                gradients,
                state["exp_avg"],
                state["exp_avg_sq"],
                [],
                state["step"],
                lr=rate,
                beta1=settings.betas[0],
                beta2=settings.betas[1],
                weight_decay=0.0,
                eps=settings.eps,
                amsgrad=False,
                maximize=False,
            )
