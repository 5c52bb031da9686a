"""The state of a game: two players, their optimisers, the average of G, and the round they are in.

A round is a pure function of this state and of its inputs: the rows, and the draws keyed by (seed, purpose, round).
A network takes part in the draws by a whole number `uniforms`: so many uniform(0, 1) numbers a sample it wishes
for (dropout); they then come as its keyword `uniforms`. Modules without that attribute may use torch's own generator
(nn.Dropout): it is seeded for each round.

Does a network look at each row alone? Only then may real and generated rows share one pass.
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

_STIR, _AGREE = 0.3, 100.0


@torch.no_grad()
def depends_on_batch(
    module: nn.Module, run: Callable[[nn.Module, Tensor], Tensor], rows: Tensor, *, computed: torch.dtype
) -> bool:
    """Return whether a network's outputs on rows hang on what else is in the batch, or on chance (own dropout).

    Asked of a copy whose parameters are stirred, since a part that mixes rows may start at zero. run(module, rows) is
    how the game runs a player. A network that cannot take a batch of half the rows counts as one that mixes.
    """
    if len(rows) < 2:
        return True
    trial = copy.deepcopy(module)
    for index, parameter in enumerate(trial.parameters()):
        noise = torch.randn(parameter.shape, generator=compute.random_generator(0, "stir", index))
        parameter.add_(_STIR * noise.to(parameter.device, parameter.dtype))
    half = len(rows) // 2
    try:
        apart = torch.cat([run(trial, rows[:half]), run(trial, rows[half:])]).flatten()
        whole = run(trial, rows).flatten()
    except (RuntimeError, ValueError, IndexError):
        return True
    if apart.shape != whole.shape:
        return True
    allowed = _AGREE * max(torch.finfo(computed).eps, torch.finfo(torch.float32).eps)
    scale = whole.abs().max().clamp_min(torch.finfo(whole.dtype).tiny)
    # A NaN is no agreement.
    return not bool((apart - whole).abs().max() <= allowed * scale)


Player = Literal["discriminator", "generator"]
Rows = Tensor | tuple[Tensor, Tensor | None]
Critic = Callable[[Tensor], Tensor]


class Game:
    """Two players at a certain round; `algorithm.play` moves it on.

    generator maps noise (batch, noise_width) [and a condition] to rows; discriminator maps rows [and a condition]
    to one logit a row. `objective`, where given, stands in place of the one that the settings name.

    Raises:
        InputError: an unknown objective or penalty, or a batch that the ranks cannot share.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        settings: Settings,
        *,
        objective: Objective | None = None,
        device: torch.device | None = None,
        share: ProcessRank | None = None,
    ) -> None:
        self.settings = settings
        self.device = device or torch.device("cpu")
        self.share = share or ProcessRank()
        self.share.check_batch(settings.batch)
        self.objective = objective or get(settings.objective)
        if self.objective.batch_averaged and self.share.count * settings.accumulation_steps > 1:
            raise InputError(
                f"The objective {self.objective.name!r} compares each logit with its batch's mean, which "
                f"{self.share.count * settings.accumulation_steps} processes or parts do not share: use 'relativistic', or one of each."
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
        self.share.agree_([self.generator, self.discriminator])
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
        """Return the players' optimisers, whose state a checkpoint keeps."""
        return {player: mover.optimiser for player, mover in self.player_optimisers.items()}

    def optimiser_settings(self, name: Player | str) -> OptimiserSettings:
        """Return how one player moves."""
        return self.settings.generator if name == "generator" else self.settings.discriminator

    def sampler(self) -> nn.Module:
        """Return the network to sample from: the average of G where there is one, else G."""
        return self.generator if self.average is None else self.average.module

    # -- the draws of a round: for the global batch, then this rank's slice -------------------------------------

    def _index(self, step: int) -> int:
        return self.round * (self.settings.discriminator_steps + 1) + step

    def noise(self, step: int) -> Tensor:
        """Return z of one step of this round, (batch of this rank, noise_width)."""
        s = self.settings
        z = compute.noise(
            s.noise_distribution,
            s.batch,
            s.noise_width,
            compute.random_generator(s.seed, "noise", self._index(step)),
        )
        return self.share.part(z).to(self.device, self.dtype)

    def uniforms(self, module: nn.Module, purpose: str, step: int) -> Tensor | None:
        """Return the uniform(0, 1) numbers that a module wishes for, or None."""
        width = getattr(module, "uniforms", 0)
        if not isinstance(width, int) or width == 0:
            return None
        draws = torch.rand(
            self.settings.batch,
            width,
            generator=compute.random_generator(self.settings.seed, purpose, self._index(step)),
        )
        return self.share.part(draws).to(self.device, self.dtype)

    def changes(self, side: str, step: int) -> Tensor | None:
        """Return the draws of the changes that D sees pictures through in one step, or None."""
        if self.settings.augment == 0:
            return None
        generator = compute.random_generator(self.settings.seed, f"augment/{side}", self._index(step))
        draws = torch.rand(self.settings.batch, DRAWS, generator=generator)
        return self.share.part(draws).to(self.device, self.dtype)

    def mix(self, step: int) -> Tensor:
        """Return uniform(0, 1) numbers (batch of this rank,) for penalties between real and fake rows."""
        draws = torch.rand(
            self.settings.batch,
            generator=compute.random_generator(self.settings.seed, "mix", self._index(step)),
        )
        return self.share.part(draws).to(self.device, self.dtype)

    @contextmanager
    def seeded_modules(self) -> Iterator[None]:
        """Seed torch's own generator for this round where a player may use it, and leave it as it was."""
        own = all(hasattr(module, "uniforms") for module in (self.generator, self.discriminator))
        if own:
            yield
            return
        seed = compute.derived_seed(self.settings.seed, f"modules/{self.share.rank}", self.round)
        if self.device.type == "cuda":
            with torch.random.fork_rng([self.device]):
                torch.manual_seed(seed)
                yield
            return
        # torch.manual_seed would also queue a seed for each kind of device, with a call stack, in every round.
        generator = torch.default_generator
        before = generator.get_state()
        generator.manual_seed(seed)
        try:
            yield
        finally:
            generator.set_state(before)

    # -- the players' moves ------------------------------------------------------------------------------------

    def weights(self, module: nn.Module) -> dict[str, Tensor] | None:
        """Return what stands in place of a network's own parameters and buffers while it is called; None: nothing."""
        return None

    def run(
        self, module: nn.Module, inputs: Tensor, condition: Tensor | None, uniforms: Tensor | None
    ) -> Tensor:
        """Run a player at the game's precision: bf16 casts parameters and inputs, the result is cast back."""
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
        """Return G(z); with graph=False no gradient can reach G through it."""
        with nullcontext() if graph else torch.no_grad():
            return self.run(self.generator, z, condition, self.uniforms(self.generator, "generator", step))

    def critic(self, side: str, condition: Tensor | None, step: int) -> Critic:
        """Return rows -> logits (rows,) under the dropout masks of one step and side: "real", "fake" or "both".

        The critic of both takes the real and then the fake rows of a batch, and condition and masks of each.
        """
        sides = ("real", "fake") if side == "both" else (side,)
        uniforms = _stacked(
            [self.uniforms(self.discriminator, f"discriminator/{each}", step) for each in sides]
        )
        changes = _stacked([self.changes(each, step) for each in sides])
        if condition is not None and side == "both":
            condition = torch.cat([condition, condition])

        def logits(rows: Tensor) -> Tensor:
            if changes is not None:
                rows = augmented(rows, changes, self.settings.augment)
            return self.run(self.discriminator, rows, condition, uniforms).reshape(len(rows))

        return logits

    def can_share_pass(self, real: Tensor, fake: Tensor, condition: Tensor | None) -> bool:
        """Return whether D may look at real and fake rows in one pass: it looks at each row alone, and the penalties
        are the same on both sides.
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

            def run(module: nn.Module, part: Tensor) -> Tensor:
                given = None if conditions is None else conditions[: len(part)]
                return self.run(module, part, given, None)

            self._row_independent = not depends_on_batch(
                self.discriminator, run, rows, computed=self.compute_dtype
            )
        return self._row_independent

    def clipped(self, fake: Tensor) -> Tensor:
        """Return the fakes as they are, their gradients on the way back to G at most `clip` times the mean norm."""
        if self.settings.clip is None or not fake.requires_grad:
            return fake
        limit = self.settings.clip

        def hold(pull: Tensor) -> Tensor:
            norms = torch.linalg.vector_norm(pull.flatten(1), dim=1)
            mean = norms.mean()
            self.share.average_([mean])
            factors = (limit * mean / norms.clamp_min(torch.finfo(norms.dtype).tiny)).clamp(max=1.0)
            held: Tensor = pull * factors.reshape(-1, *[1] * (pull.dim() - 1))
            return held

        same = fake.view_as(fake)
        same.register_hook(hold)  # type: ignore[no-untyped-call]
        return same

    def gradients(self, name: Player, loss: Tensor, *, keep_graph: bool = False) -> list[Tensor]:
        """Return the gradient of a loss by one player's parameters, averaged over the ranks."""
        gradients = torch.autograd.grad(
            loss,
            self.player_optimisers[name].parameters,
            retain_graph=keep_graph,
            allow_unused=True,
            materialize_grads=True,
        )
        self.share.average_(gradients)
        return list(gradients)

    def move(self, name: Player, gradients: list[Tensor]) -> Tensor:
        """Let one player's optimiser take a step; return the gradient's norm."""
        self.player_optimisers[name].step(
            gradients, self.optimiser_settings(name), self.round, self.settings.horizon
        )
        norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        return norm

    def descend(self, name: Player, loss: Tensor) -> Tensor:
        """Move one player down the gradient of its loss; return the gradient's norm."""
        return self.move(name, self.gradients(name, loss))

    def next_batch(self, batches: Iterator[Rows]) -> tuple[Tensor, Tensor | None]:
        """Return this rank's real rows of one step, and their condition or None.

        Raises:
            InputError: the batches have run out.
        """
        batch = next(batches, None)
        if batch is None:
            raise InputError(
                f"The batches ran out in round {self.round}: give an iterator that goes on, for example "
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
        """Move the average, count the round, and return its record, averaged over the ranks."""
        vector = torch.stack([value.detach().mean() for value in values])
        self.share.average_([vector])
        record = Record(self.round, vector)
        if self.average is not None:
            self.average.update(self.generator, self.round)
        self.round += 1
        return record


def _stacked(parts: list[Tensor | None]) -> Tensor | None:
    """Return the draws of one side or of both, or None where there are none."""
    there = [part for part in parts if part is not None]
    return (torch.cat(there) if len(there) > 1 else there[0]) if there else None


def _tensor(output: object) -> Tensor:
    if not isinstance(output, Tensor):
        raise InputError(f"A network returned {type(output).__name__}; it must return one torch tensor.")
    return output
