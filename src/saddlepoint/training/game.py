"""The state of a game: both players, their optimisers, the EMA of G and the round; and the operations of Algorithm 1 on it.

A round is a pure function of this state and of its inputs: the rows, and random numbers keyed by (seed, purpose, round).
A network that needs random numbers (dropout) has an integer attribute `uniforms`, the uniform(0, 1) numbers it needs per
sample, and gets them as the keyword argument `uniforms`. Modules without this attribute may use torch's global generator
(nn.Dropout), which is seeded for each round.

Real and fake rows go through D in one pass if D treats each row independently of the rest of the batch
(`depends_on_batch`).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from saddlepoint import compute
from saddlepoint.errors import InputError
from saddlepoint.objectives import Objective, Penalty, get, get_penalty
from saddlepoint.training.augment import DRAWS, augmented
from saddlepoint.training.distributed import ProcessRank
from saddlepoint.training.ema import ExponentialAverage
from saddlepoint.training.optimisers import PlayerOptimiser
from saddlepoint.training.records import Record
from saddlepoint.training.settings import OptimiserSettings, Settings

_PERTURBATION = 0.3  # standard deviation of the noise that is added to the parameters of the copy
_TOLERANCE = 100.0  # in units of the rounding error


@torch.no_grad()
def depends_on_batch(
    module: nn.Module, run: Callable[[nn.Module, Tensor], Tensor], rows: Tensor, *, computed: torch.dtype
) -> bool:
    """Return whether a network's output for a row depends on the rest of the batch, or on chance (its own dropout).

    The test runs a copy with perturbed parameters, since a layer that mixes rows may start at zero. A network that cannot
    take half the batch counts as dependent.

    module: the network.
    run: runs a network on rows as the game does.
    rows: a batch.
    computed: the type the network computes with, for the tolerance.
    """
    if len(rows) < 2:
        return True
    trial = copy.deepcopy(module)
    for index, parameter in enumerate(trial.parameters()):
        noise = torch.randn(parameter.shape, generator=compute.random_generator(0, "stir", index))
        parameter.add_(_PERTURBATION * noise.to(parameter.device, parameter.dtype))
    half = len(rows) // 2
    try:
        halves = torch.cat([run(trial, rows[:half]), run(trial, rows[half:])]).flatten()
        whole = run(trial, rows).flatten()
    except (RuntimeError, ValueError, IndexError):
        return True
    if halves.shape != whole.shape:
        return True
    allowed = _TOLERANCE * max(torch.finfo(computed).eps, torch.finfo(torch.float32).eps)
    scale = whole.abs().max().clamp_min(torch.finfo(whole.dtype).tiny)
    # NaN compares as False, so it counts as dependent.
    return not bool((halves - whole).abs().max() <= allowed * scale)


Player = Literal["discriminator", "generator"]
Rows = Tensor | tuple[Tensor, Tensor | None]
Critic = Callable[[Tensor], Tensor]


class Game:
    """Two players and everything that their next round depends on; `algorithm.rounds` plays rounds.

    generator: maps noise (batch, noise_width) [and a condition] to rows.
    discriminator: maps rows [and a condition] to one logit per row.
    settings: everything else that defines the game.
    objective: replaces the objective named in the settings.
    device: where to train; the CPU by default.
    process: the rank of this process; by default the only one.

    Raises:
        InputError: an unknown objective or penalty, or a batch that cannot be split over the ranks.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        settings: Settings,
        *,
        objective: Objective | None = None,
        device: torch.device | None = None,
        process: ProcessRank | None = None,
    ) -> None:
        self.settings = settings
        self.device = device or torch.device("cpu")
        self.process = process or ProcessRank()
        self.process.check_batch(settings.batch)
        self.objective = objective or get(settings.objective)
        if self.objective.batch_averaged and self.process.count * settings.accumulation_steps > 1:
            raise InputError(
                f"The objective {self.objective.name!r} compares each logit with the mean of the whole batch, which "
                f"{self.process.count * settings.accumulation_steps} processes or micro-batches do not have: use "
                "'relativistic', or one process and accumulation_steps=1."
            )
        self.penalties: list[tuple[Penalty, Callable[[int], float | Tensor]]] = [
            (get_penalty(each.name), partial(each.weight.at, horizon=settings.horizon))
            for each in settings.penalties
        ]
        self.compute_dtype = compute.choose_precision(settings.precision)
        self.dtype = torch.float64 if settings.precision == "float64" else torch.float32
        self.generator = compute.to_channels_last(generator.to(self.device, self.dtype)).train()
        self.discriminator = compute.to_channels_last(discriminator.to(self.device, self.dtype)).train()
        self._channels_last = compute.has_conv_weights(self.discriminator)
        self.process.agree_([self.generator, self.discriminator])
        self.average = (
            None if settings.average is None else ExponentialAverage(self.generator, settings.average)
        )
        self.player_optimisers = {
            player: PlayerOptimiser(self.optimiser_settings(player), list(self.player(player).parameters()))
            for player in ("discriminator", "generator")
        }
        self.round = 0
        if self.device.type == "cpu":
            compute.keep_freed_memory()
        self._row_independent: bool | None = None

    def player(self, name: Player | str) -> nn.Module:
        """Return the network of one player."""
        return self.generator if name == "generator" else self.discriminator

    def name_of(self, module: nn.Module) -> Player:
        """Return which player a network is."""
        return "generator" if module is self.generator else "discriminator"

    @property
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return torch's optimisers of both players; checkpoints store their state."""
        return {player: each.optimiser for player, each in self.player_optimisers.items()}

    def optimiser_settings(self, name: Player | str) -> OptimiserSettings:
        """Return the settings of one player's optimiser."""
        return self.settings.generator if name == "generator" else self.settings.discriminator

    def sampler(self) -> nn.Module:
        """Return the network to sample from: the EMA of G if there is one, otherwise G."""
        return self.generator if self.average is None else self.average.module

    # -- the random numbers of a round: drawn for the global batch, then sliced for this rank -------------------

    def _index(self, step: int) -> int:
        return self.round * (self.settings.discriminator_steps + 1) + step

    def noise(self, step: int) -> Tensor:
        """Return the noise z of one step of this round, (batch of this rank, noise_width)."""
        s = self.settings
        z = compute.noise(
            s.noise_distribution,
            s.batch,
            s.noise_width,
            compute.random_generator(s.seed, "noise", self._index(step)),
        )
        return self.process.part(z).to(self.device, self.dtype)

    def uniforms(self, module: nn.Module, purpose: str, step: int) -> Tensor | None:
        """Return the uniform(0, 1) numbers (batch of this rank, module.uniforms) of a network, or None if it needs none."""
        width = getattr(module, "uniforms", 0)
        if not isinstance(width, int) or width == 0:
            return None
        draws = torch.rand(
            self.settings.batch,
            width,
            generator=compute.random_generator(self.settings.seed, purpose, self._index(step)),
        )
        return self.process.part(draws).to(self.device, self.dtype)

    def augmentation_draws(self, side: str, step: int) -> Tensor | None:
        """Return uniform(0, 1) numbers (batch of this rank, DRAWS) for augmenting one side's pictures, or None."""
        if self.settings.augment == 0:
            return None
        generator = compute.random_generator(self.settings.seed, f"augment/{side}", self._index(step))
        draws = torch.rand(self.settings.batch, DRAWS, generator=generator)
        return self.process.part(draws).to(self.device, self.dtype)

    def mix(self, step: int) -> Tensor:
        """Return uniform(0, 1) mixing weights (batch of this rank,) for penalties between real and fake rows."""
        draws = torch.rand(
            self.settings.batch,
            generator=compute.random_generator(self.settings.seed, "mix", self._index(step)),
        )
        return self.process.part(draws).to(self.device, self.dtype)

    @contextmanager
    def seeded_modules(self) -> Iterator[None]:
        """Seed torch's global generator for this round if a player may use it; restore its state afterwards."""
        if all(hasattr(module, "uniforms") for module in (self.generator, self.discriminator)):
            yield
            return
        seed = compute.derived_seed(self.settings.seed, f"modules/{self.process.rank}", self.round)
        if self.device.type == "cuda":
            with torch.random.fork_rng([self.device]):
                torch.manual_seed(seed)
                yield
            return
        # torch.manual_seed would in every round also queue a seed for each type of device, with a stack trace.
        generator = torch.default_generator
        before = generator.get_state()
        generator.manual_seed(seed)
        try:
            yield
        finally:
            generator.set_state(before)

    # -- forward passes and optimiser steps --------------------------------------------------------------------

    def weights(self, module: nn.Module) -> dict[str, Tensor] | None:
        """Return tensors that replace a network's parameters and buffers while it runs; None: it uses its own."""
        return None

    def run(
        self, module: nn.Module, inputs: Tensor, condition: Tensor | None, uniforms: Tensor | None
    ) -> Tensor:
        """Return a player's output at the game's precision.

        With bf16, parameters and inputs are cast to it and the output is cast back.
        """
        arguments = [inputs] if condition is None else [inputs, condition]
        extra = {} if uniforms is None else {"uniforms": uniforms}
        weights, low = self.weights(module), self.compute_dtype
        if low == self.dtype:
            if weights is None:
                return _tensor(module(*arguments, **extra))
            return _tensor(torch.func.functional_call(module, weights, tuple(arguments), extra))
        parameters = weights or dict(module.named_parameters())
        parameters = {
            name: value.to(low) if value.requires_grad else value for name, value in parameters.items()
        }
        arguments = [each.to(low) if each.is_floating_point() else each for each in arguments]
        extra = {name: value.to(low) for name, value in extra.items()}
        return _tensor(torch.func.functional_call(module, parameters, tuple(arguments), extra)).to(self.dtype)

    def generate(self, z: Tensor, condition: Tensor | None, step: int, *, graph: bool) -> Tensor:
        """Return G(z), rows (batch, ...); with graph=False the result carries no gradient to G."""
        with nullcontext() if graph else torch.no_grad():
            return self.run(self.generator, z, condition, self.uniforms(self.generator, "generator", step))

    def critic(self, side: str, condition: Tensor | None, step: int) -> Critic:
        """Return D as a function rows -> logits (rows,), with the dropout masks and augmentations of one step and side.

        side: "real", "fake", or "both" for the real rows of a batch followed by the fake ones, each with its own masks.
        condition: of one side, (batch, ...), or None.
        step: of this round, 0 to k.
        """
        sides = ("real", "fake") if side == "both" else (side,)
        uniforms = _joined(
            [self.uniforms(self.discriminator, f"discriminator/{each}", step) for each in sides]
        )
        draws = _joined([self.augmentation_draws(each, step) for each in sides])
        if condition is not None and side == "both":
            condition = torch.cat([condition, condition])

        def logits(rows: Tensor) -> Tensor:
            if draws is not None:
                rows = augmented(rows, draws, self.settings.augment)
            return self.run(self.discriminator, rows, condition, uniforms).reshape(len(rows))

        return logits

    def can_share_pass(self, real: Tensor, fake: Tensor, condition: Tensor | None) -> bool:
        """Return whether real and fake rows can go through D in one pass.

        They can if D treats each row independently and the penalties are the same on both sides.
        """
        measures = [
            {penalty.measure for penalty, _ in self.penalties if penalty.where == side}
            for side in ("real", "fake")
        ]
        if fake.requires_grad or measures[0] != measures[1]:
            return False
        if self._row_independent is None:
            rows = torch.cat([real, fake])
            conditions = None if condition is None else torch.cat([condition, condition])

            def run(module: nn.Module, some: Tensor) -> Tensor:
                condition = None if conditions is None else conditions[: len(some)]
                return self.run(module, some, condition, None)

            self._row_independent = not depends_on_batch(
                self.discriminator, run, rows, computed=self.compute_dtype
            )
        return self._row_independent

    def clipped(self, fake: Tensor) -> Tensor:
        """Return the fakes unchanged, but with gradient norms on the way back to G limited to `clip` times their mean."""
        if self.settings.clip is None or not fake.requires_grad:
            return fake
        limit = self.settings.clip

        def limit_norms(gradient: Tensor) -> Tensor:
            norms = torch.linalg.vector_norm(gradient.flatten(1), dim=1)
            mean = norms.mean()
            self.process.average_([mean])
            factors = (limit * mean / norms.clamp_min(torch.finfo(norms.dtype).tiny)).clamp(max=1.0)
            limited: Tensor = gradient * factors.reshape(-1, *[1] * (gradient.dim() - 1))
            return limited

        view = fake.view_as(fake)
        view.register_hook(limit_norms)  # type: ignore[no-untyped-call]
        return view

    def gradients(self, name: Player, loss: Tensor, *, keep_graph: bool = False) -> list[Tensor]:
        """Return the gradient of a loss with respect to one player's parameters, averaged over the ranks."""
        gradients = torch.autograd.grad(
            loss,
            self.player_optimisers[name].parameters,
            retain_graph=keep_graph,
            allow_unused=True,
            materialize_grads=True,
        )
        self.process.average_(gradients)
        return list(gradients)

    def move(self, name: Player, gradients: list[Tensor]) -> Tensor:
        """Update one player by a step of its optimiser; return the norm of the gradient."""
        self.player_optimisers[name].step(
            gradients, self.optimiser_settings(name), self.round, self.settings.horizon
        )
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        return norm

    def descend(self, name: Player, loss: Tensor) -> Tensor:
        """Update one player by a step down the gradient of its loss; return the norm of the gradient."""
        return self.move(name, self.gradients(name, loss))

    def next_batch(self, batches: Iterator[Rows]) -> tuple[Tensor, Tensor | None]:
        """Return the real rows of one step for this rank, and their condition or None.

        Raises:
            InputError: the batches ran out.
        """
        batch = next(batches, None)
        if batch is None:
            raise InputError(
                f"The batches ran out in round {self.round}: give an iterator that does not end, for example "
                "itertools.cycle over a list of batches or a loop over your DataLoader."
            )
        real, condition = batch if isinstance(batch, tuple) else (batch, None)
        if condition is not None:
            condition = condition.to(self.device, self.dtype if condition.is_floating_point() else None)
        real = real.to(self.device, self.dtype)
        if self._channels_last and real.dim() == 4:
            real = real.contiguous(memory_format=torch.channels_last)
        return real, condition

    def end_round(self, *values: Tensor) -> Record:
        """Update the EMA, count the round, and return its record, averaged over the ranks."""
        vector = torch.stack([value.detach().mean() for value in values])
        self.process.average_([vector])
        record = Record(self.round, vector)
        if self.average is not None:
            self.average.update(self.generator, self.round)
        self.round += 1
        return record


def _joined(sides: list[Tensor | None]) -> Tensor | None:
    """Return the random numbers of one or both sides in one tensor, or None if there are none."""
    present = [each for each in sides if each is not None]
    return (torch.cat(present) if len(present) > 1 else present[0]) if present else None


def _tensor(output: object) -> Tensor:
    """Return a network's output, which must be a tensor."""
    if not isinstance(output, Tensor):
        raise InputError(f"A network returned {type(output).__name__}; it must return one torch tensor.")
    return output
