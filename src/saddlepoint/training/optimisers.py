"""The players' optimisers: torch's own, with rate and momentum set from their schedules before each step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saddlepoint.training.settings import OptimiserSettings


class PlayerOptimiser:
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
        self._steps = torch.empty(0)

    def state(self) -> dict[str, list[Tensor]]:
        """Return the optimiser's tensors by name, one for each parameter: zeros before the first step."""
        state = self.optimiser.state
        if self._gathered is None or self._gathered[0] is not state:  # a checkpoint brings a state of its own
            names = ["momentum_buffer"] if self.settings.name == "sgd" else ["exp_avg", "exp_avg_sq"]
            for parameter in self.parameters:
                for name in names:
                    found = state[parameter].get(name)
                    state[parameter][name] = (
                        as_laid_out(found, parameter)
                        if isinstance(found, Tensor)
                        else torch.zeros_like(parameter, memory_format=torch.preserve_format)
                    )
            gathered = {name: [state[p][name] for p in self.parameters] for name in names}
            if self.settings.name == "adam":
                gathered["step"] = self._counted_together()
            self._gathered = state, gathered
        return self._gathered[1]

    def _counted_together(self) -> list[Tensor]:
        """Lay the step counts, one for each parameter as torch has it, beside each other: one addition counts them all."""
        state = self.optimiser.state
        found = [float(state[parameter].get("step", 0.0)) for parameter in self.parameters]
        self._steps = torch.tensor(found, dtype=torch.float32, device=self.parameters[0].device)
        for parameter, step in zip(self.parameters, self._steps.unbind(), strict=True):
            state[parameter]["step"] = step
        return list(self._steps.unbind())

    def set_rate(self, settings: OptimiserSettings, round_: int, horizon: int) -> tuple[float, float]:
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
        rate, momentum = self.set_rate(settings, round_, horizon)
        gradients = [as_laid_out(*pair) for pair in zip(gradients, self.parameters, strict=True)]
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        state = self.state()
        if settings.name == "sgd":
            torch._fused_sgd_(
                self.parameters,
                gradients,
                state["momentum_buffer"] if momentum else [],  # as torch, which lets it lie at momentum 0
                weight_decay=0.0,
                momentum=momentum,
                lr=rate,
                dampening=0.0,
                nesterov=False,
                maximize=False,
                is_first_step=False,
            )
        else:
            self._steps.add_(1.0)
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

    # -- the same step as plain arithmetic, for a round that is compiled ------------------------------------------

    def scalars(self, settings: OptimiserSettings, round_: int, horizon: int) -> list[float]:
        """Count a step, and return the two numbers that `arithmetic` wants in a round."""
        rate, momentum = self.set_rate(settings, round_, horizon)
        if settings.name == "sgd":
            return [rate, momentum]
        self.state()
        count = float(self._steps.add_(1.0)[0])
        first, second = (1.0 - beta**count for beta in settings.betas)
        return [rate / first, second**-0.5]

    def arithmetic(
        self,
        parameters: list[Tensor],
        gradients: list[Tensor],
        state: dict[str, list[Tensor]],
        scalars: Tensor,
        settings: OptimiserSettings,
    ) -> None:
        """Move parameters and state in place, by the two `scalars` of a round.

        SGD: v <- mu v + g, x <- x - rate v. Adam: m and v are the moving averages of g and g^2, x <- x -
        rate / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps).
        """
        for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            if settings.name == "sgd":
                velocity = state["momentum_buffer"][index]
                moved = scalars[1] * velocity + gradient
                # At momentum 0 the buffer lies still, as in torch.
                velocity.copy_(torch.where(scalars[1] == 0, velocity, moved))
                parameter.sub_(scalars[0] * moved)
            else:
                mean, square = state["exp_avg"][index], state["exp_avg_sq"][index]
                mean.copy_(torch.lerp(gradient, mean, settings.betas[0]))
                square.mul_(settings.betas[1]).addcmul_(gradient, gradient, value=1.0 - settings.betas[1])
                parameter.sub_(scalars[0] * mean / (square.sqrt() * scalars[1] + settings.eps))


def as_laid_out(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return the tensor in the memory order of its parameter: torch's fused steps walk through both by address."""
    if tensor.stride() == parameter.stride():
        return tensor
    return torch.empty_like(parameter, requires_grad=False).copy_(tensor)
