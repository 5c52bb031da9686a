"""The players' optimisers: torch's SGD and Adam, with learning rate and momentum from schedules."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from saddlepoint.training.settings import OptimiserSettings


class PlayerOptimiser:
    """The optimiser of one player: torch's optimiser and its state, without the overhead of `Optimizer.step`.

    SGD with momentum is v <- mu v + g, x <- x - rate v. The paper's code writes v <- mu v - rate g, x <- x + v. Both are the
    same for a constant rate; otherwise they differ by the relative change of the rate per round (4e-6).
    """

    def __init__(self, settings: OptimiserSettings, parameters: Sequence[nn.Parameter]) -> None:
        self.settings = settings
        self.parameters: list[Tensor] = list(parameters)
        self.optimiser: torch.optim.Optimizer
        if settings.name == "sgd":
            # The first momentum may be 0 and a later one not; torch reads it again at each step.
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
        if (
            self._gathered is None or self._gathered[0] is not state
        ):  # loading a checkpoint replaces the state
            names = ["momentum_buffer"] if self.settings.name == "sgd" else ["exp_avg", "exp_avg_sq"]
            for parameter in self.parameters:
                for name in names:
                    stored = state[parameter].get(name)
                    state[parameter][name] = (
                        with_strides_of(parameter, stored)
                        if isinstance(stored, Tensor)
                        else torch.zeros_like(parameter, memory_format=torch.preserve_format)
                    )
            gathered = {name: [state[p][name] for p in self.parameters] for name in names}
            if self.settings.name == "adam":
                gathered["step"] = self._joined_step_counts()
            self._gathered = state, gathered
        return self._gathered[1]

    def _joined_step_counts(self) -> list[Tensor]:
        """Return views of one tensor as the step counts of all parameters, so that one addition updates them all."""
        state = self.optimiser.state
        counts = [float(state[parameter].get("step", 0.0)) for parameter in self.parameters]
        self._steps = torch.tensor(counts, dtype=torch.float32, device=self.parameters[0].device)
        for parameter, step in zip(self.parameters, self._steps.unbind(), strict=True):
            state[parameter]["step"] = step
        return list(self._steps.unbind())

    def set_rate(self, settings: OptimiserSettings, round_: int, horizon: int) -> tuple[float, float]:
        """Set the optimiser's learning rate and momentum to those of a round, and return both."""
        rate, momentum = settings.rate.at(round_, horizon), settings.momentum.at(round_, horizon)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
            if "momentum" in group:
                group["momentum"] = momentum
        return rate, momentum

    @torch.no_grad()
    def step(self, gradients: list[Tensor], settings: OptimiserSettings, round_: int, horizon: int) -> None:
        """Take one step down the gradients with the learning rate and momentum of a round."""
        rate, momentum = self.set_rate(settings, round_, horizon)
        gradients = [with_strides_of(*pair) for pair in zip(self.parameters, gradients, strict=True)]
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            parameter.grad = gradient
        state = self.state()
        if settings.name == "sgd":
            torch._fused_sgd_(
                self.parameters,
                gradients,
                state["momentum_buffer"]
                if momentum
                else [],  # at momentum 0 torch leaves the buffer unchanged
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

    # -- the same step in plain tensor operations, for compiled rounds ---------------------------------------------

    def scalars(self, settings: OptimiserSettings, round_: int, horizon: int) -> list[float]:
        """Count a step, and return the two numbers of this round that `arithmetic` needs."""
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
        """Take one step in plain tensor operations: update parameters x and state in place.

        SGD: v <- mu v + g, x <- x - rate v. Adam: m and v are the moving averages of g and g^2,
        x <- x - rate / (1 - b1^t) m / (sqrt(v / (1 - b2^t)) + eps).

        parameters, gradients: x and g of this player.
        state: the optimiser's tensors by name (`state`).
        scalars: the two numbers of this round (`scalars`).
        settings: of this player's optimiser.
        """
        for index, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            if settings.name == "sgd":
                velocity = state["momentum_buffer"][index]
                new = scalars[1] * velocity + gradient
                # At momentum 0 the buffer stays unchanged, as in torch.
                velocity.copy_(torch.where(scalars[1] == 0, velocity, new))
                parameter.sub_(scalars[0] * new)
            else:
                mean, square = state["exp_avg"][index], state["exp_avg_sq"][index]
                mean.copy_(torch.lerp(gradient, mean, settings.betas[0]))
                square.mul_(settings.betas[1]).addcmul_(gradient, gradient, value=1.0 - settings.betas[1])
                parameter.sub_(scalars[0] * mean / (square.sqrt() * scalars[1] + settings.eps))


def with_strides_of(parameter: Tensor, tensor: Tensor) -> Tensor:
    """Return a tensor in the memory layout of its parameter: torch's fused steps pair both by address."""
    if tensor.stride() == parameter.stride():
        return tensor
    return torch.empty_like(parameter, requires_grad=False).copy_(tensor)
